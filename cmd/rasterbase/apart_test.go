package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/internal/pgtest"
)

// Two servers that cannot open rasters and a worker that can share a database
// and nothing else: no disk, no memory. An upload goes to one server and the
// other by turns, and the worker makes tiles of it that both serve.
func TestServersAndAWorkerWithoutASharedDisk(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	t.Setenv("RASTER_DATABASE_URL", pgtest.Database(t))
	without := filepath.Join(t.TempDir(), "rasterbase")
	build := exec.Command("go", "build", "-o", without, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build without cgo: %v\n%s", err, out)
	}
	alone := func(binary string, args ...string) *program { // in folders of its own
		dir := t.TempDir()
		p := startBinary(t, binary, dir, append(args, "--workdir", dir)...)
		t.Cleanup(func() {
			if err := p.stop(); err != nil {
				t.Errorf("%s ended with %v:\n%s", args[0], err, p.stderr)
			}
		})
		return p
	}
	for _, args := range [][]string{{"migrate"}, {"users", "add", "anna"}} {
		if out, err := output(t.TempDir(), args...); err != nil {
			t.Fatalf("%s: %v: %s", args, err, out)
		}
	}
	secret := exec.CommandContext(t.Context(), "rasterbase", "tokens", "add", "anna")
	token, err := secret.Output()
	if err != nil {
		t.Fatal(err)
	}
	alone("rasterbase", "worker").until(t, "rasterbase works on the jobs of ")
	var bases [2]string
	for i := range bases {
		bases[i] = strings.TrimSuffix(alone(without, "serve", "--addr", "127.0.0.1:0").until(t, "rasterbase is at "), "/")
	}
	ask := func(method, address string, body []byte, want int, headers ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		r.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if resp.StatusCode != want {
			text, _ := io.ReadAll(resp.Body)
			t.Fatalf("%s %s: %s: %s", method, address, resp.Status, text)
		}
		return resp
	}

	file, err := os.ReadFile("../../demo/storm_lake_elevation.tif")
	if err != nil {
		t.Fatal(err)
	}
	made := ask("POST", bases[0]+"/api/v1/uploads", nil, 201, "Upload-Length", fmt.Sprint(len(file)),
		"Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte("lake.tif")))
	id := path.Base(made.Header.Get("Location"))
	const piece = 5000
	for from := 0; from < len(file); from += piece {
		ask("PATCH", bases[from/piece%2]+"/api/v1/uploads/"+id, file[from:min(from+piece, len(file))], 204,
			"Upload-Offset", fmt.Sprint(from), "Content-Type", "application/offset+octet-stream")
	}
	ask("POST", bases[1]+"/api/v1/layers", fmt.Appendf(nil, `{"source": {"upload": %q}}`, id), 202, "Content-Type", "application/json")
	events, err := io.ReadAll(ask("GET", bases[0]+"/api/v1/layers/lake/events", nil, 200).Body)
	if err != nil || !strings.Contains(string(events), `"status":"finished"`) {
		t.Fatalf("the events end with %v:\n%s", err, events)
	}
	var tiles [2][]byte
	for i, base := range bases {
		if tiles[i], err = io.ReadAll(ask("GET", base+"/tiles/lake/12/759/1456.png", nil, 200).Body); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := png.Decode(bytes.NewReader(tiles[0])); err != nil || !bytes.Equal(tiles[0], tiles[1]) {
		t.Errorf("the servers answer tiles of %d and %d bytes: %v", len(tiles[0]), len(tiles[1]), err)
	}
	var layer struct {
		Source struct{ Checksum string }
	}
	if err := json.NewDecoder(ask("GET", bases[0]+"/api/v1/layers/lake", nil, 200).Body).Decode(&layer); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(file)); layer.Source.Checksum != want {
		t.Errorf("the source's checksum is %s, not %s", layer.Source.Checksum, want)
	}
}
