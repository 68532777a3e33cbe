package coverage

// Cost is the work of one pixel, roughly, as algebra.Formula.Cost has it: that of the
// formula and of those that it stands on.
func (f *Formula) Cost() int { return f.formula.Cost() + f.joined.cost() }

// Cost is the work of one pixel, roughly, as algebra.Formula.Cost has it: that of the
// formulas that the stack reads.
func (s *Stack) Cost() int { return s.joined.cost() }

// cost is the work of the inputs.
func (j *joined) cost() (sum int) {
	for _, in := range j.inputs {
		if c, ok := in.Coverage.(computed); ok {
			sum += c.Cost()
		}
	}
	return sum
}
