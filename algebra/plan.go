package algebra

import (
	"math"
	"slices"
	"strconv"
)

// float is a precision that pixels are computed in.
type float interface{ float32 | float64 }

// kernel is what a step does with blocks of pixels.
type kernel uint8

const (
	kAdd kernel = iota // numbers from two numbers
	kSubtract
	kMultiply
	kDivide
	kPower
	kAtan2
	kMin
	kMax
	kNegate // numbers from numbers
	kCall
	kCopy
	kRows   // numbers from many numbers
	kSelect // numbers from truths and two numbers
	kNumber // numbers from truths
	kChain  // (a first b) last c
	kTail   // c last (a first b)
	kPair   // (a first b) last (c second d)
	kSum4   // a + b + c + d
	kSum5

	kEqual // truths from numbers, from here on
	kLess
	kLessEqual
	kInvalid
	kAnd // truths from truths, from here on
	kOr
	kNot
	kInvalidTruth
	kCopyTruth
)

// truths tells whether the results of k are truths, and whether the operands are.
func (k kernel) truths() (result, operands bool) {
	return k >= kEqual, k >= kAnd || k == kNumber
}

// step is one pass over a block. Operands and results are places of the block's
// numbers, or of its truths: 0, 1, and 255 for invalid. An operand that a step
// does not have is -1.
type step struct {
	kernel              kernel
	first, second, last kernel // of what is fused
	operands            [5]int // of kSelect: the condition, among the truths, and two numbers
	rows                []int  // operands of kRows
	fn                  *function
	name                string // of fn
	result              int
}

// plan is a formula compiled for blocks of pixels in one precision. Its places
// of numbers are: first the variables, then the variables after ~, then
// constants and intermediate results.
type plan[T float] struct {
	variables int
	steps     []step
	logical   bool // the results are truths
	result    int
	uses      []bool // by variable: it is read
	fills     []bool // by variable: it is read after ~
	compared  []bool // by variable: it pays to know whether a block of it is all valid

	numbers, truths   int // how many places there are
	constants         map[int]T
	constantTruths    map[int]uint8
	constantUnchecked []bool // by place of a number: a constant that is valid
}

// ref is a part of a formula in a plan that is being made.
type ref struct {
	constant bool
	truth    bool // place is among the truths
	place    int
	value    Value
}

// planner makes a plan. Equal steps become one.
type planner[T float] struct {
	f       *Formula // nothing but the precision
	p       *plan[T]
	known   map[string]int // steps, by what they do
	numbers map[uint64]int // constants, by their bits
}

func newPlan[T float](f *Formula) *plan[T] {
	v := len(f.variables)
	p := &plan[T]{
		variables: v, logical: f.root.isLogical(), numbers: 2 * v,
		uses: make([]bool, v), fills: make([]bool, v), compared: make([]bool, v),
		constants: map[int]T{}, constantTruths: map[int]uint8{},
	}
	b := &planner[T]{f: &Formula{single: isSingle[T]()}, p: p, known: map[string]int{}, numbers: map[uint64]int{}}
	r := b.build(f.root, false)
	if p.logical {
		p.result = b.truth(r)
		if !p.isMade() {
			p.result = b.add(step{kernel: kCopyTruth, operands: operands(p.result)})
		}
	} else {
		p.result = b.number(r)
		if !p.isMade() {
			p.result = b.add(step{kernel: kCopy, operands: operands(p.result)})
		}
	}
	p.prune()
	p.fuse()
	p.allocate()
	return p
}

func isSingle[T float]() bool {
	_, is := any(T(0)).(float32)
	return is
}

// isMade tells whether a step makes the result: it may be a constant or a variable.
func (p *plan[T]) isMade() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool {
		truth, _ := s.kernel.truths()
		return truth == p.logical && s.result == p.result
	})
}

func operands(places ...int) (o [5]int) {
	for i := range o {
		o[i] = -1
	}
	copy(o[:], places)
	return o
}

// add appends a step, or finds the one that does the same, and gives the place
// of its result.
func (b *planner[T]) add(s step) int {
	key := strconv.Itoa(int(s.kernel))
	for _, o := range append(s.operands[:], s.rows...) {
		key += " " + strconv.Itoa(o)
	}
	if s.fn != nil {
		key += " " + s.name
	}
	if place, ok := b.known[key]; ok {
		return place
	}
	if truth, _ := s.kernel.truths(); truth {
		s.result = b.p.truths
		b.p.truths++
	} else {
		s.result = b.p.numbers
		b.p.numbers++
	}
	b.known[key] = s.result
	b.p.steps = append(b.p.steps, s)
	return s.result
}

// number is the place of the numbers of r.
func (b *planner[T]) number(r ref) int {
	switch {
	case r.truth:
		return b.add(step{kernel: kNumber, operands: operands(r.place)})
	case !r.constant:
		return r.place
	}
	v := T(r.value.V)
	if !r.value.Valid {
		v = T(math.NaN())
	}
	bits := math.Float64bits(float64(v))
	place, ok := b.numbers[bits]
	if !ok {
		place = b.p.numbers
		b.p.numbers++
		b.numbers[bits] = place
		b.p.constants[place] = v
	}
	return place
}

// truth is the place of the truths of r: whether it is 0.
func (b *planner[T]) truth(r ref) int {
	switch {
	case r.truth:
		return r.place
	case !r.constant:
		zero := b.number(ref{constant: true, value: Value{0, true}})
		is := b.add(step{kernel: kEqual, operands: operands(r.place, zero)})
		return b.add(step{kernel: kNot, operands: operands(is)})
	}
	v := uint8(truth(r.value.V != 0))
	if !r.value.Valid {
		v = invalidTruth
	}
	for place, known := range b.p.constantTruths {
		if known == v { // there is one at most
			return place
		}
	}
	b.p.constantTruths[b.p.truths] = v
	b.p.truths++
	return b.p.truths - 1
}

// build adds the steps of n. Compared is as for emit.
func (b *planner[T]) build(n *node, compared bool) ref {
	if v, ok := constantOf(n, compared, b.f.single); ok {
		return ref{constant: true, value: v}
	}
	switch n.op {
	case opVariable:
		return ref{place: n.slot}
	case opFill:
		return ref{place: b.p.variables + n.args[0].slot}
	}
	if op, tested, ok := n.nullTest(); ok {
		return b.nullTest(op, b.build(tested, true))
	}
	args := make([]ref, len(n.args))
	constant := true
	for i, a := range n.args {
		args[i] = b.build(a, n.comparesOperands(compared))
		constant = constant && args[i].constant
	}
	if constant {
		return ref{constant: true, value: b.f.fold(n, args)}
	}
	switch n.op {
	case opPlus:
		return args[0]
	case opNot:
		return ref{truth: true, place: b.add(step{kernel: kNot, operands: operands(b.truth(args[0]))})}
	case opAnd, opOr:
		k := kAnd
		if n.op == opOr {
			k = kOr
		}
		return ref{truth: true, place: b.add(step{kernel: k, operands: operands(b.truth(args[0]), b.truth(args[1]))})}
	case opCall:
		return b.call(n, args)
	}
	if n.op.precedence() == precCompare {
		return b.compare(n.op, b.number(args[0]), b.number(args[1]))
	}
	return ref{place: b.arithmetic(n.op, args)}
}

// fold evaluates n for constants.
func (f *Formula) fold(n *node, args []ref) Value {
	values := make([]Value, len(args))
	for i, a := range args {
		values[i] = a.value
	}
	switch n.op {
	case opNegate, opPlus, opNot:
		return n.op.unary(values[0])
	case opCall:
		return f.round(n.fn.call(values))
	}
	return f.round(n.op.binary(values[0], values[1]))
}

func (b *planner[T]) nullTest(op operation, r ref) ref {
	var place int
	switch {
	case r.constant:
		return ref{constant: true, value: op.unary(r.value)}
	case r.truth:
		place = b.add(step{kernel: kInvalidTruth, operands: operands(r.place)})
	default:
		place = b.add(step{kernel: kInvalid, operands: operands(r.place)})
	}
	if op == opIsNotNull {
		place = b.add(step{kernel: kNot, operands: operands(place)})
	}
	return ref{truth: true, place: place}
}

func (b *planner[T]) compare(op operation, x, y int) ref {
	if op == opGreater || op == opGreaterEqual {
		x, y = y, x
	}
	k := map[operation]kernel{opEqual: kEqual, opNotEqual: kEqual, opLess: kLess, opGreater: kLess,
		opLessEqual: kLessEqual, opGreaterEqual: kLessEqual}[op]
	place := b.add(step{kernel: k, operands: operands(x, y)})
	if op == opNotEqual {
		place = b.add(step{kernel: kNot, operands: operands(place)})
	}
	return ref{truth: true, place: place}
}

func (b *planner[T]) arithmetic(op operation, args []ref) int {
	x := b.number(args[0])
	switch {
	case op == opNegate:
		return b.add(step{kernel: kNegate, operands: operands(x)})
	case op == opPower && args[1].constant && args[1].value == Value{2, true}: // see power
		return b.add(step{kernel: kMultiply, operands: operands(x, x)})
	}
	k := map[operation]kernel{opAdd: kAdd, opSubtract: kSubtract, opMultiply: kMultiply, opDivide: kDivide, opPower: kPower}[op]
	return b.add(step{kernel: k, operands: operands(x, b.number(args[1]))})
}

func (b *planner[T]) call(n *node, args []ref) ref {
	if n.fn.kind == kindWhere {
		return b.where(args)
	}
	places := make([]int, len(args))
	for i, a := range args {
		places[i] = b.number(a)
	}
	two := func(k kernel, x, y int) int { return b.add(step{kernel: k, operands: operands(x, y)}) }
	switch {
	case n.fn.kind == kindOne:
		return ref{place: b.add(step{kernel: kCall, operands: operands(places[0]), fn: n.fn, name: n.name})}
	case n.fn.kind == kindTwo:
		return ref{place: two(kAtan2, places[0], places[1])}
	case n.fn.kind == kindClip:
		return ref{place: two(kMin, two(kMax, places[0], places[1]), places[2])}
	case n.fn.many == manyMin || n.fn.many == manyMax:
		k := kMin
		if n.fn.many == manyMax {
			k = kMax
		}
		place := places[0]
		for _, other := range places[1:] {
			place = two(k, place, other)
		}
		return ref{place: place}
	}
	return ref{place: b.add(step{kernel: kRows, operands: operands(), rows: slices.Clone(places), fn: n.fn, name: n.name})}
}

func (b *planner[T]) where(args []ref) ref {
	switch c := args[0]; {
	case !c.constant:
		o := operands(b.truth(c), b.number(args[1]), b.number(args[2]))
		return ref{place: b.add(step{kernel: kSelect, operands: o})}
	case !c.value.Valid:
		return ref{constant: true, value: c.value}
	case c.value.V != 0:
		return args[1]
	}
	return args[2]
}
