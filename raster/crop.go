package raster

import "math"

// Crop copies the window of w times h pixels whose upper left pixel is column x
// and row y, and places the copy on the grid where the window was. The window
// may reach outside the raster. Pixels there are invalid: they hold the band's
// nodata, or NaN in a floating-point band without one, and are 0 in Validity.
// When an integer band has no nodata, the copy gets a Validity for that. A
// negative width or height counts as 0.
func (r *Raster) Crop(x, y, w, h int) *Raster {
	w, h = max(w, 0), max(h, 0)
	g := r.Grid
	g.OriginX, g.OriginY = r.World(float64(x), float64(y))
	g.Width, g.Height = w, h
	out := &Raster{Grid: g, SRID: r.SRID, Bands: make([]Band, len(r.Bands))}

	c := clip(x, y, w, h, r.Width, r.Height)
	outside := c.w*c.h < w*h
	withValidity := r.Validity != nil
	for i := range r.Bands {
		b := r.Bands[i] // header copied
		src := b.Pixels
		b.Pixels = NewPixels(b.Type, w*h)
		if outside {
			switch {
			case b.nodataCounts():
				Fill(b.Pixels, b.Nodata)
			case b.Type.IsFloat():
				Fill(b.Pixels, math.NaN())
			default:
				withValidity = true
			}
		}
		c.copyRows(b.Pixels.Bytes(), w, src.Bytes(), r.Width, b.Type.Size())
		out.Bands[i] = b
	}
	if withValidity {
		out.Validity = make([]uint8, w*h)
		if r.Validity != nil {
			c.copyRows(out.Validity, w, r.Validity, r.Width, 1)
		} else {
			for row := range c.h {
				from := (c.dy+row)*w + c.dx
				Fill(Slice[uint8](out.Validity[from:from+c.w]), math.MaxUint8)
			}
		}
	}
	return out
}

// part is the part of a window that lies in a raster: w times h pixels at
// (sx, sy) of the raster and (dx, dy) of the window.
type part struct{ sx, sy, dx, dy, w, h int }

func clip(x, y, w, h, width, height int) part {
	p := part{sx: max(x, 0), sy: max(y, 0)}
	// Compared from the window's side, so that no sum overflows.
	p.w = min(w-(p.sx-x), width-p.sx)
	p.h = min(h-(p.sy-y), height-p.sy)
	if p.w <= 0 || p.h <= 0 || x <= -w || y <= -h {
		return part{}
	}
	p.dx, p.dy = p.sx-x, p.sy-y
	return p
}

// copyRows copies the part from pixels of a raster to those of the window;
// strides count pixels, size is the bytes of one.
func (p part) copyRows(dst []byte, dstStride int, src []byte, srcStride, size int) {
	n := p.w * size
	for row := range p.h {
		d := ((p.dy+row)*dstStride + p.dx) * size
		s := ((p.sy+row)*srcStride + p.sx) * size
		copy(dst[d:d+n], src[s:s+n])
	}
}
