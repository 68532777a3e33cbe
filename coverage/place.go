package coverage

import (
	"context"
	"math"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/xyz"
)

// part is a connected piece of a geometry: a polygon's rings, the first of
// which is its shell, one line, or points.
type part struct {
	kind  partKind
	lines [][]crs.Point
}

type partKind uint8

const (
	points partKind = iota
	line
	area
)

// parts takes a geometry apart.
func parts(g orb.Geometry) ([]part, error) {
	switch g := g.(type) {
	case nil:
		return nil, nil
	case orb.Point:
		return []part{{points, [][]crs.Point{{{X: g[0], Y: g[1]}}}}}, nil
	case orb.MultiPoint:
		return []part{{points, [][]crs.Point{path(g)}}}, nil
	case orb.LineString:
		return []part{{line, [][]crs.Point{path(g)}}}, nil
	case orb.MultiLineString:
		return partsOf(g)
	case orb.Ring:
		return parts(orb.Polygon{g})
	case orb.Polygon:
		p := part{kind: area}
		for _, r := range g {
			p.lines = append(p.lines, path(r))
		}
		return []part{p}, nil
	case orb.MultiPolygon:
		return partsOf(g)
	case orb.Bound:
		if g.IsEmpty() {
			return nil, nil
		}
		return parts(g.ToPolygon())
	case orb.Collection:
		return partsOf(g)
	}
	return nil, rasterbase.Errorf(rasterbase.Invalid, "a geometry of the type %T is not known", g).WithField("geometry")
}

func partsOf[G orb.Geometry](all []G) (out []part, err error) {
	for _, g := range all {
		p, err := parts(g)
		if err != nil {
			return nil, err
		}
		out = append(out, p...)
	}
	return out, nil
}

func path[S ~[]orb.Point](s S) []crs.Point {
	out := make([]crs.Point, len(s))
	for i, p := range s {
		out[i] = crs.Point{X: p[0], Y: p[1]}
	}
	return out
}

// BoxGeometry is a box in longitude and latitude as a geometry: two boxes when
// it crosses the antimeridian, where West is greater than East.
func BoxGeometry(b rasterbase.Bounds) orb.Geometry {
	box := func(west, east float64) orb.Bound {
		return orb.Bound{Min: orb.Point{west, b.South}, Max: orb.Point{east, b.North}}
	}
	if b.West > b.East {
		return orb.Collection{box(b.West, 180), box(-180, b.East)}
	}
	return box(b.West, b.East)
}

// period is the width of the whole world in a CRS whose x goes round it, and 0
// in others.
func period(c rasterbase.CRS) float64 {
	switch {
	case c.Geographic():
		return 360
	case crs.SameCRS(c, rasterbase.CRS{SRID: 3857}):
		return 2 * xyz.HalfWorld
	}
	return 0
}

// levelGrid is the grid of a level: where its pixels lie and how they are cut
// in tiles.
type levelGrid struct {
	grid rasterbase.Grid // Width and Height are those of the level
	crs  rasterbase.CRS
	size int // pixels along a side of a tile
}

// levelGrid is the grid of one of the coverage's levels.
func (d Description) levelGrid(l Level) levelGrid {
	in, g := d.gridOf(l)
	if l.Kind == rasterbase.Pyramid {
		g.Width = d.TileSize << l.Zoom
		g.Height = g.Width
	}
	return levelGrid{g, in, d.TileSize}
}

// touch is the distance in pixels within which things touch: a millionth, or
// what rounding makes of the coordinates where that is more.
func (l levelGrid) touch() float64 {
	var most float64
	for _, col := range []float64{0, float64(l.grid.Width)} {
		for _, row := range []float64{0, float64(l.grid.Height)} {
			x, y := l.grid.World(col, row)
			most = max(most, math.Abs(x), math.Abs(y))
		}
	}
	pixel := math.Sqrt(math.Abs(l.grid.ScaleX*l.grid.ScaleY - l.grid.SkewX*l.grid.SkewY))
	const ulp = 0x1p-52
	return max(1e-6, 4*ulp*most/pixel)
}

// placer places a geometry in the space of a level's tiles.
type placer struct {
	levelGrid
	from rasterbase.CRS
	// The transforms between the geometry's CRS and the level's; nil when the
	// two are the same.
	forward, inverse crs.Transform
	reach            *reach // what of the geometry can matter; nil until it is asked for
	out              footprint
	areas            int
}

// place makes the footprint of a geometry, nil for the whole level. Edges are
// straight in the geometry's own CRS.
func place(ctx context.Context, l levelGrid, g orb.Geometry, from rasterbase.CRS, t crs.Transformer) (*footprint, error) {
	size := float64(l.size)
	p := &placer{levelGrid: l, from: from}
	p.out = footprint{width: float64(l.grid.Width) / size, height: float64(l.grid.Height) / size, slack: l.touch() / size}
	if g == nil {
		w, h := p.out.width, p.out.height
		p.add(area, [][]crs.Point{{{X: 0, Y: 0}, {X: w, Y: 0}, {X: w, Y: h}, {X: 0, Y: h}}})
		return &p.out, nil
	}
	all, err := parts(g)
	if err != nil || len(all) == 0 {
		return &p.out, err
	}
	if err := p.transforms(t); err != nil {
		return nil, err
	}
	for _, part := range all {
		if err := p.place(ctx, part); err != nil {
			return nil, err
		}
	}
	return &p.out, nil
}

func (p *placer) transforms(t crs.Transformer) (err error) {
	if crs.SameCRS(p.from, p.crs) {
		return nil
	}
	t = orClosed(t)
	if p.forward, err = t.Between(p.from, p.crs); err != nil {
		return err
	}
	p.inverse, err = t.Between(p.crs, p.from)
	return err
}

// place adds a part of the geometry to the footprint.
func (p *placer) place(ctx context.Context, a part) error {
	if p.forward == nil {
		var lines [][]crs.Point
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
	if p.reach == nil {
		r, err := newReach(ctx, p)
		if err != nil {
			return err
		}
		p.reach = r
	}
	for _, cut := range p.reach.cut(a) {
		lines, err := p.bend(ctx, cut)
		if err != nil {
			return err
		}
		p.turned(a.kind, lines)
	}
	return nil
}

// pixels places coordinates of the level's CRS in tiles. Lines break where
// there is no place; polygons go on at the next one.
func (p *placer) pixels(l []crs.Point, kind partKind) (out [][]crs.Point) {
	var piece []crs.Point
	for _, q := range l {
		col, row := p.grid.Pixel(q.X, q.Y)
		// The difference is 0 for finite numbers alone.
		if col-col == 0 && row-row == 0 {
			piece = append(piece, crs.Point{X: reachable(col / float64(p.size)), Y: reachable(row / float64(p.size))})
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
func (p *placer) turned(kind partKind, lines [][]crs.Point) {
	p.add(kind, lines)
	turn := period(p.crs)
	if turn == 0 || len(lines) == 0 || p.forward == nil && !p.crs.Geographic() {
		return
	}
	x0, y0 := p.grid.Pixel(p.grid.OriginX, p.grid.OriginY)
	x1, y1 := p.grid.Pixel(p.grid.OriginX+turn, p.grid.OriginY)
	dx, dy := (x1-x0)/float64(p.size), (y1-y0)/float64(p.size)
	for k := -mostTurns; k <= mostTurns; k++ {
		if k == 0 {
			continue
		}
		moved := make([][]crs.Point, len(lines))
		for i, l := range lines {
			moved[i] = shifted(l, float64(k)*dx, float64(k)*dy)
		}
		b := boxOf(moved)
		border := p.out.slack
		if kind == points {
			border = -border
		}
		if b.maxX > border && b.minX < p.out.width-border && b.maxY > border && b.minY < p.out.height-border {
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

// add adds the edges of lines that are in tiles.
func (p *placer) add(kind partKind, lines [][]crs.Point) {
	id := 0
	if kind == area {
		p.areas++
		id = p.areas
	}
	for _, l := range lines {
		for i, q := range l {
			before := q
			switch {
			case kind == line && i > 0, kind == area && i > 0:
				before = l[i-1]
			case kind == line && len(l) > 1:
				continue // the first of a line, which is an end of its first edge
			case kind == area:
				before = l[len(l)-1]
			}
			p.out.edges = append(p.out.edges, edge{before.X, before.Y, q.X, q.Y, id})
		}
	}
}
