package raster

import (
	"bytes"
	"math"

	"github.com/rasterbase/rasterbase"
)

// Equal reports whether two rasters are equal as decoded: the same grid, srid,
// pixel types, nodata, pixels and validity. NaN equals NaN and -0 equals 0.
// Validity is compared as valid or not, but none is not equal to one that says
// that all is valid. A nodata value that no pixel of its band can hold counts
// as none, since the binary form leaves it out. Two nil rasters are equal.
func Equal(a, b *Raster) bool {
	if a == nil || b == nil {
		return a == b
	}
	if !equalGrid(a.Grid, b.Grid) || a.SRID != b.SRID || len(a.Bands) != len(b.Bands) {
		return false
	}
	for i := range a.Bands {
		if !equalBand(&a.Bands[i], &b.Bands[i]) {
			return false
		}
	}
	return equalValidity(a.Validity, b.Validity)
}

func equalGrid(a, b rasterbase.Grid) bool {
	return a.Width == b.Width && a.Height == b.Height &&
		equalNumber(a.OriginX, b.OriginX) && equalNumber(a.OriginY, b.OriginY) &&
		equalNumber(a.ScaleX, b.ScaleX) && equalNumber(a.ScaleY, b.ScaleY) &&
		equalNumber(a.SkewX, b.SkewX) && equalNumber(a.SkewY, b.SkewY)
}

func equalNumber(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func equalBand(a, b *Band) bool {
	if a.Type != b.Type || a.nodataCounts() != b.nodataCounts() {
		return false
	}
	if a.nodataCounts() {
		x, y := a.Nodata, b.Nodata
		if a.Type == rasterbase.Float32 {
			x, y = float64(float32(x)), float64(float32(y))
		}
		if !equalNumber(x, y) {
			return false
		}
	}
	return equalPixels(a.Pixels, b.Pixels)
}

func equalPixels(a, b Pixels) bool {
	switch x := a.(type) {
	case Slice[float32]:
		y, ok := b.(Slice[float32])
		return ok && equalFloats(x, y)
	case Slice[float64]:
		y, ok := b.(Slice[float64])
		return ok && equalFloats(x, y)
	case nil:
		return b == nil
	}
	// Integers are equal when their bytes are, provided that they are of the
	// same Go type; bands of one pixel type are.
	return b != nil && bytes.Equal(a.Bytes(), b.Bytes())
}

func equalFloats[T float32 | float64](a, b Slice[T]) bool {
	if len(a) != len(b) {
		return false
	}
	if bytes.Equal(a.Bytes(), b.Bytes()) {
		return true
	}
	for i, v := range a {
		if w := b[i]; v != w && (v == v || w == w) {
			return false
		}
	}
	return true
}

func equalValidity(a, b []uint8) bool {
	if (a == nil) != (b == nil) || len(a) != len(b) {
		return false
	}
	for i := range a {
		if (a[i] == 0) != (b[i] == 0) {
			return false
		}
	}
	return true
}
