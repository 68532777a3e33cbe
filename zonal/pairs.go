package zonal

import (
	"cmp"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

const (
	// maxPairs is the most distinct pairs of values of a cross-tabulation. Those of
	// two 8-bit bands never are more.
	maxPairs = rasterbase.MaxDistinct * 16
	// maxTableCells is the most cells of a table, most of them empty when there are
	// more of them than pairs.
	maxTableCells = 1 << 20
)

// pairTally counts pixels by their values in two bands. One goroutine uses it at a
// time.
type pairTally struct {
	unit          float64 // square metres of the unit of areas; 0: no areas
	valid, nodata float64
	bytes         byteTable    // of pairs of 8-bit bands
	others        map[pair]int // of others: where their sums are
	sums          []pairSums
	tooMany       bool // pairs, so that those of others are kept no more
}

// pair is a value of each of two bands as the bits of floats, which maps find faster
// than floats. Neither is -0 or NaN.
type pair struct{ a, b uint64 }

func pairOf(a, b float64) pair {
	return pair{math.Float64bits(a + 0), math.Float64bits(b + 0)} // -0 + 0 is 0
}

func (p pair) values() (a, b float64) { return math.Float64frombits(p.a), math.Float64frombits(p.b) }

// pairSums are what is known of a pair: pixels and square metres.
type pairSums struct{ count, area float64 }

// newPairTally makes an empty tally. The unit of areas is in square metres, 0 for no
// areas.
func newPairTally(unit float64) *pairTally {
	return &pairTally{unit: unit, others: map[pair]int{}}
}

// add counts the pixels from one index of both bands to before another, which lie in
// one row: valid ones (a nil mask: all) by their values, where they are valid in both
// bands. Each counts with the weight, and has the area in square metres.
func (t *pairTally) add(a, b *raster.Band, validA, validB []uint8, from, to int, weight, area float64) {
	if t.unit == 0 {
		area = 0
	}
	area *= weight
	pa, okA := a.Pixels.(raster.Slice[uint8])
	pb, okB := b.Pixels.(raster.Slice[uint8])
	for from < to {
		run, valid := validRun(validA, validB, from, to)
		switch {
		case !valid:
			t.nodata += weight * float64(run-from)
		case okA && okB:
			t.valid += weight * float64(run-from)
			t.bytes.add(pa[from:run], pb[from:run], weight, area)
		default:
			t.valid += weight * float64(run-from)
			t.addValues(a.Pixels.Range(from, run), b.Pixels.Range(from, run), weight, area)
		}
		from = run
	}
}

// validRun is where the pixels end that are, from the first on, alike valid in both
// masks or not.
func validRun(a, b []uint8, from, to int) (end int, valid bool) {
	at := func(i int) bool { return (a == nil || a[i] != 0) && (b == nil || b[i] != 0) }
	if a == nil && b == nil {
		return to, true
	}
	valid = at(from)
	for end = from + 1; end < to && at(end) == valid; end++ {
	}
	return end, valid
}

// addValues counts pixels of any type. Equal neighbours are counted together.
func (t *pairTally) addValues(a, b raster.Pixels, weight, area float64) {
	at := func(i int) pair { return pairOf(a.At(i), b.At(i)) }
	n := a.Len()
	last, from := at(0), 0
	for i := 1; i <= n; i++ {
		var p pair
		if i < n {
			if p = at(i); p == last {
				continue
			}
		}
		t.put(last, pairSums{weight * float64(i-from), area * float64(i-from)})
		last, from = p, i
	}
}

// put adds to a pair of the map.
func (t *pairTally) put(p pair, add pairSums) {
	if t.tooMany {
		return
	}
	i, known := t.others[p]
	if !known {
		if len(t.others) >= maxPairs {
			t.forget()
			return
		}
		i = len(t.sums)
		t.others[p], t.sums = i, append(t.sums, pairSums{})
	}
	s := &t.sums[i]
	s.count += add.count
	s.area += add.area
}

// forget gives up on pairs of other bands than 8-bit ones.
func (t *pairTally) forget() { t.tooMany, t.others, t.sums = true, nil, nil }

// join adds what another tally counted.
func (t *pairTally) join(o *pairTally) {
	t.valid += o.valid
	t.nodata += o.nodata
	if o.tooMany {
		t.forget()
	}
	for p, i := range o.others {
		t.put(p, o.sums[i])
	}
	o.bytes.each(func(a, b int, s pairSums) { t.bytes.put(uint8(a), uint8(b), s) })
}

// err is an error with code invalid when there are too many pairs, so that counting
// can end early.
func (t *pairTally) err() error {
	if !t.tooMany {
		return nil
	}
	return tooManyPairs("the bands have more than %d different pairs of values", maxPairs)
}

func tooManyPairs(format string, args ...any) error {
	return rasterbase.Errorf(rasterbase.Invalid, format, args...).
		WithHint("cross-tabulate discrete bands, or formulas that put values into classes, such as (x > 10) + (x > 20)").WithField("layers")
}

// result is the table, its values rising, without what it was made of. The error has
// code invalid when there are too many pairs, or so many values that hardly any cell
// has a pixel.
func (t *pairTally) result() (Table, error) {
	if err := t.err(); err != nil {
		return Table{}, err
	}
	all := make(map[pair]pairSums, len(t.others))
	for p, i := range t.others {
		all[p] = t.sums[i]
	}
	t.bytes.each(func(a, b int, s pairSums) {
		p := pairOf(float64(a), float64(b))
		was := all[p]
		all[p] = pairSums{was.count + s.count, was.area + s.area}
	})
	if len(all) > maxPairs {
		return Table{}, tooManyPairs("the bands have more than %d different pairs of values", maxPairs)
	}
	out := Table{Valid: t.valid, Nodata: t.nodata}
	for p := range all {
		a, b := p.values()
		out.Rows, out.Columns = append(out.Rows, a), append(out.Columns, b)
	}
	out.Rows, out.Columns = pairValues(out.Rows), pairValues(out.Columns)
	if len(out.Rows)*len(out.Columns) > maxTableCells {
		return Table{}, tooManyPairs("%d values of one band by %d of the other are too large a table", len(out.Rows), len(out.Columns))
	}
	out.Counts = pairCells(len(out.Rows), len(out.Columns))
	if t.unit != 0 {
		out.Areas = pairCells(len(out.Rows), len(out.Columns))
	}
	for p, s := range all {
		a, b := p.values()
		row, _ := slices.BinarySearch(out.Rows, a)
		col, _ := slices.BinarySearch(out.Columns, b)
		out.Counts[row][col] = s.count
		if out.Areas != nil {
			out.Areas[row][col] = s.area / t.unit
		}
	}
	return out, nil
}

// pairValues sorts values and keeps one of those that are equal.
func pairValues(v []float64) []float64 {
	slices.SortFunc(v, cmp.Compare[float64])
	return slices.Compact(v)
}

// pairCells makes rows of zeros.
func pairCells(rows, columns int) [][]float64 {
	out, all := make([][]float64, rows), make([]float64, rows*columns)
	for i := range out {
		out[i] = all[i*columns : (i+1)*columns : (i+1)*columns]
	}
	return out
}

// byteTable is a table of pairs of bytes that has rows and columns only for values
// that there are, so that many tables of few values are small. The zero byteTable is
// empty.
type byteTable struct {
	place  *[2][256]uint8 // the row and the column of a value
	known  [2][]uint8     // the values, in the order in which they came
	stride int            // cells of a row, of which there are as many as columns
	sums   []pairSums
}

// add counts pixels. Equal neighbours are counted together.
func (t *byteTable) add(a, b []uint8, weight, area float64) {
	b = b[:len(a)]
	from := 0
	for i := 1; i <= len(a); i++ {
		if i < len(a) && a[i] == a[from] && b[i] == b[from] {
			continue
		}
		n := float64(i - from)
		t.put(a[from], b[from], pairSums{weight * n, area * n})
		from = i
	}
}

// put adds to a pair.
func (t *byteTable) put(a, b uint8, add pairSums) {
	if t.place == nil {
		t.place = &[2][256]uint8{}
	}
	row, okRow := t.find(0, a)
	col, okCol := t.find(1, b)
	if !okRow || !okCol {
		t.grow()
	}
	s := &t.sums[row*t.stride+col]
	s.count += add.count
	s.area += add.area
}

// find gives a value's place in the table, and a new one to one that is new. It is
// not ok when the table is too small for it.
func (t *byteTable) find(side int, v uint8) (at int, ok bool) {
	known := t.known[side]
	at = int(t.place[side][v])
	if at < len(known) && known[at] == v {
		return at, true
	}
	at = len(known)
	t.place[side][v], t.known[side] = uint8(at), append(known, v)
	return at, at < t.stride
}

// grow makes room for the values that are known.
func (t *byteTable) grow() {
	old, was := t.sums, t.stride
	t.stride = max(4, t.stride)
	for t.stride < len(t.known[0]) || t.stride < len(t.known[1]) {
		t.stride *= 2
	}
	if t.stride == was {
		return
	}
	t.sums = make([]pairSums, t.stride*t.stride)
	for row := range was {
		copy(t.sums[row*t.stride:], old[row*was:(row+1)*was])
	}
}

// each visits the pairs that were counted.
func (t *byteTable) each(visit func(a, b int, s pairSums)) {
	for row, a := range t.known[0] {
		for col, b := range t.known[1] {
			if s := t.sums[row*t.stride+col]; s != (pairSums{}) {
				visit(int(a), int(b), s)
			}
		}
	}
}
