package admin_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/internal/browsertest"
)

// inMap gives where on the screen a place of the map is, as shares of its sides.
func inMap(b *browsertest.Browser, x, y float64) (float64, float64) {
	at := browsertest.Evaluate[[]float64](b, fmt.Sprintf(`(() => {
		const map = document.getElementById("ask-map");
		map.scrollIntoView({ block: "center" });
		const r = map.getBoundingClientRect();
		return [r.left + %v * r.width, r.top + %v * r.height];
	})()`, x, y))
	return at[0], at[1]
}

// tilesDrawn is true when the map shows tiles.
const tilesDrawn = `(() => { const t = [...document.querySelectorAll("#ask-map img.raster, #ask-map .raster img")];
	return t.length > 0 && t.every((i) => i.complete && i.naturalWidth > 0); })()`

// press clicks a button of the page by its selector.
func press(b *browsertest.Browser, selector string) {
	browsertest.Evaluate[bool](b, fmt.Sprintf(`document.querySelector(%q).click(), true`, selector))
}

// A polygon is drawn with the mouse, and the numbers are those of `rasterbase count`.
func TestAskingInABrowser(t *testing.T) {
	s, _ := newAskSite(t)
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 1000, "light")
	b.Go(s.root)
	fill(b, map[string]string{"name": "anna", "password": password})
	b.Until(`document.getElementById("list") !== null`)
	b.Go(s.root + "ask?layer=1")
	b.Until(tilesDrawn)
	b.Shot("admin-ask")
	wantAccessible(t, b)

	press(b, `[data-draw="polygon"]`)
	for _, at := range [][2]float64{{0.35, 0.3}, {0.65, 0.35}, {0.6, 0.7}, {0.4, 0.65}, {0.35, 0.3}} {
		b.Click(inMap(b, at[0], at[1]))
	}
	b.Until(`document.getElementById("geom").value !== ""`)
	drawn := browsertest.Evaluate[string](b, `document.getElementById("geom").value`)
	if !strings.Contains(drawn, `"name":"Polygon 1"`) || strings.Count(drawn, `"Feature"`) != 1 {
		t.Fatalf("drawing gives %s", drawn)
	}
	b.Shot("admin-ask-drawn")
	press(b, "#ask button.main")
	b.Until(`document.getElementById("answer") !== null`)
	b.Until(tilesDrawn)
	geometry := browsertest.Evaluate[string](b, `JSON.stringify(JSON.parse(document.getElementById("geom").value).features[0].geometry)`)
	want := s.byCommand("1", "--geom", geometry, "--group", "legend", "--area", "ha")
	got := page{html: browsertest.Evaluate[string](b, `document.getElementById("answer").outerHTML`)}.counted(t)
	if !slices.Equal(sorted(got), sorted(want)) || len(got) < 3 {
		t.Errorf("the page counts %v, the command line %v", sorted(got), sorted(want))
	}
	if browsertest.Evaluate[int](b, `document.querySelectorAll("#ask-map path").length`) == 0 {
		t.Error("the polygon is not on the map any more")
	}
	b.Shot("admin-ask-answer")

	// A rectangle more, and the first one is taken away.
	press(b, `[data-draw="rectangle"]`)
	b.Click(inMap(b, 0.75, 0.1))
	b.Click(inMap(b, 0.95, 0.3))
	b.Until(`document.getElementById("geom").value.includes("Polygon 2")`)
	b.Click(inMap(b, 0.5, 0.5))
	b.Until(`!document.querySelector("[data-remove]").disabled`)
	press(b, "[data-remove]")
	b.Until(`!document.getElementById("geom").value.includes("Polygon 1")`)
	b.Click(inMap(b, 0.85, 0.2))
	b.Until(`!document.querySelector("[data-remove]").disabled`)
	browsertest.Evaluate[bool](b, `document.getElementById("ask-map").dispatchEvent(new KeyboardEvent("keyup", { key: "Delete", bubbles: true })), true`)
	b.Until(`document.getElementById("geom").value === ""`)
	// A legend that is chosen colours the map.
	browsertest.Evaluate[bool](b, `(() => { const l = document.getElementById("legend"); l.value = "1"; l.dispatchEvent(new Event("change")); return true; })()`)
	b.Until(tilesDrawn + ` && [...document.querySelectorAll("#ask-map .raster img")].every((i) => i.src.includes("legend=1"))`)

	// A file's polygons are drawn; what cannot be changed by hand stays as it was.
	both := strings.Replace(twoHalf, "}]}", `},{"type":"Feature","id":7,"properties":{"Name":"both","of":{"a":[1]}},"geometry":{"type":"MultiPolygon","coordinates":[[[[-113.28,46.06],[-113.275,46.06],[-113.275,46.065],[-113.28,46.06]]]]}}]}`, 1)
	browsertest.Evaluate[bool](b, fmt.Sprintf(`(() => {
		const data = new DataTransfer();
		data.items.add(new File([%q], "zones.geojson"));
		const file = document.getElementById("file");
		file.files = data.files;
		file.dispatchEvent(new Event("change"));
		return true;
	})()`, both))
	b.Until(`document.getElementById("geom").value.includes("MultiPolygon")`)
	press(b, `[data-draw="rectangle"]`)
	b.Click(inMap(b, 0.75, 0.1))
	b.Click(inMap(b, 0.95, 0.3))
	b.Until(`document.getElementById("geom").value.includes("Polygon 1")`)
	for _, kept := range []string{`"id":7`, `"of":{"a":[1]}`, `<b>west</b>`, `شرق`} {
		if now := browsertest.Evaluate[string](b, `document.getElementById("geom").value`); !strings.Contains(now, kept) {
			t.Errorf("after drawing %s is gone: %s", kept, now)
		}
	}
	press(b, "[data-clear]")
	if left := browsertest.Evaluate[string](b, `document.getElementById("geom").value`); left != "" {
		t.Errorf("cleared, the form has %s", left)
	}
	for _, says := range b.Complaints() {
		t.Errorf("the browser says %s", says)
	}
}

// Answers of all kinds, as they look.
func TestAnswersInABrowser(t *testing.T) {
	s, _ := newAskSite(t)
	s.visit("ed").api("PATCH", "api/v1/layers/1", `{"name":"Plants of Storm Lake"}`, 200)
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 1000, "light")
	b.Go(s.root)
	fill(b, map[string]string{"name": "anna", "password": password})
	b.Until(`document.getElementById("list") !== null`)
	ask := func(name, fields string) {
		for _, look := range []struct {
			name          string
			width, height int64
			scheme        string
		}{{"", 1280, 1000, "light"}, {"-dark", 1280, 1000, "dark"}, {"-phone", 390, 844, "light"}} {
			b.Device(look.width, look.height, look.scheme)
			b.Go(s.root + "ask?run=yes&" + fields)
			b.Until(tilesDrawn)
			wantFits(t, b, name+look.name)
			wantAccessible(t, b)
			b.Shot("admin-ask-" + name + look.name + "-map")
			browsertest.Evaluate[bool](b, `document.getElementById("answer").scrollIntoView(), true`)
			b.Shot("admin-ask-" + name + look.name)
		}
	}
	two := browsertest.Evaluate[string](b, fmt.Sprintf(`encodeURIComponent(%q)`, twoHalf))
	ask("zones", "ask=count&layer=1&geom="+two)
	const polygons = `document.querySelectorAll("#ask-map path").length`
	before := browsertest.Evaluate[int](b, polygons)
	browsertest.Evaluate[bool](b, `document.querySelector("tr[data-zone='1']").dispatchEvent(new MouseEvent("mouseenter")), true`)
	if now := browsertest.Evaluate[int](b, polygons); now != before+1 {
		t.Errorf("pointing at a row leaves %d polygons on the map of %d", now, before)
	}
	ask("heights", "ask=count&layer=2&geom="+aPark)
	ask("change", "ask=change&layer=1&layer2=3&geom="+aPark)
	ask("formula", "ask=formula&layer=2&formula=a%20%3E%202500&geom="+aPark)
	press(b, "#ask-count")
	b.Until(tilesDrawn)
	press(b, "#ask-formula")
	preset := func(name string) {
		browsertest.Evaluate[bool](b, fmt.Sprintf(`(() => { const p = document.getElementById("preset"); p.value = %q; p.dispatchEvent(new Event("change")); return true; })()`, name))
	}
	preset("ndvi")
	b.Until(`document.getElementById("formula").value === "(a - b) / (a + b)" && document.querySelector("[name=layer2]").value === "2"`)
	preset("mask")
	b.Until(`/^a > [0-9]+/.test(document.getElementById("formula").value)`)
	b.Until(tilesDrawn)
	for _, says := range b.Complaints() {
		t.Errorf("the browser says %s", says)
	}
}
