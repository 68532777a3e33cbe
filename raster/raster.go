// Package raster holds pixels: a [Raster] is a grid, a CRS and bands of typed
// pixels, the unit that a tile holds and that a PostGIS raster column stores.
// It has the PostGIS raster binary form (WKB), works as a field of any model
// through database/sql, and turns into an image with a colormap.
package raster

import (
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase"
)

// Raster is a grid of pixels. A raster that was returned by a store or a
// coverage is shared and must not be changed.
type Raster struct {
	rasterbase.Grid
	SRID  int
	Bands []Band
	// Validity tells which pixels are valid in all bands: a byte a pixel, row
	// by row, 0 for invalid. Nil means that nodata alone decides. The binary
	// form writes it as a last 8BUI band.
	Validity []uint8
}

// Band is one band: pixels row by row from the upper left.
type Band struct {
	Type      rasterbase.PixelType
	HasNodata bool
	Nodata    float64
	Pixels    Pixels

	// What the binary form says besides, kept so that a band which was read is
	// written back as it was.
	flaggedNodata bool    // the flag that all pixels are nodata was set
	unusedNodata  float64 // what stood in the field of nodata when there is none
}

// New makes a raster of the grid with a band of zeros for each type.
func New(g rasterbase.Grid, srid int, types ...rasterbase.PixelType) *Raster {
	r := &Raster{Grid: g, SRID: srid, Bands: make([]Band, len(types))}
	for i, t := range types {
		r.Bands[i] = Band{Type: t, Pixels: NewPixels(t, g.Width*g.Height)}
	}
	return r
}

// Valid reports whether pixel i, counted row by row, of a band is valid:
// finite, not the band's nodata, and not masked out by Validity.
func (r *Raster) Valid(band, i int) bool {
	if r.Validity != nil && r.Validity[i] == 0 {
		return false
	}
	return r.Bands[band].IsData(r.Bands[band].Pixels.At(i))
}

// IsData reports whether v is finite and not the band's nodata. Nodata of
// float32 bands is compared as float32.
func (b *Band) IsData(v float64) bool {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return false
	}
	if !b.HasNodata {
		return true
	}
	if b.Type == rasterbase.Float32 {
		return float32(v) != float32(b.Nodata)
	}
	return v != b.Nodata
}

// Check tells whether bands and validity have the size that the grid says.
func (r *Raster) Check() error {
	n := r.Width * r.Height
	for i, b := range r.Bands {
		if b.Pixels == nil || b.Pixels.Len() != n {
			return fmt.Errorf("band %d does not have the %d pixels of a %dx%d raster", i+1, n, r.Width, r.Height)
		}
	}
	if r.Validity != nil && len(r.Validity) != n {
		return fmt.Errorf("validity has %d values for %d pixels", len(r.Validity), n)
	}
	return nil
}
