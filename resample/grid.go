package resample

import (
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase/raster"
)

// WarpGrid is [Warp] for a target whose pixels lie in columns and rows of the
// source: pixel col, row has the place x[col], y[row]. It makes the same pixels
// but for the rounding of sums, and is several times as fast, because it weights
// lines of the source first and then the weighted lines. Still each pixel depends
// on its place and the source alone, bit for bit.
//
// dst and valid have len(x) * len(y) elements. It panics when sizes or types
// differ.
func WarpGrid(dst raster.Pixels, valid []uint8, src Source, x, y []float64, k Kernel) {
	if n := len(x) * len(y); dst.Len() != n || len(valid) != n {
		panic(fmt.Sprintf("resample: %d target pixels, %d validities for %dx%d places", dst.Len(), len(valid), len(x), len(y)))
	}
	if m := src.Width * src.Height; src.Pixels.Len() != m || src.Valid != nil && len(src.Valid) != m {
		panic(fmt.Sprintf("resample: %d source pixels, %d validities for a window of %dx%d", src.Pixels.Len(), len(src.Valid), src.Width, src.Height))
	}
	switch d := dst.(type) {
	case raster.Slice[uint8]:
		warpGrid(d, valid, src, x, y, k, integer(0, math.MaxUint8))
	case raster.Slice[int8]:
		warpGrid(d, valid, src, x, y, k, integer(math.MinInt8, math.MaxInt8))
	case raster.Slice[uint16]:
		warpGrid(d, valid, src, x, y, k, integer(0, math.MaxUint16))
	case raster.Slice[int16]:
		warpGrid(d, valid, src, x, y, k, integer(math.MinInt16, math.MaxInt16))
	case raster.Slice[uint32]:
		warpGrid(d, valid, src, x, y, k, integer(0, math.MaxUint32))
	case raster.Slice[int32]:
		warpGrid(d, valid, src, x, y, k, integer(math.MinInt32, math.MaxInt32))
	case raster.Slice[float32]:
		warpGrid(d, valid, src, x, y, k, numbers{lo: -math.MaxFloat32, hi: math.MaxFloat32, float: true})
	case raster.Slice[float64]:
		warpGrid(d, valid, src, x, y, k, numbers{lo: -math.MaxFloat64, hi: math.MaxFloat64, float: true})
	}
}

// taps are the pixels that the places along one axis weight, n for each.
type taps struct {
	n       int
	first   []int // in the window; -1: they are not all in it, or the place is outside
	weights []float64
}

// newTaps finds the taps of places. The window begins at a pixel of the whole
// raster and has so many.
func newTaps(places []float64, keys, widened bool, a axis, begin, size int) taps {
	n := 2 // bilinear
	switch {
	case widened:
		n = 2 * a.radius
	case keys:
		n = 4
	}
	t := taps{n, make([]int, len(places)), make([]float64, n*len(places))}
	full := float64(a.last + 1)
	for i, place := range places {
		t.first[i] = -1
		if !(place >= 0 && place+edge < full) {
			continue
		}
		first := floor(place-0.5) + 1 - n/2
		weights := t.weights[n*i : n*i+n]
		f := place - 0.5 - float64(floor(place-0.5))
		switch {
		case widened:
			s := a.around(place, keys)
			if len(s.weights) < n {
				continue // the raster ends within the kernel
			}
			for k, w := range s.weights {
				weights[k] = w / s.sum
			}
		case keys:
			w := cubicWeights(f)
			copy(weights, w[:])
		default:
			weights[0], weights[1] = 1-f, f
		}
		if first -= begin; first >= 0 && first+n <= size {
			t.first[i] = first
		}
	}
	return t
}

// gridJob is a warp of a grid between pixels of one type.
type gridJob[T raster.Number] struct {
	px    []T
	valid []uint8 // nil: all
	w     int     // pixels along a line of the window
	cols  taps
	// The last lines of the source that were weighted, by their number modulo how
	// many a pixel needs, and where all that was weighted was valid.
	lines [][]float64
	whole [][]uint8
	known []int // the number of each; -1: none
}

func warpGrid[T raster.Number](dst []T, ok []uint8, src Source, x, y []float64, k Kernel, num numbers) {
	px, same := src.Pixels.(raster.Slice[T])
	if !same {
		panic(fmt.Sprintf("resample: a source of %T for a target of %T", src.Pixels, dst))
	}
	rest := &rest[T]{src: src, k: k, num: num, cols: x}
	if !k.Method.Blends() {
		for row, at := range y {
			rest.all(dst[row*len(x):], ok[row*len(x):], at)
		}
		return
	}
	sources := newWide(&job[T]{lastX: src.FullWidth - 1, lastY: src.FullHeight - 1}, k)
	j := &gridJob[T]{px: px, valid: src.Valid, w: src.Width}
	j.cols = newTaps(x, sources.keys, k.widened(), sources.x, src.X, src.Width)
	rows := newTaps(y, sources.keys, k.widened(), sources.y, src.Y, src.Height)
	j.room(rows.n, len(x))
	sum := make([]float64, len(x))
	for row, at := range y {
		line, valid := dst[row*len(x):(row+1)*len(x)], ok[row*len(x):(row+1)*len(x)]
		first := rows.first[row]
		if first < 0 {
			rest.all(line, valid, at)
			continue
		}
		for i := first; i < first+rows.n; i++ {
			j.weigh(i)
		}
		j.sum(sum, first, rows.weights[row*rows.n:(row+1)*rows.n])
		for i, v := range sum {
			line[i] = store[T](v, num)
		}
		j.mark(valid, first, rows.n)
		rest.some(line, valid, at)
	}
}

// room makes room for n lines of so many columns.
func (j *gridJob[T]) room(n, columns int) {
	j.lines, j.known, j.whole = make([][]float64, n), make([]int, n), make([][]uint8, n)
	for i := range j.lines {
		j.lines[i], j.known[i] = make([]float64, columns), -1
		if j.valid != nil {
			j.whole[i] = make([]uint8, columns)
		}
	}
}

// weigh weights the pixels of a line of the window, unless it is known.
func (j *gridJob[T]) weigh(line int) {
	slot := line % len(j.lines)
	if j.known[slot] == line {
		return
	}
	j.known[slot] = line
	px := j.px[line*j.w : (line+1)*j.w]
	n, out, weights := j.cols.n, j.lines[slot], j.cols.weights
	for i, first := range j.cols.first {
		switch {
		case first < 0:
			out[i] = 0
		case n == 2:
			out[i] = float64(weights[2*i]*float64(px[first])) + float64(weights[2*i+1]*float64(px[first+1]))
		case n == 4:
			out[i] = dot4(px[first:first+4], (*[4]float64)(weights[4*i:4*i+4]))
		default:
			var sum float64
			for k, w := range weights[n*i : n*i+n] {
				sum += float64(w * float64(px[first+k]))
			}
			out[i] = sum
		}
	}
	if j.valid == nil {
		return
	}
	valid, whole := j.valid[line*j.w:(line+1)*j.w], j.whole[slot]
	for i, first := range j.cols.first {
		whole[i] = 1
		for k := first; k < first+n && k >= 0; k++ {
			if valid[k] == 0 {
				whole[i] = 0
			}
		}
	}
}

// sum weights the lines from one on.
func (j *gridJob[T]) sum(out []float64, first int, weights []float64) {
	for k, w := range weights {
		line := j.lines[(first+k)%len(j.lines)][:len(out)]
		if k == 0 {
			for i, v := range line {
				out[i] = float64(w * v)
			}
			continue
		}
		for i, v := range line {
			out[i] += float64(w * v)
		}
	}
}

// mark writes 255 for the pixels whose taps are all there and valid, and 0 for
// the others.
func (j *gridJob[T]) mark(ok []uint8, first, n int) {
	for i, c := range j.cols.first {
		ok[i] = math.MaxUint8
		if c < 0 {
			ok[i] = 0
		}
	}
	for k := first; k < first+n && j.valid != nil; k++ {
		for i, w := range j.whole[k%n] {
			if w == 0 {
				ok[i] = 0
			}
		}
	}
}

// rest makes pixels one by one.
type rest[T raster.Number] struct {
	src  Source
	k    Kernel
	num  numbers
	cols []float64
	// Room for the places, and what is made of them.
	x, y   []float64
	values []T
	ok     []uint8
}

// all makes a row.
func (r *rest[T]) all(line []T, ok []uint8, y float64) {
	clear(ok[:len(r.cols)])
	r.some(line, ok, y)
}

// some makes the pixels of a row that are not marked as made.
func (r *rest[T]) some(line []T, ok []uint8, y float64) {
	r.x, r.y = r.x[:0], r.y[:0]
	for i, x := range r.cols {
		if ok[i] == 0 {
			r.x, r.y = append(r.x, x), append(r.y, y)
		}
	}
	n := len(r.x)
	if n == 0 {
		return
	}
	if r.values == nil {
		r.values, r.ok = make([]T, len(r.cols)), make([]uint8, len(r.cols))
	}
	warp(r.values[:n], r.ok[:n], r.src, Places{X: r.x, Y: r.y}, r.k, r.num)
	n = 0
	for i := range r.cols {
		if ok[i] == 0 {
			line[i], ok[i] = r.values[n], r.ok[n]
			n++
		}
	}
}
