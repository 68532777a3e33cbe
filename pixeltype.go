package rasterbase

import (
	"fmt"
	"math"
)

// PixelType is the type of a band's pixels. The numbers are those of PostGIS
// raster, so that a value can be written to its binary form as it is.
type PixelType uint8

// The pixel types of PostGIS raster. Bit1, Uint2 and Uint4 use a byte a pixel
// in memory and in the binary form.
const (
	Bit1    PixelType = 0  // 1BB
	Uint2   PixelType = 1  // 2BUI
	Uint4   PixelType = 2  // 4BUI
	Int8    PixelType = 3  // 8BSI
	Uint8   PixelType = 4  // 8BUI
	Int16   PixelType = 5  // 16BSI
	Uint16  PixelType = 6  // 16BUI
	Int32   PixelType = 7  // 32BSI
	Uint32  PixelType = 8  // 32BUI
	Float32 PixelType = 10 // 32BF
	Float64 PixelType = 11 // 64BF
)

// PixelTypes lists every pixel type, smallest first.
var PixelTypes = []PixelType{Bit1, Uint2, Uint4, Int8, Uint8, Int16, Uint16, Int32, Uint32, Float32, Float64}

type pixelTypeFacts struct {
	name, postgis string
	size          int
	min, max      float64
}

var pixelTypeTable = map[PixelType]pixelTypeFacts{
	Bit1:    {"bit1", "1BB", 1, 0, 1},
	Uint2:   {"uint2", "2BUI", 1, 0, 3},
	Uint4:   {"uint4", "4BUI", 1, 0, 15},
	Int8:    {"int8", "8BSI", 1, math.MinInt8, math.MaxInt8},
	Uint8:   {"uint8", "8BUI", 1, 0, math.MaxUint8},
	Int16:   {"int16", "16BSI", 2, math.MinInt16, math.MaxInt16},
	Uint16:  {"uint16", "16BUI", 2, 0, math.MaxUint16},
	Int32:   {"int32", "32BSI", 4, math.MinInt32, math.MaxInt32},
	Uint32:  {"uint32", "32BUI", 4, 0, math.MaxUint32},
	Float32: {"float32", "32BF", 4, -math.MaxFloat32, math.MaxFloat32},
	Float64: {"float64", "64BF", 8, -math.MaxFloat64, math.MaxFloat64},
}

// Valid reports whether t is one of the pixel types.
func (t PixelType) Valid() bool { _, ok := pixelTypeTable[t]; return ok }

// Size is the bytes that one pixel takes in memory and in the binary form.
func (t PixelType) Size() int { return pixelTypeTable[t].size }

// IsFloat reports whether pixels are floating-point numbers.
func (t PixelType) IsFloat() bool { return t == Float32 || t == Float64 }

// Range is the smallest and the largest finite value a pixel can hold.
func (t PixelType) Range() (min, max float64) { f := pixelTypeTable[t]; return f.min, f.max }

// Holds reports whether v can be stored in a pixel of the type without a
// change, apart from the rounding of float32. NaN fits floats only.
func (t PixelType) Holds(v float64) bool {
	if t.IsFloat() {
		return t == Float64 || math.IsNaN(v) || math.IsInf(v, 0) || !math.IsInf(float64(float32(v)), 0)
	}
	min, max := t.Range()
	return v >= min && v <= max && v == math.Trunc(v)
}

// String is the usual name: uint8, float32, bit1.
func (t PixelType) String() string {
	if f, ok := pixelTypeTable[t]; ok {
		return f.name
	}
	return fmt.Sprintf("pixeltype(%d)", uint8(t))
}

// PostGIS is the name that PostGIS uses: 8BUI, 32BF, 1BB.
func (t PixelType) PostGIS() string { return pixelTypeTable[t].postgis }

// ParsePixelType reads a name as [PixelType.String] or PostGIS writes it.
func ParsePixelType(s string) (PixelType, error) {
	for t, f := range pixelTypeTable {
		if s == f.name || s == f.postgis {
			return t, nil
		}
	}
	return 0, Errorf(Invalid, "unknown pixel type %q", s)
}

// MarshalText writes the usual name.
func (t PixelType) MarshalText() ([]byte, error) {
	if !t.Valid() {
		return nil, fmt.Errorf("%v is not a pixel type", t)
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads a name.
func (t *PixelType) UnmarshalText(b []byte) error {
	p, err := ParsePixelType(string(b))
	if err != nil {
		return err
	}
	*t = p
	return nil
}
