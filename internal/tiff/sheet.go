package tiff

import (
	"image/color"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Sheet is the pixels of one image of a TIFF: of a raster, of a reduced form of
// it, or of a mask. Packing needs all of it but Tile, Reduced and Palette.
type Sheet struct {
	Width, Height int
	Type          rasterbase.PixelType
	Bands         int // samples of a pixel
	// Samples has a slice for each band: pixels row by row, in the machine's byte
	// order; a byte for those of less than 8 bits and for masks, which are 0 and 1.
	// It is not needed for the directory.
	Samples   [][]byte
	Mask      bool // the pixels say where others are valid; the type is Bit1
	Method    Method
	Predictor uint16 // 0: none
	Tile      int    // pixels along a side of a tile; 0: one strip
	Reduced   bool   // an overview
	// Palette is the colour table, of one band of whole numbers of up to 8 bits;
	// nil: none.
	Palette *[256]color.NRGBA
}

// Sample formats of TIFF.
const (
	formatUnsigned = 1
	formatSigned   = 2
	formatFloat    = 3
)

// bits is the bits of a sample.
func (s *Sheet) bits() int {
	switch s.Type {
	case rasterbase.Bit1:
		return 1
	case rasterbase.Uint2:
		return 2
	case rasterbase.Uint4:
		return 4
	}
	return 8 * s.Type.Size()
}

func (s *Sheet) format() uint16 {
	switch s.Type {
	case rasterbase.Int8, rasterbase.Int16, rasterbase.Int32:
		return formatSigned
	case rasterbase.Float32, rasterbase.Float64:
		return formatFloat
	}
	return formatUnsigned
}

// Directory says what the sheet is, but for its blocks.
func (s *Sheet) Directory() *Directory {
	d := &Directory{}
	subfile := uint32(0)
	if s.Mask {
		subfile |= subfileMask
	}
	if s.Reduced {
		subfile |= subfileReduced
	}
	if subfile != 0 {
		d.long(tagSubfile, subfile)
	}
	d.long(tagWidth, uint32(s.Width))
	d.long(tagHeight, uint32(s.Height))
	d.short(tagBits, repeat(uint16(s.bits()), s.Bands)...)
	d.short(tagCompression, uint16(s.Method))
	d.short(tagSamples, uint16(s.Bands))
	d.short(tagPlanar, planarInterleaved)
	d.short(tagSampleFormat, repeat(s.format(), s.Bands)...)
	if s.Predictor != 0 {
		d.short(tagPredictor, s.Predictor)
	}
	if s.Tile > 0 {
		d.long(tagTileWidth, uint32(s.Tile))
		d.long(tagTileHeight, uint32(s.Tile))
	} else {
		d.long(tagRowsPerStrip, uint32(s.Height))
	}
	s.photometric(d)
	return d
}

// photometric says how samples are meant: three bands of bytes are a picture.
func (s *Sheet) photometric(d *Directory) {
	picture := s.Bands == 3 && s.Type == rasterbase.Uint8
	if s.Bands > 1 && (s.Mask || !picture) {
		d.short(tagExtraSamples, repeat(uint16(0), s.Bands-1)...) // of no known meaning
	}
	switch {
	case s.Mask:
		d.short(tagPhotometric, photometricMask)
	case picture && s.Method == JPEG:
		d.short(tagPhotometric, photometricYCbCr)
		d.short(tagSubsampling, 2, 2)
		bw := Field{tag: tagReferenceBW, kind: typeRational, count: 6}
		for _, v := range []uint32{0, 255, 128, 255, 128, 255} {
			bw.data = order.AppendUint32(order.AppendUint32(bw.data, v), 1)
		}
		d.Add(bw)
	case picture:
		d.short(tagPhotometric, photometricRGB)
	case s.Palette != nil:
		d.short(tagPhotometric, photometricPalette)
		d.short(tagColorMap, s.colorMap()...)
	default:
		d.short(tagPhotometric, photometricGrey)
	}
}

// colorMap is the palette as TIFF has it: all reds, all greens, all blues, of 16
// bits each.
func (s *Sheet) colorMap() []uint16 {
	n := 1 << s.bits()
	out := make([]uint16, 3*n)
	for i, c := range s.Palette[:n] {
		out[i], out[n+i], out[2*n+i] = 257*uint16(c.R), 257*uint16(c.G), 257*uint16(c.B)
	}
	return out
}

func repeat(v uint16, n int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// Blocks gives the rectangles of the strip, or of the tiles row by row; tiles at
// the right and lower edge reach beyond the sheet.
func (s *Sheet) Blocks() (out []raster.Rect) {
	if s.Tile == 0 {
		return []raster.Rect{{Width: s.Width, Height: s.Height}}
	}
	for y := 0; y < s.Height; y += s.Tile {
		for x := 0; x < s.Width; x += s.Tile {
			out = append(out, raster.Rect{X: x, Y: y, Width: s.Tile, Height: s.Tile})
		}
	}
	return out
}

// rowBytes is the length of a row of so many pixels.
func (s *Sheet) rowBytes(width int) int { return (width*len(s.Samples)*s.bits() + 7) / 8 }

// block writes the samples of a rectangle, which may reach beyond the image,
// interleaved: row by row, each beginning with a byte. Beyond the image its
// last column and row are repeated.
func (s *Sheet) block(dst []byte, at raster.Rect) {
	stride, n, size := s.rowBytes(at.Width), len(s.Samples), s.Type.Size()
	inside := min(at.Width, s.Width-at.X)
	for y := range at.Height {
		row := dst[y*stride : (y+1)*stride]
		from := min(at.Y+y, s.Height-1)*s.Width + at.X
		for k, px := range s.Samples {
			part := px[from*size : (from+inside)*size]
			switch {
			case s.bits() < 8:
				s.bitsInto(row, part, k, at.Width)
			case n == 1:
				copy(row, part)
			default:
				interleave(row[k*size:], part, size, n)
			}
		}
		if s.bits() >= 8 {
			each := n * size
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
func (s *Sheet) bitsInto(row, px []byte, k, width int) {
	if k == 0 {
		clear(row)
	}
	n, bits := len(s.Samples), s.bits()
	keep := byte(1)<<bits - 1
	for x := range width {
		v := px[min(x, len(px)-1)] & keep
		bit := (x*n + k) * bits
		row[bit/8] |= v << (8 - bits - bit%8)
	}
}
