package server

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
)

// expression is what layers=, formula= and grid= of a request say: bands of layers
// under names, and a formula over them.
type expression struct {
	inputs  []input
	text    string           // of the formula, as it was given
	formula *algebra.Formula // nil: none was given
	grid    string           // the input whose own pixels count; empty: none is named
}

// readExpression reads layers=, formula= and grid=. Layers are looked for by
// openExpression.
func (s *Server) readExpression(q url.Values) (*expression, error) {
	if strings.TrimSpace(q.Get("layers")) == "" {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "no layers are named").
			WithHint("write layers=a=1,b:0=dem").WithField("layers")
	}
	var d drawing
	if _, err := readLayers(&d, "layers", q["layers"]); err != nil {
		return nil, blame(err, "layers")
	}
	if len(d.inputs) > s.c.MaxFormulaLayers {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "those are more than %d layers", s.c.MaxFormulaLayers).
			WithHint("the operator can allow more: RASTER_FORMULA_MAX_LAYERS").WithField("layers")
	}
	e := &expression{inputs: d.inputs, text: strings.TrimSpace(q.Get("formula")), grid: strings.TrimSpace(q.Get("grid"))}
	names := make([]string, len(e.inputs))
	for i, in := range e.inputs {
		names[i] = in.name
	}
	if e.grid != "" && !slices.Contains(names, e.grid) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the grid is to be that of %.40q, which names no layer", e.grid).
			WithHint("one of %s", strings.Join(names, ", ")).WithField("grid")
	}
	if e.text == "" {
		return e, nil
	}
	o := s.c.Formula
	o.Names, o.Reductions = names, true
	f, err := algebra.Parse(e.text, o)
	if err != nil {
		return nil, mistake(err)
	}
	for _, name := range names {
		if !slices.Contains(f.Variables(), name) {
			return nil, unused(name)
		}
	}
	e.formula = f
	return e, nil
}

// unused is the error of a name that the formula has no variable of.
func unused(name string) error {
	if f, err := algebra.Parse(name, algebra.Options{}); err == nil && len(f.Variables()) == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "%s is a constant of formulas and names no layer", name).
			WithHint("give the layer another name").WithField("layers")
	}
	return rasterbase.Errorf(rasterbase.Invalid, "the formula does not use %s", name).
		WithHint("leave it out of layers").WithField("layers")
}

// mistake is the error of a formula that cannot be read, with a way out.
func mistake(err error) error {
	e, ok := asError(err)
	if !ok || e.Hint != "" {
		return blame(err, "formula")
	}
	told := *e
	told.Field, told.Hint = "formula", "a formula is such as (b-a)/(b+a), over the names that layers gives; in an address + is written %2B"
	return &told
}

// opened is what an expression reads.
type opened struct {
	*subject
	layers  []*rasterbase.Layer // all that are read, the inputs of formula layers included
	private bool
}

// openExpression finds the layers of an expression for somebody, who needs the right
// to read each, the inputs of formula layers included: what they may not read does
// not exist for them. Without a formula it is the first layer, and layers has those of
// the others too. Again tells that nothing remembered counts.
func (s *Server) openExpression(ctx context.Context, who rasterbase.Principal, e *expression, again bool) (*opened, error) {
	now, known := s.memory.generation()
	layers := make([]*rasterbase.Layer, len(e.inputs))
	key := fmt.Sprintf("e%q %q", e.text, e.grid)
	for i, in := range e.inputs {
		var err error
		if layers[i], _, err = s.look(ctx, who, in.layer, "", again); err != nil {
			return nil, blame(err, "layers")
		}
		key += fmt.Sprintf(" %s:%d=%d", in.name, in.band, layers[i].ID)
	}
	if e.formula == nil {
		return s.openInputs(ctx, who, layers, again)
	}
	sub, err := s.remembered(key, now, known, again, func() (coverage.Coverage, error) {
		o := coverage.OpenOptions{Transformer: s.c.Transformer}
		ids := make([]rasterbase.LayerID, len(layers))
		for i, l := range layers {
			ids[i] = l.ID
		}
		covs, err := coverage.OpenAll(ctx, s.c.Store, ids, o)
		if err != nil {
			return nil, blame(err, "layers")
		}
		inputs := make([]coverage.Input, len(layers))
		for i, in := range e.inputs {
			inputs[i] = coverage.Input{Name: in.name, Coverage: covs[i], Band: in.band}
		}
		return coverage.NewFormula(ctx, e.formula, inputs, coverage.FormulaOptions{Name: e.text, Grid: e.grid, Transformer: s.c.Transformer})
	})
	if err != nil {
		return nil, err
	}
	if err := s.mayReadAll(ctx, who, sub); err != nil {
		return nil, err
	}
	return &opened{sub, sub.reads, sub.private}, nil
}

// openInputs opens layers that no formula puts together, the first as what is read.
func (s *Server) openInputs(ctx context.Context, who rasterbase.Principal, layers []*rasterbase.Layer, again bool) (*opened, error) {
	out := &opened{}
	for i, l := range layers {
		sub, err := s.openFor(ctx, who, l, again)
		if err != nil {
			return nil, blame(err, "layers")
		}
		if i == 0 {
			out.subject = sub
		}
		if sub.formula == nil {
			out.layers = append(out.layers, l)
		} else {
			out.layers = append(out.layers, sub.reads...)
		}
		out.private = out.private || sub.hides(l)
	}
	return out, nil
}
