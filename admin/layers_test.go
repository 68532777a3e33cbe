package admin_test

import (
	"fmt"
	"net/url"
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
	v.get("layers/1").want(t, 200, "Level Tiles Its own grid 1 Zoom 0 1 Zoom 1 1", "tiles, ")
	v.get("layers/1/delete").want(t, 200, "Delete 1 layer?", "Plants", "8 tiles with their statistics", "storm.tif 19.6 KiB, 8 tiles of")
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
	if p := v.get("layers?search=Layer"); !strings.Contains(p.html, `href="./layers?offset=25&amp;search=Layer"`) {
		t.Errorf("the next page is elsewhere: %s", p.html)
	}
	v.get("layers?offset=x").want(t, 200, "1–25 of 60")
}
