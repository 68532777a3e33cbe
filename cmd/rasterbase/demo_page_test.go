package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/internal/browsertest"
)

// The first thing a new user sees: serve --demo, and both layers on the map in
// the colours of their legends.
func TestTheDemoIsDrawnInTheBrowser(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	b := browsertest.New(t, filepath.Join("..", "..", "server", "web", "dist"))
	p := start(t, t.TempDir(), "serve", "--demo", "--addr", "127.0.0.1:0")
	base := strings.TrimSuffix(p.until(t, "rasterbase is at "), "/")
	tiles := []string{p.until(t, "  "+base+"/tiles/"), p.until(t, "  "+base+"/tiles/")}

	b.Device(1280, 800, "light")
	b.Open(base + "/")
	onScreen(t, b, base, "map", 2, tiles[1])
	// The elevation lies beneath the vegetation on the same ground.
	browsertest.Evaluate[bool](b, `document.getElementById("toggle-2").click(), true`)
	b.Settle()
	onScreen(t, b, base, "map-elevation", 1, tiles[0])
	if says := b.Complaints(); len(says) > 0 {
		t.Errorf("the browser complains: %q", says)
	}
}

// onScreen compares pixels of a screenshot with those of the layer's own tile.
func onScreen(t *testing.T, b *browsertest.Browser, base, name string, layer int64, tile string) {
	t.Helper()
	resp := getPage(t, base+"/tiles/"+tile)
	defer resp.Body.Close()
	want, err := png.Decode(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	legend := legendColours(t, base, layer)
	var z, x, y int
	if _, err := fmt.Sscanf(tile[strings.Index(tile, "/")+1:], "%d/%d/%d.png", &z, &x, &y); err != nil {
		t.Fatal(err)
	}
	shot := b.Shot(name)
	drawn := 0
	for row := 40; row < 90; row += 7 {
		for col := 50; col < 170; col += 7 {
			c := colour(want, col, row)
			if !legend[c] {
				continue // not valid, or between classes
			}
			at := b.Place(layer, z, float64(256*x+col)+0.5, float64(256*y+row)+0.5)
			if got := colour(shot, at.X, at.Y); got != c {
				t.Errorf("%s: pixel %d, %d of the tile is %s, the screen shows %s at %v", name, col, row, c, got, at)
			}
			drawn++
		}
	}
	if drawn < 50 {
		t.Errorf("%s: only %d pixels were compared", name, drawn)
	}
}

func legendColours(t *testing.T, base string, layer int64) map[string]bool {
	t.Helper()
	resp := getPage(t, fmt.Sprintf("%s/legend?layer=%d", base, layer))
	defer resp.Body.Close()
	var entries []struct{ Color string }
	if err := json.NewDecoder(resp.Body).Decode(&entries); err != nil {
		t.Fatal(err)
	}
	colours := map[string]bool{}
	for _, e := range entries {
		colours[strings.ToUpper(e.Color)] = true
	}
	if len(colours) < 5 {
		t.Fatalf("the legend of layer %d has the colours %v", layer, colours)
	}
	return colours
}

func colour(img image.Image, x, y int) string {
	r, g, b, a := img.At(x, y).RGBA()
	if a == 0 {
		return "transparent"
	}
	return fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)
}
