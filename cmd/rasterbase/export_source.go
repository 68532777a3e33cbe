package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/export"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/store"
)

// exportSource is what an export reads.
type exportSource struct {
	coverage coverage.Coverage
	layer    *rasterbase.Layer // the one that it is, or the only one that a formula reads; else nil
	inputs   []export.Input
	layers   []*rasterbase.Layer // of inputs
	formula  string
	listed   bool // the layers are those of variables
}

// openVariables opens the layers of variables, a=1 or a:0=1.
func (s *exportSource) openVariables(ctx context.Context, st store.Store, texts []string) ([]coverage.Coverage, error) {
	s.listed = true
	var ids []rasterbase.LayerID
	for _, text := range texts {
		in, ref, err := readVariable(text)
		if err != nil {
			return nil, err
		}
		l, err := findLayer(ctx, st, ref)
		if err != nil {
			return nil, err
		}
		in.Layer, in.Name, in.License, in.Attribution = l.ID, l.Name, l.License, l.Attribution
		s.inputs, s.layers, ids = append(s.inputs, in), append(s.layers, l), append(ids, l.ID)
	}
	return coverage.OpenAll(ctx, st, ids, coverage.OpenOptions{Transformer: transformer()})
}

// open opens the layer, or the formula over layers.
func (c *exportCmd) open(ctx context.Context, st store.Store) (*exportSource, error) {
	s := &exportSource{formula: c.Formula}
	if !strings.Contains(c.Layers, "=") {
		return s, c.openLayer(ctx, st, s)
	}
	all, err := s.openVariables(ctx, st, strings.Split(c.Layers, ","))
	if err != nil {
		return nil, err
	}
	if len(all) == 1 {
		s.layer = s.layers[0]
	}
	if c.Formula == "" && len(all) > 1 {
		return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "several layers need a formula").
			WithHint(`--formula "%s + %s"`, s.inputs[0].Variable, s.inputs[1].Variable).WithField("formula")}
	}
	return s, c.compute(ctx, s, all)
}

func transformer() crs.Transformer { return crs.Chain(crs.Closed{}, gdal.Transformer{}) }

// openLayer opens a single layer, or a formula over its bands.
func (c *exportCmd) openLayer(ctx context.Context, st store.Store, s *exportSource) error {
	l, err := findLayer(ctx, st, c.Layers)
	if err != nil {
		return err
	}
	cov, err := coverage.OpenWith(ctx, st, l.ID, coverage.OpenOptions{Transformer: transformer()})
	if err != nil {
		return err
	}
	s.layer, s.coverage = l, cov
	if c.Formula == "" {
		s.inputs = []export.Input{{Layer: l.ID, Name: l.Name, Band: -1, License: l.License, Attribution: l.Attribution}}
		s.layers = []*rasterbase.Layer{l}
		return nil
	}
	f, err := algebra.Parse(c.Formula, algebra.Options{Reductions: true})
	if err != nil {
		return err
	}
	var all []coverage.Coverage
	bands := len(cov.Describe().Bands)
	for _, name := range f.Variables() {
		band := 1
		if name != "x" {
			if band, err = strconv.Atoi(strings.TrimPrefix(name, "b")); err != nil || !strings.HasPrefix(name, "b") || band < 1 || band > bands {
				return rasterbase.Errorf(rasterbase.Invalid, "%s is no band of layer %d (%s)", name, l.ID, l.Name).
					WithHint("its bands are b1 to b%d, and x is b1", bands).WithField("formula")
			}
		}
		s.inputs = append(s.inputs, export.Input{Variable: name, Layer: l.ID, Name: l.Name, Band: band - 1, License: l.License, Attribution: l.Attribution})
		s.layers, all = append(s.layers, l), append(all, cov)
	}
	return c.compute(ctx, s, all)
}

// compute makes the coverage of a formula over opened layers. Without a formula it is
// the band of the only one.
func (c *exportCmd) compute(ctx context.Context, s *exportSource, all []coverage.Coverage) error {
	f, err := algebra.Parse(cmp.Or(c.Formula, s.inputs[0].Variable), algebra.Options{Reductions: true})
	if err != nil {
		return err
	}
	inputs := make([]coverage.Input, len(all))
	for i, in := range s.inputs {
		inputs[i] = coverage.Input{Name: in.Variable, Coverage: all[i], Band: in.Band}
	}
	if c.Formula == "" {
		if n := len(all[0].Describe().Bands); inputs[0].Band >= n {
			return rasterbase.Errorf(rasterbase.Invalid, "layer %d (%s) has no band :%d", s.layer.ID, s.layer.Name, inputs[0].Band).
				WithHint("after a colon bands are counted from 0: it has %d", n).WithField("layers")
		}
		s.coverage = all[0]
		return nil
	}
	s.coverage, err = coverage.NewFormula(ctx, f, inputs, coverage.FormulaOptions{Name: c.Formula, Grid: c.Grid, Transformer: transformer()})
	return err
}

// only are the bands of the coverage that are meant, unless others are asked for.
func (s *exportSource) only(bands []int) []int {
	if bands == nil && s.listed && s.formula == "" {
		return []int{s.inputs[0].Band}
	}
	return bands
}

// readVariable reads a=1 or b:2=dem.
func readVariable(text string) (in export.Input, layer string, err error) {
	name, layer, ok := strings.Cut(strings.TrimSpace(text), "=")
	name, band, counted := strings.Cut(name, ":")
	if counted {
		in.Band, err = strconv.Atoi(band)
	}
	in.Variable = strings.TrimSpace(name)
	if !ok || in.Variable == "" || layer == "" || err != nil || in.Band < 0 {
		return in, "", usageError{rasterbase.Errorf(rasterbase.Invalid, "%.60q is not a variable and its layer", text).
			WithHint("write a=1,b=dem, or b:2=dem for the third band of dem").WithField("layers")}
	}
	return in, strings.TrimSpace(layer), nil
}

// parameter is the layers as the server's parameter of that name has them.
func (s *exportSource) parameter() string {
	var out []string
	for _, in := range s.inputs {
		out = append(out, in.Variable+":"+strconv.Itoa(in.Band)+"="+strconv.FormatInt(int64(in.Layer), 10))
	}
	return strings.Join(out, ",")
}

// contents is what the texts in a zip say.
func (s *exportSource) contents(c *exportCmd, area exportArea, lines export.Legend) export.Contents {
	name := "formula"
	if s.layer != nil {
		name = s.layer.Slug
	}
	out := export.Contents{
		Name: name, Inputs: slices.Clone(s.inputs), Formula: c.Formula, Area: area.text, Date: time.Now(), Legend: lines,
	}
	if s.layer != nil {
		out.Description = s.layer.Description
	}
	return out
}
