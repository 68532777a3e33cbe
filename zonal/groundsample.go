package zonal

import (
	"context"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
)

const (
	// spreadMargin is what the areas of nine pixels of a rectangle are taken to differ
	// less than those of all: where they change as the square of the distance from
	// somewhere it is at most 9/8.
	spreadMargin = 1.25
	// groundNodes is how many pixels along each side of a rectangle areas are computed of,
	// for those of the others to be taken from the polynomial through them.
	groundNodes = 9
	// polynomialWithin is how far off the polynomial may be, as a share, at the pixels
	// where that is looked at.
	polynomialWithin = 1e-8
	// smallSide is the pixels along a side of rectangles that need no polynomial.
	smallSide = 16
	// partSide is into how many parts a side of a pixel is cut, of which not every
	// corner has a place on the ground: those count that have.
	partSide = 16
)

// sampled gives the areas of a rectangle from those of some of its pixels.
func (g *ground) sampled(ctx context.Context, r raster.Rect) (areas, error) {
	a, err := g.nine(ctx, r)
	if err != nil {
		return areas{}, err
	}
	if spread(a) <= uniformWithin*a[4] {
		return areas{uniform: a[4]}, nil
	}
	alike := true
	for i := 0; i < 9; i += 3 {
		alike = alike && spread(a[i:i+3]) <= uniformWithin*a[i+1]
	}
	if alike {
		// A rectangle of the one column in the middle, which need not be a whole one.
		out := areas{rows: make([]float64, r.Height)}
		return out, g.shifted(float64(r.Width-1)/2).fill(ctx, raster.Rect{X: r.X, Y: r.Y, Width: 1, Height: r.Height}, out.rows, 1)
	}
	out := areas{pixels: make([]float64, r.Width*r.Height)}
	return out, g.fill(ctx, r, out.pixels, r.Width)
}

// nine gives the areas of nine pixels of a rectangle, the fifth in the middle.
func (g *ground) nine(ctx context.Context, r raster.Rect) ([]float64, error) {
	return g.lattice(ctx, r, []float64{0, float64(r.Width-1) / 2, float64(r.Width - 1)}, []float64{0, float64(r.Height-1) / 2, float64(r.Height - 1)})
}

// spread is how far areas differ: infinitely where a pixel has none.
func spread(a []float64) float64 {
	if slices.Min(a) == 0 {
		return math.Inf(1)
	}
	return spreadMargin * (slices.Max(a) - slices.Min(a))
}

// shifted is the ground of the grid that begins so many columns further on.
func (g *ground) shifted(cols float64) *ground {
	out := *g
	out.grid.OriginX, out.grid.OriginY = g.grid.World(cols, 0)
	return &out
}

// fill computes the area of each pixel of a rectangle: from the polynomial through
// some where it is good enough, and else in parts of the rectangle.
func (g *ground) fill(ctx context.Context, r raster.Rect, out []float64, stride int) error {
	if r.Width <= smallSide && r.Height <= smallSide {
		a, err := g.lattice(ctx, r, upTo(r.Width), upTo(r.Height))
		for row := 0; err == nil && row < r.Height; row++ {
			copy(out[row*stride:], a[row*r.Width:(row+1)*r.Width])
		}
		return err
	}
	if ok, err := g.interpolate(ctx, r, out, stride); ok || err != nil {
		return err
	}
	width, height := r.Width, r.Height
	if width > smallSide {
		width = (width + 1) / 2
	}
	if height > smallSide {
		height = (height + 1) / 2
	}
	for y := 0; y < r.Height; y += height {
		for x := 0; x < r.Width; x += width {
			part := raster.Rect{X: r.X + x, Y: r.Y + y, Width: min(width, r.Width-x), Height: min(height, r.Height-y)}
			if err := g.fill(ctx, part, out[y*stride+x:], stride); err != nil {
				return err
			}
		}
	}
	return nil
}

// interpolate takes areas from the polynomial through those of some pixels. It is not
// ok, and nothing is written, where that is not close to the areas of others.
func (g *ground) interpolate(ctx context.Context, r raster.Rect, out []float64, stride int) (ok bool, err error) {
	cols, rows := nodesOf(r.Width), nodesOf(r.Height)
	a, err := g.lattice(ctx, r, cols, rows)
	if err != nil || slices.Min(a) == 0 {
		return false, err
	}
	p := polynomial{cols, rows, a}
	checkCols, checkRows := betweenNodes(cols), betweenNodes(rows)
	want, err := g.lattice(ctx, r, checkCols, checkRows)
	if err != nil {
		return false, err
	}
	got := make([]float64, len(want))
	p.evaluate(checkCols, checkRows, got, len(checkCols))
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= polynomialWithin*v) {
			return false, nil
		}
	}
	p.evaluate(upTo(r.Width), upTo(r.Height), out, stride)
	return true, nil
}

// polynomial is one of two variables, by its values at columns and rows.
type polynomial struct{ cols, rows, values []float64 }

// evaluate writes the values at columns and rows.
func (p polynomial) evaluate(cols, rows, out []float64, stride int) {
	n := len(p.cols)
	across := make([]float64, 0, len(cols)*n)
	for _, col := range cols {
		across = append(across, lagrange(p.cols, col)...)
	}
	line := make([]float64, n)
	for i, row := range rows {
		clear(line)
		for k, weight := range lagrange(p.rows, row) {
			for j := range line {
				line[j] += weight * p.values[k*n+j]
			}
		}
		to := out[i*stride:]
		for j := range cols {
			sum := 0.0
			for k, weight := range across[j*n : (j+1)*n] {
				sum += weight * line[k]
			}
			to[j] = sum
		}
	}
}

// lagrange is how much the value at each node counts at a place.
func lagrange(nodes []float64, at float64) []float64 {
	out := make([]float64, len(nodes))
	for i, n := range nodes {
		out[i] = 1
		for k, other := range nodes {
			if k != i {
				out[i] *= (at - other) / (n - other)
			}
		}
	}
	return out
}

// nodesOf are places among so many pixels, both ends with them, which lie closer
// together towards the ends: extrema of a Chebyshev polynomial. Few pixels are all
// nodes.
func nodesOf(n int) []float64 {
	if n <= groundNodes {
		return upTo(n)
	}
	out := make([]float64, groundNodes)
	for i := range out {
		out[i] = float64(n-1) * (1 - math.Cos(math.Pi*float64(i)/(groundNodes-1))) / 2
	}
	return out
}

// betweenNodes are some places between nodes.
func betweenNodes(at []float64) []float64 {
	n := len(at)
	if n < groundNodes {
		return at[n/2 : n/2+1]
	}
	middle := func(i int) float64 { return (at[i] + at[i+1]) / 2 }
	return []float64{middle(0), middle(n / 2), middle(n - 2)}
}

// upTo is 0, 1, 2 and so on, so many numbers.
func upTo(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i)
	}
	return out
}

// lattice gives the areas of the pixels at columns and rows of a rectangle.
func (g *ground) lattice(ctx context.Context, r raster.Rect, cols, rows []float64) ([]float64, error) {
	at := make([]crs.Point, 0, len(cols)*len(rows))
	for _, row := range rows {
		for _, col := range cols {
			at = append(at, crs.Point{X: float64(r.X) + col, Y: float64(r.Y) + row})
		}
	}
	out, err := g.exact(ctx, at)
	if err != nil {
		return nil, err
	}
	for i, a := range out {
		if !math.IsNaN(a) {
			continue
		}
		if out[i], err = g.part(ctx, at[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// part is the area of those parts of a pixel that have a place on the ground.
func (g *ground) part(ctx context.Context, p crs.Point) (float64, error) {
	fine := *g
	fine.grid.OriginX, fine.grid.OriginY = g.grid.World(p.X, p.Y)
	fine.grid.ScaleX, fine.grid.SkewX = g.grid.ScaleX/partSide, g.grid.SkewX/partSide
	fine.grid.ScaleY, fine.grid.SkewY = g.grid.ScaleY/partSide, g.grid.SkewY/partSide
	at := make([]crs.Point, partSide*partSide)
	for i := range at {
		at[i] = crs.Point{X: float64(i % partSide), Y: float64(i / partSide)}
	}
	all, err := fine.exact(ctx, at)
	sum := 0.0
	for _, a := range all {
		if !math.IsNaN(a) {
			sum += a
		}
	}
	return sum, err
}

const (
	// straightWithin is how much the corners and the middles of the edges may make
	// the area of a pixel another than the corners alone, as a share; else its edges
	// are cut more finely.
	straightWithin = 1e-4
	// maxCuts is into how many parts an edge of a pixel is cut at most.
	maxCuts = 128
)

// exact gives the areas of pixels by their upper left corners, in pixels: NaN for
// those of which not every corner has a place.
//
// Edges are straight in the grid's CRS. The error of a polygon through places along
// them falls with the square of how many there are, so that of two polygons, one of
// twice the places, a third follows that has hardly any (Richardson's extrapolation).
func (g *ground) exact(ctx context.Context, at []crs.Point) ([]float64, error) {
	places := make([]crs.Point, 0, 8*len(at))
	for _, p := range at {
		places = append(places, g.border(p, 2)...)
	}
	if err := g.to.Apply(ctx, places); err != nil {
		return nil, err
	}
	out := make([]float64, len(at))
	for i, p := range at {
		coarse, fine := bothAreas(places[8*i : 8*i+8])
		var err error
		if out[i] = (4*fine - coarse) / 3; math.Abs(fine-coarse) > straightWithin*fine {
			out[i], err = g.refined(ctx, p, fine)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// refined cuts the edges of a pixel more finely than in two, by which it has the area
// given.
func (g *ground) refined(ctx context.Context, p crs.Point, coarse float64) (float64, error) {
	for n := 4; ; n *= 2 {
		places := g.border(p, n)
		if err := g.to.Apply(ctx, places); err != nil {
			return 0, err
		}
		_, fine := bothAreas(places)
		if math.IsNaN(fine) || n == maxCuts || math.Abs(fine-coarse) <= straightWithin*fine {
			return (4*fine - coarse) / 3, nil
		}
		coarse = fine
	}
}

// border is the places along the edges of a pixel, each cut in n parts.
func (g *ground) border(p crs.Point, n int) []crs.Point {
	out := make([]crs.Point, 0, 4*n)
	corners := [5]crs.Point{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 0, Y: 1}, {X: 0, Y: 0}}
	for i, from := range corners[:4] {
		to := corners[i+1]
		for k := range n {
			f := float64(k) / float64(n)
			x, y := g.grid.World(p.X+from.X+f*(to.X-from.X), p.Y+from.Y+f*(to.Y-from.Y))
			out = append(out, crs.Point{X: x, Y: y})
		}
	}
	return out
}

// bothAreas is the area of the polygon through every other place, and through all.
func bothAreas(lonLat []crs.Point) (coarse, fine float64) {
	ring := make([]spherePoint, len(lonLat))
	half := make([]spherePoint, 0, len(lonLat)/2)
	for i, p := range lonLat {
		ring[i] = authalic(p.X, p.Y)
		if i%2 == 0 {
			half = append(half, ring[i])
		}
	}
	return enclosed(half), enclosed(ring)
}
