package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table prints columns of text.
type table struct{ w *tabwriter.Writer }

// newTable starts a table; empty headings print no heading line.
func newTable(w io.Writer, headings ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	if strings.Join(headings, "") != "" {
		t.row(headings...)
	}
	return t
}

// row prints a line; a cell that could disturb the table is quoted.
func (t table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = visible(c)
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t table) flush() { t.w.Flush() }

// humanBytes is a size as people read it.
func humanBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1024, 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
