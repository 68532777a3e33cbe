package admin_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

// A raster is uploaded by a plain form, watched, changed and deleted.
func TestFromAFormToALayer(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	name := "<script>alert(1)</script> خريطة 地图"
	p := v.send("layers", "storm.tif", content, url.Values{"name": {name}, "datatype": {"categorical"}})
	if p.at != s.root+"layers/1" {
		t.Fatalf("adding leads to %s: %s", p.at, p.text())
	}
	if strings.Contains(p.html, "<script>alert") {
		t.Error("the name is a script")
	}
	p = v.parsed("layers/1")
	p.want(t, 200, "finished", "storm.tif", "categorical", "EPSG:", "Band 1", "Parse again", "L.tileLayer(", "Log")
	if !strings.Contains(p.html, s.server+"tiles/1/{z}/{x}/{y}.png") || !strings.Contains(p.html, "<rect ") {
		t.Error("the page has no tile address or no histogram")
	}
	// What is not a setting of the parse is changed without one.
	lines := strings.Count(p.html, "<li><time>")
	form := url.Values{"name": {name}, "visibility": {"private"}, "license": {"CC0"}, "datatype": {"categorical"}}
	if p := v.post("layers/1", form); strings.Count(p.html, "<li><time>") != lines || !strings.Contains(p.html, `class="status good"`) || !strings.Contains(p.html, `value="CC0"`) {
		t.Errorf("the licence is changed by a parse, or not at all: %s", p.text())
	}
	form.Set("name", "Plants")
	form.Set("max_zoom", "x")
	if p := v.post("layers/1", form); !strings.Contains(p.html, `value="Plants"`) {
		t.Error("what was typed is gone")
	} else {
		p.want(t, 400, `"x" is no whole number`)
	}
	form.Set("max_zoom", "99")
	v.post("layers/1", form).want(t, 400, "zoom")
	form.Set("max_zoom", "6")
	v.post("layers/1", form).want(t, 200, "Plants")
	v.parsed("layers/1").want(t, 200, "Plants", "of zooms 0 to 6")
	v.get("layers").want(t, 200, "Plants", "private", "1–1 of 1")
	v.get("layers?search=storm&status=finished").want(t, 200, "Plants")
	v.get("layers?search=nothing").want(t, 200, "No layer is like that")
	v.post("layers/selection", url.Values{"action": {"reparse"}, "layer": {"1"}}).want(t, 200, "Plants")
	v.parsed("layers/1")
	v.get("layers/1/delete").want(t, 200, "Delete 1 layer?", "Plants")
	v.post("layers/selection", url.Values{"action": {"delete"}, "layer": {"1"}}).want(t, 200, "Delete 1 layer?")
	v.post("layers/selection", url.Values{"action": {"delete"}, "layer": {"1"}, "sure": {"yes"}}).want(t, 200, "There are no layers yet")
	v.get("layers/1").want(t, 404, `there is no layer "1"`)
}

// What is wrong with a form is said, and what was typed stays.
func TestFormsThatAreRefused(t *testing.T) {
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	v.post("layers", url.Values{"name": {"Typed"}}).want(t, 400, "no raster is named")
	for _, form := range []url.Values{
		{"name": {"Typed"}, "path": {"/etc/passwd"}},
		{"name": {"Typed"}, "upload": {"made-up"}},
		{"name": {"Typed"}, "path": {s.keep("a.tif", []byte("x"))}, "srid": {"many"}},
	} {
		p := v.post("layers", form)
		if p.status < 400 || p.status >= 500 || !strings.Contains(p.html, `value="Typed"`) || !strings.Contains(p.html, `role="alert"`) {
			t.Errorf("%v is answered %d: %s", form, p.status, p.text())
		}
	}
	v.send("layers", "notes.txt", []byte("no raster"), url.Values{})
	v.post("layers/selection", url.Values{"action": {"delete"}}).want(t, 400, "no layer is selected")
	v.post("layers/selection", url.Values{"action": {"explode"}, "layer": {"1"}}).want(t, 400, "nothing that can be done")
	v.get("nowhere").want(t, 404, "there is no page")
}

func TestPagesOfLayers(t *testing.T) {
	s := newSite(t)
	s.addUser("anna", rasterbase.Viewer)
	for i := range 60 {
		s.addLayer(rasterbase.Layer{Name: fmt.Sprintf("Layer %02d", i), Visibility: rasterbase.Public})
	}
	v := s.visit("anna")
	v.get("layers").want(t, 200, "Layer 00", "Layer 24", "1–25 of 60", "After")
	p := v.get("layers?offset=50")
	if p.want(t, 200, "Layer 50", "Layer 59", "51–60 of 60", "Before"); strings.Contains(p.text(), "After") || strings.Contains(p.text(), "Add a raster") {
		t.Error("the last page leads further, or a viewer may add layers")
	}
	v.get("layers?offset=x").want(t, 200, "1–25 of 60")
}

// Every route, as each who may come by. A route that is not in the table fails the test.
func TestWhoMayDoWhat(t *testing.T) {
	type expected struct{ anonymous, viewer, editor int }
	in := expected{200, 403, 200} // anonymous visitors are led to the page to sign in
	table := map[string]expected{
		"GET /{$}": {200, 200, 200}, "GET /sign-in": {200, 200, 200}, "POST /sign-in": {401, 401, 401}, "POST /sign-out": {200, 200, 200},
		"GET /setup": {200, 200, 200}, "POST /setup": {200, 200, 200}, "GET /assets/{file}": {200, 200, 200},
		"GET /layers": {200, 200, 200}, "POST /layers": {401, 403, 400}, "POST /layers/selection": {401, 403, 200},
		"GET /layers/{layer}": {200, 200, 200}, "POST /layers/{layer}": {401, 403, 200}, "GET /layers/{layer}/delete": in,
		"POST /layers/{layer}/reparse": {401, 403, 409}, "POST /layers/{layer}/cancel": {401, 403, 200},
		"GET /legends": {200, 200, 200}, "POST /legends": {401, 403, 400}, "GET /legends/new": in, "POST /legends/new": {401, 403, 400},
		"GET /legends/{legend}": {200, 200, 200}, "POST /legends/{legend}": {401, 403, 400}, "POST /legends/{legend}/use": {401, 403, 200},
		"GET /legends/{legend}/delete": in, "POST /legends/{legend}/delete": {401, 403, 200},
		"GET /semantics": {200, 200, 200}, "POST /semantics": {401, 403, 200}, "POST /semantics/{semantics}": {401, 403, 409},
		"/": {404, 404, 404},
	}
	s := newSite(t)
	s.addUser("root", rasterbase.Administrator)
	s.addUser("anna", rasterbase.Viewer)
	s.addUser("ed", rasterbase.Editor)
	routes := s.routes()
	for route := range table {
		if !slices.Contains(routes, route) {
			t.Errorf("there is no route %s", route)
		}
	}
	for _, route := range routes {
		want, ok := table[route]
		if !ok {
			t.Errorf("%s is not in the table", route)
			continue
		}
		for who, status := range map[string]int{"": want.anonymous, "anna": want.viewer, "ed": want.editor} {
			l := s.addLayer(rasterbase.Layer{Name: "Secret hills", Visibility: rasterbase.Private})
			lg := s.addLegend(route + who)
			method, path, _ := strings.Cut(route, " /")
			if route == "/" {
				method, path = "GET", "nowhere"
			}
			path = strings.NewReplacer("{layer}", fmt.Sprint(l.ID), "{file}", "admin.css", "{$}", "",
				"{legend}", fmt.Sprint(lg.ID), "{semantics}", fmt.Sprint(lg.Entries[0].Semantics.ID)).Replace(path)
			v := s.visit(who)
			var p page
			if method == "GET" {
				p = v.get(path)
			} else {
				p = v.post(path, url.Values{"layer": {fmt.Sprint(l.ID)}, "action": {"delete"}, "name": {"Changed"}, "code": {"x"}, "password": {"not this one"}, "again": {"not this one"}})
			}
			if p.status != status {
				t.Errorf("%s as %q: status %d, want %d: %s", route, who, p.status, status, p.text())
			}
			if who == "" && strings.Contains(p.text(), "Secret hills") {
				t.Errorf("%s tells anybody of a private layer", route)
			}
		}
	}
}
