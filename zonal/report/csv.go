package report

import (
	"encoding/csv"
	"io"
	"strconv"
)

// CSV writes documents as a table: a row for each count, with the statistics that were
// asked for, of the whole zone, in each of them. Where nothing is grouped, or nothing was counted, there is
// one row for each band.
type CSV struct {
	w      *csv.Writer
	counts bool
	stats  []string
}

// NewCSV begins a table of counts, of the statistics named, or of both.
func NewCSV(w io.Writer, counts bool, statistics []string) (*CSV, error) {
	t := &CSV{csv.NewWriter(w), counts, statistics}
	header := []string{"zone", "layer", "revision", "source_checksum", "band", "valid", "nodata", "outside"}
	prefix := ""
	if counts {
		header, prefix = append(header, "value", "name", "min", "max", "count", "share", "area"), "zone_"
	}
	for _, name := range statistics {
		header = append(header, prefix+name)
	}
	return t, t.w.Write(header)
}

// Write writes a document of a zone.
func (t *CSV) Write(zone string, d *Document) error {
	subject, revision, checksum := d.Subject()
	first := []string{
		Cell(zone), Cell(subject), revision, checksum, strconv.Itoa(d.Band),
		number(&d.Pixels.Valid), number(&d.Pixels.Nodata), number(d.Pixels.Outside),
	}
	var last []string
	for _, name := range t.stats {
		cell := ""
		switch v := d.Statistics[name].(type) {
		case float64:
			cell = number(&v)
		case int64:
			cell = strconv.FormatInt(v, 10)
		}
		last = append(last, cell)
	}
	if !t.counts {
		return t.w.Write(append(first, last...))
	}
	counts := d.Counts
	if len(counts) == 0 { // a zone that holds nothing has a row all the same
		counts = []Count{{}}
	}
	for _, c := range counts {
		name := ""
		if c.Name != nil {
			name = Cell(*c.Name)
		}
		row := append(first[:len(first):len(first)], number(c.Value), name, number(c.Min), number(c.Max), number(&c.Count), number(&c.Share), number(c.Area))
		if err := t.w.Write(append(row, last...)); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes what is held back.
func (t *CSV) Flush() error {
	t.w.Flush()
	return t.w.Error()
}

// PairsCSV writes tables of pairs: a row for each pair of values that there is, and at
// its end the pixels of the zone, and where the numbers come from.
type PairsCSV struct{ w *csv.Writer }

// NewPairsCSV begins a table; row and column name the columns of the values.
func NewPairsCSV(w io.Writer, row, column string) (*PairsCSV, error) {
	t := &PairsCSV{csv.NewWriter(w)}
	header := []string{"zone", row, column, "count", "area", "valid", "nodata", "outside"}
	for _, name := range []string{row, column} {
		header = append(header, name+"_layer", name+"_revision", name+"_source_checksum")
	}
	return t, t.w.Write(header)
}

// Write writes the pairs of a zone.
func (t *PairsCSV) Write(zone string, table *Table) error {
	last := []string{number(&table.Pixels.Valid), number(&table.Pixels.Nodata), number(table.Pixels.Outside)}
	for i := range 2 {
		var l Layer
		if i < len(table.Layers) {
			l = table.Layers[i]
		}
		last = append(last, Cell(l.Slug), l.revision(), l.Checksum)
	}
	for i, row := range table.Rows {
		for k, column := range table.Columns {
			if table.Counts[i][k] == 0 {
				continue
			}
			area := ""
			if table.Areas != nil {
				area = number(&table.Areas[i][k])
			}
			first := []string{Cell(zone), number(&row), number(&column), number(&table.Counts[i][k]), area}
			if err := t.w.Write(append(first, last...)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush writes what is held back.
func (t *PairsCSV) Flush() error {
	t.w.Flush()
	return t.w.Error()
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// Cell is a text as a cell of a table: spreadsheets do not take it for a formula.
func Cell(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return "'" + s
		}
	}
	return s
}
