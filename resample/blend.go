package resample

import "github.com/rasterbase/rasterbase/raster"

// The formulas below convert products to float64, which does nothing but keep
// the compiler from fusing them with the sum that follows on machines that can:
// every path must round alike, or seams would show.

// bilinear weights the 2x2 pixels around each place.
func (j *job[T]) bilinear() {
	dst, ok, ys, px, valid := j.dst, j.ok[:len(j.dst)], j.y[:len(j.dst)], j.px, j.valid
	left, top, w, h, fw, fh := j.left, j.top, j.w, j.h, j.fw, j.fh
	num, w1, h1 := j.num, uint(max(w-1, 0)), uint(max(h-1, 0))
	for i, x := range j.x[:len(dst)] {
		y := ys[i]
		if !(x >= 0 && y >= 0 && x+edge < fw && y+edge < fh) {
			dst[i], ok[i] = 0, 0
			continue
		}
		c, r := floor(x-0.5), floor(y-0.5)
		col, row := c-left, r-top
		o := row*w + col
		if uint(col) >= w1 || uint(row) >= h1 || valid != nil && !all4(valid, o, w) {
			dst[i], ok[i] = j.bilinearAt(x, y)
			continue
		}
		fx, fy := x-0.5-float64(c), y-0.5-float64(r)
		d := float64(px[o+w+1])
		a, b, c2 := float64(px[o]), float64(px[o+1]), float64(px[o+w])
		v := mix(mix(a, b, fx), mix(c2, d, fx), fy)
		if num.float {
			dst[i] = T(v)
		} else {
			dst[i] = T(floor(v + 0.5))
		}
		ok[i] = 255
	}
}

func mix(a, b, f float64) float64 { return a + float64(f*(b-a)) }

// all4 reports whether the 2x2 pixels from o on are valid.
func all4(valid []uint8, o, w int) bool {
	return valid[o+w+1] != 0 && valid[o] != 0 && valid[o+1] != 0 && valid[o+w] != 0
}

// inside reports whether the pixel that holds a place is in the window and
// valid.
func (j *job[T]) inside(x, y float64) bool {
	if !(x >= 0 && y >= 0 && x+edge < j.fw && y+edge < j.fh) {
		return false
	}
	return j.has(int(x+edge), int(y+edge))
}

// has reports whether a pixel of the whole raster is in the window and valid.
func (j *job[T]) has(col, row int) bool {
	col, row = col-j.left, row-j.top
	if uint(col) >= uint(j.w) || uint(row) >= uint(j.h) {
		return false
	}
	return j.valid == nil || j.valid[row*j.w+col] != 0
}

// at is the value of a pixel of the whole raster that the window has.
func (j *job[T]) at(col, row int) float64 {
	return float64(j.px[(row-j.top)*j.w+col-j.left])
}

// bilinearAt is bilinear for one place, with any of the 2x2 pixels missing.
func (j *job[T]) bilinearAt(x, y float64) (T, uint8) {
	if !j.inside(x, y) {
		return 0, 0
	}
	c, r := floor(x-0.5), floor(y-0.5)
	fx, fy := x-0.5-float64(c), y-0.5-float64(r)
	a, b, d, e := j.has(c, r), j.has(c+1, r), j.has(c, r+1), j.has(c+1, r+1)
	if a && b && d && e {
		v := mix(mix(j.at(c, r), j.at(c+1, r), fx), mix(j.at(c, r+1), j.at(c+1, r+1), fx), fy)
		return store[T](v, j.num), 255
	}
	var sum, weights float64
	add := func(there bool, col, row int, weight float64) {
		if there {
			sum += float64(weight * j.at(col, row))
			weights += weight
		}
	}
	add(a, c, r, (1-fx)*(1-fy))
	add(b, c+1, r, fx*(1-fy))
	add(d, c, r+1, (1-fx)*fy)
	add(e, c+1, r+1, fx*fy)
	// The pixel that holds the place is one of the four and weighs 1/4 or more.
	return store[T](sum/weights, j.num), 255
}

// cubic convolves the 4x4 pixels around each place, and is bilinear where one
// of them is missing.
func (j *job[T]) cubic() {
	dst, ok, ys, px := j.dst, j.ok[:len(j.dst)], j.y[:len(j.dst)], j.px
	left, top, w, h, fw, fh := j.left, j.top, j.w, j.h, j.fw, j.fh
	for i, x := range j.x[:len(dst)] {
		y := ys[i]
		if !(x >= 0 && y >= 0 && x+edge < fw && y+edge < fh) {
			dst[i], ok[i] = 0, 0
			continue
		}
		c, r := floor(x-0.5), floor(y-0.5)
		col, row := c-left-1, r-top-1 // of the first of the 4x4
		o := row*w + col
		if col < 0 || row < 0 || col+4 > w || row+4 > h || j.valid != nil && !all16(j.valid, o, w) {
			dst[i], ok[i] = j.bilinearAt(x, y)
			continue
		}
		wx, wy := cubicWeights(x-0.5-float64(c)), cubicWeights(y-0.5-float64(r))
		v := float64(wy[0] * dot4(px[o:o+4], &wx))
		v += float64(wy[1] * dot4(px[o+w:o+w+4], &wx))
		v += float64(wy[2] * dot4(px[o+2*w:o+2*w+4], &wx))
		v += float64(wy[3] * dot4(px[o+3*w:o+3*w+4], &wx))
		dst[i], ok[i] = store[T](v, j.num), 255
	}
}

// all16 reports whether the 4x4 pixels from o on are valid.
func all16(valid []uint8, o, w int) bool {
	for range 4 {
		v := valid[o : o+4]
		if v[0] == 0 || v[1] == 0 || v[2] == 0 || v[3] == 0 {
			return false
		}
		o += w
	}
	return true
}

// dot4 weights four pixels of a line.
func dot4[T raster.Number](p []T, w *[4]float64) float64 {
	_ = p[3]
	return float64(w[0]*float64(p[0])) + float64(w[1]*float64(p[1])) + float64(w[2]*float64(p[2])) + float64(w[3]*float64(p[3]))
}

// cubicWeights are Keys' weights, a = -0.5, of the pixels at -1, 0, 1 and 2
// for a place at f between 0 and 1.
func cubicWeights(f float64) [4]float64 {
	g := 1 - f
	a := -0.5 * float64(f*g)
	w0, w3 := float64(a*g), float64(a*f)
	w1 := 1 + float64(float64(f*f)*(float64(1.5*f)-2.5))
	return [4]float64{w0, w1, 1 - w0 - w1 - w3, w3}
}
