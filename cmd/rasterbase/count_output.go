package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// zonesOutput puts the answers of each zone together and gives them on. A file is
// written beside its place, and takes it when it is whole.
type zonesOutput struct {
	r      *counting
	file   *os.File // beside the place; nil: standard output
	w      *bufio.Writer
	doc    *zoneDoc
	number int // answers of doc so far
	each   func(*zoneDoc) error
	finish func(context.Context) error
	kept   []*zoneDoc // of documents and tables that are written at the end
	wide   *wideTable // a row for each zone; nil: another form
}

func (r *counting) output(zones zoneFile) (countOutput, error) {
	o := &zonesOutput{r: r, w: bufio.NewWriter(r.app.stdout)}
	if r.cmd.Output != "" {
		f, err := os.CreateTemp(filepath.Dir(r.cmd.Output), ".rasterbase-*"+r.cmd.format())
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", r.cmd.Output, err)
		}
		o.file, o.w = f, bufio.NewWriter(f)
	}
	if err := o.choose(zones); err != nil {
		o.drop()
		return nil, err
	}
	return o, nil
}

// choose finds the form of the output.
func (o *zonesOutput) choose(zones zoneFile) (err error) {
	c := o.r.cmd
	keep := func(d *zoneDoc) error { o.kept = append(o.kept, d); return nil }
	switch {
	case c.JSON || c.format() == ".json":
		o.each, o.finish = keep, o.writeJSON
	case c.format() == ".ndjson":
		enc := json.NewEncoder(o.w)
		enc.SetEscapeHTML(false)
		o.each, o.finish = func(d *zoneDoc) error { return enc.Encode(d) }, func(context.Context) error { return nil }
	case c.format() == ".csv" && !c.Wide:
		o.each, o.finish, err = o.longCSV()
	case c.format() == "" && !c.Wide && c.Group != "none" && !c.Crosstab:
		o.each, o.finish = keep, o.writeTable
	default:
		if o.wide, err = newWideTable(o.r); err != nil {
			return err
		}
		o.each = o.wide.add
		o.finish = func(ctx context.Context) error {
			switch c.format() {
			case ".gpkg":
				crs := zones.crs()
				if c.SRID != nil {
					crs = rasterbase.CRS{SRID: int(*c.SRID)}
				}
				return o.wide.writeGeoPackage(ctx, o.file.Name(), zones.fields(), crs)
			case ".csv":
				return o.wide.writeCSV(o)
			}
			return o.wide.writeTable(o)
		}
	}
	return err
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
	if o.wide != nil {
		o.wide.rows.drop()
		o.wide = nil
	}
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
		t, err := report.NewPairsCSV(o.w, "row", "column")
		return func(d *zoneDoc) error { return t.Write(d.name(), d.Table) }, func(context.Context) error { return t.Flush() }, err
	}
	t, err := report.NewCSV(o.w, o.r.cmd.Group != "none", o.r.statColumns())
	return func(d *zoneDoc) error {
		for _, doc := range d.Counts {
			if err := t.Write(d.name(), doc); err != nil {
				return err
			}
		}
		return nil
	}, func(context.Context) error { return t.Flush() }, err
}

// writeTable prints what people read: the counts, and below them the statistics that
// were asked for.
func (o *zonesOutput) writeTable(context.Context) error {
	heading := []string{"VALUE", "COUNT", "SHARE"}
	if o.r.query.Area != "" {
		heading = append(heading, string(o.r.query.Area))
	}
	t := newTable(o.w, o.named(heading, "ZONE", "LAYER")...)
	o.eachDocument(func(zone, layer string, doc *report.Document) {
		for _, c := range doc.Counts {
			row := []string{labelOf(c), text(c.Count), strconv.FormatFloat(100*c.Share, 'f', 2, 64) + " %"}
			if c.Area != nil {
				row = append(row, strconv.FormatFloat(*c.Area, 'f', 2, 64))
			}
			t.row(o.named(row, zone, layer)...)
		}
	})
	t.flush()
	columns := o.r.statColumns()
	if len(columns) == 0 {
		return nil
	}
	fmt.Fprintln(o.w)
	t = newTable(o.w, o.named(columns, "ZONE", "LAYER")...)
	o.eachDocument(func(zone, layer string, doc *report.Document) {
		row := make([]string, len(columns))
		for i, name := range columns {
			row[i] = text(doc.Statistics[name])
		}
		t.row(o.named(row, zone, layer)...)
	})
	t.flush()
	return nil
}

// named puts the zone and the layer before a row, where there are several.
func (o *zonesOutput) named(row []string, zone, layer string) []string {
	var out []string
	if o.r.cmd.Zones != "" {
		out = append(out, zone)
	}
	if len(o.r.all) > 1 {
		out = append(out, layer)
	}
	return append(out, row...)
}

func (o *zonesOutput) eachDocument(f func(zone, layer string, doc *report.Document)) {
	for _, d := range o.kept {
		for _, doc := range d.Counts {
			layer, _, _ := doc.Subject()
			f(d.name(), layer, doc)
		}
	}
}
