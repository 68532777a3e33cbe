package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/zonal"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// classify finds the classes of a legend, where pixels are counted by them.
func (r *counting) classify(ctx context.Context, t *countTarget) (err error) {
	t.classes, t.group = nil, ""
	if t.query.Group != zonal.ByClass {
		return nil
	}
	t.group = strings.ToLower(r.cmd.Group)
	var lg *rasterbase.Legend
	err = r.store.Catalog().View(ctx, func(tx store.Tx) (err error) {
		switch {
		case r.cmd.Legend != "":
			lg, err = store.FindLegend(ctx, tx, r.cmd.Legend)
		case t.source.layer != nil && t.source.formula == "" && t.source.layer.Legend != 0:
			lg, err = tx.Legends().Get(ctx, t.source.layer.Legend)
		}
		return err
	})
	if err != nil {
		return err
	}
	if lg == nil {
		return rasterbase.Errorf(rasterbase.Invalid, "%s has no legend to count by", t.name()).
			WithHint("--legend TITLE names one; --group value counts by value").WithField("legend")
	}
	by := report.ByLegend
	if t.group == "semantics" {
		by = report.BySemantics
	}
	band := 0
	if len(t.query.Bands) > 0 {
		band = t.query.Bands[0]
	}
	t.query.Classes, t.classes, err = by(lg, t.coverage.Describe().Bands[band].PixelType)
	return err
}

// subject is what is told of a target.
func (r *counting) subject(t *countTarget) *report.Subject {
	d := t.coverage.Describe()
	s := &report.Subject{
		Layers: t.reported(), Formula: t.source.formula, Datatype: d.Datatype, Bands: d.Bands, Placement: r.placement, Area: r.query.Area,
		Grouping: t.group, Classes: t.classes, Percentiles: r.query.Percentiles, Only: r.cmd.statList(),
	}
	if s.Only == nil {
		s.Only = []string{}
	}
	return s
}

// reported are the layers that are read, with the revisions of them that are.
func (t *countTarget) reported() (out []report.Layer) {
	read := map[rasterbase.LayerID]*rasterbase.Revision{}
	var visit func(c coverage.Coverage)
	visit = func(c coverage.Coverage) {
		switch c := c.(type) {
		case *coverage.Layer:
			read[c.Layer().ID] = c.Revision()
		case interface{ Inputs() []coverage.Input }:
			for _, in := range c.Inputs() {
				visit(in.Coverage)
			}
		}
	}
	visit(t.coverage)
	for _, l := range t.source.layers {
		one := report.Layer{ID: l.ID, Name: l.Name, Slug: l.Slug}
		if rev := read[l.ID]; rev != nil {
			one.Revision, one.Checksum = rev.ID, rev.SourceChecksum
		}
		// A formula may read several bands of a layer; a pair has two layers in any case.
		if t.source.formula == "" || !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// zoneDoc is what was counted in one zone: the documents of all targets and bands, or
// of a pair of layers.
type zoneDoc struct {
	Zone   any                `json:"zone,omitempty"` // absent where there are none
	Counts []*report.Document `json:"answers,omitempty"`
	Table  *report.Table      `json:"crosstab,omitempty"`
	zone   *countZone
}

// name is the zone as a text of a table.
func (d *zoneDoc) name() string {
	switch v := d.Zone.(type) {
	case nil:
		return ""
	case float64:
		return decimal(v)
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// add adds an answer.
func (r *counting) add(d *zoneDoc, a *countAnswer) {
	if d.zone = a.zone; a.zone != nil {
		if d.Zone = a.zone.id; d.Zone == nil {
			d.Zone = a.zone.number
		}
	}
	s := r.subject(a.made)
	if a.table != nil {
		d.Table = report.NewTable(s, a.table)
		return
	}
	for k := range a.result.Bands {
		d.Counts = append(d.Counts, report.New(s, a.result, k))
	}
}

// wideCell is a number of a wide table.
type wideCell struct {
	column string
	value  any // float64, int64 or nil
}

// cells are all numbers of a zone, by what they are numbers of.
func (r *counting) cells(d *zoneDoc) (out []wideCell) {
	several := 0
	for _, t := range r.all {
		several += max(1, len(t.query.Bands))
	}
	for _, doc := range d.Counts {
		prefix := ""
		if several > 1 || len(d.Counts) > 1 {
			prefix = doc.Formula
			if prefix == "" && len(doc.Layers) > 0 {
				prefix = doc.Layers[0].Slug
			}
			if len(d.Counts) > len(r.all) {
				prefix += " b" + strconv.Itoa(doc.Band)
			}
			prefix += " "
		}
		for _, c := range doc.Counts {
			name := labelOf(c)
			out = append(out, wideCell{prefix + name, c.Count})
			if c.Area != nil {
				out = append(out, wideCell{prefix + name + " " + doc.AreaUnit, *c.Area})
			}
		}
		for _, name := range r.statColumns() {
			out = append(out, wideCell{prefix + name, doc.Statistics[name]})
		}
	}
	if d.Table != nil {
		for i, row := range d.Table.Rows {
			for k, column := range d.Table.Columns {
				out = append(out, wideCell{decimal(row) + " to " + decimal(column), d.Table.Counts[i][k]})
			}
		}
	}
	return out
}

// labelOf names what is counted in a row.
func labelOf(c report.Count) string {
	switch {
	case c.Name != nil && *c.Name != "":
		return *c.Name
	case c.Name != nil:
		return c.Expression
	case c.Value != nil:
		return decimal(*c.Value)
	}
	return decimal(*c.Min) + " to " + decimal(*c.Max)
}

// statColumns are the statistics that are told.
func (r *counting) statColumns() []string {
	out := r.cmd.statList()
	for _, p := range r.query.Percentiles {
		out = append(out[:len(out):len(out)], report.PercentileName(p))
	}
	return out
}
