package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
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

// reported are the layers that are read, each once: a formula may read several bands of
// a layer. A pair has two in any case.
func (t *countTarget) reported() []report.Layer {
	all := report.LayersOf(t.coverage, t.source.layers)
	if t.source.formula == "" {
		return all
	}
	var out []report.Layer
	for _, one := range all {
		if !slices.Contains(out, one) {
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
