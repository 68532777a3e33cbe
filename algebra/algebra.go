// Package algebra is the formula language of rasterbase: it reads a formula
// over named variables, checks it, and evaluates it without allocating.
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
package algebra

import (
	"fmt"
	"math"
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
	program   []instruction
	depth     int // cells of stack that the program needs
	stacks    sync.Pool
}

// Parse reads a formula. A mistake is an error with the code invalid that
// wraps a [*SyntaxError].
func Parse(src string, o Options) (*Formula, error) {
	root, variables, err := parse(src, o.withDefaults())
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%w", err).WithField("formula")
	}
	return compile(root, variables), nil
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

// Float32 is the same formula for variables whose values are float32: constants
// that are compared with are rounded to float32, so that x == 0.1 matches a
// pixel that was stored as 0.1.
func (f *Formula) Float32() *Formula { return compile(f.root.rounded(), f.variables) }

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
	breaks, ok = f.root.breaks(nil)
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

// constantValue evaluates a part of a formula that has no variables.
func (n *node) constantValue() (float64, bool) {
	switch n.op {
	case opInf:
		return math.Inf(1), true
	case opNegate, opPlus:
		if v, ok := n.args[0].constantValue(); ok {
			if n.op == opNegate {
				v = -v
			}
			return v, true
		}
		return 0, false
	case opRound32:
		v, ok := n.args[0].constantValue()
		return float64(float32(v)), ok
	}
	return compile(n, nil).Eval(nil)
}
