package coverage_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/xyz"
)

// formula makes a coverage of a formula.
func formula(t rapidTB, text string, o coverage.FormulaOptions, inputs ...coverage.Input) *coverage.Formula {
	t.Helper()
	f, err := coverage.NewFormula(context.Background(), parsed(t, text), inputs, o)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

func parsed(t rapidTB, text string) *algebra.Formula {
	t.Helper()
	f, err := algebra.Parse(text, algebra.Options{Reductions: true})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

func input(name string, c coverage.Coverage, band int) coverage.Input {
	return coverage.Input{Name: name, Coverage: c, Band: band}
}

// known is a layer and all pixels of each of its zooms.
type known struct {
	*coverage.Layer
	worlds []*raster.Raster
}

// mixed are layers of many types, tile sizes, max zooms and extents.
func mixed(t testing.TB) []known {
	st := open(t)
	band := func(p rasterbase.PixelType, nodata *rasterbase.Float) rasterbase.Band {
		return rasterbase.Band{PixelType: p, Nodata: nodata}
	}
	classes := waves(64, 2, raster.Rect{X: 20, Y: 30, Width: 200, Height: 190}, band(rasterbase.Uint8, nil))
	classes.Datatype = rasterbase.Categorical
	classes.Value = func(_, x, y int) (float64, bool) { return float64((x/3 + y/5) % 7), (x+y)%11 != 0 }
	specs := []testlayer.Spec{
		classes,
		waves(64, 2, raster.Rect{Width: 256, Height: 256}, band(rasterbase.Float32, nil), band(rasterbase.Float32, nil)),
		waves(100, 1, raster.Rect{X: 30, Y: 10, Width: 150, Height: 170}, band(rasterbase.Int16, rasterbase.FloatPtr(-99)), band(rasterbase.Uint16, rasterbase.FloatPtr(0))),
		waves(128, 0, raster.Rect{Width: 128, Height: 90}, band(rasterbase.Int32, rasterbase.FloatPtr(-1))),
		waves(300, 0, raster.Rect{X: 5, Y: 5, Width: 290, Height: 280}, band(rasterbase.Float64, rasterbase.FloatPtr(100))),
		waves(64, 3, raster.Rect{X: 200, Y: 100, Width: 180, Height: 300}, band(rasterbase.Uint8, nil), band(rasterbase.Int8, nil), band(rasterbase.Uint8, rasterbase.FloatPtr(7))),
		waves(80, 2, raster.Rect{X: 60, Y: 40, Width: 70, Height: 90}, band(rasterbase.Uint32, nil), band(rasterbase.Float32, rasterbase.FloatPtr(-9999)), band(rasterbase.Uint8, nil), band(rasterbase.Uint8, nil), band(rasterbase.Uint16, rasterbase.FloatPtr(9))),
	}
	all := make([]known, len(specs))
	for i, s := range specs {
		c := layer(t, st, s)
		all[i] = known{c, zooms(t, c)}
	}
	return all
}

// What is made of layers of many kinds, which are stored once for all.
func TestFormulas(t *testing.T) {
	all := mixed(t)
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, all []known)
	}{
		{"formula is what each pixel says", testFormulaIsWhatEachPixelSays},
		{"formula tiles of any size", testFormulaTilesOfAnySize},
		{"formula tiles have no seams", testFormulaTilesHaveNoSeams},
		{"formula of blended pixels", testFormulaOfBlendedPixels},
		{"nested formulas", testNestedFormulas},
		{"describe formulas", testDescribeFormulas},
		{"versions of formulas", testVersionsOfFormulas},
		{"formulas that cannot be made", testFormulasThatCannotBeMade},
		{"sample of a small formula", testSampleOfASmallFormula},
		{"profile is lookups", testProfileIsLookups},
		{"profiles that cannot be made", testProfilesThatCannotBeMade},
		{"profile distances", testProfileDistances},
		{"profile of pixels", testProfileOfPixels},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, all) })
	}
}

// value is what a formula gets of a band at the centre of a pixel of which size
// times 2^z lie along the world: that of the pixel there of the next finer zoom.
func (k known) value(band, z, size, x, y int) algebra.Value {
	d := k.Describe()
	zoom := 0
	for zoom < d.MaxZoom && d.TileSize<<zoom < size<<z {
		zoom++
	}
	in, of := size<<z, d.TileSize<<zoom
	col, row := floorDivide((2*x+1)*of, 2*in), floorDivide((2*y+1)*of, 2*in)
	nodata := math.NaN()
	if n := d.Bands[band].Nodata; n != nil {
		nodata = float64(*n)
	}
	w := k.worlds[zoom]
	if col < 0 || row < 0 || col >= w.Width || row >= w.Height || !w.Valid(band, row*w.Width+col) {
		return algebra.Value{V: nodata}
	}
	return algebra.Value{V: w.Bands[band].Pixels.At(row*w.Width + col), Valid: true}
}

// scenario is a formula over bands of layers.
type scenario struct {
	text   string
	parsed *algebra.Formula
	exact  *algebra.Formula // for the types of its variables
	layers []known          // of the variables
	bands  []int
	cov    *coverage.Formula
	size   int
}

var formulaTexts = []string{
	"a", "a*5+b", "(a-b)/(a+b)", "a > b", "(a > 3) & (b < 100) | c == 2", "where(a == NULL, b, a)", "~a + b", "where(a > 100, b, c)",
	"a*1000+b*3.7-c", "sqrt(a)*log(b)", "a/(b-c)", "min(a, b, c)", "-a^2", "!(a == b)", "a + 0.1 == 3.1", "where(b > 50, NULL, b*2)", "~b", "mean(a, b) - mean(c)",
	"a - mean(a)", "(a - min(b)) / (max(b) - min(b))",
}

func drawScenario(t *rapid.T, all []known) scenario {
	s := scenario{text: rapid.SampledFrom(formulaTexts).Draw(t, "formula")}
	if rapid.IntRange(0, 2).Draw(t, "made") == 0 {
		s.text = drawFormula(t, 3) + "+a"
	}
	s.parsed = parsed(t, s.text)
	var inputs []coverage.Input
	var types []rasterbase.PixelType
	for _, v := range s.parsed.Variables() {
		l := rapid.SampledFrom(all).Draw(t, "layer of "+v)
		d := l.Describe()
		b := rapid.IntRange(0, len(d.Bands)-1).Draw(t, "band of "+v)
		s.layers, s.bands = append(s.layers, l), append(s.bands, b)
		inputs = append(inputs, input(v, l.Layer, b))
		types = append(types, d.Bands[b].PixelType)
		s.size = max(s.size, d.TileSize)
	}
	s.cov = formula(t, s.text, coverage.FormulaOptions{}, inputs...)
	bound, err := s.parsed.Bind(func(r algebra.Reduction) (float64, bool) {
		for i, v := range s.parsed.Variables() {
			if v == r.Variable {
				b := s.layers[i].Describe().Bands[s.bands[i]]
				return map[string]float64{"min": b.Min, "max": b.Max, "mean": b.Mean}[r.Function], true
			}
		}
		return 0, false
	})
	if err != nil {
		t.Fatal(err)
	}
	s.exact = bound.For(types...)
	return s
}

func drawFormula(t *rapid.T, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom([]string{"a", "b", "c", "2", "0.5", "100"}).Draw(t, "leaf")
	}
	next := func() string { return drawFormula(t, depth-1) }
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return next()
	case 1:
		return "where(" + next() + "," + next() + "," + next() + ")"
	case 2:
		return "~" + rapid.SampledFrom([]string{"a", "b"}).Draw(t, "filled")
	case 3:
		return "abs(" + next() + ")"
	}
	op := rapid.SampledFrom([]string{"+", "-", "*", "/", ">", "<=", "&", "|"}).Draw(t, "operator")
	return "(" + next() + op + next() + ")"
}

// pixel is the scenario at one pixel, one by one.
func (s scenario) pixel(z, size, x, y int) (float64, bool) {
	values := make([]algebra.Value, len(s.layers))
	for i, l := range s.layers {
		values[i] = l.value(s.bands[i], z, size, x, y)
	}
	return s.exact.Eval(values)
}

// check compares a window of pixels of which size times 2^z lie along the world.
func (s scenario) check(t *rapid.T, got *raster.Raster, z, size, x0, y0 int) {
	if err := got.Check(); err != nil || len(got.Bands) != 1 || got.SRID != 3857 {
		t.Fatalf("%d bands, srid %d: %v", len(got.Bands), got.SRID, err)
	}
	if want := s.cov.Describe().Bands[0]; got.Bands[0].Type != want.PixelType {
		t.Fatalf("%s: the pixels are %s, not %s as described", s.text, got.Bands[0].Type, want.PixelType)
	}
	g := xyz.PixelGrid(0, size)
	scale := math.Ldexp(g.ScaleX, -z)
	if math.Abs(got.OriginX-(g.OriginX+scale*float64(x0))) > 1e-6 || math.Abs(got.OriginY-(g.OriginY-scale*float64(y0))) > 1e-6 || math.Abs(got.ScaleX-scale) > 1e-9*scale {
		t.Fatalf("the grid is %+v", got.Grid)
	}
	const most = 1000 // pixels that are looked at, of all columns and rows
	for i := 0; i < got.Width*got.Height; i += 1 + got.Width*got.Height/most {
		x, y := x0+i%got.Width, y0+i/got.Width
		want, valid := s.pixel(z, size, x, y)
		if x < 0 || y < 0 || x >= size<<z || y >= size<<z {
			valid = false
		}
		v := got.Bands[0].Pixels.At(i)
		if ok := got.Valid(0, i); ok != valid || ok && v != want {
			t.Fatalf("%s, zoom %d, size %d, pixel %d,%d is %v, %v; want %v, %v", s.text, z, size, x, y, v, ok, want, valid)
		}
	}
}

// Every pixel of any window at any zoom is what the formula makes of the pixels of
// its inputs at that place, bit for bit, and a lookup at a point is the same.
func testFormulaIsWhatEachPixelSays(t *testing.T, all []known) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t, all)
		z := rapid.IntRange(0, 5).Draw(t, "z")
		side := s.size << z
		r := coverage.WindowRequest{
			Level: coverage.ZoomLevel(z), X: rapid.IntRange(-20, side).Draw(t, "x"), Y: rapid.IntRange(-20, side).Draw(t, "y"),
			Width: rapid.IntRange(1, 80).Draw(t, "width"), Height: rapid.IntRange(1, 40).Draw(t, "height"),
		}
		got, err := s.cov.Window(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		s.check(t, got, z, s.size, r.X, r.Y)
		col, row := rapid.IntRange(0, r.Width-1).Draw(t, "column"), rapid.IntRange(0, r.Height-1).Draw(t, "row")
		x, y := got.World(float64(col)+0.5, float64(row)+0.5)
		at, err := coverage.At(t.Context(), s.cov, coverage.PointRequest{Point: crs.Point{X: x, Y: y}, CRS: rasterbase.CRS{SRID: 3857}, Level: r.Level})
		if err != nil {
			t.Fatal(err)
		}
		i := row*r.Width + col
		if at.Col != r.X+col || at.Values[0].Valid != got.Valid(0, i) || at.Values[0].Valid && at.Values[0].Value != got.Bands[0].Pixels.At(i) {
			t.Fatalf("the lookup is %+v", at)
		}
	})
}

// Tiles of other sizes are evaluated on the inputs' pixels of that size.
func testFormulaTilesOfAnySize(t *testing.T, all []known) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t, all)
		r := drawTile(t, 2)
		r.Resampling = rasterbase.Nearest
		got, err := coverage.Tile(t.Context(), s.cov, r)
		if err != nil {
			t.Fatal(err)
		}
		if r.Size == 0 {
			r.Size = s.size
		}
		s.check(t, got, r.Z, r.Size, r.X*r.Size-r.Margin, r.Y*r.Size-r.Margin)
	})
}

// Four tiles are what one of twice the size is, whatever is blended in it.
func testFormulaTilesHaveNoSeams(t *testing.T, all []known) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t, all)
		r := drawSmallTile(t, s.size)
		r.Float = rapid.Bool().Draw(t, "float")
		whole := r
		whole.Size *= 2
		want, err := coverage.Tile(t.Context(), s.cov, whole)
		if blamed(err) == "resampling" {
			return // all inputs are classes
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			part := r
			part.Z, part.X, part.Y = r.Z+1, 2*r.X+i%2, 2*r.Y+i/2
			got, err := coverage.Tile(t.Context(), s.cov, part)
			if err != nil {
				t.Fatal(err)
			}
			samePixels(t, fmt.Sprintf("%s, part %d of %+v", s.text, i, r), got, want.Crop(i%2*r.Size, i/2*r.Size, got.Width, got.Height))
		}
	})
}

// drawSmallTile draws a tile of few pixels, sometimes of a coverage's own size.
func drawSmallTile(t *rapid.T, own int) coverage.TileRequest {
	r := drawTile(t, 2)
	if r.Size == 0 {
		r.Size = own
	}
	if r.Size > 80 {
		r.Size = 48
	}
	r.Margin = min(r.Margin, 9)
	return r
}

func blamed(err error) string {
	var e *rasterbase.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

// Continuous inputs are blended before the formula is evaluated, and classes are not.
func testFormulaOfBlendedPixels(t *testing.T, all []known) {
	classes, floats, heights := all[0], all[1], all[2]
	f := formula(t, "a + b/4 + c", coverage.FormulaOptions{}, input("a", floats.Layer, 1), input("b", heights.Layer, 0), input("c", classes.Layer, 0))
	for _, float := range []bool{false, true} {
		r := coverage.TileRequest{Z: 1, X: 1, Y: 0, Size: 150, Margin: 3, Resampling: rasterbase.Cubic, Float: float}
		got, err := coverage.Tile(t.Context(), f, r)
		if err != nil {
			t.Fatal(err)
		}
		tile := func(c coverage.Coverage, band int, r coverage.TileRequest) *raster.Raster {
			r.Bands = []int{band}
			w, err := coverage.Tile(t.Context(), c, r)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		plain := r
		plain.Resampling = ""
		a, b, c := tile(floats, 1, r), tile(heights, 0, r), tile(classes, 0, plain)
		for i := range got.Width * got.Height {
			valid := a.Valid(0, i) && b.Valid(0, i) && c.Valid(0, i)
			want := float64(float32(float32(a.Bands[0].Pixels.At(i)+b.Bands[0].Pixels.At(i)/4)) + float32(c.Bands[0].Pixels.At(i)))
			if v := got.Bands[0].Pixels.At(i); got.Valid(0, i) != valid || valid && math.Abs(v-want) > 1e-4 {
				t.Fatalf("pixel %d is %v, want %v, %v", i, v, want, valid)
			}
		}
	}
	_, err := coverage.Tile(t.Context(), formula(t, "x*2", coverage.FormulaOptions{}, input("x", classes.Layer, 0)), coverage.TileRequest{Resampling: rasterbase.Bilinear})
	if rasterbase.CodeOf(err) != rasterbase.Invalid || blamed(err) != "resampling" {
		t.Errorf("blended classes: %v", err)
	}
	if _, err := coverage.Tile(t.Context(), formula(t, "x > 100", coverage.FormulaOptions{}, input("x", floats.Layer, 0)), coverage.TileRequest{Size: 70, Resampling: rasterbase.Bilinear}); err != nil {
		t.Errorf("a mask of blended pixels: %v", err)
	}
}

// A formula over formulas is the formula with theirs put in.
func testNestedFormulas(t *testing.T, all []known) {
	a, b, c := input("a", all[1].Layer, 0), input("b", all[1].Layer, 1), input("c", all[6].Layer, 1)
	inner := formula(t, "a - b", coverage.FormulaOptions{}, a, b)
	nested := formula(t, "(x + c) / x", coverage.FormulaOptions{}, input("x", inner, 0), c)
	flat := formula(t, "((a - b) + c) / (a - b)", coverage.FormulaOptions{}, a, b, c)
	if d, e := nested.Describe(), flat.Describe(); d.TileSize != e.TileSize || d.MaxZoom != e.MaxZoom || d.Bounds != e.Bounds || d.Datatype != e.Datatype {
		t.Errorf("%+v and %+v", d, e)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := drawSmallTile(t, nested.Describe().TileSize)
		got, err := coverage.Tile(t.Context(), nested, r)
		if err != nil {
			t.Fatal(err)
		}
		want, err := coverage.Tile(t.Context(), flat, r)
		if err != nil {
			t.Fatal(err)
		}
		samePixels(t, fmt.Sprintf("%+v", r), got, want)
	})
}

func testDescribeFormulas(t *testing.T, all []known) {
	type facts struct {
		size, zoom int
		datatype   rasterbase.Datatype
		pixels     rasterbase.PixelType
	}
	for _, tt := range []struct {
		text string
		a, b int
		want facts
	}{
		{"a+b", 1, 1, facts{64, 2, rasterbase.Continuous, rasterbase.Float32}},
		{"a+b", 0, 1, facts{64, 2, rasterbase.Continuous, rasterbase.Float32}},
		{"a+b", 0, 0, facts{64, 2, rasterbase.Categorical, rasterbase.Float64}},
		{"a>b", 1, 4, facts{300, 0, rasterbase.Mask, rasterbase.Uint8}},
		{"a+b", 4, 5, facts{300, 1, rasterbase.Continuous, rasterbase.Float64}},
		{"a+b", 2, 5, facts{100, 3, rasterbase.Continuous, rasterbase.Float64}},
	} {
		d := formula(t, tt.text, coverage.FormulaOptions{Name: "it"}, input("a", all[tt.a].Layer, 0), input("b", all[tt.b].Layer, 0)).Describe()
		got := facts{d.TileSize, d.MaxZoom, d.Datatype, d.Bands[0].PixelType}
		if got != tt.want || d.Name != "it" || !d.HasPyramid || len(d.Bands) != 1 || d.Bands[0].Count != 0 {
			t.Errorf("%s of %d and %d: %+v, want %+v", tt.text, tt.a, tt.b, got, tt.want)
		}
	}
	a, b := all[2].Describe().Bounds, all[3].Describe().Bounds
	both := formula(t, "a*b", coverage.FormulaOptions{}, input("a", all[2].Layer, 0), input("b", all[3].Layer, 0)).Describe().Bounds
	any := formula(t, "~a*~b", coverage.FormulaOptions{}, input("a", all[2].Layer, 0), input("b", all[3].Layer, 0)).Describe().Bounds
	if both != (rasterbase.Bounds{West: max(a.West, b.West), South: max(a.South, b.South), East: min(a.East, b.East), North: min(a.North, b.North)}) {
		t.Errorf("%+v of %+v and %+v", both, a, b)
	}
	if any != (rasterbase.Bounds{West: -180, South: min(a.South, b.South), East: 180, North: max(a.North, b.North)}) {
		t.Errorf("%+v of %+v and %+v", any, a, b)
	}
}

func testVersionsOfFormulas(t *testing.T, all []known) {
	a, b := input("a", all[1].Layer, 0), input("b", all[1].Layer, 1)
	make := func(text string, o coverage.FormulaOptions, in ...coverage.Input) string {
		return formula(t, text, o, in...).Version()
	}
	first := make("a+b", coverage.FormulaOptions{}, a, b)
	if again := make(" a + b", coverage.FormulaOptions{Name: "named"}, b, a); again != first {
		t.Errorf("%s and %s are the same", first, again)
	}
	seen := map[string]string{first: "the first"}
	for name, v := range map[string]string{
		"another formula":  make("a-b", coverage.FormulaOptions{}, a, b),
		"another band":     make("a+b", coverage.FormulaOptions{}, a, input("b", all[1].Layer, 0)),
		"another layer":    make("a+b", coverage.FormulaOptions{}, a, input("b", all[4].Layer, 0)),
		"a grid":           make("a+b", coverage.FormulaOptions{Grid: "a"}, a, b),
		"another grid":     make("a+b", coverage.FormulaOptions{Grid: "b"}, a, b),
		"another datatype": make("a+b", coverage.FormulaOptions{Datatype: rasterbase.Mask}, a, b),
	} {
		if seen[v] != "" {
			t.Errorf("%s has the version of %s", name, seen[v])
		}
		seen[v] = name
	}
}

func testFormulasThatCannotBeMade(t *testing.T, all []known) {
	a, b := input("a", all[1].Layer, 0), input("b", all[1].Layer, 1)
	inner := formula(t, "a+b", coverage.FormulaOptions{}, a, b)
	deep := inner
	for range 7 {
		deep = formula(t, "x+1", coverage.FormulaOptions{}, input("x", deep, 0))
	}
	wide := formula(t, "x+y", coverage.FormulaOptions{}, input("x", inner, 0), input("y", inner, 0))
	for range 4 {
		wide = formula(t, "x+y", coverage.FormulaOptions{}, input("x", wide, 0), input("y", wide, 0))
	}
	for _, tt := range []struct {
		text   string
		o      coverage.FormulaOptions
		inputs []coverage.Input
		field  string
		says   string
	}{
		{"a+b", coverage.FormulaOptions{}, []coverage.Input{a}, "formula", "b"},
		{"1+1", coverage.FormulaOptions{}, nil, "formula", "no layer"},
		{"a", coverage.FormulaOptions{}, []coverage.Input{a, b}, "layers", "does not use b"},
		{"a", coverage.FormulaOptions{}, []coverage.Input{a, a}, "layers", "two inputs"},
		{"a", coverage.FormulaOptions{}, []coverage.Input{input("a", all[1].Layer, 2)}, "layers", "band 3"},
		{"a", coverage.FormulaOptions{}, []coverage.Input{input("a", all[1].Layer, -1)}, "layers", "band 0"},
		{"a", coverage.FormulaOptions{Grid: "b"}, []coverage.Input{a}, "grid", "b"},
		{"x - mean(x)", coverage.FormulaOptions{}, []coverage.Input{input("x", inner, 0)}, "formula", "statistics"},
		{"x", coverage.FormulaOptions{}, []coverage.Input{input("x", deep, 0)}, "layers", "9"},
		{"x+a", coverage.FormulaOptions{}, []coverage.Input{input("x", wide, 0), a}, "layers", "65"},
	} {
		_, err := coverage.NewFormula(t.Context(), parsed(t, tt.text), tt.inputs, tt.o)
		if rasterbase.CodeOf(err) != rasterbase.Invalid || blamed(err) != tt.field || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v (%s)", tt.text, err, blamed(err))
		}
	}
}

func TestFormulaWindowsThatCannotBeRead(t *testing.T) {
	st := open(t)
	s := waves(64, 2, raster.Rect{Width: 100, Height: 100}, rasterbase.Band{PixelType: rasterbase.Uint8})
	c := layer(t, st, s)
	s.NoPyramid = true
	flat := layer(t, st, s)
	f := formula(t, "a+1", coverage.FormulaOptions{}, input("a", c, 0))
	without := formula(t, "a+b", coverage.FormulaOptions{}, input("a", c, 0), input("b", flat, 0))
	for name, tt := range map[string]struct {
		f    *coverage.Formula
		r    coverage.WindowRequest
		code rasterbase.Code
	}{
		"empty":       {f, coverage.WindowRequest{}, rasterbase.Invalid},
		"huge":        {f, coverage.WindowRequest{Width: 1 << 15, Height: 1}, rasterbase.Invalid},
		"no zoom":     {f, coverage.WindowRequest{Level: coverage.ZoomLevel(-1), Width: 1, Height: 1}, rasterbase.Invalid},
		"absurd zoom": {f, coverage.WindowRequest{Level: coverage.ZoomLevel(49), Width: 1, Height: 1}, rasterbase.Invalid},
		"far away":    {f, coverage.WindowRequest{Level: coverage.ZoomLevel(2), X: math.MaxInt, Width: 1, Height: 1}, rasterbase.Invalid},
		"no band":     {f, coverage.WindowRequest{Level: coverage.ZoomLevel(2), Width: 1, Height: 1, Bands: []int{1}}, rasterbase.Invalid},
		"no pyramid":  {without, coverage.WindowRequest{Level: coverage.ZoomLevel(2), Width: 1, Height: 1}, rasterbase.NotFound},
	} {
		if _, err := tt.f.Window(t.Context(), tt.r); rasterbase.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := coverage.Tile(t.Context(), without, coverage.TileRequest{Size: 50}); rasterbase.CodeOf(err) != rasterbase.NotFound {
		t.Errorf("a tile without a pyramid: %v", err)
	}
	if _, err := f.Summaries(t.Context(), coverage.SummaryQuery{}); rasterbase.CodeOf(err) != rasterbase.Unsupported {
		t.Errorf("summaries: %v", err)
	}
	if _, err := coverage.ValuesAt(t.Context(), f, coverage.PointsRequest{Bands: []int{3}, CRS: rasterbase.CRS{SRID: 3857}}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("values of a band that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Window(ctx, coverage.WindowRequest{Level: coverage.ZoomLevel(2), Width: 64, Height: 64}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, z := range []int{40, 48} { // the deepest zooms have pixels
		x := 40 << (z - 2)
		w, err := f.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(z), X: x, Y: x, Width: 2, Height: 2})
		if err != nil {
			t.Fatal(err)
		}
		want, ok := s.Value(0, 40, 40)
		if w.Valid(0, 0) != ok || ok && w.Bands[0].Pixels.At(0) != math.Round(want)+1 && w.Bands[0].Pixels.At(0) != math.Trunc(want)+1 {
			t.Errorf("zoom %d: %v, want %v, %v", z, w.Bands[0].Pixels.At(0), want, ok)
		}
	}
}
