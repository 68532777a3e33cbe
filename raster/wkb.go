package raster

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase"
)

// The binary form is PostGIS raster WKB, version 0: a header of 61 bytes and
// then the bands, without padding.
//
//	 0  uint8    1 little-endian, 0 big-endian
//	 1  uint16   version, 0
//	 3  uint16   number of bands
//	 5  float64  scale x, scale y, upper left x, upper left y, skew x, skew y
//	53  int32    srid
//	57  uint16   width, height
//
// A band is a byte of flags, of which the low four bits are the pixel type,
// the nodata value in the pixel type (always there), and the pixels row by row.
const (
	headerSize = 61

	flagOutDB    = 0x80
	flagNodata   = 0x40
	flagIsNodata = 0x20 // all pixels are nodata, whatever is stored
	typeMask     = 0x0f

	maxSide = math.MaxUint16
)

// hostIsLittle tells the byte order that [Pixels.Bytes] has on this machine.
func hostIsLittle() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// ParseWKB reads PostGIS raster WKB in either byte order. The bytes are copied,
// and no more memory is taken than they account for. A band that PostGIS has
// marked as nodata throughout gets nodata in all its pixels, as PostGIS reads
// it. A validity band is read as a band like others: see
// [Raster.SplitValidity].
//
// What PostGIS wrote is written back byte for byte as long as it is not
// changed, but for the pixels below that mark when they were not nodata.
//
// The error has code invalid for bytes that are not such a raster, among them
// pixels that their type cannot hold and bytes after the last band, and code
// unsupported for a band whose pixels are in a file outside the database.
func ParseWKB(b []byte) (*Raster, error) {
	if len(b) < headerSize {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "raster WKB of %d bytes is shorter than its header of %d", len(b), headerSize)
	}
	var order binary.ByteOrder
	switch b[0] {
	case 0:
		order = binary.BigEndian
	case 1:
		order = binary.LittleEndian
	default:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "raster WKB begins with %#02x, which is no byte order", b[0])
	}
	if v := order.Uint16(b[1:]); v != 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "raster WKB has version %d, and only version 0 is known", v)
	}
	float := func(at int) float64 { return math.Float64frombits(order.Uint64(b[at:])) }
	r := &Raster{SRID: int(int32(order.Uint32(b[53:])))}
	r.ScaleX, r.ScaleY = float(5), float(13)
	r.OriginX, r.OriginY = float(21), float(29)
	r.SkewX, r.SkewY = float(37), float(45)
	r.Width, r.Height = int(order.Uint16(b[57:])), int(order.Uint16(b[59:]))

	bands, rest := int(order.Uint16(b[3:])), b[headerSize:]
	if bands > 0 {
		// A band takes two bytes at least.
		r.Bands = make([]Band, 0, min(bands, len(rest)/2))
	}
	for i := range bands {
		band, n, err := parseBand(rest, order, r.Width, r.Height)
		if err != nil {
			return nil, fmt.Errorf("band %d of raster WKB: %w", i+1, err)
		}
		r.Bands = append(r.Bands, band)
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "raster WKB is followed by %d other bytes", len(rest))
	}
	return r, nil
}

// parseBand reads the band that b begins with and tells how many bytes it is.
func parseBand(b []byte, order binary.ByteOrder, width, height int) (Band, int, error) {
	if len(b) == 0 {
		return Band{}, 0, rasterbase.Errorf(rasterbase.Invalid, "the bytes end before it")
	}
	flags := b[0]
	t := rasterbase.PixelType(flags & typeMask)
	if !t.Valid() {
		return Band{}, 0, rasterbase.Errorf(rasterbase.Invalid, "%d is no pixel type", uint8(t))
	}
	size := t.Size()
	if flags&flagOutDB != 0 {
		return Band{}, 0, outsideError(b, size)
	}
	// 64 bits, because 65,535 pixels squared are too many for 32.
	count := int64(width) * int64(height)
	need := 1 + int64(size) + count*int64(size)
	if int64(len(b)) < need {
		return Band{}, 0, rasterbase.Errorf(rasterbase.Invalid, "%dx%d pixels of %v need %d bytes, and %d are left", width, height, t, need, len(b))
	}
	nodata, err := decodeValue(t, b[1:1+size], order)
	if err != nil {
		return Band{}, 0, err
	}
	band := Band{Type: t, HasNodata: flags&flagNodata != 0}
	if band.HasNodata {
		band.Nodata = nodata
	} else {
		band.unusedNodata = nodata
	}
	if band.HasNodata && flags&flagIsNodata != 0 {
		band.flaggedNodata = true
		band.Pixels = NewPixels(t, int(count))
		Fill(band.Pixels, band.Nodata)
		return band, int(need), nil
	}
	if band.Pixels, err = decodePixels(t, b[1+size:need], order); err != nil {
		return Band{}, 0, err
	}
	return band, int(need), nil
}

// outsideError says that a band's pixels are not in the WKB, and names the file
// that they are in when it can be read.
func outsideError(b []byte, size int) error {
	const longest = 200
	file := "a file"
	if from := 2 + size; len(b) > from { // flags, nodata, number of the band in the file
		name := b[from:]
		for i, c := range name {
			if c == 0 || i == longest {
				name = name[:i]
				break
			}
		}
		if len(name) > 0 {
			file = fmt.Sprintf("the file %q", name)
		}
	}
	return rasterbase.Errorf(rasterbase.Unsupported, "its pixels are not in the database but in %s (an out-db band)", file).
		WithHint("bring the pixels into the database: load the file with raster2pgsql without -R, or import it as a layer")
}

// decodeValue reads one pixel.
func decodeValue(t rasterbase.PixelType, b []byte, order binary.ByteOrder) (float64, error) {
	switch t {
	case rasterbase.Int8:
		return float64(int8(b[0])), nil
	case rasterbase.Int16:
		return float64(int16(order.Uint16(b))), nil
	case rasterbase.Uint16:
		return float64(order.Uint16(b)), nil
	case rasterbase.Int32:
		return float64(int32(order.Uint32(b))), nil
	case rasterbase.Uint32:
		return float64(order.Uint32(b)), nil
	case rasterbase.Float32:
		return float64(math.Float32frombits(order.Uint32(b))), nil
	case rasterbase.Float64:
		return math.Float64frombits(order.Uint64(b)), nil
	}
	return float64(b[0]), checkNarrow(t, Slice[uint8](b))
}

// decodePixels copies pixels out of b, whose length is a multiple of the size
// of a pixel.
func decodePixels(t rasterbase.PixelType, b []byte, order binary.ByteOrder) (Pixels, error) {
	var p Pixels
	size := t.Size()
	if size == 1 && t != rasterbase.Int8 {
		p = Slice[uint8](append([]uint8(nil), b...)) // not cleared first
	} else {
		p = NewPixels(t, len(b)/size)
		copy(p.Bytes(), b)
	}
	if (order == binary.LittleEndian) != hostIsLittle() {
		swapBytes(p.Bytes(), size)
	}
	return p, checkNarrow(t, p)
}

// swapBytes turns the bytes of each value of the size around, in place.
func swapBytes(b []byte, size int) {
	switch size {
	case 2:
		for ; len(b) >= 2; b = b[2:] {
			binary.LittleEndian.PutUint16(b, binary.BigEndian.Uint16(b))
		}
	case 4:
		for ; len(b) >= 4; b = b[4:] {
			binary.LittleEndian.PutUint32(b, binary.BigEndian.Uint32(b))
		}
	case 8:
		for ; len(b) >= 8; b = b[8:] {
			binary.LittleEndian.PutUint64(b, binary.BigEndian.Uint64(b))
		}
	}
}

// checkNarrow refuses values that a type of fewer than 8 bits cannot hold.
// PostGIS refuses them too.
func checkNarrow(t rasterbase.PixelType, p Pixels) error {
	var limit uint8
	switch t {
	case rasterbase.Bit1:
		limit = 1
	case rasterbase.Uint2:
		limit = 3
	case rasterbase.Uint4:
		limit = 15
	default:
		return nil
	}
	// The limits are all ones, so that the union of the bits tells.
	b := p.Bytes()
	var bits uint64
	for ; len(b) >= 8; b = b[8:] {
		bits |= binary.NativeEndian.Uint64(b)
	}
	for _, v := range b {
		bits |= uint64(v)
	}
	if bits&^(uint64(limit)*0x0101010101010101) == 0 {
		return nil
	}
	for i, v := range p.Bytes() {
		if v > limit {
			return rasterbase.Errorf(rasterbase.Invalid, "value %d is too large for a pixel of type %s (pixel %d)", v, t.PostGIS(), i)
		}
	}
	return nil
}

// UnmarshalBinary reads what [ParseWKB] reads.
func (r *Raster) UnmarshalBinary(b []byte) error {
	p, err := ParseWKB(b)
	if err != nil {
		return err
	}
	*r = *p
	return nil
}

// ParseHexWKB reads PostGIS raster WKB as hexadecimal digits of either case,
// the text form that PostGIS shows of a raster. A leading \x is skipped.
func ParseHexWKB(s string) (*Raster, error) { return parseHex([]byte(s)) }

func parseHex(digits []byte) (*Raster, error) {
	digits = bytes.TrimPrefix(digits, []byte(`\x`))
	b := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(b, digits); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "raster in hexadecimal digits: %w", err)
	}
	return ParseWKB(b)
}

// SplitValidity takes the last band away and makes it the raster's Validity.
// A store calls it for tiles of a revision that has a validity band. The error
// has code invalid when the last band is not one: 8BUI without nodata.
func (r *Raster) SplitValidity() error {
	n := len(r.Bands)
	if n == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "a raster without bands has no validity band")
	}
	last := r.Bands[n-1]
	p, ok := last.Pixels.(Slice[uint8])
	if !ok || last.Type != rasterbase.Uint8 || last.HasNodata {
		return rasterbase.Errorf(rasterbase.Invalid, "the last band, %v, is not a validity band of type %v without nodata", last.Type, rasterbase.Uint8)
	}
	r.Bands, r.Validity = r.Bands[:n-1:n-1], p
	if r.Validity == nil {
		r.Validity = []uint8{} // not nil: the raster has a validity, of no pixels
	}
	return nil
}
