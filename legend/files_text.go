package legend

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase"
)

// textModes are how colour texts of QGIS name the interpolations.
var textModes = []struct {
	name string
	mode rasterbase.Interpolation
}{
	{"INTERPOLATED", rasterbase.Linear}, {"DISCRETE", rasterbase.Discrete}, {"EXACT", rasterbase.Exact},
}

// readColorText reads the lines of a colour text file.
func readColorText(s string, o ReadOptions) (*rasterbase.Legend, error) {
	if !utf8.ValidString(s) {
		return nil, notUTF8()
	}
	var items []colorItem
	mode := o.Interpolation
	number := 0
	for line := range strings.Lines(s) {
		number++
		line = strings.TrimSpace(line)
		told, ok, err := textMode(line)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "line %d: %w", number, err)
		}
		if ok {
			mode = told
		}
		if ok || line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		i, skip, err := readColorLine(line)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.CodeOf(err), "line %d: %w", number, err)
		}
		if !skip {
			items = append(items, i)
		}
	}
	return newLegend(items, mode)
}

func notUTF8() error {
	return rasterbase.Errorf(rasterbase.Invalid, "the text is not UTF-8").WithHint("save the file as UTF-8")
}

// textMode reads the line INTERPOLATION:..., which can stand in a comment, where
// gdaldem does not take it for a colour.
func textMode(line string) (mode rasterbase.Interpolation, ok bool, err error) {
	const head = "INTERPOLATION:"
	comment := strings.HasPrefix(line, "#")
	line = strings.TrimSpace(strings.TrimLeft(line, "#"))
	if len(line) < len(head) || !strings.EqualFold(line[:len(head)], head) {
		return "", false, nil
	}
	name := strings.TrimSpace(line[len(head):])
	for _, m := range textModes {
		if strings.EqualFold(name, m.name) {
			return m.mode, true, nil
		}
	}
	if comment {
		return "", false, nil
	}
	return "", false, rasterbase.Errorf(rasterbase.Invalid, "%.40q is not an interpolation", name).
		WithHint("one of INTERPOLATED, DISCRETE, EXACT")
}

// readColorLine reads "value r g b [a] [name]", or a colour's name in place of
// its numbers. The colour of nodata is skipped: nodata is never coloured.
func readColorLine(line string) (i colorItem, skip bool, err error) {
	value, rest := cutField(line, ", \t:")
	switch {
	case strings.EqualFold(value, "nv") || strings.EqualFold(value, "nan"):
		return i, true, nil
	case strings.EqualFold(value, "default"):
		return i, false, rasterbase.Errorf(rasterbase.Unsupported, "a default colour is not supported").
			WithHint("give the values that it is meant for, or an entry x < INF in a .json or .csv file")
	}
	if i, err = parseValue(value); err != nil {
		return i, false, err
	}
	fields, names := splitColor(rest)
	switch len(fields) {
	case 0:
		word, after := cutField(rest, ", \t")
		i.color, err = ParseColor(word)
		names = after
	case 3, 4:
		i.color, err = colorOf(fields)
	default:
		err = rasterbase.Errorf(rasterbase.Invalid, "expected red, green and blue after the value %s", value)
	}
	i.name = names
	return i, false, err
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
