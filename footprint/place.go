package footprint

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/xyz"
)

// Grid is the grid of a level: where its pixels lie and how they are cut in tiles.
type Grid struct {
	rasterbase.Grid                // Width and Height are those of the level, in pixels
	CRS             rasterbase.CRS // of the grid
	TileSize        int            // pixels along a side of a tile; 0: 256
}

// Options says how geometries are placed.
type Options struct {
	CRS         rasterbase.CRS  // of the geometries
	Transformer crs.Transformer // nil: closed forms only
	// VerticesOnly moves vertices and leaves the edges between them straight in the
	// grid's CRS.
	VerticesOnly bool
	// Lenient leaves out vertices that are no place, and takes latitudes beyond the
	// poles, where Place would give an error.
	Lenient bool
	// MaxVertices is the most vertices of one geometry; 0: any number.
	MaxVertices int
}

// Placer places geometries in the pixels of a grid. What they have in common is
// done once. Several goroutines may use it.
type Placer struct {
	grid    Grid
	options Options
	slack   float64
	// The transforms between the geometries' CRS and the grid's; nil when the two
	// are the same.
	forward, inverse crs.Transform
	// sourceTurn and gridTurn are the width of the world where x goes round it in both
	// CRSs: then places are as many turns round it in one as in the other. Where it
	// does so in the grid's alone, turn is its width there, and the places of a line
	// are next to each other. 0 otherwise.
	sourceTurn, gridTurn, turn float64

	mu    sync.Mutex
	reach *reach // what of a geometry can matter; nil until it is asked for
}

// NewPlacer makes a placer. The error has code unsupported when there is no transform
// from the geometries' CRS to the grid's.
func NewPlacer(ctx context.Context, g Grid, o Options) (*Placer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.TileSize = cmp.Or(g.TileSize, 256)
	p := &Placer{grid: g, options: o, slack: g.touch()}
	if crs.SameCRS(o.CRS, g.CRS) {
		return p, nil
	}
	t := o.Transformer
	if t == nil {
		t = crs.Closed{}
	}
	var err error
	if p.forward, err = t.Between(o.CRS, g.CRS); err != nil {
		return nil, err
	}
	if p.sourceTurn = Period(o.CRS); p.sourceTurn > 0 {
		p.gridTurn = Period(g.CRS)
	} else {
		p.turn = Period(g.CRS)
	}
	p.inverse, err = t.Between(g.CRS, o.CRS)
	return p, err
}

// transform moves places to the grid's CRS.
func (p *Placer) transform(ctx context.Context, at []crs.Point) error {
	if p.gridTurn == 0 {
		return p.forward.Apply(ctx, at)
	}
	turns := make([]float64, len(at))
	for i, q := range at {
		turns[i] = q.X / p.sourceTurn
	}
	err := p.forward.Apply(ctx, at)
	for i := range at {
		at[i].X += p.gridTurn * math.Round(turns[i]-at[i].X/p.gridTurn)
	}
	return err
}

// Period is the width of the whole world in a CRS whose x goes round it, and 0
// in others.
func Period(c rasterbase.CRS) float64 {
	switch {
	case c.Geographic():
		return 360
	case crs.SameCRS(c, rasterbase.CRS{SRID: 3857}):
		return 2 * xyz.HalfWorld
	}
	return 0
}

// touch is the distance in pixels within which things touch: a millionth, or
// what rounding makes of the coordinates where that is more.
func (g Grid) touch() float64 {
	var most float64
	for _, col := range []float64{0, float64(g.Width)} {
		for _, row := range []float64{0, float64(g.Height)} {
			x, y := g.World(col, row)
			most = max(most, math.Abs(x), math.Abs(y))
		}
	}
	pixel := math.Sqrt(math.Abs(g.ScaleX*g.ScaleY - g.SkewX*g.SkewY))
	const ulp = 0x1p-52
	return max(1e-6, 4*ulp*most/pixel)
}

// placing is the placing of one geometry.
type placing struct {
	*Placer
	out   *Outline
	areas int32
}

// Place places a geometry: areas, lines, points, or a collection of them; nil is the
// whole grid. Rings need not be closed; one with fewer than three different vertices
// has no inside, and holds only what its edges pass through, by Touched. What has no
// place in the grid's CRS is left out.
//
// The error has code too large for a geometry of more than Options.MaxVertices, and
// invalid for coordinates that are no numbers, or latitudes beyond the poles; it
// tells which.
func (p *Placer) Place(ctx context.Context, g orb.Geometry) (*Outline, error) {
	o := &Outline{grid: p.grid, slack: p.slack}
	at := &placing{Placer: p, out: o}
	if g == nil {
		w, h := float64(p.grid.Width), float64(p.grid.Height)
		at.add(area, [][]crs.Point{{{X: 0, Y: 0}, {X: w, Y: 0}, {X: w, Y: h}, {X: 0, Y: h}}})
		o.finish()
		return o, nil
	}
	all, err := parts(g)
	if err != nil {
		return nil, err
	}
	if err := p.check(all, o); err != nil {
		return nil, err
	}
	for _, part := range all {
		if err := at.place(ctx, part); err != nil {
			return nil, err
		}
	}
	o.finish()
	return o, nil
}

// check counts the vertices, and looks at each.
func (p *Placer) check(all []part, o *Outline) error {
	most, limit, any := p.options.MaxVertices, p.mostLatitude(), p.options.Lenient
	for i, part := range all {
		for k, l := range part.lines {
			o.vertices += len(l)
			for j, q := range l {
				if any || q.X-q.X == 0 && math.Abs(q.Y) <= limit {
					continue
				}
				what := "is no place: coordinates are finite numbers"
				if q.X-q.X == 0 && q.Y-q.Y == 0 {
					what = "has a latitude beyond the pole"
				}
				return rasterbase.Errorf(rasterbase.Invalid, "vertex %d%s of part %d of the geometry, (%v, %v), %s", j+1, part.nameOf(k), i+1, q.X, q.Y, what).
					WithHint("coordinates are x y, or longitude latitude, in the CRS that is named with the geometry").WithField("geom")
			}
		}
	}
	if most > 0 && o.vertices > most {
		return rasterbase.Errorf(rasterbase.TooLarge, "the geometry has %d vertices, and %d may be counted with", o.vertices, most).
			WithHint("simplify it, or ask in parts").WithField("geom")
	}
	return nil
}

// mostLatitude is how far from the equator a vertex may be, with what rounding makes
// of a pole; grids in degrees may reach further.
func (p *Placer) mostLatitude() float64 {
	if !p.options.CRS.Geographic() {
		return math.MaxFloat64
	}
	limit := 90 + 1e-6
	if p.forward == nil {
		for _, col := range []float64{0, float64(p.grid.Width)} {
			for _, row := range []float64{0, float64(p.grid.Height)} {
				_, y := p.grid.World(col, row)
				limit = max(limit, math.Abs(y)+1e-6)
			}
		}
	}
	return limit
}

// place adds a part of the geometry to the outline.
func (p *placing) place(ctx context.Context, a part) error {
	if p.forward == nil {
		lines := make([][]crs.Point, 0, len(a.lines))
		for _, l := range a.lines {
			lines = append(lines, p.pixels(l, a.kind)...)
		}
		p.turned(a.kind, lines)
		return nil
	}
	if a.kind == points {
		at := append([]crs.Point(nil), a.lines[0]...)
		if err := p.forward.Apply(ctx, at); err != nil {
			return err
		}
		p.turned(points, p.pixels(at, points))
		return nil
	}
	if p.options.Lenient {
		a = a.places()
	}
	r, err := p.reached(ctx)
	if err != nil {
		return err
	}
	pieces, whole := r.cut(a)
	p.out.partial = p.out.partial || !whole
	for _, cut := range pieces {
		lines, err := p.bend(ctx, cut)
		if err != nil {
			return err
		}
		p.turned(a.kind, lines)
	}
	return nil
}

// reached is the reach of the grid, found when it is first asked for.
func (p *Placer) reached(ctx context.Context) (*reach, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reach == nil {
		r, err := newReach(ctx, p)
		if err != nil {
			return nil, err
		}
		p.reach = r
	}
	return p.reach, nil
}

// pixels places coordinates of the grid's CRS in its pixels. Lines break where
// there is no place; polygons go on at the next one.
func (p *Placer) pixels(l []crs.Point, kind partKind) (out [][]crs.Point) {
	piece := make([]crs.Point, 0, len(l))
	for _, q := range l {
		col, row := p.grid.Pixel(q.X, q.Y)
		// The difference is 0 for finite numbers alone.
		if col-col == 0 && row-row == 0 {
			piece = append(piece, crs.Point{X: reachable(col), Y: reachable(row)})
		} else if kind == line && len(piece) > 0 {
			out, piece = append(out, piece), nil
		}
	}
	if len(piece) > 0 {
		out = append(out, piece)
	}
	return out
}

// reachable is v, or what is far outside of any level where v is further, so
// that the arithmetic of edges never overflows.
func reachable(v float64) float64 { return min(max(v, -1e12), 1e12) }

// mostTurns is how many turns round the world a coordinate may be off.
const mostTurns = 4

// turned adds lines as they are, and whole turns round the world further where
// that brings them onto the level: longitudes may be counted from 0 or from
// -180. Lines and polygons that would only touch the level's border then are
// left out, so that a box that ends at 180 degrees does not select the tiles
// at -180.
func (p *placing) turned(kind partKind, lines [][]crs.Point) {
	p.add(kind, lines)
	turn := Period(p.grid.CRS)
	if turn == 0 || len(lines) == 0 || p.forward == nil && !p.grid.CRS.Geographic() {
		return
	}
	x0, y0 := p.grid.Pixel(p.grid.OriginX, p.grid.OriginY)
	x1, y1 := p.grid.Pixel(p.grid.OriginX+turn, p.grid.OriginY)
	width, height := float64(p.grid.Width), float64(p.grid.Height)
	border := p.slack
	if kind == points {
		border = -border
	}
	whole := boxOf(lines)
	for k := -mostTurns; k <= mostTurns; k++ {
		if k == 0 {
			continue
		}
		dx, dy := float64(k)*(x1-x0), float64(k)*(y1-y0)
		if whole.maxX+dx > border && whole.minX+dx < width-border && whole.maxY+dy > border && whole.minY+dy < height-border {
			moved := make([][]crs.Point, len(lines))
			for i, l := range lines {
				moved[i] = shifted(l, dx, dy)
			}
			p.out.partial = true
			p.add(kind, moved)
		}
	}
}

func shifted(l []crs.Point, dx, dy float64) []crs.Point {
	out := make([]crs.Point, len(l))
	for i, q := range l {
		out[i] = crs.Point{X: q.X + dx, Y: q.Y + dy}
	}
	return out
}

// boxOf is the box of all that is a number.
func boxOf(lines [][]crs.Point) clipBox {
	b := clipBox{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, l := range lines {
		for _, q := range l {
			if q.X-q.X == 0 && q.Y-q.Y == 0 {
				b = clipBox{min(b.minX, q.X), min(b.minY, q.Y), max(b.maxX, q.X), max(b.maxY, q.Y)}
			}
		}
	}
	return b
}

// add adds the edges of lines that are in pixels, each from the lower y to the
// higher one: an edge that two areas share must be crossed at the very same place,
// whichever way each of them goes along it.
func (p *placing) add(kind partKind, lines [][]crs.Point) {
	n := 0
	for _, l := range lines {
		n += len(l)
	}
	if n == 0 {
		return
	}
	of := int32(pointEdge)
	switch kind {
	case line:
		of = lineEdge
		if onBorders(lines) {
			of = borderEdge
		}
	case area:
		p.areas++
		of = p.areas
	}
	p.out.edges = slices.Grow(p.out.edges, n)
	for _, l := range lines {
		for i, q := range l {
			before := q
			switch {
			case kind != points && i > 0:
				before = l[i-1]
			case kind == line && len(l) > 1:
				continue // the first of a line, which is an end of its first edge
			case kind == area:
				before = l[len(l)-1]
			}
			e := edge{before.X, before.Y, q.X, q.Y, of}
			if kind == line && e.x1 == e.x2 && e.y1 == e.y2 {
				if !isPoint(l) || i > 1 {
					continue
				}
				e.area = pointEdge
			}
			p.out.edges = append(p.out.edges, e.upright())
		}
	}
}

// onBorders reports whether a line passes through no pixel, since it lies where
// pixels border on each other.
func onBorders(lines [][]crs.Point) bool {
	for _, l := range lines {
		for i := 1; i < len(l); i++ {
			a, b := l[i-1], l[i]
			upright := a.X == b.X && a.X == math.Floor(a.X)
			level := a.Y == b.Y && a.Y == math.Floor(a.Y)
			if !upright && !level {
				return false
			}
		}
	}
	return true
}

// isPoint reports whether a line stays in one place.
func isPoint(l []crs.Point) bool {
	return !slices.ContainsFunc(l, func(q crs.Point) bool { return q != l[0] })
}
