package coverage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/store"
)

// OpenOptions are what layers are opened with.
type OpenOptions struct {
	Transformer crs.Transformer // to look formulas' inputs up at their grid; nil: closed forms only
}

// Open opens any layer, stored or made of a formula, as [OpenWith] does without
// options.
func Open(ctx context.Context, st store.Store, id rasterbase.LayerID) (Coverage, error) {
	return OpenWith(ctx, st, id, OpenOptions{})
}

// OpenWith fixes a coverage to the state in which a layer is now, with all layers that
// its formula reads: a [*Layer], or a [*Formula] for a layer with a formula.
//
// The error has code not found when the layer, or one that its formula reads, has no
// published revision, and tells how far its parse is; it matches store.ErrNotExist
// when there is no such layer. It has code invalid when a formula cannot be read any
// more, or its inputs do not have the bands that it names.
func OpenWith(ctx context.Context, st store.Store, id rasterbase.LayerID, o OpenOptions) (Coverage, error) {
	all, err := OpenAll(ctx, st, []rasterbase.LayerID{id}, o)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// OpenAll opens several layers as [OpenWith] does, in their order, as they are at one
// moment. A layer that is named or read several times is one coverage, which formulas
// over it read once.
func OpenAll(ctx context.Context, st store.Store, ids []rasterbase.LayerID, o OpenOptions) ([]Coverage, error) {
	var l *loader
	err := st.Catalog().View(ctx, func(tx store.Tx) error {
		l = &loader{st: st, layers: map[rasterbase.LayerID]*Layer{}}
		for _, id := range ids {
			if err := l.load(ctx, tx, id, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m := &maker{loader: l, transformer: o.Transformer, made: map[rasterbase.LayerID]Coverage{}}
	out := make([]Coverage, len(ids))
	for i, id := range ids {
		if out[i], err = m.make(ctx, id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// loader reads layers and all that they read, in one transaction. Those with a formula
// have no revision.
type loader struct {
	st     store.Store
	layers map[rasterbase.LayerID]*Layer
}

// maxLoaded is how many layers are loaded at most: more than formulas that can be
// read at all stand on.
const maxLoaded = (store.MaxFormulaDepth + 1) * MaxReads

func (l *loader) load(ctx context.Context, tx store.Tx, id rasterbase.LayerID, depth int) error {
	if _, known := l.layers[id]; known {
		return nil // a circle comes to light when coverages are made
	}
	if depth > store.MaxFormulaDepth || len(l.layers) >= maxLoaded {
		return rasterbase.Errorf(rasterbase.Invalid, "the formulas read too many layers, or stand too deep on one another").WithField("layers")
	}
	layer, err := tx.Layers().Get(ctx, id)
	if err != nil {
		return err
	}
	c := &Layer{st: l.st, layer: layer}
	l.layers[id] = c
	if layer.Formula == nil {
		if layer.Published == 0 {
			return Unpublished(ctx, tx, layer)
		}
		c.rev, err = tx.Revisions().Get(ctx, layer.Published)
		return err
	}
	for _, in := range layer.Formula.Inputs {
		if err := l.load(ctx, tx, in.Layer, depth+1); err != nil {
			return inputError(layer, in, err)
		}
	}
	return nil
}

// inputError says which layer could not read which.
func inputError(l *rasterbase.Layer, in rasterbase.FormulaInput, err error) error {
	if errors.Is(err, store.ErrNotExist) {
		return rasterbase.Errorf(rasterbase.NotFound, "layer %d (%s) reads layer %d as %s, which is gone: %w", l.ID, l.Name, in.Layer, in.Name, err)
	}
	return fmt.Errorf("layer %d (%s) reads layer %d as %s: %w", l.ID, l.Name, in.Layer, in.Name, err)
}

// maker makes coverages of loaded layers.
type maker struct {
	*loader
	transformer crs.Transformer
	made        map[rasterbase.LayerID]Coverage
	path        []rasterbase.LayerID // of formulas that are being made
}

func (m *maker) make(ctx context.Context, id rasterbase.LayerID) (Coverage, error) {
	if c, ok := m.made[id]; ok {
		return c, nil
	}
	c := m.layers[id]
	if c.layer.Formula == nil {
		m.made[id] = c
		return c, nil
	}
	if slices.Contains(m.path, id) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the formula of layer %d (%s) reads itself", id, c.layer.Name).WithField("formula")
	}
	m.path = append(m.path, id)
	f, err := m.formula(ctx, c.layer)
	m.path = m.path[:len(m.path)-1]
	if err != nil {
		return nil, err
	}
	m.made[id] = f
	return f, nil
}

// formula makes the coverage of a layer with a formula.
func (m *maker) formula(ctx context.Context, l *rasterbase.Layer) (*Formula, error) {
	text, err := algebra.Parse(l.Formula.Text, algebra.Options{Reductions: true})
	if err != nil {
		return nil, fmt.Errorf("the formula of layer %d (%s) cannot be read: %w", l.ID, l.Name, err)
	}
	inputs := make([]Input, len(l.Formula.Inputs))
	for i, in := range l.Formula.Inputs {
		c, err := m.make(ctx, in.Layer)
		if err != nil {
			return nil, inputError(l, in, err)
		}
		inputs[i] = Input{Name: in.Name, Coverage: c, Band: in.Band}
	}
	f, err := NewFormula(ctx, text, inputs, FormulaOptions{
		Name: l.Name, Datatype: l.Settings.Datatype, Grid: l.Formula.Grid, Transformer: m.transformer,
	})
	if err != nil {
		return nil, fmt.Errorf("the formula of layer %d (%s): %w", l.ID, l.Name, err)
	}
	f.layer = l
	return f, nil
}

// Reads lists the layers of the catalog that a coverage reads, as they were when it was
// opened, each once: the layer that it is itself, the inputs of its formula or of
// a stack, and theirs. Who may read all of these may read the coverage.
func Reads(c Coverage) []*rasterbase.Layer {
	var out []*rasterbase.Layer
	add := func(l *rasterbase.Layer) {
		if l != nil && !slices.ContainsFunc(out, func(o *rasterbase.Layer) bool { return o.ID == l.ID }) {
			out = append(out, l)
		}
	}
	var visit func(c Coverage)
	visit = func(c Coverage) {
		switch c := c.(type) {
		case *Layer:
			add(c.layer)
		case *Formula:
			add(c.layer)
		}
		if j := joinedOf(c); j != nil {
			for _, in := range j.inputs {
				visit(in.Coverage)
			}
		}
	}
	visit(c)
	return out
}
