package report

import (
	"encoding/csv"
	"io"
	"strconv"
)

// CSV writes documents as a table: a row for each count, or, where nothing is grouped,
// for each band with its statistics.
type CSV struct {
	w     *csv.Writer
	stats []string // columns; nil: rows are counts
}

// NewCSV begins a table of counts, or of the statistics named.
func NewCSV(w io.Writer, statistics []string) (*CSV, error) {
	t := &CSV{w: csv.NewWriter(w), stats: statistics}
	header := []string{"zone", "layer", "revision", "source_checksum", "band"}
	if statistics != nil {
		header = append(header, statistics...)
	} else {
		header = append(header, "value", "name", "min", "max", "count", "share", "area")
	}
	return t, t.w.Write(header)
}

// Write writes a document of a zone.
func (t *CSV) Write(zone string, d *Document) error {
	layer, revision, checksum := d.Formula, "", ""
	if len(d.Layers) == 1 && d.Formula == "" {
		l := d.Layers[0]
		layer, checksum = l.Slug, l.Checksum
		if l.Revision != 0 {
			revision = strconv.FormatInt(int64(l.Revision), 10)
		}
	}
	first := []string{text(zone), text(layer), revision, checksum, strconv.Itoa(d.Band)}
	if t.stats != nil {
		for _, name := range t.stats {
			cell := ""
			switch v := d.Statistics[name].(type) {
			case float64:
				cell = number(&v)
			case int64:
				cell = strconv.FormatInt(v, 10)
			}
			first = append(first, cell)
		}
		return t.w.Write(first)
	}
	for _, c := range d.Counts {
		name := ""
		if c.Name != nil {
			name = text(*c.Name)
		}
		row := append(first[:5:5], number(c.Value), name, number(c.Min), number(c.Max), number(&c.Count), number(&c.Share), number(c.Area))
		if err := t.w.Write(row); err != nil {
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

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// text keeps spreadsheets from taking a name for a formula.
func text(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return "'" + s
		}
	}
	return s
}
