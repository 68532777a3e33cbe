package server_test

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"image/jpeg"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/webp"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

func colormap(json string) string { return "colormap=" + url.QueryEscape(json) }

// near compares colours with what rounding and a ramp of 256 steps leave.
func near(a, b color.NRGBA) bool {
	close := func(a, b uint8) bool { return abs(int(a)-int(b)) <= 2 }
	return close(a.R, b.R) && close(a.G, b.G) && close(a.B, b.B) && a.A == b.A
}

func TestTilesAreDrawnAsAsked(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t)})
	grey := func(v uint8) color.NRGBA { return color.NRGBA{v, v, v, 255} }
	red, blue, clear := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 0, 255, 255}, color.NRGBA{}
	for _, c := range []struct {
		name, path string
		x, y       int
		want       color.NRGBA
	}{
		{"a legend by id", "/tiles/1/6/33/22.png?legend=2", 0, 0, town},
		{"a legend in any case", "/tiles/1/6/33/22.png?legend=ONLY+TOWNS", 0, 0, town},
		{"a colormap", "/tiles/1/6/33/22.png?" + colormap(`{"1": [255,0,0,255]}`), 0, 0, red},
		{"a colormap leaves out", "/tiles/1/6/33/22.png?" + colormap(`{"1": [255,0,0,255]}`), 200, 0, clear},
		{"a colormap of expressions", "/tiles/1/6/33/22.png?" + colormap(`{"x > 0": "red", "x > 1": "0000FF"}`), 200, 0, blue},
		{"intervals", "/tiles/2/6/32/22.png?" + colormap(`[[[0,100],[255,0,0,255]],[[100,300],[0,0,255,255]]]`), 100, 0, blue},
		{"continuous", "/tiles/2/6/32/22.png?" + colormap(`{"continuous": true, "from": "red", "to": "blue"}`), 255, 0, blue},
		{"a named colormap", "/tiles/2/6/32/22.png?colormap_name=viridis", 0, 0, color.NRGBA{68, 1, 84, 255}},
		{"its end", "/tiles/2/6/32/22.png?colormap_name=viridis", 255, 0, color.NRGBA{253, 231, 37, 255}},
		{"its reverse", "/tiles/2/6/32/22.png?colormap_name=VIRIDIS_R", 255, 0, color.NRGBA{68, 1, 84, 255}},
		{"within a range", "/tiles/2/6/32/22.png?colormap_name=viridis&rescale=0,100", 100, 0, color.NRGBA{253, 231, 37, 255}},
		{"grey within a range", "/tiles/2/6/32/22.png?rescale=0,100", 50, 0, grey(128)},
		{"classes in grey", "/tiles/1/6/33/22.png?rescale=1,3", 200, 0, grey(128)},
		{"an entry", "/tiles/1/6/33/22.png?entries=2", 200, 0, water},
		{"no other", "/tiles/1/6/33/22.png?entries=2", 0, 0, clear},
		{"an entry by name", "/tiles/1/6/33/22.png?entries=forest,2", 0, 0, forest},
		{"an entry of a colormap", "/tiles/1/6/33/22.png?entries=1&" + colormap(`{"1": "red", "2": "blue"}`), 200, 0, clear},
		{"a second band", "/tiles/3/6/32/22.png?bidx=2&rescale=0,51000", 128, 0, grey(128)},
		{"three bands", "/tiles/3/6/32/22.png?bidx=3,2,1&rescale=0,51000", 128, 0, color.NRGBA{192, 128, 64, 255}},
		{"three ranges", "/tiles/3/6/32/22.png?bidx=3&bidx=2&bidx=1&rescale=0,76500&rescale=0,51000&rescale=0,25500", 128, 0, grey(128)},
		{"by percentiles", "/tiles/3/6/32/22.png?bidx=3,2,1", 254, 0, grey(255)},
		{"bands in the middle of them", "/tiles/3/6/32/22.png?bidx=6,4,2", 127, 0, grey(127)},
		{"real values", "/tiles/3/6/32/22.png?unscale=true&" + colormap(`{"x == 1005": "red"}`), 100, 0, red},
		{"real values in a range", "/tiles/3/6/32/22.png?unscale=true&rescale=5,2555", 100, 0, grey(100)},
		{"three of real values", "/tiles/3/6/32/22.png?unscale=true&rescale=5,2555&bidx=1,1,1", 100, 0, grey(100)},
		{"darker", "/tiles/1/6/33/22.png?enhance_brightness=0", 0, 0, color.NRGBA{0, 0, 0, 255}},
		{"other sizes", "/tiles/1/6/33/22.png?tilesize=512", 511, 0, water},
		{"twice the pixels", "/tiles/1/6/33/22@2x.png", 255, 0, forest},
		{"between pixels", "/tiles/2/7/64/44.png?resampling=bilinear&rescale=0,255", 101, 0, grey(50)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := at(wantPNG(t, get(t, s, c.path)), c.x, c.y); !near(got, c.want) {
				t.Errorf("%s: pixel %d,%d is %v, want %v", c.path, c.x, c.y, got, c.want)
			}
		})
	}
}

func TestTilesHaveTheSizeAskedFor(t *testing.T) {
	st := newStore(t)
	for _, size := range []int{100, 256, 512} {
		l := ramp(fmt.Sprint("Size ", size))
		l.TileSize, l.X, l.Y, l.Width, l.Height = size, 32*size, 22*size, size, size
		l.Value = func(_, x, _ int) (float64, bool) { return math.Floor(float64(x) * 256 / float64(size)), true }
		add(t, st, l)
	}
	s := newServer(t, server.Config{Store: st})
	for path, side := range map[string]int{
		"6/32/22.png": 0, "6/32/22@2x.png": -2, "6/32/22.png?tilesize=64": 64, "6/32/22.png?tilesize=300": 300, "6/32/22@2x.png?tilesize=256": 512,
		"9/256/176.png?tilesize=512": 512, "6/0/0@2x.png": -2, "100/0/0@2x.png?tilesize=512": 1024,
	} {
		for i, own := range []int{100, 256, 512} {
			want := side
			if side <= 0 {
				want = own * max(1, -side)
			}
			img := wantPNG(t, get(t, s, fmt.Sprintf("/tiles/%d/%s", i+1, path)))
			if b := img.Bounds(); b.Dx() != want || b.Dy() != want {
				t.Errorf("%s of a layer of %d pixels: %v", path, own, b)
			}
			if c := at(img, want/2, 0); strings.HasPrefix(path, "6/32/") && abs(int(c.R)-128) > 3 {
				t.Errorf("%s of a layer of %d pixels has %v in the middle", path, own, c)
			}
		}
	}
}

func TestTilesHaveTheFormatAskedFor(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t)})
	pic := get(t, s, "/tiles/1/6/34/22.webp")
	wantStatus(t, pic, 200)
	img, err := webp.Decode(pic.Body)
	if err != nil || pic.Header().Get("Content-Type") != "image/webp" {
		t.Fatalf("%v, %s", err, pic.Header().Get("Content-Type"))
	}
	if at(img, 0, 0) != town || at(img, 255, 0).A != 0 {
		t.Errorf("the WebP has %v and %v", at(img, 0, 0), at(img, 255, 0))
	}
	for query, back := range map[string]color.NRGBA{"": {255, 255, 255, 255}, "?background=black": {0, 0, 0, 255}, "?background=00f": {0, 0, 255, 255}} {
		w := get(t, s, "/tiles/1/6/34/22.jpeg"+query)
		wantStatus(t, w, 200)
		img, err := jpeg.Decode(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := at(img, 250, 250); abs(int(got.R)-int(back.R)) > 4 || abs(int(got.B)-int(back.B)) > 4 {
			t.Errorf("%s: the background is %v", query, got)
		}
	}
	var sizes []int
	for _, path := range []string{"1/6/33/22.tif", "2/6/32/22.tiff?compress=deflate", "3/6/32/22.tif?compress=none", "3/6/32/22.tif?bidx=2,3,4&unscale=true", "2/6/32/22.tif?algorithm=slope", "1/100/0/0.tif"} {
		w := get(t, s, "/tiles/"+path)
		wantStatus(t, w, 200)
		if w.Header().Get("Content-Type") != "image/tiff" || !bytes.HasPrefix(w.Body.Bytes(), []byte("II*\x00")) {
			t.Errorf("%s is no TIFF: %s %q", path, w.Header().Get("Content-Type"), w.Body.Bytes()[:8])
		}
		sizes = append(sizes, w.Body.Len())
	}
	if all := 6 * 256 * 256 * 4; sizes[2] < all || sizes[3] < 3*256*256*8 {
		t.Errorf("GeoTIFFs of %d bytes do not hold their values", sizes)
	}
}

func TestTheDescriptionOfTilesHoldsWhatWasAsked(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t)})
	type tileJSON struct {
		Tiles            []string
		MinZoom, MaxZoom int
		TileSize         int
		Legend, TileJSON string
	}
	for query, want := range map[string]struct {
		path    string
		maxZoom int
		size    int
	}{
		"":                                     {"tiles/1/6/33/22.png?v=", 6, 256},
		"legend=only+towns":                    {"tiles/1/6/33/22.png?legend=only+towns&v=", 6, 256},
		"tilesize=512&format=webp":             {"tiles/1/6/33/22.webp?tilesize=512&v=", 5, 512},
		"tilesize=128&entries=1":               {"tiles/1/6/33/22.png?entries=1&tilesize=128&v=", 7, 128},
		"tilesize=100&unscale=1":               {"tiles/1/6/33/22.png?tilesize=100&unscale=true&v=", 8, 100},
		"rescale=0,10&utm_source=x&v=1":        {"tiles/1/6/33/22.png?rescale=0%2C10&v=", 6, 256},
		"format=jpeg&background=navy":          {"tiles/1/6/33/22.jpg?background=%23000080&v=", 6, 256},
		"format=tif&compress=ZSTD":             {"tiles/1/6/33/22.tif?compress=zstd&v=", 6, 256},
		"colormap=%7B+%221%22%3A+%22red%22%7D": {"tiles/1/6/33/22.png?colormap=%7B%221%22%3A%22red%22%7D&v=", 6, 256},
	} {
		doc := decode[tileJSON](t, get(t, s, "/layers/1/tilejson.json?"+query))
		address := strings.NewReplacer("{z}", "6", "{x}", "33", "{y}", "22").Replace(doc.Tiles[0])
		before, _, _ := strings.Cut(address, "v=")
		if !strings.HasSuffix(before+"v=", want.path) || doc.MaxZoom != want.maxZoom || doc.TileSize != want.size || doc.MinZoom != 0 {
			t.Errorf("%s: %+v, want %+v", query, doc, want)
		}
		w := get(t, s, address)
		wantStatus(t, w, 200)
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=86400, immutable" {
			t.Errorf("%s: %s may be kept %q", query, address, got)
		}
	}
	if p := wantProblem(t, get(t, s, "/layers/1/tilejson.json?format=gif"), 400); p.Parameter != "format" {
		t.Errorf("%+v", p)
	}
}

func TestCountsOfEntriesInAHeader(t *testing.T) {
	st := drawn(t)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "Ranges", Entries: []rasterbase.Entry{
			{Semantics: rasterbase.Semantics{Name: "all"}, Expression: "x >= 0", Color: rasterbase.Color(forest)},
			{Semantics: rasterbase.Semantics{Name: "high"}, Expression: "(x >= 100) & (x < 156)", Color: rasterbase.Color(town)},
		}})
	})
	s := newServer(t, server.Config{Store: st})
	for path, want := range map[string]string{
		"/tiles/1/6/33/22.png":                                 "",
		"/tiles/1/6/33/22.png?aggregation=true":                `{"1": 32768, "2": 32768, "3": 0}`,
		"/tiles/1/6/34/22.png?aggregation=true":                `{"1": 0, "2": 0, "3": 32768}`,
		"/tiles/1/6/34/22.png?aggregation=true&entries=1,town": `{"1": 0, "3": 32768}`,
		"/tiles/2/6/32/22.png?aggregation=true&legend=ranges":  `{"x >= 0": 51200, "(x >= 100) & (x < 156)": 14336}`,
		"/tiles/2/6/32/22.png?aggregation=true":                "{}",
		"/tiles/2/6/32/22.png?aggregation=1&colormap_name=jet": "{}",
		"/tiles/1/6/0/0.png?aggregation=true":                  `{"1": 0, "2": 0, "3": 0}`,
		"/tiles/1/100/0/0.png?aggregation=true":                `{"1": 0, "2": 0, "3": 0}`,
	} {
		path = strings.Replace(path, "jet", "viridis", 1)
		for range 2 { // drawn, and from the cache
			w := get(t, s, path)
			wantStatus(t, w, 200)
			if got := w.Header().Get("Aggregation"); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	}
	long := &rasterbase.Legend{Title: "Long"}
	for i := range 5000 {
		long.Entries = append(long.Entries, rasterbase.Entry{Semantics: rasterbase.Semantics{Name: fmt.Sprint("class ", i)}, Expression: fmt.Sprint(i), Color: rasterbase.Color(water)})
	}
	update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Create(ctx, long) })
	w := get(t, s, "/tiles/1/6/33/22.png?aggregation=true&legend=long")
	if got := w.Header().Get("Aggregation"); w.Code != 200 || got != `{"1": 32768, "2": 32768}` {
		t.Errorf("entries without pixels are not left out of a long header: %d, %.100s", w.Code, got)
	}
	many := ramp("Many")
	many.Value = func(_, x, y int) (float64, bool) { return float64(x + 256*y), true }
	add(t, st, many)
	if p := wantProblem(t, get(t, s, "/tiles/many/6/32/22.png?aggregation=true&legend=long"), 400); p.Parameter != "aggregation" {
		t.Errorf("counts of 5,000 values: %+v", p)
	}
}

func TestEmptyTilesCanBeAnsweredWithoutABody(t *testing.T) {
	s := newServer(t, server.Config{Store: drawn(t), EmptyTile204: true})
	for path, status := range map[string]int{
		"/tiles/1/6/0/0.png": 204, "/tiles/1/6/33/22.png": 200, "/tiles/1/6/34/22.png": 200, "/tiles/2/6/0/0.jpg": 204, "/tiles/3/6/0/0.webp": 204,
		"/tiles/1/100/0/0.png": 204, "/tiles/2/6/0/0.tif": 204, "/tiles/2/6/0/0.png?algorithm=hillshade": 204,
		"/algebra/6/0/0.png?layers=r=3,g=3,b=2": 204, "/algebra/6/32/22.png?layers=r=3,g=3,b=2": 200, "/tiles/1/6/64/0.png": 404,
	} {
		for range 2 {
			w := get(t, s, path)
			if w.Code != status || status == 204 && (w.Body.Len() > 0 || w.Header().Get("ETag") == "") {
				t.Errorf("%s: %d, %d bytes, %v", path, w.Code, w.Body.Len(), w.Header())
			}
		}
	}
}

func TestAddressesWithoutAVersionCanBeKept(t *testing.T) {
	st := drawn(t)
	s := newServer(t, server.Config{Store: st, NoRevalidate: true, CacheTimeout: time.Hour})
	current := decode[struct{ Tiles []string }](t, get(t, s, "/layers/1/tilejson.json")).Tiles[0]
	current = strings.NewReplacer("{z}", "6", "{x}", "33", "{y}", "22").Replace(current)
	for path, want := range map[string]string{
		"/tiles/1/6/33/22.png": "public, max-age=3600", "/tiles/1/6/33/22.png?v=old": "public, max-age=3600",
		current: "public, max-age=3600, immutable", "/algebra/6/32/22.png?layers=r=3,g=3,b=3": "public, max-age=3600",
	} {
		if got := get(t, s, path).Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	off := newServer(t, server.Config{Store: st, NoRevalidate: true, CacheTimeout: -1})
	if got := get(t, off, "/tiles/1/6/33/22.png").Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("with caching off: %q", got)
	}
}

// A layer's own legend can be a gradient, over its own range if it names none.
func TestALegendCanBeAGradient(t *testing.T) {
	st := newStore(t)
	lg := &rasterbase.Legend{Title: "Heat", Gradient: &rasterbase.Gradient{Relative: true, Interpolation: rasterbase.Linear, Stops: []rasterbase.Stop{
		{At: 0, Color: rasterbase.Color{R: 0, G: 0, B: 0, A: 255}}, {At: 1, Color: rasterbase.Color{R: 250, G: 0, B: 0, A: 255}},
	}}}
	update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Create(ctx, lg) })
	spec := ramp("Elevation")
	spec.Layer.Legend = lg.ID
	add(t, st, spec)
	s := newServer(t, server.Config{Store: st})
	for path, want := range map[string]color.NRGBA{
		"/tiles/1/6/32/22.png":                  {125, 0, 0, 255},
		"/tiles/1/6/32/22.png?rescale=0,512":    {62, 0, 0, 255},
		"/tiles/1/6/32/22.png?rescale=-256,128": {250, 0, 0, 255},
	} {
		if got := at(wantPNG(t, get(t, s, path)), 128, 0); !near(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if page := get(t, s, "/").Body.String(); !strings.Contains(page, "Colours from 0 to 255") || !strings.Contains(page, `stop-color="#FA0000"`) {
		_, after, _ := strings.Cut(page, "<linearGradient")
		t.Errorf("the page does not explain the gradient: %.500s", after)
	}
	before := get(t, s, "/tiles/1/6/32/22.png").Header().Get("ETag")
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		lg.Gradient.Stops[1].Color.G = 9
		return tx.Legends().Update(ctx, lg)
	})
	if get(t, s, "/tiles/1/6/32/22.png").Header().Get("ETag") == before {
		t.Error("the tag does not follow the gradient")
	}
}

// as is an Auth under which the header X-Name tells who asks.
type as struct{ rasterbase.ReadPublic }

func (as) Principal(r *http.Request) (rasterbase.Principal, error) {
	return rasterbase.Principal{Name: r.Header.Get("X-Name")}, nil
}

func TestAColormapOfOnesOwn(t *testing.T) {
	st := drawn(t)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		for owner, c := range map[string]string{"anna": "red", "bert": "blue"} {
			if err := tx.Colormaps().Put(ctx, &rasterbase.UserColormap{Owner: owner, Name: "Mine", JSON: []byte(`{"1": "` + c + `"}`)}); err != nil {
				return err
			}
		}
		return nil
	})
	s := newServer(t, server.Config{Store: st, Auth: as{}})
	const path = "/tiles/1/6/33/22.png?store=session&legend=mine"
	for name, want := range map[string]color.NRGBA{"anna": {255, 0, 0, 255}, "bert": {0, 0, 255, 255}} {
		w := get(t, s, path, "X-Name", name)
		if got := at(wantPNG(t, w), 0, 0); got != want {
			t.Errorf("%s gets %v", name, got)
		}
		if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
			t.Errorf("it may be kept %q", got)
		}
	}
	if p := wantProblem(t, get(t, s, path), 401); p.Parameter != "store" {
		t.Errorf("nobody: %+v", p)
	}
	if p := wantProblem(t, get(t, s, strings.Replace(path, "mine", "cover", 1), "X-Name", "anna"), 404); p.Parameter != "legend" {
		t.Errorf("another's: %+v", p)
	}
	wantProblem(t, get(t, s, "/tiles/1/6/33/22.png?legend=mine", "X-Name", "anna"), 404)
}

// A layer drawn a second time, with a legend, without bands that can be coloured.
func TestPicturesKeepTheirOwnColours(t *testing.T) {
	st := newStore(t)
	photo := ramp("Photo")
	photo.Bands = []rasterbase.Band{{PixelType: rasterbase.Uint8}, {PixelType: rasterbase.Uint8}, {PixelType: rasterbase.Uint8}}
	photo.Value = func(band, x, _ int) (float64, bool) { return float64(x/8 + band), true }
	add(t, st, photo)
	s := newServer(t, server.Config{Store: st})
	for path, want := range map[string]color.NRGBA{
		"/tiles/1/6/32/22.png":              {10, 11, 12, 255},
		"/tiles/1/6/32/22.png?bidx=3,2,1":   {12, 11, 10, 255},
		"/tiles/1/6/32/22.png?rescale=0,25": {102, 112, 122, 255},
	} {
		if got := at(wantPNG(t, get(t, s, path)), 80, 0); !near(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// JPEG changes values: it is not for classes, and not where nobody asked for it.
func TestGeoTIFFsAsJPEG(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Cover", nil))
	add(t, st, ramp("Heights"))
	s := newServer(t, server.Config{Store: st, CompressMethod: "JPEG"})
	if p := wantProblem(t, get(t, s, "/tiles/cover/6/33/22.tif?compress=jpeg"), 400); p.Parameter != "compress" {
		t.Errorf("%+v", p)
	}
	deflated := newServer(t, server.Config{Store: st, CompressMethod: "DEFLATE"})
	for _, path := range []string{"/tiles/cover/6/33/22.tif", "/tiles/heights/6/32/22.tif"} {
		got, want := get(t, s, path), get(t, deflated, path)
		wantStatus(t, got, 200)
		if !bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
			t.Errorf("%s is not packed with DEFLATE", path)
		}
	}
}
