package sqlite

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// codec1 is the codec byte of the one form that tiles have so far.
const codec1 = 1

// Limits of a tile: a corrupt one must not make the decoder allocate more. The
// largest regular one has 1024x1024 pixels in 4 bands of 8 bytes.
const (
	maxTileSide  = 1 << 16
	maxTileBands = 255
	maxTileBytes = 1 << 26 // of decoded pixels and validity
)

// Flags of a tile and of a band.
const (
	flagValidity = 1
	flagNodata   = 1
)

// tileCodec turns rasters into the bytes of a row and back; docs/tileformat.md
// describes them. Any number of goroutines may use it.
type tileCodec struct {
	*packer
	crc *crc32.Table
}

func newTileCodec() *tileCodec {
	return &tileCodec{packer: newPacker(), crc: crc32.MakeTable(crc32.Castagnoli)}
}

// checkTile tells why a raster cannot be a tile.
func checkTile(r *raster.Raster) error {
	if r == nil {
		return fmt.Errorf("there is no raster")
	}
	if r.Width < 1 || r.Height < 1 || r.Width > maxTileSide || r.Height > maxTileSide {
		return fmt.Errorf("a tile cannot have %dx%d pixels", r.Width, r.Height)
	}
	if len(r.Bands) < 1 || len(r.Bands) > maxTileBands {
		return fmt.Errorf("a tile cannot have %d bands", len(r.Bands))
	}
	if err := r.Check(); err != nil {
		return err
	}
	size := len(r.Validity)
	for i, b := range r.Bands {
		if !b.Type.Valid() || len(b.Pixels.Bytes()) != r.Width*r.Height*b.Type.Size() {
			return fmt.Errorf("the pixels of band %d are not of type %v", i+1, b.Type)
		}
		size += len(b.Pixels.Bytes())
	}
	if size > maxTileBytes {
		return fmt.Errorf("a tile of %d bytes is larger than %d", size, maxTileBytes)
	}
	return nil
}

// encode gives a tile's bytes.
func (c *tileCodec) encode(r *raster.Raster) ([]byte, error) {
	if err := checkTile(r); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "encoding a tile: %w", err)
	}
	b := make([]byte, 0, 128+r.Width*r.Height/4)
	b = append(b, codec1)
	b = binary.AppendUvarint(b, uint64(r.Width))
	b = binary.AppendUvarint(b, uint64(r.Height))
	for _, v := range []float64{r.OriginX, r.OriginY, r.ScaleX, r.ScaleY, r.SkewX, r.SkewY} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	b = binary.AppendVarint(b, int64(r.SRID))
	var flags byte
	if r.Validity != nil {
		flags |= flagValidity
	}
	b = append(b, flags, byte(len(r.Bands)))
	for i := range r.Bands {
		b = c.encodeBand(b, &r.Bands[i])
	}
	if r.Validity != nil {
		b = c.pack(b, r.Validity, 1)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, c.crc)), nil
}

func (c *tileCodec) encodeBand(b []byte, band *raster.Band) []byte {
	if band.HasNodata {
		b = append(b, byte(band.Type), flagNodata)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(band.Nodata))
	} else {
		b = append(b, byte(band.Type), 0)
	}
	return c.pack(b, band.Pixels.Bytes(), band.Type.Size())
}

// decode makes the raster of a tile's bytes, which it does not keep.
func (c *tileCodec) decode(b []byte) (*raster.Raster, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("%w: %d bytes", errCorrupt, len(b))
	}
	if b[0] != codec1 {
		return nil, rasterbase.Errorf(rasterbase.Unsupported, "the tile has codec %d", b[0]).
			WithHint("a newer version of rasterbase wrote it")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, c.crc) != sum {
		return nil, fmt.Errorf("%w: wrong checksum", errCorrupt)
	}
	return c.decodeBody(body[1:])
}

// decodeBody decodes what stands between the codec byte and the checksum.
func (c *tileCodec) decodeBody(body []byte) (*raster.Raster, error) {
	in := reader{b: body}
	r := &raster.Raster{}
	r.Width, r.Height = in.size(maxTileSide), in.size(maxTileSide)
	for _, v := range []*float64{&r.OriginX, &r.OriginY, &r.ScaleX, &r.ScaleY, &r.SkewX, &r.SkewY} {
		*v = in.float()
	}
	r.SRID = in.int()
	flags, n := in.byte(), int(in.byte())
	if in.bad || r.Width == 0 || r.Height == 0 || n == 0 || flags&^flagValidity != 0 {
		return nil, fmt.Errorf("%w: header", errCorrupt)
	}
	left := maxTileBytes
	r.Bands = make([]raster.Band, n)
	for i := range r.Bands {
		if err := c.decodeBand(&in, &r.Bands[i], r.Width*r.Height, &left); err != nil {
			return nil, fmt.Errorf("band %d: %w", i+1, err)
		}
	}
	if flags&flagValidity != 0 {
		packing, payload := in.byte(), in.bytes()
		if left -= r.Width * r.Height; in.bad || left < 0 {
			return nil, fmt.Errorf("validity: %w", errCorrupt)
		}
		r.Validity = make([]uint8, r.Width*r.Height)
		if err := c.unpack(r.Validity, 1, packing, payload); err != nil {
			return nil, fmt.Errorf("validity: %w", err)
		}
	}
	if len(in.b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errCorrupt, len(in.b))
	}
	return r, nil
}

// decodeBand decodes a band of n pixels; left is what may still be allocated.
func (c *tileCodec) decodeBand(in *reader, band *raster.Band, n int, left *int) error {
	band.Type = rasterbase.PixelType(in.byte())
	flags := in.byte()
	if band.HasNodata = flags&flagNodata != 0; band.HasNodata {
		band.Nodata = in.float()
	}
	packing, payload := in.byte(), in.bytes()
	if in.bad || !band.Type.Valid() || flags&^flagNodata != 0 {
		return errCorrupt
	}
	// n is below 2^32 and a pixel has at most 8 bytes, so this cannot overflow.
	if size := int64(n) * int64(band.Type.Size()); size > int64(*left) {
		return fmt.Errorf("%w: %d bytes of pixels", errCorrupt, size)
	}
	*left -= n * band.Type.Size()
	band.Pixels = raster.NewPixels(band.Type, n)
	return c.unpack(band.Pixels.Bytes(), band.Type.Size(), packing, payload)
}

// reader takes values from the front of b. After reading past the end, bad is
// set and all values are zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) float() float64 {
	if v := r.take(8); v != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(v))
	}
	return 0
}

func (r *reader) int() int {
	v, n := binary.Varint(r.b)
	if n <= 0 || v < math.MinInt32 || v > math.MaxInt32 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// size reads a number from 0 to limit.
func (r *reader) size(limit int) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(limit) {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) bytes() []byte { return r.take(r.size(maxTileBytes)) }
