package legend

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase"
)

// csvColumns are the places of the columns, -1 for those that are not there.
type csvColumns struct {
	value, expression, color, name, code, description, keyword int
	stop, interpolation, low, high, colormap                   int   // of a gradient
	parts                                                      []int // of r, g, b, a
}

func findColumns(header []string) (csvColumns, error) {
	at := func(names ...string) int {
		return slices.IndexFunc(header, func(h string) bool {
			return slices.Contains(names, strings.ToLower(strings.TrimSpace(h)))
		})
	}
	c := csvColumns{
		value: at("value"), expression: at("expression"), color: at("color", "colour"),
		name: at("name", "label", "class"), code: at("code"), description: at("description"), keyword: at("keyword"),
		stop: at("stop"), interpolation: at("interpolation"), low: at("min"), high: at("max"), colormap: at("colormap"),
	}
	for _, p := range []int{at("r", "red"), at("g", "green"), at("b", "blue"), at("a", "alpha")} {
		if p >= 0 {
			c.parts = append(c.parts, p)
		}
	}
	colored := c.color >= 0 || at("r", "red") >= 0 && at("g", "green") >= 0 && at("b", "blue") >= 0
	if c.colormap < 0 && (max(c.value, c.expression, c.stop) < 0 || !colored) {
		return c, rasterbase.Errorf(rasterbase.Invalid, "the header lacks columns").
			WithHint("value, expression or stop, and color or r, g and b, are needed")
	}
	return c, nil
}

// findNames finds the column of the names where none is called so: one whose
// title ends with "name", as EVT_NAME does, or else the first one of text.
func (c *csvColumns) findNames(table [][]string) {
	if c.name >= 0 {
		return
	}
	taken := append([]int{
		c.value, c.expression, c.color, c.code, c.description, c.keyword, c.stop, c.interpolation, c.low, c.high, c.colormap,
	}, c.parts...)
	for i, title := range table[0] {
		if slices.Contains(taken, i) {
			continue
		}
		if strings.HasSuffix(strings.ToLower(strings.TrimSpace(title)), "name") {
			c.name = i
			return
		}
		if c.name < 0 && isText(table[1:], i) {
			c.name = i
		}
	}
}

// isText is true for a column in which a cell is neither a number nor #RRGGBB.
func isText(rows [][]string, column int) bool {
	return slices.ContainsFunc(rows, func(cells []string) bool {
		s := strings.TrimSpace(cells[column])
		_, err := parseNumber(s)
		return s != "" && s[0] != '#' && err != nil
	})
}

// csvRow is a row with the places of its columns.
type csvRow struct {
	csvColumns
	cells []string
}

func (r csvRow) cell(i int) string {
	if i < 0 {
		return ""
	}
	return strings.TrimSpace(r.cells[i])
}

// readCSV reads a table with a header, separated by commas or semicolons.
func readCSV(b []byte, o ReadOptions) (*rasterbase.Legend, error) {
	if !utf8.Valid(b) {
		return nil, notUTF8()
	}
	r := csv.NewReader(bytes.NewReader(b))
	first, _, _ := bytes.Cut(b, []byte("\n"))
	if bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		r.Comma = ';'
	}
	r.TrimLeadingSpace = true
	table, err := r.ReadAll()
	if err != nil || len(table) == 0 {
		return &rasterbase.Legend{}, err
	}
	columns, err := findColumns(table[0])
	if err != nil {
		return nil, err
	}
	columns.findNames(table)
	rows := make([]csvRow, len(table)-1)
	for i, cells := range table[1:] {
		rows[i] = csvRow{columns, cells}
	}
	switch onlyValues := columns.expression < 0 && columns.stop < 0; {
	case columns.colormap >= 0:
		return csvColormap(rows)
	case columns.stop >= 0, onlyValues && (o.Interpolation == rasterbase.Linear || o.Interpolation == rasterbase.Discrete):
		return csvGradient(rows, o)
	}
	l := &rasterbase.Legend{}
	for i, row := range rows {
		e, err := row.entry()
		if err != nil {
			return nil, inRow(i, err)
		}
		l.Entries = append(l.Entries, e)
	}
	return l, nil
}

// inRow names the row of a mistake as a table program counts it.
func inRow(i int, err error) error {
	return rasterbase.Errorf(rasterbase.CodeOf(err), "row %d: %w", i+2, err)
}

func (r csvRow) entry() (rasterbase.Entry, error) {
	e := rasterbase.Entry{Expression: r.cell(r.expression), Code: r.cell(r.code)}
	if r.expression < 0 {
		v, err := parseNumber(r.cell(r.value))
		if err != nil {
			return e, invalid(err)
		}
		e.Expression = formatNumber(v)
	}
	e.Semantics = rasterbase.Semantics{Name: r.cell(r.name), Description: r.cell(r.description), Keyword: r.cell(r.keyword)}
	if e.Semantics.Name == "" {
		e.Semantics.Name = e.Expression
	}
	var err error
	e.Color, err = r.colorCell()
	return e, err
}

// invalid gives an error a code.
func invalid(err error) error { return rasterbase.Errorf(rasterbase.Invalid, "%w", err) }

func (r csvRow) colorCell() (rasterbase.Color, error) {
	if r.color >= 0 {
		return ParseColor(r.cell(r.color))
	}
	parts := make([]string, len(r.parts))
	for i, p := range r.parts {
		parts[i] = r.cell(p)
	}
	if len(parts) == 4 && parts[3] == "" {
		parts = parts[:3] // opaque
	}
	return colorOf(parts)
}

// csvGradient reads a stop of each row. What holds for the gradient as a whole
// stands in its first row, or the same in several.
func csvGradient(rows []csvRow, o ReadOptions) (*rasterbase.Legend, error) {
	var items []colorItem
	for i, row := range rows {
		column := row.stop
		if column < 0 {
			column = row.value
		}
		item, err := parseValue(row.cell(column))
		if err == nil {
			item.color, err = row.colorCell()
		}
		if err != nil {
			return nil, inRow(i, err)
		}
		item.name = row.cell(row.name)
		items = append(items, item)
	}
	g, err := csvWhole(rows)
	if err != nil || len(items) == 0 {
		return &rasterbase.Legend{}, err
	}
	mode := g.Interpolation
	if mode == "" {
		mode = o.Interpolation
	}
	if rows[0].stop < 0 {
		return newLegend(items, mode)
	}
	if mode == "" {
		mode = rasterbase.Linear
	}
	if _, err := newLegend(items, mode); err != nil { // checks them
		return nil, err
	}
	stops := newGradient(items, mode)
	stops.Min, stops.Max = g.Min, g.Max
	if !stops.Relative && (g.Min != nil || g.Max != nil) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "min and max have no meaning for stops that are not in percent")
	}
	return &rasterbase.Legend{Gradient: stops}, nil
}

// csvWhole reads the cells interpolation, min, max and colormap.
func csvWhole(rows []csvRow) (*rasterbase.Gradient, error) {
	g := &rasterbase.Gradient{}
	set := func(i int, to *string, s string) error {
		if s != "" && *to != "" && *to != s {
			return inRow(i, rasterbase.Errorf(rasterbase.Invalid, "%.40q stands where %.40q stood before", s, *to))
		}
		if s != "" {
			*to = s
		}
		return nil
	}
	var mode, low, high string
	for i, row := range rows {
		for _, c := range []struct {
			to   *string
			cell string
		}{
			{&mode, strings.ToLower(row.cell(row.interpolation))}, {&low, row.cell(row.low)},
			{&high, row.cell(row.high)}, {&g.Colormap, row.cell(row.colormap)},
		} {
			if err := set(i, c.to, c.cell); err != nil {
				return nil, err
			}
		}
	}
	g.Interpolation = rasterbase.Interpolation(mode)
	for _, end := range []struct {
		text string
		to   **float64
	}{{low, &g.Min}, {high, &g.Max}} {
		if end.text == "" {
			continue
		}
		v, err := parseNumber(end.text)
		if err != nil {
			return nil, err
		}
		*end.to = &v
	}
	return g, nil
}

// csvColormap reads a named colormap and its range.
func csvColormap(rows []csvRow) (*rasterbase.Legend, error) {
	g, err := csvWhole(rows)
	if err != nil || g.Colormap == "" {
		return &rasterbase.Legend{}, err
	}
	if g.Interpolation == "" {
		g.Interpolation = rasterbase.Linear
	}
	return &rasterbase.Legend{Gradient: g}, nil
}
