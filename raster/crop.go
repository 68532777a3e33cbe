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

	window, whole := Rect{x, y, w, h}, Rect{Width: r.Width, Height: r.Height}
	inside := window.Intersect(whole)
	outside := inside.Width*inside.Height < w*h
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
		CopyRect(b.Pixels.Bytes(), window, src.Bytes(), whole, b.Type.Size())
		out.Bands[i] = b
	}
	if withValidity {
		out.Validity = make([]uint8, w*h)
		if r.Validity != nil {
			CopyRect(out.Validity, window, r.Validity, whole, 1)
		} else {
			for from, to := range window.Rows(inside) {
				Fill(Slice[uint8](out.Validity[from:to]), math.MaxUint8)
			}
		}
	}
	return out
}
