package server_test

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// wantFile takes a file that was answered.
func wantFile(t testing.TB, w *httptest.ResponseRecorder, media, name, magic string) []byte {
	t.Helper()
	wantStatus(t, w, 200)
	h := w.Header()
	if h.Get("Content-Type") != media || !strings.Contains(h.Get("Content-Disposition"), "filename="+name) || h.Get("ETag") == "" {
		t.Errorf("%v", h)
	}
	if want := len(w.Body.Bytes()); h.Get("Content-Length") != jsonOf(want) {
		t.Errorf("Content-Length %s of %d bytes", h.Get("Content-Length"), want)
	}
	if !bytes.HasPrefix(w.Body.Bytes(), []byte(magic)) {
		t.Errorf("the file begins with %q", w.Body.Bytes()[:min(16, w.Body.Len())])
	}
	return w.Body.Bytes()
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// unzipped gives the files of a zip by their names.
func unzipped(t testing.TB, b []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}

func TestAnExportIsAZipOfAGeoTIFFAndTexts(t *testing.T) {
	st, work := newStore(t), t.TempDir()
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, color.NRGBA{0, 0, 255, 255})))
	s := newServer(t, server.Config{Store: st, WorkDir: work, PublicURL: "https://maps.example/raster"})
	body := wantFile(t, get(t, s, "/export?layers=a=land-cover&description=Woods+of+spring"), "application/zip", "land-cover.zip", "PK")
	files := unzipped(t, body)
	if len(files) != 3 || !strings.HasPrefix(files["land-cover.tif"], "II*\x00") {
		t.Errorf("%d files", len(files))
	}
	for _, want := range []string{"Land cover", "Woods of spring", "https://maps.example/raster/export?", "none: the source's own pixels", "512 x 512"} {
		if !strings.Contains(files["README.txt"], want) {
			t.Errorf("README.txt does not say %q:\n%s", want, files["README.txt"])
		}
	}
	for _, want := range []string{"Forest", "Water"} {
		if !strings.Contains(files["COLORMAP.txt"], want) {
			t.Errorf("COLORMAP.txt does not say %q:\n%s", want, files["COLORMAP.txt"])
		}
	}
	left, err := os.ReadDir(work)
	if err != nil || len(left) != 0 {
		t.Errorf("left in the folder: %v %v", left, err)
	}
}

func TestFormatsOfExports(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest)))
	add(t, st, ramp("Elevation"))
	add(t, st, stripes("Other cover", nil))
	s := newServer(t, server.Config{Store: st, WorkDir: t.TempDir()})
	for _, c := range []struct{ query, media, name, magic string }{
		{"layers=a=1&format=tif", "image/tiff; application=geotiff", "land-cover.tif", "II*\x00"},
		{"layers=a=1&format=cog&compress=ZSTD&filename=A%2FB+c.tif", "image/tiff; application=geotiff; profile=cloud-optimized", "B_c.tif", "II*\x00"},
		{"layers=a=1&format=tif&zoom=5", "image/tiff; application=geotiff", "land-cover.tif", "II*\x00"},
		{"layers=a=1&format=tif&bbox=6,46,7,47", "image/tiff; application=geotiff", "land-cover.tif", "II*\x00"},
		{"layers=a=1,b=3&formula=a%2Bb&format=tif&zoom=6&bbox=5.7,46,6,47", "image/tiff; application=geotiff", "algebra_export.tif", "II*\x00"},
		{"layers=a=1&format=mbtiles&maxzoom=3", "application/vnd.sqlite3", "land-cover.mbtiles", "SQLite format 3\x00"},
		{"layers=a=1,b=3&formula=a%2Bb&format=pmtiles&maxzoom=2&colormap_name=viridis&rescale=2,6", "application/vnd.pmtiles", "algebra_export.pmtiles", "PMTiles\x03"},
		{"layers=r=1,g=1,b=3&format=mbtiles&maxzoom=2&alpha", "application/vnd.sqlite3", "algebra_export.mbtiles", "SQLite format 3\x00"},
		{"layers=a=1&format=pmtiles&minzoom=2&maxzoom=3&tile_format=webp&tilesize=512", "application/vnd.pmtiles", "land-cover.pmtiles", "PMTiles\x03"},
	} {
		t.Run(c.query, func(t *testing.T) {
			w := get(t, s, "/export?"+c.query)
			wantFile(t, w, c.media, c.name, c.magic)
			wantStatus(t, get(t, s, "/export?"+c.query, "If-None-Match", w.Header().Get("ETag")), 304)
			head := ask(t, s, http.MethodHead, "/export?"+c.query)
			if wantStatus(t, head, 200); head.Body.Len() != 0 || head.Header().Get("ETag") != w.Header().Get("ETag") {
				t.Errorf("HEAD: %d bytes, %v", head.Body.Len(), head.Header())
			}
		})
	}
}

// The tiles of a set are those that the routes answer with the same parameters.
func TestTilesOfASetAreThoseOfTheMap(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest)))
	s := newServer(t, server.Config{Store: st, WorkDir: t.TempDir()})
	for _, c := range []struct{ export, route, query string }{
		{"layers=a=land-cover", "/tiles/1", ""},
		{"layers=a:0=1&colormap_name=viridis&rescale=0,3", "/tiles/1", "colormap_name=viridis&rescale=0,3&bidx=1"},
		{"layers=a=1&formula=a*2&colormap_name=viridis&rescale=0,6", "/algebra", "layers=a=1&formula=a*2&colormap_name=viridis&rescale=0,6"},
		{"layers=r=1,g=1,b=1&rescale=0,3", "/algebra", "layers=r=1,g=1,b=1&rescale=0,3"},
	} {
		b := wantFile(t, get(t, s, "/export?format=mbtiles&minzoom=5&maxzoom=6&"+c.export), "application/vnd.sqlite3", "", "SQLite")
		n := 0
		for at, tile := range tilesOf(t, b) {
			target := fmt.Sprintf("%s/%d/%d/%d.png?%s", c.route, at[0], at[1], 1<<at[0]-1-at[2], c.query)
			if !bytes.Equal(getBytes(t, s, target), tile) {
				t.Errorf("%s is another tile than that of the set", target)
			}
			n++
		}
		if n < 5 {
			t.Errorf("%s: %d tiles", c.export, n)
		}
	}
}

// tilesOf reads MBTiles: tiles by zoom, column, and row counted from the south.
func tilesOf(t testing.TB, b []byte) map[[3]int][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiles.mbtiles")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[[3]int][]byte{}
	for rows.Next() {
		var at [3]int
		var tile []byte
		if err := rows.Scan(&at[0], &at[1], &at[2], &tile); err != nil {
			t.Fatal(err)
		}
		out[at] = tile
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExportsOfPolygonsArePosted(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newServer(t, server.Config{Store: st, WorkDir: t.TempDir()})
	ring := "(6 46, 7 46, 7 47, 6 47, 6 46)"
	same := wantFile(t, get(t, s, "/export?"+url.Values{"layers": {"a=1"}, "format": {"tif"}, "geom": {"POLYGON(" + ring + ")"}}.Encode()), "image/tiff; application=geotiff", "land-cover.tif", "II*\x00")
	post := func(contentType, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/export?format=tif", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct{ name, contentType, body string }{
		{"a form", form, url.Values{"layers": {"a=1"}, "geom": {"SRID=4326;MULTIPOLYGON Z((" + strings.ReplaceAll(ring, ",", " 5,") + "))"}}.Encode()},
		{"GeoJSON", "application/json", `{"layers":"a=1","geom":{"type":"Polygon","coordinates":[[[6,46],[7,46],[7,47],[6,47],[6,46]]]}}`},
		{"a feature", "application/json", `{"layers":"a=1","srid":4326,"geom":{"type":"Feature","properties":{},"geometry":{"type":"MultiPolygon","coordinates":[[[[6,46],[7,46],[7,47],[6,47],[6,46]]]]}}}`},
	} {
		if got := wantFile(t, post(c.contentType, c.body), "image/tiff; application=geotiff", "land-cover.tif", "II*\x00"); !bytes.Equal(got, same) {
			t.Errorf("%s gives another file", c.name)
		}
	}
	if p := wantProblem(t, post(form, "layers=a%3D1&format=zip"), 400); p.Parameter != "format" {
		t.Errorf("%+v", p)
	}
	wantProblem(t, post("text/plain", "layers=a"), 415)
	wantProblem(t, post(form, strings.Repeat("x", 17<<20)), 413)
}

func TestExportsThatCannotBeMade(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	add(t, st, ramp("Elevation"))
	bare := stripes("Bare", nil)
	bare.NoPyramid = true
	add(t, st, bare)
	s := newServer(t, server.Config{Store: st, WorkDir: t.TempDir(), ExportMaxPixels: 400_000, ExportRequestPixels: 200_000, ExportMaxTiles: 20})
	for _, c := range []struct {
		query, field string
		status       int
	}{
		{"", "layers", 400},
		{"layers=a", "layers", 400},
		{"layers=a=99", "layers", 404},
		{"layers=a=1&format=png", "format", 400},
		{"layers=a=1&zoom=-1", "zoom", 400},
		{"layers=a=1&zoom=99", "zoom", 400},
		{"layers=a=1&minzoom=1", "minzoom", 400},
		{"layers=a=1&format=mbtiles&zoom=1", "zoom", 400},
		{"layers=a=1&bbox=1,2,3", "bbox", 400},
		{"layers=a=1&bbox=1,50,3,40", "bbox", 400},
		{"layers=a=1&bbox=1,2,3,4&geom=POLYGON((0+0,1+0,1+1,0+0))", "bbox", 400},
		{"layers=a=1&geom=POINT(1+2)", "geom", 400},
		{"layers=a=1&geom=POLYGON((0+0,1+0,1+1))", "geom", 400},
		{"layers=a=1&geom=POLYGON((0+0,1+0,1+1,0+0)", "geom", 400},
		{"layers=a=1&geom=POLYGON+EMPTY", "geom", 400},
		{"layers=a=1&geom={", "geom", 400},
		{"layers=a=1&srid=3857", "srid", 400},
		{"layers=a=1&geom=SRID=4326%3BPOLYGON((0+0,1+0,1+1,0+0))&srid=3857", "srid", 400},
		{"layers=a=1&format=pmtiles&geom=POLYGON((0+0,1+0,1+1,0+0))", "geom", 400},
		{"layers=a=1&compress=SHRINK", "compress", 400},
		{"layers=a=1&compress=jpeg", "compress", 400},
		{"layers=a=1&format=mbtiles&compress=LZW", "compress", 400},
		{"layers=a=1&enhance_color=2", "enhance_color", 400},
		{"layers=a=1&tile_format=png", "tile_format", 400},
		{"layers=a=1&format=mbtiles&tile_format=tif", "tile_format", 400},
		{"layers=a=1&legend=none", "legend", 404},
		{"layers=a=1&bidx=7", "bidx", 400},
		{"layers=a=1&bidx=x", "bidx", 400},
		{"layers=a:0=1&bidx=1", "bidx", 400},
		{"layers=a=1,b=2", "formula", 400},
		{"layers=a=1,b=2&formula=a", "layers", 400},
		{"layers=a=1&formula=a%2Bb", "formula", 400},
		{"layers=a=1&formula=a&bidx=1", "bidx", 400},
		{"layers=a=1&zoom=1&zoom=2", "zoom", 400},
		{"layers=a=1&expression=b1", "expression", 400},
		{"layers=a=1&zoom=7", "bbox", 413},               // more than ever
		{"layers=a=1", "", 413},                          // more than in a request
		{"layers=a=1&format=mbtiles&maxzoom=6", "", 413}, // as pixels
		{"layers=a=1&format=mbtiles&maxzoom=9", "maxzoom", 413},
	} {
		w := get(t, s, "/export?"+c.query)
		p := wantProblem(t, w, c.status)
		if p.Parameter != c.field || p.Detail == "" {
			t.Errorf("%s: %+v", c.query, p)
		}
		if w.Header().Get("Content-Disposition") != "" {
			t.Errorf("%s: a refusal with the headers of a file", c.query)
		}
	}
	if p := wantProblem(t, get(t, s, "/export?layers=a=1&zoom=7"), 413); !strings.Contains(p.Detail+p.Hint, "RASTER_EXPORT_MAX_PIXELS") {
		t.Errorf("%+v", p)
	}
	if p := wantProblem(t, get(t, s, "/export?layers=a=1"), 413); !strings.Contains(p.Hint, "/api/v1/exports") {
		t.Errorf("%+v", p)
	}
	full := newServer(t, server.Config{Store: st, WorkDir: t.TempDir(), FreeDisk: func() (int64, error) { return 1 << 20, nil }, MinFreeDisk: 1 << 20})
	wantProblem(t, get(t, full, "/export?layers=a=1"), 507)
}

func TestExportsNeedTheRightToEachLayer(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	secret(t, st)
	s := newServer(t, server.Config{Store: st, WorkDir: t.TempDir(), Auth: keyAuth{}})
	for _, query := range []string{"layers=a=2", "layers=a=1,b=secret&formula=a-b", "layers=a=secret&format=mbtiles&maxzoom=1", "layers=r=1,g=1,b=2&format=pmtiles&maxzoom=1"} {
		wantProblem(t, get(t, s, "/export?"+query), 404)
		wantProblem(t, get(t, s, "/export?"+query, "Authorization", "guest"), 404)
		w := get(t, s, "/export?"+query, "Authorization", "key")
		if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: %v", query, w.Header())
		}
	}
	if w := get(t, s, "/export?layers=a=1"); w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("%v", w.Header())
	}
}

// leaving is a client that goes away when its export is being made.
type leaving struct {
	store.Store
	leave func()
}

func (l leaving) Tiles() store.Tiles { return leavingTiles{l.Store.Tiles(), l.leave} }

type leavingTiles struct {
	store.Tiles
	leave func()
}

func (l leavingTiles) Get(ctx context.Context, key store.TileKey) (*raster.Raster, error) {
	l.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.Tiles.Get(ctx, key)
}

func (l leavingTiles) GetMany(ctx context.Context, keys []store.TileKey) ([]*raster.Raster, error) {
	l.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.Tiles.GetMany(ctx, keys)
}

func TestAClientThatLeavesStopsTheWork(t *testing.T) {
	st, work := newStore(t), t.TempDir()
	add(t, st, stripes("Land cover", nil))
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, server.Config{Store: leaving{st, cancel}, WorkDir: work})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/export?layers=a=1", nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code == 200 || !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("status %d", w.Code)
	}
	left, err := os.ReadDir(work)
	if err != nil || len(left) != 0 {
		t.Errorf("left in the folder: %v %v", left, err)
	}
}
