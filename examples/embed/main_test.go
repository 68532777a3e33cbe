package main

import (
	"bufio"
	"context"
	"image/png"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/gdal"
)

func TestHostProgramServesItsOwnPageAndTheTiles(t *testing.T) {
	if gdal.Version() == "" {
		if strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "gdal") {
			t.Fatal("GDAL is required, but this build has none")
		}
		t.Skip("this build has no GDAL")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, w, "127.0.0.1:0", t.TempDir(), "../../demo/storm_lake_vegetation.tif")
		w.CloseWithError(err)
		done <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(strings.TrimSpace(line), "/")

	page := get(t, ctx, base+"/")
	text, err := io.ReadAll(page.Body)
	page.Body.Close()
	if err != nil || !strings.Contains(string(text), "/raster/tiles/storm-lake-vegetation/") {
		t.Errorf("the host's page says %q, %v", text, err)
	}

	tile := get(t, ctx, base+"/raster/tiles/storm-lake-vegetation/12/759/1456.png")
	img, err := png.Decode(tile.Body)
	tile.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			_, _, _, alpha := img.At(x, y).RGBA()
			seen = seen || alpha > 0
		}
	}
	if !seen {
		t.Error("the tile in the middle of the raster is empty")
	}

	cancel()
	if err := <-done; err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

func get(t *testing.T, ctx context.Context, address string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", address, resp.Status)
	}
	return resp
}

// The README shows the heart of this program; every line of it stands here.
func TestReadmeShowsThisCode(t *testing.T) {
	code, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "```go\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("the README has no block of Go")
	}
	for line := range strings.Lines(block) {
		if !strings.Contains(string(code), line) {
			t.Errorf("main.go has no line %q", line)
		}
	}
}
