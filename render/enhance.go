package render

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

// Enhance changes the colours of an image after it was coloured: in the order of
// the fields, each by a factor and with the arithmetic of the Pillow library's
// ImageEnhance. 1 changes nothing, 0 gives the plain image that the field names,
// between the two both are mixed, and above 1 the image is moved away from it.
// Alpha stays as it is, and what is transparent counts as black. Nil fields, and
// so the zero value, change nothing. Factors that are not finite, or beyond 1e6
// on either side, are errors with the code invalid and a field such as
// enhance_color.
//
// Contrast depends on the mean of the image, so that tiles beside each other can
// differ, and Sharpness leaves the outermost pixels as they are: both are those
// of Pillow.
type Enhance struct {
	Color      *float64 // 0: greys
	Contrast   *float64 // 0: the mean grey of the whole image
	Brightness *float64 // 0: black
	Sharpness  *float64 // 0: smoothed
}

const maxFactor = 1e6

// check fails when a factor is no factor. It drops those that change nothing.
func (h *Enhance) check() error {
	for _, f := range []struct {
		factor **float64
		field  string
	}{
		{&h.Color, "enhance_color"}, {&h.Contrast, "enhance_contrast"},
		{&h.Brightness, "enhance_brightness"}, {&h.Sharpness, "enhance_sharpness"},
	} {
		if *f.factor == nil {
			continue
		}
		v := **f.factor
		if !(math.Abs(v) <= maxFactor) {
			return rasterbase.Errorf(rasterbase.Invalid, "%s is %v, which is no factor", f.field, v).
				WithHint("write a number such as 1.5; 1 changes nothing").WithField(f.field)
		}
		if v == 1 {
			*f.factor = nil
		}
	}
	return nil
}

// apply changes colours in place. smoothed is memory of the same length, for
// Sharpness.
func (h *Enhance) apply(px, smoothed []uint32, width int) {
	if h.Color != nil {
		for i, c := range px {
			g := grey(c)
			px[i] = blend(g|g<<8|g<<16, c, float32(*h.Color))
		}
	}
	if h.Contrast != nil {
		sum := uint64(0)
		for _, c := range px {
			sum += uint64(grey(c))
		}
		g := uint32(float64(sum)/float64(len(px)) + 0.5)
		for i, c := range px {
			px[i] = blend(g|g<<8|g<<16, c, float32(*h.Contrast))
		}
	}
	if h.Brightness != nil {
		for i, c := range px {
			px[i] = blend(0, c, float32(*h.Brightness))
		}
	}
	if h.Sharpness != nil {
		smooth(smoothed, px, width)
		for i, c := range px {
			px[i] = blend(smoothed[i], c, float32(*h.Sharpness))
		}
	}
	for i, c := range px {
		if c < 1<<24 {
			px[i] = 0
		}
	}
}

// grey is the luma of a colour by ITU-R BT.601, in the fixed-point arithmetic of
// Pillow.
func grey(c uint32) uint32 {
	return (c&0xff*19595 + c>>8&0xff*38470 + c>>16&0xff*7471 + 0x8000) >> 16
}

// blend moves from a plain colour to c and, for factors outside 0 and 1, away
// from either, in single precision and cut off to whole numbers. Alpha is that
// of c.
func blend(plain, c uint32, factor float32) uint32 {
	out := c &^ 0xffffff
	for shift := 0; shift < 24; shift += 8 {
		from, to := float32(plain>>shift&0xff), float32(c>>shift&0xff)
		v := from + float32(factor*(to-from)) // rounded twice, on every machine
		out |= uint32(max(0, min(255, v))) << shift
	}
	return out
}

// smooth gives each pixel the mean of the nine around it in which it counts
// five times. The outermost pixels stay.
func smooth(to, px []uint32, width int) {
	copy(to, px)
	for y := width; y+width < len(px); y += width {
		for x := 1; x < width-1; x++ {
			i := y + x
			out := uint32(0)
			for shift := 0; shift < 24; shift += 8 {
				sum := px[i] >> shift & 0xff * 4
				for _, row := range [3]int{i - width, i, i + width} {
					sum += px[row-1]>>shift&0xff + px[row]>>shift&0xff + px[row+1]>>shift&0xff
				}
				out |= (2*sum + 13) / 26 << shift
			}
			to[i] = out
		}
	}
}
