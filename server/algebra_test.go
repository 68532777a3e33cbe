package server_test

import (
	"image/color"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
)

func TestThreeBandsAreRedGreenAndBlue(t *testing.T) {
	st := drawn(t)
	small := ramp("Small tiles")
	small.TileSize, small.X, small.Y, small.Width, small.Height = 128, 32*128, 22*128, 128, 128
	small.Value = func(_, x, _ int) (float64, bool) { return float64(x), x >= 64 }
	add(t, st, small)
	s := newServer(t, server.Config{Store: st})
	for _, c := range []struct {
		name, query string
		x           int
		want        color.NRGBA
	}{
		{"of one layer", "layers=r:2=3,g:1=3,b:0=3&scale=0,51000", 128, color.NRGBA{192, 128, 64, 255}},
		{"the first band is 0", "layers=r=3,g=3,b:0=3&scale=0,25500", 128, color.NRGBA{128, 128, 128, 255}},
		{"by file name", "layers=r=scene,g=elevation,b=dem.tif&scale=255", 128, color.NRGBA{}},
		{"of several", "layers=r=3,g=2,b=1&rescale=0,25500,0,255,0,255", 128, color.NRGBA{128, 128, 0, 255}},
		{"one end alone", "layers=r=2,g=2,b=2&scale=255", 128, color.NRGBA{128, 128, 128, 255}},
		{"by percentiles", "layers=r=2,g=2,b=2", 128, color.NRGBA{128, 128, 128, 255}},
		{"real values", "layers=r=3,g:1=3,b:2=3&unscale=true&scale=5,5105", 100, color.NRGBA{50, 100, 150, 255}},
		{"tiles of another size", "layers=r=4,g=2,b=2&rescale=0,127,0,255,0,255", 192, color.NRGBA{192, 192, 192, 255}},
		{"invalid in one", "layers=r=4,g=2,b=2&rescale=0,127,0,255,0,255", 64, color.NRGBA{0, 64, 64, 255}},
		{"invalid in one, with alpha", "layers=r=4,g=2,b=2&rescale=0,127,0,255,0,255&alpha", 64, color.NRGBA{}},
		{"black", "layers=r=2,g=2,b=2&scale=255", 0, color.NRGBA{0, 0, 0, 255}},
		{"black, with alpha", "layers=r=2,g=2,b=2&scale=255&alpha=true", 0, color.NRGBA{}},
		{"not black, with alpha", "layers=r=2,g=2,b=2&scale=255&alpha=1", 3, color.NRGBA{3, 3, 3, 255}},
		{"a size", "layers=r=2,g=2,b=2&scale=255&tilesize=512", 256, color.NRGBA{128, 128, 128, 255}},
		{"enhanced", "layers=r=2,g=2,b=2&scale=255&enhance_brightness=0.5", 128, color.NRGBA{64, 64, 64, 255}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := get(t, s, "/algebra/6/32/22.png?"+c.query)
			if c.name == "by file name" { // that two layers have
				p := wantProblem(t, w, 409)
				if p.Parameter != "layers" {
					t.Errorf("%+v", p)
				}
				return
			}
			if got := at(wantPNG(t, w), c.x, 0); !near(got, c.want) {
				t.Errorf("pixel %d is %v, want %v", c.x, got, c.want)
			}
		})
	}
	if b := wantPNG(t, get(t, s, "/algebra/6/32/22.png?layers=r=4,g=4,b=4")).Bounds(); b.Dx() != 128 {
		t.Errorf("tiles of 128 pixels make one of %v", b)
	}
	wantTransparent(t, wantPNG(t, get(t, s, "/algebra/6/0/0.png?layers=r=3,g=2,b=1")))
	wantTransparent(t, wantPNG(t, get(t, s, "/algebra/100/0/0@2x.png?layers=r=3,g=2,b=4")))
	tif := get(t, s, "/algebra/6/32/22.tif?layers=r=3,g:1=3,b:2=3")
	if wantStatus(t, tif, 200); tif.Header().Get("Content-Type") != "image/tiff" || tif.Body.Len() < 3*256*256*4 {
		t.Errorf("%s of %d bytes", tif.Header().Get("Content-Type"), tif.Body.Len())
	}
}

func TestMistakesInAlgebraAreTold(t *testing.T) {
	st := drawn(t)
	hidden := ramp("Hidden")
	hidden.Layer.Visibility = rasterbase.Private
	add(t, st, hidden)
	create(t, st, rasterbase.Layer{Name: "Never", Visibility: rasterbase.Public})
	flat := ramp("Base only")
	flat.NoPyramid = true
	add(t, st, flat)
	s := newServer(t, server.Config{Store: st})
	for _, c := range []struct {
		query, parameter string
		status           int
	}{
		{"", "layers", 400},
		{"layers=", "layers", 400},
		{"layers=r", "layers", 400},
		{"layers=r=", "layers", 400},
		{"layers==1", "layers", 400},
		{"layers=r=1", "layers", 400},
		{"layers=r=1,g=1", "layers", 400},
		{"layers=a=1", "layers", 400},
		{"layers=r=1,g=1,b=1,a=1", "layers", 400},
		{"layers=r=1,r=1,g=1,b=1", "layers", 400},
		{"layers=r:x=1,g=1,b=1", "layers", 400},
		{"layers=r:-1=1,g=1,b=1", "layers", 400},
		{"layers=r:1=1,g=1,b=1", "layers", 400},
		{"layers=r:99999999999=1,g=1,b=1", "layers", 400},
		{"layers=" + strings.Repeat("r=1,", 400), "layers", 400},
		{"layers=r=1,g=1,b=77", "layers", 404},
		{"layers=r=1,g=1,b=hidden", "layers", 404},
		{"layers=r=1,g=1,b=never", "layers", 404},
		{"layers=r=1,g=1,b=base-only", "layers", 404},
		{"layers=a=1&formula=a*b", "formula", 400},
		{"layers=a=1,b=1&formula=a", "layers", 400},
		{"layers=a=1&formula=3*a+bc+abc/", "formula", 400},
		{"formula=a", "layers", 400},
		{"layers=a=77&formula=a", "layers", 404},
		{"layers=a=1,b=hidden&formula=a-b", "layers", 404},
		{"layers=a=1&formula=1e999*a", "formula", 400},
		{"layers=a=1&formula=" + strings.Repeat("(", 10000) + "a", "formula", 400},
		{"layers=a=1&formula=median(a)", "formula", 400},
		{"layers=a:7=1&formula=a", "layers", 400},
		{"layers=a=1&formula=a&grid=b", "grid", 400},
		{"layers=a=1&formula=a&alpha=1", "alpha", 400},
		{"layers=a=1&formula=a&bidx=2", "bidx", 400},
		{"layers=a=1&formula=a&legend=77", "legend", 404},
		{"layers=a=base-only&formula=a", "layers", 404},
		{"layers=r=1,g=1,b=1&grid=r", "grid", 400},
		{"layers=r=1,g=1,b=1&scale=1,2,3,4", "scale", 400},
		{"layers=r=1,g=1,b=1&scale=x", "scale", 400},
		{"layers=r=1,g=1,b=1&scale=-5", "scale", 400},
		{"layers=r=1,g=1,b=1&scale=5&rescale=0,5", "rescale", 400},
		{"layers=r=1,g=1,b=1&rescale=0,5,0,5", "rescale", 400},
		{"layers=r=1,g=1,b=1&legend=Cover", "legend", 400},
		{"layers=r=1,g=1,b=1&bidx=1", "bidx", 400},
		{"layers=r=1,g=1,b=1&algorithm=hillshade", "algorithm", 400},
		{"layers=r=1,g=1,b=1&alpha=perhaps", "alpha", 400},
		{"layers=r=1,g=1,b=1&resampling=bilinear&tilesize=300", "resampling", 400},
	} {
		if p := wantProblem(t, get(t, s, "/algebra/6/33/22.png?"+c.query), c.status); p.Parameter != c.parameter || p.Hint == "" && c.status == 400 {
			t.Errorf("%s: %+v", c.query, p)
		}
	}
	wantProblem(t, get(t, s, "/algebra/6/99/22.png?layers=r=1,g=1,b=1"), 404)
	wantProblem(t, get(t, s, "/algebra/6/33/22.gif?layers=r=1,g=1,b=1"), 400)
	w := get(t, s, "/algebra/6/33/22.tif?layers=r=1,g=1,b=1&scale=5")
	if p := wantProblem(t, w, 400); p.Parameter != "scale" {
		t.Errorf("%+v", p)
	}
}

// A layer that not all may read makes a picture that nobody may keep.
func TestAPictureWithAPrivateLayerIsPrivate(t *testing.T) {
	st := drawn(t)
	hidden := ramp("Hidden")
	hidden.Layer.Visibility = rasterbase.Private
	add(t, st, hidden)
	s := newServer(t, server.Config{Store: st, Auth: openAuth{}})
	const path = "/algebra/6/32/22.png?layers=r=2,g=2,b="
	if got := get(t, s, path+"2").Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("public layers: %q", got)
	}
	w := get(t, s, path+"hidden")
	if wantStatus(t, w, 200); w.Header().Get("Cache-Control") != "private, no-store" {
		t.Errorf("with a private layer: %v", w.Header())
	}
}

// Three bands of formulas are as much work as these are together, and are worked on in
// turns as other formulas are.
func TestThreeBandsOfFormulasAreBounded(t *testing.T) {
	st := newStore(t)
	dem := add(t, st, ramp("dem"))
	for _, name := range []string{"R", "G", "B"} {
		create(t, st, formulaOf(name, "sin(h)"+strings.Repeat("+sin(h)", 40), called("h", dem)))
	}
	s := newServer(t, server.Config{Store: st})
	const path = "/algebra/6/32/22.png?tilesize=1024&rescale=-40,40&layers="
	wantStatus(t, get(t, s, path+"r=r,g=r,b=r"), 200)
	if p := wantProblem(t, get(t, s, path+"r=r,g=g,b=b"), 400); p.Parameter != "layers" {
		t.Errorf("%+v", p)
	}
	wantStatus(t, get(t, s, strings.Replace(path, "1024", "512", 1)+"r=r,g=g,b=b"), 200)
}

// What a formula's colours are spread over is found out in its client's turn, once; what
// is known or given takes no turn.
func TestEstimatesTakeTurns(t *testing.T) {
	st := newStore(t)
	dem := add(t, st, ramp("dem"))
	create(t, st, formulaOf("Twice", "h*2", called("h", dem)))
	for _, timeout := range []time.Duration{0, -1} { // with what is remembered, and without
		s := newServer(t, server.Config{Store: st, MaxPerClient: 1, CacheTimeout: timeout})
		const formula = "/algebra/tilejson.json?layers=h=dem&formula="
		free := s.Occupy("192.0.2.1:1234")
		wantStatus(t, get(t, s, formula+"h*3&rescale=0,9"), 200)
		for _, path := range []string{formula + "h*3", "/layers/twice/tilejson.json", "/layers/twice", "/algebra/6/32/22.png?layers=r=twice,g=twice,b=twice"} {
			wantProblem(t, get(t, s, path), 429)
		}
		free()
		for _, path := range []string{formula + "h*3", "/layers/twice"} {
			wantStatus(t, get(t, s, path), 200)
		}
		free = s.Occupy("192.0.2.1:1234")
		for _, path := range []string{formula + "h*3", "/layers/twice", "/layers/twice/tilejson.json"} {
			wantStatus(t, get(t, s, path), 200)
		}
		free()
	}
}

// A layer cannot be called as a constant is.
func TestLayersAreNotCalledAsConstants(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newServer(t, server.Config{Store: st})
	for name, says := range map[string]string{"E": "constant", "PI": "constant", "TRUE": "constant", "b": "does not use"} {
		p := wantProblem(t, get(t, s, "/pixel/5/48?srid=4326&formula=2&layers="+name+"=1"), 400)
		if !strings.Contains(p.Detail, says) || p.Parameter != "layers" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
