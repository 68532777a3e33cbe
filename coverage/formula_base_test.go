package coverage_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// drawn is a store whose tiles are drawn when they are read, so that grids can have
// any size.
type drawn struct {
	store.Store
	tiles *drawnTiles
}

func (d drawn) Tiles() store.Tiles { return d.tiles }

type drawnTiles struct {
	store.Tiles
	rev   *rasterbase.Revision
	value func(col, row int) (float64, bool)
	reads atomic.Int64
	kept  map[store.TileKey]*raster.Raster
}

func (d *drawnTiles) Get(_ context.Context, k store.TileKey) (*raster.Raster, error) {
	d.reads.Add(1)
	if r := d.kept[k]; r != nil {
		return r, nil
	}
	g, size := d.rev.Grid, d.rev.TileSize
	if k.Kind == rasterbase.Pyramid {
		g = xyz.PixelGrid(k.Z, size)
	}
	x, y := k.X*size, k.Y*size
	g.OriginX, g.OriginY = g.World(float64(x), float64(y))
	g.Width, g.Height = min(size, g.Width-x), min(size, g.Height-y)
	r := raster.NewInvalid(g, d.rev.CRS.SRID, raster.BandOf(d.rev.Bands[0]))
	for i := range g.Width * g.Height {
		if v, ok := d.value(x+i%g.Width, y+i/g.Width); ok {
			r.Bands[0].Pixels.Set(i, v)
			if r.Validity != nil {
				r.Validity[i] = 255
			}
		}
	}
	d.kept[k] = r
	return r, nil
}

func (d *drawnTiles) GetMany(ctx context.Context, keys []store.TileKey) ([]*raster.Raster, error) {
	out := make([]*raster.Raster, len(keys))
	for i, k := range keys {
		out[i], _ = d.Get(ctx, k)
	}
	return out, nil
}

// gridLayer is a layer of one band over any grid, without a pyramid.
func gridLayer(t testing.TB, st store.Store, g rasterbase.Grid, srid int, band rasterbase.Band) (*coverage.Layer, *drawnTiles) {
	t.Helper()
	rev := revision(g, srid, 64)
	rev.Bands = []rasterbase.Band{band}
	tiles := &drawnTiles{Tiles: st.Tiles(), rev: &rev, kept: map[store.TileKey]*raster.Raster{}, value: func(col, row int) (float64, bool) {
		return float64((col*7+row*13)%251 + 1), (col+2*row)%17 != 0
	}}
	return index(t, drawn{st, tiles}, rev, nil), tiles
}

// checkBase compares a window of the base grid with the formula evaluated at the
// centres of its pixels, where each input is looked up by itself.
func checkBase(t rapidTB, f *coverage.Formula, text string, r coverage.WindowRequest, tr crs.Transformer) {
	t.Helper()
	ctx := context.Background()
	got, err := f.Window(ctx, r)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	d := f.Describe()
	if x, y := d.Grid.World(float64(r.X), float64(r.Y)); got.OriginX != x || got.OriginY != y || got.SRID != d.CRS.SRID || got.Width != r.Width || got.Check() != nil {
		t.Fatalf("the raster is at %+v", got.Grid)
	}
	p := parsed(t, text)
	var types []rasterbase.PixelType
	for _, in := range f.Inputs() {
		types = append(types, in.Coverage.Describe().Bands[in.Band].PixelType)
	}
	p = p.For(types...)
	for i := range r.Width * r.Height {
		col, row := r.X+i%r.Width, r.Y+i/r.Width
		x, y := d.Grid.World(float64(col)+0.5, float64(row)+0.5)
		values := make([]algebra.Value, len(types))
		for k, in := range f.Inputs() {
			values[k].V = math.NaN()
			if n := in.Coverage.Describe().Bands[in.Band].Nodata; n != nil {
				values[k].V = float64(*n)
			}
			px, err := coverage.At(ctx, in.Coverage, coverage.PointRequest{Point: crs.Point{X: x, Y: y}, CRS: d.CRS, Bands: []int{in.Band}, Transformer: tr})
			if err != nil {
				t.Fatal(err)
			}
			if px.Inside && px.Values[0].Valid {
				values[k] = algebra.Value{V: px.Values[0].Value, Valid: true}
			}
		}
		want, valid := p.Eval(values)
		valid = valid && col >= 0 && row >= 0 && col < d.Grid.Width && row < d.Grid.Height
		if v := got.Bands[0].Pixels.At(i); got.Valid(0, i) != valid || valid && v != want {
			t.Fatalf("%s, pixel %d,%d is %v, %v; want %v, %v", text, col, row, v, got.Valid(0, i), want, valid)
		}
	}
}

func drawWindow(t *rapid.T, g rasterbase.Grid) coverage.WindowRequest {
	return coverage.WindowRequest{
		X: rapid.IntRange(-5, g.Width).Draw(t, "x"), Y: rapid.IntRange(-5, g.Height).Draw(t, "y"),
		Width: rapid.IntRange(1, 30).Draw(t, "width"), Height: rapid.IntRange(1, 20).Draw(t, "height"),
	}
}

// Grids of pixels that consist of whole pixels of the finest: what each place says,
// over what all of them cover or any of them.
func TestFormulaOfGridsThatNest(t *testing.T) {
	st := open(t)
	grid := func(x, y, w, h int, size, ratio float64) rasterbase.Grid {
		return rasterbase.Grid{Width: w, Height: h, OriginX: 500000 + float64(x), OriginY: 5000000 - float64(y), ScaleX: size, ScaleY: -size * ratio}
	}
	int16s := rasterbase.Band{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-99)}
	bytes := rasterbase.Band{PixelType: rasterbase.Uint8}
	floats := rasterbase.Band{PixelType: rasterbase.Float32}
	a, _ := gridLayer(t, st, grid(0, 0, 200, 150, 10, 1), 32633, int16s)
	b, _ := gridLayer(t, st, grid(-200, 100, 90, 70, 20, 1), 32633, bytes)
	c, _ := gridLayer(t, st, grid(310, -300, 60, 40, 30, 2), 32633, floats)
	d, _ := gridLayer(t, st, grid(0, 0, 200, 150, 10, 1), 32633, floats)
	cov := map[string]*coverage.Layer{"a": a, "b": b, "c": c, "d": d}
	var all []*coverage.Formula // their names are their texts
	for text, want := range map[string]rasterbase.Grid{
		"a + d":                       grid(0, 0, 200, 150, 10, 1),
		"a * b":                       grid(0, 100, 160, 140, 10, 1),
		"b * a - c":                   grid(310, 100, 129, 140, 10, 1),
		"where(a == NULL, b, a)":      grid(-200, 0, 220, 150, 10, 1),
		"~a + ~c":                     {},
		"(b > 100) & (c > 30) | ~a*0": grid(-200, -300, 231, 240, 10, 1),
		"c":                           grid(310, -300, 60, 40, 30, 2),
	} {
		var inputs []coverage.Input
		for _, v := range parsed(t, text).Variables() {
			inputs = append(inputs, input(v, cov[v], 0))
		}
		f := formula(t, text, coverage.FormulaOptions{Name: text}, inputs...)
		desc := f.Describe()
		if desc.BaseError != nil || want.Width > 0 && desc.Grid != want || desc.CRS.SRID != 32633 {
			t.Errorf("%s: the grid is %+v, want %+v: %v", text, desc.Grid, want, desc.BaseError)
			continue
		}
		all = append(all, f)
	}
	inner := formula(t, "b - a", coverage.FormulaOptions{}, input("a", a, 0), input("b", b, 0))
	nested := formula(t, "x * c", coverage.FormulaOptions{Name: "x * c"}, input("x", inner, 0), input("c", c, 0))
	if want := grid(310, 100, 129, 140, 10, 1); nested.Describe().Grid != want {
		t.Errorf("the grid of the nested formula is %+v, want %+v", nested.Describe().Grid, want)
	}
	all = append(all, nested)
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(all).Draw(t, "formula")
		d := f.Describe()
		checkBase(t, f, d.Name, drawWindow(t, d.Grid), nil)
	})
}

func TestGridsThatDoNotNest(t *testing.T) {
	st := open(t)
	first := rasterbase.Grid{Width: 100, Height: 80, OriginX: 500000, OriginY: 5000000, ScaleX: 10, ScaleY: -10}
	a, _ := gridLayer(t, st, first, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	for name, tt := range map[string]struct {
		change func(g *rasterbase.Grid) (srid int)
		says   string // empty: they nest
	}{
		"the same":             {func(g *rasterbase.Grid) int { return 32633 }, ""},
		"a hair aside":         {func(g *rasterbase.Grid) int { g.OriginX += 0.05; return 32633 }, ""},
		"aside":                {func(g *rasterbase.Grid) int { g.OriginX += 0.5; return 32633 }, "edge to edge"},
		"half a pixel down":    {func(g *rasterbase.Grid) int { g.OriginY -= 5; return 32633 }, "edge to edge"},
		"another CRS":          {func(g *rasterbase.Grid) int { return 32634 }, "CRS"},
		"half as large again":  {func(g *rasterbase.Grid) int { g.ScaleX = 15; return 32633 }, "whole pixels"},
		"a drift":              {func(g *rasterbase.Grid) int { g.ScaleX = 10.01; return 32633 }, "whole pixels"},
		"south up":             {func(g *rasterbase.Grid) int { g.ScaleY, g.OriginY = 10, 4999200; return 32633 }, "whole pixels"},
		"finer along one axis": {func(g *rasterbase.Grid) int { g.ScaleX, g.ScaleY = 5, -20; return 32633 }, "whole pixels"},
		"turned":               {func(g *rasterbase.Grid) int { g.SkewX, g.SkewY = 1, 1; return 32633 }, "turned"},
		"elsewhere":            {func(g *rasterbase.Grid) int { g.OriginX += 5000; return 32633 }, "in common"},
	} {
		g := first
		srid := tt.change(&g)
		b, _ := gridLayer(t, st, g, srid, rasterbase.Band{PixelType: rasterbase.Uint8})
		f := formula(t, "a+b", coverage.FormulaOptions{}, input("a", a, 0), input("b", b, 0))
		err := f.Describe().BaseError
		if (err == nil) != (tt.says == "") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err == nil {
			continue
		}
		if rasterbase.CodeOf(err) != rasterbase.Invalid || blamed(err) != "grid" || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "grid=") {
			t.Errorf("%s: %v", name, err)
		}
		where := rasterbase.CRS{SRID: 32633}
		_, window := f.Window(t.Context(), coverage.WindowRequest{Width: 1, Height: 1})
		_, at := coverage.At(t.Context(), f, coverage.PointRequest{CRS: where})
		_, values := coverage.ValuesAt(t.Context(), f, coverage.PointsRequest{CRS: where, Points: []crs.Point{{}}})
		for what, got := range map[string]error{"window": window, "lookup": at, "lookups": values} {
			if !errors.Is(got, err) {
				t.Errorf("%s, %s: %v", name, what, got)
			}
		}
		over := formula(t, "x*2", coverage.FormulaOptions{}, input("x", f, 0)).Describe().BaseError
		if rasterbase.CodeOf(over) != rasterbase.Invalid || blamed(over) != "grid" {
			t.Errorf("%s: a formula over it: %v", name, over)
		}
		if named := formula(t, "a+b", coverage.FormulaOptions{Grid: "b"}, input("a", a, 0), input("b", b, 0)).Describe(); named.BaseError != nil || named.Grid != g || named.CRS.SRID != srid {
			t.Errorf("%s, with the grid of b: %+v, %v", name, named.Grid, named.BaseError)
		}
	}
	// Longitude and latitude of the whole world, in two resolutions that a nested
	// grid would need too many pixels for.
	far, _ := gridLayer(t, st, rasterbase.Grid{Width: 10, Height: 10, OriginX: 500000 + 1e11, OriginY: 5000000, ScaleX: 10, ScaleY: -10}, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	f := formula(t, "where(a == NULL, b, a)", coverage.FormulaOptions{}, input("a", a, 0), input("b", far, 0))
	if err := f.Describe().BaseError; rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("pixels as far as the sun: %v", err)
	}
}

// With a grid named, the others are looked up at the centres of its pixels, whatever
// their grids and CRSs, and what they are made of.
func TestFormulaOnTheGridOfOneInput(t *testing.T) {
	st := open(t)
	utm := rasterbase.Grid{Width: 120, Height: 90, OriginX: 500000, OriginY: 5000000, ScaleX: 100, ScaleY: -100}
	turned := rasterbase.Grid{Width: 150, Height: 150, OriginX: 503000, OriginY: 5002000, ScaleX: 60, ScaleY: -70, SkewX: 20, SkewY: 15}
	halves := rasterbase.Grid{Width: 240, Height: 180, OriginX: 500000, OriginY: 5000000, ScaleX: 50, ScaleY: -50}
	degrees := rasterbase.Grid{Width: 300, Height: 200, OriginX: 14.95, OriginY: 45.2, ScaleX: 0.0007, ScaleY: -0.0005}
	east := rasterbase.Grid{Width: 360, Height: 180, OriginX: 0, OriginY: 90, ScaleX: 1, ScaleY: -1} // counted from 0 to 360
	sparse := rasterbase.Grid{Width: 40_000_000, Height: 30_000_000, OriginX: 499000, OriginY: 5001000, ScaleX: 0.0005, ScaleY: -0.0005}
	layers := map[string]coverage.Coverage{}
	add := func(name string, g rasterbase.Grid, srid int, b rasterbase.Band) {
		layers[name], _ = gridLayer(t, st, g, srid, b)
	}
	add("u", utm, 32633, rasterbase.Band{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-99)})
	add("t", turned, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	add("h", halves, 32633, rasterbase.Band{PixelType: rasterbase.Float64, Nodata: rasterbase.FloatPtr(3)})
	add("d", degrees, 4326, rasterbase.Band{PixelType: rasterbase.Float32})
	add("e", east, 4326, rasterbase.Band{PixelType: rasterbase.Uint16})
	add("s", sparse, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	s := waves(64, 5, raster.Rect{X: 1000, Y: 600, Width: 200, Height: 200}, rasterbase.Band{PixelType: rasterbase.Float32})
	layers["w"] = layer(t, st, s)
	layers["f"] = formula(t, "t > u", coverage.FormulaOptions{Grid: "t"}, input("t", layers["t"], 0), input("u", layers["u"], 0))
	type named struct {
		text string
		f    *coverage.Formula
	}
	var all []named
	for _, tt := range []struct{ text, grid string }{
		{"u + d", "u"}, {"u + d", "d"}, {"u*h - t", "t"}, {"h + u", "u"}, {"~d + ~u", "u"}, {"where(t == NULL, 0-1, t) + d", "d"}, {"t + e", "t"},
		{"u + f", "u"}, {"f + d", "f"}, {"w + e", "w"}, {"w + e", "e"}, {"u + s", "u"}, {"t == s", "t"},
	} {
		var inputs []coverage.Input
		for _, v := range parsed(t, tt.text).Variables() {
			inputs = append(inputs, input(v, layers[v], 0))
		}
		f := formula(t, tt.text, coverage.FormulaOptions{Grid: tt.grid}, inputs...)
		d := f.Describe()
		if want := layers[tt.grid].Describe(); d.BaseError != nil || d.Grid != want.Grid || d.CRS != want.CRS {
			t.Errorf("%s on %s: %+v, %v", tt.text, tt.grid, d.Grid, d.BaseError)
			continue
		}
		all = append(all, named{tt.text, f})
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(all).Draw(t, "formula")
		checkBase(t, f.f, f.text, drawWindow(t, f.f.Describe().Grid), nil)
	})
}

// noPROJ transforms nothing.
type noPROJ struct{}

func (noPROJ) Between(_, _ rasterbase.CRS) (crs.Transform, error) {
	return nil, rasterbase.Errorf(rasterbase.Unsupported, "no transform")
}

func TestGridThatCannotBeLookedUp(t *testing.T) {
	st := open(t)
	g := rasterbase.Grid{Width: 100, Height: 80, OriginX: 500000, OriginY: 5000000, ScaleX: 10, ScaleY: -10}
	a, _ := gridLayer(t, st, g, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	b, _ := gridLayer(t, st, g, 31287, rasterbase.Band{PixelType: rasterbase.Uint8})
	for _, tr := range []crs.Transformer{nil, noPROJ{}} {
		f := formula(t, "a+b", coverage.FormulaOptions{Grid: "a", Transformer: tr}, input("a", a, 0), input("b", b, 0))
		if err := f.Describe().BaseError; rasterbase.CodeOf(err) != rasterbase.Unsupported || blamed(err) != "grid" || !strings.Contains(err.Error(), "b cannot") {
			t.Errorf("%v", err)
		}
	}
}

// A window over pixels that are a million times finer reads a tile for each pixel at
// most, and no more of a grid than the window needs where pixels are coarser.
func TestFormulaReadsOnlyWhatItNeeds(t *testing.T) {
	st := open(t)
	coarse := rasterbase.Grid{Width: 1000, Height: 1000, OriginX: 0, OriginY: 0, ScaleX: 1000, ScaleY: -1000}
	fine := rasterbase.Grid{Width: 1_000_000_000, Height: 1_000_000_000, OriginX: 0, OriginY: 0, ScaleX: 0.001, ScaleY: -0.001}
	a, tilesA := gridLayer(t, st, coarse, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	b, tilesB := gridLayer(t, st, fine, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	for _, tt := range []struct {
		grid string
		r    coverage.WindowRequest
		a, b int64
	}{
		{"a", coverage.WindowRequest{X: 3, Y: 5, Width: 25, Height: 40}, 1, 1000},
		{"a", coverage.WindowRequest{X: 700, Y: 700, Width: 64, Height: 1}, 2, 64},
		{"b", coverage.WindowRequest{X: 1 << 20, Y: 1 << 20, Width: 200, Height: 100}, 4, 15},
		{"", coverage.WindowRequest{X: 1 << 20, Y: 1 << 20, Width: 128, Height: 64}, 4, 6},
	} {
		f := formula(t, "a+b", coverage.FormulaOptions{Grid: tt.grid}, input("a", a, 0), input("b", b, 0))
		if err := f.Describe().BaseError; err != nil {
			t.Fatal(err)
		}
		tilesA.reads.Store(0)
		tilesB.reads.Store(0)
		if _, err := f.Window(t.Context(), tt.r); err != nil {
			t.Fatal(err)
		}
		if na, nb := tilesA.reads.Load(), tilesB.reads.Load(); na > tt.a || nb > tt.b {
			t.Errorf("the grid of %s: %d and %d tiles were read, more than %d and %d", tt.grid, na, nb, tt.a, tt.b)
		}
	}
}

// Windows that are made in parts are what small ones are.
func TestLargeFormulaWindows(t *testing.T) {
	st := open(t)
	g := rasterbase.Grid{Width: 5000, Height: 1200, OriginX: 500000, OriginY: 5000000, ScaleX: 10, ScaleY: -10}
	a, _ := gridLayer(t, st, g, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	f := formula(t, "a > 100", coverage.FormulaOptions{}, input("a", a, 0))
	whole, err := f.Window(t.Context(), coverage.WindowRequest{Width: 5000, Height: 1200})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []raster.Rect{{X: 4090, Y: 1000, Width: 20, Height: 50}, {X: 4980, Y: 1190, Width: 20, Height: 10}, {Width: 9, Height: 9}} {
		part, err := f.Window(t.Context(), coverage.WindowRequest{X: at.X, Y: at.Y, Width: at.Width, Height: at.Height})
		if err != nil {
			t.Fatal(err)
		}
		samePixels(t, "a part", whole.Crop(at.X, at.Y, at.Width, at.Height), part)
	}
}

func TestBaseOfLayersWithoutBaseTiles(t *testing.T) {
	st := open(t)
	a := layer(t, st, waves(64, 2, raster.Rect{X: 30, Y: 20, Width: 90, Height: 80}, rasterbase.Band{PixelType: rasterbase.Float32}))
	rev := revision(a.Describe().Grid, 3857, 64)
	rev.Bands = []rasterbase.Band{{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-5)}}
	rev.HasPyramid, rev.NoBase, rev.MaxZoom = true, true, 2
	tiles := &drawnTiles{Tiles: st.Tiles(), rev: &rev, kept: map[store.TileKey]*raster.Raster{}}
	tiles.value = func(col, row int) (float64, bool) { return float64(col + 1000*row), col != row }
	b := index(t, drawn{st, tiles}, rev, nil)
	f := formula(t, "a + b*2", coverage.FormulaOptions{}, input("a", a, 0), input("b", b, 0))
	d := f.Describe()
	if d.BaseError != nil || d.Grid != a.Describe().Grid {
		t.Fatalf("%+v, %v", d.Grid, d.BaseError)
	}
	rapid.Check(t, func(t *rapid.T) { checkBase(t, f, "a + b*2", drawWindow(t, d.Grid), nil) })
	if !formula(t, "b", coverage.FormulaOptions{}, input("b", b, 0)).Describe().NoBase {
		t.Error("a formula of a layer without base tiles has some")
	}
}
