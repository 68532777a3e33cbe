package server_test

import (
	"fmt"
	"image/color"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/browsertest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
)

// spectral is a layer of a red and a near infrared band: the NDVI is -0.5 in its
// western half and 0.5 in the eastern one.
func spectral() testlayer.Spec {
	s := ramp("Field")
	s.Bands = []rasterbase.Band{{PixelType: rasterbase.Uint16, Description: "Red"}, {PixelType: rasterbase.Uint16, Description: "NIR"}}
	s.Value = func(band, x, _ int) (float64, bool) {
		if (x < s.Width/2) == (band == 0) {
			return 300, true
		}
		return 100, true
	}
	return s
}

// panel is the formula panel of a page in a browser.
type panel struct {
	*browsertest.Browser
	t testing.TB
}

// do runs statements in the page.
func (p panel) do(script string, args ...any) {
	p.t.Helper()
	browsertest.Evaluate[bool](p.Browser, fmt.Sprintf(`(() => { const panel = document.getElementById("formula"); const part = (name) => panel.querySelector("[data-" + name + "]"); %s; return true; })()`, fmt.Sprintf(script, args...)))
}

// choose sets a field as a person does.
func (p panel) choose(selector, value string) {
	p.t.Helper()
	p.do(`const e = document.querySelector(%q); e.value = %q; for (const kind of ["input", "change"]) e.dispatchEvent(new Event(kind, { bubbles: true }))`, selector, value)
}

// until waits for a condition of the panel.
func (p panel) until(condition string) {
	p.t.Helper()
	p.Until(`(() => { const panel = document.getElementById("formula"); const part = (name) => panel.querySelector("[data-" + name + "]"); return Boolean(` + condition + `); })()`)
}

func (p panel) text(selector string) string {
	p.t.Helper()
	return browsertest.Evaluate[string](p.Browser, fmt.Sprintf(`(() => { const e = document.querySelector(%q); return e.value ?? e.textContent; })()`, selector))
}

// drawn waits until tiles of the formula are drawn.
func (p panel) drawn() {
	p.t.Helper()
	p.until(`!part("result").hidden && document.querySelector('#map img.leaflet-tile[src*="algebra/"]')`)
	p.Settle()
}

// at is the colour that the formula has at a pixel of zoom 6, and where that is on
// the screen.
func (p panel) at(name string, x, y float64) (color.NRGBA, [2]int) {
	p.t.Helper()
	place := browsertest.Evaluate[[]float64](p.Browser, fmt.Sprintf(`(() => {
		for (const img of document.querySelectorAll('#map img.leaflet-tile[src*="algebra/"]')) {
			const [, z, x, y] = new URL(img.src).pathname.match(/(\d+)\/(\d+)\/(\d+)\.png$/).map(Number);
			const size = 256 * 2 ** (6 - z), fx = %v / size - x, fy = %v / size - y;
			if (fx < 0 || fx >= 1 || fy < 0 || fy >= 1) continue;
			const r = img.getBoundingClientRect();
			return [r.left + fx * r.width, r.top + fy * r.height];
		}
		return [];
	})()`, x, y))
	if len(place) != 2 {
		p.t.Fatalf("%s: no tile shows pixel %v, %v", name, x, y)
	}
	where := [2]int{int(place[0]), int(place[1])}
	return at(p.Shot(name), where[0], where[1]), where
}

func TestTheFormulaPanel(t *testing.T) {
	st := newStore(t)
	field := add(t, st, spectral())
	add(t, st, ramp("Elevation <b>"))
	mux := http.NewServeMux() // below a path, so that every address must be relative
	mux.Handle("/host/raster/", http.StripPrefix("/host/raster", newServer(t, server.Config{Store: st})))
	web := httptest.NewServer(mux)
	defer web.Close()
	p := panel{browsertest.New(t, filepath.Join("web", "dist")), t}
	p.Device(1280, 900, "light")
	p.Open(web.URL + "/host/raster/")
	p.do(`panel.querySelector("summary").click()`)
	p.until(`part("formula-colors").querySelector("optgroup")`)
	west, east := [2]float64{32*256 + 64, 22*256 + 128}, [2]float64{32*256 + 192, 22*256 + 128}

	// A preset finds the bands by their names, and its tiles are coloured.
	p.choose("[data-preset]", "ndvi")
	p.drawn()
	const want = "layers=nir:1=%d,red:0=%d&formula=(nir%%20-%%20red)%%20%%2F%%20(nir%%20%%2B%%20red)&colormap_name=rdylgn&rescale=-1,1"
	query := strings.ReplaceAll(fmt.Sprintf(want, field.ID, field.ID), "%2F", "/")
	if got := browsertest.Evaluate[string](p.Browser, "location.search"); got != "?"+query {
		t.Errorf("the page's address has %q, want %q", got, query)
	}
	if got := p.text("#formula-url"); got != web.URL+"/host/raster/algebra/{z}/{x}/{y}.png?"+query {
		t.Errorf("the tile address is %q", got)
	}
	reddish, _ := p.at("formula-ndvi", west[0], west[1])
	greenish, where := p.at("formula-ndvi", east[0], east[1])
	if int(reddish.R) < int(reddish.G)+60 || int(greenish.G) < int(greenish.R)+40 {
		t.Errorf("an NDVI of -0.5 is drawn %v, one of 0.5 %v", reddish, greenish)
	}

	// The value where the map is clicked.
	p.do(`const at = { clientX: %d, clientY: %d, bubbles: true, button: 0 }; const e = document.elementFromPoint(at.clientX, at.clientY);
		for (const kind of ["mousedown", "mouseup", "click"]) e.dispatchEvent(new MouseEvent(kind, at))`, where[0], where[1])
	p.until(`part("value").textContent.endsWith(": 0.5") && document.querySelector(".leaflet-popup-content").textContent === "0.5"`)
	p.Shot("formula-value")

	// A mistake is shown under the field, with its place; nothing is drawn.
	p.choose("[data-formula]", "nir / (red - ) * 2")
	p.until(`!part("mistake").hidden`)
	p.Shot("formula-mistake")
	if got, place := p.text("[data-detail]"), p.text("[data-place] mark"); got == "" || place != ")" {
		t.Errorf("the mistake is told %q, at %q", got, place)
	}
	p.until(`part("formula").getAttribute("aria-invalid") === "true" && part("result").hidden && !document.querySelector('#map img[src*="algebra/"]')`)
	p.choose("[data-formula]", "nir + blue")
	p.until(`part("place").querySelector("mark").textContent === "b"`)

	// What is typed is drawn; a name that the formula has is given to another layer.
	p.do(`part("add").click()`)
	p.choose("[data-variables] li:last-child [data-name]", "blue")
	p.choose("[data-variables] li:last-child [data-source]", "2")
	p.choose("[data-formula]", "blue > 128")
	p.drawn()
	p.until(`location.search.startsWith("?layers=blue:0=2&formula=blue%20%3E%20128&")`)
	low, _ := p.at("formula-mask", west[0]-32, west[1])
	high, _ := p.at("formula-mask", east[0]+32, east[1])
	if low == high {
		t.Errorf("both sides of the threshold are drawn %v", low)
	}

	// A link shows the same again, in any window.
	link := browsertest.Evaluate[string](p.Browser, "location.href")
	for _, d := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"formula-link", 1280, 900, "light"}, {"formula-dark", 1280, 900, "dark"}, {"formula-phone", 390, 844, "light"}, {"formula-phone-dark", 390, 844, "dark"}} {
		p.Device(d.width, d.height, d.scheme)
		p.Go("about:blank")
		p.Go(link)
		p.drawn()
		if got := browsertest.Evaluate[string](p.Browser, "location.href"); got != link {
			t.Errorf("%s: the address became %q, was %q", d.name, got, link)
		}
		if name, formula := p.text("[data-variables] [data-name]"), p.text("[data-formula]"); name != "blue" || formula != "blue > 128" || p.text("[data-variables] [data-source]") != "2" {
			t.Errorf("%s: %s, %s", d.name, name, formula)
		}
		if wide := browsertest.Evaluate[int64](p.Browser, `document.documentElement.scrollWidth`); wide > d.width {
			t.Errorf("%s: the page is %d pixels wide", d.name, wide)
		}
		p.do(`panel.scrollIntoView()`)
		if got, _ := p.at(d.name, east[0]+32, east[1]); got != high {
			t.Errorf("%s: above the threshold it is %v, want %v", d.name, got, high)
		}
	}

	// A threshold begins at the mean of the newest layer.
	p.choose("[data-preset]", "mask")
	p.until(`part("formula").value === "a > 128" && part("source").value === "2"`)
	p.drawn()

	// Without a formula nothing is drawn, and the address is the page's.
	p.choose("[data-formula]", " ")
	p.until(`part("result").hidden && part("mistake").hidden && location.search === ""`)
	for _, said := range p.Complaints() {
		if !strings.Contains(said, "400") { // the mistakes of above
			t.Errorf("the browser says %q", said)
		}
	}
	checkFormulaLink(t, web.URL+"/host/raster/", link)
}

func TestThePageWithoutLayersHasNoFormulaPanel(t *testing.T) {
	if body := get(t, newServer(t, server.Config{Store: newStore(t)}), "/").Body.String(); strings.Contains(body, `id="formula"`) {
		t.Error("there is nothing to compute with")
	}
}

// checkFormulaLink asks for a tile by a link's query, as other programs do.
func checkFormulaLink(t *testing.T, root, link string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(root + "algebra/6/32/22.png?" + u.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "image/png" {
		t.Errorf("%s is answered with %d", link, answer.StatusCode)
	}
}

// A layer made of a formula stands on the page as any other.
func TestThePageShowsFormulaLayers(t *testing.T) {
	st := newStore(t)
	hills := add(t, st, ramp("Elevation"))
	double := create(t, st, rasterbase.Layer{Name: "Twice as high", Visibility: rasterbase.Public, Formula: &rasterbase.LayerFormula{
		Text: "a * 2", Inputs: []rasterbase.FormulaInput{{Name: "a", Layer: hills.ID}},
	}})
	body := get(t, newServer(t, server.Config{Store: st}), "/").Body.String()
	_, card, _ := strings.Cut(body, fmt.Sprintf(`data-layer="%d"`, double.ID))
	card, _, _ = strings.Cut(card, "</article>")
	for _, want := range []string{"Twice as high", "continuous", fmt.Sprintf("tiles/%d/{z}/{x}/{y}.png", double.ID), "#ffffff", "510"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card of the formula has no %q: %s", want, card)
		}
	}
	if strings.Contains(card, "status failed\"><span") {
		t.Errorf("the formula has failed: %s", card)
	}
}
