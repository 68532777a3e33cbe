package geometry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
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
//
// All places have to be in one CRS, which the collections say, or each of the features
// or geometries in their stead. Where nothing is said they are in EPSG:4326.
type Features struct {
	in   *json.Decoder
	from *source
	crs  crsOf
	// within says that the decoder stands in the list of a collection's features.
	within bool
	whole  object // of the collection, as far as it is known
	said   int    // the CRS that stood before the features; 0: none yet
	silent bool   // some of them say no CRS, and may be told one behind them
	most   int    // bytes that are read for one feature
}

// NewFeatures begins to read.
func NewFeatures(r io.Reader) *Features {
	from := &source{r: r}
	return &Features{in: json.NewDecoder(from), from: from, most: maxFeature}
}

// SRID is the CRS that is told of the features so far: 0 for none. A collection mostly
// tells it before them; one that does so behind them has told it at the end alone.
func (f *Features) SRID() int { return f.crs.said }

// Next gives the next feature, and io.EOF at the end. An error has code invalid, too
// large when the feature has more than 256 MiB, or is that of the reader.
func (f *Features) Next() (*Feature, error) {
	f.from.left = f.most
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
		f.whole = object{}
		one, err := f.members(false)
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
	o, err := objectOf(text)
	if err != nil {
		return nil, err
	}
	c := crsOf{}
	out, err := o.feature(text, &c, f.said)
	if err != nil || c.of == 0 {
		return out, err
	}
	if c.said == 0 {
		f.silent = true
		return out, nil
	}
	return out, f.crs.places(c.said)
}

// leave reads what stands behind the features of a collection.
func (f *Features) leave() error {
	f.within = false
	if _, err := f.in.Token(); err != nil { // the bracket
		return broken(err)
	}
	if _, err := f.members(true); err != nil {
		return err
	}
	if f.whole.kind != "FeatureCollection" {
		return wrong("what has features is a FeatureCollection, and not a %.40q", f.whole.kind)
	}
	if err := f.note(); err != nil {
		return err
	}
	if f.silent {
		return f.crs.places(f.said)
	}
	return nil
}

// members reads those of an object, up to the features of a collection or its end. It
// gives the feature that the object is, or nil for a collection.
func (f *Features) members(behind bool) (*Feature, error) {
	var text []byte // without members of other programs, which may be long
	for f.in.More() {
		t, err := f.in.Token()
		if err != nil {
			return nil, broken(err)
		}
		name, _ := t.(string)
		if name == "features" && behind {
			return nil, wrong("the collection has features twice")
		}
		if name == "features" {
			if t, err = f.in.Token(); err != nil || t != json.Delim('[') {
				return nil, wrong("features are a list")
			}
			f.within, f.said, f.silent = true, 0, false
			return nil, f.note()
		}
		var value json.RawMessage
		if err := f.in.Decode(&value); err != nil {
			return nil, broken(err)
		}
		if to := f.whole.member(name); to != nil {
			*to = value
		} else if name == "type" {
			f.whole.kind = textOf(value)
		} else {
			continue
		}
		text = append(fmt.Appendf(append(text, ','), "%q:", name), value...)
	}
	if _, err := f.in.Token(); err != nil {
		return nil, broken(err)
	}
	if behind {
		return nil, nil
	}
	if f.whole.kind == "FeatureCollection" {
		return nil, wrong("the collection has no features")
	}
	if len(text) > 0 {
		text = append(append([]byte("{"), text[1:]...), '}')
	}
	return f.whole.feature(text, &f.crs, 0)
}

// note keeps the CRS that a collection tells.
func (f *Features) note() error {
	srid, err := sridOf(f.whole.crs)
	if err == nil && srid != 0 {
		f.said = srid
		if f.crs.of == 0 { // else its places tell
			f.crs.said = srid
		}
	}
	return err
}

// feature makes one of the object, whose text is given, in a CRS that is said of what
// it stands in.
func (o *object) feature(text json.RawMessage, c *crsOf, said int) (*Feature, error) {
	g, err := o.read(c, said, 0)
	if err == nil {
		err = check(g)
	}
	if err != nil {
		return nil, err
	}
	out := &Feature{Properties: map[string]json.RawMessage{}, Geometry: g, Text: text}
	if o.kind == "Feature" {
		if out.Text = o.geometry; out.Text == nil {
			out.Text = json.RawMessage("null")
		}
	}
	if !isNull(o.id) {
		if out.ID = bytes.Clone(o.id); o.id[0] == '{' || o.id[0] == '[' {
			return nil, wrong("its id is neither a text nor a number")
		}
	}
	if !isNull(o.properties) && o.properties[0] != '{' {
		return nil, wrong("its properties are no object")
	}
	// What is kept of a feature does not keep its geometry's text.
	return out, walkObject(bytes.Clone(o.properties), func(name []byte, value json.RawMessage) error {
		out.Properties[string(name)] = value
		return nil
	})
}

// broken is the error of what is no JSON, or is cut off. Errors of the reader stay.
func broken(err error) error {
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return wrong("%w", err)
	}
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok { // a number too large, in place of an object
		return wrong("%w", err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // the end of the features is another thing
		return wrong("%w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("reading features: %w", err)
}

// maxFeature is how many bytes are read for one feature.
const maxFeature = 256 << 20

// source passes over the record separators of text sequences, and a mark of the order
// of bytes at the beginning.
type source struct {
	r     io.Reader
	begun bool
	left  int // bytes that may still be read for the feature
}

// Read implements io.Reader.
func (s *source) Read(b []byte) (int, error) {
	if s.left <= 0 {
		return 0, rasterbase.Errorf(rasterbase.TooLarge, "a feature is too long").
			WithHint("one may have %d MiB: simplify its geometry, or cut it into several", maxFeature>>20).WithField("geom")
	}
	n, err := s.r.Read(b)
	s.left -= n
	const separator = 0x1e
	for i := bytes.IndexByte(b[:n], separator); i >= 0; i = bytes.IndexByte(b[:n], separator) {
		b[i] = ' '
	}
	if !s.begun && n > 0 {
		s.begun = true
		if mark := string(utf8.AppendRune(nil, 0xfeff)); bytes.HasPrefix(b[:n], []byte(mark)) {
			copy(b, "   ")
		}
	}
	return n, err
}
