package algebra

import "math"

// Reduction is a statistic of all valid pixels of a whole input.
type Reduction struct {
	Function string // min, max, mean, std (of a population) or sum
	Variable string
}

// Reductions lists the reductions in the formula whose results are not known yet,
// each once, in the order in which they first stand there. The variable of one is
// among Variables even if it stands nowhere else.
func (f *Formula) Reductions() []Reduction {
	var list []Reduction
	seen := map[Reduction]bool{}
	f.root.visit(func(n *node) {
		if n.op != opReduction {
			return
		}
		if r := n.reduction(); !seen[r] {
			seen[r] = true
			list = append(list, r)
		}
	})
	return list
}

func (n *node) reduction() Reduction { return Reduction{n.name, n.args[0].name} }

// visit calls do for n and all parts of it, from left to right.
func (n *node) visit(do func(*node)) {
	do(n)
	for _, a := range n.args {
		a.visit(do)
	}
}

// Bind is the formula with the results of its reductions, as value tells them;
// where it does not know one, or knows one that is not finite, the reduction is
// invalid for every pixel, as it is when a formula is evaluated without. Variables
// and the text stay what they are.
func (f *Formula) Bind(value func(Reduction) (float64, bool)) (*Formula, error) {
	if len(f.Reductions()) == 0 {
		return f, nil
	}
	return compile(f.root.bound(value), f.variables, f.single), nil
}

func (n *node) bound(value func(Reduction) (float64, bool)) *node {
	if n.op == opReduction {
		v, ok := value(n.reduction())
		if !ok || !finite(v) {
			v = math.NaN()
		}
		return &node{op: opBound, name: n.String(), number: v, column: n.column}
	}
	if len(n.args) == 0 {
		return n
	}
	c := *n
	c.args = make([]*node, len(n.args))
	for i, a := range n.args {
		c.args[i] = a.bound(value)
	}
	return &c
}

// Strict tells that a result can only be valid where all variables are valid: the
// pixels of one cannot be left out by where, stood in for by ~, or only be asked
// for their validity.
func (f *Formula) Strict() bool {
	needed, _ := f.root.needs(len(f.variables))
	for _, is := range needed {
		if !is {
			return false
		}
	}
	return true
}

// needs tells for each variable whether n is invalid wherever it is, and whether
// n is never valid at all.
func (n *node) needs(variables int) (needed []bool, never bool) {
	needed = make([]bool, variables)
	switch n.op {
	case opVariable:
		needed[n.slot] = true
		return needed, false
	case opNull, opReduction:
		return needed, true
	case opFill:
		return needed, false
	}
	if _, _, ok := n.nullTest(); ok {
		return needed, false
	}
	args := n.args
	if n.op == opCall && n.fn.kind == kindWhere {
		a, aNever := args[1].needs(variables)
		b, bNever := args[2].needs(variables)
		for i := range needed {
			needed[i] = (aNever || a[i]) && (bNever || b[i]) // that of the branch that is taken
		}
		never = aNever && bNever
		args = args[:1]
	}
	for _, arg := range args {
		a, aNever := arg.needs(variables)
		never = never || aNever
		for i := range needed {
			needed[i] = needed[i] || a[i]
		}
	}
	return needed, never
}
