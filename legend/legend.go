// Package legend turns legends into colormaps and reads them from files.
//
// An entry matches by its expression: a number matches that value, anything
// else is a formula over x (package algebra) and matches where it is valid and
// not 0. Entries are painted in order, so that the last one that matches wins;
// a value that none matches is transparent. The order is that of their codes,
// where each has one: see [Order]. A legend can have a gradient in place of
// entries, with stops of its own or those of a named colormap.
package legend

import (
	"math"
	"slices"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
)

// MaxEntries is the largest number of entries of a legend.
const MaxEntries = 1 << 16

// Limits of an entry's expression, far above what a condition needs, so that a
// legend as large as a file may be compiles in bounded time.
const (
	maxExpression = 1000 // characters
	maxNodes      = 400
)

// rule is an entry that was read.
type rule struct {
	color   rasterbase.Color
	number  float64          // when formula is nil
	formula *algebra.Formula // over x, or over nothing
	entry   int              // its place in the legend
}

// newRule reads an entry. On float32 pixels, numbers and constants that are
// compared with are rounded to float32.
func newRule(e rasterbase.Entry, float32s bool) (rule, error) {
	f, err := algebra.Parse(e.Expression, algebra.Options{
		Names: []string{"x"}, MaxLength: maxExpression, MaxNodes: maxNodes,
	})
	if err != nil {
		return rule{}, err
	}
	if v, ok := f.Number(); ok {
		if float32s {
			v = float64(float32(v))
		}
		return rule{color: e.Color, number: v + 0}, nil
	}
	if len(f.Variables()) == 0 {
		return rule{}, &algebra.SyntaxError{Column: 1, Message: "expected a number or a condition on x"}
	}
	if float32s {
		f = f.Float32()
	}
	return rule{color: e.Color, formula: f}, nil
}

// breaks tells where the rule can begin or end to match; false when it does more
// than to compare x with constants.
func (r *rule) breaks() ([]float64, bool) {
	if r.formula == nil {
		return []float64{r.number}, true
	}
	return r.formula.Breaks()
}

// matches reports whether the entry colours a valid pixel's value.
func (r *rule) matches(v float64) bool {
	if r.formula == nil {
		return v == r.number
	}
	x := [1]algebra.Value{algebra.Of(v)}
	result, valid := r.formula.Eval(x[:])
	return valid && result != 0
}

// newRules reads all entries, in the order in which they are painted; its errors
// name the entry and the column.
func newRules(l *rasterbase.Legend, float32s bool) ([]rule, error) {
	if len(l.Entries) > MaxEntries {
		return nil, tooManyEntries(l)
	}
	if l.Gradient != nil && len(l.Entries) > 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "legend %q has both entries and a gradient", l.Title).
			WithHint("give one of the two").WithField("gradient")
	}
	rules := make([]rule, len(l.Entries))
	for i, e := range l.Entries {
		r, err := newRule(e, float32s)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "entry %d (%s): expression %.60q: %w",
				i+1, e.Semantics.Name, e.Expression, err).WithField("expression")
		}
		r.entry = i
		rules[i] = r
	}
	if order := paintingOrder(l.Entries); order != nil {
		sorted := make([]rule, len(rules))
		for i, at := range order {
			sorted[i] = rules[at]
		}
		return sorted, nil
	}
	return rules, nil
}

func tooManyEntries(l *rasterbase.Legend) error {
	return rasterbase.Errorf(rasterbase.TooLarge, "legend %q has %d entries", l.Title, len(l.Entries)).
		WithHint("at most %d are allowed", MaxEntries)
}

// Validate checks the entries' expressions and the gradient. The error has the
// code invalid, or too large. For an entry it names the entry, counted from 1,
// its expression and the column of the mistake, and an [*algebra.SyntaxError]
// can be taken from it.
func Validate(l *rasterbase.Legend) error {
	_, err := newRules(l, false)
	if err == nil && l.Gradient != nil {
		err = validateGradient(l.Gradient)
	}
	return err
}

// FromClasses makes a legend of a file's colour table, attribute table or class
// names. It is false when no class has a colour. Classes without a colour are
// left out. Where any class has a name, those without one are kept only if
// their colour is neither black nor transparent, because such are the unused
// places of a colour table; without a name a class is called by its value.
func FromClasses(title string, classes []rasterbase.Class) (*rasterbase.Legend, bool) {
	named := slices.ContainsFunc(classes, func(c rasterbase.Class) bool { return c.Name != "" })
	l := &rasterbase.Legend{Title: title}
	for _, c := range classes {
		if c.Color == nil || math.IsNaN(c.Value) || math.IsInf(c.Value, 0) {
			continue
		}
		unused := c.Color.A == 0 || c.Color.R == 0 && c.Color.G == 0 && c.Color.B == 0
		if c.Name == "" && named && unused {
			continue
		}
		l.Entries = append(l.Entries, entry(c.Value, c.Name, *c.Color))
	}
	return l, len(l.Entries) > 0
}

// entry makes an entry that matches one value.
func entry(v float64, name string, c rasterbase.Color) rasterbase.Entry {
	text := formatNumber(v)
	if name == "" {
		name = text
	}
	return rasterbase.Entry{Semantics: rasterbase.Semantics{Name: name}, Expression: text, Color: c}
}

func formatNumber(v float64) string {
	if a := math.Abs(v); a != 0 && (a >= 1e15 || a < 1e-6) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v+0, 'f', -1, 64)
}

// Present is the legend with those entries alone that match one of the values.
// An entry whose expression cannot be read is kept, and so are entries with
// formulas when very many of them have been tried at very many values. Values of
// float32 pixels match as in [Compile].
func Present(l *rasterbase.Legend, values []rasterbase.ValueCount) *rasterbase.Legend {
	known := make(map[float64]bool, len(values))
	for _, v := range values {
		known[v.Value] = true
	}
	out := *l
	out.Entries = nil
	left := budget(maxTableWork)
	for _, e := range l.Entries {
		if isPresent(e, known, values, &left) {
			out.Entries = append(out.Entries, e)
		}
	}
	return &out
}

func isPresent(e rasterbase.Entry, known map[float64]bool, values []rasterbase.ValueCount, left *budget) bool {
	r, err := newRule(e, false)
	if err != nil {
		return true
	}
	if r.formula == nil {
		return known[r.number] || known[float64(float32(r.number))]
	}
	single := r
	single.formula = r.formula.Float32()
	return slices.ContainsFunc(values, func(v rasterbase.ValueCount) bool {
		return !left.spend(single) || r.matches(v.Value) || float64(float32(v.Value)) == v.Value && single.matches(v.Value)
	})
}
