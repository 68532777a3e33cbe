package server

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
)

// table is rows with places. They are read twice, for their places and when they are
// written, since what they are split into takes many times the memory of the text.
type table struct {
	text   []byte
	comma  byte
	header bool // the first row is one
	value  int  // the column that values are written to: after all others, or one of that name
}

const (
	// maxColumns is how many columns a table has at most.
	maxColumns = 1000
	// maxRow is how long a row is at most, in bytes.
	maxRow = 1 << 20
)

// rows begins to read the rows. A row that it gives is good until the next.
func (t *table) rows() *csv.Reader {
	in := csv.NewReader(&boundedRows{from: bytes.NewReader(t.text), comma: t.comma, line: 1})
	in.Comma = rune(t.comma)
	in.ReuseRecord = true
	return in
}

// boundedRows reads rows and ends before one that is too long, or would be split into
// too many columns.
type boundedRows struct {
	from    io.Reader
	comma   byte
	line    int
	quoted  bool // in quotation marks, where lines and columns do not end
	columns int  // that have ended in this row
	length  int  // of this row
}

func (b *boundedRows) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	for i, c := range p[:n] {
		b.length++
		if c == '\n' {
			b.line++
		}
		switch {
		case c == '"': // one that is written twice ends the text and begins it
			b.quoted = !b.quoted
		case b.quoted:
		case c == '\n':
			b.columns, b.length = 0, 0
		case c == b.comma:
			b.columns++
		}
		switch {
		case b.columns >= maxColumns:
			return i, rasterbase.Errorf(rasterbase.Invalid, "line %d: the row has more than %d columns", b.line, maxColumns).
				WithHint("send the columns of the coordinates, and what names the rows")
		case b.length > maxRow:
			return i, rasterbase.Errorf(rasterbase.Invalid, "line %d: the row is longer than %d bytes", b.line, maxRow).
				WithHint("look for a quotation mark that does not end, or send fewer columns")
		}
	}
	return n, err
}

// readPointsCSV reads rows with columns x and y, or lon and lat. A first row of
// numbers is no header: its first two columns are coordinates then.
func readPointsCSV(text []byte, most int) (*askedPoints, error) {
	t := &table{text: text, comma: separatorOf(text)}
	in := t.rows()
	row, err := in.Read()
	if err != nil {
		return nil, badTable(err)
	}
	p := &askedPoints{body: t, srid: 3857}
	x, y := 0, 1
	t.value = len(row)
	if _, number := finiteNumber(strings.TrimSpace(row[0])); number && len(row) >= 2 {
		if err := p.addRow(row, x, y, in); err != nil {
			return nil, err
		}
	} else {
		t.header = true
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
		if err := p.addRow(row, x, y, in); err != nil {
			return nil, err
		}
	}
}

// separatorOf is what stands between the columns of the first line: a comma, or else a
// semicolon or a tab, which spreadsheets write as well.
func separatorOf(text []byte) byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	for _, c := range []byte(",;\t") {
		if bytes.IndexByte(line, c) >= 0 {
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

// addRow adds the place of a row. One with empty coordinates has none.
func (p *askedPoints) addRow(row []string, x, y int, in *csv.Reader) error {
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
	return nil
}

func badTable(err error) error {
	if _, told := asError(err); told {
		return err
	}
	return rasterbase.Errorf(rasterbase.Invalid, "the rows cannot be read: %w", err).WithHint("%s", pointsForms)
}

func (t *table) media() string { return "application/json" }

func (t *table) writeJSON(out *outgoing, a *answeredPoints) error { return writePoints(out, a) }

// writeCSV writes the rows as they came, with the value in a column after them, or in
// the one that is called so. Cells are not changed, also those that a spreadsheet
// would compute.
func (t *table) writeCSV(out *outgoing, a *answeredPoints) error {
	w := csv.NewWriter(out)
	w.Comma = rune(t.comma)
	in := t.rows()
	if t.header {
		row, err := in.Read()
		if err != nil {
			return err
		}
		if err := w.Write(t.with(row, "value")); err != nil {
			return err
		}
	}
	for _, pixel := range a.pixels {
		row, err := in.Read()
		if err != nil {
			return err
		}
		text := ""
		if v := a.valueOf(pixel); v != nil {
			text = formatNumber(*v)
		}
		if err := w.Write(t.with(row, text)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// with puts a text into a row's column of values.
func (t *table) with(row []string, text string) []string {
	if t.value == len(row) {
		return append(row, text)
	}
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
