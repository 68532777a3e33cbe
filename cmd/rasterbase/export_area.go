package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"

	"github.com/rasterbase/rasterbase"
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
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if strings.HasPrefix(text, "{") {
		var polygons orb.MultiPolygon
		if polygons, err = readGeoJSON([]byte(text), 0); err == nil {
			g = polygons
		}
	} else {
		if prefix, rest, ok := strings.Cut(text, ";"); ok && strings.HasPrefix(strings.ToUpper(prefix), "SRID=") {
			if srid, err = strconv.Atoi(prefix[len("SRID="):]); err == nil {
				text = rest
			}
		}
		if err == nil {
			g, err = wkt.Unmarshal(text)
		}
	}
	switch g.(type) {
	case orb.Polygon, orb.MultiPolygon:
	default:
		if err == nil {
			err = fmt.Errorf("it is no polygon")
		}
	}
	if err != nil {
		return nil, 0, rasterbase.Errorf(rasterbase.Invalid, "the area cannot be read: %w", err).
			WithHint("give WKT such as POLYGON((0 0, 1 0, 1 1, 0 0)), or a file with it or with GeoJSON").WithField("geom")
	}
	return g, srid, nil
}

// geoJSON is what of a GeoJSON object tells polygons (RFC 7946).
type geoJSON struct {
	Type        string
	Coordinates json.RawMessage
	Geometry    json.RawMessage
	Geometries  []json.RawMessage
	Features    []json.RawMessage
}

// readGeoJSON gives all polygons of a GeoJSON object.
func readGeoJSON(b []byte, depth int) (out orb.MultiPolygon, err error) {
	var o geoJSON
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, err
	}
	if depth > 8 {
		return nil, fmt.Errorf("its collections are nested too deep")
	}
	var parts []json.RawMessage
	switch o.Type {
	case "Polygon":
		var p orb.Polygon
		err = json.Unmarshal(o.Coordinates, (*positions)(&p))
		return orb.MultiPolygon{p}, err
	case "MultiPolygon":
		var all []positions
		err = json.Unmarshal(o.Coordinates, &all)
		for _, p := range all {
			out = append(out, orb.Polygon(p))
		}
		return out, err
	case "Feature":
		parts = []json.RawMessage{o.Geometry}
	case "FeatureCollection":
		parts = o.Features
	case "GeometryCollection":
		parts = o.Geometries
	default:
		return nil, fmt.Errorf("a %.40q of GeoJSON has no area", o.Type)
	}
	for _, part := range parts {
		p, err := readGeoJSON(part, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, p...)
	}
	if len(out) == 0 && depth == 0 {
		return nil, fmt.Errorf("it has no polygon")
	}
	return out, nil
}

// positions are the rings of a polygon in GeoJSON, whose places can have a height.
type positions orb.Polygon

func (p *positions) UnmarshalJSON(b []byte) error {
	var rings [][][]float64
	if err := json.Unmarshal(b, &rings); err != nil {
		return err
	}
	for _, r := range rings {
		ring := make(orb.Ring, len(r))
		for i, at := range r {
			if len(at) < 2 {
				return fmt.Errorf("a place has %d coordinates", len(at))
			}
			ring[i] = orb.Point{at[0], at[1]}
		}
		*p = append(*p, ring)
	}
	return nil
}
