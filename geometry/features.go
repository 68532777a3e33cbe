package geometry

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/paulmach/orb"
)

// Feature is a geometry with what is told of it.
type Feature struct {
	ID         json.RawMessage // a text or number; nil: none
	Properties map[string]json.RawMessage
	Geometry   orb.Geometry    // never nil; one without places where there is none
	Text       json.RawMessage // the geometry as it was written; null: there is none
}

// Features reads the features of GeoJSON one after the other: of a FeatureCollection,
// a Feature or geometry, or several of them after each other, with or without line
// ends or record separators (RFC 8142). It needs the memory of one feature.
type Features struct {
	in   *json.Decoder
	srid int
	// within says that the decoder stands in the list of a collection's features.
	within bool
}

// NewFeatures begins to read.
func NewFeatures(r io.Reader) *Features {
	return &Features{in: json.NewDecoder(&separators{r: r})}
}

// SRID is the CRS that a collection has told of so far: 0 for none. It mostly stands
// before the features.
func (f *Features) SRID() int { return f.srid }

// Next gives the next feature, and io.EOF at the end.
func (f *Features) Next() (*Feature, error) {
	for {
		if f.within {
			if f.in.More() {
				return f.one()
			}
			if err := f.leave(); err != nil {
				return nil, err
			}
			continue
		}
		t, err := f.in.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, broken(err)
		}
		if t != json.Delim('{') {
			return nil, wrong("GeoJSON is an object, and here is %.40v", t)
		}
		one, err := f.members(nil)
		if err != nil || one != nil {
			return one, err
		}
	}
}

// one reads a feature of a collection.
func (f *Features) one() (*Feature, error) {
	var text json.RawMessage
	if err := f.in.Decode(&text); err != nil {
		return nil, broken(err)
	}
	return featureOf(text)
}

// leave reads what stands behind the features of a collection.
func (f *Features) leave() error {
	f.within = false
	if _, err := f.in.Token(); err != nil { // the bracket
		return broken(err)
	}
	one, err := f.members(map[string]json.RawMessage{"type": json.RawMessage(`"FeatureCollection"`)})
	if err == nil && one != nil {
		return wrong("something else stands behind the features of a collection")
	}
	return err
}

// members reads those of an object, up to the features of a collection or its end. It
// gives the feature that the object is, or nil for a collection.
func (f *Features) members(known map[string]json.RawMessage) (*Feature, error) {
	behind := known != nil
	if !behind {
		known = map[string]json.RawMessage{}
	}
	for f.in.More() {
		t, err := f.in.Token()
		if err != nil {
			return nil, broken(err)
		}
		name, _ := t.(string)
		if name == "features" && !behind {
			if t, err = f.in.Token(); err != nil || t != json.Delim('[') {
				return nil, wrong("features are a list")
			}
			f.within = true
			return nil, f.note(known)
		}
		var value json.RawMessage
		if err := f.in.Decode(&value); err != nil {
			return nil, broken(err)
		}
		known[name] = value
	}
	if _, err := f.in.Token(); err != nil {
		return nil, broken(err)
	}
	if behind {
		return nil, f.note(known)
	}
	text, err := json.Marshal(known)
	if err != nil {
		return nil, broken(err)
	}
	if string(known["type"]) == `"FeatureCollection"` {
		return nil, wrong("the collection has no features")
	}
	if err := f.note(known); err != nil {
		return nil, err
	}
	return featureOf(text)
}

// broken is the error of what is no JSON, or is cut off.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the end of the features is another thing
	}
	return wrong("%w", err)
}

// note keeps the CRS.
func (f *Features) note(known map[string]json.RawMessage) error {
	text, ok := known["crs"]
	if !ok || bytes.Equal(text, []byte("null")) {
		return nil
	}
	var c namedCRS
	if err := json.Unmarshal(text, &c); err != nil {
		return wrong("its crs: %w", err)
	}
	srid, err := c.srid()
	f.srid = srid
	return err
}

func featureOf(text json.RawMessage) (*Feature, error) {
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, broken(err)
	}
	g, err := o.read(0)
	if err == nil {
		err = check(g)
	}
	if err != nil {
		return nil, err
	}
	out := &Feature{ID: o.ID, Properties: o.Properties, Geometry: g, Text: o.text(text)}
	if bytes.Equal(out.ID, []byte("null")) {
		out.ID = nil
	}
	return out, nil
}

// separators passes over the record separators of text sequences, and a mark of the
// order of bytes at the beginning.
type separators struct {
	r     io.Reader
	begun bool
}

// Read implements io.Reader.
func (s *separators) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	const separator = 0x1e
	for i, c := range b[:n] {
		if c == separator {
			b[i] = ' '
		}
	}
	if !s.begun && n > 0 {
		s.begun = true
		if mark := string(utf8.AppendRune(nil, 0xfeff)); bytes.HasPrefix(b[:n], []byte(mark)) {
			copy(b, "   ")
		}
	}
	return n, err
}
