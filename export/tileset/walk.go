package tileset

import (
	"iter"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/xyz"
)

// boxes are the bounds in EPSG:3857.
func boxes(b rasterbase.Bounds) []xyz.Box {
	box := func(west, east float64) xyz.Box {
		var r xyz.Box
		r.MinX, r.MinY = xyz.FromLonLat(west, b.South)
		r.MaxX, r.MaxY = xyz.FromLonLat(east, b.North)
		// The ends of the world are exact, so that no rounding adds or loses a column.
		if west == -180 {
			r.MinX = -xyz.HalfWorld
		}
		if east == 180 {
			r.MaxX = xyz.HalfWorld
		}
		return r
	}
	switch {
	case b.West <= b.East:
		return []xyz.Box{box(b.West, b.East)}
	case b.West == 180: // it begins at the antimeridian, and ends there in the next case
		return []xyz.Box{box(-180, b.East)}
	case b.East == -180:
		return []xyz.Box{box(b.West, 180)}
	}
	return []xyz.Box{box(b.West, 180), box(-180, b.East)}
}

// span is a range of columns and rows, inclusive.
type span struct{ minX, minY, maxX, maxY int }

// spans are the tiles of a zoom that meet the bounds. They do not overlap.
func (p *Plan) spans(z int) []span {
	var all []span
	for _, b := range p.boxes {
		var s span
		if s.minX, s.minY, s.maxX, s.maxY = xyz.Cover(b, z); s.minX <= s.maxX && s.minY <= s.maxY {
			all = append(all, s)
		}
	}
	// Both sides of the antimeridian can meet in one column, the widest of tiles.
	if len(all) == 2 && all[1].maxX >= all[0].minX {
		return []span{{0, all[0].minY, xyz.Side(z) - 1, all[0].maxY}}
	}
	return all
}

// count is the number of tiles of a zoom that meet the bounds.
func (p *Plan) count(z int) int64 {
	n := int64(0)
	for _, s := range p.spans(z) {
		n += int64(s.maxX-s.minX+1) * int64(s.maxY-s.minY+1)
	}
	return n
}

// All are the tiles that meet the bounds, from the smallest zoom to the largest,
// and within a zoom along the Hilbert curve: in the order of [ID]. Neighbours come
// soon after each other, so that what was read for one is still there for the
// next.
func (p *Plan) All() iter.Seq[xyz.Tile] {
	return func(yield func(xyz.Tile) bool) {
		for z := p.MinZoom; z <= p.MaxZoom; z++ {
			w := walk{z: z, spans: p.spans(z), yield: yield}
			if !w.square(0, 0, z, curve{}) {
				return
			}
		}
	}
}

// walk goes through the tiles of a zoom.
type walk struct {
	z     int
	spans []span
	yield func(xyz.Tile) bool
}

// square goes through a square of 2^size tiles a side whose upper left one is x, y.
// It reports whether there is to be more. Squares without a tile of the spans are
// left out whole.
func (w *walk) square(x, y, size int, c curve) bool {
	side := 1 << size
	meets := false
	for _, s := range w.spans {
		meets = meets || x <= s.maxX && x+side > s.minX && y <= s.maxY && y+side > s.minY
	}
	if !meets {
		return true
	}
	if size == 0 {
		return w.yield(xyz.Tile{Z: w.z, X: x, Y: y})
	}
	half := side / 2
	for i := range 4 {
		dx, dy, inner := c.step(i)
		if !w.square(x+dx*half, y+dy*half, size-1, inner) {
			return false
		}
	}
	return true
}

// curve is one of the four ways in which the Hilbert curve goes through a square.
// The zero value goes from the upper left to the upper right corner by way of
// the lower ones; swapped exchanges the axes, and turned goes backwards through
// both.
type curve struct{ swapped, turned bool }

// step is the i-th quarter of a square that the curve visits, and how it goes
// through that quarter: the first with its axes exchanged, the last so and turned.
func (c curve) step(i int) (dx, dy int, inner curve) {
	dx, dy = i>>1, (i>>1)^(i&1)
	if c.swapped {
		dx, dy = dy, dx
	}
	if c.turned {
		dx, dy = 1-dx, 1-dy
	}
	inner = c
	switch i {
	case 0:
		inner.swapped = !c.swapped
	case 3:
		inner = curve{swapped: !c.swapped, turned: !c.turned}
	}
	return dx, dy, inner
}

// ID is the number of a tile as PMTiles counts them: zoom after zoom from 0, and
// within a zoom along the Hilbert curve that begins at the upper left tile and
// ends at the upper right one.
func ID(t xyz.Tile) uint64 {
	id := (uint64(1)<<(2*t.Z) - 1) / 3 // tiles of all zooms below: 1 + 4 + 16 + …
	var c curve
	for size := t.Z - 1; size >= 0; size-- {
		x, y := t.X>>size&1, t.Y>>size&1
		for i := range 4 {
			if dx, dy, inner := c.step(i); dx == x && dy == y {
				id += uint64(i) << (2 * size)
				c = inner
				break
			}
		}
	}
	return id
}
