// Package algebra is the formula language of rasterbase: it reads a formula
// over named variables, checks it, and evaluates it, for single values with
// [Formula.Eval] and for whole bands with [Formula.Evaluate], without allocating
// anything for a pixel.
//
// Operators, tightest first:
//
//	^              power, from right to left: 2^3^2 is 2^9
//	+ - ! ~        unary; -2^2 is -4. ~x makes invalid pixels valid, with the nodata value
//	* /
//	+ -
//	== != > >= < <=   1 or 0; they do not chain: write (1 < x) & (x < 3)
//	&              logical and, 1 or 0
//	|              logical or, 1 or 0
//
// Constants are E, PI, TRUE, FALSE, NULL and INF. NULL compares with == and !=
// only (x == NULL is 1 where x is invalid) and may be a branch of where; INF
// and -INF may only be compared with. Functions are listed by [Functions].
//
// An invalid operand makes the result invalid. Division by zero, overflow and
// a function outside its domain are invalid too: a result is never infinite or
// NaN. where(c, a, b) looks at the validity of c and of the branch it takes.
//
// Arithmetic is in float32 or float64, as [Formula.For] tells. Functions are
// computed in float64 and then rounded.
package algebra

import (
	"fmt"
	"slices"
	"sync"

	"github.com/rasterbase/rasterbase"
)

// Options bounds what Parse accepts. A zero field takes the default.
type Options struct {
	MaxLength    int // characters; 10,000
	MaxNodes     int // numbers, names, operators and calls; 2,000
	MaxDepth     int // nesting of parentheses, calls, powers and unary operators; 100
	MaxVariables int // different variables; 64
	// Names, when not nil, are the only variables that may be used.
	Names []string
	// Reductions allows min(a), max(a), mean(a), std(a) and sum(a) of one plain
	// variable: the statistics of all valid pixels of that whole input, see
	// [Formula.Reductions].
	Reductions bool
}

func (o Options) withDefaults() Options {
	o.MaxLength = orDefault(o.MaxLength, 10_000)
	o.MaxNodes = orDefault(o.MaxNodes, 2_000)
	o.MaxDepth = orDefault(o.MaxDepth, 100)
	o.MaxVariables = orDefault(o.MaxVariables, 64)
	return o
}

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}

// SyntaxError is a mistake in a formula.
type SyntaxError struct {
	Column  int // in characters, counted from 1
	Message string
}

// Error is the column and the message.
func (e *SyntaxError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Message) }

// Value is a pixel's value. An invalid one holds the nodata value in V, which
// the operator ~ brings back; V may be NaN when there is none.
type Value struct {
	V     float64
	Valid bool
}

// Of is the value of v: valid when it is finite.
func Of(v float64) Value { return Value{v, finite(v)} }

func finite(v float64) bool { return v-v == 0 }

// Formula is a formula that was read, checked and compiled. It does not change
// and can be used by many goroutines.
type Formula struct {
	root      *node
	variables []string
	single    bool // Eval computes in float32
	program   []instruction
	depth     int // cells of stack that the program needs
	stacks    sync.Pool
	plan32    lazyPlan[float32]
	plan64    lazyPlan[float64]
}

// Parse reads a formula. A mistake is an error with the code invalid that
// wraps a [*SyntaxError].
func Parse(src string, o Options) (*Formula, error) {
	root, variables, err := parse(src, o.withDefaults())
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%w", err).WithField("formula")
	}
	return compile(root, variables, false), nil
}

// Variables lists the names of the variables in the order in which they first
// stand in the formula. It is the order of the values that Eval takes.
func (f *Formula) Variables() []string { return slices.Clone(f.variables) }

// String is the formula in canonical form: single spaces around operators and
// no parentheses that change nothing. It parses to the same formula.
func (f *Formula) String() string { return f.root.String() }

// Number tells whether the formula is a single number, with or without a sign,
// and which.
func (f *Formula) Number() (v float64, ok bool) {
	n, sign := f.root, 1.0
	for n.op == opNegate || n.op == opPlus {
		if n.op == opNegate {
			sign = -sign
		}
		n = n.args[0]
	}
	if n.op != opNumber {
		return 0, false
	}
	return sign * n.number, true
}

// Eval evaluates the formula for one value of each variable, in the order of
// Variables. It allocates nothing, and it panics when values are missing.
func (f *Formula) Eval(vars []Value) (v float64, valid bool) {
	const onStack = 16
	if f.depth <= onStack {
		var stack [onStack]Value
		return f.run(stack[:], vars)
	}
	stack := f.stacks.Get().(*[]Value)
	v, valid = f.run(*stack, vars)
	f.stacks.Put(stack)
	return v, valid
}

// EvalMap evaluates the formula for values by name: NaN and infinities are
// invalid. A variable without a value is an error.
func (f *Formula) EvalMap(vars map[string]float64) (v float64, valid bool, err error) {
	values := make([]Value, len(f.variables))
	for i, name := range f.variables {
		x, ok := vars[name]
		if !ok {
			return 0, false, rasterbase.Errorf(rasterbase.Invalid, "the formula uses %s, which has no value", name).
				WithField("formula")
		}
		values[i] = Of(x)
	}
	v, valid = f.Eval(values)
	return v, valid, nil
}

// Float32 is the same formula for variables whose values are all float32. It is
// For with as many float32.
func (f *Formula) Float32() *Formula { return compile(f.root, f.variables, true) }

// For is the same formula for variables of these pixel types, in the order of
// Variables: its Eval computes in the precision that Evaluate chooses for them.
// That is float32 when at least one variable is float32 and all others are
// float32 or integers of at most 16 bits; then every number and every result on
// the way is rounded to float32, so that x == 0.1 matches a pixel that was stored
// as 0.1. Otherwise it is float64, for integers alone too. The values of variables
// themselves are taken as they are.
func (f *Formula) For(types ...rasterbase.PixelType) *Formula {
	if single := inFloat32(types); single != f.single {
		return compile(f.root, f.variables, single)
	}
	return f
}

func inFloat32(types []rasterbase.PixelType) bool {
	single := false
	for _, t := range types {
		switch t {
		case rasterbase.Float32:
			single = true
		case rasterbase.Float64, rasterbase.Int32, rasterbase.Uint32:
			return false
		}
	}
	return single
}

// PixelType is the type of the results of Evaluate for variables of these types,
// in the order of Variables: Uint8 when the formula as a whole is a comparison or
// a logical operator, whose results are 0 and 1; otherwise the precision that is
// computed in, Float32 or Float64. See [Formula.For].
func (f *Formula) PixelType(types ...rasterbase.PixelType) rasterbase.PixelType {
	switch {
	case f.root.isLogical():
		return rasterbase.Uint8
	case inFloat32(types):
		return rasterbase.Float32
	}
	return rasterbase.Float64
}

// Breaks tells where the result of a formula of at most one variable can
// change. It is ok only for comparisons of the variable with constants, and
// such joined by &, | and !: then the result is the same for all valid values
// below the first break, for all between two breaks that follow each other, and
// for all above the last; at a break it may be a third one. Breaks are finite,
// sorted and distinct.
func (f *Formula) Breaks() (breaks []float64, ok bool) {
	if len(f.variables) > 1 {
		return nil, false
	}
	breaks, ok = f.root.breaks(nil, f.single)
	if !ok {
		return nil, false
	}
	breaks = slices.DeleteFunc(breaks, func(v float64) bool { return !finite(v) })
	for i, v := range breaks {
		if v == 0 {
			breaks[i] = 0 // not -0
		}
	}
	slices.Sort(breaks)
	return slices.Compact(breaks), true
}

// constantValue evaluates a part of a formula that has no variables and is
// compared with.
func (n *node) constantValue(single bool) (float64, bool) {
	f := &Formula{single: single}
	f.emit(n, 0, true)
	stack := make([]Value, f.depth)
	f.execute(stack, nil)
	return stack[0].V, stack[0].Valid
}
