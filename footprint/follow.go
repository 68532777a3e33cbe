package footprint

import (
	"context"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase/crs"
)

const (
	// bendTolerance is how far from its place, in pixels, an edge may be.
	bendTolerance = 0.01
	// Edges are divided no further than so often, and to no more pieces:
	// where a CRS has an edge, no piece is ever straight.
	bendPasses = 15
	bendPieces = 1 << 20
	// longEdge is the length in pixels from which on an edge is looked at in so many
	// pieces at least: two places tell how a short one bends, but a long one may bend
	// this way and that.
	longEdge  = 64
	bendFirst = 4
)

// node is a place on a line, in both CRSs, and whether the edge to the next
// node is straight enough.
type node struct {
	source, at crs.Point
	done       bool
}

// follow gives the places of a line in the level's CRS. A closed one ends with
// its first place.
func (p *Placer) follow(ctx context.Context, l []crs.Point, closed bool) ([]crs.Point, error) {
	at := make([]crs.Point, len(l), len(l)+1)
	copy(at, l)
	if err := p.transform(ctx, at); err != nil {
		return nil, err
	}
	if closed {
		l, at = append(slices.Clip(l), l[0]), append(at, at[0])
	}
	if p.options.VerticesOnly {
		return at, nil
	}
	nodes := make([]node, len(l))
	more := false
	for i := range l {
		nodes[i] = node{source: l[i], at: at[i]}
		if i > 0 {
			nodes[i-1].done = p.short(at[i-1], at[i])
			more = more || !nodes[i-1].done
		}
	}
	if !more {
		return at, nil
	}
	nodes, err := p.pieces(ctx, nodes)
	for pass := 0; more && err == nil && pass < bendPasses && len(nodes) < bendPieces; pass++ {
		nodes, more, err = p.divide(ctx, nodes)
	}
	if err != nil {
		return nil, err
	}
	out := make([]crs.Point, len(nodes))
	for i, n := range nodes {
		out[i] = n.at
	}
	return out, nil
}

// pieces divides long edges.
func (p *Placer) pieces(ctx context.Context, nodes []node) ([]node, error) {
	long := func(i int) bool { return !nodes[i].done && !(p.length(nodes[i].at, nodes[i+1].at) < longEdge) }
	inner, err := p.inner(ctx, nodes, bendFirst, long)
	if err != nil || len(inner) == 0 {
		return nodes, err
	}
	out := make([]node, 0, len(nodes)+len(inner))
	for i, n := range nodes {
		out = append(out, n)
		if i < len(nodes)-1 && long(i) {
			out = append(out, inner[:bendFirst-1]...)
			inner = inner[bendFirst-1:]
		}
	}
	return out, nil
}

// divide looks at two places in each edge that is not known to be straight, puts nodes
// there if it is not, and tells whether there may be more to do.
func (p *Placer) divide(ctx context.Context, nodes []node) (out []node, more bool, err error) {
	inner, err := p.inner(ctx, nodes, 3, func(i int) bool { return !nodes[i].done })
	if err != nil {
		return nil, false, err
	}
	out = make([]node, 0, len(nodes)+len(inner))
	for i, n := range nodes {
		if i == len(nodes)-1 || n.done {
			out = append(out, n)
			continue
		}
		two := inner[:2]
		inner = inner[2:]
		n.done = p.straight(n, two[0], two[1], nodes[i+1])
		two[0].done, two[1].done = n.done, n.done
		out = append(out, n)
		// A straight edge needs places in it only to tell which way round the
		// world it goes.
		if !n.done || p.turn > 0 && !(math.Abs(nodes[i+1].at.X-n.at.X) < p.turn/8) {
			out = append(out, two...)
		}
		more = more || !n.done
	}
	return out, more, nil
}

// inner gives the places that divide edges in n pieces each. They are the same ones
// whichever way an edge goes, so that areas on both sides of it share them.
func (p *Placer) inner(ctx context.Context, nodes []node, n int, of func(i int) bool) ([]node, error) {
	var at []crs.Point
	for i := range len(nodes) - 1 {
		if !of(i) {
			continue
		}
		a, b := nodes[i].source, nodes[i+1].source
		turned := after(a, b)
		if turned {
			a, b = b, a
		}
		for k := 1; k < n; k++ {
			t := float64(k) / float64(n)
			if turned {
				t = float64(n-k) / float64(n)
			}
			at = append(at, crs.Point{X: a.X + (b.X-a.X)*t, Y: a.Y + (b.Y-a.Y)*t})
		}
	}
	out := make([]node, len(at))
	for i, q := range at {
		out[i].source = q
	}
	if len(at) == 0 {
		return nil, nil
	}
	if err := p.transform(ctx, at); err != nil {
		return nil, err
	}
	for i, q := range at {
		out[i].at = q
	}
	return out, nil
}

// straight reports whether two places that divide an edge in three lie on the straight
// line between its ends. An edge that bends to both sides, as a polynomial of the
// third degree does, is then a third further off it at most.
func (p *Placer) straight(a, m1, m2, b node) bool {
	if after(a.source, b.source) {
		a, m1, m2, b = b, m2, m1, a
	}
	places := []crs.Point{a.at, m1.at, m2.at, b.at}
	gone := 0
	for i, q := range places {
		if math.IsNaN(q.X) {
			gone++
		}
		if i > 0 {
			q = Near(q, places[i-1].X, p.turn)
		}
		places[i] = q
	}
	if gone > 0 {
		return gone == len(places)
	}
	for i, q := range places {
		places[i].X, places[i].Y = p.grid.Pixel(q.X, q.Y)
	}
	const most = bendTolerance * 3 / 4
	return off(places[0], places[1], places[3]) <= most && off(places[0], places[2], places[3]) <= most
}

// off is how far m is from the line between a and b.
func off(a, m, b crs.Point) float64 {
	dx, dy := b.X-a.X, b.Y-a.Y
	t := 0.0
	if d := dx*dx + dy*dy; d > 0 {
		t = min(max(((m.X-a.X)*dx+(m.Y-a.Y)*dy)/d, 0), 1)
	}
	return math.Hypot(a.X+t*dx-m.X, a.Y+t*dy-m.Y)
}

// short reports whether an edge is too short to bend. Straight lines are known to
// bend so little in the grid that sixteen times that would do no harm.
func (p *Placer) short(a, b crs.Point) bool {
	if p.turn > 0 && !(math.Abs(a.X-b.X) < p.turn/8) {
		return false
	}
	l := p.length(a, b)
	return 16*p.reach.curvature*l*l/8 <= bendTolerance
}

// length is how long an edge is in pixels; NaN where an end has no place.
func (p *Placer) length(a, b crs.Point) float64 {
	b = Near(b, a.X, p.turn)
	x1, y1 := p.grid.Pixel(a.X, a.Y)
	x2, y2 := p.grid.Pixel(b.X, b.Y)
	return math.Hypot(x2-x1, y2-y1)
}
