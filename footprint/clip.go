package footprint

import (
	"math"

	"github.com/rasterbase/rasterbase/crs"
)

// clipBox is a box; sides that do not limit are infinite.
type clipBox struct{ minX, minY, maxX, maxY float64 }

var everywhere = clipBox{math.Inf(-1), math.Inf(-1), math.Inf(1), math.Inf(1)}

// side is one of the four half planes of a box: what is not below the limit
// or, turned, not above it.
type side struct {
	y     bool
	limit float64
	above bool // points above the limit are outside
}

func (b clipBox) sides() []side {
	var out []side
	for _, s := range []side{{false, b.minX, false}, {false, b.maxX, true}, {true, b.minY, false}, {true, b.maxY, true}} {
		if !math.IsInf(s.limit, 0) {
			out = append(out, s)
		}
	}
	return out
}

func (s side) inside(p crs.Point) bool {
	v := p.X
	if s.y {
		v = p.Y
	}
	if s.above {
		return v <= s.limit
	}
	return v >= s.limit
}

// cut is where the edge from a to b, whose ends are on two sides of the limit,
// meets it: the same place whichever end comes first.
func (s side) cut(a, b crs.Point) crs.Point {
	if after(a, b) {
		a, b = b, a
	}
	if s.y {
		return crs.Point{X: a.X + (s.limit-a.Y)/(b.Y-a.Y)*(b.X-a.X), Y: s.limit}
	}
	return crs.Point{X: s.limit, Y: a.Y + (s.limit-a.X)/(b.X-a.X)*(b.Y-a.Y)}
}

// ring cuts a closed ring to the box, side by side (Sutherland and Hodgman,
// "Reentrant polygon clipping", 1974). Pieces stay joined by edges along the
// box; inside and outside by crossings are right all the same.
func (b clipBox) ring(r []crs.Point) []crs.Point {
	for _, s := range b.sides() {
		var out []crs.Point
		for i, p := range r {
			before := r[(i+len(r)-1)%len(r)]
			if s.inside(p) != s.inside(before) {
				out = append(out, s.cut(before, p))
			}
			if s.inside(p) {
				out = append(out, p)
			}
		}
		r = out
	}
	return r
}

// line cuts a line to the box; what leaves the box and comes back is in pieces.
func (b clipBox) line(l []crs.Point) [][]crs.Point {
	pieces := [][]crs.Point{l}
	for _, s := range b.sides() {
		var out [][]crs.Point
		for _, piece := range pieces {
			out = append(out, s.line(piece)...)
		}
		pieces = out
	}
	return pieces
}

func (s side) line(l []crs.Point) (out [][]crs.Point) {
	var piece []crs.Point
	for i, p := range l {
		in := s.inside(p)
		if i > 0 && in != s.inside(l[i-1]) {
			piece = append(piece, s.cut(l[i-1], p))
		}
		if in {
			piece = append(piece, p)
		} else if len(piece) > 0 {
			out, piece = append(out, piece), nil
		}
	}
	if len(piece) > 0 {
		out = append(out, piece)
	}
	return out
}

// after puts places in an order, by y and x.
func after(a, b crs.Point) bool { return a.Y > b.Y || a.Y == b.Y && a.X > b.X }
