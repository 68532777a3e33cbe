package rasterbase

import (
	"fmt"
	"image/color"
	"math"
	"slices"
)

// Steps colours ranges of values of any width. It is made by [NewSteps], does
// not change and can be shared.
type Steps struct {
	// Colors has the colour of values below the first break, then that of values
	// from each break on, up to and not including the next one.
	Colors []color.NRGBA
	breaks []float64
	// parts cuts the span of the breaks into equal parts: breaks of part i are
	// those from parts[i] up to, not including, parts[i+1].
	parts []int32
	low   float64
	scale float64 // parts for a unit of value
}

// NewSteps makes the steps between breaks, which are finite and rise, each above
// the one before it. There is one colour more than breaks; it panics otherwise.
func NewSteps(breaks []float64, colors []color.NRGBA) *Steps {
	if len(colors) != len(breaks)+1 {
		panic(fmt.Sprintf("rasterbase: %d breaks and %d colours", len(breaks), len(colors)))
	}
	for i, b := range breaks {
		if b-b != 0 || i > 0 && b <= breaks[i-1] {
			panic(fmt.Sprintf("rasterbase: break %d, %v, is not above the one before it", i, b))
		}
	}
	s := &Steps{Colors: slices.Clone(colors), breaks: slices.Clone(breaks)}
	s.divide()
	return s
}

// divide makes the parts: several for a break, so that most hold one at most
// even when breaks lie unevenly.
func (s *Steps) divide() {
	n := len(s.breaks)
	if n < 2 {
		return
	}
	parts := min(8*n, 1<<14)
	s.low, s.scale = s.breaks[0], float64(parts)/(s.breaks[n-1]-s.breaks[0])
	if s.scale == 0 || math.IsInf(s.scale, 0) {
		return // a span that floating point cannot divide
	}
	s.parts = make([]int32, parts+2)
	next := 0
	for i, b := range s.breaks {
		// Rounding cannot move the last break beyond the part that is there for it.
		for p := int((b - s.low) * s.scale); next <= p; next++ {
			s.parts[next] = int32(i)
		}
	}
	for ; next < len(s.parts); next++ {
		s.parts[next] = int32(n)
	}
}

// Breaks are where steps begin, but for the first one. Not to be changed.
func (s *Steps) Breaks() []float64 { return s.breaks }

// Index is the place in Colors of a value that is not NaN: how many breaks are
// not above it.
func (s *Steps) Index(v float64) int {
	n := len(s.breaks)
	if n == 0 || v < s.breaks[0] {
		return 0
	}
	if v >= s.breaks[n-1] {
		return n
	}
	from, to := 0, n
	if s.parts != nil {
		// The part never falls when the value rises, so breaks of other parts are
		// truly below or above.
		p := int((v - s.low) * s.scale)
		from, to = int(s.parts[p]), int(s.parts[p+1])
	}
	for from < to {
		middle := int(uint(from+to) >> 1)
		if s.breaks[middle] <= v {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from
}

// At is the colour of a value; NaN is transparent.
func (s *Steps) At(v float64) color.NRGBA {
	if math.IsNaN(v) || len(s.Colors) == 0 {
		return color.NRGBA{}
	}
	return s.Colors[s.Index(v)]
}
