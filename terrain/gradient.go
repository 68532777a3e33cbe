package terrain

import (
	"math"

	"github.com/rasterbase/rasterbase/raster"
)

// gradients gives, row by row of the result, how much the ground rises towards
// the east and towards the north, metres per metre, by Horn's weights: 1, 2 and 1
// for the three differences across the pixel, over 8 pixels. Invalid pixels are
// NaN. The slices are used again for the next row.
func (w *window) gradients(yield func(row int, east, north []float64)) {
	n := w.r.Width
	top, mid, bottom := make([]float64, n), make([]float64, n), make([]float64, n)
	east, north := make([]float64, n-2), make([]float64, n-2)
	// A raster that is south up, or east left, has its rows and columns the other
	// way round.
	toEast, toNorth := w.factor/8, w.factor/8
	if w.r.ScaleX < 0 {
		toEast = -toEast
	}
	if w.r.ScaleY > 0 {
		toNorth = -toNorth
	}
	w.heights(top, 0)
	w.heights(mid, 1)
	for row := range w.r.Height - 2 {
		w.heights(bottom, row+2)
		horn(east, north, top, mid, bottom, toEast/w.ground.X[row+1], toNorth/w.ground.Y[row+1])
		yield(row, east, north)
		top, mid, bottom = mid, bottom, top
	}
}

// horn computes a row of gradients. The ones of pixels with invalid neighbours are
// computed again by completed.
func horn(east, north, top, mid, bottom []float64, fx, fy float64) {
	n := len(east)
	top, mid, bottom, north = top[:n+2], mid[:n+2], bottom[:n+2], north[:n]
	// Sums and differences of the columns to the left and of the pixel itself.
	sumL, difL := top[0]+2*mid[0]+bottom[0], top[0]-bottom[0]
	sum, dif := top[1]+2*mid[1]+bottom[1], top[1]-bottom[1]
	for i := range east {
		t, b := top[i+2], bottom[i+2]
		sumR, difR := t+2*mid[i+2]+b, t-b
		p, q := (sumR-sumL)*fx, (difL+2*dif+difR)*fy
		if all := p + q + sum; all-all != 0 { // not finite: sum has the pixel itself
			p, q = completed(top[i:i+3], mid[i:i+3], bottom[i:i+3], fx, fy)
		}
		east[i], north[i] = p, q
		sumL, difL, sum, dif = sum, dif, sumR, difR
	}
}

// completed computes the gradients of a pixel some of whose neighbours are
// invalid.
func completed(top, mid, bottom []float64, fx, fy float64) (east, north float64) {
	at := [9]float64{top[0], top[1], top[2], mid[0], mid[1], mid[2], bottom[0], bottom[1], bottom[2]}
	centre := at[4]
	if centre != centre {
		return centre, centre
	}
	whole := at
	for i, v := range at {
		opposite := at[8-i]
		switch {
		case v == v:
		case opposite == opposite:
			whole[i] = 2*centre - opposite
		default:
			whole[i] = centre
		}
	}
	east = (whole[2] + 2*whole[5] + whole[8]) - (whole[0] + 2*whole[3] + whole[6])
	north = (whole[0] + 2*whole[1] + whole[2]) - (whole[6] + 2*whole[7] + whole[8])
	return steep(east * fx), steep(north * fy)
}

// steep limits a gradient that is out of numbers, so that its square is one. Real
// heights are far from it.
func steep(v float64) float64 {
	const most = 1e150
	if v != v { // the difference of two such
		return 0
	}
	return min(max(v, -most), most)
}

// heights reads a row, NaN for what is invalid.
func (w *window) heights(dst []float64, row int) {
	from := row * w.r.Width
	b := &w.r.Bands[w.band]
	switch p := b.Pixels.(type) {
	case raster.Slice[uint8]:
		integers(dst, p[from:], b)
	case raster.Slice[int8]:
		integers(dst, p[from:], b)
	case raster.Slice[uint16]:
		integers(dst, p[from:], b)
	case raster.Slice[int16]:
		integers(dst, p[from:], b)
	case raster.Slice[uint32]:
		integers(dst, p[from:], b)
	case raster.Slice[int32]:
		integers(dst, p[from:], b)
	case raster.Slice[float32]:
		floats(dst, p[from:], b)
	case raster.Slice[float64]:
		floats(dst, p[from:], b)
	}
	if w.r.Validity != nil {
		for i, v := range w.r.Validity[from : from+w.r.Width] {
			if v == 0 {
				dst[i] = math.NaN()
			}
		}
	}
}

func integers[T raster.Number](dst []float64, src []T, b *raster.Band) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = float64(v)
	}
	if !b.HasNodata || !b.Type.Holds(b.Nodata) {
		return
	}
	nodata := T(b.Nodata)
	for i, v := range src {
		if v == nodata {
			dst[i] = math.NaN()
		}
	}
}

func floats[T float32 | float64](dst []float64, src []T, b *raster.Band) {
	src = src[:len(dst)]
	nodata := T(math.NaN()) // equal to nothing
	if b.HasNodata {
		nodata = T(b.Nodata)
	}
	for i, v := range src {
		f := float64(v)
		if v == nodata || f-f != 0 { // infinite numbers are invalid too
			f = math.NaN()
		}
		dst[i] = f
	}
}
