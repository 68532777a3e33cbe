package raster

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
)

// AppendWKB appends the raster as little-endian PostGIS raster WKB, which
// ST_RastFromWKB reads. Validity, when not nil, is appended as a last band of
// type 8BUI without nodata, 0 for invalid and 255 for valid pixels.
//
// A nodata value that no pixel of its band can hold, such as -9999 of a uint8
// band, excludes nothing and is left out. PostGIS does not read rasters that
// have bands but no pixels, although it writes them. The error has code invalid for what
// the form cannot hold: more than 65,535 pixels a side, more than 65,535
// bands, an srid of more than 32 bits, pixels that do not fit the band's type
// or the raster's size.
func (r *Raster) AppendWKB(dst []byte) ([]byte, error) {
	size, err := r.wkbSize()
	if err != nil {
		return dst, err
	}
	bands := len(r.Bands)
	if r.Validity != nil {
		bands++
	}
	out := slices.Grow(dst, size)
	le := binary.LittleEndian
	out = append(out, 1)
	out = le.AppendUint16(out, 0)
	out = le.AppendUint16(out, uint16(bands))
	for _, v := range [...]float64{r.ScaleX, r.ScaleY, r.OriginX, r.OriginY, r.SkewX, r.SkewY} {
		out = le.AppendUint64(out, math.Float64bits(v))
	}
	out = le.AppendUint32(out, uint32(int32(r.SRID)))
	out = le.AppendUint16(out, uint16(r.Width))
	out = le.AppendUint16(out, uint16(r.Height))
	for i := range r.Bands {
		if out, err = r.Bands[i].appendWKB(out); err != nil {
			return dst, fmt.Errorf("band %d: %w", i+1, err)
		}
	}
	if r.Validity != nil {
		out = append(out, byte(rasterbase.Uint8), 0)
		from := len(out)
		out = append(out, r.Validity...)
		spread(out[from:])
	}
	return out, nil
}

// wkbSize checks that the form can hold the raster, and gives its bytes.
func (r *Raster) wkbSize() (int, error) {
	if r.Width < 0 || r.Height < 0 || r.Width > maxSide || r.Height > maxSide {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "a raster of %dx%d pixels has no PostGIS form", r.Width, r.Height).
			WithHint("it has at most %d pixels a side: cut the raster into tiles", maxSide)
	}
	if len(r.Bands) >= math.MaxUint16 {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "a raster of %d bands has no PostGIS form", len(r.Bands))
	}
	if int(int32(r.SRID)) != r.SRID {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "srid %d has more than 32 bits", r.SRID)
	}
	if err := r.Check(); err != nil {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "%w", err)
	}
	size := headerSize
	for i, b := range r.Bands {
		if !fitsType(b.Type, b.Pixels) {
			return 0, rasterbase.Errorf(rasterbase.Invalid, "band %d is of type %v and has pixels of type %T", i+1, b.Type, b.Pixels)
		}
		size += 1 + b.Type.Size()*(1+b.Pixels.Len())
	}
	if r.Validity != nil {
		size += 2 + len(r.Validity)
	}
	return size, nil
}

func (b *Band) appendWKB(dst []byte) ([]byte, error) {
	if err := checkNarrow(b.Type, b.Pixels); err != nil {
		return dst, err
	}
	flags := byte(b.Type)
	nodata := NewPixels(b.Type, 1)
	switch {
	case b.nodataCounts():
		flags |= flagNodata
		nodata.Set(0, b.Nodata)
		// The flag is kept, never found out: whoever changed the pixels since
		// need not know of it.
		if b.flaggedNodata && allEqual(b.Pixels.Bytes(), nodata.Bytes()) {
			flags |= flagIsNodata
		}
	case !b.HasNodata && b.Type.Holds(b.unusedNodata):
		nodata.Set(0, b.unusedNodata)
	}
	dst = append(dst, flags)
	from := len(dst)
	dst = append(dst, nodata.Bytes()...)
	dst = append(dst, b.Pixels.Bytes()...)
	if !hostIsLittle() {
		swapBytes(dst[from:], b.Type.Size())
	}
	return dst, nil
}

// allEqual reports whether b is made of repetitions of one value.
func allEqual(b, value []byte) bool {
	n := len(value)
	return len(b) == 0 || bytes.HasPrefix(b, value) && bytes.Equal(b[n:], b[:len(b)-n])
}

// nodataCounts reports whether the band has a nodata value that a pixel can
// hold. A number just above the largest float32 that rounds to it counts: the
// usual -3.4028235e+38 is one.
func (b *Band) nodataCounts() bool {
	switch {
	case !b.HasNodata:
		return false
	case b.Type == rasterbase.Float32:
		return math.IsInf(b.Nodata, 0) || !math.IsInf(float64(float32(b.Nodata)), 0)
	}
	return b.Type.Holds(b.Nodata)
}

// fitsType reports whether pixels are of the Go type that a pixel type has.
func fitsType(t rasterbase.PixelType, p Pixels) bool {
	var ok bool
	switch t {
	case rasterbase.Bit1, rasterbase.Uint2, rasterbase.Uint4, rasterbase.Uint8:
		_, ok = p.(Slice[uint8])
	case rasterbase.Int8:
		_, ok = p.(Slice[int8])
	case rasterbase.Int16:
		_, ok = p.(Slice[int16])
	case rasterbase.Uint16:
		_, ok = p.(Slice[uint16])
	case rasterbase.Int32:
		_, ok = p.(Slice[int32])
	case rasterbase.Uint32:
		_, ok = p.(Slice[uint32])
	case rasterbase.Float32:
		_, ok = p.(Slice[float32])
	case rasterbase.Float64:
		_, ok = p.(Slice[float64])
	}
	return ok
}

// spread makes 255 of every byte that is not 0, eight at a time: the top bit of
// each byte is set when any of its bits is, and then copied into the others.
func spread(b []byte) {
	const low, top = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		v := binary.LittleEndian.Uint64(b)
		v = ((v&low + low) | v) & top
		binary.LittleEndian.PutUint64(b, (v>>7)*0xff)
	}
	for i, v := range b {
		if v != 0 {
			b[i] = 0xff
		}
	}
}

// MarshalBinary writes what [Raster.AppendWKB] appends.
func (r *Raster) MarshalBinary() ([]byte, error) { return r.AppendWKB(nil) }

// HexWKB is the binary form in upper-case hexadecimal digits, as PostGIS shows
// a raster; as text it casts to raster in SQL.
func (r *Raster) HexWKB() (string, error) {
	b, err := r.AppendHexWKB(nil)
	return string(b), err
}

// AppendHexWKB appends the digits that [Raster.HexWKB] gives.
func (r *Raster) AppendHexWKB(dst []byte) ([]byte, error) {
	b, err := r.AppendWKB(nil)
	if err != nil {
		return dst, err
	}
	const digits = "0123456789ABCDEF"
	dst = slices.Grow(dst, hex.EncodedLen(len(b)))
	for _, c := range b {
		dst = append(dst, digits[c>>4], digits[c&0xf])
	}
	return dst, nil
}
