package server_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// drawn is a store with one layer of each sort: the categorical "land-cover" with
// a legend, the continuous "elevation", and "scene", whose six bands of int16 hold
// 100, 200 ... 600 times the column.
func drawn(t testing.TB) store.Store {
	t.Helper()
	st := newStore(t)
	add(t, st, stripes("Land cover", addLegend(t, st, "Cover", forest, water, town)))
	addLegend(t, st, "Only Towns", town)
	add(t, st, ramp("Elevation"))
	scene := ramp("Scene")
	scene.Bands = nil
	for range 6 {
		scene.Bands = append(scene.Bands, rasterbase.Band{PixelType: rasterbase.Int32, Nodata: rasterbase.FloatPtr(-1), Scale: 0.1, Offset: 5})
	}
	scene.Value = func(band, x, _ int) (float64, bool) { return float64(100 * (band + 1) * x), true }
	add(t, st, scene)
	return st
}

// A mistake in a parameter is told by its name, for tiles and their description.
func TestMistakesInParametersAreTold(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t)})
	for _, c := range []struct{ query, parameter string }{
		{"legend=Cover&legend=Other", "legend"},
		{"legend=Cover&colormap=%7B%221%22:%22red%22%7D", "legend"},
		{"legend=Cover&colormap_name=viridis", "legend"},
		{"colormap=%7B%221%22:%22red%22%7D&colormap_name=viridis", "colormap"},
		{"colormap=%7B", "colormap"},
		{"colormap=%7B%22x+%3E%22:%22red%22%7D", "colormap"},
		{"colormap=%7B%221%22:%22nocolour%22%7D", "colormap"},
		{"colormap=null", "colormap"},
		{"colormap_name=viridian", "colormap_name"},
		{"rescale=1", "rescale"},
		{"rescale=5,1", "rescale"},
		{"rescale=1,1", "rescale"},
		{"rescale=NaN,1", "rescale"},
		{"rescale=0,Inf", "rescale"},
		{"rescale=-1e308,1e308", "rescale"},
		{"rescale=a,b", "rescale"},
		{"rescale=0,1&rescale=0,1&rescale=0,1&rescale=0,1", "rescale"},
		{"rescale=0,1&legend=Cover", "rescale"},
		{"bidx=0", "bidx"},
		{"bidx=-1", "bidx"},
		{"bidx=2", "bidx"},
		{"bidx=99999999999999999999", "bidx"},
		{"bidx=1,1", "bidx"},
		{"bidx=1,1,1,1", "bidx"},
		{"bidx=1,1,1&legend=Cover", "legend"},
		{"entries=9", "entries"},
		{"enhance_color=NaN", "enhance_color"},
		{"enhance_contrast=Inf", "enhance_contrast"},
		{"enhance_brightness=bright", "enhance_brightness"},
		{"enhance_sharpness=1e300", "enhance_sharpness"},
		{"enhance_hue=2", "enhance_hue"},
		{"resampling=lanczos", "resampling"},
		{"tilesize=16", "tilesize"},
		{"tilesize=100000", "tilesize"},
		{"tilesize=256.5", "tilesize"},
		{"unscale=perhaps", "unscale"},
		{"aggregation=x", "aggregation"},
		{"background=red", "background"},
		{"compress=LZW", "compress"},
		{"algorithm=contours", "algorithm"},
		{"algorithm=hillshade", "algorithm"}, // of land cover
		{"algorithm=hillshade&colormap_name=viridis", "colormap_name"},
		{"algorithm=terrainrgb&rescale=0,1", "rescale"},
		{"algorithm=terrarium&enhance_color=2", "enhance_color"},
		{"algorithm=hillshade&bidx=1,1,1", "bidx"},
		{"algorithm=hillshade&algorithm_params=%7B%22azimuth%22:1e9%7D", "algorithm_params"},
		{"algorithm=hillshade&algorithm_params=%7B%22wind%22:1%7D", "algorithm_params"},
		{"algorithm=hillshade&algorithm_params=%7B%7D%7B%7D", "algorithm_params"},
		{"algorithm_params=%7B%7D", "algorithm_params"},
		{"store=somewhere&legend=Cover", "store"},
		{"store=session", "store"},
		{"formula=y*2", "formula"},
		{"expression=b1", "expression"},
		{"nodata=0", "nodata"},
		{"color_formula=gamma", "color_formula"},
		{"layers=a=1", "layers"},
		{"legend=100%", "legend"},
		{"legend=" + strings.Repeat("x", 3000), "legend"},
	} {
		for _, path := range []string{"/tiles/1/6/33/22.png?", "/layers/1/tilejson.json?"} {
			p := wantProblem(t, get(t, s, path+c.query), 400)
			if p.Parameter != c.parameter || p.Hint == "" && c.parameter != "colormap" {
				t.Errorf("%s%s: %+v", path, c.query, p)
			}
		}
	}
	for path, parameter := range map[string]string{
		"/tiles/1/6/33/22.tif?legend=Cover":                   "legend",
		"/tiles/1/6/33/22.tif?colormap_name=viridis":          "colormap_name",
		"/tiles/1/6/33/22.tif?enhance_color=2":                "enhance_color",
		"/tiles/1/6/33/22.tif?compress=brotli":                "compress",
		"/tiles/2/6/32/22.tif?compress=jpeg":                  "compress", // float32
		"/tiles/1/6/33/22.jpg?background=nocolour":            "background",
		"/tiles/2/6/32/22.jpg?algorithm=terrainrgb":           "algorithm",
		"/tiles/1/6/33/22.png?tilesize=300&resampling=cubic":  "resampling", // of classes
		"/tiles/1/8/132/88.png?resampling=bilinear":           "resampling",
		"/tiles/3/6/32/22.png?bidx=3,2,1&rescale=0,1,0,2":     "rescale",
		"/tiles/3/6/32/22.png?bidx=3,2,1&colormap_name=magma": "colormap_name",
		"/tiles/3/6/32/22.png?rescale=0,1,0,2":                "rescale",
		"/tiles/2/6/32/22.png?entries=1":                      "entries",
	} {
		if p := wantProblem(t, get(t, s, path), 400); p.Parameter != parameter {
			t.Errorf("%s: %+v", path, p)
		}
	}
	long := get(t, s, "/tiles/1/6/33/22.png?colormap="+strings.Repeat("x", 1<<20))
	if p := wantProblem(t, long, 414); !strings.Contains(p.Detail, "bytes") {
		t.Errorf("a query of a megabyte: %+v", p)
	}
}

// What map libraries and caches add does not change a tile.
func TestOtherParametersAreIgnored(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t)})
	want := get(t, s, "/tiles/1/6/33/22.png")
	for _, parameter := range []string{
		"v=old", "v=1&v=2", "_=1700000000", "cachebuster=1", "access_token=abc", "legend=", "bidx=", "enhance_color=1", "store=database",
		"aggregation=false", "unscale=0", "legend=&legend=",
	} {
		w := get(t, s, "/tiles/1/6/33/22.png?"+parameter)
		if wantStatus(t, w, 200); w.Body.String() != want.Body.String() || w.Header().Get("ETag") != want.Header().Get("ETag") {
			t.Errorf("%s changes the tile", parameter)
		}
	}
}

// Tiles that differ have other tags, and however the same is asked for, it has
// the same one.
func TestETagsNameWhatIsDrawn(t *testing.T) {
	st := drawn(t)
	update(t, st, func(ctx context.Context, tx store.Tx) error { // of the same entries as Cover
		return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "Twin", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "Forest"}, Expression: "1", Color: rasterbase.Color(forest)}}})
	})
	s := newServer(t, server.Config{Store: st, CompressMethod: "LZW"})
	seen := map[string]string{}
	for _, path := range []string{
		"/tiles/1/6/33/22.png", "/tiles/1/6/33/22.jpg", "/tiles/1/6/33/22.webp", "/tiles/1/6/33/22.tif", "/tiles/1/6/33/22.tif?compress=zstd",
		"/tiles/1/6/33/23.png", "/tiles/1/7/33/22.png", "/tiles/1/6/33/22@2x.png", "/tiles/1/6/33/22.png?tilesize=100",
		"/tiles/1/6/33/22.png?legend=only+towns", "/tiles/1/6/33/22.png?legend=twin", "/tiles/1/6/33/22.png?colormap=%7B%221%22:%22red%22%7D",
		"/tiles/1/6/33/22.png?colormap=%7B%221%22:%22blue%22%7D", "/tiles/1/6/33/22.png?entries=1", "/tiles/1/6/33/22.png?aggregation=true",
		"/tiles/1/6/33/22.png?enhance_color=0", "/tiles/1/6/33/22.png?enhance_contrast=0", "/tiles/1/6/33/22.jpg?background=black",
		"/tiles/1/6/33/22.png?rescale=0,5", "/tiles/1/6/33/22.png?rescale=0,6", "/tiles/1/6/33/22.png?colormap_name=viridis",
		"/tiles/1/6/33/22.png?colormap_name=viridis_r", "/tiles/1/6/33/22.png?unscale=true",
		"/tiles/2/6/33/22.png", "/tiles/2/6/33/22.png?algorithm=hillshade", "/tiles/2/6/33/22.png?algorithm=slope",
		"/tiles/2/6/33/22.png?algorithm=hillshade&algorithm_params=%7B%22azimuth%22:90%7D", "/tiles/2/6/33/22.png?resampling=bilinear",
		"/algebra/6/33/22.png?layers=r:0=3,g:1=3,b:2=3", "/algebra/6/33/22.png?layers=r:1=3,g:0=3,b:2=3", "/algebra/6/33/22.png?layers=r:0=3,g:1=3,b:2=2",
		"/algebra/6/33/22.png?layers=r:0=3,g:1=3,b:2=3&alpha", "/algebra/6/33/22.png?layers=r:0=3,g:1=3,b:2=3&scale=9",
	} {
		w := get(t, s, path)
		if path == "/algebra/6/33/22.png?layers=r:0=3,g:1=3,b:2=2" {
			wantProblem(t, w, 400) // there is one band
			continue
		}
		wantStatus(t, w, 200)
		tag := w.Header().Get("ETag")
		if other, ok := seen[tag]; ok || tag == "" {
			t.Errorf("%s and %s have the tag %s", path, other, tag)
		}
		seen[tag] = path
	}
	for _, same := range [][]string{
		{"/tiles/1/6/33/22.png", "/tiles/land-cover/6/33/22.png", "/tiles/landcover.tif/6/33/22.png?legend=cover", "/tiles/1/6/33/22.png?legend=1"},
		{"/tiles/2/6/32/22.png?rescale=0,10&unscale=1", "/tiles/2/6/32/22.png?unscale=TRUE&rescale=0.0,1e1", "/tiles/2/6/32/22.png?rescale=0%2C10&unscale=yes&v=3"},
		{"/tiles/3/6/32/22.png?bidx=3&bidx=2&bidx=1", "/tiles/3/6/32/22.png?bidx=3,2,1"},
		{"/tiles/2/6/32/22.png?colormap_name=Viridis", "/tiles/2/6/32/22.png?colormap_name=viridis"},
		{"/algebra/6/32/22.png?layers=r:0=3,g:1=3,b:2=3&scale=9", "/algebra/6/32/22.png?scale=0,9&layers=r=3,g:1=3,b:2=3"},
	} {
		first := get(t, s, same[0])
		wantStatus(t, first, 200)
		for _, path := range same[1:] {
			if w := get(t, s, path); w.Header().Get("ETag") != first.Header().Get("ETag") || w.Body.String() != first.Body.String() {
				t.Errorf("%s and %s are not the same", same[0], path)
			}
		}
	}
}

func TestOnlySoManyTilesAreDrawnAtOnce(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	var now, most atomic.Int32
	reading, goOn := make(chan struct{}, 16), make(chan struct{})
	s := newServer(t, server.Config{Store: faulty{st, func(ctx context.Context, k store.TileKey) (*raster.Raster, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		reading <- struct{}{}
		select {
		case <-goOn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return st.Tiles().Get(ctx, k)
	}}, MaxDrawing: 2})
	var all sync.WaitGroup
	ask := func(ctx context.Context, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		all.Go(func() { s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", path, nil)) })
		return w
	}
	var answers []*httptest.ResponseRecorder
	for _, place := range []string{"6/33/22", "6/34/22", "6/33/23", "6/34/23", "5/16/11", "5/17/11"} {
		answers = append(answers, ask(t.Context(), "/tiles/1/"+place+".png"))
	}
	<-reading
	<-reading
	// One that waits for its turn can leave, and does not hold up the others.
	leaving, leave := context.WithCancel(t.Context())
	gone := ask(leaving, "/tiles/1/4/8/5.png")
	time.Sleep(50 * time.Millisecond) // those that wait would be reading by now
	leave()
	close(goOn)
	all.Wait()
	for _, w := range answers {
		wantStatus(t, w, 200)
	}
	if gone.Code == 200 {
		t.Error("a tile was drawn for someone who had left")
	}
	if n := most.Load(); n != 2 {
		t.Errorf("%d tiles were drawn at once", n)
	}
	wantStatus(t, get(t, s, "/tiles/1/4/8/5.png"), 200)
}
