package server_test

import (
	"fmt"
	"image/color"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/internal/browsertest"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/xyz"
)

// mapLibrePage is somebody's page: it knows a TileJSON address and nothing else.
const mapLibrePage = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>html, body, #map { margin: 0; width: 640px; height: 480px }</style><div id="map"></div>
<script type="module">
import * as maplibre from "/maplibre/maplibre-gl.mjs";
maplibre.setWorkerUrl("/maplibre/maplibre-gl-worker.mjs");
const map = window.map = new maplibre.Map({
	container: "map", center: [%v, %v], zoom: 5, attributionControl: false, fadeDuration: 0, interactive: false,
	style: { version: 8, sources: { cover: { type: "raster", url: "%s" } },
		layers: [{ id: "cover", type: "raster", source: "cover", paint: { "raster-fade-duration": 0, "raster-resampling": "nearest" } }] },
});
map.on("idle", () => { window.drawn = true });
map.on("error", (e) => console.error(String(e.error)));
</script>`

// MapLibre on a page of another origin draws a layer from its TileJSON alone.
// It reads tiles with fetch, so that it needs CORS, unlike pictures in a page.
func TestMapLibreOnAnotherOrigin(t *testing.T) {
	st := newStore(t)
	cover := add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	raster := httptest.NewServer(newServer(t, server.Config{Store: st}))
	defer raster.Close()

	world := xyz.Resolution(6, 256)
	place := func(i int) (lon, lat float64) { // in the middle of stripe i
		return xyz.ToLonLat(-xyz.HalfWorld+(33*256+64+128*float64(i))*world, xyz.HalfWorld-(22*256+256)*world)
	}
	mux := http.NewServeMux()
	mux.Handle("/maplibre/", http.StripPrefix("/maplibre/", http.FileServer(http.Dir(filepath.Join("web", "node_modules", "maplibre-gl", "dist")))))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		lon, lat := place(1)
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, fmt.Sprintf(mapLibrePage, lon, lat, fmt.Sprintf("%s/layers/%d/tilejson.json", raster.URL, cover.ID)))
	})
	page := httptest.NewServer(mux)
	defer page.Close()

	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(640, 480, "light")
	b.Go(page.URL)
	b.Until("window.drawn === true")
	img := b.Shot("maplibre")
	for i, want := range []color.NRGBA{forest, water, town} {
		lon, lat := place(i)
		p := browsertest.Evaluate[[]float64](b, fmt.Sprintf("(() => { const p = map.project([%v, %v]); return [p.x, p.y] })()", lon, lat))
		if got := at(img, int(p[0]), int(p[1])); got != want {
			t.Errorf("value %d is drawn %v at %v, want %v", i+1, got, p, want)
		}
	}
	for _, said := range b.Complaints() {
		if !strings.Contains(said, "GL Driver Message") { // of screenshots without a graphics card
			t.Errorf("the browser says %q", said)
		}
	}
}
