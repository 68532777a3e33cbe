package footprint

import (
	"slices"
	"strconv"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
)

// part is a connected piece of a geometry: a polygon's rings, the first of
// which is its shell, one line, or points.
type part struct {
	kind  partKind
	lines [][]crs.Point
}

// nameOf says which ring or line of the part it is, where there may be several.
func (p part) nameOf(i int) string {
	if p.kind != area {
		return ""
	}
	return " of ring " + strconv.Itoa(i+1)
}

// places is the part without the vertices that are none.
func (p part) places() part {
	out := part{kind: p.kind}
	for _, l := range p.lines {
		l = slices.DeleteFunc(slices.Clone(l), func(q crs.Point) bool { return q.X-q.X != 0 || q.Y-q.Y != 0 })
		out.lines = append(out.lines, l)
	}
	return out
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
	return nil, rasterbase.Errorf(rasterbase.Invalid, "a geometry of the type %T is not known", g).WithField("geom")
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
