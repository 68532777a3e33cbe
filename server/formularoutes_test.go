package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
)

// overFormula is a request of a route that takes layers, with {layer} in the place of
// a layer that is made of others.
type overFormula struct {
	path, body string
	role       string // who asks; empty: anybody
	status     int
	contains   string // of the answer; for errors the way out
	hidden     int    // status for those who may not read one of its inputs; 0: 404
}

// overFormulas has every route that takes layers.
var overFormulas = map[string]overFormula{
	"GET /tiles/{layer}/{z}/{x}/{file}": {path: "/tiles/{layer}/6/33/22.png", status: 200, contains: "PNG"},
	"GET /algebra/{z}/{x}/{file}":       {path: "/algebra/6/33/22.tif?layers=q={layer}&formula=q*2", status: 200, contains: "II*"},
	"GET /algebra/tilejson.json":        {path: "/algebra/tilejson.json?layers=q={layer}&formula=q*2", status: 200, contains: `"maxzoom":6`},
	"GET /layers":                       {path: "/layers?search={layer}", status: 200, contains: `"max_zoom":6`, hidden: 200},
	"GET /layers/{layer}":               {path: "/layers/{layer}", status: 200, contains: `"estimated_bands":[{"pixel_type"`},
	"GET /layers/{layer}/tilejson.json": {path: "/layers/{layer}/tilejson.json", status: 200, contains: `"tilejson":"3.0.0"`},
	"GET /layers/{layer}/source":        {path: "/layers/{layer}/source", status: 404, contains: "formula"},
	"GET /layers/{layer}/source/{file}": {path: "/layers/{layer}/source/a.tif", status: 404, contains: "formula"},
	"GET /legend":                       {path: "/legend?layer={layer}", status: 404, contains: "legend.png?layer="},
	"GET /legend/{legend}":              {path: "/legend/Ramp?layer={layer}", status: 200, contains: "viridis"},
	"GET /legend.png":                   {path: "/legend.png?layer={layer}", status: 200, contains: "PNG"},
	"GET /legend.svg":                   {path: "/legend.svg?layer={layer}", status: 200, contains: "<svg"},
	"GET /pixel/{x}/{y}":                {path: "/pixel/{place}?layers=q={layer}&formula=q", status: 200, contains: `"value":10`},
	"POST /pixel":                       {path: "/pixel?layers=q={layer}&srid=3857", body: `{"type":"Point","coordinates":[{at}]}`, status: 200, contains: `10`},
	"GET /profile":                      {path: "/profile?layers=q={layer}&points=2&srid=3857&line=LINESTRING({wkt})", status: 200, contains: `"value":10`},
	"POST /profile":                     {path: "/profile?layers=q={layer}&points=2&srid=3857", body: `{"type":"LineString","coordinates":[[{at}],[{at2}]]}`, status: 200, contains: `"value":10`},
	"GET /layers/{layer}/valuecount":    {path: "/layers/{layer}/valuecount?group=value", status: 200, contains: `"value":10`},
	"POST /layers/{layer}/valuecount":   {path: "/layers/{layer}/valuecount?srid=3857", body: `{"type":"Point","coordinates":[{at}]}`, status: 200, contains: `"count":1`},
	"GET /valuecount":                   {path: "/valuecount?layers=q={layer}&formula=q*2&group=value", status: 200, contains: `"value":20`},
	"POST /valuecount":                  {path: "/valuecount", body: `{"layers":"q={layer}","group":"value"}`, status: 200, contains: `"value":10`},
	"GET /layers/{layer}/statistics":    {path: "/layers/{layer}/statistics", status: 200, contains: `"min":10`},
	"POST /layers/{layer}/statistics":   {path: "/layers/{layer}/statistics?srid=3857", body: `{"type":"Point","coordinates":[{at}]}`, status: 200, contains: `"mean":10`},
	"GET /statistics":                   {path: "/statistics?layers=q={layer}&formula=q/2&stats=min", status: 200, contains: `"min":5`},
	"POST /statistics":                  {path: "/statistics", body: `{"layers":"q={layer}","formula":"q","stats":"min"}`, status: 200, contains: `"min":10`},
	"GET /crosstab":                     {path: "/crosstab?layers=q={layer},r={layer}", status: 400, contains: "discrete"},
	"POST /crosstab":                    {path: "/crosstab", body: `{"layers":"q={layer},r={layer}"}`, status: 400, contains: "discrete"},
	"GET /export":                       {path: "/export?layers=q={layer}&format=tif", status: 200, contains: "II*"},
	"POST /export":                      {path: "/export", body: `{"layers":"q={layer}","formula":"q/2","format":"cog"}`, status: 200, contains: "LAYOUT=IFDS_BEFORE_DATA"},
	"POST /api/v1/exports":              {path: "/api/v1/exports", body: `{"layers":"q={layer}"}`, role: "viewer", status: 202, contains: "queued"},

	"GET /api/v1/layers":                  {path: "/api/v1/layers?search={layer}", status: 200, contains: `"max_zoom":6`, hidden: 200},
	"POST /api/v1/layers":                 {path: "/api/v1/layers", body: `{"name":"Above","formula":{"text":"q+1","layers":"q={layer}"}}`, role: "editor", status: 202, contains: `"text":"q+1"`},
	"GET /api/v1/layers/{layer}":          {path: "/api/v1/layers/{layer}", status: 200, contains: `"grid":"a"`},
	"PATCH /api/v1/layers/{layer}":        {path: "/api/v1/layers/{layer}", body: `{"description":"Made of two"}`, role: "editor", status: 200, contains: "Made of two"},
	"POST /api/v1/layers/{layer}/reparse": {path: "/api/v1/layers/{layer}/reparse", role: "editor", status: 202},
	"POST /api/v1/layers/{layer}/cancel":  {path: "/api/v1/layers/{layer}/cancel", role: "editor", status: 200},
	"POST /api/v1/layers/reparse":         {path: "/api/v1/layers/reparse", body: `{"layers":["{layer}"]}`, role: "editor", status: 202},
	"GET /api/v1/layers/{layer}/log":      {path: "/api/v1/layers/{layer}/log", role: "editor", status: 404, contains: "parse"},
	"GET /api/v1/layers/{layer}/levels":   {path: "/api/v1/layers/{layer}/levels", status: 404, contains: "formula"},
	"GET /api/v1/layers/{layer}/events":   {path: "/api/v1/layers/{layer}/events", status: 404, contains: "parse"},
	"GET /api/v1/legends/{legend}/check":  {path: "/api/v1/legends/Classes/check?layer={layer}", status: 200, contains: `"exact":false`},
	"POST /api/v1/legends/from-layer":     {path: "/api/v1/legends/from-layer", body: `{"layer":"{layer}","method":"equal-interval","classes":3}`, role: "editor", status: 200, contains: "entries"},
	"DELETE /api/v1/layers/{layer}":       {path: "/api/v1/layers/{layer}", role: "editor", status: 409, contains: "Above"}, /* which POST made of it */
}

// takesLayers are routes that take layers in their query or body, beside those that
// have one in their path.
var takesLayers = []string{"/valuecount", "/statistics", "/crosstab", "/algebra", "/pixel", "/profile", "/export", "/legend", "GET /layers", "/api/v1/layers", "POST /api/v1/exports", "from-layer"}

// noLayers are routes that the words of takesLayers fit and that take none.
var noLayers = []string{"GET /api/v1/legends", "POST /api/v1/legends", "GET /api/v1/legends/{legend}", "PUT /api/v1/legends/{legend}",
	"PATCH /api/v1/legends/{legend}", "DELETE /api/v1/legends/{legend}", "POST /api/v1/legends/check", "POST /api/v1/legends/import",
	"GET /api/v1/exports", "GET /api/v1/exports/{id}", "GET /api/v1/exports/{id}/file", "DELETE /api/v1/exports/{id}"}

// mixed is a formula layer over two whose tiles, zooms, types and grids differ.
func mixed(t *testing.T, name string, second rasterbase.Visibility) (rasterbase.Layer, *server.Server) {
	t.Helper()
	st := newStore(t)
	first := add(t, st, stripes("First", nil))
	other := ramp("Second")
	other.Layer.Visibility = second
	other.TileSize, other.MaxZoom = 100, 6 // pixels of which none consists of others'
	other.X, other.Y, other.Width, other.Height = 3300, 2200, 200, 200
	other.Value = func(_, _, _ int) (float64, bool) { return 9, true }
	above := formulaOf(name, "a + b", called("a", first), called("b", add(t, st, other)))
	above.Formula.Grid = "a"
	l := create(t, st, above)
	addLegend(t, st, "Classes", forest, water)
	s := newAPI(t, st, &recordParser{}, server.Config{WorkDir: t.TempDir()})
	if w := call(t, s, "editor", "POST", "/api/v1/legends", `{"title":"Ramp","gradient":{"colormap_name":"viridis"}}`); w.Code != http.StatusCreated {
		t.Fatal(w.Body)
	}
	return *l, s
}

// ask runs one of the table's requests.
func (o overFormula) ask(t *testing.T, s http.Handler, pattern, layer, role string) (int, string) {
	t.Helper()
	const x, y, pixel = 33 * 256, 22*256 + 100, 40075016.685578488 / (64 * 256)
	east, north := (x+20)*pixel-20037508.342789244, 20037508.342789244-y*pixel
	at := func(e, n float64, between string) string { return fmt.Sprintf("%.3f%s%.3f", e, between, n) }
	in := strings.NewReplacer("{layer}", layer, "{place}", at(east, north, "/"), "{at}", at(east, north, ","), "{at2}", at(east+100, north, ","),
		"{wkt}", at(east, north, "%20")+","+at(east+100, north, "%20"))
	method, _, _ := strings.Cut(pattern, " ")
	w := call(t, s, role, method, in.Replace(o.path), in.Replace(o.body))
	return w.Code, w.Body.String()
}

// Every route that takes a layer answers for one that is made of others, whose grids
// differ.
func TestRoutesOverFormulas(t *testing.T) {
	l, s := mixed(t, "Mixed", rasterbase.Public)
	for _, pattern := range patternsWithLayers(t, s) {
		o := overFormulas[pattern]
		code, body := o.ask(t, s, pattern, l.Slug, o.role)
		if code != o.status || !strings.Contains(body, o.contains) {
			t.Errorf("%s: %d, want %d with %q: %.400q", pattern, code, o.status, o.contains, body)
		}
	}
}

// A formula over a layer that somebody may not read does not exist for them.
func TestRoutesOverFormulasOfHiddenLayers(t *testing.T) {
	l, s := mixed(t, "Mixed", rasterbase.Private)
	for _, pattern := range patternsWithLayers(t, s) {
		o := overFormulas[pattern]
		if o.role != "" {
			continue // those who have a role may read all
		}
		code, body := o.ask(t, s, pattern, l.Slug, "")
		missing, other := o.ask(t, s, pattern, "missing", "")
		if want := max(o.hidden, 200); o.hidden == 0 && code != 404 || o.hidden != 0 && code != want || code != missing {
			t.Errorf("%s: %d, and %d for a layer that is not there: %.200s", pattern, code, missing, body)
		}
		if strings.Contains(body, "Second") || strings.Contains(body, "max_zoom") || len(body) != len(other)-len("missing")+len(l.Slug) && o.hidden == 0 {
			t.Errorf("%s tells more: %.300s\nthan %.300s", pattern, body, other)
		}
	}
	for _, path := range []string{"/tiles/mixed/6/33/22.png", "/layers/mixed", "/pixel/0/0?layers=a=mixed", "/algebra/6/33/22.png?layers=a=mixed&formula=a"} {
		w := call(t, s, "viewer", "GET", path, "")
		if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s may be kept: %v", path, w.Header())
		}
	}
}

// patternsWithLayers are the routes that take a layer, the deleting ones last; each of
// them has to be in the table.
func patternsWithLayers(t *testing.T, s *server.Server) (all []string) {
	t.Helper()
	var last []string
	for _, pattern := range s.Patterns() {
		takes := strings.Contains(pattern, "{layer}")
		for _, part := range takesLayers {
			takes = takes || strings.Contains(pattern, part)
		}
		for _, not := range noLayers {
			takes = takes && pattern != not
		}
		switch _, known := overFormulas[pattern]; {
		case takes != known:
			t.Errorf("%s takes a layer: %t; is in the table: %t", pattern, takes, known)
		case takes && strings.HasPrefix(pattern, "DELETE"):
			last = append(last, pattern)
		case takes:
			all = append(all, pattern)
		}
	}
	return append(all, last...)
}
