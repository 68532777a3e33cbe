package legend

import (
	"bytes"
	"encoding/csv"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase"
)

// ReadFile reads a legend from a file's content by the extension of its name,
// and titles it with the name:
//
//	.json         see [ParseJSON]
//	.clr, .txt    colour text of GDAL, ESRI and QGIS: "value r g b [a] [name]" on each line
//	.csv          a header and the columns value or expression; color, or r, g, b and
//	              perhaps a; and perhaps name or label, and code
//	.qml          QGIS style: paletted, or singleband pseudocolor, exact or discrete
//
// Colours between values (interpolation) and values in percent are refused.
// Errors have the code invalid and name the line where there is one.
func ReadFile(name string, b []byte) (*rasterbase.Legend, error) {
	if err := checkSize(b); err != nil {
		return nil, err
	}
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	ext := strings.ToLower(path.Ext(base))
	l, err := readFile(strings.TrimSuffix(base, path.Ext(base)), ext, bytes.TrimPrefix(b, []byte("\uFEFF")))
	if err != nil {
		e := rasterbase.Errorf(rasterbase.CodeOf(err), "legend %s: %w", base, err)
		if e.Code == rasterbase.Internal {
			e.Code = rasterbase.Invalid
		}
		return nil, e.WithField("legend")
	}
	if len(l.Entries) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "legend %s has no entries", base).WithField("legend")
	}
	return l, nil
}

func readFile(title, ext string, b []byte) (*rasterbase.Legend, error) {
	var entries []rasterbase.Entry
	var err error
	switch ext {
	case ".json":
		return ParseJSON(title, b)
	case ".clr", ".txt":
		entries, err = readColorText(string(b))
	case ".csv":
		entries, err = readCSV(b)
	case ".qml":
		entries, err = readQML(b)
	default:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the extension %q is not that of a legend", ext).
			WithHint("one of .json, .clr, .txt, .csv, .qml")
	}
	if err != nil {
		return nil, err
	}
	l := &rasterbase.Legend{Title: title, Entries: entries}
	if err := Validate(l); err != nil {
		return nil, err
	}
	return l, nil
}

// readColorText reads the lines of a colour text file.
func readColorText(s string) ([]rasterbase.Entry, error) {
	if !utf8.ValidString(s) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the text is not UTF-8")
	}
	var entries []rasterbase.Entry
	number := 0
	for line := range strings.Lines(s) {
		number++
		line = strings.TrimSpace(line)
		if mode, ok := strings.CutPrefix(line, "INTERPOLATION:"); ok {
			if mode != "EXACT" {
				return nil, rasterbase.Errorf(rasterbase.Unsupported, "line %d: colours between values (%.40s) are not supported", number, mode).
					WithHint("export the style with exact interpolation")
			}
			continue
		}
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		e, skip, err := readColorLine(line)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "line %d: %w", number, err)
		}
		if !skip {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// readColorLine reads "value r g b [a] [name]", or a colour's name in place of
// its numbers. The colour of nodata is skipped: nodata is never coloured.
func readColorLine(line string) (e rasterbase.Entry, skip bool, err error) {
	value, rest := cutField(line, ", \t:")
	switch {
	case strings.EqualFold(value, "nv") || strings.EqualFold(value, "nan"):
		return e, true, nil
	case strings.HasSuffix(value, "%"):
		return e, false, rasterbase.Errorf(rasterbase.Unsupported, "the value %s in percent depends on the raster", value).
			WithHint("write the value itself")
	case strings.EqualFold(value, "default"):
		return e, false, rasterbase.Errorf(rasterbase.Unsupported, "a default colour is not supported")
	}
	v, err := parseNumber(value)
	if err != nil {
		return e, false, err
	}
	fields, names := splitColor(rest)
	var c rasterbase.Color
	switch len(fields) {
	case 0:
		word, after := cutField(rest, ", \t")
		c, err = ParseColor(word)
		names = after
	case 3, 4:
		c, err = colorOf(fields)
	default:
		err = rasterbase.Errorf(rasterbase.Invalid, "expected red, green and blue after the value %s", value)
	}
	return entry(v, names, c), false, err
}

// cutField cuts the first field off, at any run of the separators.
func cutField(s, separators string) (field, rest string) {
	i := strings.IndexAny(s, separators)
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], separators)
}

// splitColor takes up to four whole numbers of 0 to 255 from the front of s.
func splitColor(s string) (fields []string, rest string) {
	rest = s
	for len(fields) < 4 && rest != "" {
		field, after := cutField(rest, ", \t:")
		if n, err := strconv.ParseUint(field, 10, 16); err != nil || len(fields) == 3 && n > 255 {
			break
		}
		fields, rest = append(fields, field), after
	}
	return fields, strings.TrimSpace(rest)
}

// colorOf reads red, green, blue and perhaps alpha.
func colorOf(fields []string) (rasterbase.Color, error) {
	parts := [4]uint8{3: 255}
	for i, f := range fields {
		n, err := strconv.ParseUint(strings.TrimSpace(f), 10, 8)
		if err != nil {
			return rasterbase.Color{}, rasterbase.Errorf(rasterbase.Invalid, "%.20q is not a part of a colour, 0 to 255", f)
		}
		parts[i] = uint8(n)
	}
	return rasterbase.Color{R: parts[0], G: parts[1], B: parts[2], A: parts[3]}, nil
}

func parseNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || v-v != 0 {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "%.40q is not a number", s)
	}
	return v, nil
}

// csvColumns are the places of the columns, -1 for those that are not there.
type csvColumns struct {
	value, expression, color, name, code int
	parts                                []int // of r, g, b, a
}

func findColumns(header []string) (csvColumns, error) {
	at := func(names ...string) int {
		return slices.IndexFunc(header, func(h string) bool {
			return slices.Contains(names, strings.ToLower(strings.TrimSpace(h)))
		})
	}
	c := csvColumns{
		value: at("value"), expression: at("expression"), color: at("color", "colour"),
		name: at("name", "label", "class"), code: at("code"),
	}
	for _, p := range []int{at("r", "red"), at("g", "green"), at("b", "blue"), at("a", "alpha")} {
		if p >= 0 {
			c.parts = append(c.parts, p)
		}
	}
	if c.value < 0 && c.expression < 0 || c.color < 0 && (at("r", "red") < 0 || at("g", "green") < 0 || at("b", "blue") < 0) {
		return c, rasterbase.Errorf(rasterbase.Invalid, "the header lacks columns").
			WithHint("value or expression, and color or r, g and b, are needed")
	}
	return c, nil
}

// readCSV reads a table with a header, separated by commas or semicolons.
func readCSV(b []byte) ([]rasterbase.Entry, error) {
	r := csv.NewReader(bytes.NewReader(b))
	first, _, _ := bytes.Cut(b, []byte("\n"))
	if bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		r.Comma = ';'
	}
	r.TrimLeadingSpace = true
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, nil
	}
	columns, err := findColumns(rows[0])
	if err != nil {
		return nil, err
	}
	var entries []rasterbase.Entry
	for i, row := range rows[1:] {
		e, err := columns.entry(row)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "row %d: %w", i+2, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (c csvColumns) entry(row []string) (rasterbase.Entry, error) {
	cell := func(i int) string {
		if i < 0 {
			return ""
		}
		return strings.TrimSpace(row[i])
	}
	e := rasterbase.Entry{Expression: cell(c.expression), Code: cell(c.code)}
	if c.expression < 0 {
		v, err := parseNumber(cell(c.value))
		if err != nil {
			return e, err
		}
		e.Expression = formatNumber(v)
	}
	e.Semantics.Name = cell(c.name)
	if e.Semantics.Name == "" {
		e.Semantics.Name = e.Expression
	}
	var err error
	if c.color >= 0 {
		e.Color, err = ParseColor(cell(c.color))
		return e, err
	}
	parts := make([]string, len(c.parts))
	for i, p := range c.parts {
		parts[i] = cell(p)
	}
	e.Color, err = colorOf(parts)
	return e, err
}
