package legend

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// fileForms are the extensions of the files that legends are read from and
// written to.
const fileForms = ".json, .csv, .clr, .txt, .qml"

// ReadOptions say how a legend's file is read where it does not say so itself.
type ReadOptions struct {
	// Interpolation is how the values between those of a colour text, or of a CSV
	// file with the column value, are coloured. Empty: exact, each value by itself;
	// linear where values are in percent, as gdaldem draws them.
	Interpolation rasterbase.Interpolation
}

// ReadFile reads a legend from a file's content by the extension of its name,
// and titles it with the name, unless a .json says its title:
//
//	.json         see [ParseJSON]
//	.clr, .txt    colour text of GDAL, ESRI and QGIS: "value r g b [a] [name]" on each line
//	.csv          a header and the columns value, expression or stop; color, or r, g, b
//	              and perhaps a; and perhaps name or label, code, description, keyword;
//	              a gradient also has interpolation, min, max, or colormap alone
//	.qml          QGIS style: paletted, singleband pseudocolor, singleband gray
//
// Exact colours become entries of one value, discrete ones entries of ranges, and
// interpolated ones a gradient. Values in percent are shares of the layer's range.
// Texts that cannot be shown are refused: see [rasterbase.CheckText].
// Errors have the code invalid, unsupported or too large, the field legend, and
// name the line where there is one.
func ReadFile(name string, b []byte) (*rasterbase.Legend, error) {
	return ReadFileWith(name, b, ReadOptions{})
}

// ReadFileWith is [ReadFile] with options.
func ReadFileWith(name string, b []byte, o ReadOptions) (*rasterbase.Legend, error) {
	if err := checkSize(b); err != nil {
		return nil, err
	}
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	ext := strings.ToLower(path.Ext(base))
	l, err := readFile(strings.TrimSuffix(base, path.Ext(base)), ext, bytes.TrimPrefix(b, []byte("\uFEFF")), o)
	if err != nil {
		e := rasterbase.Errorf(rasterbase.CodeOf(err), "legend %s: %w", base, err)
		if e.Code == rasterbase.Internal {
			e.Code = rasterbase.Invalid
		}
		return nil, e.WithField("legend")
	}
	if len(l.Entries) == 0 && l.Gradient == nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "legend %s has no entries", base).WithField("legend")
	}
	if err := checkTexts(l); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "legend %s: %w", base, err).WithField("legend")
	}
	return l, nil
}

func readFile(title, ext string, b []byte, o ReadOptions) (*rasterbase.Legend, error) {
	switch o.Interpolation {
	case "", rasterbase.Linear, rasterbase.Discrete, rasterbase.Exact:
	default:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%.40q is not an interpolation", string(o.Interpolation)).
			WithHint("one of linear, discrete, exact")
	}
	var l *rasterbase.Legend
	var err error
	switch ext {
	case ".json":
		return parseJSONFile(title, b)
	case ".clr", ".txt":
		l, err = readColorText(string(b), o)
	case ".csv":
		l, err = readCSV(b, o)
	case ".qml":
		l, err = readQML(b)
	default:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the extension %q is not that of a legend", ext).
			WithHint("one of %s", fileForms)
	}
	if err != nil {
		return nil, err
	}
	l.Title = title
	if err := Validate(l); err != nil {
		return nil, err
	}
	return l, nil
}

// colorItem is a colour of a file at a value. Of discrete ones the value is the
// upper end of what is coloured, which belongs to it unless below is true.
type colorItem struct {
	value   float64 // +Inf is the open end of discrete ones
	percent bool    // a share of the layer's range, 0 to 1
	below   bool
	color   rasterbase.Color
	name    string
}

// nothing reports whether the item only keeps a range free of colour.
func (i colorItem) nothing() bool {
	return i.color == rasterbase.Color{} && (i.name == "" || i.name == i.valueText())
}

// newLegend makes entries, or a gradient, of the items of a file.
func newLegend(items []colorItem, mode rasterbase.Interpolation) (*rasterbase.Legend, error) {
	l := &rasterbase.Legend{}
	if len(items) == 0 {
		return l, nil
	}
	relative := items[0].percent
	for i, item := range items {
		open := mode == rasterbase.Discrete && math.IsInf(item.value, 1)
		switch {
		case item.percent != relative:
			return nil, rasterbase.Errorf(rasterbase.Invalid, "some values are in percent and some are not").
				WithHint("write all of them in percent, or none")
		case item.value-item.value != 0 && !open:
			return nil, rasterbase.Errorf(rasterbase.Invalid, "value %d is %v", i+1, item.value)
		}
	}
	if mode == "" {
		mode = rasterbase.Exact
		if relative {
			mode = rasterbase.Linear
		}
	}
	switch {
	case mode == rasterbase.Linear || relative:
		l.Gradient = newGradient(items, mode)
	case mode == rasterbase.Discrete:
		l.Entries = discreteEntries(items)
	default:
		for _, i := range items {
			l.Entries = append(l.Entries, entry(i.value, i.name, i.color))
		}
	}
	return l, nil
}

func byValue(a, b colorItem) int { return cmp.Compare(a.value, b.value) }

// newGradient makes stops of the items, in the order of their values.
func newGradient(items []colorItem, mode rasterbase.Interpolation) *rasterbase.Gradient {
	items = slices.Clone(items)
	slices.SortStableFunc(items, byValue)
	g := &rasterbase.Gradient{Interpolation: mode, Relative: items[0].percent}
	for _, i := range items {
		if !i.percent && i.name == formatNumber(i.value) {
			i.name = "" // shown anyhow
		}
		g.Stops = append(g.Stops, rasterbase.Stop{At: i.value + 0, Color: i.color, Name: i.name})
	}
	return g
}

// discreteEntries makes an entry of each range that has a colour.
func discreteEntries(items []colorItem) []rasterbase.Entry {
	items = slices.Clone(items)
	slices.SortStableFunc(items, byValue)
	var entries []rasterbase.Entry
	from := colorItem{value: math.Inf(-1)}
	for _, i := range items {
		if !i.nothing() {
			condition := rangeText(from, i)
			if i.name == "" {
				i.name = condition
			}
			entries = append(entries, rasterbase.Entry{
				Semantics: rasterbase.Semantics{Name: i.name}, Expression: condition, Color: i.color,
			})
		}
		from = i
	}
	return entries
}

// rangeText is the condition for what lies above one item's range, up to the end
// of another's.
func rangeText(from, to colorItem) string {
	above, under := " < x", "x <= "
	if from.below {
		above = " <= x"
	}
	if to.below {
		under = "x < "
	}
	low, high := formatNumber(from.value)+above, under+formatNumber(to.value)
	switch openLow, openHigh := math.IsInf(from.value, -1), math.IsInf(to.value, 1); {
	case openLow && openHigh:
		return "x < INF"
	case openLow:
		return high
	case openHigh:
		return low
	case from.value == to.value && from.below && !to.below:
		return formatNumber(to.value)
	}
	return fmt.Sprintf("(%s) & (%s)", low, high)
}

func parseNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || v-v != 0 {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "%.40q is not a number", s)
	}
	return v, nil
}

// parseValue reads a number, a share in percent such as 12.5%, or inf.
func parseValue(s string) (i colorItem, err error) {
	s = strings.TrimSpace(s)
	if strings.EqualFold(s, "inf") {
		return colorItem{value: math.Inf(1)}, nil
	}
	share, percent := strings.CutSuffix(s, "%")
	if !percent {
		i.value, err = parseNumber(s)
		return i, err
	}
	// Moving the point in the text keeps what a division would round.
	i.percent = true
	digits, exponent, _ := strings.Cut(strings.ToLower(strings.TrimSpace(share)), "e")
	e, err := strconv.Atoi(cmp.Or(exponent, "0"))
	if err == nil {
		i.value, err = parseNumber(digits + "e" + strconv.Itoa(e-2))
	}
	if err != nil {
		return i, rasterbase.Errorf(rasterbase.Invalid, "%.40q is not a number in percent", s)
	}
	return i, nil
}

// valueText is what [parseValue] reads.
func (i colorItem) valueText() string {
	if math.IsInf(i.value, 1) {
		return "inf"
	}
	if !i.percent {
		return formatNumber(i.value)
	}
	if i.value == 0 {
		return "0%"
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(i.value, 'e', -1, 64), "e")
	e, err := strconv.Atoi(exponent)
	if err != nil {
		return formatNumber(i.value*100) + "%" // not reached: there is always an exponent
	}
	if e += 2; e < -6 || e > 20 {
		return digits + "e" + strconv.Itoa(e) + "%"
	}
	whole := strings.Replace(digits, ".", "", 1)
	switch {
	case e < 0:
		whole = "0." + strings.Repeat("0", -e-1) + whole
	case len(whole) <= e+1:
		whole += strings.Repeat("0", e+1-len(whole))
	default:
		whole = whole[:e+1] + "." + whole[e+1:]
	}
	return whole + "%"
}
