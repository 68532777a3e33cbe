package footprint

import (
	"math"
	"slices"
)

// fractions gives the runs of pixels by their shares.
//
// A row of pixels is gone through from left to right. What is inside just below the
// row's upper border, left of a column, is known from the edges that come from above;
// where no edge is in a pixel, all of it is as that place is. The edges that are in a
// pixel are cut to it, and their pieces make its share.
func (s *strips) fractions(yield func(row, from, to int, weight float64)) {
	var areas []edge
	for id, edges := range s.byArea() {
		if id > 0 {
			areas = append(areas, edges...)
		}
	}
	starts := make([]int, s.Height+1)
	for _, e := range areas {
		for y := range s.rowsOf(e) {
			starts[y+1]++
		}
	}
	for y := range s.Height {
		starts[y+1] += starts[y]
	}
	if starts[s.Height] == 0 {
		return
	}
	rows := make([]int32, starts[s.Height])
	next := slices.Clone(starts)
	for i, e := range areas {
		for y := range s.rowsOf(e) {
			rows[next[y]] = int32(i)
			next[y]++
		}
	}
	c := columns{width: s.Width}
	for y := range s.Height {
		if starts[y] == starts[y+1] {
			continue
		}
		c.reset()
		for _, i := range rows[starts[y]:starts[y+1]] {
			c.cut(areas[i], float64(s.X), float64(s.Y+y))
		}
		c.run(func(from, to int, weight float64) { yield(s.Y+y, s.X+from, s.X+to, weight) })
	}
}

// rowsOf gives the rows of the rectangle that an edge has a place in the inside of.
func (s *strips) rowsOf(e edge) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		if min(e.x1, e.x2) >= float64(s.X+s.Width) {
			return
		}
		first, last := e.squares(e.y1, e.y2)
		for y := max(first-s.Y, 0); y < min(last-s.Y, s.Height); y++ {
			if !yield(y) {
				return
			}
		}
	}
}

// piece is the part of an edge that lies in a pixel or a part of one: a place on the
// left border is in it, one on the right border is not. y1 is not above y0.
type piece struct {
	x0, y0, x1, y1 float64
	area           int32
	column         int
	top            bool // begins at the upper border, or comes through it
	side0, side1   bool // begins, or ends, where it comes through the left or right border
	level          bool
	left0, left1   bool // begins, or ends, where it crosses the left border
}

// columns are the pieces of edges in a row of pixels that reaches from y 0 to 1.
type columns struct {
	width  int
	pieces []piece
	odd    areaSet // what is inside at the upper left
	shares
}

func (c *columns) reset() { c.pieces, c.odd = c.pieces[:0], c.odd[:0] }

// areaSet is a set of areas, which are few.
type areaSet []int32

// turn puts an area in, or takes it out.
func (a *areaSet) turn(id int32) {
	if i := slices.Index(*a, id); i >= 0 {
		*a = slices.Delete(*a, i, i+1)
		return
	}
	*a = append(*a, id)
}

// cut adds the pieces of an edge, counted from the place x, y. That is exact, since
// those are whole numbers.
func (c *columns) cut(e edge, x, y float64) {
	e.x1, e.x2, e.y1, e.y2 = e.x1-x, e.x2-x, e.y1-y, e.y2-y
	p := piece{x0: e.x1, y0: e.y1, x1: e.x2, y1: e.y2, area: e.area, level: e.y1 == e.y2}
	if e.y1 <= 0 && !p.level {
		p.x0, p.y0, p.top = e.at(0), 0, true
		if p.x0 < 0 {
			c.odd.turn(e.area)
		}
	}
	if e.y2 > 1 {
		p.x1, p.y1 = e.at(1), 1
	}
	from, to := int(math.Floor(p.x0)), int(math.Floor(p.x1))
	if max(from, to) < 0 || min(from, to) >= c.width {
		return
	}
	if from < 0 {
		_, p = p.split(0)
	} else if from >= c.width {
		p, _ = p.split(float64(c.width))
	}
	at := min(max(from, 0), c.width-1)
	var done piece
	for ; at < to && at < c.width; at++ {
		done, p = p.split(float64(at + 1))
		c.add(done, at)
	}
	for ; at > to && at >= 0; at-- {
		p, done = p.split(float64(at))
		c.add(done, at)
	}
	if at == to && at >= 0 && at < c.width {
		c.add(p, at)
	}
}

func (c *columns) add(p piece, column int) {
	p.column = column
	c.pieces = append(c.pieces, p)
}

// run gives the runs of the row.
func (c *columns) run(yield func(from, to int, weight float64)) {
	slices.SortFunc(c.pieces, func(a, b piece) int { return a.column - b.column })
	at := 0    // the first column that is not told yet
	first := 0 // of the run of whole pixels before it
	whole := func(to int) {
		if first < to {
			yield(first, to, 1)
		}
	}
	for i := 0; i < len(c.pieces); {
		from := i
		column := c.pieces[i].column
		for i++; i < len(c.pieces) && c.pieces[i].column == column; i++ {
		}
		if at < column && len(c.odd) == 0 {
			first = column
		}
		left := float64(column)
		share := c.share(c.pieces[from:i], c.odd, box{left, 0, left + 1, 1})
		if share < 1 {
			whole(column)
			if share > leastShare {
				yield(column, column+1, share)
			}
			first = column + 1
		}
		for _, p := range c.pieces[from:i] {
			if p.top {
				c.odd.turn(p.area)
			}
		}
		at = column + 1
		if len(c.odd) == 0 {
			whole(at)
			first = at
		}
	}
	if len(c.odd) > 0 {
		whole(c.width)
	}
}

// split cuts a piece that is on both sides of a line at x.
func (p piece) split(x float64) (left, right piece) {
	first, second := p, p
	y := p.y0
	if p.x0 != p.x1 {
		y = p.y0 + (x-p.x0)*(p.y1-p.y0)/(p.x1-p.x0)
	}
	y = min(max(y, p.y0), p.y1)
	first.x1, first.y1, first.side1, first.left1 = x, y, true, false
	second.x0, second.y0, second.top, second.side0, second.left0 = x, y, false, true, false
	if p.x0 < x {
		second.left0 = true
		return first, second
	}
	first.left1 = true
	return second, first
}
