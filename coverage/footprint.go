package coverage

import (
	"cmp"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase/store"
)

// footprint is a geometry in the space of a level's tiles: x and y count tiles
// from the level's upper left, so that a tile is a square whose sides are whole
// numbers, whatever skew or rotation the grid has. Tiles are closed: what
// touches an edge intersects both of its tiles.
type footprint struct {
	edges []edge
	// width and height are the level's extent in tiles. They are not whole
	// where the last column and row are cropped.
	width, height float64
	// slack is the distance, in tiles, within which things touch: coordinates
	// are rounded, and so are the places made from them.
	slack float64
}

// edge is a straight piece of a geometry. A point is one without length.
type edge struct {
	x1, y1, x2, y2 float64
	// area numbers the polygon that the edge bounds, from 1; 0 for lines and
	// points.
	area int
}

// span is a range of cells of a row, both ends in it.
type span struct{ from, to int }

// interval is a range of x.
type interval struct{ from, to float64 }

// cells is the side of a cell of a depth of the summaries, in tiles.
func cells(depth int) float64 { return math.Ldexp(1, 4*depth) }

// box is the box of the geometry, cut to the level; empty if it misses it.
func (f *footprint) box() (x1, y1, x2, y2 float64, empty bool) {
	x1, y1, x2, y2 = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, e := range f.edges {
		x1, x2 = min(x1, e.x1, e.x2), max(x2, e.x1, e.x2)
		y1, y2 = min(y1, e.y1, e.y2), max(y2, e.y1, e.y2)
	}
	x1, y1, x2, y2 = max(0, x1-f.slack), max(0, y1-f.slack), min(f.width, x2+f.slack), min(f.height, y2+f.slack)
	return x1, y1, x2, y2, !(x1 <= x2 && y1 <= y2)
}

// pages is the box of the summary pages of a depth that hold the cells the
// geometry's box touches.
func (f *footprint) pages(depth int) (b store.PageBox, empty bool) {
	x1, y1, x2, y2, empty := f.box()
	if empty {
		return b, true
	}
	side := cells(depth + 1)
	first := func(v float64) int { return max(0, int(math.Ceil(v/side))-1) }
	last := func(v, most float64) int { return int(min(math.Floor(v/side), math.Ceil(most/side)-1)) }
	return store.PageBox{MinX: first(x1), MinY: first(y1), MaxX: last(x2, f.width), MaxY: last(y2, f.height)}, false
}

// within gives those of the edges that touch rows from y1 to y2.
func (f *footprint) within(edges []edge, y1, y2 float64) []edge {
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
func (f *footprint) intervals(edges []edge, y1, y2 float64) []interval {
	var out []interval
	middle := (y1 + y2) / 2
	type crossing struct {
		area int
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
	slices.SortFunc(crossings, func(a, b crossing) int { return cmp.Or(a.area-b.area, cmp.Compare(a.x, b.x)) })
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

// between is the range of x of an edge between y1 and y2, which it touches.
func (e edge) between(y1, y2 float64) (from, to float64) {
	a, b := e.x1, e.x2
	if e.y1 != e.y2 {
		a, b = e.at(min(max(e.y1, y1), y2)), e.at(min(max(e.y2, y1), y2))
	}
	return min(a, b), max(a, b)
}

// at is the x of an edge at y, which is between its ends.
func (e edge) at(y float64) float64 {
	switch y {
	case e.y1:
		return e.x1
	case e.y2:
		return e.x2
	}
	return e.x1 + (y-e.y1)/(e.y2-e.y1)*(e.x2-e.x1)
}

// touches reports whether the geometry and a rectangle have a place in common.
func (f *footprint) touches(x1, y1, x2, y2 float64) bool {
	for _, v := range f.intervals(f.within(f.edges, y1, y2), y1, y2) {
		if v.from <= x2 && v.to >= x1 {
			return true
		}
	}
	return false
}

// strips finds the cells that a footprint touches, row by row. Rows are asked
// for in rising order: the edges of a row are looked for among those of the row
// of pages that it is in.
type strips struct {
	*footprint
	top  int // the depth of one cell for the whole level
	rows []strip
}

// strip is the row of a depth that was asked for last.
type strip struct {
	row   int
	edges []edge
}

func newStrips(f *footprint) *strips {
	s := &strips{footprint: f}
	for cells(s.top) < max(f.width, f.height) {
		s.top++
	}
	s.rows = make([]strip, s.top+1)
	for i := range s.rows {
		s.rows[i].row = -1
	}
	return s
}

// edgesOf gives the edges that touch a row of cells.
func (s *strips) edgesOf(depth, row int) []edge {
	if depth > s.top {
		return s.edges
	}
	if s.rows[depth].row != row {
		y1, y2 := s.extent(depth, row)
		s.rows[depth] = strip{row, s.within(s.edgesOf(depth+1, row/store.PageSize), y1, y2)}
	}
	return s.rows[depth].edges
}

// extent is where a row of cells begins and ends; the level's end crops it.
func (s *strips) extent(depth, row int) (y1, y2 float64) {
	side := cells(depth)
	return float64(row) * side, min(float64(row+1)*side, s.height)
}

// spans gives the cells of a row that the geometry touches, in order.
func (s *strips) spans(depth, row int) []span {
	y1, y2 := s.extent(depth, row)
	if y1 > y2 {
		return nil
	}
	side, last := cells(depth), int(math.Ceil(s.width/cells(depth)))-1
	var all []span
	for _, v := range s.intervals(s.edgesOf(depth, row), y1, y2) {
		// A cropped cell ends where the level ends.
		if v.to < 0 || v.from > s.width {
			continue
		}
		from := int(math.Ceil(max(v.from, 0)/side)) - 1
		to := int(math.Floor(min(v.to, s.width) / side))
		all = append(all, span{max(from, 0), min(to, last)})
	}
	slices.SortFunc(all, func(a, b span) int { return a.from - b.from })
	merged := all[:0]
	for _, v := range all {
		if n := len(merged); n > 0 && v.from <= merged[n-1].to+1 {
			merged[n-1].to = max(merged[n-1].to, v.to)
			continue
		}
		merged = append(merged, v)
	}
	return merged
}

// holds reports whether a cell is in one of the spans.
func holds(spans []span, x int) bool {
	i, _ := slices.BinarySearchFunc(spans, x, func(s span, x int) int { return cmp.Compare(s.to, x) })
	return i < len(spans) && spans[i].from <= x
}
