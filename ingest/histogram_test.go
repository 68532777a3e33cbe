package ingest_test

import (
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// finite draws floats of every size, often close to each other or to a power of
// two.
func finite() *rapid.Generator[float64] {
	return rapid.Custom(func(t *rapid.T) float64 {
		v := rapid.Float64().Draw(t, "v")
		switch rapid.IntRange(0, 4).Draw(t, "shape") {
		case 0:
			v = math.Ldexp(1, rapid.IntRange(-1070, 1023).Draw(t, "exp"))
		case 1:
			v = math.Nextafter(math.Ldexp(1, rapid.IntRange(-1000, 1023).Draw(t, "exp")), math.Inf(rapid.SampledFrom([]int{-1, 1}).Draw(t, "side")))
		case 2:
			v = float64(rapid.IntRange(-1000, 1000).Draw(t, "whole"))
		case 3:
			v = 1e6 + rapid.Float64Range(-1, 1).Draw(t, "near")
		}
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return 0
		}
		return v
	})
}

// A histogram does not depend on the order of the values, nor on how they are
// shared out, and counts each in the bin that it lies in.
func TestHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]rasterbase.PixelType{rasterbase.Float64, rasterbase.Float32, rasterbase.Int32}).Draw(t, "type")
		gen := finite()
		if kind == rasterbase.Int32 {
			gen = rapid.Map(rapid.Int32(), func(v int32) float64 { return float64(v) })
		}
		values := rapid.SliceOfN(gen, 1, 60).Draw(t, "values")
		one := ingest.NewHistogram(kind)
		one.Add(values, false)
		want := one.Result()

		shuffled := rapid.Permutation(values).Draw(t, "shuffled")
		fast := ingest.NewHistogram(kind)
		fast.Add(shuffled, true)
		if got := fast.Result(); !reflect.DeepEqual(got, want) {
			t.Fatalf("in another order: %+v, want %+v", got, want)
		}
		cut := rapid.IntRange(0, len(values)).Draw(t, "cut")
		a, b := ingest.NewHistogram(kind), ingest.NewHistogram(kind)
		a.Add(shuffled[:cut], true)
		b.Add(shuffled[cut:], false)
		a.Join(b)
		if got := a.Result(); !reflect.DeepEqual(got, want) {
			t.Fatalf("in two parts: %+v, want %+v", got, want)
		}
		checkHistogram(t, want, values, kind)
	})
}

func checkHistogram(t *rapid.T, h rasterbase.Histogram, values []float64, kind rasterbase.PixelType) {
	if n := len(h.Bins); n == 0 || n > 512 || h.Bins[0] == 0 || h.Bins[n-1] == 0 {
		t.Fatalf("the bins are %v", h.Bins)
	}
	sum := int64(0)
	for _, n := range h.Bins {
		sum += n
	}
	if sum != int64(len(values)) {
		t.Fatalf("%d values are counted of %d", sum, len(values))
	}
	width := h.Max/float64(len(h.Bins)) - h.Min/float64(len(h.Bins)) // the difference may be too large for a float
	if kind == rasterbase.Int32 && width < 1-1e-9 {
		t.Fatalf("bins of whole numbers are %v wide", width)
	}
	for _, v := range values {
		if v < h.Min || v > h.Max || v == h.Max && h.Max < math.MaxFloat64 {
			t.Fatalf("%v is not within %v to %v", v, h.Min, h.Max)
		}
	}
}
