package zonal

import (
	"iter"
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
	most            int     // values that are kept
	least, greatest float64 // of all values; NaN: not known, so that all are kept
	fraction        bool
	values          []float64
	weights         []float64 // of each value; nil: all 1
	fine            []float64 // pixels in bins; nil: not yet
}

func newSample(p *tallyPlan) *sample {
	return &sample{most: mostKept, least: p.least, greatest: p.greatest, fraction: p.fraction}
}

func (s *sample) add(v, weight float64) {
	s.values = append(s.values, v)
	if s.fraction {
		s.weights = append(s.weights, weight)
	}
}

func (s *sample) join(o *sample) {
	few := len(s.values)+len(o.values) <= s.most || math.IsNaN(s.least)
	if s.fine == nil && o.fine == nil && few {
		s.values = append(s.values, o.values...)
		s.weights = append(s.weights, o.weights...)
		return
	}
	if s.fine == nil {
		s.fine = make([]float64, finelyBinned)
	}
	s.bin(s)
	s.values, s.weights = nil, nil
	s.bin(o)
	for i, n := range o.fine {
		s.fine[i] += n
	}
}

// bin puts the values of another one, or its own, into fine bins.
func (s *sample) bin(o *sample) {
	for i, v := range o.values {
		weight := 1.0
		if o.weights != nil {
			weight = o.weights[i]
		}
		v = max(s.least, min(s.greatest, v))
		s.fine[binOf(v, s.least, s.greatest, finelyBinned)] += weight
	}
}

// distribution goes through the values in rising order, with their pixels, and tells
// how far the values may be off.
func (s *sample) distribution() (all iter.Seq2[float64, float64], bound float64) {
	if s.fine != nil {
		return s.binned, s.greatest/finelyBinned - s.least/finelyBinned
	}
	if s.weights == nil {
		slices.Sort(s.values)
	} else {
		sortBoth(s.values, s.weights)
	}
	return s.sorted, 0
}

// binned goes through the middles of fine bins.
func (s *sample) binned(yield func(v, pixels float64) bool) {
	width := s.greatest/finelyBinned - s.least/finelyBinned
	for k, n := range s.fine {
		if n > 0 && !yield(edgeOf(k, s.least, s.greatest, finelyBinned)+width/2, n) {
			return
		}
	}
}

// sorted goes through values that have been put in order, equal ones as one.
func (s *sample) sorted(yield func(v, pixels float64) bool) {
	for i := 0; i < len(s.values); {
		v, pixels := s.values[i], 0.0
		for ; i < len(s.values) && s.values[i] == v; i++ {
			if s.weights == nil {
				pixels++
			} else {
				pixels += s.weights[i]
			}
		}
		if !yield(v+0, pixels) {
			return
		}
	}
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
