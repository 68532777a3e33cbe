package legend

import (
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
)

// ramp is a gradient at values of pixels of a type: places rise. Of stops at
// one place, the last colours that place itself, and the first what lies below.
type ramp struct {
	at     []float64
	colors []rasterbase.Color
}

// newRamp places the stops. Where all of a relative gradient falls on one value,
// the colour at half of it is that of every value.
func newRamp(g *rasterbase.Gradient, float32s bool) *ramp {
	r := &ramp{}
	for _, s := range g.Stops {
		at := s.At
		if g.Relative {
			at = place(*g.Min, *g.Max, at)
		}
		if rounded := float64(float32(at)); float32s && !math.IsInf(rounded, 0) {
			at = rounded
		}
		r.at, r.colors = append(r.at, at+0), append(r.colors, s.Color)
	}
	if g.Relative && *g.Min > *g.Max {
		slices.Reverse(r.at)
		slices.Reverse(r.colors)
	}
	return r
}

// linear mixes the colours of the stops at both sides of a value: each of red,
// green, blue and alpha, not multiplied with alpha, rounded to the nearest whole
// number and up from the half.
func (r *ramp) linear(v float64) rasterbase.Color {
	n := len(r.at)
	i, _ := slices.BinarySearchFunc(r.at, v, func(at, v float64) int {
		if at <= v {
			return -1
		}
		return 1
	})
	switch {
	case i == 0:
		return r.colors[0]
	case i == n:
		return r.colors[n-1]
	}
	a, b, t := r.colors[i-1], r.colors[i], share(r.at[i-1], r.at[i], v)
	if t == 0 || a == b {
		return a
	}
	return rasterbase.Color{R: mix(a.R, b.R, t), G: mix(a.G, b.G, t), B: mix(a.B, b.B, t), A: mix(a.A, b.A, t)}
}

// share tells how far v is on the way from low to high.
func share(low, high, v float64) float64 {
	if math.IsInf(high-low, 0) {
		low, high, v = low/2, high/2, v/2
	}
	return (v - low) / (high - low)
}

// mix never falls, or never rises, when t does: each operation is rounded by
// itself.
func mix(a, b uint8, t float64) uint8 {
	return uint8(float64(float64(a)+float64((float64(b)-float64(a))*t)) + 0.5)
}

// steps are the exact steps of the linear gradient: colours have 8 bits, so
// between two stops there are few hundreds. It is nil when there are more than
// maxSteps in all.
func (r *ramp) steps() *rasterbase.Steps {
	if len(r.at) == 0 {
		return nil
	}
	var breaks []float64
	count := 0
	for i := range r.at {
		if i+1 < len(r.at) && r.at[i] < r.at[i+1] {
			for c := range 4 {
				a, b := part(r.colors[i], c), part(r.colors[i+1], c)
				count += int(max(a, b) - min(a, b))
			}
		}
	}
	if count+len(r.at) > maxSteps {
		return nil
	}
	for i := range r.at {
		breaks = append(breaks, r.at[i])
		if i+1 < len(r.at) && r.at[i] < r.at[i+1] {
			breaks = r.changes(breaks, i)
		}
	}
	slices.Sort(breaks)
	b := stepBuilder{colors: []rasterbase.Color{r.colors[0]}}
	for _, v := range slices.Compact(breaks) {
		b.add(v, r.linear(v))
	}
	return b.steps()
}

// part is a colour's red, green, blue or alpha.
func part(c rasterbase.Color, i int) uint8 { return [4]uint8{c.R, c.G, c.B, c.A}[i] }

// changes adds the smallest values between stop i and the next one at which red,
// green, blue or alpha is another one.
func (r *ramp) changes(breaks []float64, i int) []float64 {
	low, high := r.at[i], r.at[i+1]
	for c := range 4 {
		a, b := part(r.colors[i], c), part(r.colors[i+1], c)
		steps := int(max(a, b) - min(a, b))
		for k := range steps {
			changed := func(v float64) bool {
				m := mix(a, b, share(low, high, v))
				return int(max(a, m)-min(a, m)) > k
			}
			guess := place(low, high, (float64(k)+0.5)/float64(steps))
			breaks = append(breaks, firstTrue(low, high, guess, changed))
		}
	}
	return breaks
}

// firstTrue is the smallest number above low, and at most high, for which f is
// true. It is false for low, true for high, and changes once, near the guess.
func firstTrue(low, high, guess float64, f func(float64) bool) float64 {
	from, to := ordinal(low), ordinal(high)
	const near = 1 << 6 // roundings by which the guess is most often off, at most
	if g := ordinal(guess); g > from+near && g < to-near && !f(number(g-near)) && f(number(g+near)) {
		from, to = g-near, g+near
	}
	for to-from > 1 {
		middle := from + (to-from)/2
		if f(number(middle)) {
			to = middle
		} else {
			from = middle
		}
	}
	return number(to)
}

// ordinal numbers the finite floats in their order; 0 and -0 have the same.
func ordinal(v float64) uint64 {
	const zero = 1 << 63
	b := math.Float64bits(v)
	if b >= zero {
		return zero - (b - zero)
	}
	return zero + b
}

// number is the float of an ordinal.
func number(i uint64) float64 {
	const zero = 1 << 63
	if i < zero {
		return -math.Float64frombits(zero - i)
	}
	return math.Float64frombits(i - zero)
}

// discrete gives values up to each place its colour, and none to those above
// the last; down turns it around: from each place on, and none below the first.
func (r *ramp) discrete(down bool) *rasterbase.Steps {
	var b stepBuilder
	if down {
		b.colors = []rasterbase.Color{{}}
		for i, at := range r.at {
			b.add(at, r.colors[i])
		}
		return b.steps()
	}
	b.colors = []rasterbase.Color{r.colors[0]}
	for i, at := range r.at {
		next := rasterbase.Color{}
		if i+1 < len(r.at) {
			next = r.colors[i+1]
		}
		b.add(math.Nextafter(at, math.Inf(1)), next)
	}
	return b.steps()
}

// rules are those of an exact gradient.
func (r *ramp) rules() []rule {
	rules := make([]rule, len(r.at))
	for i, at := range r.at {
		rules[i] = rule{color: r.colors[i], number: at, entry: i}
	}
	return rules
}
