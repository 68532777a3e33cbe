package raster

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

// BandOf gives the type and the nodata that a band's stored tiles have,
// without pixels: floats without a declared nodata hold NaN where invalid.
func BandOf(b rasterbase.Band) Band {
	out := Band{Type: b.PixelType}
	switch {
	case b.Nodata != nil:
		out.HasNodata, out.Nodata = true, float64(*b.Nodata)
	case b.PixelType.IsFloat():
		out.HasNodata, out.Nodata = true, math.NaN()
	}
	return out
}

// Fill sets all pixels to v.
func Fill(p Pixels, v float64) {
	n := p.Len()
	if n == 0 || v == 0 && !math.Signbit(v) {
		clear(p.Bytes())
		return
	}
	p.Set(0, v)
	b := p.Bytes()
	for done := len(b) / n; done < len(b); done *= 2 { // doubling copies
		copy(b[done:], b[:done])
	}
}
