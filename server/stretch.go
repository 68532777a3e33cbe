package server

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

// stretch is the range of values that is drawn from black to white.
type stretch struct {
	low, high float64
	cut       bool // leaves out values at the ends
}

const (
	// tail is the share of pixels that a cut leaves out at each end.
	tail = 0.02
	// narrow is the share of a band's range below which nearly all of its
	// pixels would look the same.
	narrow = 0.1
	// strays is the share of pixels that may lie apart from all others and be
	// taken for mistakes. More are what such a layer is there to show.
	strays = 0.001
)

// stretchOf is a band's range from its smallest to its largest value, unless a
// few pixels make it so wide that the others cannot be told apart: then it is
// that from the 2nd to the 98th percentile.
func stretchOf(b rasterbase.Band) stretch {
	whole := stretch{low: b.Min, high: b.Max}
	bins := binsOf(b.Histogram)
	first, low, ok := quantile(bins, tail)
	last, high, _ := quantile(bins, 1-tail)
	if !ok {
		return whole
	}
	if first == last { // the histogram tells no more than that they are in here
		total := 0.0
		for _, n := range bins {
			total += n.count
		}
		if total-bins[first].count > strays*total {
			return whole
		}
		low, high = bins[first].from, bins[first].to
	}
	low, high = max(low, b.Min), min(high, b.Max)
	if !(low < high) || high-low >= narrow*(b.Max-b.Min) {
		return whole
	}
	return stretch{low, high, true}
}

// percentiles is the range from a band's 2nd to its 98th percentile, in which the
// bands of a colour picture are most often shown; its whole range where its
// histogram is too coarse to tell.
func percentiles(b rasterbase.Band) [2]float64 {
	bins := binsOf(b.Histogram)
	_, low, ok := quantile(bins, tail)
	_, high, _ := quantile(bins, 1-tail)
	low, high = max(low, b.Min), min(high, b.Max)
	if !ok || !(low < high) {
		low, high = b.Min, b.Max
	}
	return finite(low, high)
}

// finite is a range whose width is a number: half of one that is too wide.
func finite(low, high float64) [2]float64 {
	if math.IsInf(high-low, 0) {
		return [2]float64{low / 2, high / 2}
	}
	return [2]float64{low, high}
}

// bin is a number of pixels between two values, which may be the same.
type bin struct{ from, to, count float64 }

func binsOf(h rasterbase.Histogram) []bin {
	bins := make([]bin, 0, len(h.Values)+len(h.Bins))
	for _, v := range h.Values {
		bins = append(bins, bin{v.Value, v.Value, float64(v.Count)})
	}
	width := (h.Max - h.Min) / float64(len(h.Bins))
	if len(bins) > 0 || math.IsInf(width, 0) || math.IsNaN(width) {
		return bins
	}
	for i, n := range h.Bins {
		bins = append(bins, bin{h.Min + width*float64(i), h.Min + width*float64(i+1), float64(n)})
	}
	return bins
}

// quantile is the value that a share of the pixels does not exceed, as if those
// of a bin were spread evenly over it, and the bin's index.
func quantile(bins []bin, share float64) (at int, v float64, ok bool) {
	total := 0.0
	for _, b := range bins {
		total += b.count
	}
	rank := share * total
	for i, b := range bins {
		if b.count > 0 && rank <= b.count {
			return i, b.from + (b.to-b.from)*rank/b.count, true
		}
		rank -= b.count
	}
	return 0, 0, false
}
