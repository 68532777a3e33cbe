package coverage

import (
	"context"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/xyz"
)

// reach is the part of a geometry's CRS in which a level lies, with a margin:
// what is further away cannot matter and need not have a place in the level's
// CRS. A box of the whole world selects the tiles of a UTM zone so, although
// its corners have no place in UTM.
type reach struct {
	clipBox
	turn float64 // the period of the geometry's CRS; 0: none, or not to be used
}

// samples is how many places along a side of the level tell its reach.
const samples = 33

func newReach(ctx context.Context, p *placer) (*reach, error) {
	var at []crs.Point
	for i := range samples * samples {
		x, y := p.grid.World(float64(i%samples)/(samples-1)*float64(p.grid.Width), float64(i/samples)/(samples-1)*float64(p.grid.Height))
		at = append(at, crs.Point{X: x, Y: y})
	}
	if err := p.inverse.Apply(ctx, at); err != nil {
		return nil, err
	}
	r := &reach{clipBox: everywhere, turn: period(p.from)}
	known := !slices.ContainsFunc(at, func(q crs.Point) bool { return math.IsNaN(q.X) })
	around := true
	if known {
		b := boxOf([][]crs.Point{at})
		margin := (b.maxY - b.minY) / 8
		r.minY, r.maxY = b.minY-margin, b.maxY+margin
		if r.turn > 0 {
			b.minX, b.maxX, around = arc(at, r.turn)
		}
		if r.turn == 0 || !around {
			margin = (b.maxX - b.minX) / 8
			r.minX, r.maxX = b.minX-margin, b.maxX+margin
		}
	}
	if p.from.Geographic() { // beyond the poles there is nothing
		r.minY, r.maxY = max(r.minY, -90), min(r.maxY, 90)
	}
	if r.turn > 0 && around {
		return r, r.seam(ctx, p)
	}
	return r, nil
}

// arc is the shortest range of x that holds all points, where x goes round in
// a period. All is true when they leave no gap that is wide enough.
func arc(at []crs.Point, turn float64) (from, to float64, all bool) {
	x := make([]float64, len(at))
	for i, q := range at {
		x[i] = math.Mod(math.Mod(q.X, turn)+turn, turn)
	}
	slices.Sort(x)
	gap, after := x[0]+turn-x[len(x)-1], 0
	for i := 1; i < len(x); i++ {
		if x[i]-x[i-1] > gap {
			gap, after = x[i]-x[i-1], i
		}
	}
	if gap < turn/12 {
		return 0, 0, true
	}
	return x[after], x[after] + turn - gap, false
}

// seam limits the reach to one turn when the level's CRS has an edge at the
// antimeridian, as world maps other than web mercator do. Without one, a level
// that is all round needs no limit.
func (r *reach) seam(ctx context.Context, p *placer) error {
	half := r.turn / 2
	const n = 9
	low, high := max(r.minY, -85), min(r.maxY, 85)
	if r.turn != 360 {
		low, high = max(r.minY, -xyz.HalfWorld), min(r.maxY, xyz.HalfWorld)
	}
	var at []crs.Point
	for i := range n {
		y := low + (high-low)*float64(i)/(n-1)
		at = append(at, crs.Point{X: -half, Y: y}, crs.Point{X: half, Y: y})
	}
	if err := p.forward.Apply(ctx, at); err != nil {
		return err
	}
	for i := 0; i < len(at); i += 2 {
		b := near(at[i+1], at[i].X, period(p.crs))
		col1, row1 := p.grid.Pixel(at[i].X, at[i].Y)
		col2, row2 := p.grid.Pixel(b.X, b.Y)
		if math.Hypot(col2-col1, row2-row1) > 1 {
			r.minX, r.maxX = -half, half
			return nil
		}
	}
	r.turn = 0
	return nil
}

// cut gives the pieces of a line or polygon within reach, also where it lies
// whole turns further.
func (r *reach) cut(a part) (out []part) {
	b := boxOf(a.lines)
	if !(b.minX <= b.maxX) {
		return nil
	}
	first, last := 0.0, 0.0
	if r.turn > 0 {
		first = max(-mostTurns, math.Ceil((r.minX-b.maxX)/r.turn))
		last = min(mostTurns, math.Floor((r.maxX-b.minX)/r.turn))
	}
	for k := first; k <= last; k++ {
		cut := part{kind: a.kind}
		for _, l := range a.lines {
			l = slices.DeleteFunc(shifted(l, k*r.turn, 0), func(q crs.Point) bool { return q.X-q.X != 0 || q.Y-q.Y != 0 })
			if a.kind == area {
				if l = r.ring(l); len(l) > 0 {
					cut.lines = append(cut.lines, l)
				}
				continue
			}
			for _, piece := range r.line(l) {
				out = append(out, part{line, [][]crs.Point{piece}})
			}
		}
		if len(cut.lines) > 0 {
			out = append(out, cut)
		}
	}
	return out
}

// near is p, whole turns further where that is nearer to x.
func near(p crs.Point, x, turn float64) crs.Point {
	if turn > 0 && math.Abs(p.X-x) > turn/2 {
		p.X -= math.Round((p.X-x)/turn) * turn
	}
	return p
}

// bend transforms the edges of a part, which are straight in the geometry's
// CRS and need not be so in the level's: they are bisected until they are
// within a hundredth of a pixel.
func (p *placer) bend(ctx context.Context, a part) (out [][]crs.Point, err error) {
	turn := period(p.crs)
	shell := everywhere
	for i, l := range a.lines {
		at, err := p.bisect(ctx, l, a.kind == area)
		if err != nil {
			return nil, err
		}
		for j := 1; j < len(at); j++ {
			at[j] = near(at[j], lastX(at[:j]), turn)
		}
		if a.kind == area && turn > 0 {
			if at, err = p.roundPole(ctx, l, at, turn); err != nil {
				return nil, err
			}
			// A hole lies in its shell, not a turn further.
			b := boxOf([][]crs.Point{at})
			if i == 0 {
				shell = b
			} else if k := math.Ceil((shell.minX - b.minX) / turn); k-k == 0 && b.maxX+k*turn <= shell.maxX {
				at = shifted(at, k*turn, 0)
			}
		}
		out = append(out, p.pixels(at, a.kind)...)
	}
	return out, nil
}

// lastX is the last x that is a number.
func lastX(at []crs.Point) float64 {
	for i := len(at) - 1; i >= 0; i-- {
		if at[i].X-at[i].X == 0 {
			return at[i].X
		}
	}
	return math.NaN()
}

// roundPole closes a ring that goes round a pole, and so ends a turn away from
// where it began, along the edge of the map where the pole is.
func (p *placer) roundPole(ctx context.Context, source, at []crs.Point, turn float64) ([]crs.Point, error) {
	at = slices.DeleteFunc(at, func(q crs.Point) bool { return math.IsNaN(q.X) })
	if len(at) == 0 {
		return nil, nil
	}
	first, last := at[0], at[len(at)-1]
	if math.Abs(last.X-first.X) < turn/2 {
		return at, nil
	}
	top := 90.0
	if turn != 360 {
		top = 2 * xyz.HalfWorld
	}
	pole := []crs.Point{{X: first.X, Y: top}}
	if turn != 360 { // the last place north that has a latitude of its own
		pole[0].Y = xyz.HalfWorld * 4
	}
	if err := p.inverse.Apply(ctx, pole); err != nil {
		return nil, err
	}
	if math.IsNaN(pole[0].X) || !inRing(source, pole[0]) {
		top = -top
	}
	return append(at, crs.Point{X: last.X, Y: top}, crs.Point{X: first.X, Y: top}), nil
}

// inRing tells by crossings whether a point is in a ring.
func inRing(r []crs.Point, q crs.Point) bool {
	in := false
	for i, b := range r {
		a := r[(i+len(r)-1)%len(r)]
		if (a.Y <= q.Y) != (b.Y <= q.Y) && q.X < a.X+(q.Y-a.Y)/(b.Y-a.Y)*(b.X-a.X) {
			in = !in
		}
	}
	return in
}

const (
	// bendTolerance is how far from its place, in pixels, an edge may be.
	bendTolerance = 0.01
	// Edges are bisected no further than so often, and to no more pieces:
	// where a CRS has an edge, no piece is ever straight.
	bendPasses = 24
	bendPieces = 1 << 20
	// bendFirst is how many pieces an edge has at least, so that one that
	// bends both ways is not taken for straight.
	bendFirst = 4
)

// node is a place on a line, in both CRSs, and whether the edge to the next
// node is straight enough.
type node struct {
	source, at crs.Point
	done       bool
}

// bisect gives the places of a line in the level's CRS. A closed one ends with
// its first place.
func (p *placer) bisect(ctx context.Context, l []crs.Point, closed bool) ([]crs.Point, error) {
	if closed {
		l = append(slices.Clone(l), l[0])
	}
	var nodes []node
	for i, q := range l {
		for k := bendFirst - 1; k > 0 && i > 0; k-- {
			t := float64(k) / bendFirst
			nodes = append(nodes, node{source: crs.Point{X: q.X + (l[i-1].X-q.X)*t, Y: q.Y + (l[i-1].Y-q.Y)*t}})
		}
		nodes = append(nodes, node{source: q})
	}
	at := make([]crs.Point, len(nodes))
	for i := range nodes {
		at[i] = nodes[i].source
	}
	if err := p.forward.Apply(ctx, at); err != nil {
		return nil, err
	}
	for i := range nodes {
		nodes[i].at = at[i]
	}
	var err error
	for pass, more := 0, true; more && pass < bendPasses && len(nodes) < bendPieces; pass++ {
		if nodes, more, err = p.halve(ctx, nodes); err != nil {
			return nil, err
		}
	}
	out := make([]crs.Point, len(nodes))
	for i, n := range nodes {
		out[i] = n.at
	}
	return out, nil
}

// halve puts a node in the middle of each edge that is not known to be
// straight, and tells whether there may be more to do.
func (p *placer) halve(ctx context.Context, nodes []node) (out []node, more bool, err error) {
	var middles, at []crs.Point
	for i := range len(nodes) - 1 {
		if a, b := nodes[i].source, nodes[i+1].source; !nodes[i].done {
			middles = append(middles, crs.Point{X: a.X + (b.X-a.X)/2, Y: a.Y + (b.Y-a.Y)/2})
		}
	}
	at = slices.Clone(middles)
	if err := p.forward.Apply(ctx, at); err != nil {
		return nil, false, err
	}
	k := 0
	for i, n := range nodes {
		if i == len(nodes)-1 || n.done {
			out = append(out, n)
			continue
		}
		n.done = p.straight(n.at, at[k], nodes[i+1].at)
		middle := node{source: middles[k], at: at[k], done: n.done}
		out = append(out, n)
		// A straight edge needs its middle only to tell which way round the
		// world it goes.
		if turn := period(p.crs); !n.done || turn > 0 && !(math.Abs(nodes[i+1].at.X-n.at.X) < turn/8) {
			out = append(out, middle)
		}
		more = more || !n.done
		k++
	}
	return out, more, nil
}

// straight reports whether the middle of an edge lies on the straight line
// between its ends.
func (p *placer) straight(a, m, b crs.Point) bool {
	gone := [3]bool{math.IsNaN(a.X), math.IsNaN(m.X), math.IsNaN(b.X)}
	if gone[0] || gone[1] || gone[2] {
		return gone == [3]bool{true, true, true}
	}
	turn := period(p.crs)
	m = near(m, a.X, turn)
	b = near(b, m.X, turn)
	ax, ay := p.grid.Pixel(a.X, a.Y)
	mx, my := p.grid.Pixel(m.X, m.Y)
	bx, by := p.grid.Pixel(b.X, b.Y)
	dx, dy := bx-ax, by-ay
	t := 0.0
	if d := dx*dx + dy*dy; d > 0 {
		t = min(max(((mx-ax)*dx+(my-ay)*dy)/d, 0), 1)
	}
	return math.Hypot(ax+t*dx-mx, ay+t*dy-my) <= bendTolerance
}
