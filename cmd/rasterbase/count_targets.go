package main

import (
	"context"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/zonal"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// countTarget is what is counted: a layer, a formula, or a pair of layers.
type countTarget struct {
	layers   string // as they were named
	source   *exportSource
	coverage coverage.Coverage
	query    zonal.Query
	level    coverage.Level
	group    string // legend or semantics, where pixels are counted by those
	classes  []report.Class
}

// targets opens what is counted.
func (r *counting) targets(ctx context.Context) (out []*countTarget, err error) {
	names := r.cmd.Layers
	if strings.Contains(strings.Join(names, ""), "=") || r.cmd.Crosstab {
		names = []string{strings.Join(names, ",")} // variables of one formula, or a pair
	}
	for _, name := range names {
		t := &countTarget{layers: name}
		if err := r.open(ctx, t); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// open opens a target in the state in which its layers are now.
func (r *counting) open(ctx context.Context, t *countTarget) (err error) {
	e := &exportCmd{Layers: t.layers, Formula: r.cmd.Formula, Grid: r.cmd.Grid}
	if r.cmd.Crosstab {
		t.source, err = e.openPair(ctx, r.store)
	} else {
		t.source, err = e.open(ctx, r.store)
	}
	if err != nil {
		return err
	}
	t.coverage = t.source.coverage
	d := t.coverage.Describe()
	if t.level, err = (&pixelCmd{Zoom: r.cmd.Zoom}).level(d); err != nil {
		return err
	}
	if r.cmd.Zoom == nil && d.NoBase {
		t.level = coverage.ZoomLevel(d.MaxZoom)
	}
	if r.cmd.Zoom == nil && d.BaseError != nil {
		return d.BaseError
	}
	t.query = r.query
	if t.query.Bands, err = r.bands(t, d); err != nil {
		return err
	}
	return r.classify(ctx, t)
}

// openPair opens two bands, of two layers or of one, as one coverage.
func (c *exportCmd) openPair(ctx context.Context, st store.Store) (*exportSource, error) {
	s := &exportSource{}
	texts := strings.Split(c.Layers, ",")
	for i, text := range texts {
		if !strings.Contains(text, "=") {
			texts[i] = string(rune('a'+i)) + "=" + text
		}
	}
	all, err := s.openVariables(ctx, st, texts)
	if err != nil {
		return nil, err
	}
	inputs := make([]coverage.Input, len(all))
	for i, in := range s.inputs {
		inputs[i] = coverage.Input{Name: in.Variable, Coverage: all[i], Band: in.Band}
	}
	stack, err := coverage.NewStack(ctx, inputs, coverage.StackOptions{Name: c.Layers, Grid: c.Grid, Transformer: transformer()})
	if err != nil {
		return nil, err
	}
	s.coverage = stack
	return s, nil
}

// bands are the bands that are counted.
func (r *counting) bands(t *countTarget, d coverage.Description) ([]int, error) {
	switch {
	case r.cmd.Crosstab:
		return []int{0, 1}, nil
	case r.cmd.Band == nil:
		return t.source.only(nil), nil
	}
	n := int(*r.cmd.Band)
	if n < 1 || n > len(d.Bands) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "there is no band %d of %s", n, t.name()).
			WithHint("its bands go from 1 to %d", len(d.Bands)).WithField("band")
	}
	return []int{n - 1}, nil
}

// name names a target in messages and tables.
func (t *countTarget) name() string {
	if t.source.layer != nil && t.source.formula == "" {
		return t.source.layer.Slug
	}
	if t.source.formula != "" {
		return t.source.formula
	}
	return t.layers
}
