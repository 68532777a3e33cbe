package raster

import (
	"bytes"
	"math"
)

// ValidMask tells for each pixel of a band what [Raster.Valid] does, 0 for not;
// nil when all are valid. It is shared with the raster where Validity alone tells,
// and must not be changed.
func (r *Raster) ValidMask(band int) []uint8 {
	mask := r.Bands[band].dataMask()
	switch {
	case mask == nil:
		return r.Validity
	case r.Validity != nil:
		for i, v := range r.Validity {
			mask[i] &= v
		}
	}
	return mask
}

// dataMask tells for each pixel what IsData does; nil when all are data.
func (b *Band) dataMask() []uint8 {
	nodata := math.NaN()
	if b.HasNodata {
		nodata = b.Nodata
	}
	switch p := b.Pixels.(type) {
	case Slice[float32]:
		return floatMask(p, float32(nodata))
	case Slice[float64]:
		return floatMask(p, nodata)
	}
	if !b.HasNodata {
		return nil
	}
	switch p := b.Pixels.(type) {
	case Slice[uint8]:
		return equalMask(p, nodata)
	case Slice[int8]:
		return equalMask(p, nodata)
	case Slice[uint16]:
		return equalMask(p, nodata)
	case Slice[int16]:
		return equalMask(p, nodata)
	case Slice[uint32]:
		return equalMask(p, nodata)
	case Slice[int32]:
		return equalMask(p, nodata)
	}
	return nil
}

func equalMask[T Number](p []T, value float64) []uint8 {
	nodata := Clamp[T](value)
	if float64(nodata) != value { // no pixel can hold it
		return nil
	}
	var mask []uint8
	for i, v := range p {
		if v == nodata {
			if mask == nil {
				mask = bytes.Repeat([]byte{255}, len(p))
			}
			mask[i] = 0
		}
	}
	return mask
}

// floatMask leaves out what is not finite, too: the difference is 0 for finite
// numbers alone.
func floatMask[T float32 | float64](p []T, nodata T) []uint8 {
	var mask []uint8
	for i, v := range p {
		if v-v != 0 || v == nodata {
			if mask == nil {
				mask = bytes.Repeat([]byte{255}, len(p))
			}
			mask[i] = 0
		}
	}
	return mask
}
