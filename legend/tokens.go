package legend

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/rasterbase/rasterbase"
)

// maxNesting is deeper than any form of a colormap.
const maxNesting = 8

// jsonKind is what a JSON value is.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a JSON value that keeps the order and the repetitions of an
// object's keys.
type jsonValue struct {
	kind  jsonKind
	text  string // of a string or a number; "true" or "false"
	keys  []string
	items []jsonValue // of an array or, in the order of keys, of an object
}

// readJSON reads one JSON value and nothing after it.
func readJSON(b []byte) (jsonValue, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return v, rasterbase.Errorf(rasterbase.Invalid, "the JSON ends too early")
		}
		return v, rasterbase.Errorf(rasterbase.Invalid, "the JSON cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, rasterbase.Errorf(rasterbase.Invalid, "there is more after the JSON, at byte %d", d.InputOffset())
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (jsonValue, error) {
	tok, err := d.Token()
	if err != nil {
		return jsonValue{}, err
	}
	switch t := tok.(type) {
	case bool:
		return jsonValue{kind: jsonBool, text: strconv.FormatBool(t)}, nil
	case json.Number:
		return jsonValue{kind: jsonNumber, text: t.String()}, nil
	case string:
		return jsonValue{kind: jsonString, text: t}, nil
	case json.Delim:
		if depth >= maxNesting {
			return jsonValue{}, rasterbase.Errorf(rasterbase.Invalid, "it is nested too deeply")
		}
		return readItems(d, t, depth+1)
	}
	return jsonValue{}, nil
}

// readItems reads what stands in an array or an object that has begun.
func readItems(d *json.Decoder, open json.Delim, depth int) (jsonValue, error) {
	v := jsonValue{kind: jsonArray}
	if open == '{' {
		v.kind = jsonObject
	}
	for d.More() {
		if v.kind == jsonObject {
			key, err := d.Token()
			if err != nil {
				return v, err
			}
			name, _ := key.(string) // the decoder lets nothing else stand there
			v.keys = append(v.keys, name)
		}
		item, err := readValue(d, depth)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
	}
	_, err := d.Token()
	return v, err
}

// number reads a number that is written as one.
func (v jsonValue) number() (float64, error) {
	if v.kind != jsonNumber {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "expected a number, found %s", v.describe())
	}
	return parseNumber(v.text)
}

// describe tells what a value is, for messages.
func (v jsonValue) describe() string {
	switch v.kind {
	case jsonArray:
		return "an array of " + strconv.Itoa(len(v.items))
	case jsonObject:
		return "an object"
	case jsonString:
		return strconv.QuoteToASCII(v.text[:min(len(v.text), 40)])
	case jsonNull:
		return "null"
	}
	return v.text[:min(len(v.text), 40)]
}

// color reads [red, green, blue], perhaps with alpha, of whole numbers from 0 to
// 255, or what [ParseColor] reads.
func (v jsonValue) color() (rasterbase.Color, error) {
	switch {
	case v.kind == jsonString:
		return ParseColor(v.text)
	case v.kind != jsonArray || len(v.items) != 3 && len(v.items) != 4:
		return rasterbase.Color{}, rasterbase.Errorf(rasterbase.Invalid, "%s is not a colour", v.describe()).
			WithHint("write [red, green, blue, alpha] of 0 to 255, or \"#RRGGBB\"")
	}
	parts := [4]uint8{3: 0xff}
	for i, item := range v.items {
		n, err := item.number()
		if err != nil || n < 0 || n > 0xff || n != float64(uint8(n)) {
			return rasterbase.Color{}, rasterbase.Errorf(rasterbase.Invalid, "%s is not a part of a colour", item.describe()).
				WithHint("write whole numbers of 0 to 255")
		}
		parts[i] = uint8(n)
	}
	return rasterbase.Color{R: parts[0], G: parts[1], B: parts[2], A: parts[3]}, nil
}
