package raster

// Rect is a rectangle of pixels of a larger grid, counted from its upper left.
type Rect struct{ X, Y, Width, Height int }

// Intersect is what two rectangles have in common; the zero Rect when that is
// nothing.
func (a Rect) Intersect(b Rect) Rect {
	c := Rect{X: max(a.X, b.X), Y: max(a.Y, b.Y)}
	// Compared from where each begins, so that no sum overflows.
	c.Width = min(a.Width-(c.X-a.X), b.Width-(c.X-b.X))
	c.Height = min(a.Height-(c.Y-a.Y), b.Height-(c.Y-b.Y))
	if c.Width <= 0 || c.Height <= 0 || c.X-a.X < 0 || c.X-b.X < 0 || c.Y-a.Y < 0 || c.Y-b.Y < 0 {
		return Rect{}
	}
	return c
}

// index is where a pixel of the grid lies in the rectangle, row by row.
func (a Rect) index(x, y int) int { return (y-a.Y)*a.Width + x - a.X }

// Rows gives for each row of part, which lies in the rectangle, the range of
// its pixels in the rectangle's: from, and up to but not including to.
func (a Rect) Rows(part Rect) func(yield func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		for y := range part.Height {
			from := a.index(part.X, part.Y+y)
			if !yield(from, from+part.Width) {
				return
			}
		}
	}
}

// CopyRect copies the pixels that two rectangles of one grid have in common
// from those of one, row by row, to those of the other. size is the bytes of a
// pixel.
func CopyRect(dst []byte, to Rect, src []byte, from Rect, size int) {
	part := to.Intersect(from)
	n := part.Width * size
	for y := part.Y; y < part.Y+part.Height; y++ {
		d, s := to.index(part.X, y)*size, from.index(part.X, y)*size
		copy(dst[d:d+n], src[s:s+n])
	}
}
