package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/color"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// uneven is a server with two layers whose grids have nothing in common: heights in
// UTM of 100 m, with tiles of 64 pixels, and cover in degrees of 0.004, with tiles of
// 100. Heights are 10 everywhere, cover is 1 west of 9.1 degrees and 2 in the east, and
// their product is a formula.
type uneven struct {
	t      *testing.T
	st     store.Store
	s      *server.Server
	n      int
	hidden map[rasterbase.LayerID]bool // from all but administrators
	legend *rasterbase.Legend
	// The same heights once more, which are hidden.
	heights, cover, secret *rasterbase.Layer
}

func newUneven(t *testing.T) *uneven {
	t.Helper()
	u := &uneven{t: t, st: newStore(t), hidden: map[rasterbase.LayerID]bool{}}
	opener := &rastertest.Opener{Sources: map[string]rastertest.Source{
		"heights.syn": {
			SRID: 32632, Grid: rasterbase.Grid{OriginX: 495_000, OriginY: 5_600_000, ScaleX: 100, ScaleY: -100, Width: 200, Height: 200},
			Bands: []ingest.BandInfo{{PixelType: rasterbase.Float32, Scale: 1, Nodata: rasterbase.FloatPtr(-1)}},
			Value: func(_, _, _ int) float64 { return 10 },
		},
		"cover.syn": {
			SRID: 4326, Grid: rasterbase.Grid{OriginX: 9, OriginY: 50.52, ScaleX: 0.004, ScaleY: -0.004, Width: 50, Height: 40},
			Bands: []ingest.BandInfo{{PixelType: rasterbase.Uint8, Scale: 1, Nodata: rasterbase.FloatPtr(0)}},
			Value: func(_, col, _ int) float64 { return float64(1 + col/25) },
		},
	}}
	u.heights = u.parse(opener, "heights.syn", "Heights", rasterbase.Settings{TileSize: 64})
	u.cover = u.parse(opener, "cover.syn", "Cover", rasterbase.Settings{TileSize: 100, Datatype: rasterbase.Categorical})
	u.secret = u.parse(opener, "heights.syn", "Secret heights", rasterbase.Settings{TileSize: 64})
	u.hide(u.secret)
	u.legend = entriesOf(t, "Products", "10", "#1b7837", "20", "#2166ac")
	update(t, u.st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Create(ctx, u.legend) })
	u.s = newServer(t, server.Config{
		Store: u.st, Parser: ingest.New(ingest.Config{Store: u.st, Opener: opener, WorkDir: t.TempDir()}), WorkDir: t.TempDir(),
		Auth:            hidingAuth{roleAuth{auth.New(u.st.Catalog(), auth.Options{})}, &u.hidden},
		ExportsPerOwner: 100,
	})
	t.Cleanup(u.s.Close)
	return u
}

// parse makes a layer of a source that the opener knows.
func (u *uneven) parse(o ingest.Opener, file, name string, settings rasterbase.Settings) *rasterbase.Layer {
	u.t.Helper()
	path := filepath.Join(u.t.TempDir(), file)
	if err := os.WriteFile(path, []byte("not looked at"), 0o600); err != nil {
		u.t.Fatal(err)
	}
	l, err := ingest.Import(u.t.Context(), u.st, o, ingest.Request{Source: path, Name: name, Settings: settings})
	if err != nil {
		u.t.Fatal(err)
	}
	update(u.t, u.st, func(ctx context.Context, tx store.Tx) error {
		l.Visibility = rasterbase.Public
		return tx.Layers().Update(ctx, l)
	})
	return l
}

// hide makes a layer private, and keeps it from all but administrators.
func (u *uneven) hide(l *rasterbase.Layer) {
	u.t.Helper()
	u.hidden[l.ID] = true
	update(u.t, u.st, func(ctx context.Context, tx store.Tx) error {
		l.Visibility = rasterbase.Private
		return tx.Layers().Update(ctx, l)
	})
}

// product is a new layer of the formula, over heights or what stands for them.
func (u *uneven) product(name, text string, heights *rasterbase.Layer) *rasterbase.Layer {
	u.t.Helper()
	u.n++
	l := formulaOf(fmt.Sprintf("%s %d", name, u.n), text, called("h", heights), called("c", u.cover))
	l.Formula.Grid, l.Legend, l.Settings.Datatype = "h", u.legend.ID, rasterbase.Continuous
	return create(u.t, u.st, l)
}

// twins are layers of the same values that only administrators may read: for
// themselves, for an input, and for an input of an input.
func (u *uneven) twins() map[string]*rasterbase.Layer {
	u.t.Helper()
	own := u.product("Hidden", "h*c", u.heights)
	u.hide(own)
	return map[string]*rasterbase.Layer{
		"hidden itself": own, "over a hidden layer": u.product("Over", "h*c", u.secret),
		"over a formula over a hidden layer": u.product("Above", "h/c*c", u.product("Below", "h*c", u.secret)),
	}
}

// unevenZoom is a zoom that both layers have, and lookedAt a tile of it with both halves
// of the formula, and a pixel in each.
const unevenZoom = 9

func lookedAt(size int) (tile string, pixels [2][2]int) {
	g := xyz.PixelGrid(unevenZoom, size)
	var x, y int
	for i, lon := range []float64{9.05, 9.12} {
		px, py := xyz.FromLonLat(lon, 50.45)
		col, row := g.Pixel(px, py)
		x, y = int(col)/size, int(row)/size
		pixels[i] = [2]int{int(col) % size, int(row) % size}
	}
	return fmt.Sprintf("%d/%d/%d", unevenZoom, x, y), pixels
}

// layerRoute says how a route is asked about a layer that is made of a formula.
type layerRoute struct {
	// path and body have {layer}, {id}, {tile}, {west}, {east} and {n} in them.
	path, body string
	role       string // the least that may ask; empty: nobody's
	status     int
	check      func(t *testing.T, w *httptest.ResponseRecorder) // nil: the status says it all
	// lists is set where the answer is of many layers: those that somebody may not
	// read are left out, and asking is no mistake.
	lists bool
}

// layerRoutes are all routes that take a layer, or list layers.
var layerRoutes = map[string][]layerRoute{
	"GET /{$}": {{path: "/", status: 200, lists: true}},
	"GET /tiles/{layer}/{z}/{x}/{file}": {
		{path: "/tiles/{layer}/{tile}.png", status: 200, check: isProduct(100)},
		{path: "/tiles/{id}/{tile}@2x.png?v=1", status: 200, check: isProduct(200)},
		{path: "/tiles/{layer}/{tile}.webp", status: 200},
		{path: "/tiles/{layer}/{tile}.jpg?legend=products", status: 200},
		{path: "/tiles/{layer}/{tile}.tif", status: 200, check: isTIFF},
		{path: "/tiles/{layer}/{tile}.png?rescale=0,20&tilesize=256&resampling=nearest", status: 200, check: inGrey(256)},
		{path: "/tiles/{layer}/{tile}.png?colormap_name=viridis&enhance_contrast=1.2", status: 200},
		{path: "/tiles/{layer}/{tile}.png?algorithm=hillshade", status: 200},
		{path: "/tiles/{layer}/{tile}.png?aggregation=true", status: 200, check: isCounted},
		{path: "/tiles/{layer}/{tile}.png?entries=20", status: 200},
		{path: "/tiles/{layer}/{tile}.png?formula=b1/10&colormap={\"1\":\"%231b7837\",\"2\":\"%232166ac\"}", status: 200, check: isProduct(100)},
		{path: "/tiles/{layer}/{tile}.png?bidx=2", status: 400},
	},
	"GET /algebra/{z}/{x}/{file}": {
		{path: "/algebra/{tile}.png?layers=a={layer}&formula=a&legend=products", status: 200, check: isProduct(100)},
		{path: "/algebra/{tile}.png?layers=a={layer},c=cover&formula=a/c*c&legend=products&grid=a", status: 200, check: isProduct(100)},
		{path: "/algebra/{tile}.png?layers=r={layer},g={layer},b={layer}&rescale=0,20", status: 200, check: inGrey(100)},
		{path: "/algebra/{tile}.png?layers=r=cover,g={layer},b=heights", status: 200},
	},
	"GET /algebra/tilejson.json": {
		{path: "/algebra/tilejson.json?layers=a={layer}&formula=a*2&colormap_name=viridis", status: 200, check: isTileJSON("/algebra/{z}/{x}/{y}.png?")},
	},
	"GET /layers": {{path: "/layers?limit=1000&datatype=continuous", status: 200, lists: true}},
	"GET /layers/{layer}": {
		{path: "/layers/{layer}", status: 200, check: isDescribed},
		{path: "/layers/{id}", status: 200, check: isDescribed},
	},
	"GET /layers/{layer}/tilejson.json": {
		{path: "/layers/{layer}/tilejson.json?rescale=0,20", status: 200, check: isTileJSON("/tiles/")},
	},
	"GET /layers/{layer}/source":        {{path: "/layers/{layer}/source", status: 404, check: isExplained("formula")}},
	"GET /layers/{layer}/source/{file}": {{path: "/layers/{layer}/source/a.tif", status: 404, check: isExplained("formula")}},
	"GET /pixel/{x}/{y}": {
		{path: "/pixel/{west}?srid=4326&layers=a={layer}", status: 200, check: isValue(10)},
		{path: "/pixel/{east}?srid=4326&layers=a={layer}&formula=a/2", status: 200, check: isValue(10)},
		{path: "/pixel/{east}?srid=4326&layers=a={layer}&zoom=9", status: 200, check: isValue(20)},
	},
	"POST /pixel": {
		{path: "/pixel?f=csv&layers=a={layer}", body: `{"type":"MultiPoint","coordinates":[[9.05,50.45],[9.12,50.45]]}`, status: 200, check: has(",10\n", ",20\n")},
	},
	"GET /profile": {
		{path: "/profile?f=csv&layers=a={layer}&points=2&line=LINESTRING(9.05+50.45,9.12+50.45)", status: 200, check: has(",10\n", ",20\n")},
	},
	"POST /profile": {
		{path: "/profile?f=csv&layers=a={layer}&points=2", body: `{"type":"LineString","coordinates":[[9.05,50.45],[9.12,50.45]]}`, status: 200, check: has(",10\n", ",20\n")},
	},
	"GET /export": {
		{path: "/export?layers=a={layer}&format=tif", status: 200, check: isTIFF},
		{path: "/export?layers=a={layer}&format=cog&zoom=9", status: 200, check: isTIFF},
		{path: "/export?layers=a={layer},c=cover&formula=a/c&grid=a", status: 200, check: has("PK", "README.txt")},
		{path: "/export?layers=a={layer}&format=mbtiles&minzoom=8&maxzoom=9", status: 200, check: has("SQLite format 3")},
	},
	"GET /layers/{layer}/valuecount": {
		{path: "/layers/{layer}/valuecount?group=value", status: 200, check: has(`{"value":10,"count":`, `{"value":20,"count":`, `"slug":"heights"`)},
		{path: "/layers/{layer}/valuecount?group=legend&bbox=9.01,50.4,9.15,50.5", status: 200, check: has("Products 10", "Products 20")},
		{path: "/layers/{id}/valuecount?zoom=9&f=csv&area=ha", status: 200, check: has("zone,layer", "\n,product-")},
	},
	"POST /layers/{layer}/valuecount": {
		{path: "/layers/{layer}/valuecount", body: `{"type":"Polygon","coordinates":[[[9.01,50.4],[9.15,50.4],[9.1,50.5],[9.01,50.4]]]}`, status: 200, check: has(`"counts":[{`)},
	},
	"GET /valuecount": {
		{path: "/valuecount?layers=a={layer}&formula=a/10&group=value", status: 200, check: has(`{"value":1,"count":`, `{"value":2,"count":`)},
		{path: "/valuecount?layers=a={layer},c=cover&group=value", status: 200, check: has(`"a":{`, `"c":{`)},
	},
	"POST /valuecount": {{path: "/valuecount", body: `{"layers":"a={layer},c=cover","formula":"a/c","grid":"c","group":"value"}`, status: 200, check: has(`{"value":10,"count":`)}},
	"GET /layers/{layer}/statistics": {
		{path: "/layers/{layer}/statistics", status: 200, check: has(`"b1":{`, `"max":20`, `"percentile_98":20`, `"histogram":[[`)},
		{path: "/layers/{layer}/statistics?stats=mean&bbox=9.12,50.4,9.15,50.5", status: 200, check: has(`"mean":20`)},
	},
	"POST /layers/{layer}/statistics": {
		{path: "/layers/{layer}/statistics", body: `{"type":"Feature","properties":{"name":"x"},"geometry":{"type":"Point","coordinates":[9.05,50.45]}}`, status: 200, check: has(`"statistics":{"b1":`, `"mean":10`, `"name":"x"`)},
	},
	"GET /statistics":  {{path: "/statistics?layers=a={layer}&formula=a*2&stats=max", status: 200, check: has(`"max":40`)}},
	"POST /statistics": {{path: "/statistics", body: `{"layers":"a={layer}","stats":["min","max"],"percentiles":[50]}`, status: 200, check: has(`"max":20`, `"percentile_50"`)}},
	// Products are continuous: what is looked at is the rights.
	"GET /crosstab":  {{path: "/crosstab?layers=a={layer},c=cover", status: 400, check: isExplained("discrete")}},
	"POST /crosstab": {{path: "/crosstab", body: `{"layers":"a={layer},c=cover"}`, status: 400, check: isExplained("discrete")}},
	"POST /export":   {{path: "/export", body: `{"layers":"a={layer}","format":"tif"}`, status: 200, check: isTIFF}},
	"POST /api/v1/exports": {
		{path: "/api/v1/exports", body: `{"layers":"a={layer}","format":"tif"}`, role: "viewer", status: 202},
		{path: "/api/v1/exports", body: `{"layers":"a={layer}","format":"csv","group":"value"}`, role: "viewer", status: 202},
	},

	"GET /legend":          {{path: "/legend?layer={layer}", status: 200, check: has("#1B7837")}},
	"GET /legend.png":      {{path: "/legend.png?layer={layer}", status: 200}},
	"GET /legend.svg":      {{path: "/legend.svg?layer={layer}", status: 200, check: has("Products 10")}},
	"GET /legend/{legend}": {{path: "/legend/products.svg?layer={layer}", status: 200, check: has("Products 10")}},

	"GET /api/v1/legends":                {{path: "/api/v1/legends?limit=1000", status: 200, lists: true}},
	"GET /api/v1/legends/{legend}":       {{path: "/api/v1/legends/products", status: 200, lists: true}},
	"GET /api/v1/legends/{legend}/check": {{path: "/api/v1/legends/products/check?layer={layer}", status: 200}},
	"POST /api/v1/legends/check": {
		{path: "/api/v1/legends/check", body: `{"entries":[{"name":"Ten","expression":"x == 10","color":"#112233"}],"layer":"{layer}"}`, role: "editor", status: 200},
	},
	"POST /api/v1/legends/from-layer": {
		{path: "/api/v1/legends/from-layer", body: `{"layer":"{layer}","method":"equal-interval","classes":3}`, role: "editor", status: 200},
	},

	"GET /api/v1/layers": {{path: "/api/v1/layers?limit=1000&status=finished", status: 200, lists: true}},
	"POST /api/v1/layers": {
		{path: "/api/v1/layers", body: `{"name":"New {n}","formula":{"text":"a*2","layers":"a={layer}"}}`, role: "editor", status: 201},
	},
	"GET /api/v1/layers/{layer}": {{path: "/api/v1/layers/{layer}", status: 200, check: isDescribed}},
	"PATCH /api/v1/layers/{layer}": {
		{path: "/api/v1/layers/{layer}", body: `{"description":"Other"}`, role: "editor", status: 200},
		{path: "/api/v1/layers/{layer}", body: `{"formula":{"text":"h+c"}}`, role: "editor", status: 200},
	},
	"DELETE /api/v1/layers/{layer}":       {{path: "/api/v1/layers/{layer}", role: "editor", status: 204}},
	"POST /api/v1/layers/{layer}/reparse": {{path: "/api/v1/layers/{layer}/reparse", role: "editor", status: 400, check: isExplained("formula")}},
	"POST /api/v1/layers/reparse":         {{path: "/api/v1/layers/reparse", body: `{"layers":["{layer}"]}`, role: "editor", status: 202, check: has("is a formula")}},
	"POST /api/v1/layers/{layer}/cancel":  {{path: "/api/v1/layers/{layer}/cancel", role: "editor", status: 200}},
	"GET /api/v1/layers/{layer}/log":      {{path: "/api/v1/layers/{layer}/log", role: "editor", status: 404, check: isExplained("formula")}},
	"GET /api/v1/layers/{layer}/levels":   {{path: "/api/v1/layers/{layer}/levels", status: 404, check: isExplained("formula")}},
	"GET /api/v1/layers/{layer}/events":   {{path: "/api/v1/layers/{layer}/events", status: 404, check: isExplained("formula")}},
}

// layerless are the routes that take no layer and list none.
var layerless = []string{
	"/", "GET /assets/{file}", "GET /favicon.ico", "GET /colormaps", "GET /colormaps/{name}", "GET /healthz", "GET /readyz", "GET /docs", "GET /openapi.json", "GET /openapi.yaml",
	"GET /api/v1/me", "GET /api/v1/me/colormaps", "GET /api/v1/me/colormaps/{name}", "PUT /api/v1/me/colormaps/{name}", "DELETE /api/v1/me/colormaps/{name}",
	"GET /api/v1/status", "GET /api/v1/settings", "PUT /api/v1/me/password", "GET /api/v1/users", "POST /api/v1/users", "PATCH /api/v1/users/{user}", "DELETE /api/v1/users/{user}",
	"GET /api/v1/tokens", "POST /api/v1/tokens", "DELETE /api/v1/tokens/{token}",
	"POST /api/v1/preview", "GET /api/v1/jobs", "GET /api/v1/jobs/{id}", "POST /api/v1/jobs/{id}/cancel",
	"POST /api/v1/legends", "PUT /api/v1/legends/{legend}", "PATCH /api/v1/legends/{legend}", "DELETE /api/v1/legends/{legend}", "POST /api/v1/legends/import",
	"GET /api/v1/semantics", "POST /api/v1/semantics", "GET /api/v1/semantics/{semantics}", "PATCH /api/v1/semantics/{semantics}", "DELETE /api/v1/semantics/{semantics}",
	"GET /api/v1/exports", "GET /api/v1/exports/{id}", "GET /api/v1/exports/{id}/file", "DELETE /api/v1/exports/{id}",
	"PUT /api/v1/me/password", "GET /api/v1/users", "POST /api/v1/users", "PATCH /api/v1/users/{user}", "DELETE /api/v1/users/{user}",
	"GET /api/v1/tokens", "POST /api/v1/tokens", "DELETE /api/v1/tokens/{token}",
	"GET /api/v1/uploads", "POST /api/v1/uploads", "GET /api/v1/uploads/{id}", "POST /api/v1/uploads/{id}", "PATCH /api/v1/uploads/{id}", "DELETE /api/v1/uploads/{id}", "PUT /api/v1/uploads/{id}/files/{file}",
}

// The tables know every route of the server, and no others.
func TestEveryRouteIsAskedAboutAFormula(t *testing.T) {
	s := newAPI(t, newStore(t), &recordParser{}, server.Config{})
	for _, pattern := range s.Patterns() {
		_, takes := layerRoutes[pattern]
		if takes == slices.Contains(layerless, pattern) {
			t.Errorf("%s is to be in one of the two tables: does it take a layer?", pattern)
		}
		if strings.Contains(pattern, "{layer}") && !takes {
			t.Errorf("%s takes a layer, and is not asked about a formula", pattern)
		}
	}
	for pattern := range layerRoutes {
		if !slices.Contains(s.Patterns(), pattern) {
			t.Errorf("the table knows %s, which is no route", pattern)
		}
	}
	for _, pattern := range layerless {
		if !slices.Contains(s.Patterns(), pattern) {
			t.Errorf("the table knows %s, which is no route", pattern)
		}
	}
}

// ask asks a route about a layer.
func (u *uneven) ask(t *testing.T, pattern string, row layerRoute, l *rasterbase.Layer, role string) *httptest.ResponseRecorder {
	t.Helper()
	u.n++
	tile, _ := lookedAt(100)
	in := strings.NewReplacer("{layer}", l.Slug, "{id}", fmt.Sprint(l.ID), "{tile}", tile, "{west}", "9.05/50.45", "{east}", "9.12/50.45", "{n}", fmt.Sprint(u.n))
	method, _, _ := strings.Cut(pattern, " ")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, strings.ReplaceAll(in.Replace(row.path), `"`, "%22"), strings.NewReader(in.Replace(row.body)))
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+role)
	}
	if row.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	u.s.ServeHTTP(w, r)
	return w
}

// Every route that takes a layer takes one that is made of a formula, whose inputs have
// different projections, tile sizes and zooms; and whoever may not read the layer, or
// any that it stands on, is answered as if it did not exist.
func TestEveryRouteOverAFormula(t *testing.T) {
	u := newUneven(t)
	for pattern, rows := range layerRoutes {
		for _, row := range rows {
			t.Run(pattern+" "+row.path, func(t *testing.T) {
				l := u.product("Product", "h*c", u.heights)
				w := u.ask(t, pattern, row, l, row.role)
				if w.Code != row.status {
					t.Fatalf("status %d, want %d: %.300s", w.Code, row.status, w.Body)
				}
				if row.lists && !strings.Contains(pattern, "legends") && !strings.Contains(w.Body.String(), l.Name) {
					t.Errorf("%s is not listed", l.Name)
				}
				if strings.HasPrefix(pattern, "GET") && row.role == "" && row.status == 200 && !row.lists && w.Header().Get("Cache-Control") == "private, no-store" {
					t.Errorf("nobody may keep what is public: %v", w.Header())
				}
				if row.check != nil {
					row.check(t, w)
				}
				for what, twin := range u.twins() {
					u.hides(t, pattern, row, what, twin)
				}
			})
		}
	}
}

// hides asks about a layer that only administrators may read.
func (u *uneven) hides(t *testing.T, pattern string, row layerRoute, what string, twin *rasterbase.Layer) {
	t.Helper()
	roles := []string{"", "viewer", "editor"}
	for _, role := range roles[slices.Index(roles, row.role):] {
		w := u.ask(t, pattern, row, twin, role)
		if strings.Contains(w.Body.String(), twin.Name) || strings.Contains(w.Body.String(), u.secret.Name) {
			t.Errorf("%s: %q is told of it: %s", what, role, w.Body)
		}
		if row.lists {
			wantStatus(t, w, row.status)
			continue
		}
		if w.Code != 404 && w.Code != row.status {
			t.Errorf("%s: %q gets %d: %s", what, role, w.Code, w.Body)
		}
		if w.Code == row.status && w.Code != 404 {
			t.Errorf("%s: %q gets what only administrators may read", what, role)
		}
	}
	w := u.ask(t, pattern, row, twin, "administrator")
	if w.Code != row.status {
		t.Errorf("%s: an administrator gets %d: %.300s", what, w.Code, w.Body)
	}
	if kept := w.Header().Get("Cache-Control"); w.Code == 200 && strings.HasPrefix(pattern, "GET") && kept != "private, no-store" {
		t.Errorf("%s: others may keep it: %q", what, kept)
	}
}

func isProduct(size int) func(*testing.T, *httptest.ResponseRecorder) {
	return colors(size, forest, water)
}

func inGrey(size int) func(*testing.T, *httptest.ResponseRecorder) {
	return colors(size, color.NRGBA{128, 128, 128, 255}, color.NRGBA{255, 255, 255, 255})
}

// colors checks the pixels in the two halves of a tile.
func colors(size int, want ...color.NRGBA) func(*testing.T, *httptest.ResponseRecorder) {
	return func(t *testing.T, w *httptest.ResponseRecorder) {
		t.Helper()
		img := wantPNG(t, w)
		_, pixels := lookedAt(size)
		if img.Bounds().Dx() != size {
			t.Fatalf("a tile of %v", img.Bounds())
		}
		for i, want := range want {
			if got := at(img, pixels[i][0], pixels[i][1]); !near(got, want) {
				t.Errorf("pixel %v is %v, want %v", pixels[i], got, want)
			}
		}
	}
}

func isTIFF(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if b := w.Body.Bytes(); !bytes.HasPrefix(b, []byte("II")) && !bytes.HasPrefix(b, []byte("MM")) {
		t.Errorf("%d bytes that are no TIFF", len(b))
	}
}

func isCounted(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var counts map[string]int
	if err := json.Unmarshal([]byte(w.Header().Get("Aggregation")), &counts); err != nil || counts["10"] == 0 || counts["20"] == 0 {
		t.Errorf("aggregation %q: %v", w.Header().Get("Aggregation"), err)
	}
}

func isTileJSON(tiles string) func(*testing.T, *httptest.ResponseRecorder) {
	return func(t *testing.T, w *httptest.ResponseRecorder) {
		t.Helper()
		doc := decode[struct {
			Tiles            []string
			Bounds           [4]float64
			MinZoom, MaxZoom int
			TileSize         int
		}](t, w)
		if len(doc.Tiles) != 1 || !strings.Contains(doc.Tiles[0], tiles) || !strings.Contains(doc.Tiles[0], "v=") || doc.TileSize != 100 || doc.MaxZoom < unevenZoom {
			t.Errorf("%+v", doc)
		}
		isExtent(t, doc.Bounds)
	}
}

// isExtent compares with what both layers cover.
func isExtent(t *testing.T, b [4]float64) {
	t.Helper()
	for i, want := range [4]float64{9, 50.37, 9.2, 50.52} {
		if math.Abs(b[i]-want) > 0.015 {
			t.Errorf("bounds %v", b)
			return
		}
	}
}

func isDescribed(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	doc := decode[struct {
		Status, Datatype string
		Bounds           [4]float64
		TileSize         int `json:"tile_size"`
		URLs             struct{ TileJSON, Tiles, Legend string }
		Formula          struct{ Text, Grid string }
		Computed         struct {
			CRS   struct{ SRID int }
			Bands []struct {
				Count          int64
				Min, Max, Mean float64
			} `json:"estimated_bands"`
		}
	}](t, w)
	if doc.Status != "finished" || doc.Datatype != "continuous" || doc.TileSize != 100 || doc.URLs.TileJSON == "" || doc.URLs.Tiles == "" ||
		doc.URLs.Legend == "" || doc.Formula.Text == "" || doc.Formula.Grid != "h" || doc.Computed.CRS.SRID != 32632 {
		t.Errorf("%s", w.Body)
	}
	if b := doc.Computed.Bands; len(b) != 1 || b[0].Min != 10 || b[0].Max != 20 || b[0].Count == 0 {
		t.Errorf("%+v", b)
	}
	isExtent(t, doc.Bounds)
}

func isValue(want float64) func(*testing.T, *httptest.ResponseRecorder) {
	return func(t *testing.T, w *httptest.ResponseRecorder) {
		t.Helper()
		if doc := decode[struct{ Value *float64 }](t, w); doc.Value == nil || *doc.Value != want {
			t.Errorf("%s, want %v", w.Body, want)
		}
	}
}

// has looks for texts in an answer.
func has(texts ...string) func(*testing.T, *httptest.ResponseRecorder) {
	return func(t *testing.T, w *httptest.ResponseRecorder) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(strings.ReplaceAll(w.Body.String(), "\r\n", "\n"), text) {
				t.Errorf("there is no %q in %.400q", text, w.Body)
			}
		}
	}
}

// isExplained looks for a word in a problem document.
func isExplained(word string) func(*testing.T, *httptest.ResponseRecorder) {
	return func(t *testing.T, w *httptest.ResponseRecorder) {
		t.Helper()
		if p := wantProblem(t, w, w.Code); !strings.Contains(p.Detail+p.Hint, word) {
			t.Errorf("%+v", p)
		}
	}
}
