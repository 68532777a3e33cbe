package rasterbase_test

import (
	"image/color"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
)

func TestStepsCountBreaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v := rapid.OneOf(rapid.Float64Range(-10, 10), rapid.Float64Range(0, 1e-6), rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), rapid.Float64Range(1e6, 1e6+1e-6))
		breaks := rapid.SliceOfNDistinct(v, 0, 300, func(v float64) float64 { return v + 0 }).Draw(rt, "breaks")
		slices.Sort(breaks)
		s := rasterbase.NewSteps(breaks, make([]color.NRGBA, len(breaks)+1))
		for _, b := range append(breaks, rapid.SliceOf(v).Draw(rt, "values")...) {
			for _, v := range []float64{b, math.Nextafter(b, math.Inf(1)), math.Nextafter(b, math.Inf(-1)), math.Inf(1), math.Inf(-1)} {
				want := 0
				for _, b := range breaks {
					if b <= v {
						want++
					}
				}
				if got := s.Index(v); got != want {
					rt.Fatalf("%v is step %d, want %d", v, got, want)
				}
			}
		}
	})
}

func TestNewStepsPanics(t *testing.T) {
	t.Parallel()
	for _, breaks := range [][]float64{{1, 1}, {2, 1}, {math.NaN()}, {math.Inf(1)}, {1, 2, 3}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was taken", breaks)
				}
			}()
			n := len(breaks) + 1
			if n == 4 {
				n = 3
			}
			rasterbase.NewSteps(breaks, make([]color.NRGBA, n))
		}()
	}
}

func BenchmarkStepsIndex(b *testing.B) {
	breaks := make([]float64, 1000)
	for i := range breaks {
		breaks[i] = math.Pow(float64(i), 1.5)
	}
	s := rasterbase.NewSteps(breaks, make([]color.NRGBA, 1001))
	v := 0.0
	for b.Loop() {
		if v += 617.3; v > 31000 {
			v -= 31000
		}
		s.Index(v)
	}
}
