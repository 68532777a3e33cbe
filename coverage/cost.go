package coverage

// Cost is the work of one pixel, roughly, as algebra.Formula.Cost has it: that of the
// formula and of those that it stands on.
func (f *Formula) Cost() int {
	sum := f.formula.Cost()
	for _, in := range f.inputs {
		if inner, ok := in.Coverage.(*Formula); ok {
			sum += inner.Cost()
		}
	}
	return sum
}
