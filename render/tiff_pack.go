package render

import (
	"fmt"
	"image"
	"image/jpeg"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// method is a compression by its number in a TIFF.
type method uint16

const (
	noMethod       method = 1
	lzwMethod      method = 5
	jpegMethod     method = 7
	deflateMethod  method = 8
	packBitsMethod method = 32773
	zstdMethod     method = 50000
)

// parseCompression finds a method by its name.
func parseCompression(name string) (method, error) {
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "", "NONE":
		return noMethod, nil
	case "PACKBITS":
		return packBitsMethod, nil
	case "LZW":
		return lzwMethod, nil
	case "DEFLATE", "LZMA", "CCITTRLE", "CCITTFAX3", "CCITTFAX4":
		return deflateMethod, nil
	case "ZSTD":
		return zstdMethod, nil
	case "JPEG":
		return jpegMethod, nil
	}
	return 0, rasterbase.Errorf(rasterbase.Invalid, "unknown compression %.20q", name).
		WithHint("one of JPEG, LZW, PACKBITS, DEFLATE, ZSTD, or empty for none").WithField("compress_method")
}

// check fails when the method cannot hold so many bands of pixels of a type.
func (m method) check(t rasterbase.PixelType, bands int) error {
	if m != jpegMethod || t == rasterbase.Uint8 && (bands == 1 || bands == 3) {
		return nil
	}
	of := "one of " + t.String()
	if bands > 1 {
		of = strconv.Itoa(bands) + " of " + t.String()
	}
	return rasterbase.Errorf(rasterbase.Invalid, "JPEG holds 1 or 3 bands of 8-bit pixels only, not %s", of).
		WithHint("one of LZW, DEFLATE, PACKBITS and ZSTD holds pixels of every type").WithField("compress_method")
}

// predictor is the number of the predictor that makes pixels smaller: the
// differences of neighbours are for measurements and pictures. Those of class
// numbers, which stand in patches, are more diverse than the numbers.
func (m method) predictor(t rasterbase.PixelType, r *raster.Raster) uint16 {
	switch {
	case m != lzwMethod && m != deflateMethod && m != zstdMethod, inPatches(r):
		return 0
	case t.IsFloat():
		return predictorFloat
	case t.Size() > 1, t == rasterbase.Uint8 && len(r.Bands) >= 3:
		return predictorDifference
	}
	return 0
}

// inPatches tells whether most pixels of the first band equal their neighbour.
func inPatches(r *raster.Raster) bool {
	switch px := r.Bands[0].Pixels.(type) {
	case raster.Slice[uint8]:
		return isFlat(px, r.Width)
	case raster.Slice[int8]:
		return isFlat(px, r.Width)
	case raster.Slice[uint16]:
		return isFlat(px, r.Width)
	case raster.Slice[int16]:
		return isFlat(px, r.Width)
	case raster.Slice[uint32]:
		return isFlat(px, r.Width)
	case raster.Slice[int32]:
		return isFlat(px, r.Width)
	case raster.Slice[float32]:
		return isFlat(px, r.Width)
	case raster.Slice[float64]:
		return isFlat(px, r.Width)
	}
	return false
}

// packer is the memory of TIFF blocks in the making.
type packer struct {
	raw, row []byte
	quality  int // of JPEG
	lzw      *lzwEncoder
	zlib     *zlib.Writer
	zstd     *zstd.Encoder
}

// packers holds memory for reuse, and no state of any image.
var packers = sync.Pool{New: func() any { return new(packer) }}

// pack gives the bytes of a rectangle of a sheet as its method packs them.
func (p *packer) pack(s *sheet, at raster.Rect) ([]byte, error) {
	stride := s.rowBytes(at.Width)
	p.raw = grow(p.raw, stride*at.Height)
	s.block(p.raw, at)
	switch s.predictor {
	case predictorDifference:
		for row := range slices.Chunk(p.raw, stride) {
			differences(row, s.size, len(s.samples))
		}
	case predictorFloat:
		p.row = grow(p.row, stride)
		for row := range slices.Chunk(p.raw, stride) {
			floatDifferences(row, p.row, s.size, len(s.samples))
		}
	}
	switch s.method {
	case packBitsMethod:
		var out []byte
		for row := range slices.Chunk(p.raw, stride) {
			out = appendPackBits(out, row)
		}
		return out, nil
	case lzwMethod:
		if p.lzw == nil {
			p.lzw = new(lzwEncoder)
		}
		return p.lzw.encode(p.raw), nil
	case deflateMethod:
		return p.deflate()
	case zstdMethod:
		return p.zstandard()
	case jpegMethod:
		return p.jpeg(len(s.samples), at)
	}
	return slices.Clone(p.raw), nil
}

func (p *packer) deflate() ([]byte, error) {
	var out writer
	if p.zlib == nil {
		w, err := zlib.NewWriterLevel(&out, 6)
		if err != nil {
			return nil, fmt.Errorf("compressing a GeoTIFF: %w", err)
		}
		p.zlib = w
	} else {
		p.zlib.Reset(&out)
	}
	_, err := p.zlib.Write(p.raw)
	if err == nil {
		err = p.zlib.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compressing a GeoTIFF: %w", err)
	}
	return out.b, nil
}

func (p *packer) zstandard() ([]byte, error) {
	if p.zstd == nil {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil, fmt.Errorf("compressing a GeoTIFF: %w", err)
		}
		p.zstd = w
	}
	return p.zstd.EncodeAll(p.raw, nil), nil
}

func (p *packer) jpeg(samples int, at raster.Rect) ([]byte, error) {
	var out writer
	var img image.Image = &image.Gray{Pix: p.raw, Stride: at.Width, Rect: image.Rect(0, 0, at.Width, at.Height)}
	if samples == 3 {
		rgb := image.NewRGBA(image.Rect(0, 0, at.Width, at.Height))
		for i := range at.Width * at.Height {
			copy(rgb.Pix[4*i:4*i+3], p.raw[3*i:])
			rgb.Pix[4*i+3] = 255
		}
		img = rgb
	}
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: p.quality}); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "compressing a GeoTIFF: %w", err)
	}
	return out.b, nil
}

// differences replaces the samples of a row by what they add to the sample of
// the same band to their left: the predictor 2 of TIFF.
func differences(row []byte, size, n int) {
	step := size * n
	for i := len(row) - size; i >= step; i -= size {
		switch size {
		case 1:
			row[i] -= row[i-step]
		case 2:
			order.PutUint16(row[i:], order.Uint16(row[i:])-order.Uint16(row[i-step:]))
		case 4:
			order.PutUint32(row[i:], order.Uint32(row[i:])-order.Uint32(row[i-step:]))
		}
	}
}

// floatDifferences puts first the highest bytes of all samples of a row, then
// the next ones, and so on, and replaces each byte by what it adds to the one n
// before it: the predictor 3 of TIFF (Adobe, TIFF Technical Note 3).
func floatDifferences(row, memory []byte, size, n int) {
	samples := len(row) / size
	little := order.Uint16([]byte{1, 0}) == 1
	for i := range samples {
		for b := range size {
			from := b
			if little {
				from = size - 1 - b
			}
			memory[b*samples+i] = row[i*size+from]
		}
	}
	copy(row, memory[:n])
	for i := n; i < len(row); i++ {
		row[i] = memory[i] - memory[i-n]
	}
}

// appendPackBits writes a row as runs of equal bytes and as literal bytes, at
// most 128 of either.
func appendPackBits(out, row []byte) []byte {
	for len(row) > 0 {
		run := 1
		for run < len(row) && run < 128 && row[run] == row[0] {
			run++
		}
		if run > 1 {
			out = append(out, byte(1-run), row[0])
			row = row[run:]
			continue
		}
		n := 1 // up to the next run of three
		for n < len(row) && n < 128 && (n+2 >= len(row) || row[n] != row[n+1] || row[n] != row[n+2]) {
			n++
		}
		out = append(append(out, byte(n-1)), row[:n]...)
		row = row[n:]
	}
	return out
}
