package zonal

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// counts puts values in order, equal ones together.
func counts(values []float64) (out []valueSum) {
	for _, v := range slices.Sorted(slices.Values(values)) {
		if n := len(out); n == 0 || out[n-1].value != v {
			out = append(out, valueSum{value: v})
		}
		out[len(out)-1].count++
	}
	return out
}

// What numpy.percentile and numpy.median gave.
func TestQuantilesAreThoseOfNumpy(t *testing.T) {
	text, err := os.ReadFile("testdata/quantiles.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Cases []struct {
			Name                      string
			Values, Percentiles, Want []float64
			Median                    float64
		}
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded.Cases) < 9 {
		t.Fatalf("%d cases", len(recorded.Cases))
	}
	for _, c := range recorded.Cases {
		shares := []float64{0.5}
		for _, p := range c.Percentiles {
			shares = append(shares, p/100)
		}
		kept := &sample{least: math.NaN()}
		for _, v := range c.Values {
			kept.add(v, 1)
		}
		sorted, bound := kept.distribution()
		if bound != 0 {
			t.Errorf("%s: a bound of %v", c.Name, bound)
		}
		for _, got := range [][]float64{quantiles(pixelsOf(counts(c.Values)), shares), quantiles(sorted, shares)} {
			for i, want := range append([]float64{c.Median}, c.Want...) {
				if math.Abs(got[i]-want) > 4e-16*max(math.Abs(want), slices.Max(c.Values)-slices.Min(c.Values)) {
					t.Errorf("%s: the quantile of %v is %v, and %v by numpy", c.Name, shares[i], got[i], want)
				}
			}
		}
	}
}

func TestQuantilesOfNothing(t *testing.T) {
	if got := quantiles(pixelsOf(nil), []float64{0.5, 0}); !math.IsNaN(got[0]) || !math.IsNaN(got[1]) {
		t.Errorf("%v", got)
	}
	if _, _, n := variety(pixelsOf(nil)); n != 0 {
		t.Errorf("%d values", n)
	}
}

// Of fractions: they rise from the least to the greatest value, lie between values,
// and equal weights of different values count for nothing.
func TestQuantilesOfFractions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfNDistinct(rapid.Float64Range(-1e6, 1e6), 1, 40, rapid.ID).Draw(t, "values")
		weights := rapid.SliceOfN(rapid.Float64Range(1e-6, 1), len(values), len(values)).Draw(t, "weights")
		shares := append(rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 20).Draw(t, "shares"), 0, 1)
		slices.Sort(shares)
		weighted := counts(values)
		for i := range weighted {
			weighted[i].count = weights[i]
		}
		got := quantiles(pixelsOf(weighted), shares)
		if got[0] != slices.Min(values) || got[len(got)-1] != slices.Max(values) || !slices.IsSorted(got) {
			t.Fatalf("%v, of %v", got, weighted)
		}
		whole := quantiles(pixelsOf(counts(values)), shares)
		for i := range weighted {
			weighted[i].count = weights[0]
		}
		for i, v := range quantiles(pixelsOf(weighted), shares) {
			if math.Abs(v-whole[i]) > 1e-6 {
				t.Fatalf("the quantile of %v is %v by weights of %v, and %v without", shares[i], v, weights[0], whole[i])
			}
		}
	})
}

// A pixel of which a quarter is held in four places: what exactextract 0.3.0 says of
// that zone.
func TestQuantilesOfLessThanTwoPixels(t *testing.T) {
	all := counts([]float64{410, 411, 450, 451})
	for i := range all {
		all[i].count = 0.25
	}
	got := quantiles(pixelsOf(all), []float64{0, 0.25, 0.5, 0.75, 1})
	for i, want := range []float64{410, 410.75, 430.5, 450.25, 451} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("%v, and %v should be %v", got, got[i], want)
		}
	}
}

// Of more values than are kept, quantiles are within the bound, in whichever order
// parts are joined; where the range is not known all are kept.
func TestQuantilesOfManyValues(t *testing.T) {
	for _, known := range []bool{true, false} {
		least, greatest := math.NaN(), math.NaN()
		if known {
			least, greatest = -500, 500
		}
		const most = 1 << 14
		samples := make([]*sample, 5)
		n := most/4 + 1
		var all []float64
		for i := range samples {
			samples[i] = &sample{most: most, least: least, greatest: greatest}
			for k := range n {
				v := -500 + 1000*math.Mod(float64(i*n+k)*math.Phi, 1)
				samples[i].add(v, 1)
				all = append(all, v)
			}
		}
		// Few with few, many with many, many with few.
		for _, i := range []int{1, 2, 3} {
			samples[0].join(samples[i])
		}
		samples[4].join(samples[0])
		distribution, bound := samples[4].distribution()
		if known && (bound <= 0 || bound > 1000./finelyBinned) || !known && bound != 0 {
			t.Errorf("the bound is %v", bound)
		}
		shares := []float64{0, 0.1, 0.5, 0.99, 1}
		got := quantiles(distribution, shares)
		for i, want := range quantiles(pixelsOf(counts(all)), shares) {
			if math.Abs(got[i]-want) > bound {
				t.Errorf("the quantile of %v is %v, and should be %v within %v", shares[i], got[i], want, bound)
			}
		}
	}
}
