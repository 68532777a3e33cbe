package resample

import (
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// wide is a warp with a kernel that is widened because the target's pixels are
// larger than the source's.
type wide[T raster.Number] struct {
	*job[T]
	keys bool // the kernel of cubic convolution, not the triangle
	x, y axis
}

// axis is what a widened kernel is along one axis, and room for its weights.
type axis struct {
	scale   float64
	radius  int // in source pixels
	last    int // the last pixel of the whole raster
	weights []float64
}

// span is the part of a kernel along one axis that is inside the whole raster:
// its first pixel, and the weights, which add up to sum.
type span struct {
	first   int
	weights []float64
	sum     float64
}

func newWide[T raster.Number](j *job[T], k Kernel) *wide[T] {
	v := &wide[T]{job: j, keys: k.Method == rasterbase.Cubic}
	v.x.last, v.y.last = j.lastX, j.lastY
	v.x.scale, v.y.scale = k.scales()
	v.x.radius, v.y.radius = k.Reach()
	v.x.weights, v.y.weights = make([]float64, 2*v.x.radius), make([]float64, 2*v.y.radius)
	return v
}

// around makes the span of the pixels from the place's left neighbour, the last
// whose centre is not beyond the place, minus radius - 1 to plus radius.
func (a *axis) around(place float64, keys bool) span {
	before := floor(place - 0.5)
	f := place - 0.5 - float64(before)
	lo, hi := max(before+1-a.radius, 0), min(before+a.radius, a.last)
	weights, sum := a.weights[:hi-lo+1], 0.0
	start := float64(lo-before) - f // distance of the first pixel's centre
	if keys {
		for i := range weights {
			w := keysWeight(math.Abs(float64((start + float64(i)) * a.scale)))
			weights[i] = w
			sum += w
		}
	} else {
		for i := range weights {
			w := 1 - math.Abs(float64((start+float64(i))*a.scale))
			if w < 0 {
				w = 0
			}
			weights[i] = w
			sum += w
		}
	}
	return span{lo, weights, sum}
}

// keysWeight is the kernel of cubic convolution with a = -0.5 (Keys 1981,
// formula 15) at a distance of 0 or more.
func keysWeight(d float64) float64 {
	switch {
	case d <= 1:
		return 1 + float64(float64(d*d)*(float64(1.5*d)-2.5))
	case d <= 2:
		return 2 - float64(d*(4-float64(d*(2.5-float64(0.5*d)))))
	}
	return 0
}

func (v *wide[T]) warp() {
	ys := v.job.y[:len(v.dst)]
	for i, x := range v.job.x[:len(v.dst)] {
		y := ys[i]
		if !v.inside(x, y) {
			v.dst[i], v.ok[i] = 0, 0
			continue
		}
		sx, sy := v.x.around(x, v.keys), v.y.around(y, v.keys)
		var value float64
		if v.whole(sx, sy) {
			value = v.sum(sx, sy)
		} else {
			if v.keys {
				sx, sy = v.x.around(x, false), v.y.around(y, false)
			}
			value = v.sumValid(sx, sy)
		}
		v.dst[i], v.ok[i] = store[T](value, v.num), 255
	}
}

// whole reports whether every pixel of the spans is in the window and valid.
func (v *wide[T]) whole(sx, sy span) bool {
	col, row := sx.first-v.left, sy.first-v.top
	nx, ny := len(sx.weights), len(sy.weights)
	if col < 0 || row < 0 || col+nx > v.w || row+ny > v.h {
		return false
	}
	if v.valid == nil {
		return true
	}
	for o := row*v.w + col; ny > 0; ny-- {
		for _, b := range v.valid[o : o+nx] {
			if b == 0 {
				return false
			}
		}
		o += v.w
	}
	return true
}

// sum weights all pixels of the spans.
func (v *wide[T]) sum(sx, sy span) float64 {
	var total float64
	weights := sx.weights
	o := (sy.first-v.top)*v.w + sx.first - v.left
	for _, wy := range sy.weights {
		px := v.px[o : o+len(weights)]
		var line float64
		if len(px) == 4 { // the widths of most warps, bilinear and cubic
			line = dot4(px, (*[4]float64)(weights))
		} else {
			for i, p := range px {
				line += float64(weights[i] * float64(p))
			}
		}
		total += float64(wy * line)
		o += v.w
	}
	return total / float64(sx.sum*sy.sum)
}

// sumValid weights the pixels of the spans that are in the window and valid.
// The one that holds the place is among them, so the weights are never 0.
func (v *wide[T]) sumValid(sx, sy span) float64 {
	var total, sum float64
	// What the window has of the spans.
	x0, x1 := max(sx.first, v.left), min(sx.first+len(sx.weights), v.left+v.w)
	y0, y1 := max(sy.first, v.top), min(sy.first+len(sy.weights), v.top+v.h)
	weights := sx.weights[x0-sx.first : x1-sx.first]
	for y := y0; y < y1; y++ {
		o := (y-v.top)*v.w + x0 - v.left
		px := v.px[o : o+len(weights)]
		var line, lineSum float64
		for i, w := range weights {
			if v.valid == nil || v.valid[o+i] != 0 {
				line += float64(w * float64(px[i]))
				lineSum += w
			}
		}
		wy := sy.weights[y-sy.first]
		total += float64(wy * line)
		sum += float64(wy * lineSum)
	}
	return total / sum
}
