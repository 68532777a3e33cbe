package legend_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

func ExampleClasses() {
	heights := rasterbase.Histogram{Min: -3.2, Max: 4000.7, Bins: []int64{900, 300, 80, 5}}
	l, err := legend.Classes(heights, legend.Quantile, 3, "viridis")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range l.Entries {
		fmt.Printf("%s  %s  %v\n", e.Expression, e.Semantics.Name, e.Color)
	}
	// Output:
	// (-10 <= x) & (x < 470)  -10 to 470  #440154
	// (470 <= x) & (x < 950)  470 to 950  #20908C
	// (950 <= x) & (x <= 4010)  950 to 4010  #FDE724
}

func expressions(l *rasterbase.Legend) string {
	var out []string
	for _, e := range l.Entries {
		out = append(out, e.Expression)
	}
	return strings.Join(out, "; ")
}

func values(pairs ...float64) rasterbase.Histogram {
	var h rasterbase.Histogram
	for i := 0; i < len(pairs); i += 2 {
		h.Values = append(h.Values, rasterbase.ValueCount{Value: pairs[i], Count: int64(pairs[i+1])})
	}
	return h
}

func TestClasses(t *testing.T) {
	t.Parallel()
	even := rasterbase.Histogram{Min: 0, Max: 100, Bins: slices.Repeat([]int64{10}, 50)}
	tests := []struct {
		name string
		h    rasterbase.Histogram
		m    legend.Method
		n    int
		want string
	}{
		{"equal", even, legend.EqualInterval, 4, "(0 <= x) & (x < 25); (25 <= x) & (x < 50); (50 <= x) & (x < 75); (75 <= x) & (x <= 100)"},
		{"thirds are short", even, legend.EqualInterval, 3, "(0 <= x) & (x < 33); (33 <= x) & (x < 67); (67 <= x) & (x <= 100)"},
		{"ends are rounded outwards", rasterbase.Histogram{Min: 0.0123456, Max: 0.9876543, Bins: []int64{1, 1}}, legend.EqualInterval, 2,
			"(0.01 <= x) & (x < 0.5); (0.5 <= x) & (x <= 0.99)"},
		{"quantile", even, legend.Quantile, 5, "(0 <= x) & (x < 20); (20 <= x) & (x < 40); (40 <= x) & (x < 60); (60 <= x) & (x < 80); (80 <= x) & (x <= 100)"},
		{"quantile of values", values(1, 10, 2, 10, 3, 10), legend.Quantile, 3, "(1 <= x) & (x < 2); (2 <= x) & (x < 3); 3"},
		{"more classes than values", values(1, 10, 2, 10), legend.Quantile, 5, "(1 <= x) & (x < 2); 2"},
		{"one value has nearly all", values(0, 1000, 1, 1, 9, 1), legend.Quantile, 3, "(0 <= x) & (x < 1); (1 <= x) & (x <= 9)"},
		{"natural", values(1, 5, 2, 5, 3, 5, 50, 5, 51, 5, 200, 1), legend.NaturalBreaks, 3, "(1 <= x) & (x < 50); (50 <= x) & (x < 200); 200"},
		{"natural, of floats", values(0.1, 5, 0.123456789, 5, 0.7654321, 5, 0.8, 1), legend.NaturalBreaks, 2, "(0.1 <= x) & (x < 0.7); (0.7 <= x) & (x <= 0.8)"},
		{"natural bins", rasterbase.Histogram{Min: 0, Max: 10, Bins: []int64{5, 5, 0, 0, 0, 0, 0, 0, 7, 5}}, legend.NaturalBreaks, 2, "(0 <= x) & (x < 8); (8 <= x) & (x <= 10)"},
		{"deviation, even", values(0, 50, 10, 50), legend.StandardDeviation, 4, "(0 <= x) & (x < 5); (5 <= x) & (x < 10); 10"},
		{"deviation, odd", values(0, 1, 10, 2, 20, 1), legend.StandardDeviation, 3, "(0 <= x) & (x < 6.5); (6.5 <= x) & (x < 13.5); (13.5 <= x) & (x <= 20)"},
		{"distinct", values(3, 1, 4.5, 1), legend.DistinctValues, 0, "3; 4.5"},
		{"one value", values(7, 3), legend.EqualInterval, 5, "7"},
		{"one value in a bin", rasterbase.Histogram{Min: 7, Max: 7, Bins: []int64{3}}, legend.NaturalBreaks, 5, "7"},
		{"one class", even, legend.NaturalBreaks, 1, "(0 <= x) & (x <= 100)"},
		{"empty bins at the ends", rasterbase.Histogram{Min: 0, Max: 40, Bins: []int64{0, 5, 5, 0}}, legend.EqualInterval, 2, "(10 <= x) & (x < 20); (20 <= x) & (x <= 30)"},
	}
	for _, tt := range tests {
		l, err := legend.Classes(tt.h, tt.m, tt.n, "")
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := expressions(l); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
		if err := legend.Validate(l); err != nil {
			t.Error(err)
		}
	}
}

func TestClassesColors(t *testing.T) {
	t.Parallel()
	h := values(1, 1, 2, 1, 3, 1)
	tests := []struct {
		m        legend.Method
		colormap string
		want     string
	}{
		{legend.EqualInterval, "gray_r", "#FFFFFF #7F7F7F #000000"},
		{legend.EqualInterval, "set1", "#E41A1C #377EB8 #4DAF4A"},
		{legend.DistinctValues, "set1_r", "#999999 #F781BF #A65628"},
		{"Distinct", "gray", "#000000 #808080 #FFFFFF"},
	}
	for _, tt := range tests {
		l, err := legend.Classes(h, tt.m, 3, tt.colormap)
		if err != nil {
			t.Errorf("%s: %v", tt.colormap, err)
			continue
		}
		var got []string
		for _, e := range l.Entries {
			got = append(got, e.Color.String())
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.colormap, s, tt.want)
		}
	}
}

func TestClassesErrors(t *testing.T) {
	t.Parallel()
	many := rasterbase.Histogram{}
	for i := range 300 {
		many.Values = append(many.Values, rasterbase.ValueCount{Value: float64(i), Count: 1})
	}
	bins := rasterbase.Histogram{Max: 1, Bins: []int64{1}}
	tests := []struct {
		h        rasterbase.Histogram
		m        legend.Method
		n        int
		colormap string
		field    string
	}{
		{many, "jenks", 3, "", "method"}, {many, legend.Quantile, 0, "", "classes"}, {many, legend.Quantile, 257, "", "classes"},
		{many, legend.Quantile, -1, "", "classes"}, {many, legend.Quantile, 3, "virids", "colormap_name"},
		{many, legend.Quantile, 10, "set1", "colormap_name"}, {many, legend.DistinctValues, 0, "", "method"},
		{many, legend.DistinctValues, 0, "tab20", "colormap_name"}, {bins, legend.DistinctValues, 0, "", "method"},
		{rasterbase.Histogram{}, legend.Quantile, 3, "", "method"}, {rasterbase.Histogram{}, legend.DistinctValues, 3, "", "method"},
		{values(math.NaN(), 3, math.Inf(1), 2), legend.Quantile, 3, "", "method"},
		{rasterbase.Histogram{Max: math.Inf(1), Bins: []int64{1}}, legend.Quantile, 3, "", "method"},
		{values(1, 0), legend.Quantile, 3, "", "method"},
	}
	for _, tt := range tests {
		_, err := legend.Classes(tt.h, tt.m, tt.n, tt.colormap)
		if e, ok := errors.AsType[*rasterbase.Error](err); !ok || e.Field != tt.field {
			t.Errorf("%s, %d, %q: %v", tt.m, tt.n, tt.colormap, err)
		}
	}
}

func genHistogram(t *rapid.T) rasterbase.Histogram {
	count := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 10), rapid.Int64Range(0, 1e12))
	if rapid.Bool().Draw(t, "bins") {
		h := rasterbase.Histogram{Bins: rapid.SliceOfN(count, 1, 40).Draw(t, "counts")}
		ends := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-1000, 1000), rapid.Float64Range(-1.7e308, 1.7e308), rapid.Float64Range(0, 1e-300)), 2, 2).Draw(t, "ends")
		slices.Sort(ends)
		h.Min, h.Max = ends[0], ends[1]
		return h
	}
	v := rapid.OneOf(rapid.Float64Range(-100, 100), rapid.Map(rapid.IntRange(-70000, 70000), func(i int) float64 { return float64(i) }), rapid.Float64Range(-1.7e308, 1.7e308))
	all := rapid.SliceOfNDistinct(v, 1, 40, func(v float64) float64 { return v + 0 }).Draw(t, "values")
	slices.Sort(all)
	h := rasterbase.Histogram{}
	for _, v := range all {
		h.Values = append(h.Values, rasterbase.ValueCount{Value: v + 0, Count: count.Draw(t, "count")})
	}
	return h
}

// Classes cover all values from the smallest to the largest, each once.
func TestClassesCoverAllOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := genHistogram(rt)
		m := rapid.SampledFrom([]legend.Method{legend.EqualInterval, legend.Quantile, legend.NaturalBreaks, legend.StandardDeviation}).Draw(rt, "method")
		n := rapid.IntRange(1, 12).Draw(rt, "classes")
		l, err := legend.Classes(h, m, n, "")
		if err != nil {
			return // no pixels
		}
		if len(l.Entries) > n || len(l.Entries) == 0 {
			rt.Fatalf("%d classes: %s", len(l.Entries), expressions(l))
		}
		band := rasterbase.Band{PixelType: rasterbase.Float64, Histogram: h, Min: math.Inf(1), Max: math.Inf(-1)}
		for _, v := range h.Values {
			if v.Count > 0 {
				band.Min, band.Max = min(band.Min, v.Value), max(band.Max, v.Value)
			}
		}
		if len(h.Bins) > 0 {
			band.Min, band.Max = h.Min, h.Max
		}
		r, err := legend.Check(l, band)
		if err != nil {
			rt.Fatal(err)
		}
		if !r.Exact || r.None.AtMost != 0 || r.Several.AtMost != 0 {
			rt.Fatalf("%s: %+v", expressions(l), r)
		}
	})
}

// naturalCost is the sum of squared deviations from the classes' means.
func naturalCost(h rasterbase.Histogram, l *rasterbase.Legend, t testing.TB) float64 {
	c, err := legend.Classify(l, rasterbase.Float64)
	if err != nil {
		t.Fatal(err)
	}
	n, sum, square := map[int]float64{}, map[int]float64{}, map[int]float64{}
	for _, v := range h.Values {
		i := c.Entry(v.Value)
		n[i] += float64(v.Count)
		sum[i] += v.Value * float64(v.Count)
		square[i] += v.Value * v.Value * float64(v.Count)
	}
	total := 0.0
	for i := range n {
		total += square[i] - sum[i]*sum[i]/n[i]
	}
	return total
}

// No other division into as many classes has less variance inside them: all are
// tried.
func TestNaturalBreaksAreBest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfNDistinct(rapid.IntRange(-500, 500), 2, 10, rapid.ID).Draw(rt, "values")
		slices.Sort(all)
		h := rasterbase.Histogram{}
		for _, v := range all {
			h.Values = append(h.Values, rasterbase.ValueCount{Value: float64(v), Count: rapid.Int64Range(1, 9).Draw(rt, "count")})
		}
		n := rapid.IntRange(1, min(4, len(all))).Draw(rt, "classes")
		l, err := legend.Classes(h, legend.NaturalBreaks, n, "")
		if err != nil {
			rt.Fatal(err)
		}
		got, best := naturalCost(h, l, t), math.Inf(1)
		for cuts := range 1 << (len(all) - 1) {
			if classes := 1 + popCount(cuts); classes != n {
				continue
			}
			var total, w, s, q float64
			for i, v := range h.Values {
				w, s, q = w+float64(v.Count), s+v.Value*float64(v.Count), q+v.Value*v.Value*float64(v.Count)
				if i == len(all)-1 || cuts>>i&1 == 1 {
					total += q - s*s/w
					w, s, q = 0, 0, 0
				}
			}
			best = min(best, total)
		}
		if got > best*(1+1e-9)+1e-6 {
			rt.Fatalf("%s costs %v, %v is possible", expressions(l), got, best)
		}
	})
}

func popCount(n int) int {
	c := 0
	for ; n > 0; n &= n - 1 {
		c++
	}
	return c
}

func BenchmarkNaturalBreaks(b *testing.B) {
	h := rasterbase.Histogram{}
	for i := range rasterbase.MaxDistinct {
		h.Values = append(h.Values, rasterbase.ValueCount{Value: float64(i * i), Count: int64(1 + i%7)})
	}
	for b.Loop() {
		if _, err := legend.Classes(h, legend.NaturalBreaks, legend.MaxClasses, ""); err != nil {
			b.Fatal(err)
		}
	}
}
