package legend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// MaxBytes is the largest legend file that is read.
const MaxBytes = 4 << 20

// jsonEntry is an entry in django-raster's form, with the text of its
// semantics beside it.
type jsonEntry struct {
	Name        string `json:"name"`
	Expression  text   `json:"expression"`
	Color       string `json:"color"`
	Code        text   `json:"code"`
	Description string `json:"description,omitempty"`
	Keyword     string `json:"keyword,omitempty"`
}

// text is a string that may be written as a JSON number.
type text string

// UnmarshalJSON reads a string or a number.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9') {
		*t = text(b)
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

// ParseJSON reads a legend: an array of entries in django-raster's form,
//
//	[{"name": "Water", "expression": "1", "color": "#0000FF", "code": "1"}]
//
// where expression and code may be numbers, and description and keyword can stand
// beside them; an object {"title", "entries"} with such an array; or the object of
// a gradient, as [ParseColormap] reads it, with a title:
//
//	{"title": "Depth", "stops": [[0, "white"], [50, "navy"]], "interpolation": "linear"}
//
// The title given, when not empty, wins over the file's. The legend is validated;
// errors have the code invalid or too large.
func ParseJSON(title string, b []byte) (*rasterbase.Legend, error) {
	if err := checkSize(b); err != nil {
		return nil, err
	}
	var doc struct {
		Title   string      `json:"title"`
		Entries []jsonEntry `json:"entries"`
	}
	var err error
	if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 && trimmed[0] == '[' {
		err = json.Unmarshal(b, &doc.Entries)
	} else {
		err = json.Unmarshal(b, &doc)
		if err == nil && doc.Entries == nil {
			return parseGradientJSON(title, b)
		}
	}
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "read the legend's JSON: %w", err)
	}
	if title == "" {
		title = doc.Title
	}
	l := &rasterbase.Legend{Title: title, Entries: make([]rasterbase.Entry, 0, len(doc.Entries))}
	for i, e := range doc.Entries {
		if err := e.complete(i, b); err != nil {
			return nil, err
		}
		c, err := ParseColor(e.Color)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "entry %d (%s): %w", i+1, e.Name, err).WithField("color")
		}
		l.Entries = append(l.Entries, rasterbase.Entry{
			Semantics:  rasterbase.Semantics{Name: e.Name, Description: e.Description, Keyword: e.Keyword},
			Expression: string(e.Expression), Color: c, Code: string(e.Code),
		})
	}
	if err := Validate(l); err != nil {
		return nil, err
	}
	return l, nil
}

// parseJSONFile reads a file: its name is the title where it says none.
func parseJSONFile(name string, b []byte) (*rasterbase.Legend, error) {
	l, err := ParseJSON("", b)
	if err == nil && l.Title == "" {
		l.Title = name
	}
	return l, err
}

// complete finds out that an entry lacks what it needs, and names the keys of the
// document that may have been meant. It is entry i.
func (e jsonEntry) complete(i int, b []byte) error {
	lacking := ""
	switch {
	case e.Expression == "":
		lacking = "expression"
	case e.Color == "":
		lacking = "color"
	default:
		return nil
	}
	err := rasterbase.Errorf(rasterbase.Invalid, "entry %d (%s) has no %s", i+1, e.Name, lacking)
	if unknown := unknownKeys(i, b); len(unknown) > 0 {
		err = rasterbase.Errorf(rasterbase.Invalid, "entry %d (%s) has no %s, but %s, which is not known", i+1, e.Name, lacking,
			strings.Join(unknown, ", "))
	}
	return err.WithHint("the keys of an entry are %s", strings.Join(entryKeys, ", ")).WithField(lacking)
}

// entryKeys are the keys of a jsonEntry, in any case.
var entryKeys = []string{"name", "expression", "color", "code", "description", "keyword"}

// unknownKeys are the quoted keys of entry i that have no meaning.
func unknownKeys(i int, b []byte) []string {
	v, err := readJSON(b)
	if err != nil {
		return nil
	}
	for n, key := range v.keys {
		if strings.EqualFold(key, "entries") {
			v = v.items[n]
			break
		}
	}
	if i >= len(v.items) {
		return nil
	}
	var unknown []string
	for _, key := range v.items[i].keys {
		if !slices.Contains(entryKeys, strings.ToLower(key)) {
			unknown = append(unknown, fmt.Sprintf("%.40q", key))
		}
	}
	return unknown
}

// parseGradientJSON reads the object of a gradient with a title.
func parseGradientJSON(title string, b []byte) (*rasterbase.Legend, error) {
	v, err := readJSON(b)
	if err != nil {
		return nil, err
	}
	l := &rasterbase.Legend{Title: title}
	rest := jsonValue{kind: jsonObject}
	for i, key := range v.keys {
		switch {
		case key != "title":
			rest.keys, rest.items = append(rest.keys, key), append(rest.items, v.items[i])
		case title == "":
			l.Title = v.items[i].text
		}
	}
	if !isGradient(rest) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the legend has no entries").
			WithHint(`write [{"name": ..., "expression": ..., "color": ..., "code": ...}]`)
	}
	if l.Gradient, err = parseGradient(rest); err != nil {
		return nil, err
	}
	if err := Validate(l); err != nil {
		return nil, err
	}
	return l, nil
}

// MarshalJSON writes the entries as the array that [ParseJSON] reads, in the order
// in which they are painted, or a gradient as the object.
func MarshalJSON(l *rasterbase.Legend) ([]byte, error) {
	if l.Gradient != nil {
		form := gradientForm(l.Gradient)
		form.Title = l.Title
		return encodeJSON(form)
	}
	entries := make([]jsonEntry, len(l.Entries))
	for i, e := range Order(l).Entries {
		entries[i] = jsonEntry{
			Name: e.Semantics.Name, Expression: text(e.Expression), Color: e.Color.String(), Code: text(e.Code),
			Description: e.Semantics.Description, Keyword: e.Semantics.Keyword,
		}
	}
	return encodeJSON(entries)
}

func checkSize(b []byte) error {
	if len(b) > MaxBytes {
		return rasterbase.Errorf(rasterbase.TooLarge, "the legend has %d bytes", len(b)).
			WithHint("at most %d are read", MaxBytes)
	}
	return nil
}
