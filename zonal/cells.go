package zonal

import (
	"slices"

	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/store"
)

// span is a run of cells of a row: from, and up to but not including to.
type span struct{ from, to int }

// cells are those of a depth that lie inside a zone, by their rows.
type cells map[int][]span

// tilesOf sorts the tiles that a zone has pixels in into those that lie inside and
// those that an edge passes through.
func tilesOf(o *footprint.Outline, rule footprint.Rule, edge func(x, y int)) cells {
	inside := cells{}
	for row, spans := range o.CellRows(rule) {
		for _, s := range spans {
			if s.Inside {
				inside[row] = append(inside[row], span{s.From, s.To})
				continue
			}
			for x := s.From; x < s.To; x++ {
				edge(x, row)
			}
		}
	}
	return inside
}

// fold takes the cells out that make up whole cells of the depth above, and gives
// these. A depth has width x height cells.
func (c cells) fold(width, height int) cells {
	above := cells{}
	for row := range c {
		y := row / store.PageSize
		if _, done := above[y]; done {
			continue
		}
		above[y] = c.whole(y, width, height)
	}
	for y, spans := range above {
		if len(spans) == 0 {
			delete(above, y)
			continue
		}
		for row := y * store.PageSize; row < min((y+1)*store.PageSize, height); row++ {
			if c[row] = cutOut(c[row], spans, width); len(c[row]) == 0 {
				delete(c, row)
			}
		}
	}
	return above
}

// whole gives the cells of the depth above of a row all of whose cells are there.
func (c cells) whole(y, width, height int) []span {
	var common []span
	for row := y * store.PageSize; row < min((y+1)*store.PageSize, height); row++ {
		if row == y*store.PageSize {
			common = slices.Clone(c[row])
		} else {
			common = both(common, c[row])
		}
		if len(common) == 0 {
			return nil
		}
	}
	out := common[:0]
	for _, s := range common {
		from, to := (s.from+store.PageSize-1)/store.PageSize, s.to/store.PageSize
		if s.to == width {
			to = (width + store.PageSize - 1) / store.PageSize
		}
		if from < to {
			out = append(out, span{from, to})
		}
	}
	return out
}

// both gives what two rows have in common.
func both(a, b []span) (out []span) {
	for len(a) > 0 && len(b) > 0 {
		from, to := max(a[0].from, b[0].from), min(a[0].to, b[0].to)
		if from < to {
			out = append(out, span{from, to})
		}
		if a[0].to < b[0].to {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// cutOut takes cells of the depth above out of a row.
func cutOut(row, above []span, width int) (out []span) {
	for _, s := range row {
		for _, a := range above {
			from, to := a.from*store.PageSize, min(a.to*store.PageSize, width)
			if to <= s.from || from >= s.to {
				continue
			}
			if s.from < from {
				out = append(out, span{s.from, from})
			}
			s.from = to
		}
		if s.from < s.to {
			out = append(out, s)
		}
	}
	return out
}

// rows are those that have cells, in order.
func (c cells) rows() []int {
	out := make([]int, 0, len(c))
	for row := range c {
		out = append(out, row)
	}
	slices.Sort(out)
	return out
}
