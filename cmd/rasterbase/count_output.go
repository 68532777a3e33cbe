package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/vector"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// zonesOutput puts the answers of each zone together and gives them on. A file is
// written beside its place, and takes it when it is whole.
type zonesOutput struct {
	r      *counting
	crs    rasterbase.CRS
	file   *os.File // beside the place; nil: standard output
	w      *bufio.Writer
	doc    *zoneDoc
	number int // answers of doc so far
	each   func(*zoneDoc) error
	finish func(context.Context) error
	kept   []*zoneDoc // of forms that are written at the end
}

func (r *counting) output(_ context.Context, crs rasterbase.CRS) (countOutput, error) {
	o := &zonesOutput{r: r, crs: crs, w: bufio.NewWriter(r.app.stdout)}
	if r.cmd.SRID != nil {
		o.crs = rasterbase.CRS{SRID: int(*r.cmd.SRID)}
	}
	if r.cmd.Output != "" {
		f, err := os.CreateTemp(filepath.Dir(r.cmd.Output), ".rasterbase-*"+r.cmd.format())
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", r.cmd.Output, err)
		}
		o.file, o.w = f, bufio.NewWriter(f)
	}
	keep := func(d *zoneDoc) error { o.kept = append(o.kept, d); return nil }
	nothing := func(context.Context) error { return nil }
	switch {
	case r.cmd.JSON || r.cmd.format() == ".json":
		o.each, o.finish = keep, o.writeJSON
	case r.cmd.format() == ".ndjson":
		enc := json.NewEncoder(o.w)
		enc.SetEscapeHTML(false)
		o.each, o.finish = func(d *zoneDoc) error { return enc.Encode(d) }, nothing
	case r.cmd.format() == ".gpkg":
		o.each, o.finish = keep, o.writeGeoPackage
	case r.cmd.Wide:
		o.each, o.finish = keep, o.writeWide
	case r.cmd.format() == ".csv":
		each, finish, err := o.longCSV()
		if err != nil {
			return nil, err
		}
		o.each, o.finish = each, finish
	default:
		o.each, o.finish = keep, o.writeTable
	}
	return o, nil
}

func (o *zonesOutput) write(_ context.Context, a *countAnswer) error {
	if o.doc == nil {
		o.doc = &zoneDoc{}
	}
	o.r.add(o.doc, a)
	if o.number++; o.number < len(o.r.all) {
		return nil
	}
	d := o.doc
	o.doc, o.number = nil, 0
	return o.each(d)
}

func (o *zonesOutput) end(ctx context.Context) error {
	if err := o.finish(ctx); err != nil {
		return err
	}
	if err := o.w.Flush(); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	if o.file == nil {
		return nil
	}
	name := o.file.Name()
	err := o.file.Close()
	if err == nil {
		err = os.Chmod(name, 0o644)
	}
	if err == nil {
		err = os.Rename(name, o.r.cmd.Output)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", o.r.cmd.Output, err)
	}
	o.file = nil
	fmt.Fprintf(o.r.app.stderr, "wrote %s\n", o.r.cmd.Output)
	return nil
}

func (o *zonesOutput) drop() {
	if o.file != nil {
		_ = o.file.Close()
		_ = os.Remove(o.file.Name())
		o.file = nil
	}
}

// writeJSON writes one document: of the zones, or of the only answer.
func (o *zonesOutput) writeJSON(context.Context) error {
	var doc any = map[string]any{"zones": o.kept}
	if len(o.kept) == 1 && o.kept[0].zone == nil {
		switch one := o.kept[0]; {
		case one.Table != nil:
			doc = one.Table
		case len(one.Counts) == 1:
			doc = one.Counts[0]
		default:
			doc = one
		}
	}
	if o.kept == nil {
		doc = map[string]any{"zones": []any{}}
	}
	enc := json.NewEncoder(o.w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

// longCSV writes a row for each count, or for each zone and band of statistics alone.
func (o *zonesOutput) longCSV() (each func(*zoneDoc) error, finish func(context.Context) error, err error) {
	if o.r.cmd.Crosstab {
		w := csv.NewWriter(o.w)
		err := w.Write([]string{"zone", "row", "column", "count", "area"})
		return func(d *zoneDoc) error { return pairRows(w, d) }, func(context.Context) error { w.Flush(); return w.Error() }, err
	}
	var columns []string
	if o.r.cmd.Group == "none" {
		columns = o.r.statColumns()
	}
	t, err := report.NewCSV(o.w, columns)
	return func(d *zoneDoc) error {
		for _, doc := range d.Counts {
			if err := t.Write(d.name(), doc); err != nil {
				return err
			}
		}
		return nil
	}, func(context.Context) error { return t.Flush() }, err
}

func pairRows(w *csv.Writer, d *zoneDoc) error {
	for i, row := range d.Table.Rows {
		for k, column := range d.Table.Columns {
			area := ""
			if d.Table.Areas != nil {
				area = decimal(d.Table.Areas[i][k])
			}
			if err := w.Write([]string{d.name(), decimal(row), decimal(column), decimal(d.Table.Counts[i][k]), area}); err != nil {
				return err
			}
		}
	}
	return nil
}

// columns are those of all zones, in the order in which they come first.
func (o *zonesOutput) columns() (names []string, places map[string]int) {
	places = map[string]int{}
	for _, d := range o.kept {
		for _, c := range o.r.cells(d) {
			if _, ok := places[c.column]; !ok {
				places[c.column] = len(names)
				names = append(names, c.column)
			}
		}
	}
	return names, places
}

// numbersOf are the numbers of a zone in the columns: 0 for a count that it has not.
func (o *zonesOutput) numbersOf(d *zoneDoc, places map[string]int) []any {
	out := make([]any, len(places))
	for i := range out {
		out[i] = 0.0
	}
	for _, c := range o.r.cells(d) {
		out[places[c.column]] = c.value
	}
	return out
}

func text(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// writeWide writes a row for each zone.
func (o *zonesOutput) writeWide(context.Context) error {
	names, places := o.columns()
	w := csv.NewWriter(o.w)
	var t table
	printed := o.file == nil
	heading := append([]string{"zone"}, names...)
	if printed {
		t = newTable(o.w, heading...)
	} else if err := w.Write(heading); err != nil {
		return err
	}
	for _, d := range o.kept {
		row := []string{d.name()}
		for _, v := range o.numbersOf(d, places) {
			row = append(row, text(v))
		}
		if printed {
			t.row(row...)
		} else if err := w.Write(row); err != nil {
			return err
		}
	}
	if printed {
		t.flush()
		return nil
	}
	w.Flush()
	return w.Error()
}

// writeTable prints what people read.
func (o *zonesOutput) writeTable(ctx context.Context) error {
	if o.r.cmd.Group == "none" || o.r.cmd.Crosstab {
		return o.writeWide(ctx)
	}
	heading := []string{"VALUE", "COUNT", "SHARE"}
	if o.r.query.Area != "" {
		heading = append(heading, string(o.r.query.Area))
	}
	several, zoned := len(o.r.all) > 1, o.r.cmd.Zones != ""
	if several {
		heading = append([]string{"LAYER"}, heading...)
	}
	if zoned {
		heading = append([]string{"ZONE"}, heading...)
	}
	t := newTable(o.w, heading...)
	for _, d := range o.kept {
		for _, doc := range d.Counts {
			for _, c := range doc.Counts {
				row := []string{labelOf(c), text(c.Count), strconv.FormatFloat(100*c.Share, 'f', 2, 64) + " %"}
				if c.Area != nil {
					row = append(row, strconv.FormatFloat(*c.Area, 'f', 2, 64))
				}
				if several {
					name := doc.Formula
					if name == "" {
						name = doc.Layers[0].Slug
					}
					row = append([]string{name}, row...)
				}
				if zoned {
					row = append([]string{d.name()}, row...)
				}
				t.row(row...)
			}
		}
	}
	t.flush()
	if len(o.r.statColumns()) > 0 {
		fmt.Fprintln(o.w)
		for _, d := range o.kept {
			for _, doc := range d.Counts {
				for _, name := range o.r.statColumns() {
					v := doc.Statistics[name]
					fmt.Fprintf(o.w, "%s %s\n", visible(name), text(v))
				}
			}
		}
	}
	return nil
}

// writeGeoPackage writes the zones with their fields and a column for each number.
func (o *zonesOutput) writeGeoPackage(ctx context.Context) error {
	names, places := o.columns()
	layer := gdal.VectorLayer{Name: "counts", CRS: o.crs}
	if len(o.kept) > 0 && o.kept[0].zone != nil {
		layer.Fields = append(layer.Fields, o.kept[0].zone.fields...)
	}
	own := len(layer.Fields)
	for _, name := range names {
		layer.Fields = append(layer.Fields, vector.Field{Name: name, Type: vector.Real})
	}
	path := o.file.Name()
	if err := os.Remove(path); err != nil { // GDAL makes it anew
		return err
	}
	w, err := gdal.CreateGeoPackage(ctx, path, layer)
	if err != nil {
		return err
	}
	for _, d := range o.kept {
		f := vector.Feature{FID: -1, Values: make([]any, len(layer.Fields)), WKB: d.zone.wkb}
		copy(f.Values, d.zone.values[:min(own, len(d.zone.values))])
		for i, v := range o.numbersOf(d, places) {
			if n, whole := v.(int64); whole {
				v = float64(n)
			}
			f.Values[own+i] = v
		}
		if err := w.Write(ctx, []vector.Feature{f}); err != nil {
			_ = w.Close() // the first error counts
			return err
		}
	}
	return w.Close()
}
