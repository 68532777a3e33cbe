package raster

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/rasterbase/rasterbase"
)

// Number is a Go type that a pixel can have in memory.
type Number interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | float32 | float64
}

// Pixels is a slice of pixels of one type; every implementation is a
// [Slice]. Loops that must be fast switch over the concrete types:
//
//	switch p := band.Pixels.(type) {
//	case raster.Slice[uint8]:
//	…
type Pixels interface {
	Len() int
	// At is the value of pixel i.
	At(i int) float64
	// Set stores v in pixel i: truncated towards zero and clamped for integers.
	Set(i int, v float64)
	// Bytes is the memory of the pixels in the machine's byte order, shared.
	Bytes() []byte
	// Range is pixels from up to, not including, to: shared memory.
	Range(from, to int) Pixels
	sealed()
}

// Slice is pixels of one Go type.
type Slice[T Number] []T

// Len is the number of pixels.
func (s Slice[T]) Len() int { return len(s) }

// At is the value of pixel i.
func (s Slice[T]) At(i int) float64 { return float64(s[i]) }

// Set stores v in pixel i.
func (s Slice[T]) Set(i int, v float64) { s[i] = Clamp[T](v) }

// Bytes is the memory of the pixels, shared.
func (s Slice[T]) Bytes() []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

// Range is a part of the slice.
func (s Slice[T]) Range(from, to int) Pixels { return s[from:to:to] }

func (Slice[T]) sealed() {}

// NewPixels makes n zero pixels of the type. It panics for an unknown type.
func NewPixels(t rasterbase.PixelType, n int) Pixels {
	switch t {
	case rasterbase.Bit1, rasterbase.Uint2, rasterbase.Uint4, rasterbase.Uint8:
		return make(Slice[uint8], n)
	case rasterbase.Int8:
		return make(Slice[int8], n)
	case rasterbase.Int16:
		return make(Slice[int16], n)
	case rasterbase.Uint16:
		return make(Slice[uint16], n)
	case rasterbase.Int32:
		return make(Slice[int32], n)
	case rasterbase.Uint32:
		return make(Slice[uint32], n)
	case rasterbase.Float32:
		return make(Slice[float32], n)
	case rasterbase.Float64:
		return make(Slice[float64], n)
	}
	panic(fmt.Sprintf("raster: no pixels of type %d", t))
}

// Clamp converts v to T: integers are truncated towards zero and limited to
// the type's range, NaN becomes 0 there.
func Clamp[T Number](v float64) T {
	var z T
	switch any(z).(type) {
	case float32, float64:
		return T(v)
	}
	if math.IsNaN(v) {
		return 0
	}
	lo, hi := limits[T]()
	return T(max(lo, min(hi, v)))
}

func limits[T Number]() (lo, hi float64) {
	var z T
	switch any(z).(type) {
	case uint8:
		return 0, math.MaxUint8
	case int8:
		return math.MinInt8, math.MaxInt8
	case uint16:
		return 0, math.MaxUint16
	case int16:
		return math.MinInt16, math.MaxInt16
	case uint32:
		return 0, math.MaxUint32
	case int32:
		return math.MinInt32, math.MaxInt32
	}
	return math.Inf(-1), math.Inf(1)
}
