package legend

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// writeCLR writes colour text, "value r g b a name" on each line, that gdaldem
// draws as the legend does: interpolated by itself, and single values with its
// option -exact_color_entry, or -nearest_color_entry where the first is broken, as
// in GDAL 3.6.
func writeCLR(l *rasterbase.Legend) ([]byte, error) {
	items, mode, err := itemsOf(l, ".clr")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	switch mode {
	case rasterbase.Discrete:
		items = stairs(items)
		mode = rasterbase.Linear
	case rasterbase.Linear:
		items = slices.Clone(items)
	}
	if mode == rasterbase.Linear {
		b.WriteString("# INTERPOLATION:INTERPOLATED\n")
	}
	for _, i := range items {
		writeColorLine(&b, i, " ")
	}
	return b.Bytes(), nil
}

func writeColorLine(b *bytes.Buffer, i colorItem, separator string) {
	c := i.color
	line := strings.Join([]string{i.valueText(), fmt.Sprint(c.R), fmt.Sprint(c.G), fmt.Sprint(c.B), fmt.Sprint(c.A), oneLine(i.name)}, separator)
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// oneLine is a name on one line.
func oneLine(name string) string { return strings.Join(strings.Fields(name), " ") }

// stairs makes linear stops of discrete items: one at each end of a range.
func stairs(items []colorItem) []colorItem {
	var out []colorItem
	add := func(i colorItem, v float64) {
		if n := len(out); n > 0 && out[n-1].value >= v {
			return // a range of one number
		}
		i.value, i.below = v, false
		out = append(out, i)
	}
	if last := items[len(items)-1]; !math.IsInf(last.value, 1) {
		items = append(slices.Clip(items), colorItem{value: math.Inf(1), percent: last.percent})
	}
	upper := ends(items)
	for k, i := range items {
		if k > 0 {
			from := above32(upper[k-1])
			if items[k-1].below {
				from = items[k-1].value
			}
			add(i, from)
			i.name = ""
		}
		switch {
		case !math.IsInf(upper[k], 1):
			add(i, upper[k])
		case k == 0:
			add(i, 0) // all values have this colour
		}
	}
	return out
}

// writeQGISText writes a colour map as QGIS exports it: "value,r,g,b,a,name".
func writeQGISText(l *rasterbase.Legend) ([]byte, error) {
	items, mode, err := itemsOf(l, ".txt")
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(items, byValue) // as QGIS looks them up
	var b bytes.Buffer
	b.WriteString("# QGIS Generated Color Map Export File\n")
	for _, m := range textModes {
		if m.mode == mode {
			b.WriteString("INTERPOLATION:" + m.name + "\n")
		}
	}
	upper := ends(items)
	for k, i := range items {
		if mode == rasterbase.Discrete {
			i.value = upper[k]
		}
		if i.name = strings.ReplaceAll(i.name, ",", ";"); i.name == "" { // QGIS cuts at every comma
			i.name = i.valueText() // and wants a name
		}
		writeColorLine(&b, i, ",")
	}
	return b.Bytes(), nil
}

// writeCSV writes the columns that [ReadFile] reads, those that say something.
func writeCSV(l *rasterbase.Legend) ([]byte, error) {
	rows := entryRows(l)
	if l.Gradient != nil {
		rows = gradientRows(l.Gradient)
	}
	var keep []int
	for i, name := range rows[0] {
		needed := name == "value" || name == "expression" || name == "stop" || name == "color" || name == "name" || name == "colormap"
		if needed || slices.ContainsFunc(rows[1:], func(row []string) bool { return row[i] != "" }) {
			keep = append(keep, i)
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		var cells []string
		for _, i := range keep {
			cells = append(cells, row[i])
		}
		if err := w.Write(cells); err != nil {
			return nil, fmt.Errorf("write the legend as CSV: %w", err)
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

func entryRows(l *rasterbase.Legend) [][]string {
	entries := Order(l).Entries
	first := "value"
	if slices.ContainsFunc(entries, func(e rasterbase.Entry) bool { _, err := parseNumber(e.Expression); return err != nil }) {
		first = "expression"
	}
	rows := [][]string{{first, "color", "name", "code", "description", "keyword"}}
	for _, e := range entries {
		s := e.Semantics
		rows = append(rows, []string{strings.TrimSpace(e.Expression), e.Color.String(), s.Name, e.Code, s.Description, s.Keyword})
	}
	return rows
}

func gradientRows(g *rasterbase.Gradient) [][]string {
	mode, low, high := string(g.Interpolation), "", ""
	if mode == "" {
		mode = string(rasterbase.Linear)
	}
	if relative(g) {
		low, high = endText(g.Min), endText(g.Max)
	}
	if g.Colormap != "" {
		return [][]string{{"colormap", "min", "max", "interpolation"}, {g.Colormap, low, high, mode}}
	}
	rows := [][]string{{"stop", "color", "name", "interpolation", "min", "max"}}
	for _, s := range g.Stops {
		i := colorItem{value: s.At, percent: g.Relative}
		rows = append(rows, []string{i.valueText(), s.Color.String(), s.Name, mode, low, high})
		mode, low, high = "", "", "" // stand for all
	}
	return rows
}

func endText(v *float64) string {
	if v == nil {
		return ""
	}
	return formatNumber(*v)
}
