package zonal

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
)

// ground knows the true ground area of the pixels of a grid: what they cover on the
// WGS 84 ellipsoid. That is taken for the ellipsoids of all datums, whose areas differ
// from it by less than 1e-4. Several goroutines may use it; it keeps nothing.
type ground struct {
	grid rasterbase.Grid
	rows rowArea       // nil: areas differ along rows too, or it is not known
	to   crs.Transform // to longitude and latitude, where rows is nil
}

// areas are the areas of the pixels of a rectangle in square metres. Those that have
// no place on the ground, such as beyond a pole, have 0.
type areas struct {
	// uniform is that of all pixels where rows and pixels are nil: they then differ by
	// less than 1e-4 of it, which is the one in the middle.
	uniform float64
	rows    []float64 // of the pixels of each row
	pixels  []float64 // of each pixel, row by row
}

// uniformWithin is how much areas that are given as one may differ, as a share of the
// one in the middle.
const uniformWithin = 1e-4

// newGround prepares areas of the pixels of a grid. Longitude and latitude, and web
// mercator, need no transform when the grid is not turned. The error has code
// unsupported, and field area, when a CRS cannot be transformed to longitude and
// latitude; a nil transformer knows the closed forms.
func newGround(g rasterbase.Grid, c rasterbase.CRS, t crs.Transformer) (*ground, error) {
	out := &ground{grid: g}
	if g.SkewX == 0 && g.SkewY == 0 {
		if out.rows = rowAreaOf(g, c); out.rows != nil {
			return out, nil
		}
	}
	if t == nil {
		t = crs.Closed{}
	}
	var err error
	if out.to, err = t.Between(c, rasterbase.CRS{SRID: 4326}); err != nil {
		return nil, rasterbase.Errorf(rasterbase.CodeOf(err), "the ground area of pixels is not known: %w", err).WithField("area")
	}
	return out, nil
}

// of gives the areas of a rectangle of pixels of the grid, which may reach beyond it.
func (g *ground) of(ctx context.Context, r raster.Rect) (areas, error) {
	if r.Width <= 0 || r.Height <= 0 {
		return areas{}, ctx.Err()
	}
	if g.rows != nil {
		return g.rowsOf(r), ctx.Err()
	}
	out, err := g.sampled(ctx, r)
	if err != nil {
		return areas{}, fmt.Errorf("finding the ground area of pixels: %w", err)
	}
	return out, nil
}

// rowArea gives the area of a pixel by the row at which it begins, which need not be a
// whole one, where all pixels of a row have the same.
type rowArea func(row float64) float64

// rowAreaOf is nil where areas are not known to be the same along rows.
func rowAreaOf(g rasterbase.Grid, c rasterbase.CRS) rowArea {
	switch {
	case c.SRID == 3857 || c.SRID == 900913 || c.SRID == 102100:
		wide := math.Abs(g.ScaleX) / majorAxis
		return func(row float64) float64 {
			y1 := (g.OriginY + row*g.ScaleY) / majorAxis
			dy := g.ScaleY / majorAxis
			y2 := y1 + dy
			// The sine of the latitude is tanh(y); this is the difference of two.
			difference := math.Sinh(dy) / math.Cosh(y1) / math.Cosh(y2)
			return finiteArea(zoneUnit * wide * zoneBetween(math.Tanh(y1), math.Tanh(y2), difference))
		}
	case inDegrees(c):
		wide := math.Abs(g.ScaleX) * math.Pi / 180
		return func(row float64) float64 {
			from := g.OriginY + row*g.ScaleY
			// What lies beyond a pole does not count.
			lat1, lat2 := max(-90, min(90, from)), max(-90, min(90, from+g.ScaleY))
			s1, s2 := math.Sin(lat1*math.Pi/180), math.Sin(lat2*math.Pi/180)
			middle, half := (lat1+lat2)/2, (lat2-lat1)/2
			// The cosine, from the nearer pole.
			difference := 2 * math.Sin((90-math.Abs(middle))*math.Pi/180) * math.Sin(half*math.Pi/180)
			return finiteArea(zoneUnit * wide * zoneBetween(s1, s2, difference))
		}
	}
	return nil
}

// inDegrees reports whether coordinates are known to be longitude and latitude in
// degrees.
func inDegrees(c rasterbase.CRS) bool {
	if !c.Geographic() {
		return false
	}
	wkt := strings.ToLower(c.WKT)
	return wkt == "" || strings.Contains(wkt, `"degree"`) && !strings.Contains(wkt, `"grad"`) && !strings.Contains(wkt, "derivingconversion")
}

// finiteArea is an area, or 0 for none.
func finiteArea(v float64) float64 {
	if v = math.Abs(v); v-v != 0 {
		return 0
	}
	return v
}

// rowsOf gives the areas where they are the same along rows. They fall from the
// equator to the poles, so that the largest and the smallest are known.
func (g *ground) rowsOf(r raster.Rect) areas {
	if least, middle, most := g.extremes(r); most-least <= uniformWithin*middle {
		return areas{uniform: middle}
	}
	out := areas{rows: make([]float64, r.Height)}
	for i := range out.rows {
		out.rows[i] = g.rows(float64(r.Y + i))
	}
	return out
}

// extremes gives the least, the middle and the greatest area of a rectangle of rows.
func (g *ground) extremes(r raster.Rect) (least, middle, most float64) {
	first, last := float64(r.Y), float64(r.Y+r.Height-1)
	equator := math.Round(-g.grid.OriginY/g.grid.ScaleY - 0.5) // of pixels, that whose middle is nearest
	if math.IsNaN(equator) {
		equator = first
	}
	return min(g.rows(first), g.rows(last)), g.rows((first + last) / 2), g.rows(max(first, min(last, equator)))
}

// uniform gives the area that [ground.of] gives to all pixels of a rectangle, or tells
// that they differ too much. It costs the same for rectangles of any size.
func (g *ground) uniform(ctx context.Context, r raster.Rect) (area float64, ok bool, err error) {
	if r.Width <= 0 || r.Height <= 0 {
		return 0, true, ctx.Err()
	}
	if g.rows != nil {
		least, middle, most := g.extremes(r)
		return middle, most-least <= uniformWithin*middle, ctx.Err()
	}
	a, err := g.nine(ctx, r)
	if err != nil {
		return 0, false, fmt.Errorf("finding the ground area of pixels: %w", err)
	}
	return a[4], spread(a) <= uniformWithin*a[4], nil
}
