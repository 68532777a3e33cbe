package algebra_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/raster"
)

func ExampleFormula_Evaluate() {
	f, err := algebra.Parse("(nir - red) / (nir + red)", algebra.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := f.Evaluate(context.Background(), []algebra.Column{
		{Pixels: raster.Slice[float32]{60, 0, 9}},
		{Pixels: raster.Slice[uint16]{20, 0, 65535}, Valid: []uint8{255, 255, 0}},
	})
	fmt.Println(r.Pixels, r.Valid, err)
	// Output:
	// [0.5 NaN NaN] [255 0 0] <nil>
}

func ExampleFormula_Bind() {
	f, err := algebra.Parse("(a - mean(a)) / std(a)", algebra.Options{Reductions: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	known := map[algebra.Reduction]float64{{Function: "mean", Variable: "a"}: 10, {Function: "std", Variable: "a"}: 2}
	bound, err := f.Bind(func(r algebra.Reduction) (float64, bool) {
		v, ok := known[r]
		return v, ok
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Reductions())
	fmt.Println(bound.Eval([]algebra.Value{algebra.Of(13)}))
	// Output:
	// [{mean a} {std a}]
	// 1.5 true
}

func TestReductions(t *testing.T) {
	t.Parallel()
	o := algebra.Options{Reductions: true}
	f, err := algebra.Parse("b * 2 > mean(a) + max(a) - mean(a)", o)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %v %v", f.Reductions(), f.Variables(), f); got != "[{mean a} {max a}] [b a] b * 2 > mean(a) + max(a) - mean(a)" {
		t.Error(got)
	}
	values := []algebra.Value{algebra.Of(4), {}}
	if _, valid := f.Eval(values); valid {
		t.Error("a reduction without a result is valid")
	}
	bound, err := f.Bind(func(r algebra.Reduction) (float64, bool) { return 7, r.Variable == "a" })
	if err != nil {
		t.Fatal(err)
	}
	if v, valid := bound.Eval(values); v != 1 || !valid {
		t.Errorf("8 > 7 is %v, %v where a has no pixel", v, valid)
	}
	if bound.String() != f.String() || !slices.Equal(bound.Variables(), f.Variables()) || len(bound.Reductions()) != 0 {
		t.Errorf("bound: %v of %v, %v", bound, bound.Variables(), bound.Reductions())
	}
	for _, missing := range []func(algebra.Reduction) (float64, bool){
		func(algebra.Reduction) (float64, bool) { return 1, false },
		func(algebra.Reduction) (float64, bool) { return math.Inf(1), true },
	} {
		bound, err := f.Bind(missing)
		if err != nil {
			t.Fatal(err)
		}
		if _, valid := bound.Eval(values); valid {
			t.Error("a reduction that nobody knows is valid")
		}
	}
	for text, want := range map[string]string{
		"median(a)":        "in order",
		"mean(a + 1)":      "plain name",
		"1 + sum(mean(a))": "plain name",
		"std(~a)":          "plain name",
		"max(3)":           "plain name",
		"min()":            "two arguments",
	} {
		if _, err := algebra.Parse(text, o); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "column") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"a + b":                          true,
		"(a > 1) & (b < 2)":              true,
		"min(a, b, 1)":                   true,
		"~a + b":                         false,
		"~a + a":                         true,
		"a == NULL":                      false,
		"(a != NULL) & (a > 1)":          true,
		"where(a > 1, a, b)":             false,
		"where(a > 1, b, 2 * b)":         true,
		"where(a > 1, b, NULL)":          true,
		"where(a > 1, NULL, b)":          true,
		"where(a > 1, 1, 0) + b":         true,
		"where(a > 1, 1, 0)":             true,
		"where(a == NULL, 0, a)":         false,
		"b - mean(a)":                    false,
		"a - mean(a)":                    true,
		"5":                              true,
		"where(a == NULL, b, a + b)":     false,
		"where(b == NULL, a, a) + ~b":    false,
		"where(a, b, where(a, NULL, b))": true,
	} {
		f, err := algebra.Parse(text, algebra.Options{Reductions: true})
		if err != nil {
			t.Fatal(err)
		}
		if f, err = f.Bind(func(algebra.Reduction) (float64, bool) { return 1, true }); err != nil {
			t.Fatal(err)
		}
		if f.Strict() != want {
			t.Errorf("%s: Strict is %v", text, !want)
		}
	}
}

func TestPixelType(t *testing.T) {
	t.Parallel()
	f32, f64, u8, i16, i32 := rasterbase.Float32, rasterbase.Float64, rasterbase.Uint8, rasterbase.Int16, rasterbase.Int32
	for _, tt := range []struct {
		formula string
		a, b    rasterbase.PixelType
		want    rasterbase.PixelType
	}{
		{"a + b", f32, f32, f32},
		{"a + b", f32, i16, f32},
		{"a + b", u8, f32, f32},
		{"a + b", f32, i32, f64},
		{"a + b", f32, f64, f64},
		{"a + b", u8, u8, f64},
		{"a + b > 2", f32, f32, u8},
		{"!(a + b)", f64, f32, u8},
		{"(a | b)", u8, u8, u8},
		{"-(a > b)", u8, f32, f32},
		{"where(a > b, 1, 0)", u8, u8, f64},
	} {
		f := mustParse(t, tt.formula)
		if got := f.PixelType(tt.a, tt.b); got != tt.want {
			t.Errorf("%s of %v and %v: %v, want %v", tt.formula, tt.a, tt.b, got, tt.want)
		}
		r, err := f.Evaluate(context.Background(), []algebra.Column{{Pixels: raster.NewPixels(tt.a, 3)}, {Pixels: raster.NewPixels(tt.b, 3)}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%T", r.Pixels), fmt.Sprintf("%T", raster.NewPixels(tt.want, 0)); got != want {
			t.Errorf("%s of %v and %v: pixels are %s, not %s", tt.formula, tt.a, tt.b, got, want)
		}
	}
}

func TestPrecision(t *testing.T) {
	t.Parallel()
	eval := func(text string, x float64, types ...rasterbase.PixelType) (float64, bool) {
		return mustParse(t, text).For(types...).Eval([]algebra.Value{algebra.Of(x)})
	}
	if v, _ := eval("x * 1000 + 123", 4_000_000, rasterbase.Int32); v != 4_000_000_123 {
		t.Errorf("integers: %v", v)
	}
	if v, _ := eval("x + 1", 16777216, rasterbase.Float32); v != 16777216 {
		t.Errorf("float32: %v", v)
	}
	if v, valid := eval("x * 10", 3e38, rasterbase.Float32); valid {
		t.Errorf("overflow of float32 is %v", v)
	}
	if v, valid := eval("x / 1e300", 1, rasterbase.Float32); valid {
		t.Errorf("divided by a number that float32 does not hold: %v", v)
	}
	if v, valid := eval("x > -1e300", -3e38, rasterbase.Float32); v != 1 || !valid {
		t.Errorf("compared with a number that float32 does not hold: %v, %v", v, valid)
	}
}

func TestEvaluateRefusesColumnsThatDoNotFit(t *testing.T) {
	t.Parallel()
	f := mustParse(t, "a + b")
	three, two := raster.Slice[uint8]{1, 2, 3}, raster.Slice[uint8]{1, 2}
	for _, columns := range [][]algebra.Column{
		nil,
		{{Pixels: three}},
		{{Pixels: three}, {Pixels: two}},
		{{Pixels: three}, {Pixels: three, Valid: []uint8{1}}},
	} {
		if _, err := f.Evaluate(context.Background(), columns); err == nil {
			t.Errorf("%v was evaluated", columns)
		}
	}
}

func TestEvaluateStopsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, p := range []raster.Pixels{make(raster.Slice[float32], 5000), make(raster.Slice[uint8], 5000), make(raster.Slice[float64], 3)} {
		if _, err := mustParse(t, "a * 2").Evaluate(ctx, []algebra.Column{{Pixels: p}}); !errors.Is(err, context.Canceled) {
			t.Errorf("%T: %v", p, err)
		}
	}
}

// TestEvaluateFromManyGoroutines shows that a formula can be shared.
func TestEvaluateFromManyGoroutines(t *testing.T) {
	t.Parallel()
	f := mustParse(t, "where(a > 50, a * a + 1, ~a - sin(a) / 2) / 3")
	pixels := make(raster.Slice[float32], 5000)
	for i := range pixels {
		pixels[i] = float32(i % 100)
	}
	want, err := f.Evaluate(context.Background(), []algebra.Column{{Pixels: pixels}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				got, err := f.Evaluate(context.Background(), []algebra.Column{{Pixels: pixels}})
				if err != nil || !slices.Equal(got.Pixels.(raster.Slice[float32]), want.Pixels.(raster.Slice[float32])) {
					t.Errorf("other pixels, %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestEvaluateAllocatesNothingForAPixel(t *testing.T) {
	f := mustParse(t, "where(a > 0, min(a, b, 3) / (b + sin(a)), ~b) + median(a, b, 1)")
	allocations := func(n int) float64 {
		columns := []algebra.Column{{Pixels: make(raster.Slice[float32], n)}, {Pixels: make(raster.Slice[int16], n)}}
		return testing.AllocsPerRun(20, func() {
			if _, err := f.Evaluate(context.Background(), columns); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := allocations(2_000), allocations(200_000)
	if many > few+20 { // the pool of memory may be emptied at times
		t.Errorf("%v allocations for 2,000 pixels and %v for 200,000", few, many)
	}
}

func TestEvaluateWithoutVariables(t *testing.T) {
	t.Parallel()
	r, err := mustParse(t, "1 + 1").Evaluate(context.Background(), nil)
	if err != nil || r.Pixels.Len() != 0 || r.Valid != nil {
		t.Errorf("%v, %v", r, err)
	}
}

// TestNestingChangesNothing compares a formula with itself inside parentheses,
// double negations and sums of zero.
func TestNestingChangesNothing(t *testing.T) {
	t.Parallel()
	const core = "a * 3 - b / 7"
	columns := []algebra.Column{{Pixels: raster.Slice[float32]{1, -0.5, 0, 3e38}}, {Pixels: raster.Slice[float32]{0.1, 9, 0, 2}}}
	want, err := mustParse(t, core).Evaluate(context.Background(), columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		strings.Repeat("(", 98) + core + strings.Repeat(")", 98),
		strings.Repeat("-(-(", 20) + core + strings.Repeat("))", 20),
		strings.Repeat("1*(", 40) + core + strings.Repeat(")", 40),
		strings.Repeat("min(3e38, ", 30) + core + strings.Repeat(")", 30),
	} {
		f := mustParse(t, text)
		got, err := f.Evaluate(context.Background(), columns)
		if err != nil || !sameBits(got, want) {
			t.Errorf("%.40s: %v, want %v; %v", text, got, want, err)
		}
		for i := range 3 {
			a, okA := f.For(rasterbase.Float32, rasterbase.Float32).Eval([]algebra.Value{algebra.Of(columns[0].Pixels.At(i)), algebra.Of(columns[1].Pixels.At(i))})
			if !okA || a != want.Pixels.At(i) {
				t.Errorf("%.40s: Eval gives %v, %v for pixel %d", text, a, okA, i)
			}
		}
	}
}

func sameBits(a, b algebra.Result) bool {
	return slices.Equal(a.Pixels.Bytes(), b.Pixels.Bytes()) && slices.Equal(a.Valid, b.Valid)
}
