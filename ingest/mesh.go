package ingest

import (
	"context"
	"math"

	"github.com/rasterbase/rasterbase/resample"
	"github.com/rasterbase/rasterbase/xyz"
)

// The places of a tile's pixels in the source are not transformed one by one:
// a tile is cut into leaves in which interpolation between nine exact places is
// good enough, and transformed pixel by pixel only where none is.
const (
	// meshTolerance is how far, in source pixels, the exact middles of a leaf
	// may lie from straight lines. The leaf is then interpolated through the
	// middles too, so that only what is of third degree is left as error: a
	// small fraction of it.
	meshTolerance = 0.04
	// meshSmallest is the side, in target pixels, below which a leaf is
	// transformed pixel by pixel.
	meshSmallest = 8
	// meshBlank is the side up to which nine places without a counterpart
	// mean that the whole leaf has none.
	meshBlank = 64
	// meshBatch is how many places are transformed in one call.
	meshBatch = 1 << 16
)

// leaf is a rectangle of a tile's pixels: interpolated between nodes, or, when
// exact is set, transformed pixel by pixel.
type leaf struct {
	x, y, w, h int
	nodes      [9]Place
	exact      []Place
}

// meshCell is a leaf to be, of one tile of several.
type meshCell struct {
	tile int
	leaf
}

// mesh finds the leaves of tiles, all of one zoom.
func mesh(ctx context.Context, d Dataset, tiles []xyz.Tile, tileSize int) ([][]leaf, error) {
	g := d.Info().Grid
	size := extentOf{float64(g.Width), float64(g.Height)}
	out := make([][]leaf, len(tiles))
	cells := make([]meshCell, len(tiles))
	for i := range tiles {
		cells[i] = meshCell{i, leaf{w: tileSize, h: tileSize}}
	}
	for len(cells) > 0 {
		places := make([]Place, 0, 9*len(cells))
		for _, c := range cells {
			grid := xyz.TileGrid(tiles[c.tile], tileSize)
			for _, n := range (cell{float64(c.x), float64(c.y), float64(c.w), float64(c.h)}).nodes() {
				x, y := grid.World(n.X, n.Y)
				places = append(places, Place{x, y})
			}
		}
		if err := fromMercator(ctx, d, places); err != nil {
			return nil, err
		}
		var next []meshCell
		for i, c := range cells {
			copy(c.nodes[:], places[9*i:])
			switch {
			case c.good(size):
				out[c.tile] = append(out[c.tile], c.leaf)
			case c.w <= meshSmallest || c.h <= meshSmallest:
				if err := c.transform(ctx, d, xyz.TileGrid(tiles[c.tile], tileSize).World); err != nil {
					return nil, err
				}
				out[c.tile] = append(out[c.tile], c.leaf)
			default:
				next = append(next, c.split()...)
			}
		}
		cells = next
	}
	return out, nil
}

func fromMercator(ctx context.Context, d Dataset, places []Place) error {
	for len(places) > 0 {
		n := min(meshBatch, len(places))
		if err := d.FromMercator(ctx, places[:n]); err != nil {
			return err
		}
		places = places[n:]
	}
	return nil
}

type extentOf struct{ width, height float64 }

// good reports whether interpolation between the nodes will do.
func (l *leaf) good(size extentOf) bool {
	switch countFinite(l.nodes[:]) {
	case 0:
		return max(l.w, l.h) <= meshBlank
	case 9:
	default:
		return false
	}
	ex, ey := bend(l.nodes[:])
	if ex <= meshTolerance && ey <= meshTolerance {
		return true
	}
	// Off the raster it does not matter where exactly.
	b := bound(l.nodes[:])
	mx, my := 2*ex+2, 2*ey+2
	return b.MaxX+mx < 0 || b.MaxY+my < 0 || b.MinX-mx > size.width || b.MinY-my > size.height
}

func (c meshCell) split() []meshCell {
	w, h := c.w/2, c.h/2
	part := func(x, y, w, h int) meshCell { return meshCell{c.tile, leaf{x: x, y: y, w: w, h: h}} }
	return []meshCell{
		part(c.x, c.y, w, h), part(c.x+w, c.y, c.w-w, h),
		part(c.x, c.y+h, w, c.h-h), part(c.x+w, c.y+h, c.w-w, c.h-h),
	}
}

func (l *leaf) transform(ctx context.Context, d Dataset, world func(col, row float64) (x, y float64)) error {
	l.exact = make([]Place, 0, l.w*l.h)
	for row := l.y; row < l.y+l.h; row++ {
		for col := l.x; col < l.x+l.w; col++ {
			x, y := world(float64(col)+0.5, float64(row)+0.5)
			l.exact = append(l.exact, Place{x, y})
		}
	}
	return fromMercator(ctx, d, l.exact)
}

// fill writes the leaf's places into those of its tile.
func (l *leaf) fill(p resample.Places, tileSize int) {
	for row := range l.h {
		at := (l.y+row)*tileSize + l.x
		xs, ys := p.X[at:at+l.w], p.Y[at:at+l.w]
		if l.exact != nil {
			for i, q := range l.exact[row*l.w : (row+1)*l.w] {
				if !finitePlace(q) {
					q = Place{math.NaN(), math.NaN()}
				}
				xs[i], ys[i] = q.X, q.Y
			}
			continue
		}
		l.interpolate(row, xs, ys)
	}
}

// interpolate gives the places of a row: the polynomial of second degree along
// each axis that goes through the nine nodes.
func (l *leaf) interpolate(row int, xs, ys []float64) {
	t := (float64(row) + 0.5) / float64(l.h)
	// Lagrange's polynomials for the places 0, 1/2 and 1.
	upper, middle, lower := (1-t)*(1-2*t), 4*t*(1-t), t*(2*t-1)
	var n [3]Place
	for i := range n {
		a, b, c := l.nodes[i], l.nodes[3+i], l.nodes[6+i]
		n[i] = Place{upper*a.X + middle*b.X + lower*c.X, upper*a.Y + middle*b.Y + lower*c.Y}
	}
	cx, cy := 2*(n[0].X-2*n[1].X+n[2].X), 2*(n[0].Y-2*n[1].Y+n[2].Y)
	bx, by := n[2].X-n[0].X-cx, n[2].Y-n[0].Y-cy
	step := 1 / float64(l.w)
	for i := range xs {
		s := (float64(i) + 0.5) * step
		xs[i], ys[i] = n[0].X+s*(bx+s*cx), n[0].Y+s*(by+s*cy)
	}
}
