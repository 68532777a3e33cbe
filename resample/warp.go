package resample

import (
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Source is a window of one band of a larger raster.
type Source struct {
	X, Y, Width, Height   int           // the window, in pixels of the whole raster
	FullWidth, FullHeight int           // of the whole raster
	Pixels                raster.Pixels // row by row, Width*Height
	// Valid is a byte a pixel, 0 for invalid; nil: all are valid. Pixels that
	// are not finite must be marked invalid. The values of invalid pixels are
	// never looked at.
	Valid []uint8
}

// Places gives for each pixel of a target, row by row, the place of its centre
// in the whole source raster's pixel space: column and row counted from the
// upper left corner of the upper left pixel, whose centre is at 0.5, 0.5. NaN
// says that there is none.
type Places struct{ X, Y []float64 }

// Kernel says how, and how widely, pixels are weighted.
type Kernel struct {
	Method rasterbase.Resampling // empty: nearest
	// ScaleX and ScaleY are target pixels per source pixel along each axis,
	// below 1 when shrinking: gdalwarp's XSCALE and YSCALE. Once one of them is
	// below 0.95, blending kernels are widened by 1/scale along every axis
	// whose scale is below 1. Above 1 they are not narrowed. 0, negative and
	// NaN count as 1.
	ScaleX, ScaleY float64
}

const (
	// edge is gdalwarp's tolerance: a place that is less than this to the left
	// of (or above) a pixel counts as inside it.
	edge = 1e-10
	// widenBelow is the scale below which gdalwarp widens its kernels.
	widenBelow = 0.95
)

// widened reports whether the kernel is wider than that of an unscaled warp.
func (k Kernel) widened() bool {
	x, y := k.scales()
	return k.Method.Blends() && (x < widenBelow || y < widenBelow)
}

// scales gives the scales limited to 1.
func (k Kernel) scales() (x, y float64) {
	limit := func(s float64) float64 {
		if s > 0 && s < 1 {
			return s
		}
		return 1
	}
	return limit(k.ScaleX), limit(k.ScaleY)
}

// Reach is how many pixels the kernel reads beyond the pixel that holds a place,
// along each axis. The window of a [Source] must hold them, as far as they are
// inside the whole raster. It is 1 for nearest, because a place just short of a
// pixel's border counts as beyond it.
func (k Kernel) Reach() (x, y int) {
	radius := 1
	if k.Method == rasterbase.Cubic {
		radius = 2
	}
	if !k.widened() {
		return radius, radius
	}
	sx, sy := k.scales()
	return int(math.Ceil(float64(radius) / sx)), int(math.Ceil(float64(radius) / sy))
}

// Warp writes value and validity (0 or 255) of every target pixel; an invalid
// pixel's value is 0. dst has the source's pixel type; dst, valid, p.X and p.Y
// have one element for each target pixel. It panics when sizes or types differ.
//
// A target pixel is valid if and only if the source pixel that holds its place
// is, whatever the method; this is gdalwarp's rule. A place left of 0 or above
// 0 is outside, and so is one within 1e-10 of the right or the lower edge.
//
// Nearest takes the value of that pixel. Bilinear weights the 2x2 pixels around
// the place; invalid ones and those outside are left out, and the weights of
// the others raised to add up to 1. Cubic is the convolution of 4x4 pixels with
// a = -0.5 (Keys 1981); where one of them is invalid or outside it becomes
// bilinear. A widened bilinear kernel is a triangle of 1/scale pixels to each
// side, a widened cubic one the same convolution stretched, with the weights
// of the pixels inside the raster raised to add up to 1; if one of its pixels
// is invalid it becomes the widened triangle, because the negative weights of
// a partial kernel could send the value anywhere (there gdalwarp keeps the
// partial kernel). Integers are rounded half up and limited to the range of the
// Go type; the types of 1, 2 and 4 bits are limited by [Settle].
//
// A pixel of the kernel that is inside the whole raster but not in the window
// counts as invalid: see [Kernel.Reach].
func Warp(dst raster.Pixels, valid []uint8, src Source, p Places, k Kernel) {
	n := dst.Len()
	if len(valid) != n || len(p.X) != n || len(p.Y) != n {
		panic(fmt.Sprintf("resample: %d target pixels, %d validities, %d and %d places", n, len(valid), len(p.X), len(p.Y)))
	}
	if m := src.Width * src.Height; src.Pixels.Len() != m || src.Valid != nil && len(src.Valid) != m {
		panic(fmt.Sprintf("resample: %d source pixels, %d validities for a window of %dx%d", src.Pixels.Len(), len(src.Valid), src.Width, src.Height))
	}
	switch d := dst.(type) {
	case raster.Slice[uint8]:
		warp(d, valid, src, p, k, integer(0, math.MaxUint8))
	case raster.Slice[int8]:
		warp(d, valid, src, p, k, integer(math.MinInt8, math.MaxInt8))
	case raster.Slice[uint16]:
		warp(d, valid, src, p, k, integer(0, math.MaxUint16))
	case raster.Slice[int16]:
		warp(d, valid, src, p, k, integer(math.MinInt16, math.MaxInt16))
	case raster.Slice[uint32]:
		warp(d, valid, src, p, k, integer(0, math.MaxUint32))
	case raster.Slice[int32]:
		warp(d, valid, src, p, k, integer(math.MinInt32, math.MaxInt32))
	case raster.Slice[float32]:
		warp(d, valid, src, p, k, numbers{lo: -math.MaxFloat32, hi: math.MaxFloat32, float: true})
	case raster.Slice[float64]:
		warp(d, valid, src, p, k, numbers{lo: -math.MaxFloat64, hi: math.MaxFloat64, float: true})
	}
}

// numbers is what a Go type can hold.
type numbers struct {
	lo, hi float64
	float  bool
}

func integer(lo, hi float64) numbers { return numbers{lo: lo, hi: hi} }

// job is a warp between pixels of one type.
type job[T raster.Number] struct {
	dst   []T
	ok    []uint8
	x, y  []float64
	px    []T
	valid []uint8 // nil: all
	num   numbers

	left, top, w, h int     // the window
	fw, fh          float64 // size of the whole raster
	lastX, lastY    int     // its last column and row
}

func warp[T raster.Number](dst []T, ok []uint8, src Source, p Places, k Kernel, num numbers) {
	px, same := src.Pixels.(raster.Slice[T])
	if !same {
		panic(fmt.Sprintf("resample: a source of %T for a target of %T", src.Pixels, dst))
	}
	j := &job[T]{
		dst: dst, ok: ok, x: p.X, y: p.Y, px: px, valid: src.Valid, num: num,
		left: src.X, top: src.Y, w: src.Width, h: src.Height,
		fw: float64(src.FullWidth), fh: float64(src.FullHeight),
		lastX: src.FullWidth - 1, lastY: src.FullHeight - 1,
	}
	switch {
	case k.widened():
		newWide(j, k).warp()
	case k.Method == rasterbase.Bilinear:
		j.bilinear()
	case k.Method == rasterbase.Cubic:
		j.cubic()
	default:
		j.nearest()
	}
}

// store rounds and limits a value to what a pixel can hold.
func store[T raster.Number](v float64, num numbers) T {
	if num.float {
		return T(max(num.lo, min(num.hi, v)))
	}
	v += 0.5
	switch {
	case v < num.lo:
		v = num.lo
	case v > num.hi:
		v = num.hi
	}
	return T(floor(v))
}

// floor rounds down a number within the range of int64.
func floor(v float64) int {
	i := int(v)
	if float64(i) > v {
		i--
	}
	return i
}

// nearest copies the pixel that holds the place.
func (j *job[T]) nearest() {
	dst, ok, ys, px, valid := j.dst, j.ok[:len(j.dst)], j.y[:len(j.dst)], j.px, j.valid
	left, top, w, h, fw, fh := j.left, j.top, j.w, j.h, j.fw, j.fh
	for i, x := range j.x[:len(dst)] {
		y := ys[i]
		dst[i], ok[i] = 0, 0
		if !(x >= 0 && y >= 0 && x+edge < fw && y+edge < fh) {
			continue
		}
		col, row := int(x+edge)-left, int(y+edge)-top
		if uint(col) >= uint(w) || uint(row) >= uint(h) {
			continue
		}
		o := row*w + col
		if valid != nil && valid[o] == 0 {
			continue
		}
		dst[i], ok[i] = px[o], 255
	}
}
