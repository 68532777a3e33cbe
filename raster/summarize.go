package raster

import (
	"math"
	"math/bits"
	"slices"

	"github.com/rasterbase/rasterbase"
)

// Summarize makes the summary of the valid pixels of a band, counted from 0:
// those that [Raster.Valid] reports. With counts it has the number of pixels of
// each value, sorted by value, unless there are more than
// rasterbase.MaxDistinct; -0 counts as 0. Without valid pixels all is zero.
//
// Mean and M2 of integers of 8 and 16 bits are made from exact sums; those of
// the other types by two passes, the second about the mean of the first, with
// the correction of Chan, Golub and LeVeque for the mean's rounding.
func Summarize(r *Raster, band int, counts bool) rasterbase.BandSummary {
	b := &r.Bands[band]
	switch p := b.Pixels.(type) {
	case Slice[uint8]:
		return summarizeBytes(p, r.Validity, b, 0, counts)
	case Slice[int8]:
		return summarizeBytes(p, r.Validity, b, math.MinInt8, counts)
	case Slice[uint16]:
		return summarizeShorts(selection[uint16]{p, r.Validity}, b, counts)
	case Slice[int16]:
		return summarizeShorts(selection[int16]{p, r.Validity}, b, counts)
	case Slice[uint32]:
		return summarizeWide(selection[uint32]{p, r.Validity}, b, counts)
	case Slice[int32]:
		return summarizeWide(selection[int32]{p, r.Validity}, b, counts)
	case Slice[float32]:
		return summarizeWide(selection[float32]{p, r.Validity}, b, counts)
	case Slice[float64]:
		return summarizeWide(selection[float64]{p, r.Validity}, b, counts)
	}
	return rasterbase.BandSummary{}
}

// selection is pixels and, unless nil, which of them are valid.
type selection[T Number] struct {
	px       []T
	validity []uint8
}

// nodataIn gives nodata as the type of the pixels; false if there is none that
// a pixel could be equal to.
func nodataIn[T Number](b *Band) (T, bool) {
	if !b.HasNodata || math.IsNaN(b.Nodata) || !b.Type.IsFloat() && !b.Type.Holds(b.Nodata) {
		return 0, false
	}
	return T(b.Nodata), true
}

// summarizeBytes counts all values, from which the rest follows exactly. lowest
// is the smallest value of the type.
func summarizeBytes[T uint8 | int8](px []T, validity []uint8, b *Band, lowest int, counts bool) rasterbase.BandSummary {
	table := countBytes(px, validity)
	if nd, has := nodataIn[T](b); has {
		table[uint8(nd)] = 0
	}
	var s rasterbase.BandSummary
	var sum int64
	for v := lowest; v < lowest+256; v++ {
		n := table[uint8(v)]
		if n == 0 {
			continue
		}
		if s.Valid == 0 {
			s.Min = float64(v)
		}
		s.Max = float64(v)
		s.Valid += n
		sum += n * int64(v)
		if counts {
			s.Counts = append(s.Counts, rasterbase.ValueCount{Value: float64(v), Count: n})
		}
	}
	if s.Valid == 0 {
		return rasterbase.BandSummary{}
	}
	s.Mean = float64(sum) / float64(s.Valid)
	for v := lowest; v < lowest+256; v++ {
		if n := table[uint8(v)]; n > 0 {
			d := float64(v) - s.Mean
			s.M2 += float64(n) * (d * d)
		}
	}
	return s
}

// countBytes counts the values of valid pixels by their bit pattern. Four
// tables take turns, since a counter that is raised twice in a row has to wait
// for itself.
func countBytes[T uint8 | int8](px []T, validity []uint8) [256]int64 {
	var out [256]int64
	if validity != nil {
		var t [2][256]int64 // of invalid and of valid pixels
		for i, v := range validity[:len(px)] {
			t[(int(v)+255)>>8][uint8(px[i])]++
		}
		return t[1]
	}
	var t [4][256]uint32
	for len(px) > 0 {
		part := px[:min(len(px), math.MaxInt32)] // so that no counter overflows
		px = px[len(part):]
		for len(part) >= 8 {
			q := part[:8:8]
			t[0][uint8(q[0])]++
			t[1][uint8(q[1])]++
			t[2][uint8(q[2])]++
			t[3][uint8(q[3])]++
			t[0][uint8(q[4])]++
			t[1][uint8(q[5])]++
			t[2][uint8(q[6])]++
			t[3][uint8(q[7])]++
			part = part[8:]
		}
		for _, v := range part {
			t[0][uint8(v)]++
		}
		for v := range out {
			out[v] += int64(t[0][v]) + int64(t[1][v]) + int64(t[2][v]) + int64(t[3][v])
		}
		t = [4][256]uint32{}
	}
	return out
}

// summarizeShorts sums values and squares exactly.
func summarizeShorts[T uint16 | int16](sel selection[T], b *Band, counts bool) rasterbase.BandSummary {
	nd, has := nodataIn[T](b)
	var n, sum, lo, hi int64 = 0, 0, math.MaxInt64, math.MinInt64
	var squares uint64
	for i, v := range sel.px {
		if has && v == nd || sel.validity != nil && sel.validity[i] == 0 {
			continue
		}
		w := int64(v)
		n++
		sum += w
		squares += uint64(w * w)
		lo, hi = min(lo, w), max(hi, w)
	}
	if n == 0 {
		return rasterbase.BandSummary{}
	}
	s := rasterbase.BandSummary{Valid: n, Mean: float64(sum) / float64(n), Min: float64(lo), Max: float64(hi)}
	s.M2 = squaredDeviations(uint64(n), sum, squares)
	if counts {
		s.Counts, _ = countRange(sel, nd, has, s.Min, s.Max)
	}
	return s
}

// squaredDeviations is squares - sum*sum/n, made of 128-bit products.
func squaredDeviations(n uint64, sum int64, squares uint64) float64 {
	magnitude := uint64(max(sum, -sum))
	h1, l1 := bits.Mul64(n, squares)
	h2, l2 := bits.Mul64(magnitude, magnitude)
	lo, borrow := bits.Sub64(l1, l2, 0)
	hi, _ := bits.Sub64(h1, h2, borrow)
	return (math.Ldexp(float64(hi), 64) + float64(lo)) / float64(n)
}

// countRange counts values between lo and hi, less than 65,536 apart, that are
// whole steps above lo; false if another value is found.
func countRange[T Number](sel selection[T], nd T, has bool, lo, hi float64) ([]rasterbase.ValueCount, bool) {
	table := make([]uint32, int(hi-lo)+1)
	distinct := 0
	for i, v := range sel.px {
		if v-v != 0 || has && v == nd || sel.validity != nil && sel.validity[i] == 0 {
			continue
		}
		k := int(float64(v) - lo)
		if lo+float64(k) != float64(v) {
			return nil, false
		}
		if table[k] == 0 {
			if distinct++; distinct > rasterbase.MaxDistinct {
				return nil, true
			}
		}
		table[k]++
	}
	out := make([]rasterbase.ValueCount, 0, distinct)
	for k, n := range table {
		if n > 0 {
			out = append(out, rasterbase.ValueCount{Value: lo + float64(k), Count: int64(n)})
		}
	}
	return out, true
}

// summarizeWide is for integers of 32 bits and floats.
func summarizeWide[T Number](sel selection[T], b *Band, counts bool) rasterbase.BandSummary {
	nd, has := nodataIn[T](b)
	s := moments(sel, nd, has)
	if s.Valid == 0 || !counts {
		return s
	}
	if s.Max-s.Min < 1<<16 {
		var fits bool
		if s.Counts, fits = countRange(sel, nd, has, s.Min, s.Max); fits {
			return s
		}
	}
	s.Counts = countSparse(sel, nd, has)
	return s
}

// moments makes all but the counts, in two passes.
func moments[T Number](sel selection[T], nd T, has bool) rasterbase.BandSummary {
	var n int64
	sum, lo, hi := 0.0, math.Inf(1), math.Inf(-1)
	for i, v := range sel.px {
		// v-v is 0 for finite numbers only.
		if v-v != 0 || has && v == nd || sel.validity != nil && sel.validity[i] == 0 {
			continue
		}
		w := float64(v)
		n++
		sum += w
		if w < lo {
			lo = w
		}
		if w > hi {
			hi = w
		}
	}
	if n == 0 {
		return rasterbase.BandSummary{}
	}
	mean := sum / float64(n)
	if math.IsInf(mean, 0) || math.IsNaN(mean) {
		mean = lo/2 + hi/2 // corrected by the second pass
	}
	var dev, squares float64
	for i, v := range sel.px {
		if v-v != 0 || has && v == nd || sel.validity != nil && sel.validity[i] == 0 {
			continue
		}
		d := float64(v) - mean
		dev += d / float64(n)
		squares += d * d
	}
	m2 := squares - dev*dev*float64(n)
	if !(m2 <= math.MaxFloat64) { // squares of float64 can be too large
		m2 = math.MaxFloat64
	}
	return rasterbase.BandSummary{
		Valid: n,
		Mean:  max(lo, min(hi, mean+dev)), Min: lo + 0, Max: hi + 0, // + 0 makes 0 of -0
		M2: max(0, m2),
	}
}

// countSparse counts values that can be anything.
func countSparse[T Number](sel selection[T], nd T, has bool) []rasterbase.ValueCount {
	places := make(map[T]int)
	var out []rasterbase.ValueCount
	at := -1 // of the value before, since equal values come in runs
	var last T
	for i, v := range sel.px {
		if v-v != 0 || has && v == nd || sel.validity != nil && sel.validity[i] == 0 {
			continue
		}
		if at >= 0 && v == last {
			out[at].Count++
			continue
		}
		k, known := places[v] // 0 and -0 are one key
		if !known {
			if len(out) == rasterbase.MaxDistinct {
				return nil
			}
			k = len(out)
			places[v] = k
			out = append(out, rasterbase.ValueCount{Value: float64(v) + 0})
		}
		out[k].Count++
		at, last = k, v
	}
	slices.SortFunc(out, func(a, b rasterbase.ValueCount) int {
		if a.Value < b.Value {
			return -1
		}
		return 1
	})
	return out
}
