package zonal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
)

// ellipsoidArea is that of WGS 84, in square metres: 2πa² + πb²/e ln((1+e)/(1-e)).
const ellipsoidArea = 510065621724088.4

func newTestGround(t interface {
	Helper()
	Fatal(...any)
}, g rasterbase.Grid, srid int, tr crs.Transformer) *ground {
	t.Helper()
	out, err := newGround(g, rasterbase.CRS{SRID: srid}, tr)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func northUp(x, y, size float64) rasterbase.Grid {
	return rasterbase.Grid{Width: 1 << 20, Height: 1 << 20, OriginX: x, OriginY: y, ScaleX: size, ScaleY: -size}
}

// one is the area of one pixel.
func one(t *testing.T, g *ground, col, row int) float64 {
	t.Helper()
	a, err := g.of(t.Context(), raster.Rect{X: col, Y: row, Width: 1, Height: 1})
	if err != nil {
		t.Fatal(err)
	}
	return areaAt(a, 1, 0, 0)
}

// Rectangles have one area, one a row or one a pixel, and each is close to what the
// pixel alone has.
func TestGroundOfRectangles(t *testing.T) {
	turned := func(g rasterbase.Grid) rasterbase.Grid {
		g.SkewX, g.SkewY = g.ScaleX/3, g.ScaleX/4
		return g
	}
	for _, tt := range []struct {
		name string
		grid rasterbase.Grid
		srid int
		rect raster.Rect
		form string
	}{
		{"fine degrees", northUp(8, 50, 1e-6), 4326, raster.Rect{Width: 256, Height: 256}, "uniform"},
		{"degrees", northUp(8, 50, 0.001), 4326, raster.Rect{Width: 256, Height: 256}, "rows"},
		{"one row of degrees", northUp(8, 50, 0.1), 4326, raster.Rect{Y: 3, Width: 256, Height: 1}, "uniform"},
		{"degrees alike on both sides of the equator", northUp(8, 0.5, 0.01), 4326, raster.Rect{Width: 10, Height: 100}, "uniform"},
		{"degrees of a hemisphere each", northUp(8, 60, 0.5), 4326, raster.Rect{Width: 10, Height: 240}, "rows"},
		{"degrees to the pole", northUp(8, 90, 0.01), 4326, raster.Rect{Width: 4, Height: 64}, "rows"},
		{"mercator", northUp(0, 7e6, 100), 3857, raster.Rect{Width: 256, Height: 256}, "rows"},
		{"fine mercator", northUp(0, 7e6, 0.5), 900913, raster.Rect{Width: 256, Height: 256}, "uniform"},
		{"UTM", northUp(400000, 5e6, 10), 32633, raster.Rect{X: 512, Y: 256, Width: 256, Height: 256}, "uniform"},
		{"UTM across the middle", northUp(499000, 5e6, 10), 32633, raster.Rect{Width: 256, Height: 256}, "uniform"},
		{"coarse UTM", northUp(700000, 5e6, 1000), 32633, raster.Rect{Width: 200, Height: 300}, "pixels"},
		{"coarse UTM across the middle", northUp(300000, 5e6, 3000), 32633, raster.Rect{Width: 150, Height: 64}, "pixels"},
		{"UTM turned", turned(northUp(700000, 5e6, 500)), 32633, raster.Rect{Width: 100, Height: 256}, "pixels"},
		{"few coarse pixels", northUp(700000, 5e6, 9000), 32633, raster.Rect{Width: 12, Height: 7}, "pixels"},
		{"mercator turned", turned(northUp(0, 7e6, 800)), 3857, raster.Rect{Width: 128, Height: 128}, "pixels"},
		{"degrees turned", turned(northUp(100, 10, 0.05)), 4326, raster.Rect{Width: 256, Height: 256}, "pixels"},
		{"LAEA", northUp(4e6, 3e6, 1000), 3035, raster.Rect{Width: 256, Height: 256}, "uniform"},
		{"polar", northUp(-100000, 90000, 1000), 3995, raster.Rect{Width: 256, Height: 256}, "pixels"},
		{"coarse polar", northUp(-6e6, 6e6, 50000), 3995, raster.Rect{Width: 240, Height: 240}, "pixels"},
		{"NAD83 degrees", northUp(-100, 40, 0.01), 4269, raster.Rect{Width: 40, Height: 50}, "rows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newTestGround(t, tt.grid, tt.srid, groundTransformer(t, tt.srid))
			a, err := g.of(t.Context(), tt.rect)
			if err != nil {
				t.Fatal(err)
			}
			form, within := "uniform", uniformWithin
			switch {
			case a.pixels != nil:
				form, within = "pixels", 1e-7
			case a.rows != nil:
				form, within = "rows", 1e-6
			}
			if form != tt.form || form != "uniform" && a.uniform != 0 || a.rows != nil && len(a.rows) != tt.rect.Height || a.pixels != nil && len(a.pixels) != tt.rect.Width*tt.rect.Height {
				t.Fatalf("areas are %s: %d rows, %d pixels", form, len(a.rows), len(a.pixels))
			}
			r := tt.rect
			for i := range 40 {
				col, row := i*7919%r.Width, i*104729%r.Height
				if i == 0 {
					col, row = r.Width-1, r.Height-1
				}
				got, want := areaAt(a, r.Width, col, row), one(t, g, r.X+col, r.Y+row)
				if !(want > 0) || !(math.Abs(got-want) <= within*want) {
					t.Errorf("pixel %d,%d has %v m2, alone %v", col, row, got, want)
				}
			}
		})
	}
}

// A pixel has the area of its parts, however large and wherever it is.
func TestGroundAddsUp(t *testing.T) {
	type place struct {
		srid         int
		x, y, around float64
		size         [2]float64
	}
	places := []place{
		{4326, 0, 0, 85, [2]float64{0.0001, 5}},
		{3857, 0, 0, 2e7, [2]float64{1, 1e6}},
		{32633, 500000, 5e6, 2e6, [2]float64{1, 5e5}},
		{32760, 500000, 5e6, 2e6, [2]float64{1, 5e5}},
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(places).Draw(t, "place")
		size := p.size[0] * math.Pow(p.size[1]/p.size[0], rapid.Float64Range(0, 1).Draw(t, "size"))
		g := northUp(p.x+rapid.Float64Range(-1, 1).Draw(t, "x")*p.around, p.y+rapid.Float64Range(-1, 1).Draw(t, "y")*p.around, size)
		if rapid.Bool().Draw(t, "turned") {
			sin, cos := math.Sincos(rapid.Float64Range(0.1, 6).Draw(t, "by"))
			g.ScaleX, g.SkewX, g.SkewY, g.ScaleY = size*cos, size*sin, size*sin, -size*cos
		}
		const n = 8
		fine := g
		fine.ScaleX, fine.ScaleY, fine.SkewX, fine.SkewY = g.ScaleX/n, g.ScaleY/n, g.SkewX/n, g.SkewY/n
		whole, err := newTestGround(t, g, p.srid, nil).of(context.Background(), raster.Rect{Width: 1, Height: 1})
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		parts := newTestGround(t, fine, p.srid, nil)
		for i := range n * n {
			a, err := parts.of(context.Background(), raster.Rect{X: i % n, Y: i / n, Width: 1, Height: 1})
			if err != nil {
				t.Fatal(err)
			}
			sum += areaAt(a, 1, 0, 0)
		}
		if want := areaAt(whole, 1, 0, 0); !(want > 0) || math.Abs(sum-want) > 2e-7*want {
			t.Fatalf("%+v in %d: %v m2, its parts have %v", g, p.srid, want, sum)
		}
	})
}

// The world has the area of the ellipsoid: by rows, of which the first and the last
// are half beyond the poles, and with rows and columns turned, where each pixel is a
// polygon.
func TestGroundOfTheWorld(t *testing.T) {
	for name, tt := range map[string]struct {
		grid          rasterbase.Grid
		width, height int
		within        float64
	}{
		"rows":    {rasterbase.Grid{OriginX: -180, OriginY: 90.5, ScaleX: 1, ScaleY: -1}, 360, 181, 1e-12},
		"columns": {rasterbase.Grid{OriginX: -180, OriginY: 90, SkewX: 5, SkewY: -5}, 36, 72, 1e-6},
		"beyond":  {rasterbase.Grid{OriginX: -180, OriginY: 92.5, SkewX: 5, SkewY: -5}, 37, 72, 1e-6},
	} {
		g := newTestGround(t, tt.grid, 4326, nil)
		a, err := g.of(t.Context(), raster.Rect{Width: tt.width, Height: tt.height})
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i := range tt.width * tt.height {
			sum += areaAt(a, tt.width, i%tt.width, i/tt.width)
		}
		if math.Abs(sum/ellipsoidArea-1) > tt.within {
			t.Errorf("%s: the world has %v m2, off by %.1e", name, sum, sum/ellipsoidArea-1)
		}
	}
}

// Pixels without a place on the ground have no area, and pixels partly without have
// that of their part.
func TestGroundOfNowhere(t *testing.T) {
	g := newTestGround(t, northUp(10, 91, 0.3), 4326, nil)
	a, err := g.of(t.Context(), raster.Rect{Width: 2, Height: 8})
	if err != nil {
		t.Fatal(err)
	}
	whole := one(t, newTestGround(t, northUp(10, 90, 0.3), 4326, nil), 0, 0)
	if a.rows == nil || a.rows[0] != 0 || a.rows[2] != 0 || !(a.rows[3] > 0 && a.rows[3] < whole) || a.rows[4] < a.rows[3] {
		t.Errorf("to the pole: %v", a.rows)
	}
	for name, g := range map[string]*ground{
		"beyond the pole":    newTestGround(t, northUp(10, 120, 0.01), 4326, nil),
		"beyond mercator":    newTestGround(t, northUp(0, 1e300, 1e10), 3857, nil),
		"beyond UTM":         newTestGround(t, northUp(1e9, 1e9, 10), 32633, nil),
		"no pixels":          newTestGround(t, northUp(0, 0, 0), 4326, nil),
		"no pixels of UTM":   newTestGround(t, northUp(0, 0, 0), 32633, nil),
		"no place":           newTestGround(t, northUp(0, math.NaN(), 1), 4326, nil),
		"no place in UTM":    newTestGround(t, northUp(math.NaN(), 0, 1), 32633, nil),
		"infinitely far off": newTestGround(t, northUp(math.Inf(1), math.Inf(1), 1), 3857, nil),
	} {
		a, err := g.of(t.Context(), raster.Rect{Width: 20, Height: 20})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 400 {
			if v := areaAt(a, 20, i%20, i/20); v != 0 {
				t.Errorf("%s: pixel %d has %v m2", name, i, v)
				break
			}
		}
	}
	if a, err := g.of(t.Context(), raster.Rect{}); err != nil || a.uniform != 0 || a.rows != nil || a.pixels != nil {
		t.Errorf("of nothing: %+v, %v", a, err)
	}
}

func TestGroundThatIsNotKnown(t *testing.T) {
	_, err := newGround(northUp(0, 0, 10), rasterbase.CRS{SRID: 31287, Name: "Austria Lambert"}, nil)
	var e *rasterbase.Error
	if rasterbase.CodeOf(err) != rasterbase.Unsupported || !errors.As(err, &e) || e.Field != "area" || !strings.Contains(err.Error(), "Austria Lambert") {
		t.Errorf("%v", err)
	}
	// Degrees are, whatever the datum, and other geographic CRSs are not.
	for wkt, known := range map[string]bool{
		`GEOGCS["NAD83",DATUM["D",SPHEROID["GRS 1980",6378137,298.257222101]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]`:                          true,
		`GEOGCRS["NAD83",DATUM["D",ELLIPSOID["GRS 1980",6378137,298.257222101]],PRIMEM["Greenwich",0,ANGLEUNIT["degree",0.0174532925199433]],CS[ellipsoidal,2]]`: true,
		`GEOGCS["NTF (Paris)",DATUM["D",SPHEROID["Clarke",6378249.2,293.46]],PRIMEM["Paris",2.33722917],UNIT["grad",0.01570796326794897]]`:                       false,
		`GEOGCRS["turned",BASEGEOGCRS["unknown"],DERIVINGCONVERSION["Pole rotation"],CS[ellipsoidal,2],ANGLEUNIT["degree",0.0174532925199433]]`:                  false,
		`PROJCS["a",GEOGCS["NAD83",UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],UNIT["metre",1]]`:                                        false,
	} {
		g, err := newGround(northUp(-100, 40, 0.001), rasterbase.CRS{WKT: wkt}, nil)
		if (err == nil) != known || known && math.Abs(one(t, g, 0, 0)/9498-1) > 0.01 {
			t.Errorf("%.30s: %v", wkt, err)
		}
	}
}

// counted counts the places that are transformed.
type counted struct {
	crs.Transformer
	n atomic.Int64
}

type countedTransform struct {
	crs.Transform
	c *counted
}

func (c *counted) Between(from, to rasterbase.CRS) (crs.Transform, error) {
	t, err := c.Transformer.Between(from, to)
	return countedTransform{t, c}, err
}

func (t countedTransform) Apply(ctx context.Context, p []crs.Point) error {
	t.c.n.Add(int64(len(p)))
	return t.Transform.Apply(ctx, p)
}

// What a tile costs does not grow with its pixels.
func TestGroundTransformsFewPlaces(t *testing.T) {
	for name, tt := range map[string]struct {
		size float64
		most int64
	}{"uniform": {1, 72}, "pixels": {500, 72 + 8*(81+9)}} {
		c := &counted{Transformer: crs.Closed{}}
		g := newTestGround(t, northUp(300000, 5e6, tt.size), 32633, c)
		for _, side := range []int{64, 256, 1024} {
			c.n.Store(0)
			a, err := g.of(t.Context(), raster.Rect{Width: side, Height: side})
			if err != nil || c.n.Load() > tt.most {
				t.Errorf("%s: %d places for %d pixels a side: %v", name, c.n.Load(), side, err)
			}
			if side == 256 && (a.pixels != nil) != (name == "pixels") {
				t.Errorf("%s: %d pixels", name, len(a.pixels))
			}
		}
	}
}

func TestGroundOfManyAtOnce(t *testing.T) {
	g := newTestGround(t, northUp(700000, 5e6, 700), 32633, nil)
	r := raster.Rect{Width: 64, Height: 64}
	want, err := g.of(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := g.of(t.Context(), r); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("others than alone: %v", err)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, g := range []*ground{g, newTestGround(t, northUp(0, 0, 1), 4326, nil)} {
		if _, err := g.of(ctx, r); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

func BenchmarkGround(b *testing.B) {
	for name, size := range map[string]float64{"uniform": 10, "pixels": 1000} {
		b.Run(name, func(b *testing.B) {
			g, err := newGround(northUp(300000, 5e6, size), rasterbase.CRS{SRID: 32633}, nil)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := g.of(b.Context(), raster.Rect{Width: 256, Height: 256}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
