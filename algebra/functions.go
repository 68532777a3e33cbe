package algebra

import (
	"fmt"
	"math"
	"slices"
)

// MaxArguments is the largest number of arguments of a function.
const MaxArguments = 64

type functionKind uint8

const (
	kindOne     functionKind = iota // of one number
	kindTwo                         // of two numbers
	kindMany                        // of two numbers or more; of one it would be a reduction
	kindWhere                       // of a condition and two branches
	kindClip                        // of a value and two limits
	kindRefused                     // known, and why it is not there
)

type function struct {
	kind functionKind
	one  func(float64) float64
	two  func(a, b float64) float64
	// largest is which of many numbers is taken. A function value would make
	// the stack of every evaluation escape to the heap.
	largest bool
}

// functions is fixed: nothing writes to it.
var functions = map[string]*function{
	"sin":    {kind: kindOne, one: math.Sin},
	"cos":    {kind: kindOne, one: math.Cos},
	"tan":    {kind: kindOne, one: math.Tan},
	"asin":   {kind: kindOne, one: math.Asin},
	"acos":   {kind: kindOne, one: math.Acos},
	"atan":   {kind: kindOne, one: math.Atan},
	"atan2":  {kind: kindTwo, two: math.Atan2},
	"log":    {kind: kindOne, one: math.Log},
	"log10":  {kind: kindOne, one: math.Log10},
	"exp":    {kind: kindOne, one: math.Exp},
	"sqrt":   {kind: kindOne, one: math.Sqrt},
	"abs":    {kind: kindOne, one: math.Abs},
	"int":    {kind: kindOne, one: math.Trunc},
	"floor":  {kind: kindOne, one: math.Floor},
	"ceil":   {kind: kindOne, one: math.Ceil},
	"round":  {kind: kindOne, one: math.Round},
	"sign":   {kind: kindOne, one: sign},
	"min":    {kind: kindMany},
	"max":    {kind: kindMany, largest: true},
	"where":  {kind: kindWhere},
	"clip":   {kind: kindClip},
	"mean":   {kind: kindRefused},
	"median": {kind: kindRefused},
	"std":    {kind: kindRefused},
	"sum":    {kind: kindRefused},
}

// Functions lists the names of the functions that a formula may call, sorted:
//
//	sin cos tan asin acos atan   angles in radians; atan2(y, x)
//	log log10 exp sqrt abs       log is the natural one
//	int floor ceil round sign    int drops the fraction; round takes halves away from zero
//	min(a, b, ...) max(a, b, ...)
//	where(c, a, b)               a where c is not 0, b elsewhere
//	clip(x, lo, hi)              x, but at least lo and then at most hi
func Functions() []string {
	var names []string
	for name, fn := range functions {
		if fn.kind != kindRefused {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkArguments tells what is wrong with a number of arguments.
func (fn *function) checkArguments(name string, n int) string {
	want := map[functionKind]int{kindOne: 1, kindTwo: 2, kindWhere: 3, kindClip: 3}[fn.kind]
	switch {
	case fn.kind == kindRefused:
		return fmt.Sprintf("%s is not a function of single pixels: over a raster that is kept in tiles each tile would get another result", name)
	case fn.kind == kindMany && n == 1:
		return fmt.Sprintf("%s of one argument would reduce all pixels to one, and each tile would get another result: give it two or more", name)
	case fn.kind == kindMany && n < 2:
		return fmt.Sprintf("%s takes two arguments or more", name)
	case fn.kind == kindMany && n > MaxArguments:
		return fmt.Sprintf("%s takes at most %d arguments", name, MaxArguments)
	case fn.kind != kindMany && n != want:
		return fmt.Sprintf("%s takes %d argument%s, not %d", name, want, plural(want), n)
	}
	return ""
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// extreme is the smallest or the largest of the arguments.
func (fn *function) extreme(args []Value) float64 {
	m := args[0].V
	for _, a := range args[1:] {
		if fn.largest {
			m = max(m, a.V)
		} else {
			m = min(m, a.V)
		}
	}
	return m
}
