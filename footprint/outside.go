package footprint

import (
	"math"

	"github.com/rasterbase/rasterbase/raster"
)

// mostBeyond is how many pixels of edges are looked at for what lies beyond the grid.
const mostBeyond = 1 << 24

// Outside is how many pixels the geometry holds beyond the grid, fractions of them by
// [Fraction]. It is not known where the geometry is very much larger than the grid, or
// was cut to what of it can matter since the rest may have no place in the grid's CRS,
// or is there again a turn round the world further.
func (o *Outline) Outside(rule Rule) (pixels float64, known bool) {
	if o.partial {
		return 0, false
	}
	b, w, h := o.bounds, o.grid.Width, o.grid.Height
	if o.Empty() || b.MinX >= 0 && b.MinY >= 0 && b.MaxX < float64(w) && b.MaxY < float64(h) {
		return 0, true
	}
	if b.MaxY-b.MinY > mostRows || b.MaxX-b.MinX > 1<<40 || o.cost(rule) > mostBeyond {
		return 0, false
	}
	x1, y1 := min(int(math.Floor(b.MinX)), 0), min(int(math.Floor(b.MinY)), 0)
	x2, y2 := max(int(math.Floor(b.MaxX))+1, w), max(int(math.Floor(b.MaxY))+1, h)
	for _, r := range []raster.Rect{
		{X: x1, Y: y1, Width: x2 - x1, Height: -y1},
		{X: x1, Y: 0, Width: -x1, Height: h},
		{X: w, Y: 0, Width: x2 - w, Height: h},
		{X: x1, Y: h, Width: x2 - x1, Height: y2 - h},
	} {
		o.Spans(rule, r, func(_, from, to int, weight float64) { pixels += float64(to-from) * weight })
	}
	return pixels, true
}

// cost is about how many rows, or pixels, the edges pass through.
func (o *Outline) cost(rule Rule) (sum float64) {
	for _, e := range o.edges {
		sum += 1 + e.y2 - e.y1
		if rule == Fraction {
			sum += math.Abs(e.x2 - e.x1)
		}
	}
	return sum
}
