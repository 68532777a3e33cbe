package server

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/geometry"
)

// feature is a feature of GeoJSON whose geometry is a point, several, or null.
type feature struct {
	raw    []byte // the part of the body
	places int    // of its geometry
	many   bool   // a MultiPoint: its value is a list
}

// features are what a document of GeoJSON holds.
type features struct {
	collection []byte // the document; nil: it is one feature, or a bare geometry
	all        []feature
	bare       bool
}

// featureReader reads features into places.
type featureReader struct {
	p       *askedPoints
	most    int
	members []jsonMember // of the object that is being read
}

// readPointsJSON reads a FeatureCollection, a Feature, a Point or a MultiPoint.
func readPointsJSON(b []byte, most int) (*askedPoints, error) {
	if tooDeep(b) {
		return nil, badPoints("lists and objects stand more than %d deep in one another", maxDepth)
	}
	if !json.Valid(b) {
		var v any
		return nil, badPoints("%v", json.Unmarshal(b, &v)) // which looks whether it is valid first
	}
	b = bytes.TrimRight(b, " \t\r\n")
	doc, err := uniqueMembers(b, nil)
	if err != nil {
		return nil, err
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
	in := &featureReader{p: p, most: most}
	switch kind, err := typeOf(doc); {
	case err != nil:
		return nil, err
	case kind == "FeatureCollection":
		f.collection = b
		f.all, err = in.features(find(doc, "features"))
		return p, err
	case kind == "Feature":
		f.all = make([]feature, 1)
		f.all[0], err = in.feature(b)
		return p, err
	}
	f.bare = true
	_, err = in.geometry(b)
	return p, err
}

// features reads the list of them. Each counts as a place, also one that has none.
func (in *featureReader) features(raw []byte) ([]feature, error) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, badPoints("features is no list")
	}
	n := 0
	for range elementsOf(raw) {
		if n++; n > in.most {
			return nil, rasterbase.Errorf(rasterbase.TooLarge, "the body has more than %d features", in.most).
				WithHint("send it in parts; max_points says how many there may be")
		}
	}
	all := make([]feature, 0, n)
	for one := range elementsOf(raw) {
		f, err := in.feature(one)
		if err != nil {
			return nil, inFeature(len(all), err)
		}
		all = append(all, f)
	}
	return all, nil
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
	raw := find(all, "type")
	if len(raw) <= maxName {
		if kind, ok := textOf(raw); ok {
			return kind, nil
		}
	}
	return "", badPoints("it has no type")
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
	if srid, ok := geometry.SRIDOf(name); ok {
		return srid, nil
	}
	return 0, badPoints("its crs %.60q is not known: write EPSG:3857", name)
}

// feature reads a feature.
func (in *featureReader) feature(raw []byte) (f feature, err error) {
	if in.members, err = uniqueMembers(raw, in.members); err != nil {
		return f, err
	}
	if kind, err := typeOf(in.members); err != nil || kind != "Feature" {
		return f, badPoints("it is a %.40q and no Feature", kind)
	}
	if raw := find(in.members, "properties"); len(raw) > 0 && raw[0] != '{' && raw[0] != 'n' {
		return f, badPoints("the properties are no object")
	}
	f, err = in.geometry(find(in.members, "geometry"))
	f.raw = raw
	return f, err
}

// geometry reads a geometry into the places of a feature.
func (in *featureReader) geometry(raw []byte) (f feature, err error) {
	if isNull(raw) {
		f.places = 1
		return f, in.place(nowhere)
	}
	if in.members, err = uniqueMembers(raw, in.members); err != nil {
		return f, err
	}
	kind, err := typeOf(in.members)
	if err != nil {
		return f, err
	}
	coordinates := find(in.members, "coordinates")
	switch kind {
	case "Point":
		at, numbers, ok := position(coordinates)
		switch {
		case !ok:
			return f, badPoints("the coordinates are not numbers")
		case numbers == 0: // an empty point
			at = nowhere
		case numbers < 2:
			return f, badPoints("a position has two numbers")
		}
		f.places = 1
		return f, in.place(at)
	case "MultiPoint":
		f.many = true
		f.places, err = in.positions(coordinates)
		return f, err
	}
	return f, badPoints("it is a %.40q, and points are looked up", kind)
}

// positions reads a list of places.
func (in *featureReader) positions(raw []byte) (n int, err error) {
	if len(raw) == 0 || raw[0] != '[' && !isNull(raw) {
		return 0, badPoints("the coordinates are not lists of numbers")
	}
	for one := range elementsOf(raw) {
		at, numbers, ok := position(one)
		switch {
		case !ok:
			return n, badPoints("the coordinates are not lists of numbers")
		case numbers < 2:
			return n, badPoints("a position has two numbers")
		}
		if err := in.place(at); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// position reads a list of numbers. What comes after two is a height.
func position(raw []byte) (at crs.Point, numbers int, ok bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return at, 0, len(raw) > 0 && isNull(raw)
	}
	for one := range elementsOf(raw) {
		if len(one) > 400 || one[0] != '-' && (one[0] < '0' || one[0] > '9') {
			return at, numbers, false
		}
		v, err := strconv.ParseFloat(string(one), 64)
		if err != nil { // it is too large
			return at, numbers, false
		}
		switch numbers++; numbers {
		case 1:
			at.X = v
		case 2:
			at.Y = v
		}
	}
	return at, numbers, true
}

// isNull tells whether a value is null, or not there.
func isNull(raw []byte) bool { return len(raw) == 0 || raw[0] == 'n' }

func (in *featureReader) place(at crs.Point) error {
	if len(in.p.places) == in.most {
		return tooManyPoints(in.most)
	}
	in.p.places = append(in.p.places, at)
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
	pixels := a.pixels
	if f.collection == nil {
		f.all[0].write(out, a, pixels)
		out.text("\n")
		return nil
	}
	separator := "{"
	for key, value := range membersOf(f.collection) {
		out.text(separator)
		separator = ","
		writeKey(out, key)
		if !keyIs(key, "features") {
			out.bytes(value)
			continue
		}
		out.text("[")
		for i, one := range f.all {
			if i > 0 {
				out.text(",")
			}
			out.text("\n")
			one.write(out, a, pixels[:one.places])
			pixels = pixels[one.places:]
		}
		out.text("]")
	}
	out.text("}\n")
	return nil
}

func writeKey(out *outgoing, key []byte) {
	out.bytes(key)
	out.text(":")
}

// write writes a feature with the values at its places.
func (f *feature) write(out *outgoing, a *answeredPoints, pixels []coverage.Pixel) {
	separator, done := "{", false
	for key, value := range membersOf(f.raw) {
		out.text(separator)
		separator = ","
		writeKey(out, key)
		if !keyIs(key, "properties") {
			out.bytes(value)
			continue
		}
		done = true
		f.writeProperties(out, value, a, pixels)
	}
	if !done {
		out.text(`,"properties":`) // there is a type at least
		f.writeProperties(out, nil, a, pixels)
	}
	out.text("}")
}

// writeProperties writes properties with the value, in place of one of that name. It
// is a list when the geometry is one.
func (f *feature) writeProperties(out *outgoing, raw []byte, a *answeredPoints, pixels []coverage.Pixel) {
	out.text("{")
	for key, value := range membersOf(raw) {
		if keyIs(key, "value") {
			continue
		}
		writeKey(out, key)
		out.bytes(value)
		out.text(",")
	}
	out.text(`"value":`)
	if f.many {
		out.text("[")
	}
	for i, pixel := range pixels {
		if i > 0 {
			out.text(",")
		}
		writeValue(out, a.valueOf(pixel))
	}
	if f.many {
		out.text("]")
	}
	out.text("}")
}
