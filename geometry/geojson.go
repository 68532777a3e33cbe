package geometry

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
)

// object is what of a GeoJSON object counts.
type object struct {
	kind        string
	id          json.RawMessage
	properties  json.RawMessage
	coordinates json.RawMessage
	geometry    json.RawMessage
	geometries  json.RawMessage
	features    json.RawMessage
	crs         json.RawMessage
}

// objectOf takes valid JSON apart, by one level.
func objectOf(text json.RawMessage) (*object, error) {
	o := &object{}
	return o, walkObject(text, func(name []byte, value json.RawMessage) error {
		if string(name) == "type" {
			o.kind = textOf(value)
		} else if to := o.member(string(name)); to != nil {
			*to = value
		}
		return nil
	})
}

// member is where a member other than the type is kept; nil for others than these.
func (o *object) member(name string) *json.RawMessage {
	switch name {
	case "id":
		return &o.id
	case "properties":
		return &o.properties
	case "coordinates":
		return &o.coordinates
	case "geometry":
		return &o.geometry
	case "geometries":
		return &o.geometries
	case "features":
		return &o.features
	case "crs":
		return &o.crs
	}
	return nil
}

var crsName = regexp.MustCompile(`(?i)^(?:urn:(?:x-)?ogc:def:crs:EPSG:[^:]*:|https?://www\.opengis\.net/def/crs/EPSG/[^/]*/|EPSG:)([0-9]{1,9})$`)

// SRIDOf is the EPSG code of a CRS as old GeoJSON names it: EPSG:3857, a URN or an
// address of the OGC.
func SRIDOf(name string) (srid int, ok bool) {
	if m := crsName.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1]) // nine digits at most
		return n, n > 0
	}
	if strings.HasSuffix(strings.ToUpper(name), "CRS84") {
		return 4326, true
	}
	return 0, false
}

// sridOf reads the crs of GeoJSON before RFC 7946, which programs still write; 0 for
// none.
func sridOf(crs json.RawMessage) (int, error) {
	if isNull(crs) {
		return 0, nil
	}
	var named struct {
		Properties struct {
			Name string `json:"name"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(crs, &named); err != nil {
		return 0, wrong("its crs has no name: %w", err)
	}
	srid, ok := SRIDOf(named.Properties.Name)
	if !ok {
		return 0, wrong("its crs %.60q is not known: write EPSG:3857", named.Properties.Name)
	}
	return srid, nil
}

// crsOf gathers which CRS places are in. All have to be in one; where nothing is said
// they are in EPSG:4326.
type crsOf struct {
	said int // 0: nothing says it
	of   int // places that were met; 0: none were
}

// places notes that there are places, in a CRS that something says, or in none said.
func (c *crsOf) places(said int) error {
	of := said
	if of == 0 {
		of = 4326
	}
	if c.of != 0 && c.of != of {
		return wrong("it is in EPSG:%d and in EPSG:%d", c.of, of).WithHint("one crs holds for everything: features without one are in EPSG:4326")
	}
	if c.of = of; said != 0 {
		c.said = said
	}
	return nil
}

func readGeoJSON(b []byte) (orb.Geometry, int, error) {
	var text json.RawMessage
	if err := json.Unmarshal(b, &text); err != nil {
		return nil, 0, wrong("%w", err)
	}
	c := &crsOf{}
	g, err := readObject(text, c, 0, 0)
	return g, c.said, err
}

// readObject reads the geometry of a GeoJSON object. Said is the CRS of what it stands
// in.
func readObject(text json.RawMessage, c *crsOf, said, depth int) (orb.Geometry, error) {
	o, err := objectOf(text)
	if err != nil {
		return nil, err
	}
	return o.read(c, said, depth)
}

func (o *object) read(c *crsOf, said, depth int) (orb.Geometry, error) {
	own, err := sridOf(o.crs)
	if err != nil {
		return nil, err
	}
	if own != 0 {
		said = own
		if depth == 0 && c.of == 0 { // else its places tell
			c.said = own
		}
	}
	switch o.kind {
	case "Feature":
		return within(o.geometry, c, said, depth)
	case "FeatureCollection":
		return collection(o.features, "features", c, said, depth)
	case "GeometryCollection":
		return collection(o.geometries, "geometries", c, said, depth)
	}
	g, err := o.simple()
	if err == nil && Vertices(g) > 0 {
		err = c.places(said)
	}
	return g, err
}

// within reads what stands in an object; of nothing, as features may have it, it is a
// geometry without places.
func within(text json.RawMessage, c *crsOf, said, depth int) (orb.Geometry, error) {
	if isNull(text) {
		return orb.Collection{}, nil
	}
	if depth >= maxNesting {
		return nil, wrong("collections stand more than %d deep in one another", maxNesting)
	}
	return readObject(text, c, said, depth+1)
}

func collection(all json.RawMessage, name string, c *crsOf, said, depth int) (orb.Geometry, error) {
	out := orb.Collection{}
	ok, err := walkList(all, func(_ int, one json.RawMessage) error {
		g, err := within(one, c, said, depth)
		out = append(out, g)
		return err
	})
	if err == nil && !ok {
		return nil, wrong("its %s are no list", name)
	}
	return out, err
}

// simple reads an object that has coordinates.
func (o *object) simple() (g orb.Geometry, err error) {
	n := &numbers{text: string(o.coordinates)}
	switch o.kind {
	case "Point":
		g, err = n.onePoint()
	case "MultiPoint":
		var all []orb.Point
		all, err = n.points()
		g = orb.MultiPoint(all)
	case "LineString":
		var all []orb.Point
		all, err = n.points()
		g = orb.LineString(all)
	case "MultiLineString":
		g, err = severalOf[orb.MultiLineString](n, "line", func() (orb.LineString, error) { return n.points() })
	case "Polygon":
		g, err = n.polygon()
	case "MultiPolygon":
		g, err = severalOf[orb.MultiPolygon](n, "polygon", n.polygon)
	default:
		return nil, wrong("there is no GeoJSON of the type %.40q", o.kind)
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return nil, wrong("%s", f.Error())
	}
	return g, err
}

// onePoint reads the coordinates of a point: a list without numbers for one that is
// nowhere.
func (n *numbers) onePoint() (orb.Geometry, error) {
	if strings.Join(strings.Fields(n.text), "") == "[]" {
		return orb.Collection{}, nil
	}
	return n.position()
}

func (n *numbers) polygon() (orb.Polygon, error) {
	return severalOf[orb.Polygon](n, "ring", func() (orb.Ring, error) { return n.points() })
}

func (n *numbers) points() ([]orb.Point, error) {
	return severalOf[[]orb.Point](n, "vertex", n.position)
}

// severalOf reads a list of parts.
func severalOf[All ~[]G, G any](n *numbers, kind string, one func() (G, error)) (All, error) {
	all := All{}
	ok, err := n.list(func(i int) error {
		g, err := one()
		all = append(all, g)
		return inPart(err, kind, i)
	})
	if err == nil && !ok {
		err = &fault{wrong: "has no list of coordinates"}
	}
	return all, err
}

// position reads a place, whose height and measure are passed over.
func (n *numbers) position() (p orb.Point, err error) {
	count := 0
	ok, err := n.list(func(i int) error {
		v, ok := n.number()
		if !ok {
			return &fault{wrong: "has a coordinate that is no number"}
		}
		if count = i + 1; i < len(p) {
			p[i] = v
		}
		return nil
	})
	if err == nil && (!ok || count < len(p)) {
		err = &fault{wrong: "is not a place of two numbers"}
	}
	return p, err
}
