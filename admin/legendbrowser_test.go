package admin_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/browsertest"
)

// colorsOnMap are the opaque colours of the tiles that the page's map shows.
const colorsOnMap = `(() => {
	const found = new Set();
	for (const tile of document.querySelectorAll("#map img.leaflet-tile")) {
		if (!tile.complete || !tile.naturalWidth) continue;
		const canvas = document.createElement("canvas");
		canvas.width = canvas.height = 64;
		const at = canvas.getContext("2d");
		at.imageSmoothingEnabled = false;
		at.drawImage(tile, 0, 0, 64, 64);
		const { data } = at.getImageData(0, 0, 64, 64);
		for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) found.add(data.slice(i, i + 3).join());
	}
	return [...found];
})()`

// A legend is edited, and the pixels of the map have its colours: while it is typed, and
// on the layer's own page once it is saved.
func TestLegendsInABrowser(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	v.send("layers", "storm.tif", content, url.Values{"name": {"Storm Lake"}})
	v.parsed("layers/1")
	v.post("legends", url.Values{"layer": {"1"}, "method": {"quantile"}, "classes": {"3"}, "title": {"Cover"}})
	v.post("legends/1/use", url.Values{"layer": {"1"}})

	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 900, "light")
	b.Go(s.root)
	fill(b, map[string]string{"name": "ed", "password": password})
	b.Until(`document.querySelector("#list") !== null`)
	b.Go(s.root + "legends/1?layer=1")
	b.Until(colorsOnMap + `.length > 1`)
	b.Shot("admin-legend")
	typed := func(row int, name, value string) {
		browsertest.Evaluate[bool](b, fmt.Sprintf(`(() => {
			const field = document.querySelectorAll("#rows tr")[%d].querySelector("[name=%s]");
			field.value = %q;
			field.dispatchEvent(new Event("input", { bubbles: true }));
			return true;
		})()`, row, name, value))
	}

	// A mistake is told at its place.
	typed(1, "expression", "x >> 2")
	b.Until(`document.querySelectorAll("#rows tr")[1].querySelectorAll(".wrong")[1].textContent.includes("x >> 2")`)
	b.Shot("admin-legend-mistake")
	typed(1, "expression", "x >= 0")
	b.Until(`document.querySelectorAll("#rows tr")[1].querySelectorAll(".wrong")[1].textContent === ""`)

	// All is magenta while it is typed.
	typed(1, "color", "#FF00FF")
	b.Until(colorsOnMap + `.includes("255,0,255")`)
	if got := shape(s.legend("Cover")); len(s.legend("Cover").Entries) != 3 || got == "" {
		t.Errorf("stored is %s", got)
	}

	// What is typed is kept when another layer is looked at.
	look := func(layer string) {
		browsertest.Evaluate[bool](b, fmt.Sprintf(`(() => {
			const select = document.querySelector("#choose select");
			select.value = %q;
			select.dispatchEvent(new Event("change", { bubbles: true }));
			return true;
		})()`, layer))
	}
	look("")
	b.Until(`document.readyState === "complete" && !document.getElementById("map") && document.querySelectorAll("#rows [name=color]")[1]?.value === "#FF00FF"`)
	look("1")
	b.Until(colorsOnMap + `.includes("255,0,255")`)

	// A row is moved by its button, and one is added and one removed.
	click := func(selector string) {
		browsertest.Evaluate[bool](b, fmt.Sprintf(`document.querySelector(%q).click(), true`, selector))
	}
	click(`#rows tr:nth-child(2) [data-down]`)
	click(`#rows tr:nth-child(1) [data-remove]`)
	click(`#more`)
	typed(2, "expression", "-9999")
	typed(2, "name", "Nowhere <b>")
	b.Until(`!document.getElementById("look").textContent.includes("undefined")`)
	wantAccessible(t, b)
	click(`#legend button.main`)
	b.Until(`document.readyState === "complete" && document.querySelectorAll("#rows tr").length === 3 && [...document.querySelectorAll("#rows [name=name]")].at(-1).value === "Nowhere <b>"`)
	kept := s.legend("Cover").Entries
	if len(kept) != 3 || kept[1].Expression != "x >= 0" || kept[1].Color.String() != "#FF00FF" || kept[2].Semantics.Name != "Nowhere <b>" {
		t.Errorf("stored is %s", shape(s.legend("Cover")))
	}
	b.Go(s.root + "layers/1")
	b.Until(colorsOnMap + `.join() === "255,0,255"`)

	for _, page := range []string{"legends", "legends/new?kind=gradient", "semantics", "legends/1"} {
		for _, look := range []struct {
			name          string
			width, height int64
			scheme        string
		}{{"", 1280, 900, "light"}, {"-phone", 390, 844, "dark"}} {
			b.Device(look.width, look.height, look.scheme)
			b.Go(s.root + page)
			b.Until(`document.readyState === "complete"`)
			wantFits(t, b, page+look.name)
			wantAccessible(t, b)
			name, _, _ := strings.Cut(strings.ReplaceAll(page, "/", "-"), "?")
			b.Shot("admin-" + name + look.name)
		}
	}
	for _, says := range b.Complaints() {
		t.Errorf("the browser says %s", says)
	}
}
