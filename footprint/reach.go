package footprint

import (
	"context"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
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
	// curvature is that of straight lines of the geometry's CRS in the grid, in one
	// through pixels: not much more than this. Infinite where there is no telling.
	curvature float64
}

// samples is how many places along a side of the level tell its reach.
const samples = 33

func newReach(ctx context.Context, p *Placer) (*reach, error) {
	var at []crs.Point
	for i := range samples * samples {
		x, y := p.grid.World(float64(i%samples)/(samples-1)*float64(p.grid.Width), float64(i/samples)/(samples-1)*float64(p.grid.Height))
		at = append(at, crs.Point{X: x, Y: y})
	}
	if err := p.inverse.Apply(ctx, at); err != nil {
		return nil, err
	}
	r := &reach{clipBox: everywhere, turn: Period(p.options.CRS)}
	r.curvature = p.curvature(at, r.turn)
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
	if p.options.CRS.Geographic() { // beyond the poles there is nothing
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
func (r *reach) seam(ctx context.Context, p *Placer) error {
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
		b := Near(at[i+1], at[i].X, Period(p.grid.CRS))
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
// whole turns further, and whether they are all of it.
func (r *reach) cut(a part) (out []part, whole bool) {
	b := boxOf(a.lines)
	if !(b.minX <= b.maxX) {
		return nil, true
	}
	first, last := 0.0, 0.0
	if r.turn > 0 {
		first = max(-mostTurns, math.Ceil((r.minX-b.maxX)/r.turn))
		last = min(mostTurns, math.Floor((r.maxX-b.minX)/r.turn))
	}
	for k := first; k <= last; k++ {
		dx := k * r.turn
		lines := a.lines
		if dx != 0 {
			lines = make([][]crs.Point, len(a.lines))
			for i, l := range a.lines {
				lines[i] = shifted(l, dx, 0)
			}
		}
		if b.minX+dx >= r.minX && b.maxX+dx <= r.maxX && b.minY >= r.minY && b.maxY <= r.maxY {
			out, whole = append(out, part{a.kind, lines}), true
			continue
		}
		cut := part{kind: a.kind}
		for _, l := range lines {
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
	return out, whole
}

// curvature looks at how far the middle one of three samples in a line is from
// straight, in the geometry's CRS. A grid in which that is much, such as one round a
// pole, has no known curvature.
func (p *Placer) curvature(at []crs.Point, turn float64) float64 {
	dx, dy := float64(p.grid.Width)/(samples-1), float64(p.grid.Height)/(samples-1)
	most := 0.0
	for row := 1; row < samples-1; row++ {
		for col := 1; col < samples-1; col++ {
			k := row*samples + col
			middle := at[k]
			place := func(k int) crs.Point { return Near(at[k], middle.X, turn) }
			west, east, north, south := place(k-1), place(k+1), place(k-samples), place(k+samples)
			local := rasterbase.Grid{
				ScaleX: (east.X - west.X) / 2 / dx, SkewX: (south.X - north.X) / 2 / dy,
				SkewY: (east.Y - west.Y) / 2 / dx, ScaleY: (south.Y - north.Y) / 2 / dy,
			}
			for _, pair := range [][3]float64{{1, dx, 0}, {samples, 0, dy}, {samples + 1, dx, dy}, {samples - 1, dx, dy}} {
				a, b := place(k-int(pair[0])), place(k+int(pair[0]))
				off := math.Hypot(local.Pixel(middle.X-(a.X+b.X)/2, middle.Y-(a.Y+b.Y)/2))
				length := 2 * math.Hypot(pair[1], pair[2])
				if !(off <= length/16) {
					return math.Inf(1)
				}
				most = max(most, 8*off/(length*length))
			}
		}
	}
	return most
}
