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
	kindOne   functionKind = iota // of one number
	kindTwo                       // of two numbers
	kindMany                      // of two numbers or more; of one it is a reduction
	kindWhere                     // of a condition and two branches
	kindClip                      // of a value and two limits
)

// manyKind is which function of many numbers it is. A function value would make
// the stack of every evaluation escape to the heap.
type manyKind uint8

const (
	manyMin manyKind = iota
	manyMax
	manySum
	manyMean
	manyStd
	manyMedian
)

type function struct {
	kind functionKind
	one  func(float64) float64
	two  func(a, b float64) float64
	many manyKind
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
	"min":    {kind: kindMany, many: manyMin},
	"max":    {kind: kindMany, many: manyMax},
	"sum":    {kind: kindMany, many: manySum},
	"mean":   {kind: kindMany, many: manyMean},
	"std":    {kind: kindMany, many: manyStd},
	"median": {kind: kindMany, many: manyMedian},
	"where":  {kind: kindWhere},
	"clip":   {kind: kindClip},
}

// Functions lists the names of the functions that a formula may call, sorted:
//
//	sin cos tan asin acos atan   angles in radians; atan2(y, x)
//	log log10 exp sqrt abs       log is the natural one
//	int floor ceil round sign    int drops the fraction; round takes halves away from zero
//	min max sum mean std median  of two arguments or more, pixel by pixel; std is that of a
//	                             population; the median of an even number is the mean of the
//	                             two in the middle
//	where(c, a, b)               a where c is not 0, b elsewhere
//	clip(x, lo, hi)              x, but at least lo and then at most hi
func Functions() []string {
	var names []string
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkArguments tells what is wrong with a number of arguments.
func (fn *function) checkArguments(name string, n int) string {
	want := map[functionKind]int{kindOne: 1, kindTwo: 2, kindWhere: 3, kindClip: 3}[fn.kind]
	switch {
	case fn.kind == kindMany && n < 2:
		return fmt.Sprintf("%s takes two arguments or more", name)
	case fn.kind == kindMany && n > MaxArguments:
		return fmt.Sprintf("%s takes at most %d arguments", name, MaxArguments)
	case fn.kind != kindMany && n != want:
		return fmt.Sprintf("%s takes %d argument%s, not %d", name, want, plural(want), n)
	}
	return ""
}

// checkReduction tells why there is no reduction of an argument. Statistics of a
// whole input are the same for each of its tiles; whatever a tile could compute of
// its own pixels would differ from one to the next.
func (fn *function) checkReduction(name string, arg *node, allowed bool) string {
	switch {
	case !allowed:
		return fmt.Sprintf("%s of one argument would reduce all pixels to one, and each tile would get another result: give it two or more", name)
	case fn.many == manyMedian:
		return "median of one argument would need all pixels of the input in order, which no tile knows: give it two or more"
	case arg.op != opVariable:
		return fmt.Sprintf("%s of one argument is the statistic of a whole input, which is known for a plain name only: each tile would get another result for an expression", name)
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

// power is a^b. A square is a product: that is rounded once.
func power(a, b float64) float64 {
	if b == 2 {
		return a * a
	}
	return math.Pow(a, b)
}

// of is the function of many numbers, all finite. It may sort them.
func (k manyKind) of(v []float64) float64 {
	switch k {
	case manyMin:
		m := v[0]
		for _, x := range v[1:] {
			m = min(m, x)
		}
		return m
	case manyMax:
		m := v[0]
		for _, x := range v[1:] {
			m = max(m, x)
		}
		return m
	case manySum:
		return total(v)
	case manyMean:
		return total(v) / float64(len(v))
	case manyStd:
		return deviation(v)
	}
	return median(v)
}

func total(v []float64) float64 {
	sum := v[0]
	for _, x := range v[1:] {
		sum += x
	}
	return sum
}

// deviation is the standard deviation of a population.
func deviation(v []float64) float64 {
	mean := total(v) / float64(len(v))
	squares := 0.0
	for _, x := range v {
		squares += float64((x - mean) * (x - mean))
	}
	return math.Sqrt(squares / float64(len(v)))
}

// median sorts v by insertion, in place: there are at most MaxArguments.
func median(v []float64) float64 {
	for i := 1; i < len(v); i++ {
		x, k := v[i], i
		for ; k > 0 && x < v[k-1]; k-- {
			v[k] = v[k-1]
		}
		v[k] = x
	}
	half := len(v) / 2
	if len(v)%2 == 1 {
		return v[half]
	}
	return (v[half-1] + v[half]) / 2
}
