package server

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
)

// table is rows with places.
type table struct {
	header []string // nil: there is none
	rows   [][]string
	value  int // the column that values are written to: after all others, or one of that name
	comma  rune
}

// maxColumns is how many columns a table has at most.
const maxColumns = 1000

// readPointsCSV reads rows with columns x and y, or lon and lat. A first row of
// numbers is no header: its first two columns are coordinates then.
func readPointsCSV(text string, most int) (*askedPoints, error) {
	t := &table{comma: separatorOf(text)}
	in := csv.NewReader(strings.NewReader(text))
	in.Comma = t.comma
	row, err := in.Read()
	if err != nil {
		return nil, badTable(err)
	}
	if len(row) > maxColumns {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the rows have %d columns", len(row)).WithHint("at most %d", maxColumns)
	}
	p := &askedPoints{body: t, srid: 3857}
	x, y := 0, 1
	t.value = len(row)
	if _, number := finiteNumber(strings.TrimSpace(row[0])); number && len(row) >= 2 {
		if err := t.add(p, row, x, y, in); err != nil {
			return nil, err
		}
	} else {
		t.header = row
		if x, y, p.srid = coordinateColumns(row); x < 0 {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "there are no columns x and y, or lon and lat, but %s", cut(strings.Join(row, ", "), 100)).
				WithHint("name the columns of the coordinates so in the first line, or leave it out and put the two first")
		}
		if at := slices.Index(row, "value"); at >= 0 {
			t.value = at
		}
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return nil, badTable(err)
		}
		if len(p.places) == most {
			return nil, tooManyPoints(most)
		}
		if err := t.add(p, row, x, y, in); err != nil {
			return nil, err
		}
	}
}

// separatorOf is what stands between the columns of the first line: a comma, or else a
// semicolon or a tab, which spreadsheets write as well.
func separatorOf(text string) rune {
	line, _, _ := strings.Cut(text, "\n")
	for _, c := range ",;\t" {
		if strings.ContainsRune(line, c) {
			return c
		}
	}
	return ','
}

// coordinateColumns finds the columns of the coordinates by their names, and the srid
// that these tell; x is -1 when there are none.
func coordinateColumns(header []string) (x, y, srid int) {
	for _, c := range []struct {
		x, y []string
		srid int
	}{
		{[]string{"x", "easting"}, []string{"y", "northing"}, 3857},
		{[]string{"lon", "lng", "long", "longitude"}, []string{"lat", "latitude"}, 4326},
	} {
		at := func(names []string) int {
			return slices.IndexFunc(header, func(h string) bool { return slices.Contains(names, strings.ToLower(strings.TrimSpace(h))) })
		}
		if x, y := at(c.x), at(c.y); x >= 0 && y >= 0 {
			return x, y, c.srid
		}
	}
	return -1, -1, 0
}

// add reads a row. One with empty coordinates has no place.
func (t *table) add(p *askedPoints, row []string, x, y int, in *csv.Reader) error {
	place := nowhere
	xText, yText := strings.TrimSpace(row[x]), strings.TrimSpace(row[y])
	if xText != "" || yText != "" {
		for i, text := range []string{xText, yText} {
			v, ok := finiteNumber(text)
			if !ok {
				line, _ := in.FieldPos([]int{x, y}[i])
				return rasterbase.Errorf(rasterbase.Invalid, "line %d: %.40q is no coordinate", line, text).
					WithHint("a number with a point: 7.5, -1200000, 1.2e6; both empty for a row without a place")
			}
			if i == 0 {
				place.X = v
			} else {
				place.Y = v
			}
		}
	}
	p.places = append(p.places, place)
	t.rows = append(t.rows, row)
	return nil
}

func badTable(err error) error {
	return rasterbase.Errorf(rasterbase.Invalid, "the rows cannot be read: %w", err).WithHint("%s", pointsForms)
}

func (t *table) media() string { return "application/json" }

func (t *table) writeJSON(out *outgoing, a *answeredPoints) error { return writePoints(out, a) }

// writeCSV writes the rows as they came, with the value in a column after them, or in
// the one that is called so. Cells are not changed, also those that a spreadsheet
// would compute.
func (t *table) writeCSV(out *outgoing, a *answeredPoints) error {
	w := csv.NewWriter(out)
	w.Comma = t.comma
	if t.header != nil {
		if err := w.Write(t.with(t.header, "value")); err != nil {
			return err
		}
	}
	for i, row := range t.rows {
		text := ""
		if v := a.valueOf(a.pixels[i]); v != nil {
			text = formatNumber(*v)
		}
		if err := w.Write(t.with(row, text)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// with gives a row with a text in the column of values.
func (t *table) with(row []string, text string) []string {
	row = append(slices.Clip(row), "")[:max(len(row), t.value+1)]
	row[t.value] = text
	return row
}

// writePlacesCSV writes rows of coordinates and values.
func writePlacesCSV(out *outgoing, places []crs.Point, a *answeredPoints) error {
	out.text("x,y,value\n")
	for i, p := range places {
		x, y, value := "", "", ""
		if p.X == p.X { // not NaN
			x, y = formatNumber(p.X), formatNumber(p.Y)
		}
		if v := a.valueOf(a.pixels[i]); v != nil {
			value = formatNumber(*v)
		}
		out.text(x + "," + y + "," + value + "\n")
	}
	return nil
}
