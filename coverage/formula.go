package coverage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	formula     *algebra.Formula
	inputs      []Input // in the order of the formula's variables
	groups      []group
	columns     []column // of the inputs
	band        raster.Band
	description Description
	empty       bool // the inputs have no place in common
	version     string
	base        *base // nil: Description.BaseError says why
	noPyramid   error
	strict      bool
	reads       int
	depth       int
	layer       *rasterbase.Layer // nil: not of the catalog
}

// group is bands that are read in one window.
type group struct {
	name     string // of the first input
	coverage Coverage
	key      groupKey
	bands    []int
}

// groupKey tells bands of a stored layer apart that cannot be read at once.
type groupKey struct {
	set    int
	nodata bool // validity is told by it
}

// column says where the pixels of an input are.
type column struct{ group, place int }

// NewFormula makes a coverage of a formula, with an input for each of its variables
// and no others. Reductions are bound from the statistics of their inputs.
//
// The error has code invalid, with field formula for variables without an input,
// formulas without variables, and reductions of inputs that have no statistics; with
// field layers for inputs that the formula does not use, bands that are not there,
// and formulas that stand too deep on one another or read too many bands; and with
// field grid when no input has the name of the grid.
func NewFormula(ctx context.Context, f *algebra.Formula, inputs []Input, o FormulaOptions) (*Formula, error) {
	c := &Formula{}
	var err error
	if c.inputs, err = sortInputs(f.Variables(), inputs); err != nil {
		return nil, err
	}
	if err := c.count(); err != nil {
		return nil, err
	}
	if c.formula, err = bind(f, c.inputs); err != nil {
		return nil, err
	}
	if o.Grid != "" && !slices.ContainsFunc(c.inputs, func(in Input) bool { return in.Name == o.Grid }) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the grid is to be that of %s, which is no input", o.Grid).
			WithHint("one of %s", names(c.inputs)).WithField("grid")
	}
	c.strict = f.Strict()
	c.arrange()
	c.describe(o)
	c.version = c.hash(f.String(), o.Grid)
	base, err := newBase(c, o)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if c.description.BaseError = err; err == nil {
		c.base = base
		c.description.CRS, c.description.Grid, c.description.NoBase = base.crs, base.grid, base.noBase
	}
	return c, nil
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
		if d := in.Coverage.Describe(); in.Band < 0 || in.Band >= len(d.Bands) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s is band %d of %s, which has %d", in.Name, in.Band+1, d.Name, len(d.Bands)).
				WithHint("counted from 0 its bands are 0 to %d", len(d.Bands)-1).WithField("layers")
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

// count bounds what reading the formula costs.
func (f *Formula) count() error {
	for _, in := range f.inputs {
		reads, depth := 1, 0
		if inner, ok := in.Coverage.(*Formula); ok {
			reads, depth = inner.reads, inner.depth
		}
		f.reads += reads
		f.depth = max(f.depth, depth+1)
	}
	if f.depth > store.MaxFormulaDepth {
		return rasterbase.Errorf(rasterbase.Invalid, "%d formulas stand on one another: there can be %d", f.depth, store.MaxFormulaDepth).WithField("layers")
	}
	if f.reads > MaxReads {
		return rasterbase.Errorf(rasterbase.Invalid, "the formula reads %d bands in all, with those of the formulas that it stands on: it can read %d", f.reads, MaxReads).
			WithField("layers")
	}
	return nil
}

// bind puts numbers in the place of reductions.
func bind(f *algebra.Formula, inputs []Input) (*algebra.Formula, error) {
	reductions := f.Reductions()
	if len(reductions) == 0 {
		return f, nil
	}
	for _, r := range reductions {
		for _, in := range inputs {
			if _, computed := in.Coverage.(*Formula); computed && in.Name == r.Variable {
				return nil, rasterbase.Errorf(rasterbase.Invalid, "%s(%s) needs statistics of all pixels of %s, which is a formula and has none", r.Function, r.Variable, r.Variable).
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

// arrange finds the bands that can be read at once: those of one band set of a
// layer which are valid and invalid in the same way, and that of one formula.
func (f *Formula) arrange() {
	for _, in := range f.inputs {
		var key groupKey
		if l, ok := in.Coverage.(*Layer); ok {
			key.set, _ = l.rev.SetOf(in.Band)
			key.nodata = raster.BandOf(l.rev.Bands[in.Band]).HasNodata
		}
		at := slices.IndexFunc(f.groups, func(g group) bool { return g.key == key && same(g.coverage, in.Coverage) })
		if at < 0 {
			at = len(f.groups)
			f.groups = append(f.groups, group{name: in.Name, coverage: in.Coverage, key: key})
		}
		g := &f.groups[at]
		place := slices.Index(g.bands, in.Band)
		if place < 0 {
			place = len(g.bands)
			g.bands = append(g.bands, in.Band)
		}
		f.columns = append(f.columns, column{at, place})
	}
}

// same tells whether two coverages are one. Others than ours may be of a type that
// cannot be compared.
func same(a, b Coverage) bool {
	switch a := a.(type) {
	case *Layer:
		b, ok := b.(*Layer)
		return ok && a == b
	case *Formula:
		b, ok := b.(*Formula)
		return ok && a == b
	}
	return false
}

// hash names the pixels.
func (f *Formula) hash(text, grid string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q", text, grid, f.description.Datatype)
	for _, in := range f.inputs {
		fmt.Fprintf(h, " %q %q %d", in.Name, in.Coverage.Version(), in.Band)
	}
	return "f" + hex.EncodeToString(h.Sum(nil)[:16])
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
