package footprint

import (
	"cmp"
	"math"
	"slices"
)

// Cells tells which tiles, and which squares of 16, 256 and so on tiles along a side,
// a geometry touches. It is in the space of tiles: x and y count tiles from the
// level's upper left, so that a tile is a square whose sides are whole numbers.
// Cells are closed: what touches an edge touches both of its cells.
//
// Rows are best asked for in rising order, by one goroutine.
type Cells struct {
	edges []edge
	// width and height are the level's extent in tiles. They are not whole
	// where the last column and row are cropped.
	width, height float64
	// slack is the distance, in tiles, within which things touch: coordinates
	// are rounded, and so are the places made from them.
	slack float64
	// The edges of a row are looked for among those of the row, one depth up, that
	// it is in.
	top  int // the depth of one cell for the whole level
	rows []strip
}

// Span is a range of cells of a row, both ends in it.
type Span struct{ From, To int }

// strip is the row of a depth that was asked for last.
type strip struct {
	row   int
	edges []edge
}

// interval is a range of x.
type interval struct{ from, to float64 }

// cellsAlong is how many cells of a depth lie along a cell of the next one.
const cellsAlong = 16

// cellSide is the side of a cell of a depth, in tiles.
func cellSide(depth int) float64 { return math.Ldexp(1, 4*depth) }

// Cells gives what finds the cells that the geometry touches.
func (o *Outline) Cells() *Cells {
	size := float64(o.grid.TileSize)
	c := &Cells{width: float64(o.grid.Width) / size, height: float64(o.grid.Height) / size, slack: o.slack / size}
	c.edges = make([]edge, len(o.edges))
	for i, e := range o.edges {
		c.edges[i] = edge{e.x1 / size, e.y1 / size, e.x2 / size, e.y2 / size, e.area}
	}
	for cellSide(c.top) < max(c.width, c.height) {
		c.top++
	}
	c.rows = make([]strip, c.top+1)
	for i := range c.rows {
		c.rows[i].row = -1
	}
	return c
}

// Top is the depth at which one cell holds the whole level. Cells of depth 0 are
// tiles.
func (f *Cells) Top() int { return f.top }

// Extent is the level's width and height in tiles.
func (f *Cells) Extent() (width, height float64) { return f.width, f.height }

// Box is the box of the geometry in tiles, cut to the level; empty if it misses it.
func (f *Cells) Box() (x1, y1, x2, y2 float64, empty bool) {
	x1, y1, x2, y2 = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, e := range f.edges {
		x1, x2 = min(x1, e.x1, e.x2), max(x2, e.x1, e.x2)
		y1, y2 = min(y1, e.y1, e.y2), max(y2, e.y1, e.y2)
	}
	x1, y1, x2, y2 = max(0, x1-f.slack), max(0, y1-f.slack), min(f.width, x2+f.slack), min(f.height, y2+f.slack)
	return x1, y1, x2, y2, !(x1 <= x2 && y1 <= y2)
}

// edgesOf gives the edges that touch a row of cells.
func (f *Cells) edgesOf(depth, row int) []edge {
	if depth > f.top {
		return f.edges
	}
	if f.rows[depth].row != row {
		y1, y2 := f.extent(depth, row)
		f.rows[depth] = strip{row, f.within(f.edgesOf(depth+1, row/cellsAlong), y1, y2)}
	}
	return f.rows[depth].edges
}

// extent is where a row of cells begins and ends; the level's end crops it.
func (f *Cells) extent(depth, row int) (y1, y2 float64) {
	side := cellSide(depth)
	return float64(row) * side, min(float64(row+1)*side, f.height)
}

// Spans gives the cells of a row that the geometry touches, in order.
func (f *Cells) Spans(depth, row int) []Span {
	y1, y2 := f.extent(depth, row)
	if y1 > y2 {
		return nil
	}
	side, last := cellSide(depth), int(math.Ceil(f.width/cellSide(depth)))-1
	var all []Span
	for _, v := range f.intervals(f.edgesOf(depth, row), y1, y2) {
		// A cropped cell ends where the level ends.
		if v.to < 0 || v.from > f.width {
			continue
		}
		from := int(math.Ceil(max(v.from, 0)/side)) - 1
		to := int(math.Floor(min(v.to, f.width) / side))
		all = append(all, Span{max(from, 0), min(to, last)})
	}
	slices.SortFunc(all, func(a, b Span) int { return a.From - b.From })
	merged := all[:0]
	for _, v := range all {
		if n := len(merged); n > 0 && v.From <= merged[n-1].To+1 {
			merged[n-1].To = max(merged[n-1].To, v.To)
			continue
		}
		merged = append(merged, v)
	}
	return merged
}

// within gives those of the edges that touch rows from y1 to y2.
func (f *Cells) within(edges []edge, y1, y2 float64) []edge {
	var out []edge
	for _, e := range edges {
		if min(e.y1, e.y2) <= y2+f.slack && max(e.y1, e.y2) >= y1-f.slack {
			out = append(out, e)
		}
	}
	return out
}

// intervals gives what the geometry touches of the strip between y1 and y2:
// where edges pass through it, and where a polygon's inside does. edges are
// those within the strip. Between its edges a polygon is the same in all of the
// strip, so that one line through the middle tells inside from outside.
func (f *Cells) intervals(edges []edge, y1, y2 float64) []interval {
	var out []interval
	middle := (y1 + y2) / 2
	type crossing struct {
		area int32
		x    float64
	}
	var crossings []crossing
	for _, e := range edges {
		from, to := e.between(y1-f.slack, y2+f.slack)
		out = append(out, interval{from - f.slack, to + f.slack})
		if e.area > 0 && (e.y1 <= middle) != (e.y2 <= middle) {
			crossings = append(crossings, crossing{e.area, e.at(middle)})
		}
	}
	slices.SortFunc(crossings, func(a, b crossing) int { return cmp.Or(cmp.Compare(a.area, b.area), cmp.Compare(a.x, b.x)) })
	for i := 0; i+1 < len(crossings); {
		if crossings[i].area != crossings[i+1].area { // a ring that rounding has torn
			i++
			continue
		}
		out = append(out, interval{crossings[i].x, crossings[i+1].x})
		i += 2
	}
	return out
}

// Touches reports whether the geometry and a rectangle have a place in common, in
// tiles.
func (f *Cells) Touches(x1, y1, x2, y2 float64) bool {
	for _, v := range f.intervals(f.within(f.edges, y1, y2), y1, y2) {
		if v.from <= x2 && v.to >= x1 {
			return true
		}
	}
	return false
}
