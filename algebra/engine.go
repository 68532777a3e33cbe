package algebra

import (
	"sync"
)

// blockSize is how many pixels are computed at a time: few enough that all
// operands and results of a formula's steps stay in the processor's first cache,
// and enough that what is done once a block costs nothing.
const blockSize = 1024

// lazyPlan is a plan that is made when it is first needed, with the memory for
// blocks that evaluations hand on to each other.
type lazyPlan[T float] struct {
	once    sync.Once
	plan    *plan[T]
	engines sync.Pool
}

func (l *lazyPlan[T]) engine(f *Formula) *engine[T] {
	l.once.Do(func() { l.plan = newPlan[T](f) })
	if e, ok := l.engines.Get().(*engine[T]); ok {
		return e
	}
	return newEngine(l.plan)
}

// engine is the memory that a plan is executed in, by one goroutine at a time.
type engine[T float] struct {
	plan    *plan[T]
	numbers [][]T     // by place, of blockSize
	valid   []bool    // by place of a number: the whole block is known to be valid
	truths  [][]uint8 // by place, of blockSize
	columns [][]T     // by variable: where its pixels are converted to; nil before it was needed
	rows    [][]T
}

func newEngine[T float](p *plan[T]) *engine[T] {
	e := &engine[T]{
		plan: p, numbers: make([][]T, p.numbers), valid: make([]bool, p.numbers), truths: make([][]uint8, p.truths),
		columns: make([][]T, p.variables), rows: make([][]T, MaxArguments),
	}
	copy(e.valid, p.constantUnchecked)
	for k := p.variables; k < p.numbers; k++ {
		if k >= 2*p.variables || p.fills[k-p.variables] {
			e.numbers[k] = make([]T, blockSize)
		}
	}
	for k := range e.truths {
		e.truths[k] = make([]uint8, blockSize)
	}
	for place, v := range p.constants {
		for i := range e.numbers[place] {
			e.numbers[place][i] = v
		}
	}
	for place, v := range p.constantTruths {
		for i := range e.truths[place] {
			e.truths[place][i] = v
		}
	}
	return e
}

// run executes the plan for the n pixels that the variables' places hold.
func (e *engine[T]) run(n int) {
	for i := range e.plan.steps {
		s := &e.plan.steps[i]
		switch result, _ := s.kernel.truths(); {
		case result:
			e.runTruths(s, e.truths[s.result][:n])
		case s.kernel >= kNegate:
			e.runFused(s, e.numbers[s.result][:n])
		default:
			e.runTwo(s, e.numbers[s.result][:n])
		}
	}
}

func (e *engine[T]) runTwo(s *step, dst []T) {
	a, b := e.numbers[s.operands[0]], e.numbers[s.operands[1]]
	switch s.kernel {
	case kPower:
		powers(dst, a, b)
	case kAtan2:
		angles(dst, a, b)
	case kMin:
		smaller(dst, a, b)
	case kMax:
		larger(dst, a, b)
	default:
		arithmetic(s.kernel, dst, a, b)
	}
}

func (e *engine[T]) runFused(s *step, dst []T) {
	o, v := &s.operands, e.numbers
	switch s.kernel {
	case kNegate:
		negative(dst, v[o[0]])
	case kCall:
		call(s.fn, s.name, dst, v[o[0]])
	case kCopy:
		copy(dst, v[o[0]])
	case kRows:
		for i, place := range s.rows {
			e.rows[i] = v[place]
		}
		rows(s.fn.many, dst, e.rows[:len(s.rows)])
	case kSelect:
		selected(dst, e.truths[o[0]], v[o[1]], v[o[2]])
	case kNumber:
		numbersOf(dst, e.truths[o[0]])
	case kChain:
		chain(s.first, s.last, dst, v[o[0]], v[o[1]], v[o[2]])
	case kTail:
		tail(s.first, s.last, dst, v[o[0]], v[o[1]], v[o[2]])
	case kPair:
		pair(s.first, s.last, s.second, dst, v[o[0]], v[o[1]], v[o[2]], v[o[3]])
	case kSum4:
		sum4(dst, v[o[0]], v[o[1]], v[o[2]], v[o[3]])
	case kSum5:
		sum5(dst, v[o[0]], v[o[1]], v[o[2]], v[o[3]], v[o[4]])
	}
}

func (e *engine[T]) runTruths(s *step, dst []uint8) {
	o := &s.operands
	switch s.kernel {
	case kAnd:
		both(dst, e.truths[o[0]], e.truths[o[1]])
	case kOr:
		either(dst, e.truths[o[0]], e.truths[o[1]])
	case kNot:
		opposite(dst, e.truths[o[0]])
	case kInvalidTruth:
		invalidTruths(dst, e.truths[o[0]])
	case kCopyTruth:
		copy(dst, e.truths[o[0]])
	case kInvalid:
		invalid(dst, e.numbers[o[0]])
	default:
		e.compare(s, dst)
	}
}

func (e *engine[T]) compare(s *step, dst []uint8) {
	a, b := s.operands[0], s.operands[1]
	x, y := e.numbers[a], e.numbers[b]
	switch s.kernel {
	case kEqual:
		equal(dst, x, y)
	case kLess:
		less(dst, x, y)
	default:
		lessEqual(dst, x, y)
	}
	switch {
	case e.valid[a] && e.valid[b]:
	case e.valid[a]: // and may be infinite, when it is a constant
		check(dst, y, y)
	case e.valid[b]:
		check(dst, x, x)
	default:
		check(dst, x, y)
	}
}
