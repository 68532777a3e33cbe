package resample

import (
	"bytes"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Rule says how the valid ones of four pixels become one.
type Rule uint8

// The rules.
const (
	Mean        Rule = iota // integers rounded half up: floor(mean + 0.5)
	Mode                    // the most frequent; of equally frequent ones the first in row order
	LowerMedian             // the middle one, the lower of the two in the middle
)

// String is the rule's name.
func (r Rule) String() string {
	switch r {
	case Mean:
		return "mean"
	case Mode:
		return "mode"
	}
	return "lower median"
}

// RuleFor is the rule for a datatype: continuous layers are averaged, rank
// ordered ones take the lower median, the others the mode.
func RuleFor(d rasterbase.Datatype) Rule {
	switch d {
	case rasterbase.Continuous:
		return Mean
	case rasterbase.RankOrdered:
		return LowerMedian
	}
	return Mode
}

// Reduce makes the parent of four tiles: north-west, north-east, south-west and
// south-east; nil is a tile without valid pixels. Each is n x n, n even, and
// all have the same bands, nodata and kind of validity. The parent is n x n
// too; of its header only Width and Height are set. It is nil if all four are.
//
// A parent pixel is valid if any of its four children is, and made of the
// valid ones alone. Where none is, it holds the band's nodata, or NaN in floats
// without one. Validity is kept if a child has it: 255 where any child's is not
// 0. It is made as well when a tile is missing and a band of integers has no
// nodata to say so; invalid pixels of such a band are 0.
//
// A mean that happens to equal the nodata value is moved by one unit downwards
// (upwards from the smallest value), or to the next larger float, and so stays
// valid; gdalwarp does the same. Means of floats are made in float64.
func Reduce(children [4]*raster.Raster, rule Rule) *raster.Raster {
	var first *raster.Raster
	missing, masked := false, false
	for _, c := range children {
		switch {
		case c == nil:
			missing = true
		default:
			if first == nil {
				first = c
			}
			masked = masked || c.Validity != nil
		}
	}
	if first == nil {
		return nil
	}
	n := first.Width
	out := &raster.Raster{Bands: make([]raster.Band, len(first.Bands))}
	out.Width, out.Height = n, n
	for i := range first.Bands {
		b := first.Bands[i]
		masked = masked || missing && !holdsInvalid(&b)
		b.Pixels = raster.NewPixels(b.Type, n*n)
		out.Bands[i] = b
	}
	if masked {
		out.Validity = make([]uint8, n*n)
	}
	for q, c := range children {
		o := (q/2*n + q%2) * (n / 2) // where the quadrant starts in the parent
		if masked && c != nil {
			reduceValidity(out.Validity[o:], c.Validity, n)
		}
		for i := range out.Bands {
			reduceBand(&out.Bands[i], c, i, o, n, rule)
		}
	}
	return out
}

// holdsInvalid reports whether a band can say by its values that a pixel is
// invalid.
func holdsInvalid(b *raster.Band) bool {
	return b.Type.IsFloat() || b.HasNodata && b.Type.Holds(b.Nodata)
}

// reduceValidity writes a quadrant of the parent's validity, whose rows are n
// apart; a child without validity is wholly valid.
func reduceValidity(out, child []uint8, n int) {
	for y := range n / 2 {
		line := out[y*n : y*n+n/2]
		if child == nil {
			for x := range line {
				line[x] = 255
			}
			continue
		}
		up, low := child[2*y*n:(2*y+1)*n], child[(2*y+1)*n:(2*y+2)*n]
		for x := range line {
			if up[2*x]|up[2*x+1]|low[2*x]|low[2*x+1] != 0 {
				line[x] = 255
			}
		}
	}
}

// reduceBand writes the quadrant from pixel o on of a band of the parent.
func reduceBand(b *raster.Band, child *raster.Raster, band, o, n int, rule Rule) {
	switch out := b.Pixels.(type) {
	case raster.Slice[uint8]:
		reduceTyped(out[o:], b, child, band, n, rule)
	case raster.Slice[int8]:
		reduceTyped(out[o:], b, child, band, n, rule)
	case raster.Slice[uint16]:
		reduceTyped(out[o:], b, child, band, n, rule)
	case raster.Slice[int16]:
		reduceTyped(out[o:], b, child, band, n, rule)
	case raster.Slice[uint32]:
		reduceTyped(out[o:], b, child, band, n, rule)
	case raster.Slice[int32]:
		reduceTyped(out[o:], b, child, band, n, rule)
	case raster.Slice[float32]:
		reduceTyped(out[o:], b, child, band, n, rule)
	case raster.Slice[float64]:
		reduceTyped(out[o:], b, child, band, n, rule)
	}
}

func reduceTyped[T raster.Number](out []T, b *raster.Band, child *raster.Raster, band, n int, rule Rule) {
	nd := nodataOf[T](b)
	if child == nil {
		for y := range n / 2 {
			line := out[y*n : y*n+n/2]
			for x := range line {
				line[x] = nd.fill
			}
		}
		return
	}
	in := []T(child.Bands[band].Pixels.(raster.Slice[T]))
	for y := range n / 2 {
		line := out[y*n : y*n+n/2]
		up, low := in[2*y*n:(2*y+1)*n], in[(2*y+1)*n:(2*y+2)*n]
		var v []uint8
		if child.Validity != nil {
			v = child.Validity[2*y*n : (2*y+2)*n]
		}
		switch {
		case bytes.IndexByte(v, 0) >= 0:
			reduceMasked(line, up, low, v[:n], v[n:], &nd, rule)
		case b.Type.IsFloat() || nd.has:
			reduceNodata(line, up, low, &nd, rule)
		default:
			reduceWhole(line, up, low, rule)
		}
	}
}

// reduceWhole reduces two lines of integers that are all valid.
func reduceWhole[T raster.Number](out, up, low []T, rule Rule) {
	up, low = up[:2*len(out)], low[:2*len(out)]
	if rule != Mean {
		for x := range out {
			q := [4]T{up[2*x], up[2*x+1], low[2*x], low[2*x+1]}
			out[x] = pick(&q, 4, rule)
		}
		return
	}
	for x := range out {
		sum := int64(up[2*x]) + int64(up[2*x+1]) + int64(low[2*x]) + int64(low[2*x+1])
		out[x] = T((sum + 2) >> 2)
	}
}

// reduceNodata reduces two lines in which nodata and what is not finite is
// invalid.
func reduceNodata[T raster.Number](out, up, low []T, nd *nodata[T], rule Rule) {
	up, low = up[:2*len(out)], low[:2*len(out)]
	has, value := nd.has, nd.value
	valid := func(v T) bool { return v-v == 0 && !(has && v == value) }
	for x := range out {
		q := [4]T{up[2*x], up[2*x+1], low[2*x], low[2*x+1]}
		if valid(q[0]) && valid(q[1]) && valid(q[2]) && valid(q[3]) {
			out[x] = combine(&q, 4, nd, rule)
			continue
		}
		k := 0
		for _, v := range q {
			if valid(v) {
				q[k] = v
				k++
			}
		}
		out[x] = combine(&q, k, nd, rule)
	}
}

// reduceMasked reduces two lines with a validity beside that of nodata.
func reduceMasked[T raster.Number](out, up, low []T, upOK, lowOK []uint8, nd *nodata[T], rule Rule) {
	up, low, upOK, lowOK = up[:2*len(out)], low[:2*len(out)], upOK[:2*len(out)], lowOK[:2*len(out)]
	for x := range out {
		q := [4]T{up[2*x], up[2*x+1], low[2*x], low[2*x+1]}
		ok := [4]uint8{upOK[2*x], upOK[2*x+1], lowOK[2*x], lowOK[2*x+1]}
		k := 0
		for i, v := range q {
			if ok[i] != 0 && v-v == 0 && !(nd.has && v == nd.value) {
				q[k] = v
				k++
			}
		}
		out[x] = combine(&q, k, nd, rule)
	}
}

// combine makes one value of the first k of q, or what an invalid pixel holds.
func combine[T raster.Number](q *[4]T, k int, nd *nodata[T], rule Rule) T {
	switch {
	case k == 0:
		return nd.fill
	case rule == Mean:
		return nd.avoid(mean(q, k))
	}
	return pick(q, k, rule)
}

func mean[T raster.Number](q *[4]T, k int) T {
	if half := T(1) / 2; half != 0 {
		return meanFloat(q, k)
	}
	var sum int64
	for _, v := range q[:k] {
		sum += int64(v)
	}
	switch k {
	case 1:
		return T(sum)
	case 2:
		return T((sum + 1) >> 1)
	case 3:
		// floor((2*sum+3) / 6): Go divides towards zero.
		d := 2*sum + 3
		m := d / 6
		if d < 0 && d%6 != 0 {
			m--
		}
		return T(m)
	}
	return T((sum + 2) >> 2)
}

func meanFloat[T raster.Number](q *[4]T, k int) T {
	var sum float64
	for _, v := range q[:k] {
		sum += float64(v)
	}
	if m := sum / float64(k); !math.IsInf(m, 0) {
		return T(m)
	}
	sum = 0 // too large to add up
	for _, v := range q[:k] {
		sum += float64(v) / float64(k)
	}
	return T(max(-math.MaxFloat64, min(math.MaxFloat64, sum)))
}

// pick takes one of the first k, at least one, of q.
func pick[T raster.Number](q *[4]T, k int, rule Rule) T {
	if rule == LowerMedian {
		return lowerMedian(q, k)
	}
	return mode(q, k)
}

func mode[T raster.Number](q *[4]T, k int) T {
	a, b, c, d := q[0], q[1], q[2], q[3]
	switch k {
	case 1, 2:
		return a
	case 3:
		if b == c {
			return b
		}
		return a
	}
	switch {
	case a == b || a == c || a == d:
		return a
	case b == c || b == d:
		return b
	case c == d:
		return c
	}
	return a
}

func lowerMedian[T raster.Number](q *[4]T, k int) T {
	if half := T(1) / 2; half == 0 { // branch-free on 64 bits, not on 8
		wide := [4]int64{int64(q[0]), int64(q[1]), int64(q[2]), int64(q[3])}
		return T(middle(&wide, k))
	}
	return middle(q, k)
}

func middle[T int64 | raster.Number](q *[4]T, k int) T {
	a, b, c, d := q[0], q[1], q[2], q[3]
	switch k {
	case 1:
		return a
	case 2:
		return min(a, b)
	case 3:
		return max(min(a, b), min(max(a, b), c))
	}
	// The second smallest: of the smaller of two pairs the larger, and of the
	// larger ones the smaller, the lower.
	lo1, hi1, lo2, hi2 := min(a, b), max(a, b), min(c, d), max(c, d)
	return min(max(lo1, lo2), min(hi1, hi2))
}
