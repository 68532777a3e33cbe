package crs

import (
	"context"
	"math"

	"github.com/rasterbase/rasterbase"
)

// Closed is the Transformer in pure Go. It knows these CRSs:
//
//   - EPSG:4326 (WGS 84) and EPSG:4258 (ETRS89), longitude and latitude;
//   - EPSG:3857 (web mercator), also by the numbers 900913 and 102100 that
//     others gave it before;
//   - UTM on WGS 84, EPSG:32601 to 32660 north and 32701 to 32760 south, and on
//     ETRS89, EPSG:25828 to 25838.
//
// ETRS89 and WGS 84 are taken as the same, as PROJ does by default (EPSG
// operation 1149). NAD83 (EPSG:4269) is not among them, because PROJ's
// transformation to WGS 84 differs by region: it moves points in Hawaii.
//
// Results agree with PROJ's within a tenth of a micrometre, which the tests
// check far outside the zones of UTM too. Longitudes outside -180 to 180 are wrapped, except between
// EPSG:4326 and EPSG:4258, where nothing is changed. Latitudes beyond a pole,
// and places more than about 80 degrees of longitude off a UTM zone near the
// equator, cannot be transformed. In EPSG:3857 the poles, infinitely far away
// in theory, lie at a y of about 238 million metres.
type Closed struct{}

// Between gives the transform. The error has code unsupported and names the CRS
// that is not known.
func (Closed) Between(from, to rasterbase.CRS) (Transform, error) {
	if SameCRS(from, to) {
		return identity{}, nil
	}
	a, ok := projectionOf(from.SRID)
	if !ok {
		return nil, unknown(from)
	}
	b, ok := projectionOf(to.SRID)
	if !ok {
		return nil, unknown(to)
	}
	if a == nil && b == nil {
		return identity{}, nil // between two geographic CRSs
	}
	return through{a, b}, nil
}

func unknown(c rasterbase.CRS) error {
	return rasterbase.Errorf(rasterbase.Unsupported, "coordinates of %s cannot be transformed without GDAL", name(c)).
		WithHint("a build with GDAL is needed; without it there are EPSG 4326, 4258 and 3857, and UTM on WGS 84 and ETRS89 (326xx, 327xx, 258xx)")
}

// canonical is the EPSG code of a srid that is one of several for the same CRS.
func canonical(srid int) int {
	switch srid {
	case 900913, 102100:
		return 3857
	}
	return srid
}

// projection is a projected CRS. Angles are in radians, longitudes from -pi to
// pi and latitudes within the poles; results that do not exist are NaN.
type projection interface {
	forward(lon, lat float64) (x, y float64)
	inverse(x, y float64) (lon, lat float64)
}

// projectionOf gives the projection of a CRS, nil for a geographic one, and
// whether the CRS is known.
func projectionOf(srid int) (projection, bool) {
	srid = canonical(srid)
	switch {
	case srid == 4326 || srid == 4258:
		return nil, true
	case srid == 3857:
		return webMercator{}, true
	case srid > 32600 && srid <= 32660:
		return newUTM(wgs84, srid-32600, 0), true
	case srid > 32700 && srid <= 32760:
		return newUTM(wgs84, srid-32700, 10_000_000), true
	case srid >= 25828 && srid <= 25838:
		return newUTM(grs80, srid-25800, 0), true
	}
	return nil, false
}

// cancelEvery is how many points are transformed between two looks at the
// context: about a millisecond.
const cancelEvery = 4096

// eachBlock calls f with blocks of the points until the context is done.
func eachBlock(ctx context.Context, p []Point, f func([]Point)) error {
	for len(p) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(p), cancelEvery)
		f(p[:n])
		p = p[n:]
	}
	return nil
}

// identity keeps points as they are; those that are not finite become NaN.
type identity struct{}

func (identity) Apply(ctx context.Context, p []Point) error {
	return eachBlock(ctx, p, func(p []Point) {
		for i := range p {
			p[i] = finite(p[i])
		}
	})
}

// through transforms by way of longitude and latitude. A nil projection is
// longitude and latitude.
type through struct{ from, to projection }

func (t through) Apply(ctx context.Context, p []Point) error {
	return eachBlock(ctx, p, func(p []Point) {
		for i := range p {
			p[i] = t.point(p[i])
		}
	})
}

func (t through) point(p Point) Point {
	if p = finite(p); math.IsNaN(p.X) {
		return p
	}
	var lon, lat float64
	if t.from != nil {
		lon, lat = t.from.inverse(p.X, p.Y)
	} else {
		lon, lat = radians(p.X), radians(p.Y)
	}
	lon = wrap(lon)
	// Rounding must not lose the poles. The tolerance is PROJ's.
	const tolerance = 1e-12
	if math.Abs(lat) > math.Pi/2 {
		if math.Abs(lat) > math.Pi/2+tolerance {
			return notANumber
		}
		lat = math.Copysign(math.Pi/2, lat)
	}
	if t.to != nil {
		p.X, p.Y = t.to.forward(lon, lat)
	} else {
		p.X, p.Y = degrees(lon), degrees(lat)
	}
	return finite(p)
}

var notANumber = Point{math.NaN(), math.NaN()}

// finite is p, or NaN, NaN when one of its coordinates is not finite.
func finite(p Point) Point {
	// The difference is 0 for finite numbers and NaN for all others.
	if p.X-p.X != 0 || p.Y-p.Y != 0 {
		return notANumber
	}
	return p
}

func radians(deg float64) float64 { return deg / 180 * math.Pi }
func degrees(rad float64) float64 { return rad / math.Pi * 180 }

// wrap brings a longitude in radians to -pi to pi; both ends are kept. One that
// rounding has brought just over an end does not change sides.
func wrap(lon float64) float64 {
	const tolerance = 1e-12 // PROJ's
	switch {
	case math.Abs(lon) <= math.Pi:
		return lon
	case math.Abs(lon) <= math.Pi+tolerance:
		return math.Copysign(math.Pi, lon)
	}
	return math.Remainder(lon, 2*math.Pi)
}

// webMercator is EPSG:3857: the spherical mercator projection of ellipsoidal
// longitude and latitude, EPSG method 1024.
type webMercator struct{}

const mercatorRadius = 6378137.0

func (webMercator) forward(lon, lat float64) (x, y float64) {
	return mercatorRadius * lon, mercatorRadius * math.Asinh(math.Tan(lat))
}

func (webMercator) inverse(x, y float64) (lon, lat float64) {
	return x / mercatorRadius, math.Atan(math.Sinh(y / mercatorRadius))
}
