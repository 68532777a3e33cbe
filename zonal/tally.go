package zonal

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sort"

	"github.com/rasterbase/rasterbase"
)

// tallyPlan says what is gathered of one band.
type tallyPlan struct {
	band        int
	kind        rasterbase.PixelType
	rankOrdered bool
	group       Group // never Auto
	classes     *Classes
	bins        int
	low, high   float64 // of the bins asked for; NaN: from the least to the greatest
	// least and greatest are those of what is counted, where it was found beforehand
	// since too many values may have to be kept; NaN: not known.
	least, greatest float64
	stats           Stats
	percentiles     []float64
	unit            float64 // square metres of the unit of areas; 0: none
	fraction        bool

	// byValue says that values are counted, and that all else follows from the counts.
	byValue bool
	// Of those that are not: whether pixels are put in bins or classes, and whether
	// values are kept for quantiles.
	binned, classed, sampled bool
}

// settle finds out how what is asked for is gathered.
func (p *tallyPlan) settle(discrete bool) {
	varied := p.stats&(Quantiles|Variety) != 0
	small := p.kind.Size() <= 2
	p.byValue = p.group == ByValue || varied && small ||
		discrete && (varied || p.group == ByClass || p.group == Histogram)
	p.binned = !p.byValue && p.group == Histogram
	p.classed = !p.byValue && p.group == ByClass
	p.sampled = !p.byValue && varied
}

// ranged reports whether it must be known beforehand from where to where values go.
func (p *tallyPlan) ranged() bool { return p.binned && math.IsNaN(p.low) }

// keeps is how many values, bins and classes are kept at most of a zone of so many
// pixels.
func (p *tallyPlan) keeps(pixels float64) float64 {
	switch {
	case p.byValue && p.kind.Size() == 1:
		return min(pixels, 1<<8)
	case p.byValue && p.group == ByValue:
		return min(pixels, rasterbase.MaxDistinct)
	case p.byValue:
		return min(pixels, maxValues)
	}
	kept := 0.0
	if p.sampled {
		kept = pixels
	}
	if p.binned {
		kept += float64(p.bins)
	}
	if p.classed {
		kept += float64(p.classes.N)
	}
	return kept
}

// part is what was gathered of a band of a zone, or of a part of them. The zero part
// has nothing.
type part struct {
	valid, nodata float64 // pixels
	area          float64 // of the valid ones, in square metres
	moments       moments
	values        []valueSum // in rising order
	bins          []sums     // one for each, of plans that are binned
	classes       []sums     // one for each, of plans that are classed
	kept          *sample    // of plans that are sampled
}

// sums are pixels and their area in square metres.
type sums struct{ count, area float64 }

type valueSum struct {
	value float64
	sums
}

// moments are those of a band's valid pixels. sum is kept beside the mean, since it
// is exact for whole numbers.
type moments struct {
	n, sum, mean, m2, min, max float64
}

// join adds others, by the update for pairs of samples of Chan, Golub and LeVeque.
func (m *moments) join(o moments) {
	switch {
	case o.n == 0:
		return
	case m.n == 0:
		*m = o
		return
	}
	n := m.n + o.n
	d := o.mean - m.mean
	m.mean += d * o.n / n
	m.m2 += o.m2 + d*d*m.n*o.n/n
	m.sum += o.sum
	m.min, m.max = min(m.min, o.min), max(m.max, o.max)
	m.n = n
}

// join adds another part of the same plan. Parts are joined in the order of tiles, so
// that the same question has the same answer to the last digit.
func (t *part) join(p *tallyPlan, o *part) {
	t.valid += o.valid
	t.nodata += o.nodata
	t.area += o.area
	t.moments.join(o.moments)
	t.values = joinValues(t.values, o.values)
	t.bins = joinSums(t.bins, o.bins)
	t.classes = joinSums(t.classes, o.classes)
	if o.kept != nil {
		if t.kept == nil {
			t.kept = newSample(p)
		}
		t.kept.join(o.kept)
	}
}

func joinSums(a, b []sums) []sums {
	if a == nil {
		return b
	}
	for i, s := range b {
		a[i].count += s.count
		a[i].area += s.area
	}
	return a
}

// joinValues merges two lists in rising order. The first may be changed.
func joinValues(a, b []valueSum) []valueSum {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return slices.Clone(b)
	}
	// Mostly all values of a part are known already.
	known, i := true, 0
	for _, v := range b {
		for i < len(a) && a[i].value < v.value {
			i++
		}
		if i == len(a) || a[i].value != v.value {
			known = false
			break
		}
	}
	if known {
		i = 0
		for _, v := range b {
			for a[i].value < v.value {
				i++
			}
			a[i].count += v.count
			a[i].area += v.area
		}
		return a
	}
	out := make([]valueSum, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].value < b[0].value:
			out, a = append(out, a[0]), a[1:]
		case a[0].value > b[0].value:
			out, b = append(out, b[0]), b[1:]
		default:
			both := a[0]
			both.count += b[0].count
			both.area += b[0].area
			out, a, b = append(out, both), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// maxValues is the most distinct values that are counted to find others things from
// them; 16 bits never have more.
const maxValues = 1 << 16

// errManyValues is that there are too many values to count them, where that is not
// what was asked for.
var errManyValues = errors.New("too many different values to count each")

// err tells that there are too many values to go on.
func (t *part) err(p *tallyPlan) error {
	if p.group != ByValue {
		if len(t.values) > maxValues {
			return errManyValues
		}
		return nil
	}
	if len(t.values) <= rasterbase.MaxDistinct {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid, "band %d has more than %d different values here", p.band+1, rasterbase.MaxDistinct).
		WithHint("count them in the bins of a histogram, or by the entries of a legend").WithField("group")
}

// readsPixels reports whether what is asked of a tile that lies inside is not known
// from its summary.
func (p *tallyPlan) readsPixels(s *rasterbase.BandSummary) bool {
	if s.Valid == 0 {
		return false
	}
	constant := s.Min == s.Max
	switch {
	case p.sampled:
		return true
	case p.byValue:
		return s.Counts == nil && !constant
	case p.classed:
		return !constant
	case p.binned:
		first, last := p.binOf(s.Min), p.binOf(s.Max)
		around := s.Min < p.low && s.Max > p.high // both in no bin, and what is between in any
		return first != last || around
	}
	return false
}

// ofSummary is the part of pixels that lie inside as a whole: so many, of which a
// summary knows the valid ones. The area is that of a pixel.
func (p *tallyPlan) ofSummary(s *rasterbase.BandSummary, cells, area float64) part {
	n := float64(s.Valid)
	t := part{valid: n, nodata: cells - n, area: n * area}
	if s.Valid == 0 {
		return t
	}
	sum := s.Mean * n
	if !p.kind.IsFloat() && math.Abs(sum) < 1<<51 {
		sum = math.Round(sum)
	}
	if !p.byValue {
		t.moments = moments{n, sum, s.Mean, s.M2, s.Min, s.Max}
		if s.M2 == math.MaxFloat64 { // it was larger
			t.moments.m2 = math.Inf(1)
		}
	}
	switch {
	case p.byValue && s.Counts == nil:
		t.values = []valueSum{{s.Min + 0, sums{n, n * area}}}
	case p.byValue:
		t.values = make([]valueSum, len(s.Counts))
		for i, c := range s.Counts {
			t.values[i] = valueSum{c.Value + 0, sums{float64(c.Count), float64(c.Count) * area}}
		}
	default:
		t.place(p, s.Min, sums{n, n * area})
	}
	return t
}

// ofConstant is the part of pixels that all are valid and have one value.
func (p *tallyPlan) ofConstant(value, pixels, area float64) part {
	t := part{valid: pixels, area: pixels * area}
	if pixels == 0 {
		return t
	}
	s := sums{pixels, pixels * area}
	if p.byValue {
		t.values = []valueSum{{value + 0, s}}
		return t
	}
	t.moments = moments{pixels, pixels * value, value, 0, value, value}
	t.place(p, value, s)
	return t
}

// place puts pixels of one value into their bin and class.
func (t *part) place(p *tallyPlan, value float64, s sums) {
	if p.binned {
		t.bins = make([]sums, p.bins)
		if k := p.binOf(value); k >= 0 {
			t.bins[k] = s
		}
	}
	if p.classed {
		t.classes = make([]sums, p.classes.N)
		if k := p.classes.Of(value); k >= 0 {
			t.classes[k] = s
		}
	}
}

// binOf is the bin of a value, -1 outside of all.
func (p *tallyPlan) binOf(v float64) int { return binOf(v, p.low, p.high, p.bins) }

// binOf is the bin of a value among so many from low to high, the last of which has
// high too; -1 outside of all.
func binOf(v, low, high float64, bins int) int {
	switch {
	case !(v >= low && v <= high):
		return -1
	case v == high:
		return bins - 1
	}
	k := 0
	if at := (v - low) / (high - low) * float64(bins); at >= 0 { // not where the width is too large for a number
		k = min(int(at), bins-1)
	}
	if v >= edgeOf(k, low, high, bins) && (k == bins-1 || v < edgeOf(k+1, low, high, bins)) {
		return k
	}
	// The division rounds; the edges of bins count.
	return sort.Search(bins-1, func(i int) bool { return v < edgeOf(i+1, low, high, bins) })
}

// edgeOf is where a bin begins.
func edgeOf(k int, low, high float64, bins int) float64 {
	if k == bins {
		return high
	}
	part := float64(k) / float64(bins)
	if width := high - low; !math.IsInf(width, 0) {
		return low + width*part
	}
	return 2 * (low/2 + (high/2-low/2)*part)
}

func byValue(a, b valueSum) int { return cmp.Compare(a.value, b.value) }
