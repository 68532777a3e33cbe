package render

import (
	"image"
	"image/jpeg"
	"math"

	"github.com/rasterbase/rasterbase/raster"
)

const opaque = 0xff << 24

// compose makes colours of three bands.
func (e *encoder) compose(r *raster.Raster, o *Options) {
	e.keys8, e.keys16 = nil, nil
	e.buffer = grow(e.buffer, r.Width*r.Height)
	clear(e.buffer)
	e.pixels = e.buffer
	for i, band := range o.Bands {
		b := &r.Bands[band]
		s := stretch{o.Rescale[i][0], o.Rescale[i][1]}
		switch px := b.Pixels.(type) {
		case raster.Slice[uint8]:
			addBytes(e.pixels, px, b, s, 8*i)
		case raster.Slice[int8]:
			addBytes(e.pixels, px, b, s, 8*i)
		case raster.Slice[uint16]:
			addBand(e.pixels, px, b, s, 8*i)
		case raster.Slice[int16]:
			addBand(e.pixels, px, b, s, 8*i)
		case raster.Slice[uint32]:
			addBand(e.pixels, px, b, s, 8*i)
		case raster.Slice[int32]:
			addBand(e.pixels, px, b, s, 8*i)
		case raster.Slice[float32]:
			addBand(e.pixels, px, b, s, 8*i)
		case raster.Slice[float64]:
			addBand(e.pixels, px, b, s, 8*i)
		}
	}
	for i, c := range e.pixels {
		if c < opaque || r.Validity != nil && r.Validity[i] == 0 {
			e.pixels[i] = 0
		}
	}
}

// part is a value's level at its place in a colour, opaque when it is valid.
func part(b *raster.Band, s stretch, v float64, shift int) uint32 {
	c := uint32(s.level(v)) << shift
	if math.IsNaN(v) {
		c = 0
	}
	if b.IsData(v) {
		c |= opaque
	}
	return c
}

// addBand does what [part] does, in a loop of its own.
func addBand[P raster.Number](dst []uint32, px []P, b *raster.Band, s stretch, shift int) {
	nodata := nodataOf(b)
	span := s.white - s.black
	dst = dst[:len(px)]
	for i, p := range px {
		v := float64(p)
		f := 128.0
		if span != 0 {
			f = 255*(v-s.black)/span + 0.5
		}
		c := uint32(0)
		if f > 0 && v == v {
			c = uint32(min(f, 255)) << shift
		}
		if v-v == 0 && v != nodata {
			c |= opaque
		}
		dst[i] |= c
	}
}

func addBytes[P uint8 | int8](dst []uint32, px []P, b *raster.Band, s stretch, shift int) {
	var parts [256]uint32
	for i := range parts {
		parts[i] = part(b, s, float64(P(i)), shift)
	}
	dst = dst[:len(px)]
	for i, p := range px {
		dst[i] |= parts[uint8(p)]
	}
}

// writeJPEG encodes the colours over the background.
func (e *encoder) writeJPEG(o *Options) ([]byte, error) {
	if e.pixels == nil {
		e.collect()
	}
	img := image.NewRGBA(image.Rect(0, 0, e.width, e.height))
	back := [3]uint32{uint32(o.Background.R), uint32(o.Background.G), uint32(o.Background.B)}
	for i, c := range e.paint() {
		a := c >> 24
		to := img.Pix[4*i : 4*i+4]
		for k := range back {
			to[k] = uint8((c>>(8*k)&0xff*a + back[k]*(255-a) + 127) / 255)
		}
		to[3] = 255
	}
	var out writer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: o.Quality}); err != nil {
		return nil, err
	}
	return out.b, nil
}
