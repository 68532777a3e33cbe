package coverage

import (
	"context"
	"errors"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/store"
)

// CheckFormula tells whether a layer can have a formula, over the layers as they are
// now, and gives the coverage that it would be, with the datatype that is told from
// the formula and its inputs. Limits bound the text; its Names and Reductions are set
// here. What only the catalog knows, such as that a layer would read itself, is told
// when the layer is stored.
//
// The error has code invalid, with field formula, layers or grid, as those of
// [algebra.Parse] and [NewFormula], also when nothing could be read of the layer: it
// has neither a pyramid nor a base grid. It matches store.ErrNotExist when an input is
// not there, and has code conflict when one, or what it reads, is not parsed yet.
func CheckFormula(ctx context.Context, st store.Store, f rasterbase.LayerFormula, limits algebra.Options, o OpenOptions) (*Formula, error) {
	limits.Names, limits.Reductions = make([]string, len(f.Inputs)), true
	ids := make([]rasterbase.LayerID, len(f.Inputs))
	for i, in := range f.Inputs {
		limits.Names[i], ids[i] = in.Name, in.Layer
		if slices.Contains(limits.Names[:i], in.Name) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "two inputs have the name %s", in.Name).WithField("layers")
		}
	}
	text, err := algebra.Parse(f.Text, limits)
	if err != nil {
		return nil, err
	}
	all, err := OpenAll(ctx, st, ids, o)
	if err != nil {
		if rasterbase.CodeOf(err) == rasterbase.NotFound && !errors.Is(err, store.ErrNotExist) {
			err = rasterbase.Errorf(rasterbase.Conflict, "%w", err).
				WithHint("make the formula when the parse has finished").WithField("layers")
		}
		return nil, err
	}
	inputs := make([]Input, len(all))
	for i, in := range f.Inputs {
		inputs[i] = Input{Name: in.Name, Coverage: all[i], Band: in.Band}
	}
	c, err := NewFormula(ctx, text, inputs, FormulaOptions{Grid: f.Grid, Transformer: o.Transformer})
	if err != nil {
		return nil, err
	}
	if d := c.Describe(); !d.HasPyramid && d.BaseError != nil {
		return nil, d.BaseError
	}
	return c, nil
}
