package legend_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/legend"
)

func ExampleCheck() {
	l, err := legend.ParseColormap([]byte(`{"1": "red", "x > 2": "blue", "4": "green"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	band := rasterbase.Band{PixelType: rasterbase.Uint8, Histogram: rasterbase.Histogram{Values: []rasterbase.ValueCount{
		{Value: 1, Count: 10}, {Value: 2, Count: 20}, {Value: 3, Count: 30}, {Value: 4, Count: 40},
	}}}
	r, err := legend.Check(l, band)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Pixels, "pixels; exact:", r.Exact)
	fmt.Println("no entry:", r.None.AtLeast, r.None.Ranges)
	fmt.Println("several:", r.Several.AtLeast, r.Several.Ranges)
	// Output:
	// 100 pixels; exact: true
	// no entry: 20 [{2 2 20}]
	// several: 40 [{4 4 40}]
}

func TestCheckBins(t *testing.T) {
	t.Parallel()
	ten := rasterbase.Histogram{Min: 0, Max: 10, Bins: []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}
	tests := []struct {
		name     string
		colormap string
		pt       rasterbase.PixelType
		want     string
	}{
		{"all once", `[[[0, 5], "red"], [[5, null], "red"]]`, rasterbase.Float32, "55 true [0 0 []] [0 0 []]"},
		{"a gap of bins", `[[[0, 3], "red"], [[5, null], "red"]]`, rasterbase.Float32, "55 true [9 9 [{3 5 9}]] [0 0 []]"},
		{"a gap inside a bin", `[[[0, 3], "red"], [[3.5, null], "red"]]`, rasterbase.Float32, "55 false [0 4 [{3 4 4}]] [0 0 []]"},
		{"no whole number is in it", `[[[0, 3], "red"], [[3.5, null], "red"]]`, rasterbase.Int32, "55 true [4 4 [{3 4 4}]] [0 0 []]"},
		{"a point", `{"x < 3": "red", "x > 3": "red"}`, rasterbase.Float32, "55 false [0 4 [{3 4 4}]] [0 0 []]"},
		{"an overlap", `{"x < 3.5": "red", "x >= 2": "red"}`, rasterbase.Float32, "55 false [0 0 []] [3 7 [{2 4 7}]]"},
		{"the last bin is closed", `{"x < 10": "red"}`, rasterbase.Float32, "55 false [0 10 [{9 10 10}]] [0 0 []]"},
		{"a formula", `{"abs(x) < 5": "red"}`, rasterbase.Float32, "55 false [40 40 [{5 10 40}]] [0 0 []]"},
		{"a linear gradient", `{"stops": [[3, "red"]]}`, rasterbase.Float32, "55 true [0 0 []] [0 0 []]"},
		{"a colormap", `{"colormap_name": "jet"}`, rasterbase.Float32, "55 true [0 0 []] [0 0 []]"},
		{"a discrete gradient", `{"stops": [[3, "red"], [7, "blue"]], "interpolation": "discrete"}`, rasterbase.Int16, "55 true [19 19 [{8 10 19}]] [0 0 []]"},
		{"a discrete gradient to the end", `{"stops": [[3, "red"], ["inf", "blue"]], "interpolation": "discrete"}`, rasterbase.Float32, "55 true [0 0 []] [0 0 []]"},
		{"turned around", `{"stops": [[0, "red"], [0.5, "blue"]], "range": [10, 0], "interpolation": "discrete"}`, rasterbase.Float32, "55 true [15 15 [{0 5 15}]] [0 0 []]"},
		{"an exact gradient", `{"stops": [[3, "red"], [3, "blue"], [4, "red"]], "interpolation": "exact"}`, rasterbase.Int16, "55 true [46 46 [{0 3 6} {5 10 40}]] [0 0 []]"},
	}
	for _, tt := range tests {
		l, err := legend.ParseColormap([]byte(tt.colormap))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		r, err := legend.Check(l, rasterbase.Band{PixelType: tt.pt, Min: 0, Max: 10, Histogram: ten})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		misfit := func(m legend.Misfit) string { return fmt.Sprint("[", m.AtLeast, " ", m.AtMost, " ", m.Ranges, "]") }
		if got := fmt.Sprint(r.Pixels, " ", r.Exact, " ", misfit(r.None), " ", misfit(r.Several)); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestCheckListsSome(t *testing.T) {
	t.Parallel()
	h := rasterbase.Histogram{}
	for i := range 4096 {
		h.Values = append(h.Values, rasterbase.ValueCount{Value: float64(i), Count: 2})
	}
	r, err := legend.Check(&rasterbase.Legend{}, rasterbase.Band{PixelType: rasterbase.Uint16, Histogram: h})
	if err != nil || r.None.AtLeast != 8192 || len(r.None.Ranges) != legend.MaxRanges || r.None.More != 4096-legend.MaxRanges {
		t.Errorf("%+v, %v", r.None.AtLeast, err)
	}
	if _, err := legend.Check(&rasterbase.Legend{Entries: []rasterbase.Entry{{Expression: "x >"}}}, rasterbase.Band{}); err == nil {
		t.Error("a malformed expression was not refused")
	}
	if r, err := legend.Check(&rasterbase.Legend{}, rasterbase.Band{}); err != nil || r.Pixels != 0 {
		t.Errorf("no histogram: %+v, %v", r, err)
	}
}

// Bounds from bins hold whatever the values inside the bins are; reports by value
// are those of trying every entry.
func TestCheckBoundsHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := &rasterbase.Legend{}
		for range rapid.IntRange(0, 6).Draw(rt, "entries") {
			e := genExpression(rt)
			if f, err := algebra.Parse(e, algebra.Options{}); err != nil {
				rt.Fatal(err)
			} else if _, ok := f.Breaks(); !ok && len(f.Variables()) > 0 {
				continue // only tried at some values
			}
			l.Entries = append(l.Entries, rasterbase.Entry{Expression: e})
		}
		pt := rapid.SampledFrom([]rasterbase.PixelType{rasterbase.Int8, rasterbase.Int16, rasterbase.Float64}).Draw(rt, "type")
		all := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-5, 6), rapid.SampledFrom([]float64{-3.25, -1, 0, 1, 2, 2.5, 3, 5})), 1, 30).Draw(rt, "values")
		counts := map[float64]int64{}
		band := rasterbase.Band{PixelType: pt, Min: math.Inf(1), Max: math.Inf(-1)}
		var none, several int64
		for i, v := range all {
			if !pt.IsFloat() {
				v = math.Round(v)
			}
			all[i] = v
			counts[v]++
			band.Min, band.Max = min(band.Min, v), max(band.Max, v)
			matches := 0
			for _, e := range l.Entries {
				if paint(t, &rasterbase.Legend{Entries: []rasterbase.Entry{{Expression: e.Expression, Color: rasterbase.Color{A: 1}}}}, pt, v).A > 0 {
					matches++
				}
			}
			switch {
			case matches == 0:
				none++
			case matches > 1:
				several++
			}
		}
		bins := make([]int64, rapid.IntRange(1, 9).Draw(rt, "bins"))
		for _, v := range all {
			i := 0
			if band.Max > band.Min {
				i = min(len(bins)-1, int((v-band.Min)/(band.Max-band.Min)*float64(len(bins))))
			}
			bins[i]++
		}
		band.Histogram = rasterbase.Histogram{Min: band.Min, Max: band.Max, Bins: bins}
		r, err := legend.Check(l, band)
		if err != nil {
			rt.Fatal(err)
		}
		within := func(m legend.Misfit, n int64) bool { return m.AtLeast <= n && n <= m.AtMost }
		if !within(r.None, none) || !within(r.Several, several) || r.Pixels != int64(len(all)) {
			rt.Fatalf("%s: none %d, several %d, report %+v", expressions(l), none, several, r)
		}
		band.Histogram = rasterbase.Histogram{}
		for v, n := range counts {
			band.Histogram.Values = append(band.Histogram.Values, rasterbase.ValueCount{Value: v, Count: n})
		}
		r, err = legend.Check(l, band)
		if err != nil {
			rt.Fatal(err)
		}
		if !r.Exact || r.None.AtLeast != none || r.Several.AtLeast != several {
			rt.Fatalf("%s: none %d, several %d, report by value %+v", expressions(l), none, several, r)
		}
	})
}
