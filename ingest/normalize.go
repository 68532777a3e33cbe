package ingest

import (
	"math"

	"github.com/rasterbase/rasterbase/raster"
)

// normalize gives a band of a file the one form of validity that stored tiles
// have: pixels that are not valid hold the band's nodata value (NaN for floats
// without one), or, in whole-number bands without nodata, are 0 in the
// validity that it returns. mask is what the file's mask says, nil for all
// valid. Returned validity is nil when all pixels are valid or nodata tells.
func normalize(b raster.Band, mask []uint8) (validity []uint8) {
	switch p := b.Pixels.(type) {
	case raster.Slice[float32]:
		normalizeFloats(p, float32(b.Nodata), mask, nearlyEqual32)
		return nil
	case raster.Slice[float64]:
		normalizeFloats(p, b.Nodata, mask, nearlyEqual64)
		return nil
	}
	if mask == nil {
		return nil
	}
	if b.HasNodata {
		fillInvalid(b.Pixels, b.Nodata, mask)
		return nil
	}
	for i, m := range mask {
		if m == 0 {
			validity = make([]uint8, len(mask))
			for k, m := range mask[i:] {
				if m != 0 {
					validity[i+k] = 255
				}
			}
			for k := range i {
				validity[k] = 255
			}
			fillInvalid(b.Pixels, 0, mask)
			return validity
		}
	}
	return nil
}

// normalizeFloats sets what is not finite, masked out, or nodata but for its
// last digits, to nodata exactly.
func normalizeFloats[T float32 | float64](p []T, nodata T, mask []uint8, nearly func(a, b T) bool) {
	isNaN := nodata != nodata
	for i, v := range p {
		// v-v is NaN for NaN and the infinities.
		if v-v != 0 || mask != nil && mask[i] == 0 || !isNaN && v != nodata && nearly(v, nodata) {
			p[i] = nodata
		}
	}
}

// nearlyEqual32 is the tolerance with which GDAL compares nodata: two units in
// the last place of the sum. Files written with rounded decimals rely on it.
func nearlyEqual32(a, b float32) bool {
	const epsilon = 0x1p-23
	d := a - b
	if d < 0 {
		d = -d
	}
	s := math.Abs(float64(a) + float64(b))
	return float64(d) < epsilon*s*2
}

func nearlyEqual64(a, b float64) bool {
	const epsilon = 0x1p-52
	return math.Abs(a-b) < epsilon*math.Abs(a+b)*2
}

// fillInvalid sets pixels whose valid is 0 to v.
func fillInvalid(p raster.Pixels, v float64, valid []uint8) {
	switch p := p.(type) {
	case raster.Slice[uint8]:
		fillSlice(p, v, valid)
	case raster.Slice[int8]:
		fillSlice(p, v, valid)
	case raster.Slice[uint16]:
		fillSlice(p, v, valid)
	case raster.Slice[int16]:
		fillSlice(p, v, valid)
	case raster.Slice[uint32]:
		fillSlice(p, v, valid)
	case raster.Slice[int32]:
		fillSlice(p, v, valid)
	case raster.Slice[float32]:
		fillSlice(p, v, valid)
	case raster.Slice[float64]:
		fillSlice(p, v, valid)
	}
}

func fillSlice[T raster.Number](p []T, v float64, valid []uint8) {
	t := raster.Clamp[T](v)
	for i, ok := range valid {
		if ok == 0 {
			p[i] = t
		}
	}
}

// andMask joins validities: nil stands for all valid. a is changed.
func andMask(a, b []uint8) []uint8 {
	switch {
	case b == nil:
		return a
	case a == nil:
		return append([]uint8(nil), b...)
	}
	for i, v := range b {
		a[i] &= v
	}
	return a
}
