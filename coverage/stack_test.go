package coverage_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

func stack(t rapidTB, o coverage.StackOptions, inputs ...coverage.Input) *coverage.Stack {
	t.Helper()
	s, err := coverage.NewStack(context.Background(), inputs, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pixelValue is a value that may be invalid.
type pixelValue struct {
	v     float64
	valid bool
}

// checkStack compares a window's bands with what each input has at a pixel: each has
// its value where all have one, and is invalid elsewhere.
func checkStack(t rapidTB, s *coverage.Stack, r coverage.WindowRequest, got *raster.Raster, at func(k, col, row int) pixelValue) {
	t.Helper()
	bands := r.Bands
	inputs := s.Inputs()
	for k := range inputs {
		if r.Bands == nil {
			bands = append(bands, k)
		}
	}
	if err := got.Check(); err != nil || len(got.Bands) != len(bands) || got.Width != r.Width || got.Height != r.Height {
		t.Fatalf("%d bands of %+v: %v", len(got.Bands), got.Grid, err)
	}
	const most = 300 // pixels that are looked at, of all columns and rows
	values := make([]pixelValue, len(inputs))
	for i := 0; i < r.Width*r.Height; i += 1 + r.Width*r.Height/most {
		col, row := r.X+i%r.Width, r.Y+i/r.Width
		valid := true
		for k := range inputs {
			values[k] = at(k, col, row)
			valid = valid && values[k].valid
		}
		for b, k := range bands {
			if want := inputs[k].Coverage.Describe().Bands[inputs[k].Band].PixelType; got.Bands[b].Type != want {
				t.Fatalf("band %d is %s, want %s", b, got.Bands[b].Type, want)
			}
			if v := got.Bands[b].Pixels.At(i); got.Valid(b, i) != valid || valid && v != values[k].v {
				t.Fatalf("band %d, pixel %d,%d is %v, %v; want %v, %v", b, col, row, v, got.Valid(b, i), values[k].v, valid)
			}
		}
	}
}

// drawBands draws some bands, or nil for all.
func drawBands(t *rapid.T, n int) []int {
	if rapid.Bool().Draw(t, "all bands") {
		return nil
	}
	return rapid.SliceOfN(rapid.IntRange(0, n-1), 1, 4).Draw(t, "bands")
}

// Stacks of layers of many kinds, at every zoom and as tiles of any size.
func TestStacksOfLayers(t *testing.T) {
	all := mixed(t)
	rapid.Check(t, func(t *rapid.T) {
		var layers []known
		var inputs []coverage.Input
		for _, name := range []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "inputs")] {
			l := rapid.SampledFrom(all).Draw(t, "layer")
			layers = append(layers, l)
			inputs = append(inputs, input(name, l.Layer, rapid.IntRange(0, len(l.Describe().Bands)-1).Draw(t, "band")))
		}
		s := stack(t, coverage.StackOptions{}, inputs...)
		size := s.Describe().TileSize
		z := rapid.IntRange(0, 4).Draw(t, "z")
		pixel := func(z, size int) func(k, col, row int) pixelValue {
			return func(k, col, row int) pixelValue {
				v := layers[k].value(inputs[k].Band, z, size, col, row)
				return pixelValue{v.V, v.Valid && col >= 0 && row >= 0 && col < size<<z && row < size<<z}
			}
		}
		r := coverage.WindowRequest{
			Level: coverage.ZoomLevel(z), X: rapid.IntRange(-20, size<<z).Draw(t, "x"), Y: rapid.IntRange(-20, size<<z).Draw(t, "y"),
			Width: rapid.IntRange(1, 60).Draw(t, "width"), Height: rapid.IntRange(1, 30).Draw(t, "height"), Bands: drawBands(t, len(inputs)),
		}
		got, err := s.Window(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		checkStack(t, s, r, got, pixel(z, size))

		q := drawTile(t, 2)
		q.Resampling = rasterbase.Nearest
		q.Bands = r.Bands
		tile, err := coverage.Tile(t.Context(), s, q)
		if err != nil {
			t.Fatal(err)
		}
		if q.Size == 0 {
			q.Size = size
		}
		r = coverage.WindowRequest{X: q.X*q.Size - q.Margin, Y: q.Y*q.Size - q.Margin, Width: tile.Width, Height: tile.Height, Bands: q.Bands}
		checkStack(t, s, r, tile, pixel(q.Z, q.Size))
	})
}

// Base grids that are equal, nest, or are looked up on that of one input: what each
// input has at the centre of a pixel.
func TestStacksOnABaseGrid(t *testing.T) {
	st := open(t)
	grid := func(x, y, w, h int, size float64) rasterbase.Grid {
		return rasterbase.Grid{Width: w, Height: h, OriginX: 500000 + float64(x), OriginY: 5000000 - float64(y), ScaleX: size, ScaleY: -size}
	}
	bytes, floats := rasterbase.Band{PixelType: rasterbase.Uint8}, rasterbase.Band{PixelType: rasterbase.Float32}
	int16s := rasterbase.Band{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(20)}
	cov := map[string]coverage.Coverage{}
	add := func(name string, g rasterbase.Grid, srid int, b rasterbase.Band) {
		cov[name], _ = gridLayer(t, st, g, srid, b)
	}
	add("a", grid(0, 0, 200, 150, 10), 32633, int16s)
	add("b", grid(0, 0, 200, 150, 10), 32633, bytes)
	add("c", grid(-200, 90, 90, 70, 30), 32633, bytes)
	add("d", rasterbase.Grid{Width: 300, Height: 200, OriginX: 14.99, OriginY: 45.17, ScaleX: 0.0002, ScaleY: -0.0001}, 4326, floats)
	add("t", rasterbase.Grid{Width: 150, Height: 150, OriginX: 500300, OriginY: 5000200, ScaleX: 9, ScaleY: -10, SkewX: 3, SkewY: 2}, 32633, bytes)
	cov["f"] = formula(t, "where(a > 100, b, NULL)", coverage.FormulaOptions{}, input("a", cov["a"], 0), input("b", cov["b"], 0))
	var all []*coverage.Stack
	for _, tt := range []struct {
		layers, grid string
		want         rasterbase.Grid
	}{
		{"a", "", grid(0, 0, 200, 150, 10)},
		{"ab", "", grid(0, 0, 200, 150, 10)},
		{"ca", "", grid(0, 90, 200, 141, 10)},
		{"bcf", "", grid(0, 90, 200, 141, 10)},
		{"cab", "c", grid(-200, 90, 90, 70, 30)},
		{"ad", "a", grid(0, 0, 200, 150, 10)},
		{"bdt", "t", cov["t"].Describe().Grid},
		{"tf", "f", grid(0, 0, 200, 150, 10)},
	} {
		var inputs []coverage.Input
		for _, name := range strings.Split(tt.layers, "") {
			inputs = append(inputs, input(name, cov[name], 0))
		}
		s := stack(t, coverage.StackOptions{Grid: tt.grid}, inputs...)
		if d := s.Describe(); d.BaseError != nil || d.Grid != tt.want || d.CRS.SRID != 32633 {
			t.Errorf("%s: %+v, %v", tt.layers, d.Grid, d.BaseError)
			continue
		}
		all = append(all, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(all).Draw(t, "stack")
		d := s.Describe()
		r := drawWindow(t, d.Grid)
		r.Bands = drawBands(t, len(s.Inputs()))
		got, err := s.Window(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := d.Grid.World(float64(r.X), float64(r.Y)); got.OriginX != x || got.OriginY != y || got.SRID != d.CRS.SRID {
			t.Fatalf("the raster is at %+v", got.Grid)
		}
		checkStack(t, s, r, got, func(k, col, row int) pixelValue {
			in := s.Inputs()[k]
			x, y := d.Grid.World(float64(col)+0.5, float64(row)+0.5)
			px, err := coverage.At(t.Context(), in.Coverage, coverage.PointRequest{Point: crs.Point{X: x, Y: y}, CRS: d.CRS, Bands: []int{in.Band}})
			if err != nil {
				t.Fatal(err)
			}
			if !px.Inside || !px.Values[0].Valid {
				return pixelValue{}
			}
			return pixelValue{px.Values[0].Value, true}
		})
		formulaOverStack(t, s, r)
	})
}

// formulaOverStack compares a formula over bands of a stack with one over its inputs.
func formulaOverStack(t *rapid.T, s *coverage.Stack, r coverage.WindowRequest) {
	r.Bands = nil
	inputs := s.Inputs()
	last := len(inputs) - 1
	two := []coverage.Input{input("x", s, 0), input("y", s, last)}
	got, err := formula(t, "x*3 - y", coverage.FormulaOptions{}, two...).Window(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.Window(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Width * r.Height {
		valid := own.Valid(0, i)
		if got.Valid(0, i) != valid || valid && got.Bands[0].Pixels.At(i) != own.Bands[0].Pixels.At(i)*3-own.Bands[last].Pixels.At(i) {
			t.Fatalf("pixel %d of a formula over the stack is %v", i, got.Bands[0].Pixels.At(i))
		}
	}
}

// Where grids are equal, a band of a stack of one layer is the layer's window, and what
// the layer gave is not changed by stacks.
func TestStackOfOneLayer(t *testing.T) {
	all := mixed(t)
	for _, l := range all {
		var inputs []coverage.Input
		for b := range l.Describe().Bands {
			inputs = append(inputs, input(string(rune('a'+b)), l.Layer, b))
		}
		s := stack(t, coverage.StackOptions{}, inputs...)
		if s.Describe().Grid != l.Describe().Grid || s.Describe().Bounds != l.Describe().Bounds || s.Describe().MaxZoom != l.Describe().MaxZoom {
			t.Errorf("it is described as %+v", s.Describe())
		}
		for _, level := range []coverage.Level{coverage.BaseLevel, coverage.ZoomLevel(0)} {
			r := coverage.WindowRequest{Level: level, X: -3, Y: 5, Width: 120, Height: 100}
			before, err := l.Window(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			before = before.Crop(0, 0, before.Width, before.Height)
			got, err := s.Window(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			after, err := l.Window(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			samePixels(t, "the layer", after, before)
			checkStack(t, s, r, got, func(k, col, row int) pixelValue {
				i := (row-r.Y)*r.Width + col - r.X
				return pixelValue{after.Bands[k].Pixels.At(i), after.Valid(k, i)}
			})
		}
	}
}

func TestDescribeStacks(t *testing.T) {
	st := open(t)
	classes := waves(64, 1, raster.Rect{Width: 100, Height: 90}, rasterbase.Band{PixelType: rasterbase.Uint8, Description: "cover", Classes: []rasterbase.Class{{Value: 1, Name: "sea"}}})
	classes.Datatype = rasterbase.Categorical
	a := layer(t, st, classes)
	b := layer(t, st, waves(128, 1, raster.Rect{X: 50, Y: 20, Width: 128, Height: 100}, rasterbase.Band{PixelType: rasterbase.Float32, Unit: "m"}))
	low := waves(64, 0, raster.Rect{Width: 64, Height: 64}, rasterbase.Band{PixelType: rasterbase.Uint8})
	low.NoPyramid = true
	c := layer(t, st, low)

	s := stack(t, coverage.StackOptions{Name: "both"}, input("x", a, 0), input("y", b, 0))
	d := s.Describe()
	if d.Name != "both" || d.Datatype != rasterbase.Continuous || d.TileSize != 128 || d.MaxZoom != 1 || !d.HasPyramid || len(d.Bands) != 2 {
		t.Errorf("%+v", d)
	}
	if x, y := d.Bands[0], d.Bands[1]; x.Description != "cover" || len(x.Classes) != 1 || x.Count != 0 || x.Max != 0 || x.Histogram.Values != nil || y.Unit != "m" || y.PixelType != rasterbase.Float32 {
		t.Errorf("its bands are %+v", d.Bands)
	}
	if one := stack(t, coverage.StackOptions{}, input("x", a, 0), input("y", a, 0)); one.Describe().Datatype != rasterbase.Categorical {
		t.Errorf("classes are %s", one.Describe().Datatype)
	}
	if _, err := s.Summaries(t.Context(), coverage.SummaryQuery{}); rasterbase.CodeOf(err) != rasterbase.Unsupported {
		t.Errorf("summaries: %v", err)
	}
	flat := stack(t, coverage.StackOptions{}, input("x", a, 0), input("c", c, 0))
	if flat.Describe().HasPyramid {
		t.Error("a pyramid of a layer without one")
	}
	if _, err := flat.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(0), Width: 1, Height: 1}); rasterbase.CodeOf(err) != rasterbase.NotFound || !strings.Contains(err.Error(), "stack") {
		t.Errorf("a zoom without a pyramid: %v", err)
	}

	// What it reads, and what tells its states apart.
	ndvi := formula(t, "x - y", coverage.FormulaOptions{}, input("x", b, 0), input("y", a, 0))
	over := stack(t, coverage.StackOptions{}, input("f", ndvi, 0), input("s", s, 1), input("c", c, 0))
	var ids []rasterbase.LayerID
	for _, l := range coverage.Reads(over) {
		ids = append(ids, l.ID)
	}
	if !slices.Equal(ids, []rasterbase.LayerID{b.Layer().ID, a.Layer().ID, c.Layer().ID}) {
		t.Errorf("it reads %v", ids)
	}
	if over.Cost() != ndvi.Cost() || ndvi.Cost() == 0 {
		t.Errorf("it costs %d, its formula %d", over.Cost(), ndvi.Cost())
	}
	versions := map[string]bool{}
	for _, other := range []*coverage.Stack{
		s, over, flat,
		stack(t, coverage.StackOptions{}, input("y", b, 0), input("x", a, 0)),
		stack(t, coverage.StackOptions{Grid: "x"}, input("x", a, 0), input("y", b, 0)),
		stack(t, coverage.StackOptions{Grid: "y"}, input("x", a, 0), input("y", b, 0)),
	} {
		versions[other.Version()] = true
	}
	if len(versions) != 6 || stack(t, coverage.StackOptions{}, input("x", a, 0), input("y", b, 0)).Version() != s.Version() {
		t.Errorf("%d versions", len(versions))
	}
}

func TestStacksThatCannotBeMade(t *testing.T) {
	st := open(t)
	g := rasterbase.Grid{Width: 100, Height: 80, OriginX: 500000, OriginY: 5000000, ScaleX: 10, ScaleY: -10}
	aside := g
	aside.OriginX += 3
	a, _ := gridLayer(t, st, g, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	b, tiles := gridLayer(t, st, aside, 32633, rasterbase.Band{PixelType: rasterbase.Uint8})
	many := make([]coverage.Input, coverage.MaxReads+1)
	for i := range many {
		many[i] = input(strings.Repeat("a", i+1), a, 0)
	}
	for name, tt := range map[string]struct {
		inputs      []coverage.Input
		grid, field string
	}{
		"nothing":            {nil, "", "layers"},
		"two of one name":    {[]coverage.Input{input("a", a, 0), input("a", b, 0)}, "", "layers"},
		"a band too far":     {[]coverage.Input{input("a", a, 1)}, "", "layers"},
		"a band before":      {[]coverage.Input{input("a", a, -1)}, "", "layers"},
		"the grid of others": {[]coverage.Input{input("a", a, 0)}, "b", "grid"},
		"too many":           {many, "", "layers"},
	} {
		if _, err := coverage.NewStack(t.Context(), tt.inputs, coverage.StackOptions{Grid: tt.grid}); rasterbase.CodeOf(err) != rasterbase.Invalid || blamed(err) != tt.field {
			t.Errorf("%s: %v", name, err)
		}
	}

	s := stack(t, coverage.StackOptions{}, input("a", a, 0), input("b", b, 0))
	err := s.Describe().BaseError
	if rasterbase.CodeOf(err) != rasterbase.Invalid || blamed(err) != "grid" || !strings.Contains(err.Error(), "grid=a") {
		t.Errorf("grids that do not nest: %v", err)
	}
	if _, got := s.Window(t.Context(), coverage.WindowRequest{Width: 1, Height: 1}); !errors.Is(got, err) {
		t.Errorf("a window of them: %v", got)
	}
	named := stack(t, coverage.StackOptions{Grid: "a"}, input("a", a, 0), input("b", b, 0))
	for _, r := range []coverage.WindowRequest{{}, {Width: 1 << 20, Height: 1}, {Width: 1, Height: 1, Bands: []int{2}}, {Width: 1, Height: 1, Bands: []int{-1}}, {Width: 1, Height: 1, Bands: []int{}}} {
		if _, err := named.Window(t.Context(), r); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := coverage.ValuesAt(t.Context(), named, coverage.PointsRequest{Bands: []int{2}, CRS: rasterbase.CRS{SRID: 32633}}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("values of a band that is not there: %v", err)
	}
	// The error of an input is the stack's.
	gone := &goneTiles{Tiles: tiles.Tiles}
	lost := index(t, lostStore{st, gone}, *tiles.rev, nil)
	bad := stack(t, coverage.StackOptions{Grid: "a"}, input("a", a, 0), input("b", lost, 0))
	if _, err := bad.Window(t.Context(), coverage.WindowRequest{Width: 5, Height: 5}); !errors.Is(err, store.ErrRevisionGone) {
		t.Errorf("a revision that is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := coverage.NewStack(ctx, []coverage.Input{input("a", a, 0)}, coverage.StackOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// goneTiles has no tiles any more.
type goneTiles struct{ store.Tiles }

func (goneTiles) Get(context.Context, store.TileKey) (*raster.Raster, error) {
	return nil, store.ErrRevisionGone
}

func (goneTiles) GetMany(context.Context, []store.TileKey) ([]*raster.Raster, error) {
	return nil, store.ErrRevisionGone
}

type lostStore struct {
	store.Store
	tiles *goneTiles
}

func (l lostStore) Tiles() store.Tiles { return l.tiles }
