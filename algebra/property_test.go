package algebra

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// genNode draws a tree that check accepts.
func genNode(t *rapid.T, depth int) *node {
	leaf := depth <= 0 || rapid.IntRange(0, 4).Draw(t, "leaf") == 0
	if leaf {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			v := rapid.SampledFrom([]float64{0, 1, 2, 3, 0.1, 2.5, 1e5, 1e300, 1e-7}).Draw(t, "number")
			return &node{op: opNumber, number: v}
		case 1:
			name := rapid.SampledFrom([]string{"E", "PI", "TRUE", "FALSE"}).Draw(t, "name")
			op, v, _ := constant(name)
			return &node{op: op, name: name, number: v}
		}
		return genVariable(t)
	}
	sub := func() *node { return genNode(t, depth-1) }
	op := operation(rapid.IntRange(int(opFill), int(opCall)).Draw(t, "op"))
	switch {
	case op == opFill:
		return &node{op: op, args: []*node{genVariable(t)}}
	case op <= opNot:
		return &node{op: op, args: []*node{sub()}}
	case op == opCall:
		name := rapid.SampledFrom(Functions()).Draw(t, "function")
		fn := functions[name]
		count := map[functionKind]int{kindOne: 1, kindTwo: 2, kindWhere: 3, kindClip: 3, kindMany: 3}[fn.kind]
		n := &node{op: op, name: name, fn: fn}
		for range count {
			n.args = append(n.args, sub())
		}
		if fn.kind == kindWhere && rapid.Bool().Draw(t, "null") {
			n.args[2] = &node{op: opNull, name: "NULL", number: math.NaN()}
		}
		return n
	}
	n := &node{op: op, args: []*node{sub(), sub()}}
	if op.precedence() == precCompare && rapid.IntRange(0, 5).Draw(t, "inf") == 0 {
		n.args[1] = &node{op: opInf, name: "INF", number: math.Inf(1)}
	}
	if (op == opEqual || op == opNotEqual) && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		n.args[rapid.IntRange(0, 1).Draw(t, "side")] = &node{op: opNull, name: "NULL", number: math.NaN()}
	}
	return n
}

func genVariable(t *rapid.T) *node {
	slot := rapid.IntRange(0, 1).Draw(t, "slot")
	return &node{op: opVariable, name: []string{"x", "y"}[slot], slot: slot}
}

func sameTree(a, b *node) bool {
	if a.op != b.op || a.name != b.name || len(a.args) != len(b.args) ||
		math.Float64bits(a.number) != math.Float64bits(b.number) {
		return false
	}
	for i := range a.args {
		if !sameTree(a.args[i], b.args[i]) {
			return false
		}
	}
	return true
}

func TestCanonicalFormReparses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tree := genNode(t, 5)
		text := tree.String()
		f, err := Parse(text, Options{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !sameTree(tree, f.root) {
			t.Fatalf("%s reparses as %s", text, f)
		}
	})
}

// naive evaluates a tree by the rules of the language, as they are written in
// the package comment, apart from the program. NaN is invalid.
func naive(n *node, vars []Value) float64 {
	invalid := math.NaN()
	if n.op == opCall && n.name == "where" {
		c := naive(n.args[0], vars)
		switch {
		case math.IsNaN(c):
			return invalid
		case c != 0:
			return naive(n.args[1], vars)
		}
		return naive(n.args[2], vars)
	}
	switch n.op {
	case opNumber, opNamed, opInf, opNull:
		return n.number
	case opVariable:
		if !vars[n.slot].Valid {
			return invalid
		}
		return vars[n.slot].V
	case opFill:
		return vars[n.args[0].slot].V
	}
	var v []float64
	missing := false
	for _, a := range n.args {
		v = append(v, naive(a, vars))
		missing = missing || math.IsNaN(v[len(v)-1])
	}
	if n.op == opEqual || n.op == opNotEqual {
		for i, a := range n.args {
			if a.op == opNull {
				return naiveTruth(math.IsNaN(v[1-i]) == (n.op == opEqual))
			}
		}
	}
	if missing {
		return invalid
	}
	r := naiveOperator(n, v)
	if math.IsInf(r, 0) && n.op != opNegate && n.op != opPlus {
		return invalid
	}
	return r
}

func naiveTruth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func naiveOperator(n *node, v []float64) float64 {
	if n.op == opCall {
		switch n.name {
		case "min":
			return math.Min(v[0], math.Min(v[1], v[2]))
		case "max":
			return math.Max(v[0], math.Max(v[1], v[2]))
		case "clip":
			return math.Min(v[2], math.Max(v[0], v[1]))
		case "atan2":
			return math.Atan2(v[0], v[1])
		}
		return n.fn.one(v[0])
	}
	if len(v) == 1 {
		return map[string]float64{"-": -v[0], "+": v[0], "!": naiveTruth(v[0] == 0)}[n.op.symbol()]
	}
	a, b := v[0], v[1]
	switch n.op.symbol() {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	case "^":
		return math.Pow(a, b)
	}
	return naiveTruth(map[string]bool{"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b,
		"&": a*1 != 0 && b != 0, "|": a != 0 || b != 0}[n.op.symbol()])
}

func genValue(t *rapid.T) Value {
	return Value{
		V:     rapid.SampledFrom([]float64{0, 1, -1, 2, 3, 0.5, -2.5, 0.1, 1e5, 1e300, -1e300, 255}).Draw(t, "v"),
		Valid: rapid.IntRange(0, 4).Draw(t, "valid") > 0,
	}
}

func TestProgramAgreesWithNaiveEvaluator(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tree := genNode(t, 5)
		f := compile(tree, []string{"x", "y"})
		for range 20 {
			vars := []Value{genValue(t), genValue(t)}
			want := naive(tree, vars)
			got, valid := f.Eval(vars)
			if valid == math.IsNaN(want) || valid && got != want {
				t.Fatalf("%s for %v: got %v, %v; want %v", tree, vars, got, valid, want)
			}
		}
	})
}

func TestResultIsConstantBetweenBreaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := compile(genCondition(t, 4), []string{"x"})
		breaks, ok := f.Breaks()
		if !ok {
			t.Fatalf("%s has no breaks", f)
		}
		ends := append(append([]float64{-1e9}, breaks...), 1e9)
		for i := 1; i < len(ends); i++ {
			lo, hi := math.Nextafter(ends[i-1], math.Inf(1)), math.Nextafter(ends[i], math.Inf(-1))
			a, okA := f.Eval([]Value{Of(lo)})
			b, okB := f.Eval([]Value{Of(hi)})
			if lo <= hi && (a != 0 != (b != 0) || okA != okB) {
				t.Fatalf("%s changes between %v and %v", f, lo, hi)
			}
		}
	})
}

func genCondition(t *rapid.T, depth int) *node {
	x := &node{op: opVariable, name: "x"}
	switch k := rapid.IntRange(0, 6).Draw(t, "kind"); {
	case k == 0 && depth > 0:
		return &node{op: opNot, args: []*node{genCondition(t, depth-1)}}
	case k < 4 && depth > 0:
		op := operation(rapid.IntRange(int(opAnd), int(opOr)).Draw(t, "op"))
		return &node{op: op, args: []*node{genCondition(t, depth-1), genCondition(t, depth-1)}}
	case k == 4:
		return x
	}
	op := operation(rapid.IntRange(int(opEqual), int(opLessEqual)).Draw(t, "op"))
	c := &node{op: opNumber, number: float64(rapid.IntRange(0, 5).Draw(t, "c"))}
	if rapid.Bool().Draw(t, "swap") {
		return &node{op: op, args: []*node{c, x}}
	}
	return &node{op: op, args: []*node{x, c}}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"(-3.0 < x) & (x <= 1)", "((a*5)+(b*3))*4", "where(x == NULL, ~x, -INF < x)", "2^-1e5", "min(1,2", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		parsed, err := Parse(src, Options{})
		if err != nil {
			se, ok := errors.AsType[*SyntaxError](err)
			if !ok || se.Column < 1 || se.Column > len(src)+1 {
				t.Fatalf("%q: %v", src, err)
			}
			return
		}
		text := parsed.String()
		again, err := Parse(text, Options{MaxLength: 1 << 20})
		if err != nil || !sameTree(parsed.root, again.root) {
			t.Fatalf("%q is written as %q, which reads as %v, %v", src, text, again, err)
		}
		parsed.Eval(make([]Value, len(parsed.variables)))
		parsed.Float32().Breaks()
	})
}
