package footprint

import (
	"cmp"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase/raster"
)

// Spans gives the runs of pixels of a rectangle that the geometry holds, row by row
// and from left to right: the row, and the columns from and up to but not including
// to, in pixels of the grid. No pixel comes twice. The weight is 1 but for
// [Fraction], where a pixel on an edge has the share of it that is covered; lines and
// points have none. The rectangle may reach beyond the grid, over which outlines go
// on, but for those more than four million rows high.
//
// Shares are exact but for rounding, about 1e-12. Only where edges cross each other by
// the thousand within one pixel is its share an estimate, so that the work stays in
// proportion to the edges.
func (o *Outline) Spans(rule Rule, r raster.Rect, yield func(row, from, to int, weight float64)) {
	part, ok := o.near(r)
	if !ok {
		return
	}
	size := o.index.size
	for y := part.Y; y < part.Y+part.Height; {
		row := floorDiv(y, size)
		below := min((row+1)*size, part.Y+part.Height)
		s := strips{raster.Rect{X: part.X, Y: y, Width: part.Width, Height: below - y}, o.index.edges(o, row), o.boxes}
		if rule == Fraction {
			s.fractions(yield)
		} else {
			s.whole(rule, yield)
		}
		y = below
	}
}

// near cuts a rectangle to the pixels round the geometry.
func (o *Outline) near(r raster.Rect) (raster.Rect, bool) {
	if o.Empty() || r.Width <= 0 || r.Height <= 0 {
		return r, false
	}
	cut := func(from, n int, low, high float64) (int, int) {
		end := int(min(float64(from+n), math.Floor(high)+1))
		start := int(max(float64(from), math.Floor(low)))
		return start, end - start
	}
	b := o.bounds
	r.X, r.Width = cut(r.X, r.Width, b.MinX, b.MaxX)
	r.Y, r.Height = cut(r.Y, r.Height, b.MinY, b.MaxY)
	return r, r.Width > 0 && r.Height > 0
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// strips is a rectangle within a row of tiles, with the edges that touch the row,
// those of an area one after the other.
type strips struct {
	raster.Rect
	edges []edge
	boxes []Box
}

// run is a run of pixels of a row, from the rectangle's upper left.
type run struct{ row, from, to int }

// whole gives runs of whole pixels.
func (s *strips) whole(rule Rule, yield func(row, from, to int, weight float64)) {
	var runs []run
	sources := 0
	for id, edges := range s.byArea() {
		if sources++; id > 0 {
			runs = s.centres(edges, runs)
		}
		if id <= 0 || rule == Touched {
			sources++
			runs = s.passed(edges, runs)
		}
	}
	if sources > 1 {
		slices.SortFunc(runs, func(a, b run) int { return cmp.Or(a.row-b.row, a.from-b.from) })
	}
	for i := 0; i < len(runs); {
		whole := runs[i]
		for i++; i < len(runs) && runs[i].row == whole.row && runs[i].from <= whole.to; i++ {
			whole.to = max(whole.to, runs[i].to)
		}
		yield(s.Y+whole.row, s.X+whole.from, s.X+whole.to, 1)
	}
}

// byArea gives the edges of each area that comes near the rectangle, and last those
// of lines and points.
func (s *strips) byArea() func(yield func(int32, []edge) bool) {
	return func(yield func(int32, []edge) bool) {
		var others []edge
		areas := s.edges
		if slices.ContainsFunc(s.edges, func(e edge) bool { return e.area <= 0 }) {
			areas = nil
			for _, e := range s.edges {
				if e.area > 0 {
					areas = append(areas, e)
				} else {
					others = append(others, e)
				}
			}
		}
		for i := 0; i < len(areas); {
			first := i
			for i++; i < len(areas) && areas[i].area == areas[first].area; i++ {
			}
			id := areas[first].area
			if b := s.boxes[id-1]; b.MaxX < float64(s.X) || b.MinX > float64(s.X+s.Width) {
				continue
			}
			if !yield(id, areas[first:i]) {
				return
			}
		}
		if len(others) > 0 {
			yield(lineEdge, others)
		}
	}
}

// centres adds the runs of pixels whose centres are inside an area. Edges are crossed
// on the line of a row's centres, at or before the first centre that is inside.
func (s *strips) centres(edges []edge, runs []run) []run {
	left, right := float64(s.X)-1, float64(s.X+s.Width)+1
	odd := make([]bool, s.Height+1) // where the number of edges left of the rectangle turns odd or even
	starts := make([]int, s.Height+1)
	for _, e := range edges {
		from, to := s.rows(e)
		switch {
		case from >= to || min(e.x1, e.x2) > right:
		case max(e.x1, e.x2) < left:
			odd[from], odd[to] = !odd[from], !odd[to]
		default:
			for y := from; y < to; y++ {
				starts[y+1]++
			}
		}
	}
	for y := range s.Height {
		starts[y+1] += starts[y]
	}
	columns := make([]int, starts[s.Height])
	next := slices.Clone(starts)
	for _, e := range edges {
		from, to := s.rows(e)
		if from >= to || min(e.x1, e.x2) > right || max(e.x1, e.x2) < left {
			continue
		}
		for y := from; y < to; y++ {
			columns[next[y]] = firstCentre(e.at(float64(s.Y+y)+0.5), s.X, s.Width)
			next[y]++
		}
	}
	inside := false
	for y := range s.Height {
		inside = inside != odd[y]
		row := columns[starts[y]:starts[y+1]]
		slices.Sort(row)
		in, from := inside, 0
		for _, c := range row {
			if in && from < c {
				runs = append(runs, run{y, from, c})
			}
			in, from = !in, c
		}
		if in && from < s.Width {
			runs = append(runs, run{y, from, s.Width})
		}
	}
	return runs
}

// rows are those of the rectangle whose line of centres an edge crosses.
func (s *strips) rows(e edge) (from, to int) {
	return firstCentre(e.y1, s.Y, s.Height), firstCentre(e.y2, s.Y, s.Height)
}

// firstCentre is the first of n pixels from the origin on whose centre is not
// before v; n when there is none.
func firstCentre(v float64, origin, n int) int {
	return int(min(max(math.Ceil(v-0.5)-float64(origin), 0), float64(n)))
}

// passed adds the runs of pixels that edges pass through: those in whose open square
// they have a place.
func (s *strips) passed(edges []edge, runs []run) []run {
	left, right := float64(s.X), float64(s.X+s.Width)
	for _, e := range edges {
		if max(e.x1, e.x2) < left || min(e.x1, e.x2) > right {
			continue
		}
		first, last := e.squares(e.y1, e.y2)
		first, last = max(first, s.Y), min(last, s.Y+s.Height)
		for y := first; y < last; y++ {
			from, to := e.squares(e.across(float64(y), float64(y+1)))
			from, to = max(from, s.X), min(to, s.X+s.Width)
			if from < to {
				runs = append(runs, run{y - s.Y, from - s.X, to - s.X})
			}
		}
	}
	return runs
}

// squares is the range of squares of a line of them, a pixel each, whose inside an
// edge from low to high passes through.
func (e edge) squares(low, high float64) (first, last int) {
	first = int(math.Floor(low))
	switch {
	case low < high:
		return first, int(math.Ceil(high))
	case low == math.Floor(low) && e.area >= lineEdge:
		return first, first
	}
	return first, first + 1
}

// across is the range of x of an edge in the row from top to bottom, which it passes.
func (e edge) across(top, bottom float64) (low, high float64) {
	a, b := e.x1, e.x2
	if e.y1 < e.y2 {
		a, b = e.at(max(e.y1, top)), e.at(min(e.y2, bottom))
	}
	return min(a, b), max(a, b)
}
