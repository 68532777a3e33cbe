package geometry

import (
	"errors"
	"fmt"
	"math"

	"github.com/paulmach/orb"
)

// fault says what is wrong, and with which part of a geometry.
type fault struct {
	part  string // ring 2 of polygon 3; empty: the whole
	wrong string // what is told of it: is not finite
}

// Error implements error.
func (f *fault) Error() string {
	if f.part == "" {
		return "it " + f.wrong
	}
	return f.part + " " + f.wrong
}

// inPart says which part of a whole a fault is in. Other errors stay as they are.
func inPart(err error, kind string, i int) error {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return err
	}
	part := fmt.Sprintf("%s %d", kind, i+1)
	if f.part != "" {
		part = f.part + " of " + part
	}
	return &fault{part, f.wrong}
}

// check sees to it that rings are closed, and that all numbers are finite.
func check(g orb.Geometry) error {
	err := checkPart(g)
	if f, ok := errors.AsType[*fault](err); ok {
		return wrong("%s", f.Error())
	}
	return err
}

func checkPart(g orb.Geometry) error {
	switch g := g.(type) {
	case orb.Point:
		return checkPlaces([]orb.Point{g})
	case orb.MultiPoint:
		return checkPlaces(g)
	case orb.LineString:
		return checkPlaces(g)
	case orb.MultiLineString:
		return checkAll(g, "line", func(l orb.LineString) error { return checkPlaces(l) })
	case orb.Polygon:
		return checkAll(g, "ring", checkRing)
	case orb.MultiPolygon:
		return checkAll(g, "polygon", func(p orb.Polygon) error { return checkPart(p) })
	case orb.Collection:
		return checkAll(g, "part", checkPart)
	}
	return nil
}

func checkAll[G any](all []G, kind string, one func(G) error) error {
	for i, g := range all {
		if err := one(g); err != nil {
			return inPart(err, kind, i)
		}
	}
	return nil
}

func checkRing(r orb.Ring) error {
	if len(r) < 4 {
		return &fault{wrong: fmt.Sprintf("has %d points: a ring has at least four, and ends where it begins", len(r))}
	}
	if err := checkPlaces(r); err != nil {
		return err
	}
	if first, last := r[0], r[len(r)-1]; first != last {
		return &fault{wrong: fmt.Sprintf("does not end where it begins: %v %v is not %v %v", last[0], last[1], first[0], first[1])}
	}
	return nil
}

func checkPlaces(all []orb.Point) error {
	for i, p := range all {
		if v := p[0] - p[0] + p[1] - p[1]; math.IsNaN(v) {
			return inPart(&fault{wrong: "is not finite"}, "vertex", i)
		}
	}
	return nil
}
