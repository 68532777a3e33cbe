package geometry

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
)

// object is what of a GeoJSON object counts.
type object struct {
	Type        string                     `json:"type"`
	ID          json.RawMessage            `json:"id"`
	Properties  map[string]json.RawMessage `json:"properties"`
	Coordinates json.RawMessage            `json:"coordinates"`
	// What stands in it is read level by level, so that deep nesting costs nothing.
	Geometry   json.RawMessage   `json:"geometry"`
	Geometries []json.RawMessage `json:"geometries"`
	Features   []json.RawMessage `json:"features"`
	CRS        *namedCRS         `json:"crs"`
}

// text is the geometry of a feature, or that the object is, as it was written.
func (o *object) text(whole json.RawMessage) json.RawMessage {
	switch {
	case o.Type != "Feature":
		return whole
	case o.Geometry == nil:
		return json.RawMessage("null")
	}
	return o.Geometry
}

// namedCRS is the crs of GeoJSON before RFC 7946, which programs still write.
type namedCRS struct {
	Properties struct {
		Name string `json:"name"`
	} `json:"properties"`
}

var crsName = regexp.MustCompile(`(?i)^(?:urn:ogc:def:crs:EPSG:[^:]*:|EPSG:)([0-9]{1,9})$`)

// srid is the EPSG code of its name; 0 for none.
func (c *namedCRS) srid() (int, error) {
	if c == nil {
		return 0, nil
	}
	name := c.Properties.Name
	if srid, ok := SRIDOf(name); ok {
		return srid, nil
	}
	return 0, wrong("its crs %.60q is not known: write EPSG:3857", name)
}

// SRIDOf is the EPSG code of a CRS as old GeoJSON names it: EPSG:3857, or a URN.
func SRIDOf(name string) (srid int, ok bool) {
	if m := crsName.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1]) // nine digits at most
		return n, true
	}
	return 4326, strings.HasSuffix(strings.ToUpper(name), "CRS84")
}

func readGeoJSON(b []byte) (orb.Geometry, int, error) {
	var doc object
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, 0, wrong("%w", err)
	}
	srid, err := doc.CRS.srid()
	if err != nil {
		return nil, 0, err
	}
	g, err := doc.read(0)
	return g, srid, err
}

// read gives the geometry of an object.
func (o *object) read(depth int) (orb.Geometry, error) {
	switch o.Type {
	case "Feature":
		return within(o.Geometry, depth)
	case "FeatureCollection":
		return collection(o.Features, depth)
	case "GeometryCollection":
		return collection(o.Geometries, depth)
	}
	return o.coordinates()
}

// within reads what stands in an object; of nothing, as features may have it, it is a
// geometry without places.
func within(text json.RawMessage, depth int) (orb.Geometry, error) {
	if len(text) == 0 || string(text) == "null" {
		return orb.Collection{}, nil
	}
	if depth >= maxNesting {
		return nil, wrong("collections stand more than %d deep in one another", maxNesting)
	}
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, wrong("%w", err)
	}
	return o.read(depth + 1)
}

func collection(all []json.RawMessage, depth int) (orb.Geometry, error) {
	out := orb.Collection{}
	for _, one := range all {
		g, err := within(one, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// coordinates reads an object that is a simple geometry.
func (o *object) coordinates() (orb.Geometry, error) {
	decode := func(to any) error {
		if err := json.Unmarshal(o.Coordinates, to); err != nil {
			return wrong("its coordinates are not those of a %s: %w", o.Type, err)
		}
		return nil
	}
	switch o.Type {
	case "Point":
		var p position
		err := decode(&p)
		return orb.Point(p), err
	case "MultiPoint":
		var all []position
		err := decode(&all)
		return orb.MultiPoint(places(all)), err
	case "LineString":
		var all []position
		err := decode(&all)
		return orb.LineString(places(all)), err
	case "MultiLineString":
		var all [][]position
		err := decode(&all)
		out := make(orb.MultiLineString, len(all))
		for i, l := range all {
			out[i] = places(l)
		}
		return out, err
	case "Polygon":
		var rings [][]position
		err := decode(&rings)
		return polygon(rings), err
	case "MultiPolygon":
		var all [][][]position
		err := decode(&all)
		out := make(orb.MultiPolygon, len(all))
		for i, rings := range all {
			out[i] = polygon(rings)
		}
		return out, err
	}
	return nil, wrong("there is no GeoJSON of the type %.40q", o.Type)
}

func polygon(rings [][]position) orb.Polygon {
	out := make(orb.Polygon, len(rings))
	for i, r := range rings {
		out[i] = places(r)
	}
	return out
}

func places(all []position) []orb.Point {
	out := make([]orb.Point, len(all))
	for i, p := range all {
		out[i] = orb.Point(p)
	}
	return out
}

// position is a place, whose height is passed over.
type position orb.Point

// UnmarshalJSON implements json.Unmarshaler.
func (p *position) UnmarshalJSON(b []byte) error {
	var v []float64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if len(v) < 2 {
		return wrong("a position has two numbers")
	}
	*p = position{v[0], v[1]}
	return nil
}
