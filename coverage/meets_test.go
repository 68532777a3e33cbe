package coverage_test

import (
	"slices"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
)

// Brute force, in the geometry's coordinates. All coordinates of the tests are
// small whole numbers, so that the products below are exact.

func orient(a, b, c orb.Point) float64 {
	return (b[0]-a[0])*(c[1]-a[1]) - (b[1]-a[1])*(c[0]-a[0])
}

func onSegment(a, b, p orb.Point) bool {
	return orient(a, b, p) == 0 && min(a[0], b[0]) <= p[0] && p[0] <= max(a[0], b[0]) && min(a[1], b[1]) <= p[1] && p[1] <= max(a[1], b[1])
}

func segmentsMeet(a, b, c, d orb.Point) bool {
	if onSegment(a, b, c) || onSegment(a, b, d) || onSegment(c, d, a) || onSegment(c, d, b) {
		return true
	}
	return orient(a, b, c)*orient(a, b, d) < 0 && orient(c, d, a)*orient(c, d, b) < 0
}

// inside tells by crossings whether p is in a polygon and not on its edge.
func inside(g orb.Polygon, p orb.Point) bool {
	in := false
	for _, r := range g {
		for i, b := range r {
			a := r[(i+len(r)-1)%len(r)]
			if (a[1] <= p[1]) != (b[1] <= p[1]) && (orient(a, b, p) > 0) == (b[1] > a[1]) {
				in = !in
			}
		}
	}
	return in
}

// meets tells whether a polygon and a convex one, both with their edges, have
// a place in common.
func meets(g orb.Polygon, rect orb.Ring) bool {
	if inside(g, rect[0]) {
		return true
	}
	for _, r := range g {
		if len(r) > 0 && inside(orb.Polygon{rect}, r[0]) || lineMeets(orb.LineString(append(slices.Clone(r), r[0])), rect) {
			return true
		}
	}
	return false
}

func lineMeets(l orb.LineString, rect orb.Ring) bool {
	for i := range l {
		if inside(orb.Polygon{rect}, l[i]) {
			return true
		}
		for k := range rect {
			if segmentsMeet(l[max(i-1, 0)], l[i], rect[k], rect[(k+1)%len(rect)]) {
				return true
			}
		}
	}
	return false
}

func geometryMeets(g orb.Geometry, rect orb.Ring) bool {
	switch g := g.(type) {
	case orb.Point:
		return lineMeets(orb.LineString{g}, rect)
	case orb.MultiPoint:
		return slices.ContainsFunc(g, func(p orb.Point) bool { return geometryMeets(p, rect) })
	case orb.LineString:
		return lineMeets(g, rect)
	case orb.MultiLineString:
		return slices.ContainsFunc(g, func(l orb.LineString) bool { return lineMeets(l, rect) })
	case orb.Ring:
		return meets(orb.Polygon{g}, rect)
	case orb.Polygon:
		return meets(g, rect)
	case orb.MultiPolygon:
		return slices.ContainsFunc(g, func(p orb.Polygon) bool { return meets(p, rect) })
	case orb.Bound:
		return meets(g.ToPolygon(), rect)
	case orb.Collection:
		return slices.ContainsFunc(g, func(g orb.Geometry) bool { return geometryMeets(g, rect) })
	}
	panic("no such geometry")
}

// rectangle is the outline of a tile, cropped where the raster ends.
func rectangle(g rasterbase.Grid, tileSize int, at coverage.TileAddress) orb.Ring {
	var out orb.Ring
	for _, corner := range [][2]int{{0, 0}, {1, 0}, {1, 1}, {0, 1}} {
		x, y := g.World(float64(min((at.X+corner[0])*tileSize, g.Width)), float64(min((at.Y+corner[1])*tileSize, g.Height)))
		out = append(out, orb.Point{x, y})
	}
	return out
}
