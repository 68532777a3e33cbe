package raster

import (
	"encoding/binary"
	"image"

	"github.com/rasterbase/rasterbase"
)

// Image colours the first band. Invalid pixels, and all pixels when m is nil or
// the raster has no bands, are transparent. The image has the raster's size and
// begins at (0, 0).
func (r *Raster) Image(m *rasterbase.Colormap) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, r.Width, r.Height))
	if m == nil || len(r.Bands) == 0 {
		return img
	}
	b := &r.Bands[0]
	switch p := b.Pixels.(type) {
	case Slice[uint8]:
		var table [1 << 8]uint32
		for i := range table {
			table[i] = b.color(m, float64(i))
		}
		for i, v := range p {
			setPixel(img.Pix, i, table[v])
		}
	case Slice[int8]:
		var table [1 << 8]uint32
		for i := range table {
			table[i] = b.color(m, float64(int8(i)))
		}
		for i, v := range p {
			setPixel(img.Pix, i, table[uint8(v)])
		}
	case Slice[int16]:
		paint(img.Pix, p, b, m)
	case Slice[uint16]:
		paint(img.Pix, p, b, m)
	case Slice[int32]:
		paint(img.Pix, p, b, m)
	case Slice[uint32]:
		paint(img.Pix, p, b, m)
	case Slice[float32]:
		paint(img.Pix, p, b, m)
	case Slice[float64]:
		paint(img.Pix, p, b, m)
	}
	for i, v := range r.Validity {
		if v == 0 {
			setPixel(img.Pix, i, 0)
		}
	}
	return img
}

// paint colours pixel by pixel. Neighbours are often equal, so that the last
// colour is kept.
func paint[T Number](pix []uint8, p Slice[T], b *Band, m *rasterbase.Colormap) {
	if len(p) == 0 {
		return
	}
	last := p[0]
	c := b.color(m, float64(last))
	for i, v := range p {
		if v != last {
			last = v
			c = b.color(m, float64(v))
		}
		setPixel(pix, i, c)
	}
}

// color is the colour of a value that may be invalid: the bytes R, G, B, A of
// an image, the first in the lowest bits.
func (b *Band) color(m *rasterbase.Colormap, v float64) uint32 {
	if !b.IsData(v) {
		return 0
	}
	c := m.At(v)
	return uint32(c.R) | uint32(c.G)<<8 | uint32(c.B)<<16 | uint32(c.A)<<24
}

func setPixel(pix []uint8, i int, c uint32) { binary.LittleEndian.PutUint32(pix[4*i:], c) }
