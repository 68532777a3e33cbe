package geometry

import (
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
)

// forms is the way out of a geometry that cannot be read.
const forms = `write POLYGON((0 50, 1 50, 1 51, 0 50)), SRID=3857;POLYGON((...)), GeoJSON, or a box as west,south,east,north`

// maxNesting is how deep collections may stand in one another.
const maxNesting = 8

// Read reads a geometry: WKT, EWKT, GeoJSON (a geometry, Feature, FeatureCollection or
// GeometryCollection), or a box as four numbers west,south,east,north, whose west is
// greater than its east where it crosses the antimeridian. A geometry without places
// is not nil. Srid 0 is where nothing says which CRS it is in: EWKT does, and so does
// the crs that GeoJSON had before RFC 7946, of the whole or of the geometries in it, as
// ST_AsGeoJSON writes it. The error tells the part: ring 2 of polygon 3.
func Read(text string) (g orb.Geometry, srid int, err error) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	switch {
	case text == "":
		return nil, 0, wrong("it is empty")
	case text[0] == '{':
		g, srid, err = readGeoJSON([]byte(text))
	case strings.IndexByte("+-.0123456789", text[0]) >= 0:
		g, err = readBox(text)
	default:
		g, srid, err = readWKT(text)
	}
	if err == nil {
		err = check(g)
	}
	if err != nil {
		return nil, 0, err
	}
	return g, srid, nil
}

// ReadAreas is Read for polygons and boxes alone: others are errors, and so is what has
// no ring.
func ReadAreas(text string) (g orb.Geometry, srid int, err error) {
	if g, srid, err = Read(text); err != nil {
		return nil, 0, err
	}
	rings := 0
	if err := countRings(g, &rings); err != nil {
		return nil, 0, err
	}
	if rings == 0 {
		return nil, 0, wrong("it has no area")
	}
	return g, srid, nil
}

func countRings(g orb.Geometry, rings *int) error {
	switch g := g.(type) {
	case orb.Polygon:
		*rings += len(g)
		return nil
	case orb.MultiPolygon:
		for _, p := range g {
			*rings += len(p)
		}
		return nil
	case orb.Collection:
		for _, one := range g {
			if err := countRings(one, rings); err != nil {
				return err
			}
		}
		return nil
	}
	return wrong("it is not an area")
}

func wrong(format string, args ...any) *rasterbase.Error {
	return rasterbase.Errorf(rasterbase.Invalid, "the geometry cannot be read: "+format, args...).WithHint(forms).WithField("geom")
}

// readBox reads west,south,east,north. One that crosses the antimeridian is two.
func readBox(text string) (orb.Geometry, error) {
	parts := strings.Split(text, ",")
	var v [4]float64
	ok := len(parts) == 4
	for i := 0; ok && i < 4; i++ {
		var err error
		v[i], err = strconv.ParseFloat(strings.TrimSpace(parts[i]), 64)
		ok = err == nil && v[i]-v[i] == 0
	}
	if !ok || v[1] >= v[3] || v[0] == v[2] {
		return nil, wrong("%.60q is no box", text)
	}
	box := func(west, east float64) orb.Polygon {
		return orb.Bound{Min: orb.Point{west, v[1]}, Max: orb.Point{east, v[3]}}.ToPolygon()
	}
	if v[0] < v[2] {
		return box(v[0], v[2]), nil
	}
	if v[0] > 180 || v[2] < -180 {
		return nil, wrong("the west of the box %.60q is greater than its east, and it does not cross the antimeridian", text)
	}
	return orb.MultiPolygon{box(v[0], 180), box(-180, v[2])}, nil
}

// Vertices is how many vertices a geometry has.
func Vertices(g orb.Geometry) (n int) {
	switch g := g.(type) {
	case orb.Point:
		return 1
	case orb.MultiPoint:
		return len(g)
	case orb.LineString:
		return len(g)
	case orb.MultiLineString:
		for _, l := range g {
			n += len(l)
		}
	case orb.Polygon:
		for _, r := range g {
			n += len(r)
		}
	case orb.MultiPolygon:
		for _, p := range g {
			n += Vertices(p)
		}
	case orb.Collection:
		for _, one := range g {
			n += Vertices(one)
		}
	}
	return n
}
