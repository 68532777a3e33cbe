package raster_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

func ExampleSummarize() {
	r := raster.New(rasterbase.Grid{Width: 3, Height: 2}, 0, rasterbase.Uint8)
	r.Bands[0] = raster.Band{Type: rasterbase.Uint8, HasNodata: true, Nodata: 0, Pixels: raster.Slice[uint8]{4, 0, 7, 4, 4, 0}}
	s := raster.Summarize(r, 0, true)
	fmt.Println(s.Valid, s.Mean, s.M2, s.Min, s.Max, s.Counts)
	// Output: 4 4.75 6.75 4 7 [{4 3} {7 1}]
}

// drawSummarized makes one band with a validity, or none, of a random kind.
func drawSummarized(t *rapid.T) *raster.Raster {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	g := rasterbase.Grid{Width: rapid.IntRange(0, 40).Draw(t, "width"), Height: rapid.IntRange(1, 40).Draw(t, "height")}
	out := raster.New(g, 0, rapid.SampledFrom(rasterbase.PixelTypes).Draw(t, "type"))
	b := &out.Bands[0]
	lo, hi := b.Type.Range()
	if b.Type.IsFloat() {
		lo, hi = -1e9, 1e9
	}
	kind := rapid.IntRange(0, 4).Draw(t, "values")
	for i := range b.Pixels.Len() {
		v := lo + r.Float64()*(hi-lo)
		switch kind {
		case 1: // classes, far from zero where that is possible
			v = lo + math.Floor(min(hi-lo, 7)*r.Float64())
		case 2: // little about much
			v = hi - float64(r.IntN(100))*min(1, (hi-lo)/200)
		case 3: // small fractions and zeros of both signs
			v = []float64{0, math.Copysign(0, -1), 0.25, -0.5, 1}[r.IntN(5)]
		}
		if b.Type.IsFloat() && r.IntN(10) == 0 {
			v = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
		}
		b.Pixels.Set(i, v)
	}
	switch rapid.IntRange(0, 4).Draw(t, "nodata") {
	case 1:
		b.HasNodata, b.Nodata = true, 0
	case 2:
		b.HasNodata, b.Nodata = true, -99999.5
	case 3:
		b.HasNodata, b.Nodata = true, math.NaN()
	case 4:
		if n := b.Pixels.Len(); n > 0 {
			b.HasNodata, b.Nodata = true, b.Pixels.At(r.IntN(n))
		}
	}
	if rapid.Bool().Draw(t, "validity") {
		out.Validity = make([]uint8, b.Pixels.Len())
		share := r.Float64()
		for i := range out.Validity {
			if r.Float64() < share {
				out.Validity[i] = uint8(1 + r.IntN(255))
			}
		}
	}
	return out
}

// naiveSummary uses big floats throughout.
func naiveSummary(r *raster.Raster) rasterbase.BandSummary {
	var s rasterbase.BandSummary
	var vs []float64
	counts := map[float64]int64{}
	sum := new(big.Float).SetPrec(400)
	for i := range r.Width * r.Height {
		if !r.Valid(0, i) {
			continue
		}
		v := r.Bands[0].Pixels.At(i)
		vs = append(vs, v)
		counts[v]++
		sum.Add(sum, big.NewFloat(v))
	}
	if len(vs) == 0 {
		return s
	}
	n := new(big.Float).SetInt64(int64(len(vs)))
	mean := new(big.Float).SetPrec(400).Quo(sum, n)
	m2 := new(big.Float).SetPrec(400)
	for _, v := range vs {
		d := new(big.Float).SetPrec(400).Sub(big.NewFloat(v), mean)
		m2.Add(m2, d.Mul(d, d))
	}
	s.Valid, s.Min, s.Max = int64(len(vs)), slices.Min(vs), slices.Max(vs)
	s.Mean, _ = mean.Float64()
	s.M2, _ = m2.Float64()
	for v, k := range counts {
		s.Counts = append(s.Counts, rasterbase.ValueCount{Value: v, Count: k})
	}
	slices.SortFunc(s.Counts, func(a, b rasterbase.ValueCount) int {
		if a.Value < b.Value {
			return -1
		}
		return 1
	})
	if len(s.Counts) > rasterbase.MaxDistinct {
		s.Counts = nil
	}
	return s
}

func TestSummarizeMatchesNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawSummarized(t)
		counts := rapid.Bool().Draw(t, "counts")
		got, want := raster.Summarize(r, 0, counts), naiveSummary(r)
		if got.Valid != want.Valid || got.Min != want.Min || got.Max != want.Max {
			t.Fatalf("%v, want %v", got, want)
		}
		largest := max(math.Abs(want.Min), math.Abs(want.Max))
		if math.Abs(got.Mean-want.Mean) > 4e-16*largest {
			t.Fatalf("mean %v, want %v", got.Mean, want.Mean)
		}
		// The deviations from a mean that is itself rounded cannot be better
		// than that rounding.
		floor := float64(want.Valid) * math.Pow(4e-16*largest, 2)
		if math.Abs(got.M2-want.M2) > 1e-12*want.M2+floor {
			t.Fatalf("M2 %v, want %v", got.M2, want.M2)
		}
		if !counts {
			want.Counts = nil
		}
		if !slices.Equal(got.Counts, want.Counts) {
			t.Fatalf("counts %v, want %v", got.Counts, want.Counts)
		}
		for _, c := range got.Counts {
			if math.Signbit(c.Value) && c.Value == 0 || math.Signbit(got.Min) && got.Min == 0 {
				t.Fatal("-0 is not 0")
			}
		}
	})
}

func TestSummarizeManyDistinctValues(t *testing.T) {
	for _, typ := range []rasterbase.PixelType{rasterbase.Uint16, rasterbase.Int16, rasterbase.Int32, rasterbase.Float32} {
		for _, step := range []float64{1, 7} {
			for _, distinct := range []int{rasterbase.MaxDistinct, rasterbase.MaxDistinct + 1} {
				r := raster.New(rasterbase.Grid{Width: 100, Height: 100}, 0, typ)
				for i := range 10000 {
					r.Bands[0].Pixels.Set(i, float64(i%distinct)*step)
				}
				s := raster.Summarize(r, 0, true)
				if kept := len(s.Counts); kept != distinct && distinct <= rasterbase.MaxDistinct || kept > rasterbase.MaxDistinct ||
					distinct > rasterbase.MaxDistinct && s.Counts != nil {
					t.Errorf("%v: %d counts of %d distinct values", typ, kept, distinct)
				}
			}
		}
	}
}

// TestSummarizeIsStable has values whose squares swallow their differences.
func TestSummarizeIsStable(t *testing.T) {
	r := raster.New(rasterbase.Grid{Width: 256, Height: 256}, 0, rasterbase.Float64)
	for i := range 256 * 256 {
		r.Bands[0].Pixels.Set(i, 1e9+float64(i%2))
	}
	s := raster.Summarize(r, 0, false)
	if s.Mean != 1e9+0.5 || s.M2 != 256*256/4 {
		t.Errorf("mean %v, M2 %v", s.Mean, s.M2)
	}
}

func TestSummarizeHugeFloats(t *testing.T) {
	r := raster.New(rasterbase.Grid{Width: 2, Height: 1}, 0, rasterbase.Float64)
	for _, v := range [][2]float64{{math.MaxFloat64, math.MaxFloat64}, {math.MaxFloat64, -math.MaxFloat64}} {
		r.Bands[0].Pixels.Set(0, v[0])
		r.Bands[0].Pixels.Set(1, v[1])
		s := raster.Summarize(r, 0, true)
		if s.Mean != v[0]/2+v[1]/2 || math.IsNaN(s.M2) || math.IsInf(s.M2, 0) {
			t.Errorf("%v: mean %v, M2 %v", v, s.Mean, s.M2)
		}
	}
}

func BenchmarkSummarize(b *testing.B) {
	for _, typ := range []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Int16, rasterbase.Int32, rasterbase.Float32} {
		for _, kind := range []string{"random", "one value", "validity", "classes counted"} {
			r := rand.New(rand.NewPCG(1, 2))
			tile := raster.New(rasterbase.Grid{Width: 256, Height: 256}, 0, typ)
			for i := range 256 * 256 {
				switch kind {
				case "one value":
					tile.Bands[0].Pixels.Set(i, 5)
				case "classes counted":
					tile.Bands[0].Pixels.Set(i, float64(r.IntN(12)))
				default:
					tile.Bands[0].Pixels.Set(i, float64(r.IntN(30000)))
				}
			}
			if kind == "validity" {
				tile.Validity = make([]uint8, 256*256)
				for i := range tile.Validity {
					tile.Validity[i] = uint8(r.IntN(20))
				}
			}
			b.Run(fmt.Sprintf("%v/%s", typ, kind), func(b *testing.B) {
				b.SetBytes(256 * 256)
				b.ReportAllocs()
				for b.Loop() {
					raster.Summarize(tile, 0, kind == "classes counted")
				}
			})
		}
	}
}
