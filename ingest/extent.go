package ingest

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/xyz"
)

// overlap reports whether two boxes have an area in common.
func overlap(b, o xyz.Box) bool {
	return b.MinX < o.MaxX && o.MinX < b.MaxX && b.MinY < o.MaxY && o.MinY < b.MaxY
}

// nowhere is the box to begin with when others are joined.
func nowhere() xyz.Box {
	return xyz.Box{MinX: math.Inf(1), MinY: math.Inf(1), MaxX: math.Inf(-1), MaxY: math.Inf(-1)}
}

// join is the smallest box around two.
func join(b, o xyz.Box) xyz.Box {
	return xyz.Box{MinX: min(b.MinX, o.MinX), MinY: min(b.MinY, o.MinY), MaxX: max(b.MaxX, o.MaxX), MaxY: max(b.MaxY, o.MaxY)}
}

func pointBox(p Place) xyz.Box { return xyz.Box{MinX: p.X, MinY: p.Y, MaxX: p.X, MaxY: p.Y} }

func flat(b xyz.Box) bool { return !(b.MinX < b.MaxX && b.MinY < b.MaxY) }

// meshCells is how many cells a raster is cut into along each axis to find
// where it lies on the world, and meshDepth how often a cell is cut further
// where only a part of it is on the world.
const (
	meshCells = 32
	meshDepth = 4
)

// extent finds the boxes in EPSG:3857 that together cover a raster: one for
// each cell of a mesh, so that a raster which crosses the antimeridian, holds
// a pole, or reaches beyond the end of web mercator needs no special case.
// Boxes are widened where edges are bent, so that no pixel is missed; tight
// ones are not, and say where the raster is.
func extent(ctx context.Context, d Dataset) (boxes, tight []xyz.Box, err error) {
	g := d.Info().Grid
	cells := make([]cell, 0, meshCells*meshCells)
	w, h := float64(g.Width)/meshCells, float64(g.Height)/meshCells
	for j := range meshCells {
		for i := range meshCells {
			cells = append(cells, cell{float64(i) * w, float64(j) * h, w, h})
		}
	}
	for depth := 0; len(cells) > 0; depth++ {
		places := make([]Place, 0, 9*len(cells))
		for _, c := range cells {
			places = append(places, c.nodes()...)
		}
		if err := d.ToMercator(ctx, places); err != nil {
			return nil, nil, err
		}
		var next []cell
		for i, c := range cells {
			nodes := places[9*i : 9*i+9]
			switch finite := countFinite(nodes); {
			case finite == 9:
				b, bx, by := cellBox(nodes)
				tight = appendShifted(tight, b)
				boxes = appendShifted(boxes, xyz.Box{MinX: b.MinX - bx, MinY: b.MinY - by, MaxX: b.MaxX + bx, MaxY: b.MaxY + by})
			case depth < meshDepth && (finite > 0 || depth < 2):
				next = append(next, c.split()...)
			}
		}
		cells = next
	}
	if tight = slices.DeleteFunc(tight, flat); len(tight) == 0 {
		return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "no part of the raster lies where web mercator can show it").
			WithHint("check its CRS; --srid replaces it").WithField("srid")
	}
	return slices.DeleteFunc(boxes, flat), tight, nil
}

// cell is a rectangle of pixel space with nine nodes: corners, middles of the
// edges, and centre, row by row.
type cell struct{ x, y, w, h float64 }

func (c cell) nodes() []Place {
	n := make([]Place, 0, 9)
	for j := range 3 {
		for i := range 3 {
			n = append(n, Place{c.x + c.w*float64(i)/2, c.y + c.h*float64(j)/2})
		}
	}
	return n
}

func (c cell) split() []cell {
	w, h := c.w/2, c.h/2
	return []cell{{c.x, c.y, w, h}, {c.x + w, c.y, w, h}, {c.x, c.y + h, w, h}, {c.x + w, c.y + h, w, h}}
}

func countFinite(p []Place) (n int) {
	for _, q := range p {
		if finitePlace(q) {
			n++
		}
	}
	return n
}

func finitePlace(p Place) bool {
	return !math.IsNaN(p.X) && !math.IsNaN(p.Y) && !math.IsInf(p.X, 0) && !math.IsInf(p.Y, 0)
}

// cellBox is the box of a cell's nine nodes, not cut at the antimeridian, and
// how much the cell is bent.
func cellBox(nodes []Place) (b xyz.Box, bx, by float64) {
	const turn = 2 * xyz.HalfWorld
	// Longitudes are unrolled along the cell's outline, so that neighbours are
	// less than half a turn apart.
	outline := [...]int{0, 1, 2, 5, 8, 7, 6, 3, 0}
	p := slices.Clone(nodes)
	x := p[0].X
	for _, k := range outline[1:8] {
		x += math.Remainder(nodes[k].X-x, turn)
		p[k].X = x
	}
	closing := x + math.Remainder(nodes[0].X-x, turn)
	p[4].X = x + math.Remainder(nodes[4].X-x, turn)
	b = bound(p)
	if math.Abs(closing-nodes[0].X) > xyz.HalfWorld { // the outline goes round a pole
		b.MinX, b.MaxX = xyz.World.MinX, xyz.World.MaxX
		if b.MinY+b.MaxY > 0 {
			b.MaxY = xyz.World.MaxY
		} else {
			b.MinY = xyz.World.MinY
		}
		return b, 0, 0
	}
	bx, by = bend(p)
	return b, bx, by
}

// appendShifted adds the parts of a box that are in the world, also those that
// reach across the antimeridian.
func appendShifted(boxes []xyz.Box, b xyz.Box) []xyz.Box {
	const turn = 2 * xyz.HalfWorld
	for _, shift := range [...]float64{0, turn, -turn} {
		s := b
		s.MinX, s.MaxX = s.MinX+shift, s.MaxX+shift
		boxes = append(boxes, s.Intersect(xyz.World))
	}
	return boxes
}

func bound(p []Place) xyz.Box {
	b := nowhere()
	for _, q := range p {
		b = join(b, pointBox(q))
	}
	return b
}

// bend is how far the middles of a cell lie from where they would lie if the
// cell's image were a parallelogram.
func bend(p []Place) (x, y float64) {
	for _, m := range [...][3]int{{1, 0, 2}, {3, 0, 6}, {5, 2, 8}, {7, 6, 8}, {4, 0, 8}, {4, 2, 6}} {
		x = max(x, math.Abs(p[m[0]].X-(p[m[1]].X+p[m[2]].X)/2))
		y = max(y, math.Abs(p[m[0]].Y-(p[m[1]].Y+p[m[2]].Y)/2))
	}
	return x, y
}

// lonLatBounds is the smallest box of longitudes and latitudes around boxes:
// across the antimeridian when that is smaller.
func lonLatBounds(boxes []xyz.Box) rasterbase.Bounds {
	type span struct{ from, to float64 }
	var spans []span
	all := nowhere()
	for _, b := range boxes {
		spans = append(spans, span{b.MinX, b.MaxX})
		all = join(all, b)
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	// The widest gap between spans is what the bounds leave out; the one over
	// the antimeridian is where they start and end if no other is wider.
	widest, from, to := all.MinX+2*xyz.HalfWorld-all.MaxX, all.MinX, all.MaxX
	reach := spans[0].to
	for _, s := range spans[1:] {
		if s.from-reach > widest {
			widest, from, to = s.from-reach, s.from, reach
		}
		reach = max(reach, s.to)
	}
	return xyz.Box{MinX: from, MinY: all.MinY, MaxX: to, MaxY: all.MaxY}.LonLat()
}

// resolution is a pixel's size in metres of EPSG:3857 at the centre of the
// extent: the square root of the determinant of the derivative from pixels to
// metres. scaleX and scaleY, times the target's resolution, are source pixels
// for one target pixel along the source's axes.
type resolution struct{ metres, colsPerMetre, rowsPerMetre float64 }

func measure(ctx context.Context, d Dataset, boxes []xyz.Box) (resolution, error) {
	centres := []Place{centre(hull(boxes))}
	// A hull's centre may lie outside a raster that is bent or split: then the
	// cells' own centres are tried, the middle one first.
	for i := range boxes {
		centres = append(centres, centre(boxes[(i+len(boxes)/2)%len(boxes)]))
	}
	g := d.Info().Grid
	for _, c := range centres {
		p := []Place{c}
		if err := d.FromMercator(ctx, p); err != nil {
			return resolution{}, err
		}
		x, y := p[0].X, p[0].Y
		if !finitePlace(p[0]) || x < 0 || y < 0 || x > float64(g.Width) || y > float64(g.Height) {
			continue
		}
		const step = 0.5
		q := []Place{{x - step, y}, {x + step, y}, {x, y - step}, {x, y + step}}
		if err := d.ToMercator(ctx, q); err != nil {
			return resolution{}, err
		}
		if countFinite(q) < 4 {
			continue
		}
		const turn = 2 * xyz.HalfWorld
		a, b := math.Remainder(q[1].X-q[0].X, turn), math.Remainder(q[3].X-q[2].X, turn)
		e, f := q[1].Y-q[0].Y, q[3].Y-q[2].Y
		det := a*f - b*e
		if det == 0 || math.IsNaN(det) {
			continue
		}
		// The inverse of the derivative gives columns and rows per metre.
		return resolution{
			metres:       math.Sqrt(math.Abs(det)),
			colsPerMetre: math.Hypot(f, b) / math.Abs(det),
			rowsPerMetre: math.Hypot(e, a) / math.Abs(det),
		}, nil
	}
	return resolution{}, rasterbase.Errorf(rasterbase.Invalid, "no part of the raster lies where web mercator can show it").
		WithHint("check its CRS; --srid replaces it").WithField("srid")
}

func hull(boxes []xyz.Box) xyz.Box {
	all := boxes[0]
	for _, b := range boxes {
		all = join(all, b)
	}
	return all
}

func centre(b xyz.Box) Place { return Place{(b.MinX + b.MaxX) / 2, (b.MinY + b.MaxY) / 2} }

// touching are the boxes that a tile touches.
func touching(boxes []xyz.Box, t xyz.Tile) []xyz.Box {
	bounds := t.Bounds()
	var in []xyz.Box
	for _, b := range boxes {
		if overlap(b, bounds) {
			in = append(in, b)
		}
	}
	return in
}

// countTiles is how many tiles from a tile down to a zoom touch boxes; it
// stops counting above a limit.
func countTiles(boxes []xyz.Box, t xyz.Tile, maxZoom int, limit int64) int64 {
	in := touching(boxes, t)
	if len(in) == 0 {
		return 0
	}
	n := int64(1)
	if t.Z < maxZoom {
		for _, c := range t.Children() {
			if n > limit {
				break
			}
			n += countTiles(in, c, maxZoom, limit-n)
		}
	}
	return n
}
