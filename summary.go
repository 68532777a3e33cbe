package rasterbase

import (
	"math"
	"slices"
)

// MaxDistinct is the number of distinct values above which a summary keeps no
// counts by value.
const MaxDistinct = 4096

// Summary is what is known of a tile, or of a page of tiles, without reading
// its pixels: one element for each band of the revision.
type Summary struct {
	Bands []BandSummary
}

// BandSummary holds the moments of a band's valid pixels, and for discrete
// layers the count of each value.
type BandSummary struct {
	Valid  int64
	Mean   float64
	M2     float64 // sum of squared deviations from the mean
	Min    float64
	Max    float64
	Counts []ValueCount // sorted by value; nil when not kept or above MaxDistinct
}

// Add joins the pixels of o into s, by the update for pairs of samples of Chan,
// Golub and LeVeque. Counts are kept only if both have them.
func (s *BandSummary) Add(o BandSummary) {
	switch {
	case o.Valid == 0:
		return
	case s.Valid == 0:
		counts := slices.Clone(o.Counts)
		*s = o
		s.Counts = counts
		return
	}
	n, a, b := float64(s.Valid+o.Valid), float64(s.Valid), float64(o.Valid)
	delta := o.Mean - s.Mean
	s.Mean += delta * b / n
	s.M2 += o.M2 + delta*delta*a*b/n
	s.Min, s.Max = min(s.Min, o.Min), max(s.Max, o.Max)
	s.Valid += o.Valid
	s.Counts = mergeCounts(s.Counts, o.Counts)
}

// Std is the standard deviation of the population; 0 without pixels.
func (s BandSummary) Std() float64 {
	if s.Valid == 0 {
		return 0
	}
	return math.Sqrt(s.M2 / float64(s.Valid))
}

// Add joins o, band by band.
func (s *Summary) Add(o Summary) {
	if s.Bands == nil {
		s.Bands = make([]BandSummary, len(o.Bands))
	}
	for i := range o.Bands {
		s.Bands[i].Add(o.Bands[i])
	}
}

// Empty reports whether no band has a valid pixel. Empty tiles are not stored.
func (s Summary) Empty() bool {
	for _, b := range s.Bands {
		if b.Valid > 0 {
			return false
		}
	}
	return true
}

func mergeCounts(a, b []ValueCount) []ValueCount {
	if a == nil || b == nil {
		return nil
	}
	out := make([]ValueCount, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Value < b[0].Value:
			out, a = append(out, a[0]), a[1:]
		case a[0].Value > b[0].Value:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, ValueCount{a[0].Value, a[0].Count + b[0].Count})
			a, b = a[1:], b[1:]
		}
	}
	out = append(append(out, a...), b...)
	if len(out) > MaxDistinct {
		return nil
	}
	return out
}
