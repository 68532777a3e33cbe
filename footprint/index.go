package footprint

import (
	"math"
	"slices"
)

// mostRows is how many rows of pixels an outline may be high for what lies beyond
// the grid to be looked at.
const mostRows = 1 << 22

// index finds the edges that touch a row of tiles. It is a tree over the rows: an
// edge of many rows is kept with the few nodes that make them up together.
type index struct {
	size    int     // rows of pixels in a row of tiles
	from, n int     // the first row of tiles, and how many there are
	leaves  int     // a power of two; the tree's root is node 1, its first leaf is node leaves
	starts  []int32 // where the edges of each node begin in list
	list    []int32
}

// make makes the index of an outline: of the rows of the grid alone where it is very
// high.
func (x *index) make(o *Outline) {
	x.size = o.grid.TileSize
	low, high := o.bounds.MinY, o.bounds.MaxY
	if !(high-low <= mostRows) {
		low, high = max(low, 0), min(high, float64(o.grid.Height))
	}
	if !(low <= high) {
		return
	}
	x.from = x.row(low)
	x.n = x.row(high) + 1 - x.from
	if x.n <= 1 {
		return
	}
	x.leaves = 1
	for x.leaves < x.n {
		x.leaves *= 2
	}
	x.starts = make([]int32, 2*x.leaves+1)
	for _, e := range o.edges {
		for node := range x.nodes(e) {
			x.starts[node+1]++
		}
	}
	for i := range x.starts[1:] {
		x.starts[i+1] += x.starts[i]
	}
	x.list = make([]int32, x.starts[len(x.starts)-1])
	next := slices.Clone(x.starts)
	for i, e := range o.edges {
		for node := range x.nodes(e) {
			x.list[next[node]] = int32(i)
			next[node]++
		}
	}
}

// row is the row of tiles that a y lies in.
func (x *index) row(y float64) int { return int(math.Floor(y / float64(x.size))) }

// nodes are those that an edge is kept with.
func (x *index) nodes(e edge) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		first, last := max(x.row(e.y1)-x.from, 0), min(x.row(e.y2)-x.from, x.n-1)
		if first > last {
			return
		}
		for a, b := first+x.leaves, last+x.leaves+1; a < b; a, b = a/2, b/2 {
			if a&1 == 1 {
				if !yield(a) {
					return
				}
				a++
			}
			if b&1 == 1 {
				if b--; !yield(b) {
					return
				}
			}
		}
	}
}

// edges gives the edges that touch a row of tiles, area by area, and maybe some
// others.
func (x *index) edges(o *Outline, row int) []edge {
	row -= x.from
	if row < 0 || row >= x.n {
		return nil
	}
	if x.n == 1 {
		return o.edges
	}
	var at []int32
	lists := 0
	for node := row + x.leaves; node > 0; node /= 2 {
		if some := x.list[x.starts[node]:x.starts[node+1]]; len(some) > 0 {
			lists++
			if lists == 1 {
				at = some
			} else {
				at = append(slices.Clip(at), some...)
			}
		}
	}
	if lists > 1 && len(o.boxes) > 1 {
		slices.Sort(at)
	}
	out := make([]edge, len(at))
	for i, k := range at {
		out[i] = o.edges[k]
	}
	return out
}
