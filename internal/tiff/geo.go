package tiff

import (
	"math"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// Keys of GeoTIFF and values of them (OGC 19-008r4, section 7).
const (
	keyModelType      = 1024
	keyRasterType     = 1025
	keyGeographicType = 2048
	keyProjectedType  = 3072
	keyPCSCitation    = 3073
	modelProjected    = 1
	modelGeographic   = 2
	pixelIsArea       = 1
	userDefined       = 32767
)

// maxWKT is the longest WKT whose length, with what stands around it, fits a key.
const maxWKT = 65000

// Place says where the pixels of a grid lie. One that is not placed has no tags of
// it, one without a CRS no CRS. A CRS without an EPSG code needs its WKT, which
// tells as well, where it is given, whether a code is of a geographic or of a
// projected CRS.
func Place(g rasterbase.Grid, c rasterbase.CRS) ([]Field, error) {
	if len(c.WKT) > maxWKT {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a CRS of %d bytes of WKT is too long for a GeoTIFF", len(c.WKT))
	}
	for _, v := range []float64{g.OriginX, g.OriginY, g.ScaleX, g.ScaleY, g.SkewX, g.SkewY} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "write a GeoTIFF: the raster is not placed by finite numbers")
		}
	}
	var out []Field
	switch {
	case g.ScaleX*g.ScaleY-g.SkewX*g.SkewY == 0: // not placed
	case g.SkewX == 0 && g.SkewY == 0 && g.ScaleX > 0 && g.ScaleY < 0:
		out = append(out,
			doubles(tagPixelScale, g.ScaleX, -g.ScaleY, 0),
			doubles(tagTiepoint, 0, 0, 0, g.OriginX, g.OriginY, 0))
	default:
		out = append(out, doubles(tagTransformation,
			g.ScaleX, g.SkewX, 0, g.OriginX,
			g.SkewY, g.ScaleY, 0, g.OriginY,
			0, 0, 0, 0,
			0, 0, 0, 1))
	}
	return append(out, geoKeys(c)...), nil
}

// geoKeys names a CRS: by its EPSG code or, when it has none, by its WKT in a
// citation, the form of ESRI's that GDAL reads too, also for geographic ones.
func geoKeys(c rasterbase.CRS) []Field {
	keys := []uint16{1, 1, 0, 0} // versions, and how many keys follow
	key := func(id, value uint16) {
		keys = append(keys, id, 0, 1, value)
		keys[3]++
	}
	model, kind := uint16(modelProjected), uint16(keyProjectedType)
	if isGeographic(c) {
		model, kind = modelGeographic, keyGeographicType
	}
	switch {
	case c.SRID > 0 && c.SRID < userDefined:
		key(keyModelType, model)
		key(keyRasterType, pixelIsArea)
		key(kind, uint16(c.SRID))
		return []Field{shorts(tagGeoKeys, keys...)}
	case c.WKT == "":
		key(keyRasterType, pixelIsArea)
		return []Field{shorts(tagGeoKeys, keys...)}
	}
	text := "ESRI PE String = " + strings.ReplaceAll(c.WKT, "|", " ") + "|" // which ends a text
	key(keyModelType, userDefined)
	key(keyRasterType, pixelIsArea)
	key(keyProjectedType, userDefined)
	keys = append(keys, keyPCSCitation, tagGeoAscii, uint16(len(text)), 0)
	keys[3]++
	return []Field{shorts(tagGeoKeys, keys...), ascii(tagGeoAscii, text)}
}
