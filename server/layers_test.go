package server_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

type list struct {
	Items []struct {
		ID                           int64
		Slug, Name, Datatype, Status string
		FileName                     string     `json:"file_name"`
		Bounds                       [4]float64 `json:"bounds"`
		MaxZoom                      int        `json:"max_zoom"`
		Percent                      float64
		URLs                         map[string]string
	}
	Total, Limit, Offset int
}

func TestListOfLayers(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest)))
	add(t, st, ramp("Elevation"))
	l := create(t, st, rasterbase.Layer{Name: "Waiting", Visibility: rasterbase.Public})
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Parses().Create(ctx, &rasterbase.Parse{Layer: l.ID, Status: rasterbase.Tiling, Planned: 8, Done: 2})
	})
	hidden := stripes("Hidden", nil)
	hidden.Layer.Visibility = rasterbase.Private
	add(t, st, hidden)
	create(t, st, rasterbase.Layer{Name: "Last", Visibility: rasterbase.Public})
	s := newServer(t, server.Config{Store: st})

	all := decode[list](t, get(t, s, "/layers"))
	if all.Total != 4 || len(all.Items) != 4 || all.Limit != 100 {
		t.Fatalf("%+v", all)
	}
	cover, waiting := all.Items[0], all.Items[2]
	if cover.Slug != "land-cover" || cover.FileName != "landcover.tif" || cover.Datatype != "categorical" || cover.MaxZoom != 6 ||
		cover.Bounds[0] >= cover.Bounds[2] || cover.Bounds[1] >= cover.Bounds[3] {
		t.Errorf("%+v", cover)
	}
	if waiting.Status != "creating tiles" || waiting.Percent != 25 || waiting.URLs["tiles"] != "" {
		t.Errorf("%+v", waiting)
	}
	for _, name := range []string{"self", "tilejson", "legend"} {
		wantStatus(t, get(t, s, cover.URLs[name]), 200)
	}
	for query, want := range map[string]string{
		"search=ELEV": "Elevation", "search=landcover.tif": "Land cover", "datatype=continuous": "Elevation", "datatype=mask": "",
		"limit=2": "Land cover,Elevation", "limit=2&offset=2": "Waiting,Last", "offset=9": "",
	} {
		var names []string
		for _, item := range decode[list](t, get(t, s, "/layers?"+query)).Items {
			names = append(names, item.Name)
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, parameter := range map[string]string{"limit=0": "limit", "limit=x": "limit", "limit=5000": "limit", "offset=-1": "offset", "datatype=odd": "datatype"} {
		if p := wantProblem(t, get(t, s, "/layers?"+query), 400); p.Parameter != parameter || p.Hint == "" {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

func TestMetadataOfALayer(t *testing.T) {
	st := newStore(t)
	spec := stripes("Land cover", addLegend(t, st, "Cover", forest, water))
	spec.Layer.Source.Origin = "/srv/uploads/landcover.tif"
	spec.Layer.Source.Checksum = "sha256:00"
	add(t, st, spec)
	s := newServer(t, server.Config{Store: st})
	w := get(t, s, "/layers/landcover.tif")
	type metadata struct {
		Name   string
		Source struct {
			Name, Checksum string
			Size           int64
		}
		Legend struct {
			Title   string
			Entries []struct{ Name, Expression, Color string }
		}
		Revision struct {
			Driver         string
			CRS            rasterbase.CRS
			Grid           rasterbase.Grid
			DatatypeReason string `json:"datatype_reason"`
			BaseTiles      int64  `json:"base_tiles"`
			PyramidTiles   int64  `json:"pyramid_tiles"`
			Bands          []rasterbase.Band
		}
	}
	m := decode[metadata](t, w)
	if m.Name != "Land cover" || m.Source.Name != "landcover.tif" || m.Source.Size != 10 || m.Source.Checksum != "sha256:00" {
		t.Errorf("%+v", m)
	}
	if m.Legend.Title != "Cover" || len(m.Legend.Entries) != 2 || m.Legend.Entries[0].Color != "#1B7837" {
		t.Errorf("legend %+v", m.Legend)
	}
	r := m.Revision
	if r.CRS.SRID != 3857 || r.Grid.Width != 512 || r.DatatypeReason == "" || r.BaseTiles != 4 || r.PyramidTiles < 5 || len(r.Bands) != 1 {
		t.Errorf("revision %+v", r)
	}
	if b := r.Bands[0]; b.Count != 384*512 || b.Min != 1 || b.Max != 3 || len(b.Histogram.Values) != 3 || *b.Nodata != 255 {
		t.Errorf("band %+v", b)
	}
	if strings.Contains(w.Body.String(), "/srv/uploads") {
		t.Error("a path of the server is told")
	}
}

func TestTileJSON(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Elevation"))
	addLegend(t, st, "Other one", town)
	s := newServer(t, server.Config{Store: st})
	type document struct {
		TileJSON, Name, Attribution string
		Tiles                       []string
		MinZoom, MaxZoom, TileSize  int
		Bounds                      [4]float64
		Center                      [3]float64
	}
	d := decode[document](t, get(t, s, "/layers/elevation/tilejson.json"))
	if d.TileJSON != "3.0.0" || d.Name != "Elevation" || d.MaxZoom != 6 || d.TileSize != 256 || d.Attribution == "" {
		t.Errorf("%+v", d)
	}
	if d.Center[0] <= d.Bounds[0] || d.Center[0] >= d.Bounds[2] || d.Center[1] <= d.Bounds[1] || d.Center[1] >= d.Bounds[3] || d.Center[2] != 6 {
		t.Errorf("centre %v of %v", d.Center, d.Bounds)
	}
	if !strings.HasPrefix(d.Tiles[0], "http://example.com/tiles/1/{z}/{x}/{y}.png?v=") {
		t.Errorf("tiles %v", d.Tiles)
	}
	other := decode[document](t, get(t, s, "/layers/elevation/tilejson.json?legend=OTHER%20ONE&format=jpg")).Tiles[0]
	if !strings.Contains(other, "{y}.jpg?legend=OTHER+ONE&v=") {
		t.Errorf("the parameters are lost: %s", other)
	}
	tile := get(t, s, strings.NewReplacer("{z}", "6", "{x}", "32", "{y}", "22").Replace(other))
	if got := tile.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("the version of another legend's tiles is not current: %q", got)
	}
	if p := wantProblem(t, get(t, s, "/layers/elevation/tilejson.json?format=tga"), 400); p.Parameter != "format" {
		t.Errorf("%+v", p)
	}
}

func TestAbsoluteAddresses(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Elevation"))
	mounted := http.NewServeMux()
	mounted.Handle("/a%20b/raster/", http.StripPrefix("/a b/raster", newServer(t, server.Config{Store: st})))
	mounted.Handle("/raster/", http.StripPrefix("/raster", newServer(t, server.Config{Store: st})))
	public := newServer(t, server.Config{Store: st, PublicURL: "https://maps.example.org/r/"})
	for _, c := range []struct {
		h          http.Handler
		path, want string
	}{
		{newServer(t, server.Config{Store: st}), "/layers", "http://example.com/layers/1"},
		{mounted, "/raster/layers", "http://example.com/raster/layers/1"},
		{mounted, "/raster/layers?search=elev", "http://example.com/raster/layers/1"},
		{public, "/layers", "https://maps.example.org/r/layers/1"},
	} {
		w := get(t, c.h, c.path, "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher", "Forwarded", "host=evil.example", "X-Forwarded-Prefix", "/evil")
		if got := decode[list](t, w).Items[0].URLs["self"]; got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	for _, bad := range []string{"maps.example.org", "ftp://maps.example.org", "https://", "%"} {
		if _, err := server.New(server.Config{Store: st, PublicURL: bad}); err == nil {
			t.Errorf("the public URL %q is taken", bad)
		}
	}
	if _, err := server.New(server.Config{}); err == nil {
		t.Error("a server without a store is made")
	}
}

func TestTheMountPointWithoutItsSlashLeadsToThePage(t *testing.T) {
	st := newStore(t)
	mux := http.NewServeMux()
	h := http.StripPrefix("/host/raster", newServer(t, server.Config{Store: st}))
	mux.Handle("/host/raster", h)
	mux.Handle("/host/raster/", h)
	web := httptest.NewServer(mux)
	defer web.Close()
	answer, err := http.Get(web.URL + "/host/raster?a=b")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Request.URL.RequestURI(); answer.StatusCode != 200 || got != "/host/raster/?a=b" {
		t.Errorf("status %d at %s", answer.StatusCode, got)
	}
}

func TestLegends(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Wald.json", forest, water)))
	add(t, st, ramp("Elevation"))
	addLegend(t, st, "Other one", town)
	s := newServer(t, server.Config{Store: st})
	type entry struct{ Name, Expression, Color string }
	for path, color := range map[string]string{
		"/legend/1": "#1B7837", "/legend/1.json": "#1B7837", "/legend/wald.JSON": "#1B7837", "/legend/Wald.json.json": "#1B7837",
		"/legend/other%20ONE": "#D73027", "/legend/other%20ONE.json": "#D73027", "/legend?layer=land-cover": "#1B7837",
	} {
		got := decode[[]entry](t, get(t, s, path))
		if len(got) == 0 || got[0].Color != color || got[0].Expression != "1" || got[0].Name != "Forest" {
			t.Errorf("%s: %+v", path, got)
		}
	}
	for path, status := range map[string]int{"/legend/none": 404, "/legend?layer=elevation": 404, "/legend?layer=none": 404, "/legend": 400} {
		wantProblem(t, get(t, s, path), status)
	}
}

func TestAnswersAreCompressedAndRevalidated(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	s := newServer(t, server.Config{Store: st})
	full, packed := get(t, s, "/layers/1"), get(t, s, "/layers/1", "Accept-Encoding", "br, gzip")
	if got := packed.Header().Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding %q", got)
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(z); err != nil || string(body) != full.Body.String() {
		t.Errorf("the compressed answer differs: %v", err)
	}
	if got := get(t, s, "/layers/1", "Accept-Encoding", "gzip;q=0").Header().Get("Content-Encoding"); got != "" {
		t.Errorf("refused and sent: %q", got)
	}
	wantStatus(t, get(t, s, "/layers/1", "If-None-Match", full.Header().Get("ETag")), 304)
}

func TestHealth(t *testing.T) {
	st := newStore(t)
	s := newServer(t, server.Config{Store: st})
	for _, path := range []string{"/healthz", "/readyz"} {
		w := get(t, s, path)
		wantStatus(t, w, 200)
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
	broken := newServer(t, server.Config{Store: closedStore{st}})
	wantStatus(t, get(t, broken, "/healthz"), 200)
	wantProblem(t, get(t, broken, "/readyz"), 503)
}

// closedStore is a store whose catalog cannot be read.
type closedStore struct{ store.Store }

func (c closedStore) Catalog() store.Catalog { return closedCatalog{c.Store.Catalog()} }

type closedCatalog struct{ store.Catalog }

func (closedCatalog) View(context.Context, func(store.Tx) error) error {
	return fmt.Errorf("database is locked away")
}

func TestAnUnreadableCatalogIsAFailureOfOurs(t *testing.T) {
	s := newServer(t, server.Config{Store: closedStore{newStore(t)}})
	for _, path := range []string{"/", "/layers", "/layers/1", "/tiles/1/0/0/0.png", "/legend/1"} {
		w := get(t, s, path)
		wantProblem(t, w, 500)
		if strings.Contains(w.Body.String(), "locked") {
			t.Errorf("%s tells the cause", path)
		}
	}
}

func FuzzPaths(f *testing.F) {
	st := newStore(f)
	add(f, st, stripes("Land cover", nil))
	s := newServer(f, server.Config{Store: st})
	for _, p := range []string{"1/6/33/22.png", "land-cover/100/0/0.jpg", "landcover.tif/0/0/0.png", "1/-1/0/0.png", "1/0/0/0.", "../1/0/0/0.png", "%2e%2e/0/0/0.png", "1/99999999999/1/1.png", "//", "1/6/33/22.png?legend=%00&v=\""} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		r, err := http.NewRequest("GET", "http://example.com/tiles/"+p, nil)
		if err != nil {
			t.Skip()
		}
		r.RequestURI = r.URL.RequestURI()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch w.Code {
		case 200, 400, 404, 409:
		default:
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if w.Code != 200 {
			var doc problem
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.Status != w.Code {
				t.Fatalf("not a problem document: %s", w.Body)
			}
		}
	})
}
