package raster

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

// Metadata is what a raster says besides its pixels: the facts of PostGIS's
// ST_MetaData and ST_BandMetaData.
type Metadata struct {
	rasterbase.Grid
	SRID  int            `json:"srid"`
	Bands []BandMetadata `json:"bands"`
	// Validity is true when the raster has a validity for all its bands.
	Validity bool `json:"validity,omitempty"`
}

// BandMetadata is what a band says besides its pixels.
type BandMetadata struct {
	PixelType rasterbase.PixelType `json:"pixel_type"`
	Nodata    *rasterbase.Float    `json:"nodata"` // nil: none
}

// Metadata tells the raster's header and bands.
func (r *Raster) Metadata() Metadata {
	m := Metadata{Grid: r.Grid, SRID: r.SRID, Bands: make([]BandMetadata, len(r.Bands)), Validity: r.Validity != nil}
	for i, b := range r.Bands {
		m.Bands[i].PixelType = b.Type
		if b.HasNodata {
			m.Bands[i].Nodata = rasterbase.FloatPtr(b.Nodata)
		}
	}
	return m
}

// At is the value of a pixel of a band, both counted from 0, columns and rows
// from the upper left. It is 0 and false when the raster has no such pixel or
// when the pixel is invalid.
func (r *Raster) At(band, col, row int) (v float64, ok bool) {
	if band < 0 || band >= len(r.Bands) || col < 0 || col >= r.Width || row < 0 || row >= r.Height {
		return 0, false
	}
	i := row*r.Width + col
	if !r.Valid(band, i) {
		return 0, false
	}
	return r.Bands[band].Pixels.At(i), true
}

// AtCoord is the value, as [Raster.At] gives it, of the pixel that holds the
// coordinates, in the raster's CRS. A pixel holds its upper and left edge, as
// they lie in pixel space, but not its lower and right one.
func (r *Raster) AtCoord(band int, x, y float64) (v float64, ok bool) {
	col, row := r.Pixel(x, y)
	col, row = math.Floor(col), math.Floor(row)
	// Compared as floats: NaN and numbers too large for an int fail here.
	if !(col >= 0 && col < float64(r.Width) && row >= 0 && row < float64(r.Height)) {
		return 0, false
	}
	return r.At(band, int(col), int(row))
}
