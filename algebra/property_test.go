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
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			v := rapid.SampledFrom([]float64{0, 1, 2, 3, 0.1, 2.5, 1e5, 1e300, 1e-7, 3e38, 1e-40, 16777217}).Draw(t, "number")
			return &node{op: opNumber, number: v}
		case 1:
			name := rapid.SampledFrom([]string{"E", "PI", "TRUE", "FALSE"}).Draw(t, "name")
			op, v, _ := constant(name)
			return &node{op: op, name: name, number: v}
		}
		return genVariable(t)
	}
	sub := func() *node { return genNode(t, depth-1) }
	// Half of the operators are those that are fused.
	op := operation(rapid.IntRange(int(opFill), int(opCall)).Draw(t, "op"))
	if rapid.Bool().Draw(t, "arithmetic") {
		op = rapid.SampledFrom([]operation{opAdd, opAdd, opSubtract, opMultiply, opDivide}).Draw(t, "op")
	}
	switch {
	case op == opFill:
		return &node{op: op, args: []*node{genVariable(t)}}
	case op <= opNot:
		return &node{op: op, args: []*node{sub()}}
	case op == opCall:
		return genCall(t, sub)
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

func genCall(t *rapid.T, sub func() *node) *node {
	name := rapid.SampledFrom(Functions()).Draw(t, "function")
	fn := functions[name]
	n := &node{op: opCall, name: name, fn: fn}
	count := map[functionKind]int{kindOne: 1, kindTwo: 2, kindWhere: 3, kindClip: 3}[fn.kind]
	if fn.kind == kindMany {
		if count = rapid.IntRange(1, 5).Draw(t, "arguments"); count == 1 && fn.many != manyMedian {
			return &node{op: opReduction, name: name, args: []*node{genVariable(t)}}
		}
		count = max(count, 2)
	}
	for range count {
		n.args = append(n.args, sub())
	}
	if fn.kind == kindWhere && rapid.Bool().Draw(t, "null") {
		n.args[2] = &node{op: opNull, name: "NULL", number: math.NaN()}
	}
	return n
}

func genVariable(t *rapid.T) *node {
	slot := rapid.IntRange(0, 2).Draw(t, "slot")
	return &node{op: opVariable, name: []string{"x", "y", "z"}[slot], slot: slot}
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
		f, err := Parse(text, Options{Reductions: true})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !sameTree(tree, f.root) {
			t.Fatalf("%s reparses as %s", text, f)
		}
	})
}

func TestResultIsConstantBetweenBreaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := compile(genCondition(t, 4), []string{"x"}, false)
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
