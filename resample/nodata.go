package resample

import (
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Settle makes a band's pixels agree with the validity that [Warp] gave: a byte
// a pixel, 0 for invalid. Invalid pixels get the band's nodata; without one NaN
// for floats and 0 for integers, whose validity has to be kept apart. Valid
// pixels that came out as the nodata value are moved by one unit, or to the
// next float, as gdalwarp does, so that they stay valid. Values of the types of
// 1, 2 and 4 bits are limited to their range.
func Settle(b *raster.Band, valid []uint8) {
	switch p := b.Pixels.(type) {
	case raster.Slice[uint8]:
		settle(p, valid, b)
	case raster.Slice[int8]:
		settle(p, valid, b)
	case raster.Slice[uint16]:
		settle(p, valid, b)
	case raster.Slice[int16]:
		settle(p, valid, b)
	case raster.Slice[uint32]:
		settle(p, valid, b)
	case raster.Slice[int32]:
		settle(p, valid, b)
	case raster.Slice[float32]:
		settle(p, valid, b)
	case raster.Slice[float64]:
		settle(p, valid, b)
	}
}

func settle[T raster.Number](p []T, valid []uint8, b *raster.Band) {
	nd := nodataOf[T](b)
	limit := b.Type < rasterbase.Int8 // Bit1, Uint2, Uint4
	_, hi := b.Type.Range()
	for i, ok := range valid[:len(p)] {
		switch {
		case ok == 0:
			p[i] = nd.fill
		case limit && float64(p[i]) > hi:
			p[i] = nd.avoid(T(hi))
		case nd.has && p[i] == nd.value:
			p[i] = nd.next
		}
	}
}

// nodata is a band's nodata as the type of its pixels.
type nodata[T raster.Number] struct {
	has   bool // a pixel can hold the value; never for NaN, which is not equal to itself
	value T
	next  T // the value that a mean that is equal to nodata is moved to
	fill  T // what an invalid pixel holds
}

// nodataOf reads a band's nodata. A nodata that the pixel type cannot hold is
// none.
func nodataOf[T raster.Number](b *raster.Band) nodata[T] {
	nan := math.NaN()
	switch {
	case b.Type.IsFloat() && (!b.HasNodata || math.IsNaN(b.Nodata)):
		return nodata[T]{fill: T(nan)}
	case b.Type.IsFloat():
		v := T(b.Nodata)
		return nodata[T]{has: true, value: v, next: nextFloat(v), fill: v}
	case !b.HasNodata || !b.Type.Holds(b.Nodata):
		return nodata[T]{}
	}
	v := T(b.Nodata)
	next := v - 1
	if lo, _ := b.Type.Range(); b.Nodata == lo {
		next = v + 1
	}
	return nodata[T]{has: true, value: v, next: next, fill: v}
}

// avoid is v, or the next value when v is the nodata.
func (n *nodata[T]) avoid(v T) T {
	if n.has && v == n.value {
		return n.next
	}
	return v
}

// nextFloat is the next larger float, or the next smaller one of the largest.
func nextFloat[T raster.Number](v T) T {
	switch f := any(v).(type) {
	case float32:
		n := math.Nextafter32(f, math.MaxFloat32)
		if n == f {
			n = math.Nextafter32(f, 0)
		}
		return T(n)
	case float64:
		n := math.Nextafter(f, math.MaxFloat64)
		if n == f {
			n = math.Nextafter(f, 0)
		}
		return T(n)
	}
	return v
}
