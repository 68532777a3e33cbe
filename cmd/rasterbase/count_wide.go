package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"os"
	"slices"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/vector"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// wideColumn is a column of a wide table.
type wideColumn struct {
	vector.Field
	at    int // of its cells in rows
	part  int // columns of a part, which is a layer or a band of it, stand together
	group columnGroup
	value float64 // that is counted, where one is; columns of counts are in its order
}

// columnGroup says what stands in a column. Those of a part are in this order.
type columnGroup int

const (
	pixelColumns columnGroup = iota
	countColumns             // a zone without a number has none of these pixels
	statisticColumns
)

// wideTable makes a row for each zone.
type wideTable struct {
	r       *counting
	rows    *rowSpool
	columns []wideColumn
	place   map[string]int
	row     *wideRow // that is being made
	// told says that where numbers come from, and the pixels that they leave out, are
	// columns too.
	told bool
}

func newWideTable(r *counting) (*wideTable, error) {
	rows, err := newRowSpool(r.conf.WorkDir)
	if err != nil {
		return nil, err
	}
	return &wideTable{r: r, rows: rows, place: map[string]int{}, told: r.cmd.Output != ""}, nil
}

// add adds a zone.
func (t *wideTable) add(d *zoneDoc) error {
	t.row = &wideRow{Name: d.name(), Cells: map[int]any{}}
	if d.zone != nil && t.r.cmd.format() == ".gpkg" {
		t.row.WKB, t.row.Own = d.zone.wkb, map[int]any{}
		for i, v := range d.zone.values {
			if v != nil {
				t.row.Own[i] = v
			}
		}
	}
	for k, doc := range d.Counts {
		t.document(k, t.r.prefix(d, doc), doc)
	}
	if d.Table != nil {
		t.pairs(d.Table)
	}
	return t.rows.add(t.row)
}

// prefix begins the names of columns where there are several layers or bands.
func (r *counting) prefix(d *zoneDoc, doc *report.Document) string {
	several := 0
	for _, t := range r.all {
		several += max(1, len(t.query.Bands))
	}
	if several <= 1 && len(d.Counts) <= 1 {
		return ""
	}
	name, _, _ := doc.Subject()
	if len(d.Counts) > len(r.all) {
		name += " b" + strconv.Itoa(doc.Band)
	}
	return name + " "
}

// provenance puts where the numbers come from, and the pixels that they leave out.
func (t *wideTable) provenance(part int, prefix string, layer report.Layer, pixels *report.Pixels) {
	put := func(name string, v any) {
		t.put(wideColumn{Field: vector.Field{Name: prefix + name}, part: part, group: pixelColumns}, v)
	}
	if layer.Slug != "" && (prefix == "" || t.r.cmd.Crosstab) {
		put("layer", layer.Slug)
	}
	if layer.Revision != 0 {
		put("revision", strconv.FormatInt(int64(layer.Revision), 10))
		put("source_checksum", layer.Checksum)
	}
	if pixels == nil {
		return
	}
	put("valid", pixels.Valid)
	put("nodata", pixels.Nodata)
	var outside any
	if pixels.Outside != nil {
		outside = *pixels.Outside
	}
	put("outside", outside)
}

func (t *wideTable) document(part int, prefix string, doc *report.Document) {
	put := func(group columnGroup, name string, value float64, v any) {
		t.put(wideColumn{Field: vector.Field{Name: prefix + name}, part: part, group: group, value: value}, v)
	}
	if t.told {
		of := report.Layer{Slug: doc.Formula}
		if doc.Formula == "" {
			of = doc.Layers[0]
		}
		t.provenance(part, prefix, of, &doc.Pixels)
	}
	for _, c := range doc.Counts {
		value := 0.0
		if c.Value != nil {
			value = *c.Value
		}
		put(countColumns, labelOf(c), value, c.Count)
		if c.Area != nil {
			put(countColumns, labelOf(c)+" "+doc.AreaUnit, value, *c.Area)
		}
	}
	for _, name := range t.r.statColumns() {
		put(statisticColumns, name, 0, doc.Statistics[name])
	}
}

func (t *wideTable) pairs(table *report.Table) {
	if t.told {
		for i, prefix := range []string{"row ", "column "} {
			t.provenance(0, prefix, table.Layers[i], nil)
		}
		t.provenance(0, "", report.Layer{}, &table.Pixels)
	}
	for i, row := range table.Rows {
		for k, column := range table.Columns {
			name := decimal(row) + " to " + decimal(column)
			t.put(wideColumn{Field: vector.Field{Name: name}, group: countColumns, value: row}, table.Counts[i][k])
		}
	}
}

// put puts a number or a text; nil: not known.
func (t *wideTable) put(c wideColumn, v any) {
	at, ok := t.place[c.Name]
	if !ok {
		c.at, c.Type = len(t.columns), vector.Real
		at = c.at
		t.place[c.Name] = at
		t.columns = append(t.columns, c)
	}
	if _, ok := v.(string); ok {
		t.columns[at].Type = vector.Text
	}
	if v != nil {
		t.row.Cells[at] = v
	}
}

// order puts the columns in their order, when all zones were counted.
func (t *wideTable) order() {
	slices.SortStableFunc(t.columns, func(a, b wideColumn) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.group, b.group), cmp.Compare(a.value, b.value))
	})
}

// cell is what a zone has in a column.
func (c *wideColumn) cell(row *wideRow) any {
	v, ok := row.Cells[c.at]
	if !ok && c.group == countColumns {
		return 0.0
	}
	return v
}

// each gives the rows as texts, and the heading before them.
func (t *wideTable) each(heading, row func(...string) error) error {
	texts := []string{"zone"}
	t.order()
	for _, c := range t.columns {
		texts = append(texts, report.Cell(c.Name))
	}
	if err := heading(texts...); err != nil {
		return err
	}
	return t.rows.each(func(r *wideRow) error {
		texts := []string{report.Cell(r.Name)}
		for i := range t.columns {
			texts = append(texts, text(t.columns[i].cell(r)))
		}
		return row(texts...)
	})
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return report.Cell(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// writeCSV writes a row for each zone.
func (t *wideTable) writeCSV(o *zonesOutput) error {
	w := csv.NewWriter(o.w)
	write := func(row ...string) error { return w.Write(row) }
	if err := t.each(write, write); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// writeTable prints a row for each zone.
func (t *wideTable) writeTable(o *zonesOutput) error {
	var printed table
	heading := func(row ...string) error { printed = newTable(o.w, row...); return nil }
	row := func(row ...string) error { printed.row(row...); return nil }
	if err := t.each(heading, row); err != nil {
		return err
	}
	printed.flush()
	return nil
}

// writeGeoPackage writes the zones with their own fields and a column for each number.
func (t *wideTable) writeGeoPackage(ctx context.Context, path string, own []vector.Field, crs rasterbase.CRS) error {
	if err := os.Remove(path); err != nil { // GDAL makes it anew
		return err
	}
	layer := gdal.VectorLayer{Name: "counts", CRS: crs, Fields: slices.Clone(own)}
	t.order()
	for _, c := range t.columns {
		layer.Fields = append(layer.Fields, c.Field)
	}
	w, err := gdal.CreateGeoPackage(ctx, path, layer)
	if err != nil {
		return err
	}
	err = t.rows.each(func(row *wideRow) error {
		f := vector.Feature{FID: -1, Values: make([]any, len(layer.Fields)), WKB: row.WKB}
		for i, v := range row.Own {
			if f.Values[i] = v; own[i].Type == vector.Text {
				f.Values[i] = textOf(v)
			}
		}
		for i := range t.columns {
			v := t.columns[i].cell(row)
			if n, whole := v.(int64); whole {
				v = float64(n)
			}
			f.Values[len(own)+i] = v
		}
		return w.Write(ctx, []vector.Feature{f})
	})
	if err != nil {
		_ = w.Close() // the first error counts
		return err
	}
	return w.Close()
}

// textOf is a value in a field of texts: a property of GeoJSON can be anything.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	return text(v)
}
