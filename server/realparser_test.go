package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// vegetation is a small raster.
func vegetation(t *testing.T) []byte {
	t.Helper()
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	content, err := demo.Rasters()[0].Contents()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// parsing is a server over a parser that reads files, from dir too.
func parsing(t *testing.T, st store.Store, dir string, inRequest bool) (*server.Server, *ingest.Parser) {
	t.Helper()
	p := ingest.New(ingest.Config{Store: st, Opener: gdal.Opener{}, WorkDir: t.TempDir(), AllowedPaths: []string{dir}, InRequest: inRequest})
	s := newServer(t, server.Config{
		Store: st, Parser: p, ParseInRequest: inRequest, Auth: roleAuth{auth.New(st.Catalog(), auth.Options{})},
	})
	t.Cleanup(s.Close)
	return s, p
}

// A file is uploaded, previewed, made a layer of in one request, served,
// changed, and deleted.
func TestFromAnUploadToTiles(t *testing.T) {
	content := vegetation(t)
	st := newStore(t)
	s, _ := parsing(t, st, t.TempDir(), true)
	w := call(t, s, "editor", "POST", "/api/v1/uploads", string(content), "Content-Type", "application/offset+octet-stream",
		"Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(len(content)), "Upload-Metadata", "filename dmVnLnRpZg==") // veg.tif
	wantStatus(t, w, 201)
	at := w.Header().Get("Location")
	source := fmt.Sprintf(`{"source":{"upload":%q},"settings":{"datatype":"categorical"}`, at[strings.LastIndex(at, "/")+1:])

	plan := read[struct {
		MaxZoom int `json:"max_zoom"`
	}](t, call(t, s, "editor", "POST", "/api/v1/preview", source+"}"), 200)
	d := read[document](t, call(t, s, "editor", "POST", "/api/v1/layers", source+`,"name":"Vegetation"}`), 201)
	if d.Parse.Status != "finished" || d.Slug != "vegetation" || plan.MaxZoom != 12 {
		t.Fatalf("%+v, planned to zoom %d", d, plan.MaxZoom)
	}
	wantPNG(t, get(t, s, "/tiles/vegetation/0/0/0.png"))
	log := call(t, s, "editor", "GET", "/api/v1/layers/vegetation/log", "")
	if wantStatus(t, log, 200); !strings.Contains(log.Body.String(), "finished") {
		t.Errorf("the log is %s", log.Body)
	}

	if p := wantProblem(t, call(t, s, "editor", "PATCH", "/api/v1/layers/vegetation", `{"settings":{"tile_size":65}}`), 400); p.Parameter != "settings.tile_size" {
		t.Errorf("%+v", p)
	}
	if p := wantProblem(t, call(t, s, "editor", "POST", "/api/v1/layers", source+"}"), 400); p.Parameter != "source" {
		t.Errorf("an upload that is a layer's already: %+v", p)
	}
	if d := read[document](t, call(t, s, "editor", "PATCH", "/api/v1/layers/vegetation", `{"settings":{"tile_size":128}}`), 200); d.Parse.Status != "finished" {
		t.Errorf("%+v", d)
	}
	doc := decode[struct {
		TileSize int `json:"tile_size"`
	}](t, get(t, s, "/layers/vegetation"))
	if doc.TileSize != 128 {
		t.Errorf("tiles are %d pixels wide", doc.TileSize)
	}
	wantStatus(t, call(t, s, "editor", "DELETE", "/api/v1/layers/vegetation", ""), 204)
	wantProblem(t, get(t, s, "/tiles/vegetation/0/0/0.png"), 404)
}

// A file of the server's is parsed by a worker while a client follows, and one
// elsewhere is refused.
func TestFollowAParseOfAWorker(t *testing.T) {
	content := vegetation(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "veg.tif")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	st := newStore(t)
	s, parser := parsing(t, st, dir, false)
	if p := wantProblem(t, call(t, s, "editor", "POST", "/api/v1/layers", `{"source":{"path":"/etc/passwd"}}`), 403); p.Parameter != "source" {
		t.Errorf("%+v", p)
	}
	w := call(t, s, "editor", "POST", "/api/v1/layers", fmt.Sprintf(`{"source":{"path":%q}}`, file))
	if d := read[document](t, w, 202); d.Parse.Status != "queued" || d.Source.Origin != file {
		t.Fatalf("%+v", d)
	}
	web := httptest.NewServer(s)
	defer web.Close()
	defer s.Close()
	c := listen(t, web.URL+"/api/v1/layers/veg/events", asEditor...)

	ctx, stop := context.WithCancel(t.Context())
	runner := jobs.NewRunner(st, nil)
	parser.Register(runner)
	done := make(chan struct{})
	go func() { defer close(done); runner.Keep(ctx, 1) }()
	defer func() { stop(); <-done }()

	var seen []string
	for e, ok := c.next(); ok; e, ok = c.next() {
		seen = append(seen, e.String())
		if e.name == "end" && !strings.Contains(e.data, `"finished"`) {
			t.Errorf("%s", e.data)
		}
	}
	if n := len(seen); n < 4 || seen[n-1] != "end 1-end" || !strings.HasPrefix(seen[n-2], "parse ") {
		t.Errorf("events %q", seen)
	}
	lines := 0
	for _, e := range seen {
		if strings.HasPrefix(e, "log ") {
			if lines++; e != fmt.Sprint("log 1-", lines) {
				t.Errorf("line %d is %s", lines, e)
			}
		}
	}
	if answer := request(t, web.URL+"/api/v1/layers/veg/events", "Last-Event-ID", "1-end"); answer.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", answer.StatusCode)
	}
	found := decode[list](t, get(t, s, "/layers"))
	if len(found.Items) != 1 || found.Items[0].Status != "finished" {
		t.Errorf("%+v", found)
	}
}
