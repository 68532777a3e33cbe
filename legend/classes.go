package legend

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// MaxClasses is the largest number of classes that [Classes] is asked for.
const MaxClasses = 256

// Method says how [Classes] divides values into classes.
type Method string

// The methods.
const (
	EqualInterval     Method = "equal-interval"     // ranges of one width
	Quantile          Method = "quantile"           // as many pixels in each
	NaturalBreaks     Method = "natural-breaks"     // least variance inside classes (Fisher, Jenks)
	StandardDeviation Method = "standard-deviation" // one standard deviation each, around the mean
	DistinctValues    Method = "distinct"           // a class for each value
)

// Methods lists the methods.
func Methods() []Method {
	return []Method{EqualInterval, Quantile, NaturalBreaks, StandardDeviation, DistinctValues}
}

// Classes makes a legend from a histogram: n classes by the method, coloured by
// the named colormap from one end to the other; empty: viridis, and the colours
// of [Distinct] for distinct values, where n does not count. A histogram of bins
// is divided as if values were spread evenly inside each bin, and by bins for
// natural breaks.
//
// Classes touch without gaps or overlaps, "(a <= x) & (x < b)", and the last one
// ends with the largest value, "(a <= x) & (x <= b)". Where they begin is rounded
// to the fewest digits within a fiftieth of the class. There are fewer than n
// where the values do not suffice. Errors have the code invalid, too large or
// unsupported and the field method, classes or colormap_name.
func Classes(h rasterbase.Histogram, m Method, n int, colormap string) (*rasterbase.Legend, error) {
	m = Method(strings.ToLower(string(m)))
	if !slices.Contains(Methods(), m) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "there is no method %.40q", string(m)).
			WithHint("one of %s", strings.ReplaceAll(strings.Trim(fmt.Sprint(Methods()), "[]"), " ", ", ")).WithField("method")
	}
	if m == DistinctValues {
		return distinctClasses(h, colormap)
	}
	if n < 1 || n > MaxClasses {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%d is not a number of classes", n).
			WithHint("1 to %d", MaxClasses).WithField("classes")
	}
	samples := samplesOf(h)
	if len(samples) == 0 {
		return nil, noValues()
	}
	breaks := divide(samples, m, n)
	if colormap == "" {
		colormap = "viridis"
	}
	colors, err := pick(colormap, len(breaks)-1)
	if err != nil {
		return nil, err
	}
	return classLegend(breaks, colors), nil
}

func noValues() error {
	return rasterbase.Errorf(rasterbase.Invalid, "there are no values to make classes of").
		WithHint("the layer needs to be parsed, and to have valid pixels").WithField("method")
}

// classLegend makes the entries between breaks. Two that are equal are a single
// value.
func classLegend(breaks []float64, colors []rasterbase.Color) *rasterbase.Legend {
	l := &rasterbase.Legend{}
	for i, c := range colors {
		if breaks[i] == breaks[i+1] {
			l.Entries = append(l.Entries, entry(breaks[i], "", c))
			continue
		}
		from, to, less := formatNumber(breaks[i]), formatNumber(breaks[i+1]), "<"
		if i == len(colors)-1 {
			less = "<="
		}
		l.Entries = append(l.Entries, rasterbase.Entry{
			Semantics:  rasterbase.Semantics{Name: from + " to " + to},
			Expression: fmt.Sprintf("(%s <= x) & (x %s %s)", from, less, to),
			Color:      c,
		})
	}
	return l
}

// distinctClasses makes an entry for each value.
func distinctClasses(h rasterbase.Histogram, colormap string) (*rasterbase.Legend, error) {
	if len(h.Values) == 0 {
		if len(h.Bins) > 0 {
			return nil, rasterbase.Errorf(rasterbase.Unsupported, "the histogram has bins, not single values").
				WithHint("choose another method, or make the layer a categorical one").WithField("method")
		}
		return nil, noValues()
	}
	if colormap == "" {
		if l := Distinct(h.Values); l != nil {
			return l, nil
		}
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "%d values are too many to tell apart by colours", len(h.Values)).
			WithHint("at most %d; give a colormap, or choose another method", MaxDistinct).WithField("method")
	}
	if len(h.Values) > MaxEntries {
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "there are %d values", len(h.Values)).
			WithHint("a legend has at most %d entries", MaxEntries).WithField("method")
	}
	colors, err := pick(colormap, len(h.Values))
	if err != nil {
		return nil, err
	}
	l := &rasterbase.Legend{}
	for i, v := range h.Values {
		l.Entries = append(l.Entries, entry(v.Value, "", colors[i]))
	}
	return l, nil
}

// pick takes n colours of a named colormap, from its first to its last, or the
// first n of a qualitative one.
func pick(name string, n int) ([]rasterbase.Color, error) {
	all, err := Colors(name)
	if err != nil {
		return nil, err
	}
	if len(all) < fullColormap {
		if n > len(all) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the colormap %s has %d colours, for %d classes", name, len(all), n).
				WithHint("ask for fewer classes, or choose a colormap that is not qualitative").WithField("colormap_name")
		}
		return all[:n], nil
	}
	colors := make([]rasterbase.Color, n)
	for i := range colors {
		at := 0.5
		if n > 1 {
			at = float64(i) / float64(n-1)
		}
		colors[i] = all[int(math.Round(at*float64(len(all)-1)))]
	}
	return colors, nil
}

// sample is pixels whose values lie between low and high; both are the same for
// one value.
type sample struct {
	low, high float64
	count     float64
}

func (s sample) middle() float64 { return s.low/2 + s.high/2 }

// samplesOf are the values or bins that hold pixels, rising.
func samplesOf(h rasterbase.Histogram) []sample {
	var out []sample
	for _, v := range h.Values {
		if v.Count > 0 && v.Value-v.Value == 0 {
			out = append(out, sample{v.Value, v.Value, float64(v.Count)})
		}
	}
	if len(h.Values) > 0 || h.Min-h.Min != 0 || h.Max-h.Max != 0 {
		return out
	}
	n := float64(len(h.Bins))
	for i, count := range h.Bins {
		if count > 0 {
			low, high := place(h.Min, h.Max, float64(i)/n), place(h.Min, h.Max, float64(i+1)/n)
			out = append(out, sample{low, high, float64(count)})
		}
	}
	return out
}

// divide gives where classes begin, and where the last one ends: at its beginning
// when it is a single value.
func divide(samples []sample, m Method, n int) []float64 {
	last := samples[len(samples)-1]
	low, high := samples[0].low, last.high
	if !(low < high) {
		return []float64{low, low}
	}
	var inner []float64
	switch m {
	case EqualInterval:
		for i := 1; i < n; i++ {
			inner = append(inner, place(low, high, float64(i)/float64(n)))
		}
	case Quantile:
		inner = quantiles(samples, n)
	case NaturalBreaks:
		inner = naturalBreaks(samples, n)
	case StandardDeviation:
		inner = deviations(samples, n)
	}
	breaks := []float64{low}
	for _, b := range inner {
		if b > breaks[len(breaks)-1] && (b < high || b == last.low) {
			breaks = append(breaks, b)
		}
	}
	breaks = append(breaks, high)
	if last.low == high && (m == Quantile || m == NaturalBreaks) {
		return shortenValues(breaks, samples)
	}
	return shorten(breaks)
}

// quantiles are the values below which i of n parts of the pixels lie. Of single
// values, each is the one that begins the class.
func quantiles(samples []sample, n int) []float64 {
	total := 0.0
	for _, s := range samples {
		total += s.count
	}
	var out []float64
	below, at := 0.0, 0
	for i := 1; i < n; i++ {
		wanted := total * float64(i) / float64(n)
		for at < len(samples)-1 && below+samples[at].count <= wanted {
			below += samples[at].count
			at++
		}
		s := samples[at]
		part := (wanted - below) / s.count
		if s.low == s.high {
			// Whole values go to the class in which more of them lie.
			if part > 0.5 && at+1 < len(samples) {
				out = append(out, samples[at+1].low)
				continue
			}
			part = 0
		}
		out = append(out, place(s.low, s.high, part))
	}
	return out
}

// deviations are the mean and whole standard deviations from it, or, for an odd
// number of classes, halves, so that the mean lies inside one.
func deviations(samples []sample, n int) []float64 {
	var total, mean, m2 float64
	for _, s := range samples { // Chan, Golub and LeVeque
		delta := s.middle() - mean
		total += s.count
		mean += delta * s.count / total
		m2 += delta * (s.middle() - mean) * s.count
	}
	std := math.Sqrt(m2 / total)
	var out []float64
	for i := 1; i < n; i++ {
		if b := mean + (float64(i)-float64(n)/2)*std; b-b == 0 {
			out = append(out, b)
		}
	}
	return out
}

// shorten rounds breaks to few digits: by at most a fiftieth of the class at
// either side, and outwards at the ends.
func shorten(breaks []float64) []float64 {
	out := slices.Clone(breaks)
	last := len(breaks) - 1
	for i, b := range breaks {
		round, gap := math.Round, math.Inf(1)
		if i > 0 {
			gap = b - breaks[i-1]
		}
		if i < last {
			gap = min(gap, breaks[i+1]-b)
		}
		switch i {
		case 0:
			round = math.Floor
		case last:
			round = math.Ceil
		}
		out[i] = roundShort(b, gap/50, round)
		if i == 0 && out[i] > b || i == last && out[i] < b {
			out[i] = b // lost in rounding
		}
	}
	return out
}

// shortenValues rounds breaks that are values down to few digits, without reaching
// the value below.
func shortenValues(breaks []float64, samples []sample) []float64 {
	out := slices.Clone(breaks)
	at := 0
	for i := 1; i+1 < len(breaks); i++ {
		for samples[at].low < breaks[i] {
			at++
		}
		out[i] = roundShort(breaks[i], (breaks[i]-samples[at-1].low)/2, math.Floor)
	}
	return out
}

// roundShort rounds to the largest power of ten that moves v by at most off.
func roundShort(v, off float64, round func(float64) float64) float64 {
	if v == math.Trunc(v) && math.Abs(v) < 1e4 || !(off > 0) || math.IsInf(off, 0) {
		return v
	}
	from := int(math.Ceil(math.Log10(off))) + 1
	for e := from; e > from-18; e-- {
		var r float64
		if e > 0 {
			r = round(v/math.Pow10(e)) * math.Pow10(e)
		} else {
			r = round(v*math.Pow10(-e)) / math.Pow10(-e)
		}
		if r-r == 0 && math.Abs(r-v) <= off {
			return r + 0
		}
	}
	return v
}
