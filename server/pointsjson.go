package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
)

// jsonMember is a member of a JSON object, in the place and as it came.
type jsonMember struct {
	name string
	raw  json.RawMessage
}

// members reads an object without losing the order of its members.
func members(raw []byte) ([]jsonMember, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, errors.New("an object was expected")
	}
	var out []jsonMember
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		out = append(out, jsonMember{name, raw})
	}
	return out, nil
}

// uniqueMembers are members of which none is there twice: one would be read, and both
// written.
func uniqueMembers(raw []byte) ([]jsonMember, error) {
	all, err := members(raw)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(all))
	for _, m := range all {
		if seen[m.name] {
			return nil, fmt.Errorf("%.40q is there twice", m.name)
		}
		seen[m.name] = true
	}
	return all, nil
}

// find gives a member of an object, nil when there is none.
func find(all []jsonMember, name string) json.RawMessage {
	for _, m := range all {
		if m.name == name {
			return m.raw
		}
	}
	return nil
}

// feature is a feature of GeoJSON whose geometry is a point, several, or null.
type feature struct {
	members []jsonMember
	places  int  // of its geometry
	many    bool // a MultiPoint: its value is a list
}

// features are what a document of GeoJSON holds.
type features struct {
	collection []jsonMember // of the document; nil: it is one feature, or a bare geometry
	all        []feature
	bare       bool
}

func badPoints(format string, args ...any) *rasterbase.Error {
	return rasterbase.Errorf(rasterbase.Invalid, "the GeoJSON cannot be read: "+format, args...).WithHint("%s", pointsForms)
}

// readPointsJSON reads a FeatureCollection, a Feature, a Point or a MultiPoint.
func readPointsJSON(b []byte, most int) (*askedPoints, error) {
	if !json.Valid(b) {
		var v any
		return nil, badPoints("%v", json.Unmarshal(b, &v))
	}
	doc, err := uniqueMembers(b)
	if err != nil {
		return nil, badPoints("%w", err)
	}
	p := &askedPoints{srid: 4326}
	if raw := find(doc, "crs"); raw != nil {
		if p.srid, err = sridOf(raw); err != nil {
			return nil, err
		}
		p.said = true
	}
	f := &features{}
	p.body = f
	kind, err := typeOf(doc)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "FeatureCollection":
		f.collection = doc
		var all []json.RawMessage
		if err := json.Unmarshal(find(doc, "features"), &all); err != nil || all == nil {
			return nil, badPoints("features is no list")
		}
		for i, raw := range all {
			if err := f.add(p, raw, most); err != nil {
				return nil, inFeature(i, err)
			}
		}
		return p, nil
	case "Feature":
		return p, f.add(p, b, most)
	}
	f.bare = true
	one := feature{}
	if err := one.read(p, b, most); err != nil {
		return nil, err
	}
	f.all = []feature{one}
	return p, nil
}

// inFeature says which feature an error is of.
func inFeature(i int, err error) error {
	e, ok := asError(err)
	if !ok || e.Code != rasterbase.Invalid {
		return err
	}
	return rasterbase.Errorf(rasterbase.Invalid, "feature %d: %s", i+1, e.Message).WithHint("%s", e.Hint)
}

func typeOf(all []jsonMember) (kind string, err error) {
	if err := json.Unmarshal(find(all, "type"), &kind); err != nil {
		return "", badPoints("it has no type")
	}
	return kind, nil
}

// sridOf reads the CRS that GeoJSON had before RFC 7946, and which programs still
// write.
func sridOf(raw json.RawMessage) (int, error) {
	var named struct {
		Properties struct {
			Name string `json:"name"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		return 0, badPoints("crs has no name")
	}
	name := named.Properties.Name
	if m := crsName.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1]) // nine digits at most
		return n, nil
	}
	if bytes.HasSuffix(bytes.ToUpper([]byte(name)), []byte("CRS84")) {
		return 4326, nil
	}
	return 0, badPoints("its crs %.60q is not known: write EPSG:3857", name)
}

// add reads a feature.
func (f *features) add(p *askedPoints, raw json.RawMessage, most int) (err error) {
	var one feature
	if one.members, err = uniqueMembers(raw); err != nil {
		return badPoints("%w", err)
	}
	if kind, err := typeOf(one.members); err != nil || kind != "Feature" {
		return badPoints("it is a %.40q and no Feature", kind)
	}
	if raw := find(one.members, "properties"); len(raw) > 0 && raw[0] != '{' && raw[0] != 'n' {
		return badPoints("the properties are no object")
	}
	if err := one.read(p, find(one.members, "geometry"), most); err != nil {
		return err
	}
	f.all = append(f.all, one)
	return nil
}

// read reads a geometry.
func (f *feature) read(p *askedPoints, raw json.RawMessage, most int) error {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return f.place(p, nowhere, most)
	}
	var g struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return badPoints("%v", err)
	}
	switch g.Type {
	case "Point":
		var c []float64
		if err := json.Unmarshal(g.Coordinates, &c); err != nil {
			return badPoints("the coordinates are not numbers")
		}
		if len(c) == 0 { // an empty point
			return f.place(p, nowhere, most)
		}
		return f.position(p, c, most)
	case "MultiPoint":
		f.many = true
		var all [][]float64
		if err := json.Unmarshal(g.Coordinates, &all); err != nil {
			return badPoints("the coordinates are not lists of numbers")
		}
		for _, c := range all {
			if err := f.position(p, c, most); err != nil {
				return err
			}
		}
		return nil
	}
	return badPoints("it is a %.40q, and points are looked up", g.Type)
}

// position reads a place; what comes after two numbers is its height.
func (f *feature) position(p *askedPoints, c []float64, most int) error {
	if len(c) < 2 {
		return badPoints("a position has two numbers")
	}
	return f.place(p, crs.Point{X: c[0], Y: c[1]}, most)
}

func (f *feature) place(p *askedPoints, at crs.Point, most int) error {
	if len(p.places) == most {
		return tooManyPoints(most)
	}
	p.places = append(p.places, at)
	f.places++
	return nil
}

func (f *features) media() string {
	if f.bare {
		return "application/json"
	}
	return "application/geo+json"
}

func (f *features) writeCSV(out *outgoing, a *answeredPoints) error {
	return writePlacesCSV(out, a.places, a)
}

// writeJSON writes the features as they came, each with the property value.
func (f *features) writeJSON(out *outgoing, a *answeredPoints) error {
	if f.bare {
		return writePoints(out, a)
	}
	at := 0
	if f.collection == nil {
		if err := f.all[0].write(out, a, &at); err != nil {
			return err
		}
		out.text("\n")
		return nil
	}
	out.text("{")
	for i, m := range f.collection {
		if i > 0 {
			out.text(",")
		}
		if err := writeName(out, m.name); err != nil {
			return err
		}
		if m.name != "features" {
			out.bytes(m.raw)
			continue
		}
		out.text("[")
		for k := range f.all {
			if k > 0 {
				out.text(",")
			}
			out.text("\n")
			if err := f.all[k].write(out, a, &at); err != nil {
				return err
			}
		}
		out.text("]")
	}
	out.text("}\n")
	return nil
}

func writeName(out *outgoing, name string) error {
	b, err := marshal(name)
	if err != nil {
		return err
	}
	out.bytes(b)
	out.text(":")
	return nil
}

// write writes a feature. Its value is a list when its geometry is one; at counts the
// places that were written.
func (f *feature) write(out *outgoing, a *answeredPoints, at *int) error {
	out.text("{")
	done := false
	for i, m := range f.members {
		if i > 0 {
			out.text(",")
		}
		if err := writeName(out, m.name); err != nil {
			return err
		}
		if m.name != "properties" || done {
			out.bytes(m.raw)
			continue
		}
		done = true
		if err := f.writeProperties(out, m.raw, a, at); err != nil {
			return err
		}
	}
	if !done {
		out.text(`,"properties":`)
		if err := f.writeProperties(out, nil, a, at); err != nil {
			return err
		}
	}
	out.text("}")
	return nil
}

// writeProperties writes properties with the value, in place of one of that name.
func (f *feature) writeProperties(out *outgoing, raw json.RawMessage, a *answeredPoints, at *int) error {
	var all []jsonMember
	if len(raw) > 0 && raw[0] == '{' { // else null, or none
		var err error
		if all, err = members(raw); err != nil {
			return err
		}
	}
	out.text("{")
	for _, m := range all {
		if m.name == "value" {
			continue
		}
		if err := writeName(out, m.name); err != nil {
			return err
		}
		out.bytes(m.raw)
		out.text(",")
	}
	out.text(`"value":`)
	if f.many {
		out.text("[")
	}
	for i := range f.places {
		if i > 0 {
			out.text(",")
		}
		writeValue(out, a.valueOf(a.pixels[*at]))
		*at++
	}
	if f.many {
		out.text("]")
	}
	out.text("}")
	return nil
}
