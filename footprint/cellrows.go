package footprint

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// CellSpan is a run of tiles of a row: From, and up to but not including To.
type CellSpan struct {
	From, To int
	Inside   bool // every pixel of them is held, with weight 1; else some may be
}

// CellRows gives the rows of tiles that hold pixels of the geometry, from the top
// down, each with its runs of tiles from left to right; tiles that are left out hold
// none. The tiles of a run that is not inside are those that an edge passes through.
// Tiles end where the grid ends.
func (o *Outline) CellRows(rule Rule) iter.Seq2[int, []CellSpan] {
	return func(yield func(int, []CellSpan) bool) {
		if o.Empty() {
			return
		}
		size := o.grid.TileSize
		first := max(o.index.from, 0)
		last := min(o.index.from+o.index.n, (o.grid.Height+size-1)/size)
		for row := first; row < last; row++ {
			if spans := o.cellRow(rule, row); len(spans) > 0 && !yield(row, spans) {
				return
			}
		}
	}
}

// cellRow gives the runs of a row of tiles.
func (o *Outline) cellRow(rule Rule, row int) []CellSpan {
	size := o.grid.TileSize
	columns := (o.grid.Width + size - 1) / size
	top, bottom := float64(row*size), float64(min((row+1)*size, o.grid.Height))
	width := float64(o.grid.Width)
	middle := (top + bottom) / 2
	var edges []CellSpan
	var crossings []crossing
	for _, e := range o.index.edges(o, row) {
		if e.area <= 0 && rule == Fraction {
			continue
		}
		if e.area > 0 && e.y1 <= middle && middle < e.y2 {
			crossings = append(crossings, crossing{e.area, e.at(middle)})
		}
		if !e.within(top, bottom) {
			continue
		}
		low, high := e.across(top, bottom)
		if low >= width || high < 0 {
			continue
		}
		from, to := int(math.Floor(max(low, 0))), int(math.Ceil(min(high, width)))
		if low == high {
			to = from + 1
			if e.area >= lineEdge && low == float64(from) && from%size == 0 {
				continue // between two tiles
			}
		}
		if from < to {
			edges = append(edges, CellSpan{From: from / size, To: (to-1)/size + 1})
		}
	}
	slices.SortFunc(crossings, func(a, b crossing) int { return cmp.Or(cmp.Compare(a.area, b.area), cmp.Compare(a.x, b.x)) })
	var inside []CellSpan
	for i := 0; i+1 < len(crossings); i += 2 {
		from, to := max(crossings[i].x, 0), min(crossings[i+1].x, width)
		a, b := int(math.Ceil(min(from, width)/float64(size))), int(math.Floor(max(to, 0)/float64(size)))
		if to == width {
			b = columns
		}
		if a < b {
			inside = append(inside, CellSpan{From: a, To: b, Inside: true})
		}
	}
	return without(joined(inside), joined(edges))
}

// crossing is where an area's edge crosses a line.
type crossing struct {
	area int32
	x    float64
}

// within reports whether an edge passes through the inside of a row, or lies on its
// upper border and holds what is below.
func (e edge) within(top, bottom float64) bool {
	if e.y1 == e.y2 && e.area < lineEdge {
		return e.y1 >= top && e.y1 < bottom
	}
	return e.y1 < bottom && e.y2 > top
}

// joined puts runs in order, and joins those that overlap.
func joined(all []CellSpan) []CellSpan {
	slices.SortFunc(all, func(a, b CellSpan) int { return a.From - b.From })
	out := all[:0]
	for _, v := range all {
		if n := len(out); n > 0 && v.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, v.To)
			continue
		}
		out = append(out, v)
	}
	return out
}

// without gives both kinds of runs in order, and of inside those parts alone where no
// edges are.
func without(inside, edges []CellSpan) []CellSpan {
	out := make([]CellSpan, 0, len(inside)+2*len(edges))
	next, covered := 0, 0
	for _, v := range inside {
		for next < len(edges) && edges[next].From < v.To {
			e := edges[next]
			if v.From = max(v.From, covered); v.From < e.From {
				out = append(out, CellSpan{v.From, e.From, true})
			}
			out = append(out, e)
			covered = e.To
			next++
		}
		if v.From = max(v.From, covered); v.From < v.To {
			out = append(out, v)
		}
	}
	return append(out, edges[next:]...)
}
