package algebra

// isArithmetic tells that k is one of the four operations that can be fused.
func (k kernel) isArithmetic() bool { return k <= kDivide }

// prune leaves out steps whose results nothing needs, such as those of a branch that
// is never taken.
func (p *plan[T]) prune() {
	numbers, truths := make([]bool, p.numbers), make([]bool, p.truths)
	if p.logical {
		truths[p.result] = true
	} else {
		numbers[p.result] = true
	}
	kept := len(p.steps)
	for i := kept - 1; i >= 0; i-- {
		s := p.steps[i]
		truth, _ := s.kernel.truths()
		if truth && truths[s.result] || !truth && numbers[s.result] {
			p.eachNumber(s, func(place int) { numbers[place] = true })
			p.eachTruth(s, func(place int) { truths[place] = true })
			kept--
			p.steps[kept] = s
		}
	}
	p.steps = p.steps[kept:]
	for k := range p.variables {
		p.uses[k] = numbers[k] || numbers[p.variables+k]
		p.fills[k] = numbers[p.variables+k]
	}
}

// fuse makes one pass of several steps where the result of one is used by the next
// and nowhere else.
func (p *plan[T]) fuse() {
	used := make([]int, p.numbers)
	made := make([]int, p.numbers) // the step that makes the number at a place, from 1
	for i, s := range p.steps {
		p.eachNumber(s, func(place int) { used[place]++ })
		if truth, _ := s.kernel.truths(); !truth {
			made[s.result] = i + 1
		}
	}
	gone := make([]bool, len(p.steps))
	// inner is the step that makes an operand, when it can become part of another.
	inner := func(place int) (int, bool) {
		i := made[place] - 1
		return i, i >= 0 && used[place] == 1 && p.steps[i].kernel.isArithmetic()
	}
	for i := len(p.steps) - 1; i >= 0; i-- { // from the root, so that fused parts are large
		s := &p.steps[i]
		if gone[i] || !s.kernel.isArithmetic() {
			continue
		}
		if terms, parts := p.sumTerms(s, inner); len(terms) >= 4 {
			for _, k := range parts {
				gone[k] = true
			}
			s.kernel = kSum4 + kernel(len(terms)-4)
			s.operands = operands(terms...)
			continue
		}
		a, b := s.operands[0], s.operands[1]
		left, isLeft := inner(a)
		right, isRight := inner(b)
		switch {
		case isLeft && isRight && paired(p.steps[left].kernel, s.kernel, p.steps[right].kernel):
			l, r := p.steps[left], p.steps[right]
			gone[left], gone[right] = true, true
			*s = step{kernel: kPair, first: l.kernel, second: r.kernel, last: s.kernel,
				operands: operands(l.operands[0], l.operands[1], r.operands[0], r.operands[1]), result: s.result}
		case isLeft:
			l := p.steps[left]
			gone[left] = true
			*s = step{kernel: kChain, first: l.kernel, last: s.kernel, operands: operands(l.operands[0], l.operands[1], b), result: s.result}
		case isRight:
			r := p.steps[right]
			gone[right] = true
			k := kTail
			if s.kernel == kAdd || s.kernel == kMultiply { // the order makes no difference
				k = kChain
			}
			*s = step{kernel: k, first: r.kernel, last: s.kernel, operands: operands(r.operands[0], r.operands[1], a), result: s.result}
		}
	}
	kept := p.steps[:0]
	for i, s := range p.steps {
		if !gone[i] {
			kept = append(kept, s)
		}
	}
	p.steps = kept
}

// sumTerms are the last 4 or 5 terms of a sum that is taken from left to right,
// and the steps besides s that take it.
func (p *plan[T]) sumTerms(s *step, inner func(int) (int, bool)) (terms, parts []int) {
	if s.kernel != kAdd {
		return nil, nil
	}
	terms = []int{s.operands[0], s.operands[1]}
	for len(terms) < 5 {
		i, ok := inner(terms[0])
		if !ok || p.steps[i].kernel != kAdd {
			break
		}
		parts = append(parts, i)
		terms = append([]int{p.steps[i].operands[0], p.steps[i].operands[1]}, terms[1:]...)
	}
	return terms, parts
}

// eachNumber calls do for each operand of a step that is among the numbers.
func (p *plan[T]) eachNumber(s step, do func(place int)) {
	_, truths := s.kernel.truths()
	for i, o := range s.operands {
		if o >= 0 && !truths && (i > 0 || s.kernel != kSelect) {
			do(o)
		}
	}
	for _, o := range s.rows {
		do(o)
	}
}

// eachTruth calls do for each operand of a step that is among the truths.
func (p *plan[T]) eachTruth(s step, do func(place int)) {
	_, truths := s.kernel.truths()
	for i, o := range s.operands {
		if o >= 0 && (truths || i == 0 && s.kernel == kSelect) {
			do(o)
		}
	}
}

// allocate gives results that are not needed at one time the same place. What a
// step reads for the last time may have the place of what it writes.
func (p *plan[T]) allocate() {
	numbers := newPlaces(p.numbers)
	truths := newPlaces(p.truths)
	for place := range 2 * p.variables {
		numbers.fixed(place)
	}
	for i, s := range p.steps {
		p.eachNumber(s, func(place int) { numbers.last[place] = i })
		p.eachTruth(s, func(place int) { truths.last[place] = i })
	}
	constants := make(map[int]T, len(p.constants))
	for place, v := range p.constants {
		if numbers.last[place] >= 0 {
			constants[numbers.fixed(place)] = v
		}
	}
	constantTruths := make(map[int]uint8, len(p.constantTruths))
	for place, v := range p.constantTruths {
		constantTruths[truths.fixed(place)] = v
	}
	for i := range p.steps {
		s := &p.steps[i]
		old := *s
		s.rows = append([]int(nil), old.rows...)
		_, fromTruths := s.kernel.truths()
		for k, o := range s.operands {
			switch {
			case o < 0:
			case fromTruths || k == 0 && s.kernel == kSelect:
				s.operands[k] = truths.now[o]
			default:
				s.operands[k] = numbers.now[o]
			}
		}
		for k, o := range s.rows {
			s.rows[k] = numbers.now[o]
		}
		p.eachNumber(old, func(place int) { numbers.free(place, i) })
		p.eachTruth(old, func(place int) { truths.free(place, i) })
		if truth, _ := s.kernel.truths(); truth {
			s.result = truths.take(old.result)
		} else {
			s.result = numbers.take(old.result)
		}
		p.noteCompared(s)
	}
	if p.logical {
		p.result = truths.now[p.result]
	} else {
		p.result = numbers.now[p.result]
	}
	p.numbers, p.truths = numbers.count, truths.count
	p.constants, p.constantTruths = constants, constantTruths
	p.constantUnchecked = make([]bool, p.numbers)
	for place, v := range constants {
		p.constantUnchecked[place] = v == v // an infinity was written to be compared with
	}
}

// noteCompared notes variables whose pixels a step must look at one by one, unless
// all of a block are known to be valid.
func (p *plan[T]) noteCompared(s *step) {
	if s.kernel != kEqual && s.kernel != kLess && s.kernel != kLessEqual {
		return
	}
	for _, o := range s.operands[:2] {
		if o < p.variables {
			p.compared[o] = true
		}
	}
}

// places hands out places again whose values are not needed any more.
type places struct {
	now   []int // by the place in the plan: the place that it got
	last  []int // the step that reads it last
	keeps []bool
	spare []int
	count int
}

func newPlaces(n int) *places {
	p := &places{now: make([]int, n), last: make([]int, n), keeps: make([]bool, n)}
	for i := range n {
		p.now[i], p.last[i] = -1, -1
	}
	return p
}

// fixed takes a place that is never handed on.
func (p *places) fixed(place int) int {
	p.keeps[place] = true
	p.now[place] = p.count
	p.count++
	return p.now[place]
}

func (p *places) free(place, step int) {
	if p.last[place] == step && !p.keeps[place] {
		p.keeps[place] = true // once
		p.spare = append(p.spare, p.now[place])
	}
}

func (p *places) take(place int) int {
	if n := len(p.spare); n > 0 {
		p.now[place], p.spare = p.spare[n-1], p.spare[:n-1]
		return p.now[place]
	}
	p.now[place] = p.count
	p.count++
	return p.now[place]
}
