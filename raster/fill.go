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

// NewInvalid makes a raster of invalid pixels, whose bands have the types and
// nodata given, in pixels of its own: they hold nodata, or NaN, or else Validity
// says so.
func NewInvalid(g rasterbase.Grid, srid int, bands ...Band) *Raster {
	n := g.Width * g.Height
	r := &Raster{Grid: g, SRID: srid}
	for _, b := range bands {
		b.Pixels = NewPixels(b.Type, n)
		switch {
		case b.HasNodata:
			Fill(b.Pixels, b.Nodata)
		case b.Type.IsFloat():
			Fill(b.Pixels, math.NaN())
		case r.Validity == nil:
			r.Validity = make([]uint8, n)
		}
		r.Bands = append(r.Bands, b)
	}
	return r
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
