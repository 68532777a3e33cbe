package coverage

import (
	"cmp"
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// worldWindow is a rectangle of pixels of which Size times 2^Z lie along a side of
// the world: the pixels of a zoom in tiles of any size.
type worldWindow struct {
	Z, Size       int
	X, Y          int
	Width, Height int
	Bands         []int
	Resampling    rasterbase.Resampling
	Float         bool // see TileRequest
}

// grid places the window.
func (w worldWindow) grid() rasterbase.Grid {
	g := worldGrid(w.Z, w.Size)
	g.OriginX, g.OriginY = g.World(float64(w.X), float64(w.Y))
	g.Width, g.Height = w.Width, w.Height
	return g
}

// read reads the window of a coverage: the pixels of a zoom where one has pixels of
// just that size, and else such as are made of the nearest finer ones. Formulas and
// stacks are made of their inputs' windows. Discrete pixels are not blended.
func (w worldWindow) read(ctx context.Context, c Coverage) (*raster.Raster, error) {
	if c, ok := c.(computed); ok {
		return c.world(ctx, w)
	}
	d := c.Describe()
	if d.Datatype.Discrete() {
		w.Resampling = rasterbase.Nearest
	}
	own := tileSizeOf(d)
	finer, exact := zoomsBetween(own, w.Size)
	zoom := w.Z + finer
	if exact && zoom >= 0 && (zoom <= d.MaxZoom || !w.Resampling.Blends()) {
		return c.Window(ctx, WindowRequest{Level: ZoomLevel(zoom), X: w.X, Y: w.Y, Width: w.Width, Height: w.Height, Bands: w.Bands})
	}
	return newResampled(w, own, min(max(zoom, 0), d.MaxZoom)).read(ctx, c)
}

// tileSizeOf is the pixels along a side of a coverage's tiles.
func tileSizeOf(d Description) int { return cmp.Or(d.TileSize, 256) }

// blendable reports whether pixels of a coverage may be blended, which those of
// formulas and stacks are when one of their inputs' may. The datatype is the coverage's.
func blendable(c Coverage) (rasterbase.Datatype, bool) {
	t := c.Describe().Datatype
	j := joinedOf(c)
	if j == nil {
		return t, !t.Discrete()
	}
	for _, in := range j.inputs {
		if _, ok := blendable(in.Coverage); ok {
			return t, true
		}
	}
	return t, false
}

// zoomsBetween is how many zooms further on the pixels of tiles of a coverage's
// own size are at most as large as those of another size, and whether they are
// just as large. It is negative where the other size is smaller by half or more.
func zoomsBetween(own, size int) (zooms int, exact bool) {
	for own<<zooms < size {
		zooms++
	}
	for zooms <= 0 && size<<(1-zooms) <= own {
		zooms--
	}
	if zooms >= 0 {
		return zooms, own<<zooms == size
	}
	return zooms, size<<-zooms == own
}
