package render

import (
	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// sheet is the pixels of one image of a TIFF: of the raster itself or of its
// mask.
type sheet struct {
	width, height int
	bits          int // of a sample
	size          int // bytes of a sample in memory
	format        uint16
	samples       [][]byte // a slice for each band: pixels row by row
	mask          bool
	method        method
	predictor     uint16 // 0: none
	tiled         bool
}

// Sample formats of TIFF.
const (
	formatUnsigned = 1
	formatSigned   = 2
	formatFloat    = 3
)

// pixelSheet lays out the bands of a raster as pixels of one type.
func pixelSheet(r *raster.Raster, t rasterbase.PixelType, m method) *sheet {
	s := &sheet{width: r.Width, height: r.Height, bits: 8 * t.Size(), size: t.Size(), format: formatUnsigned, method: m}
	switch t {
	case rasterbase.Bit1:
		s.bits = 1
	case rasterbase.Uint2:
		s.bits = 2
	case rasterbase.Uint4:
		s.bits = 4
	case rasterbase.Int8, rasterbase.Int16, rasterbase.Int32:
		s.format = formatSigned
	case rasterbase.Float32, rasterbase.Float64:
		s.format = formatFloat
	}
	s.tiled = max(s.width, s.height) > maxStrip
	for _, b := range r.Bands {
		px := b.Pixels
		if b.Type.Size() != t.Size() || b.Type.IsFloat() != t.IsFloat() {
			px = raster.NewPixels(t, px.Len())
			for i := range px.Len() {
				px.Set(i, b.Pixels.At(i))
			}
		}
		s.samples = append(s.samples, px.Bytes())
	}
	s.predictor = m.predictor(t, r)
	return s
}

// maskSheet lays out a mask, which has a slice of 0 and 1 for all bands or for
// each. Masks are packed without loss, whatever the method of the pixels is.
func maskSheet(r *raster.Raster, mask [][]byte, m method) *sheet {
	switch m {
	case noMethod:
		m = packBitsMethod // a mask is mostly runs
	case jpegMethod:
		m = deflateMethod
	}
	return &sheet{
		width: r.Width, height: r.Height, bits: 1, size: 1, format: formatUnsigned, samples: mask,
		mask: true, method: m, tiled: max(r.Width, r.Height) > maxStrip,
	}
}

// directory says what the sheet is, but for its blocks.
func (s *sheet) directory() *directory {
	d := &directory{}
	n := len(s.samples)
	if s.mask {
		d.long(tagSubfile, subfileMask)
	}
	d.long(tagWidth, uint32(s.width))
	d.long(tagHeight, uint32(s.height))
	d.short(tagBits, repeat(uint16(s.bits), n)...)
	d.short(tagCompression, uint16(s.method))
	d.short(tagSamples, uint16(n))
	d.short(tagPlanar, planarInterleaved)
	d.short(tagSampleFormat, repeat(s.format, n)...)
	if s.predictor != 0 {
		d.short(tagPredictor, s.predictor)
	}
	if s.tiled {
		d.long(tagTileWidth, tiffTile)
		d.long(tagTileHeight, tiffTile)
	} else {
		d.long(tagRowsPerStrip, uint32(s.height))
	}
	s.photometric(d)
	return d
}

// photometric says how samples are meant: three bands of bytes are a picture.
func (s *sheet) photometric(d *directory) {
	n := len(s.samples)
	switch picture := n == 3 && s.bits == 8 && s.format == formatUnsigned; {
	case s.mask:
		d.short(tagPhotometric, photometricMask)
	case picture && s.method == jpegMethod:
		d.short(tagPhotometric, photometricYCbCr)
		d.short(tagSubsampling, 2, 2)
		bw := field{tag: tagReferenceBW, kind: typeRational, count: 6}
		for _, v := range []uint32{0, 255, 128, 255, 128, 255} {
			bw.data = order.AppendUint32(order.AppendUint32(bw.data, v), 1)
		}
		d.add(bw)
	case picture:
		d.short(tagPhotometric, photometricRGB)
	default:
		d.short(tagPhotometric, photometricGrey)
		if n > 1 {
			d.short(tagExtraSamples, repeat(uint16(0), n-1)...) // of no known meaning
		}
	}
}

func repeat(v uint16, n int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// pack gives the packed strip, or the tiles row by row.
func (s *sheet) pack(p *packer) ([][]byte, error) {
	if !s.tiled {
		b, err := p.pack(s, raster.Rect{Width: s.width, Height: s.height})
		return [][]byte{b}, err
	}
	var out [][]byte
	for y := 0; y < s.height; y += tiffTile {
		for x := 0; x < s.width; x += tiffTile {
			b, err := p.pack(s, raster.Rect{X: x, Y: y, Width: tiffTile, Height: tiffTile})
			if err != nil {
				return nil, err
			}
			out = append(out, b)
		}
	}
	return out, nil
}

// rowBytes is the length of a row of so many pixels.
func (s *sheet) rowBytes(width int) int { return (width*len(s.samples)*s.bits + 7) / 8 }

// block writes the samples of a rectangle, which may reach beyond the image,
// interleaved: row by row, each beginning with a byte. Beyond the image its
// last column and row are repeated.
func (s *sheet) block(dst []byte, at raster.Rect) {
	stride, n := s.rowBytes(at.Width), len(s.samples)
	inside := min(at.Width, s.width-at.X)
	for y := range at.Height {
		row := dst[y*stride : (y+1)*stride]
		from := min(at.Y+y, s.height-1)*s.width + at.X
		for k, px := range s.samples {
			part := px[from*s.size : (from+inside)*s.size]
			switch {
			case s.bits < 8:
				s.bitsInto(row, part, k, at.Width)
			case n == 1:
				copy(row, part)
			default:
				interleave(row[k*s.size:], part, s.size, n)
			}
		}
		if s.bits >= 8 {
			each := n * s.size
			for x := inside * each; x < stride; x += each {
				copy(row[x:x+each], row[x-each:x])
			}
		}
	}
}

// interleave spreads samples of some bytes over every n-th place.
func interleave(row, px []byte, size, n int) {
	step := size * n
	switch size {
	case 1:
		for i, v := range px {
			row[i*step] = v
		}
	case 2:
		for i := 0; i < len(px); i += 2 {
			order.PutUint16(row[i*n:], order.Uint16(px[i:]))
		}
	case 4:
		for i := 0; i < len(px); i += 4 {
			order.PutUint32(row[i*n:], order.Uint32(px[i:]))
		}
	default:
		for i := 0; i < len(px); i += size {
			copy(row[i*n:i*n+size], px[i:])
		}
	}
}

// bitsInto packs band k of a row from the highest bit of each byte on.
func (s *sheet) bitsInto(row, px []byte, k, width int) {
	if k == 0 {
		clear(row)
	}
	n, keep := len(s.samples), byte(1)<<s.bits-1
	for x := range width {
		v := px[min(x, len(px)-1)] & keep
		bit := (x*n + k) * s.bits
		row[bit/8] |= v << (8 - s.bits - bit%8)
	}
}
