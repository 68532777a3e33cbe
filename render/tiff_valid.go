package render

import (
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/tiff"
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
		out.nodata = tiff.NodataText(nodata)
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
		if told && ok == (has && tiff.TakenForNodata(v, nodata, b.Type)) {
			told = false
		}
	}
	return valid, invalid, told
}
