package footprint_test

import (
	"math/big"
	"math/rand/v2"
	"slices"

	"github.com/paulmach/orb"
)

// The witness works in whole numbers of eighths of a pixel, and in fractions of them:
// nothing is rounded.

const eighths = 8

type at struct{ x, y int64 }

// shape is polygons of rings.
type shape [][][]at

func (s shape) geometry() orb.MultiPolygon {
	var out orb.MultiPolygon
	for _, p := range s {
		var rings orb.Polygon
		for _, r := range p {
			var ring orb.Ring
			for _, q := range r {
				ring = append(ring, orb.Point{float64(q.x) / eighths, float64(q.y) / eighths})
			}
			rings = append(rings, ring)
		}
		out = append(out, rings)
	}
	return out
}

// randomShape draws polygons whose vertices are multiples of a step of eighths, so
// that with large steps many lie on centres and borders of pixels, and edges upon
// each other; some are slivers.
func randomShape(r *rand.Rand, width, height int) shape {
	step := []int64{1, 1, 2, 4, 8, 4}[r.IntN(6)]
	any := func(n int) int64 { return step * (r.Int64N(int64(n+4)*eighths/step) - 2*eighths/step) }
	var out shape
	for range 1 + r.IntN(3) {
		var p [][]at
		for range 1 + r.IntN(3) {
			var ring []at
			if r.IntN(5) == 0 { // a sliver
				a, b := at{any(width), any(height)}, at{any(width), any(height)}
				ring = []at{a, b, {b.x + r.Int64N(3) - 1, b.y + 1}, {a.x, a.y + 1}}
			} else {
				for range 3 + r.IntN(6) {
					ring = append(ring, at{any(width), any(height)})
				}
			}
			p = append(p, ring)
		}
		out = append(out, p)
	}
	return out
}

// eachEdge calls for each edge of a polygon.
func eachEdge(rings [][]at, f func(a, b at)) {
	for _, r := range rings {
		for i, b := range r {
			f(r[(i+len(r)-1)%len(r)], b)
		}
	}
}

// centre tells by crossings whether the centre of a pixel is inside.
func (s shape) centre(col, row int) bool {
	x, y := int64(col)*eighths+eighths/2, int64(row)*eighths+eighths/2
	for _, p := range s {
		odd := false
		eachEdge(p, func(a, b at) {
			if a.y > b.y {
				a, b = b, a
			}
			if a.y <= y && y < b.y && (y-a.y)*(b.x-a.x) <= (x-a.x)*(b.y-a.y) {
				odd = !odd
			}
		})
		if odd {
			return true
		}
	}
	return false
}

// touched tells whether there is a place inside, or on an edge, in a pixel without its
// borders.
func (s shape) touched(col, row int) bool {
	if s.centre(col, row) {
		return true
	}
	for _, p := range s {
		found := false
		eachEdge(p, func(a, b at) { found = found || passes(a, b, col, row) })
		if found {
			return true
		}
	}
	return false
}

// passes tells whether an edge has a place in the open square of a pixel.
func passes(a, b at, col, row int) bool {
	from, to := big.NewRat(0, 1), big.NewRat(1, 1)
	if a == b {
		return false
	}
	for _, v := range [][4]int64{{a.x, b.x, int64(col) * eighths, int64(col+1) * eighths}, {a.y, b.y, int64(row) * eighths, int64(row+1) * eighths}} {
		start, end, low, high := v[0], v[1], v[2], v[3]
		if start == end {
			if start <= low || start >= high {
				return false
			}
			continue
		}
		t0, t1 := big.NewRat(low-start, end-start), big.NewRat(high-start, end-start)
		if t0.Cmp(t1) > 0 {
			t0, t1 = t1, t0
		}
		if t0.Cmp(big.NewRat(1, 1)) >= 0 || t1.Sign() <= 0 {
			return false
		}
		if t0.Cmp(from) > 0 {
			from = t0
		}
		if t1.Cmp(to) < 0 {
			to = t1
		}
	}
	return from.Cmp(to) < 0
}

// line is an edge as x = x0 + slope*y, in pixels, between two rows.
type witnessLine struct {
	polygon          int
	x0, slope, y, to *big.Rat
}

func (l witnessLine) at(y *big.Rat) *big.Rat {
	v := new(big.Rat).Mul(l.slope, y)
	return v.Add(v, l.x0)
}

// fractions are the shares of the pixels of a grid that are inside, each exact: the
// plane is cut in strips at all vertices, at all places where edges cross each other,
// and at all where they cross the columns of pixels.
func (s shape) fractions(width, height int) [][]float64 {
	lines := s.lines()
	cuts := map[string]*big.Rat{}
	cut := func(y *big.Rat) { cuts[y.RatString()] = y }
	for row := range height + 1 {
		cut(big.NewRat(int64(row), 1))
	}
	for i, l := range lines {
		cut(l.y)
		cut(l.to)
		for col := range width + 1 {
			if l.slope.Sign() != 0 {
				y := new(big.Rat).Sub(big.NewRat(int64(col), 1), l.x0)
				cut(y.Quo(y, l.slope))
			}
		}
		for _, m := range lines[:i] {
			if slope := new(big.Rat).Sub(l.slope, m.slope); slope.Sign() != 0 {
				y := new(big.Rat).Sub(m.x0, l.x0)
				cut(y.Quo(y, slope))
			}
		}
	}
	all := make([]*big.Rat, 0, len(cuts))
	for _, y := range cuts {
		if y.Sign() >= 0 && y.Cmp(big.NewRat(int64(height), 1)) <= 0 {
			all = append(all, y)
		}
	}
	slices.SortFunc(all, (*big.Rat).Cmp)
	exact := make([][]*big.Rat, height)
	for row := range exact {
		for range width {
			exact[row] = append(exact[row], new(big.Rat))
		}
	}
	for i := 1; i < len(all); i++ {
		high := new(big.Rat).Sub(all[i], all[i-1])
		middle := new(big.Rat).Add(all[i], all[i-1])
		middle.Quo(middle, big.NewRat(2, 1))
		v, _ := middle.Float64()
		row := exact[int(v)]
		for _, r := range runsAt(lines, middle) {
			addRun(row, r[0], r[1], high)
		}
	}
	out := make([][]float64, height)
	for row := range out {
		for _, v := range exact[row] {
			f, _ := v.Float64()
			out[row] = append(out[row], f)
		}
	}
	return out
}

func (s shape) lines() (lines []witnessLine) {
	for i, p := range s {
		eachEdge(p, func(a, b at) {
			if a.y == b.y {
				return
			}
			if a.y > b.y {
				a, b = b, a
			}
			slope := big.NewRat(b.x-a.x, b.y-a.y)
			x0 := new(big.Rat).Mul(slope, big.NewRat(-a.y, eighths))
			lines = append(lines, witnessLine{i, x0.Add(x0, big.NewRat(a.x, eighths)), slope, big.NewRat(a.y, eighths), big.NewRat(b.y, eighths)})
		})
	}
	return lines
}

// runsAt are the parts of the line at y that are inside of any polygon, without
// overlaps.
func runsAt(lines []witnessLine, y *big.Rat) (runs [][2]*big.Rat) {
	crossed := map[int][]*big.Rat{}
	for _, l := range lines {
		if l.y.Cmp(y) < 0 && y.Cmp(l.to) < 0 {
			crossed[l.polygon] = append(crossed[l.polygon], l.at(y))
		}
	}
	for _, all := range crossed {
		slices.SortFunc(all, (*big.Rat).Cmp)
		for i := 0; i < len(all); i += 2 {
			runs = append(runs, [2]*big.Rat{all[i], all[i+1]})
		}
	}
	slices.SortFunc(runs, func(a, b [2]*big.Rat) int { return a[0].Cmp(b[0]) })
	joined := runs[:0]
	for _, r := range runs {
		if n := len(joined); n > 0 && r[0].Cmp(joined[n-1][1]) <= 0 {
			if r[1].Cmp(joined[n-1][1]) > 0 {
				joined[n-1][1] = r[1]
			}
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

func addRun(row []*big.Rat, from, to, high *big.Rat) {
	for col, v := range row {
		a, b := big.NewRat(int64(col), 1), big.NewRat(int64(col+1), 1)
		if from.Cmp(a) > 0 {
			a = from
		}
		if to.Cmp(b) < 0 {
			b = to
		}
		if a.Cmp(b) < 0 {
			part := new(big.Rat).Sub(b, a)
			v.Add(v, part.Mul(part, high))
		}
	}
}
