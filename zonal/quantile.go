package zonal

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// quantiles gives the values below which shares of the pixels lie, from 0 to 1, of
// values in rising order with the pixels of each: NaN where there is none.
//
// Whole pixels are interpolated between those on both sides of the place
// share*(pixels-1), as numpy does by default. With fractions of pixels, the place of a
// value goes from half a pixel after where its pixels begin to half a pixel before
// where they end, and is the middle of less than a pixel; shares go from the place of
// the least value to that of the greatest. So the one of 0 is the least value and that
// of 1 the greatest, also of less than one pixel in all, and different values of equal
// weights have what numpy gives.
func quantiles(all iter.Seq2[float64, float64], shares []float64) []float64 {
	out := slices.Repeat([]float64{math.NaN()}, len(shares))
	pixels, first, last := 0.0, math.NaN(), 0.0
	for _, n := range all {
		if math.IsNaN(first) {
			first = n
		}
		pixels, last = pixels+n, n
	}
	if math.IsNaN(first) {
		return out
	}
	begin := half(first)
	width := max(0, pixels-begin-half(last))
	order := make([]int, len(shares))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(shares[a], shares[b]) })
	// Of the value before: itself, and where its place ends.
	before, ended, passed := 0.0, 0.0, 0.0
	for v, n := range all {
		from, to := passed+half(n)-begin, passed+n-half(n)-begin
		for ; len(order) > 0; order = order[1:] {
			share := shares[order[0]]
			at := share * width
			if at > to || share == 1 {
				break
			}
			if out[order[0]] = v; at < from {
				out[order[0]] = between(before, v, (at-ended)/(from-ended))
			}
		}
		before, ended, passed = v, to, passed+n
	}
	for _, i := range order { // beyond the place of the greatest
		out[i] = before
	}
	return out
}

// half is how far the place of a value is from the ends of its pixels.
func half(pixels float64) float64 { return min(pixels, 1) / 2 }

// between is the value at a part of the way from one to a greater one.
func between(a, b, part float64) float64 {
	d := b - a
	switch {
	case math.IsInf(d, 0):
		return a*(1-part) + b*part
	case part < 0.5:
		return a + d*part
	}
	return b - d*(1-part)
}

// variety tells the values that most and fewest pixels have, the lowest of several, and
// how many values there are.
func variety(all iter.Seq2[float64, float64]) (majority, minority float64, unique int64) {
	majority, minority = math.NaN(), math.NaN()
	most, fewest := 0.0, math.Inf(1)
	for v, n := range all {
		if unique++; n > most {
			majority, most = v, n
		}
		if n < fewest {
			minority, fewest = v, n
		}
	}
	return majority, minority, unique
}

// pixelsOf goes through counted values in order, with the pixels of each.
func pixelsOf(all []valueSum) iter.Seq2[float64, float64] {
	return func(yield func(v, pixels float64) bool) {
		for _, v := range all {
			if !yield(v.value, v.count) {
				return
			}
		}
	}
}
