package tiff

import (
	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Widen is the smallest type that holds the values of two: all bands of a TIFF are
// of one type.
func Widen(a, b rasterbase.PixelType) rasterbase.PixelType {
	for _, t := range rasterbase.PixelTypes {
		if holdsType(t, a) && holdsType(t, b) {
			return t
		}
	}
	return rasterbase.Float64
}

func holdsType(t, other rasterbase.PixelType) bool {
	lo, hi := t.Range()
	low, high := other.Range()
	switch {
	case t == other || t == rasterbase.Float64:
		return true
	case t == rasterbase.Float32:
		return !other.IsFloat() && other.Size() <= 2
	}
	return !other.IsFloat() && lo <= low && high <= hi
}

// Convert gives pixels of a type as a wider one; they are shared where both are the
// same in memory.
func Convert(px raster.Pixels, from, to rasterbase.PixelType) raster.Pixels {
	if from.Size() == to.Size() && from.IsFloat() == to.IsFloat() {
		return px
	}
	out := raster.NewPixels(to, px.Len())
	for i := range px.Len() {
		out.Set(i, px.At(i))
	}
	return out
}
