package legend

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

// Report says which valid pixels of a band a legend leaves without a colour, and
// which match several entries, of which the last one colours them.
type Report struct {
	Pixels  int64 // valid ones, looked at
	Exact   bool  // false: told from the bins of a histogram, and a matter of bounds
	None    Misfit
	Several Misfit
}

// Misfit is pixels that match no entry, or several. Values inside one bin of a
// histogram can match differently: then the number is not known, and AtLeast is
// less than AtMost.
type Misfit struct {
	AtLeast, AtMost int64
	Ranges          []ValueRange // where they are, rising; at most MaxRanges
	More            int          // ranges that were left out
}

// ValueRange is values of a histogram: one value, From and To, or neighbouring
// bins from From to To. Pixels is how many lie there, of which all or some are
// meant.
type ValueRange struct {
	From, To float64
	Pixels   int64
}

// tries is at how many values of a bin formulas are tried.
const tries = 9

// MaxRanges is the largest number of ranges that a [Misfit] lists.
const MaxRanges = 100

// Check looks at the histogram of a band: each value where it counts by value,
// which is exact, else each bin. Of a bin all the values that the band's type
// allows there are looked at, so that the numbers are bounds; an entry that does
// more than to compare x with constants is tried at some values of the bin. A
// gradient is looked at as [Compile] paints it, over the band's own range where it
// names none. The error is that of [Validate], or says that formulas are too much
// work for so many values; a band without a histogram gives an empty report.
func Check(l *rasterbase.Legend, band rasterbase.Band) (Report, error) {
	if err := Validate(l); err != nil {
		return Report{}, err
	}
	l = Fit(l, band.Min, band.Max)
	rules, err := rulesOf(l, band.PixelType == rasterbase.Float32)
	if err != nil {
		return Report{}, err
	}
	k := newChecker(rules, band)
	if n := len(band.Histogram.Values) + tries*len(band.Histogram.Bins); n > 0 {
		if err := bound(len(k.all.opaque), k.all.work(), max(maxPixelWork, maxTableWork/n)); err != nil {
			return Report{}, err
		}
	}
	for _, v := range band.Histogram.Values {
		matches := k.matches(v.Value)
		k.count(ValueRange{v.Value, v.Value, v.Count}, matches, matches)
	}
	if len(band.Histogram.Values) == 0 {
		k.bins(band)
	}
	k.report.Exact = !k.sampled && k.report.None.AtLeast == k.report.None.AtMost &&
		k.report.Several.AtLeast == k.report.Several.AtMost
	return k.report, nil
}

// rulesOf are the rules of the entries, or rules that match what a gradient
// colours.
func rulesOf(l *rasterbase.Legend, float32s bool) ([]rule, error) {
	g := l.Gradient
	if g == nil {
		return newRules(l, float32s)
	}
	all := rasterbase.Entry{Expression: "x <= INF"}
	switch {
	case g.Colormap != "" || g.Interpolation != rasterbase.Discrete && g.Interpolation != rasterbase.Exact:
	case g.Interpolation == rasterbase.Exact:
		r := newRamp(g, float32s)
		rules := r.rules()
		for i := len(rules) - 1; i > 0; i-- {
			if rules[i].number == rules[i-1].number {
				rules = append(rules[:i-1], rules[i:]...)
			}
		}
		return rules, nil
	case g.Relative && *g.Min == *g.Max:
		if middle(g) == (rasterbase.Color{}) {
			return nil, nil
		}
	default:
		r := newRamp(g, float32s)
		if last := r.at[len(r.at)-1]; !math.IsInf(last, 1) {
			all.Expression = "x <= " + formatNumber(last)
		}
		if g.Relative && *g.Min > *g.Max {
			all.Expression = "x >= " + formatNumber(r.at[0])
		}
	}
	r, err := newRule(all, float32s)
	return []rule{r}, err
}

// checker counts how many rules match.
type checker struct {
	all    *classifier
	cells  []int32 // in each cell of the classifier, of its rules that are not opaque
	whole  bool    // pixels are whole numbers
	single bool    // pixels are float32
	report Report

	sampled bool // a formula was tried at some values only
}

func newChecker(rules []rule, band rasterbase.Band) *checker {
	k := &checker{all: newClassifier(rules), whole: !band.PixelType.IsFloat(), single: band.PixelType == rasterbase.Float32}
	k.cells = make([]int32, len(k.all.cells)+1)
	for i := range rules {
		own, ok := rules[i].breaks()
		if !ok {
			continue
		}
		k.all.spans(&rules[i], own, func(from, to int) {
			k.cells[from]++
			k.cells[to+1]--
		})
	}
	for i := 1; i < len(k.cells); i++ {
		k.cells[i] += k.cells[i-1]
	}
	return k
}

// matches is how many rules match a value.
func (k *checker) matches(v float64) int {
	return int(k.cells[k.all.cell(v)]) + k.opaque(v)
}

func (k *checker) opaque(v float64) int {
	n := 0
	for _, i := range k.all.opaque {
		if k.all.rules[i].matches(v) {
			n++
		}
	}
	return n
}

// count notes pixels of which each matches at least fewest and at most most
// rules.
func (k *checker) count(r ValueRange, fewest, most int) {
	k.report.Pixels += r.Pixels
	k.report.None.add(r, most == 0, fewest == 0)
	k.report.Several.add(r, fewest > 1, most > 1)
}

// add notes pixels that are all of this kind, or may be.
func (m *Misfit) add(r ValueRange, all, some bool) {
	if !some || r.Pixels == 0 {
		return
	}
	if all {
		m.AtLeast += r.Pixels
	}
	m.AtMost += r.Pixels
	n := len(m.Ranges)
	switch {
	case n > 0 && m.More == 0 && m.Ranges[n-1].To == r.From && r.From < r.To:
		m.Ranges[n-1].To = r.To
		m.Ranges[n-1].Pixels += r.Pixels
	case n < MaxRanges:
		m.Ranges = append(m.Ranges, r)
	default:
		m.More++
	}
}

// bins looks at a histogram's bins.
func (k *checker) bins(band rasterbase.Band) {
	h := band.Histogram
	n := float64(len(h.Bins))
	for i, count := range h.Bins {
		if count == 0 {
			continue
		}
		r := ValueRange{place(h.Min, h.Max, float64(i)/n), place(h.Min, h.Max, float64(i+1)/n), count}
		low, high := math.Max(r.From, band.Min), math.Min(r.To, band.Max)
		if k.whole {
			low, high = math.Ceil(low), math.Floor(high)
		}
		if i+1 < len(h.Bins) && high == r.To && low < high {
			// The upper end belongs to the next bin.
			if high = math.Nextafter(high, math.Inf(-1)); k.whole {
				high = math.Floor(high)
			}
		}
		if low > high { // rounding has moved the bin's ends
			low, high = r.From, r.To
		}
		fewest, most := k.between(low, high)
		k.count(r, fewest, most)
	}
}

// between is the fewest and the most rules that match a value of low to high.
func (k *checker) between(low, high float64) (fewest, most int) {
	fewest = math.MaxInt
	for cell := k.all.cell(low); cell <= k.all.cell(high); cell++ {
		if k.whole && !k.holdsWhole(cell, low, high) {
			continue
		}
		fewest, most = min(fewest, int(k.cells[cell])), max(most, int(k.cells[cell]))
	}
	if fewest > most {
		fewest = most
	}
	if len(k.all.opaque) == 0 {
		return fewest, most
	}
	k.sampled = true
	few, many := math.MaxInt, 0
	for i := range tries {
		v := place(low, high, float64(i)/(tries-1))
		switch {
		case k.whole:
			v = math.Floor(v)
		case k.single:
			v = floor32(v)
		}
		matches := k.opaque(v)
		few, many = min(few, matches), max(many, matches)
	}
	return fewest + few, most + many
}

// floor32 is the largest float32 that is at most v.
func floor32(v float64) float64 {
	f := float32(v)
	if float64(f) > v {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return float64(f)
}

// holdsWhole reports whether a cell has a whole number of low to high.
func (k *checker) holdsWhole(cell int, low, high float64) bool {
	b := k.all.breaks
	if cell%2 == 1 {
		return b[cell/2] == math.Trunc(b[cell/2])
	}
	if i := cell / 2; i > 0 {
		low = math.Max(low, math.Floor(b[i-1])+1)
	}
	if i := cell / 2; i < len(b) {
		high = math.Min(high, math.Ceil(b[i])-1)
	}
	return low <= high
}
