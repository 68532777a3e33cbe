package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/geometry"
)

// zonesForm is the way out of zones that cannot be read.
const zonesForm = `zones is GeoJSON with many features: {"type": "FeatureCollection", "features": [...]}`

// countZones are many geometries that are each counted by itself.
type countZones struct {
	all []countZone
	// features are answered with what was counted in their properties; nil: they did
	// not come as the body. It was a collection of them, or a single one.
	features   []*rawFeature
	collection bool
}

// countZone is one of them.
type countZone struct {
	id       json.RawMessage // of the property that names it, or the feature's; its number from 1 where it has neither
	geometry orb.Geometry    // never nil
}

// rawFeature is a feature as it came.
type rawFeature struct {
	Type       string                     `json:"type"`
	ID         json.RawMessage            `json:"id,omitempty"`
	BBox       json.RawMessage            `json:"bbox,omitempty"`
	Properties map[string]json.RawMessage `json:"properties"`
	Geometry   json.RawMessage            `json:"geometry"`
}

// readGeometry reads where pixels are counted.
func (c *countRequest) readGeometry() error {
	given := []string{}
	for _, name := range []string{"geom", "bbox", "zones"} {
		if c.params.Has(name) {
			given = append(given, name)
		}
	}
	srid, err := readSRID(c.params.Get("srid"))
	switch {
	case err != nil:
		return err
	case len(given) > 1:
		return conflict(given[0], given[1])
	case len(given) == 0 && srid != 0:
		return rasterbase.Errorf(rasterbase.Invalid, "srid is the CRS of a geometry, and there is none").
			WithHint("geom=POLYGON((...))&srid=3857, or bbox= and srid=").WithField("srid")
	case c.params.Has("id") && !c.params.Has("zones"):
		return rasterbase.Errorf(rasterbase.Invalid, "id is the property that names zones, and there are none").
			WithHint(zonesForm).WithField("id")
	case len(given) == 0:
		return nil
	}
	said := 0
	text := c.params.Get(given[0])
	switch given[0] {
	case "geom":
		if c.geometry, said, err = geometry.Read(text); err != nil {
			return blame(err, "geom")
		}
	case "bbox":
		c.geometry, err = readCountBox(text, srid)
	case "zones":
		if c.zones, said, err = readZones(text, c.params.Get("id")); err != nil {
			return blame(err, "zones")
		}
	}
	if err != nil {
		return err
	}
	if srid != 0 && said != 0 && srid != said {
		return rasterbase.Errorf(rasterbase.Invalid, "srid is %d, and %s says that it is in %d", srid, given[0], said).
			WithHint("leave out one of them").WithField("srid")
	}
	if srid == 0 {
		srid = said
	}
	if srid == 0 {
		srid = 4326
	}
	c.placement.CRS = rasterbase.CRS{SRID: srid}
	return nil
}

// readCountBox reads a box in a CRS. In degrees it may cross the antimeridian.
func readCountBox(text string, srid int) (orb.Geometry, error) {
	if srid == 0 || srid == 4326 {
		b, err := readBBox(text)
		return footprint.BoxGeometry(b), err
	}
	parts := strings.Split(text, ",")
	var v [4]float64
	ok := len(parts) == 4
	for i := 0; ok && i < 4; i++ {
		v[i], ok = finiteNumber(strings.TrimSpace(parts[i]))
	}
	if !ok || v[0] >= v[2] || v[1] >= v[3] {
		return nil, blame(invalid("that is no box", text, fmt.Sprintf("write bbox=west,south,east,north in coordinates of EPSG:%d", srid)), "bbox")
	}
	return orb.Bound{Min: orb.Point{v[0], v[1]}, Max: orb.Point{v[2], v[3]}}, nil
}

// readZones reads the features of GeoJSON, of which a property names each. Srid 0 is
// where nothing says which CRS they are in.
func readZones(text, id string) (z *countZones, srid int, err error) {
	in := geometry.NewFeatures(strings.NewReader(text))
	z = &countZones{}
	for {
		f, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, inZone(len(z.all), err)
		}
		one := countZone{geometry: f.Geometry, id: f.ID}
		if id != "" {
			if one.id, err = nameOfZone(f.Properties, id); err != nil {
				return nil, 0, inZone(len(z.all), err)
			}
		}
		z.add(one)
	}
	if len(z.all) == 0 {
		return nil, 0, rasterbase.Errorf(rasterbase.Invalid, "there is no zone in zones").WithHint(zonesForm)
	}
	return z, in.SRID(), nil
}

// add adds a zone, and gives it a number if it has no name.
func (z *countZones) add(one countZone) {
	if len(one.id) == 0 {
		one.id = fmt.Appendf(nil, "%d", len(z.all)+1)
	}
	z.all = append(z.all, one)
}

// nameOfZone is the property that names a zone.
func nameOfZone(properties map[string]json.RawMessage, id string) (json.RawMessage, error) {
	v, ok := properties[id]
	if !ok {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "it has no property %.60q", id).WithHint("id= is a property that all zones have").WithField("id")
	}
	if v = bytes.TrimSpace(v); len(v) > 0 && (v[0] == '{' || v[0] == '[') {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "its property %.60q is neither a text nor a number", id).WithHint("id= names a property that is").WithField("id")
	}
	if bytes.Equal(v, []byte("null")) {
		return nil, nil
	}
	return bytes.Clone(v), nil
}

// inZone says which zone an error is of.
func inZone(i int, err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	named := *e
	if named.Message == "" && e.Err != nil {
		named.Message = e.Err.Error()
	}
	named.Message, named.Err = fmt.Sprintf("zone %d: %s", i+1, named.Message), nil
	return &named
}

// text is the name of a zone, of a text without its quotes.
func (z *countZone) text() string {
	var s string
	if json.Unmarshal(z.id, &s) == nil {
		return s
	}
	return string(z.id)
}

// keepFeatures keeps the features of a body as they came, so that they can be answered
// with what was counted. The zones were read from the same text.
func (z *countZones) keepFeatures(text string) error {
	var doc struct {
		rawFeature
		Features []*rawFeature `json:"features"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "the features cannot be read: %w", err).WithHint(zonesForm)
	}
	z.collection, z.features = doc.Type == "FeatureCollection", doc.Features
	if !z.collection {
		z.features = []*rawFeature{&doc.rawFeature}
	}
	if len(z.features) != len(z.all) {
		return rasterbase.Errorf(rasterbase.Invalid, "the body is not one Feature or FeatureCollection").WithHint(zonesForm)
	}
	for i, f := range z.features {
		if f == nil || f.Type != "Feature" {
			return inZone(i, rasterbase.Errorf(rasterbase.Invalid, "it is no Feature").WithHint(zonesForm))
		}
	}
	return nil
}

// with is the feature with a member among its properties.
func (f *rawFeature) with(name string, value json.RawMessage) *rawFeature {
	out := *f
	out.Properties = make(map[string]json.RawMessage, len(f.Properties)+1)
	for k, v := range f.Properties {
		out.Properties[k] = v
	}
	out.Properties[name] = value
	if len(out.Geometry) == 0 {
		out.Geometry = json.RawMessage("null")
	}
	return &out
}
