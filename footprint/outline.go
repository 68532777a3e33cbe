package footprint

import (
	"math"

	"github.com/rasterbase/rasterbase/raster"
)

// Outline is a geometry in the space of a grid's pixels, where pixel (0,0) is the
// square from 0,0 to 1,1, whatever skew or rotation the grid has. It does not
// change, and several goroutines may ask it.
type Outline struct {
	grid     Grid
	edges    []edge
	boxes    []Box // of areas 1, 2 and so on
	bounds   Box   // of all edges
	slack    float64
	vertices int
	// partial says that the geometry was cut to what can matter, or is there more
	// than once, a turn round the world further.
	partial bool
	index   index
}

// Box is the box of an area in pixels. It is not cut to the grid.
type Box struct{ MinX, MinY, MaxX, MaxY float64 }

var noBox = Box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}

func (b *Box) add(e edge) {
	b.MinX, b.MaxX = min(b.MinX, e.x1, e.x2), max(b.MaxX, e.x1, e.x2)
	b.MinY, b.MaxY = min(b.MinY, e.y1), max(b.MaxY, e.y2)
}

// finish makes what is known of all edges.
func (o *Outline) finish() {
	o.bounds = noBox
	for _, e := range o.edges {
		o.bounds.add(e)
		if e.area > 0 {
			for len(o.boxes) < int(e.area) {
				o.boxes = append(o.boxes, noBox)
			}
			o.boxes[e.area-1].add(e)
		}
	}
	o.index.make(o)
}

// Empty reports whether there is nothing: no geometry, or none that has a place in
// the grid's CRS.
func (o *Outline) Empty() bool { return len(o.edges) == 0 }

// HasArea reports whether there are areas, besides lines and points.
func (o *Outline) HasArea() bool { return len(o.boxes) > 0 }

// AreasOnly reports whether there is nothing but areas.
func (o *Outline) AreasOnly() bool {
	for _, e := range o.edges {
		if e.area <= 0 {
			return false
		}
	}
	return true
}

// Vertices is how many vertices the geometry has.
func (o *Outline) Vertices() int { return o.vertices }

// Boxes gives the box of each area, those a turn round the world further
// included.
func (o *Outline) Boxes() []Box { return o.boxes }

// Slack is the distance in pixels within which things touch: coordinates are
// rounded, and so are the places made from them.
func (o *Outline) Slack() float64 { return o.slack }

// Mask tells which pixels of a rectangle the geometry holds by [Centre]: a byte a
// pixel, row by row, 255 inside and 0 outside. It is nil when all are inside; none
// says that none is.
func (o *Outline) Mask(r raster.Rect) (mask []uint8, none bool) {
	mask = make([]uint8, r.Width*r.Height)
	inside := 0
	o.Spans(Centre, r, func(row, from, to int, _ float64) {
		i := (row-r.Y)*r.Width - r.X
		raster.Fill(raster.Slice[uint8](mask[i+from:i+to]), 255)
		inside += to - from
	})
	if inside == len(mask) {
		return nil, false
	}
	return mask, inside == 0
}

// Bounds is the smallest rectangle of those pixels of r that the geometry holds by
// [Centre]; the zero Rect when there are none.
func (o *Outline) Bounds(r raster.Rect) raster.Rect {
	x1, y1, x2, y2 := math.MaxInt, math.MaxInt, math.MinInt, math.MinInt
	o.Spans(Centre, r, func(row, from, to int, _ float64) {
		x1, x2 = min(x1, from), max(x2, to)
		y1, y2 = min(y1, row), max(y2, row+1)
	})
	if x1 >= x2 {
		return raster.Rect{}
	}
	return raster.Rect{X: x1, Y: y1, Width: x2 - x1, Height: y2 - y1}
}
