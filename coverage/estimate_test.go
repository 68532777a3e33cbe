package coverage_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
)

// The sample of a small formula is the statistics of all its pixels at the max zoom.
func testSampleOfASmallFormula(t *testing.T, all []known) {
	for _, tt := range []struct {
		text   string
		a, b   int
		values bool
	}{
		{"a + b*1000", 0, 0, true},
		{"a > b", 1, 3, true},
		{"a / b", 1, 2, false},
		{"a * b", 3, 5, false},
		{"where(a == NULL, b, a)", 0, 1, false},
		{"a - a + b - b", 1, 1, false},
	} {
		f := formula(t, tt.text, coverage.FormulaOptions{}, input("a", all[tt.a].Layer, 0), input("b", all[tt.b].Layer, 0))
		got, err := f.Sample(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d := f.Describe()
		side := d.TileSize << d.MaxZoom
		w, err := f.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(d.MaxZoom), Width: side, Height: side})
		if err != nil {
			t.Fatal(err)
		}
		checkSample(t, tt.text, got, w, tt.values)
		if again, err := f.Sample(t.Context()); err != nil || again.Mean != got.Mean || again.Std != got.Std {
			t.Errorf("%s: another sample differs: %v", tt.text, err)
		}
	}
}

func checkSample(t *testing.T, text string, got rasterbase.Band, w *raster.Raster, values bool) {
	t.Helper()
	counts := map[float64]int64{}
	var n int64
	sum, least, most, whole := 0.0, math.Inf(1), math.Inf(-1), true
	for i := range w.Width * w.Height {
		if w.Valid(0, i) {
			v := w.Bands[0].Pixels.At(i)
			counts[v]++
			n++
			sum, least, most = sum+v, min(least, v), max(most, v)
			whole = whole && v == math.Trunc(v)
		}
	}
	squares := 0.0
	for v, k := range counts {
		squares += float64(k) * (v - sum/float64(n)) * (v - sum/float64(n))
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(1+math.Abs(b)) }
	if got.Count != n || got.Min != least || got.Max != most || !near(got.Mean, sum/float64(n)) || !near(got.Std, math.Sqrt(squares/float64(n))) {
		t.Errorf("%s: %+v; want %d pixels from %v to %v, mean %v", text, got, n, least, most, sum/float64(n))
	}
	h := got.Histogram
	if values {
		for _, c := range h.Values {
			if counts[c.Value] != c.Count {
				t.Errorf("%s: %d pixels of %v, want %d", text, c.Count, c.Value, counts[c.Value])
			}
		}
		if len(h.Values) != len(counts) || h.Bins != nil {
			t.Errorf("%s: the histogram is %+v", text, h)
		}
		return
	}
	width := (h.Max - h.Min) / float64(len(h.Bins))
	if len(h.Bins) == 0 || len(h.Bins) > 512 || h.Min > least || h.Max <= most || whole && width < 1 || h.Values != nil {
		t.Fatalf("%s: %d bins from %v to %v", text, len(h.Bins), h.Min, h.Max)
	}
	want := make([]int64, len(h.Bins))
	for v, k := range counts {
		want[int(math.Floor((v-h.Min)/width))] += k
	}
	if !slices.Equal(h.Bins, want) {
		t.Errorf("%s: the bins are %v, want %v", text, h.Bins, want)
	}
}

// A large formula is sampled at a zoom of few pixels.
func TestSampleOfALargeFormula(t *testing.T) {
	st := open(t)
	s := waves(256, 3, raster.Rect{X: 100, Y: 200, Width: 600, Height: 550}, rasterbase.Band{PixelType: rasterbase.Float32})
	f := formula(t, "a*2", coverage.FormulaOptions{}, input("a", layer(t, st, s), 0))
	got, err := f.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Count < 1<<15 || got.Count > 1<<18 || got.Min < -1 || got.Max > 401 || math.Abs(got.Mean-200) > 20 {
		t.Errorf("%d pixels from %v to %v, mean %v", got.Count, got.Min, got.Max, got.Mean)
	}
}

func TestSampleOfNothing(t *testing.T) {
	st := open(t)
	one := layer(t, st, waves(64, 2, raster.Rect{Width: 50, Height: 50}, rasterbase.Band{PixelType: rasterbase.Uint8}))
	other := waves(64, 2, raster.Rect{X: 150, Y: 150, Width: 50, Height: 50}, rasterbase.Band{PixelType: rasterbase.Uint8})
	apart := formula(t, "a+b", coverage.FormulaOptions{}, input("a", one, 0), input("b", layer(t, st, other), 0))
	for name, f := range map[string]*coverage.Formula{
		"nothing in common": apart,
		"a formula over it": formula(t, "x*2", coverage.FormulaOptions{}, input("x", apart, 0)),
		"nothing is valid":  formula(t, "a/0", coverage.FormulaOptions{}, input("a", one, 0)),
	} {
		if b, err := f.Sample(t.Context()); err != nil || b.Count != 0 || b.Histogram.Bins != nil {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
	other.NoPyramid = true
	flat := formula(t, "b", coverage.FormulaOptions{}, input("b", layer(t, st, other), 0))
	if _, err := flat.Sample(t.Context()); rasterbase.CodeOf(err) != rasterbase.NotFound {
		t.Errorf("without a pyramid: %v", err)
	}
}
