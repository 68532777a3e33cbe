package terrain

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

// Ground is how large the pixels of a raster are on the ground, in metres, for
// each of its rows, the margin's included: X along the row, Y across it.
type Ground struct{ X, Y []float64 }

// The ellipsoid of WGS 84: its semi-major axis in metres, which is the radius of
// web mercator's sphere too, and its flattening.
const (
	semiMajor  = 6378137.0
	flattening = 1 / 298.257223563
)

// Mercator is the ground of a grid in EPSG:3857, north up. Its metres are those of
// the equator, and those on the ground are fewer the farther from it. Web
// mercator is a sphere's projection with latitudes of the ellipsoid, so both
// differ by up to 0.7 percent (Snyder 1987, p. 24: the radii of curvature along the
// meridian and across it).
func Mercator(g rasterbase.Grid) Ground {
	const e2 = flattening * (2 - flattening) // eccentricity squared
	out := newGround(g.Height)
	for row := range g.Height {
		_, y := g.World(0, float64(row)+0.5)
		cos := 1 / math.Cosh(y/semiMajor) // of the latitude
		bent := 1 - e2*(1-cos*cos)
		across := cos / math.Sqrt(bent)
		out.X[row] = math.Abs(g.ScaleX) * across
		out.Y[row] = math.Abs(g.ScaleY) * across * (1 - e2) / bent
	}
	return out
}

// Projected is the ground of a grid whose CRS has the same metres everywhere, as
// UTM has, nearly. unit is the metres in the CRS's unit.
func Projected(g rasterbase.Grid, unit float64) Ground {
	out := newGround(g.Height)
	for row := range g.Height {
		out.X[row] = math.Hypot(g.ScaleX, g.SkewY) * unit
		out.Y[row] = math.Hypot(g.ScaleY, g.SkewX) * unit
	}
	return out
}

func newGround(rows int) Ground { return Ground{make([]float64, rows), make([]float64, rows)} }

func (g Ground) check(rows int) error {
	if len(g.X) != rows || len(g.Y) != rows {
		return rasterbase.Errorf(rasterbase.Invalid, "the ground of %d and %d rows is not that of a raster of %d", len(g.X), len(g.Y), rows)
	}
	for i := range rows {
		if !(g.X[i] > 0 && g.Y[i] > 0) || math.IsInf(g.X[i], 0) || math.IsInf(g.Y[i], 0) {
			return rasterbase.Errorf(rasterbase.Invalid, "pixels of %v by %v metres in row %d", g.X[i], g.Y[i], i)
		}
	}
	return nil
}
