package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/geometry"
)

// exportArea is the part that is exported; without a geometry it is everything.
type exportArea struct {
	geometry orb.Geometry
	srid     int
	text     string // as it was asked for
}

// area reads --bbox and --geom.
func (c *exportCmd) area() (a exportArea, err error) {
	if c.Bbox != "" && c.Geom != "" {
		return a, usageError{rasterbase.Errorf(rasterbase.Invalid, "a box and a polygon are given").
			WithHint("give one of --bbox and --geom").WithField("geom")}
	}
	a.srid = 4326
	switch {
	case c.Bbox != "":
		a.geometry, err = readBox(c.Bbox)
		a.text = c.Bbox
	case c.Geom != "":
		var srid int
		if a.geometry, srid, err = readArea(c.Geom); srid > 0 {
			a.srid = srid
		}
		a.text = c.Geom
	}
	if err != nil {
		return a, usageError{err}
	}
	if c.SRID != nil {
		a.srid = int(*c.SRID)
	}
	if a.text != "" {
		a.text += fmt.Sprintf(" (EPSG:%d)", a.srid)
	}
	return a, nil
}

func readBox(text string) (orb.Geometry, error) {
	parts := strings.Split(text, ",")
	var v [4]float64
	bad := len(parts) != 4
	for i := 0; i < 4 && !bad; i++ {
		var err error
		v[i], err = strconv.ParseFloat(strings.TrimSpace(parts[i]), 64)
		bad = err != nil || v[i]-v[i] != 0
	}
	if bad {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%.80q is no box", text).
			WithHint("a box is west, south, east, north: --bbox=-113.1,37.1,-112.8,37.5").WithField("bbox")
	}
	return orb.Bound{Min: orb.Point{v[0], v[1]}, Max: orb.Point{v[2], v[3]}}, nil
}

// maxGeometry is the most bytes of a file with a polygon.
const maxGeometry = 64 << 20

// readArea reads a polygon: WKT, or a file with WKT or GeoJSON. The srid is 0 when
// nothing says it.
func readArea(text string) (g orb.Geometry, srid int, err error) {
	if info, e := os.Stat(text); e == nil {
		if info.Size() > maxGeometry {
			return nil, 0, rasterbase.Errorf(rasterbase.TooLarge, "%s has %s: that is no file of polygons", text, humanBytes(info.Size())).WithField("geom")
		}
		b, err := os.ReadFile(text)
		if err != nil {
			return nil, 0, err
		}
		text = string(b)
	}
	g, srid, err = geometry.ReadAreas(text)
	if e, ok := errors.AsType[*rasterbase.Error](err); ok { // files are known here alone
		named := *e
		return nil, 0, named.WithHint("give WKT such as POLYGON((0 0, 1 0, 1 1, 0 0)), or a file with it or with GeoJSON")
	}
	return g, srid, err
}
