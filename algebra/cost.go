package algebra

// Cost is the work of one [Formula.Eval], roughly: 1 for each number, name and
// operator, some more for a power and for a function, by what they take.
func (f *Formula) Cost() int { return f.root.cost() }

func (n *node) cost() int {
	sum := 1
	switch {
	case n.op == opPower:
		sum = 10
	case n.op == opCall:
		switch n.name {
		case "abs", "int", "floor", "ceil", "round", "sign", "sqrt", "min", "max", "where", "clip":
			sum = 2
		default: // sines, logarithms and the like
			sum = 10
		}
	}
	for _, a := range n.args {
		sum += a.cost()
	}
	return sum
}
