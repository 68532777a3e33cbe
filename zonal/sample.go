package zonal

import (
	"math"
	"slices"
)

const (
	// mostKept is the most values that are kept for quantiles of a zone; of more of
	// them the pixels in each of finelyBinned bins are.
	mostKept     = 1 << 22
	finelyBinned = 1 << 20
)

// sample keeps values for quantiles, in no order.
type sample struct {
	low, high float64 // of fine bins
	fraction  bool
	values    []float64
	weights   []float64 // of each value; nil: all 1
	fine      []float64 // pixels in bins; nil: not yet
}

func newSample(p *tallyPlan) *sample {
	return &sample{low: p.low, high: p.high, fraction: p.fraction}
}

func (s *sample) add(v, weight float64) {
	s.values = append(s.values, v)
	if s.fraction {
		s.weights = append(s.weights, weight)
	}
}

func (s *sample) join(o *sample) {
	if s.fine == nil && len(s.values)+len(o.values) <= mostKept && o.fine == nil {
		s.values = append(s.values, o.values...)
		s.weights = append(s.weights, o.weights...)
		return
	}
	s.bin()
	o.bin()
	for i, n := range o.fine {
		s.fine[i] += n
	}
}

// bin puts the values into fine bins.
func (s *sample) bin() {
	if s.fine == nil {
		s.fine = make([]float64, finelyBinned)
	}
	for i, v := range s.values {
		weight := 1.0
		if s.weights != nil {
			weight = s.weights[i]
		}
		s.fine[max(0, binOf(v, s.low, s.high, finelyBinned))] += weight
	}
	s.values, s.weights = nil, nil
}

// distribution gives the values in rising order with their pixels, and how far the
// values may be off.
func (s *sample) distribution() (all []valueSum, bound float64) {
	if s.fine != nil {
		width := (s.high - s.low) / finelyBinned
		for k, n := range s.fine {
			if n > 0 {
				all = append(all, valueSum{edgeOf(k, s.low, s.high, finelyBinned) + width/2, sums{count: n}})
			}
		}
		return all, width
	}
	if s.weights == nil {
		slices.Sort(s.values)
	} else {
		sortBoth(s.values, s.weights)
	}
	for i, v := range s.values {
		weight := 1.0
		if s.weights != nil {
			weight = s.weights[i]
		}
		if n := len(all); n > 0 && all[n-1].value == v {
			all[n-1].count += weight
			continue
		}
		all = append(all, valueSum{v + 0, sums{count: weight}})
	}
	return all, 0
}

func sortBoth(values, weights []float64) {
	type pair struct{ v, w float64 }
	all := make([]pair, len(values))
	for i := range values {
		all[i] = pair{values[i], weights[i]}
	}
	slices.SortFunc(all, func(a, b pair) int {
		switch {
		case a.v < b.v || a.v == b.v && a.w < b.w:
			return -1
		case a == b:
			return 0
		}
		return 1
	})
	for i, p := range all {
		values[i], weights[i] = p.v, p.w
	}
}

// quantile is the value below which a share of the pixels lies, from 0 to 1, of values
// in rising order: interpolated between the pixels on both sides of the place
// share*(pixels-1), as numpy does by default. Where pixels are fractions they count as
// so many times their value, and places are those of whole pixels.
func quantile(all []valueSum, share float64) float64 {
	if len(all) == 0 {
		return math.NaN()
	}
	pixels := 0.0
	for _, v := range all {
		pixels += v.count
	}
	at := share * max(pixels-1, 0)
	below := math.Floor(at)
	a, b := valueAt(all, below), valueAt(all, below+1)
	return a + (b-a)*(at-below)
}

// valueAt is the value of the pixel at a place in the order, from 0.
func valueAt(all []valueSum, place float64) float64 {
	for _, v := range all {
		if place < v.count {
			return v.value
		}
		place -= v.count
	}
	return all[len(all)-1].value
}
