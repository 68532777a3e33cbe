package raster

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

// Metadata is what a raster says besides its pixels, as a plain structure whose
// JSON has the names, and for the pixel types the words, of PostGIS's
// ST_MetaData and ST_BandMetaData. Numbers that JSON has not, such as a nodata
// of NaN, are written as [rasterbase.Float] writes them.
type Metadata struct {
	UpperLeftX rasterbase.Float `json:"upperleftx"` // the outer corner of the first pixel
	UpperLeftY rasterbase.Float `json:"upperlefty"`
	Width      int              `json:"width"` // pixels
	Height     int              `json:"height"`
	ScaleX     rasterbase.Float `json:"scalex"` // units of the CRS a pixel
	ScaleY     rasterbase.Float `json:"scaley"` // negative when north is up
	SkewX      rasterbase.Float `json:"skewx"`
	SkewY      rasterbase.Float `json:"skewy"`
	SRID       int              `json:"srid"` // 0: unknown
	NumBands   int              `json:"numbands"`
	Bands      []BandMetadata   `json:"bands"`
	// Validity is true when the raster has a validity for all its bands, which
	// is not counted among them.
	Validity bool `json:"validity,omitempty"`
}

// BandMetadata is what a band says besides its pixels.
type BandMetadata struct {
	BandNum     int               `json:"bandnum"`     // from 1
	PixelType   string            `json:"pixeltype"`   // 8BUI, 32BF, ...
	NodataValue *rasterbase.Float `json:"nodatavalue"` // nil: none
}

// Metadata tells the raster's header and bands.
func (r *Raster) Metadata() Metadata {
	m := Metadata{
		UpperLeftX: rasterbase.Float(r.OriginX), UpperLeftY: rasterbase.Float(r.OriginY),
		Width: r.Width, Height: r.Height,
		ScaleX: rasterbase.Float(r.ScaleX), ScaleY: rasterbase.Float(r.ScaleY),
		SkewX: rasterbase.Float(r.SkewX), SkewY: rasterbase.Float(r.SkewY),
		SRID: r.SRID, NumBands: len(r.Bands), Bands: make([]BandMetadata, len(r.Bands)), Validity: r.Validity != nil,
	}
	for i, b := range r.Bands {
		m.Bands[i] = BandMetadata{BandNum: i + 1, PixelType: b.Type.PostGIS()}
		if b.HasNodata {
			m.Bands[i].NodataValue = rasterbase.FloatPtr(b.Nodata)
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
