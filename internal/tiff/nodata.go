package tiff

import (
	"math"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// TakenForNodata tells whether a reader takes v for nodata. GDAL does that too
// with floats that differ in the last few bits, and up to its version 3.6 not
// with negative numbers of 8 bits.
func TakenForNodata(v, nodata float64, t rasterbase.PixelType) bool {
	if t == rasterbase.Int8 && nodata < 0 {
		return false
	}
	if v == nodata || math.IsNaN(v) && math.IsNaN(nodata) {
		return true
	}
	epsilon := 0.0
	switch t {
	case rasterbase.Float32:
		epsilon = 0x1p-23
	case rasterbase.Float64:
		epsilon = 0x1p-52
	}
	return math.Abs(v-nodata) < 4*epsilon*math.Abs(v+nodata)
}

// NodataText writes a nodata value so that it is read back as it is.
func NodataText(v float64) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// BandTags is GDAL's XML for what is known of bands; empty when that is nothing.
func BandTags(bands []rasterbase.Band, n int) string {
	var s strings.Builder
	item := func(band int, name, value string) {
		s.WriteString(`<Item name="` + name + `" sample="` + strconv.Itoa(band) + `" role="` + strings.ToLower(name) + `">`)
		s.WriteString(xmlText.Replace(xmlText.Replace(value))) // GDAL writes and reads it escaped twice
		s.WriteString("</Item>\n")
	}
	for i, b := range bands[:min(n, len(bands))] {
		if b.Description != "" {
			item(i, "DESCRIPTION", b.Description)
		}
		if b.Unit != "" {
			item(i, "UNITTYPE", b.Unit)
		}
		if b.Scale != 0 && (b.Scale != 1 || b.Offset != 0) {
			item(i, "OFFSET", strconv.FormatFloat(b.Offset, 'g', -1, 64))
			item(i, "SCALE", strconv.FormatFloat(b.Scale, 'g', -1, 64))
		}
	}
	if s.Len() == 0 {
		return ""
	}
	return "<GDALMetadata>\n" + s.String() + "</GDALMetadata>\n"
}

var xmlText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\x00", "")
