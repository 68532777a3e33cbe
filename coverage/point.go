package coverage

import (
	"context"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
)

// PointRequest asks for the values at a point.
type PointRequest struct {
	Point       crs.Point
	CRS         rasterbase.CRS // of the point
	Level       Level
	Bands       []int           // from 0; nil: all
	Transformer crs.Transformer // nil: closed forms only
}

// orClosed is what transforms when no transformer is given: what has a closed
// form, and what is in the same CRS already.
func orClosed(t crs.Transformer) crs.Transformer {
	if t == nil {
		return crs.Closed{}
	}
	return t
}

// Pixel is the pixel that a point falls into. Inside is false when there is
// none; then there are no values.
type Pixel struct {
	Col, Row int
	Inside   bool
	Values   []PixelValue
}

// PixelValue is a band's value. Value is the stored number also when the
// pixel is not valid.
type PixelValue struct {
	Band  int // from 0
	Value float64
	Valid bool
}

// At looks up the pixel at a point. A pixel's left and upper edge belong to it.
func At(ctx context.Context, c Coverage, r PointRequest) (Pixel, error) {
	d := c.Describe()
	if r.Level == BaseLevel && d.BaseError != nil {
		return Pixel{}, d.BaseError
	}
	to, grid := d.gridOf(r.Level)
	t, err := orClosed(r.Transformer).Between(r.CRS, to)
	if err != nil {
		return Pixel{}, err
	}
	p := []crs.Point{r.Point}
	if err := t.Apply(ctx, p); err != nil {
		return Pixel{}, err
	}
	px := pixelOf(grid, p[0], to, r.Level)
	if !px.Inside {
		return px, nil
	}
	w, err := c.Window(ctx, WindowRequest{Level: r.Level, X: px.Col, Y: px.Row, Width: 1, Height: 1, Bands: r.Bands})
	if err != nil {
		return Pixel{}, err
	}
	for i, b := range w.Bands {
		band := i
		if r.Bands != nil {
			band = r.Bands[i]
		}
		px.Values = append(px.Values, PixelValue{Band: band, Value: b.Pixels.At(0), Valid: w.Valid(i, 0)})
	}
	return px, nil
}

// LevelGrid is the grid of one of the coverage's levels, in which geometries are
// placed.
func (d Description) LevelGrid(l Level) footprint.Grid {
	in, g := d.gridOf(l)
	size := tileSizeOf(d)
	if l.Kind == rasterbase.Pyramid {
		g.Width = size << l.Zoom
		g.Height = g.Width
	}
	return footprint.Grid{Grid: g, CRS: in, TileSize: size}
}

// gridOf is the grid of a level and its CRS.
func (d Description) gridOf(l Level) (rasterbase.CRS, rasterbase.Grid) {
	if l.Kind == rasterbase.Pyramid {
		return rasterbase.CRS{SRID: 3857}, worldGrid(l.Zoom, tileSizeOf(d))
	}
	return d.CRS, d.Grid
}

// pixelOf is the pixel that a point, in the level's CRS, falls into, without
// its values.
func pixelOf(g rasterbase.Grid, p crs.Point, in rasterbase.CRS, l Level) Pixel {
	col, row := pixelAt(g, p, in)
	const most = 1 << 52
	if !(math.Abs(col) < most && math.Abs(row) < most) {
		return Pixel{}
	}
	px := Pixel{Col: int(col), Row: int(row), Inside: true}
	if l.Kind == rasterbase.Base && (col < 0 || row < 0 || col >= float64(g.Width) || row >= float64(g.Height)) {
		px.Inside = false
	}
	return px
}

// pixelAt is the pixel of a point. Longitudes of a base grid may be counted
// from 0 to 360: a point that misses the grid is tried a turn further.
func pixelAt(g rasterbase.Grid, p crs.Point, in rasterbase.CRS) (col, row float64) {
	inside := func(c float64) bool { return c >= 0 && c < float64(g.Width) }
	col, row = g.Pixel(p.X, p.Y)
	if g.Width > 0 && !inside(col) && in.Geographic() {
		for _, turn := range []float64{-360, 360} {
			if c, r := g.Pixel(p.X+turn, p.Y); inside(c) {
				col, row = c, r
			}
		}
	}
	return math.Floor(col), math.Floor(row)
}
