package footprint

import (
	"context"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/xyz"
)

// Near is p, whole turns further where that is nearer to x.
func Near(p crs.Point, x, turn float64) crs.Point {
	if turn > 0 && math.Abs(p.X-x) > turn/2 {
		p.X -= math.Round((p.X-x)/turn) * turn
	}
	return p
}

// bend transforms the edges of a part, which are straight in the geometry's
// CRS and need not be so in the level's: they are divided until they are
// within a hundredth of a pixel.
func (p *Placer) bend(ctx context.Context, a part) (out [][]crs.Point, err error) {
	shell := everywhere
	back := p.turnsBack(a)
	for i, l := range a.lines {
		if len(l) == 0 {
			continue
		}
		at, err := p.follow(ctx, l, a.kind == area)
		if err != nil {
			return nil, err
		}
		for j := 1; j < len(at); j++ {
			at[j] = Near(at[j], lastX(at[:j]), p.turn)
		}
		if back != 0 {
			at = shifted(at, back, 0)
		}
		if a.kind == area && p.turn > 0 {
			if at, err = p.roundPole(ctx, l, at, p.turn); err != nil {
				return nil, err
			}
			// A hole lies in its shell, not a turn further.
			b := boxOf([][]crs.Point{at})
			if i == 0 {
				shell = b
			} else if k := math.Ceil((shell.minX - b.minX) / p.turn); k-k == 0 && b.maxX+k*p.turn <= shell.maxX {
				at = shifted(at, k*p.turn, 0)
			}
		}
		out = append(out, p.pixels(at, a.kind)...)
	}
	return out, nil
}

// turnsBack is how far a part that is whole turns round the world away is moved, so that
// most of it is where the grid's CRS counts from.
func (p *Placer) turnsBack(a part) float64 {
	if p.gridTurn == 0 {
		return 0
	}
	b := boxOf(a.lines)
	return -p.gridTurn * math.Round((b.minX+b.maxX)/2/p.sourceTurn)
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
func (p *Placer) roundPole(ctx context.Context, source, at []crs.Point, turn float64) ([]crs.Point, error) {
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
