package render

import (
	"math"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// validity is how a TIFF says which pixels are valid.
type validity struct {
	nodata string   // as GDAL writes it; empty: none
	mask   [][]byte // 0 and 1 a pixel, for all bands or for each; nil: nodata alone
}

// validityOf finds how the valid pixels of a raster are told exactly. masked
// says that values will change, so that none can stand for nodata.
func validityOf(r *raster.Raster, masked bool) validity {
	nodata, has, same := commonNodata(r)
	valid := make([][]byte, len(r.Bands))
	suffices, anyInvalid, alike := same, false, true
	for b := range r.Bands {
		v, invalid, told := bandValidity(r, b, nodata, has)
		valid[b] = v
		suffices = suffices && told
		anyInvalid = anyInvalid || invalid
		alike = alike && string(v) == string(valid[0])
	}
	out := validity{}
	if has && same && !masked {
		out.nodata = nodataText(nodata)
	}
	switch {
	case suffices && !masked, !anyInvalid && out.nodata == "":
		return out
	case alike:
		out.mask = valid[:1]
	default:
		out.mask = valid
	}
	return out
}

// commonNodata is the nodata value that a TIFF can have, which is one for all
// bands. same is false when bands differ in it. Floats without one have NaN if
// it occurs.
func commonNodata(r *raster.Raster) (v float64, has, same bool) {
	for i := range r.Bands {
		b := &r.Bands[i]
		w, ok := b.Nodata, b.HasNodata && b.Type.Holds(b.Nodata)
		if b.Type == rasterbase.Float32 {
			w = float64(float32(w))
		}
		if i > 0 && (ok != has || ok && w != v && !(math.IsNaN(w) && math.IsNaN(v))) {
			return 0, false, false
		}
		v, has = w, ok
	}
	if !has && hasNaN(r) {
		return math.NaN(), true, true
	}
	return v, has, true
}

func hasNaN(r *raster.Raster) bool {
	for i := range r.Bands {
		switch px := r.Bands[i].Pixels.(type) {
		case raster.Slice[float32]:
			for _, v := range px {
				if v != v {
					return true
				}
			}
		case raster.Slice[float64]:
			for _, v := range px {
				if v != v {
					return true
				}
			}
		}
	}
	return false
}

// bandValidity gives a 1 for each valid pixel of a band, whether any is not, and
// whether a reader that knows the nodata value alone sees the same.
func bandValidity(r *raster.Raster, band int, nodata float64, has bool) (valid []byte, invalid, told bool) {
	b := &r.Bands[band]
	valid, told = make([]byte, r.Width*r.Height), true
	for i := range valid {
		v := b.Pixels.At(i)
		ok := r.Valid(band, i)
		if ok {
			valid[i] = 1
		}
		invalid = invalid || !ok
		if told && ok == (has && takenForNodata(v, nodata, b.Type)) {
			told = false
		}
	}
	return valid, invalid, told
}

// takenForNodata tells whether a reader takes v for nodata. GDAL does that too
// with floats that differ in the last few bits, and up to its version 3.6 not
// with negative numbers of 8 bits.
func takenForNodata(v, nodata float64, t rasterbase.PixelType) bool {
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

// nodataText writes a nodata value so that it is read back as it is.
func nodataText(v float64) string {
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

// bandTags is GDAL's XML for what is known of bands; empty when that is nothing.
func bandTags(bands []rasterbase.Band, n int) string {
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
