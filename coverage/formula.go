package coverage

import (
	"context"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// Input is a band of a coverage under the name of a formula's variable.
type Input struct {
	Name     string
	Coverage Coverage
	Band     int // from 0
}

// FormulaOptions are what a formula coverage is made with besides its inputs. The
// zero value is good for all that can be read without a Transformer.
type FormulaOptions struct {
	Name     string
	Datatype rasterbase.Datatype // empty: told from the formula and its inputs, see [Formula]
	// Grid names the input whose own pixels are the formula's at [BaseLevel], where
	// the others are looked up at the centres of these. Empty: the finest input's,
	// when the grids of all inputs nest.
	Grid        string
	Transformer crs.Transformer // nil: closed forms only
}

// MaxReads is how many bands of stored layers a formula reads at most, those of the
// formulas that it stands on included.
const MaxReads = 64

// Formula is a formula over bands of other coverages, as a [Coverage] of one band.
// Its pixels are computed when they are read.
//
// At a zoom each input is read as pixels of the formula's own grid, whose tile size
// is the largest of the inputs'. Where an input has pixels of just that size, they
// are its own; else they are the nearest of the next finer zoom that it has, as
// [Tile] makes them. What the formula makes of places that no input covers is valid
// if the formula says so (where(a == NULL, 0, a) does), but for places beyond the
// world.
//
// At the base level the pixels are those of the finest input when the grids of all
// inputs nest: they are in one CRS, their pixels consist of whole pixels of the
// finest, and their edges lie within a hundredth of such a pixel of its edges. The
// base grid then is what all inputs cover, or what any covers where the formula can
// be valid without the others. With [FormulaOptions].Grid it is the grid of the input
// of that name, and the others are looked up at the centres of its pixels as [At]
// does. Otherwise there is no base level: see Description.BaseError.
//
// The datatype, when none is given, is mask for a comparison or logical operation,
// categorical when all inputs are discrete, and else continuous. Masks have 0 and
// 1, and 255 where they are invalid; other results are floating-point numbers, and
// NaN where they are invalid.
type Formula struct {
	joined
	formula *algebra.Formula
	band    raster.Band
	layer   *rasterbase.Layer // nil: not of the catalog
}

// NewFormula makes a coverage of a formula, with an input for each of its variables
// and no others. Reductions are bound from the statistics of their inputs.
//
// The error has code invalid, with field formula for variables without an input,
// formulas without variables, and reductions of inputs that have no statistics; with
// field layers for inputs that the formula does not use, bands that are not there,
// and formulas that stand too deep on one another or read too many bands; and with
// field grid when no input has the name of the grid.
func NewFormula(ctx context.Context, f *algebra.Formula, inputs []Input, o FormulaOptions) (*Formula, error) {
	sorted, err := sortInputs(f.Variables(), inputs)
	if err != nil {
		return nil, err
	}
	c := &Formula{joined: joined{kind: "formula", inputs: sorted, strict: f.Strict()}}
	if err := c.count(1); err != nil {
		return nil, err
	}
	if c.formula, err = bind(f, c.inputs); err != nil {
		return nil, err
	}
	if err := c.checkGrid(o.Grid); err != nil {
		return nil, err
	}
	c.arrange()
	c.describe(o)
	c.version = "f" + c.hash(f.String(), o.Grid)
	return c, c.findBase(ctx, o.Grid, o.Transformer)
}

// sortInputs puts inputs in the order of the variables.
func sortInputs(variables []string, inputs []Input) ([]Input, error) {
	if len(variables) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the formula reads no layer").
			WithHint("it needs a variable").WithField("formula")
	}
	byName := make(map[string]Input, len(inputs))
	for _, in := range inputs {
		if _, twice := byName[in.Name]; twice {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "two inputs have the name %s", in.Name).WithField("layers")
		}
		if !slices.Contains(variables, in.Name) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the formula does not use %s", in.Name).WithField("layers")
		}
		if err := in.check(); err != nil {
			return nil, err
		}
		byName[in.Name] = in
	}
	sorted := make([]Input, len(variables))
	for i, v := range variables {
		in, ok := byName[v]
		if !ok {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the formula uses %s, which is no input", v).WithField("formula")
		}
		sorted[i] = in
	}
	return sorted, nil
}

// bind puts numbers in the place of reductions.
func bind(f *algebra.Formula, inputs []Input) (*algebra.Formula, error) {
	reductions := f.Reductions()
	if len(reductions) == 0 {
		return f, nil
	}
	for _, r := range reductions {
		for _, in := range inputs {
			if j := joinedOf(in.Coverage); j != nil && in.Name == r.Variable {
				return nil, rasterbase.Errorf(rasterbase.Invalid, "%s(%s) needs statistics of all pixels of %s, which is a %s and has none", r.Function, r.Variable, r.Variable, j.kind).
					WithHint("give the number").WithField("formula")
			}
		}
	}
	return f.Bind(func(r algebra.Reduction) (float64, bool) {
		i := slices.IndexFunc(inputs, func(in Input) bool { return in.Name == r.Variable })
		if i < 0 {
			return 0, false
		}
		return statistic(inputs[i].Coverage.Describe().Bands[inputs[i].Band], r.Function)
	})
}

// statistic is a reduction of all valid pixels of a band.
func statistic(b rasterbase.Band, function string) (v float64, ok bool) {
	switch {
	case b.Count == 0:
		return 0, false
	case function == "min":
		return b.Min, true
	case function == "max":
		return b.Max, true
	case function == "mean":
		return b.Mean, true
	case function == "std":
		return b.Std, true
	case function == "sum":
		return b.Mean * float64(b.Count), true
	}
	return 0, false
}

// Inputs are the inputs that the formula reads, in the order of its variables.
func (f *Formula) Inputs() []Input { return slices.Clone(f.inputs) }

// Layer is the layer of the catalog that has the formula, as it was when the coverage
// was opened, and nil for a formula of no layer.
func (f *Formula) Layer() *rasterbase.Layer { return f.layer }

// Describe tells what can be read. The band has no statistics: [Formula.Sample]
// estimates them. Bounds is what all inputs have in common when the formula is
// invalid without any of them, the zero Bounds if that is nothing, and else what any
// of them covers.
func (f *Formula) Describe() Description { return f.description }

// Version names the state that is read by the formula's text, its grid and datatype,
// and each input's version and band.
func (f *Formula) Version() string { return f.version }

// Summaries is an error with code unsupported: a formula's pixels are computed when
// they are read, and nothing is known of them before.
func (f *Formula) Summaries(context.Context, SummaryQuery) ([]store.SummaryPage, error) {
	return nil, rasterbase.Errorf(rasterbase.Unsupported, "there are no summaries of a formula, whose pixels are computed when they are read")
}
