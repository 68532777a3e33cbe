package ingest

import (
	"cmp"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// histogram counts the valid pixels of a band in bins of equal width while its
// range is still unknown: bins are a power of two wide and start at multiples
// of their width, and two become one when there are too many. So the counts do
// not depend on the order in which pixels come, nor on how workers share them.
type histogram struct {
	exp   int // bins are 2^exp wide
	first int64
	bins  []int64
	whole bool // whole numbers: bins are not narrower than 1
}

// maxBins is the most bins a histogram has; half of it is the least for data
// with that many distinct steps.
const maxBins = 512

func newHistogram(t rasterbase.PixelType) *histogram {
	h := &histogram{whole: !t.IsFloat()}
	if !h.whole {
		h.exp = -1022
	}
	return h
}

// add counts n pixels of a value. Values are finite.
func (h *histogram) add(v float64, n int64) {
	for {
		i := h.bin(v)
		if math.Abs(i) >= 1<<52 {
			h.coarsen() // until places are whole numbers that floats hold
			continue
		}
		if len(h.bins) == 0 {
			h.first, h.bins = int64(i), []int64{n}
			return
		}
		if i >= float64(h.first) && i < float64(h.first)+float64(len(h.bins)) {
			h.bins[int64(i)-h.first] += n
			return
		}
		if lo, hi := min(i, float64(h.first)), max(i+1, float64(h.first)+float64(len(h.bins))); hi-lo <= maxBins {
			h.extend(int64(lo), int64(hi))
			continue
		}
		h.coarsen()
	}
}

// bin is the place of a value's bin. A negative value so small that dividing
// it gives 0 still lies below 0.
func (h *histogram) bin(v float64) float64 {
	i := math.Floor(math.Ldexp(v, -h.exp))
	if i == 0 && v < 0 {
		return -1
	}
	return i
}

func (h *histogram) extend(lo, hi int64) {
	bins := make([]int64, hi-lo)
	copy(bins[h.first-lo:], h.bins)
	h.first, h.bins = lo, bins
}

// coarsen joins pairs of bins.
func (h *histogram) coarsen() {
	h.exp++
	if len(h.bins) == 0 {
		return
	}
	first := h.first >> 1
	bins := make([]int64, (h.first+int64(len(h.bins))-1)>>1-first+1)
	for i, n := range h.bins {
		bins[(h.first+int64(i))>>1-first] += n
	}
	h.first, h.bins = first, bins
}

// join adds the counts of o, which is used up.
func (h *histogram) join(o *histogram) {
	if len(o.bins) == 0 {
		return
	}
	if len(h.bins) == 0 {
		*h = *o
		return
	}
	for h.exp < o.exp {
		h.coarsen()
	}
	for o.exp < h.exp {
		o.coarsen()
	}
	for max(h.first+int64(len(h.bins)), o.first+int64(len(o.bins)))-min(h.first, o.first) > maxBins {
		h.coarsen()
		o.coarsen()
	}
	lo, hi := min(h.first, o.first), max(h.first+int64(len(h.bins)), o.first+int64(len(o.bins)))
	h.extend(lo, hi)
	for i, n := range o.bins {
		h.bins[o.first+int64(i)-lo] += n
	}
}

// result is the histogram as it is kept. Edges that floats do not reach are
// the largest number.
func (h *histogram) result() rasterbase.Histogram {
	edge := func(i int64) float64 {
		return max(-math.MaxFloat64, min(math.MaxFloat64, math.Ldexp(float64(i), h.exp)))
	}
	return rasterbase.Histogram{Min: edge(h.first), Max: edge(h.first + int64(len(h.bins))), Bins: h.bins}
}

// addPixels counts the valid pixels of a band of a tile; counts, when known,
// spare the reading of its pixels.
func (h *histogram) addPixels(r *raster.Raster, band int, counts []rasterbase.ValueCount) {
	if counts != nil {
		for _, c := range counts {
			h.add(c.Value, c.Count)
		}
		return
	}
	mask := r.ValidMask(band)
	switch p := r.Bands[band].Pixels.(type) {
	case raster.Slice[uint8]:
		addAll(h, p, mask)
	case raster.Slice[int8]:
		addAll(h, p, mask)
	case raster.Slice[uint16]:
		addAll(h, p, mask)
	case raster.Slice[int16]:
		addAll(h, p, mask)
	case raster.Slice[uint32]:
		addAll(h, p, mask)
	case raster.Slice[int32]:
		addAll(h, p, mask)
	case raster.Slice[float32]:
		addAll(h, p, mask)
	case raster.Slice[float64]:
		addAll(h, p, mask)
	}
}

// addAll is the fast way of add: it leaves the loop only when the bins have to
// change.
func addAll[T raster.Number](h *histogram, p []T, mask []uint8) {
	scale, first, n := math.Ldexp(1, -h.exp), float64(h.first), float64(len(h.bins))
	for i, v := range p {
		if mask != nil && mask[i] == 0 {
			continue
		}
		f := float64(v)
		scaled := f * scale
		if at := math.Floor(scaled) - first; at >= 0 && at < n && (scaled != 0 || f >= 0) {
			h.bins[int(at)]++
			continue
		}
		h.add(f, 1)
		scale, first, n = math.Ldexp(1, -h.exp), float64(h.first), float64(len(h.bins))
	}
}

// distinct collects the values of whole-number bands, to tell classes from
// measurements, and gives up at more than a number of them.
type distinct struct {
	values map[float64]struct{}
	most   int
	over   bool
}

func newDistinct(most int) *distinct {
	return &distinct{values: map[float64]struct{}{}, most: most}
}

func (d *distinct) add(counts []rasterbase.ValueCount, valid int64) {
	if d.over {
		return
	}
	if counts == nil && valid > 0 {
		d.over = true
		return
	}
	for _, c := range counts {
		d.values[c.Value] = struct{}{}
	}
	d.over = len(d.values) > d.most
}

// join adds the values of another part.
func (d *distinct) join(values []float64, over bool) {
	for _, v := range values {
		d.values[v] = struct{}{}
	}
	d.over = d.over || over || len(d.values) > d.most
}

// bandStatistics writes what the whole level's summary says into a band.
func bandStatistics(b *rasterbase.Band, s rasterbase.BandSummary, h *histogram, discrete bool) {
	b.Count, b.Min, b.Max, b.Mean, b.Std = s.Valid, s.Min, s.Max, s.Mean, s.Std()
	if s.Valid == 0 {
		b.Min, b.Max, b.Mean = 0, 0, 0
		return
	}
	if discrete && s.Counts != nil {
		b.Histogram = rasterbase.Histogram{Values: s.Counts, Min: s.Min, Max: s.Max}
		return
	}
	b.Histogram = h.result()
}

// sortCells orders summaries as pages keep them, by y and x.
func sortCells(cells []store.SummaryCell) {
	slices.SortFunc(cells, func(a, b store.SummaryCell) int {
		return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
	})
}
