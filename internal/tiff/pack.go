package tiff

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/jpeg"
	"slices"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Packer packs blocks, in memory of its own. The zero value is ready to use; it
// belongs to one goroutine.
type Packer struct {
	Quality  int // of JPEG, 1 to 100; 0 is 85
	raw, row []byte
	lzw      *lzwEncoder
	zlib     *zlib.Writer
	zstd     *zstd.Encoder
}

// defaultQuality is that of JPEG when none is given.
const defaultQuality = 85

// Pack gives the bytes of a rectangle of a sheet as its method packs them. Where it
// reaches beyond the sheet, the last column and row are repeated.
func (p *Packer) Pack(s *Sheet, at raster.Rect) ([]byte, error) {
	stride := s.rowBytes(at.Width)
	p.raw = grow(p.raw, stride*at.Height)
	s.block(p.raw, at)
	switch s.Predictor {
	case predictorDifference:
		for row := range slices.Chunk(p.raw, stride) {
			differences(row, s.Type.Size(), len(s.Samples))
		}
	case predictorFloat:
		p.row = grow(p.row, stride)
		for row := range slices.Chunk(p.raw, stride) {
			floatDifferences(row, p.row, s.Type.Size(), len(s.Samples))
		}
	}
	switch s.Method {
	case PackBits:
		var out []byte
		for row := range slices.Chunk(p.raw, stride) {
			out = appendPackBits(out, row)
		}
		return out, nil
	case LZW:
		if p.lzw == nil {
			p.lzw = new(lzwEncoder)
		}
		return p.lzw.encode(p.raw), nil
	case Deflate:
		return p.deflate()
	case ZSTD:
		return p.zstandard()
	case JPEG:
		return p.jpeg(len(s.Samples), at)
	}
	return slices.Clone(p.raw), nil
}

func (p *Packer) deflate() ([]byte, error) {
	var out bytes.Buffer
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
	return out.Bytes(), nil
}

func (p *Packer) zstandard() ([]byte, error) {
	if p.zstd == nil {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil, fmt.Errorf("compressing a GeoTIFF: %w", err)
		}
		p.zstd = w
	}
	return p.zstd.EncodeAll(p.raw, nil), nil
}

func (p *Packer) jpeg(samples int, at raster.Rect) ([]byte, error) {
	var out bytes.Buffer
	var img image.Image = &image.Gray{Pix: p.raw, Stride: at.Width, Rect: image.Rect(0, 0, at.Width, at.Height)}
	if samples == 3 {
		rgb := image.NewRGBA(image.Rect(0, 0, at.Width, at.Height))
		for i := range at.Width * at.Height {
			copy(rgb.Pix[4*i:4*i+3], p.raw[3*i:])
			rgb.Pix[4*i+3] = 255
		}
		img = rgb
	}
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: cmp.Or(p.Quality, defaultQuality)}); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "compressing a GeoTIFF: %w", err)
	}
	return out.Bytes(), nil
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

// grow gives a slice of n bytes, of the memory given when that is enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
