package algebra

import "math"

// instruction is one step of a program for a machine with a stack: it takes its
// operands from the top and leaves its result there.
type instruction struct {
	op    operation
	count int   // operands of a call, or the variable's place
	value Value // of a constant
	fn    *function
}

// compile makes the program of a tree. Parts without variables are evaluated
// here, once.
func compile(root *node, variables []string, single bool) *Formula {
	f := &Formula{root: root, variables: variables, single: single}
	f.emit(root, 0, false)
	depth := f.depth
	f.stacks.New = func() any { s := make([]Value, depth); return &s }
	return f
}

// constantOf is the value of a node that stands for a constant. Compared tells
// that it is an operand of a comparison: a number too large for float32 is
// infinite there, and invalid elsewhere.
func constantOf(n *node, compared, single bool) (Value, bool) {
	v := n.number
	switch n.op {
	case opNumber, opNamed, opBound:
		if single {
			v = float64(float32(v))
		}
		return Value{v, finite(v) || compared && math.IsInf(v, 0)}, true
	case opInf:
		return Value{v, true}, true
	case opNull, opReduction:
		return Value{math.NaN(), false}, true
	}
	return Value{}, false
}

// comparesOperands tells whether the operands of n are compared, when n itself
// is or is not.
func (n *node) comparesOperands(compared bool) bool {
	return n.op.precedence() == precCompare || compared && (n.op == opNegate || n.op == opPlus)
}

// nullTest takes n for a test of validity, x == NULL, and gives what is tested.
func (n *node) nullTest() (operation, *node, bool) {
	if n.op != opEqual && n.op != opNotEqual {
		return 0, nil, false
	}
	op := opIsNull
	if n.op == opNotEqual {
		op = opIsNotNull
	}
	switch {
	case n.args[1].op == opNull:
		return op, n.args[0], true
	case n.args[0].op == opNull:
		return op, n.args[1], true
	}
	return 0, nil, false
}

// emit appends the program of n, which finds height cells on the stack, and
// tells whether it came out as a constant.
func (f *Formula) emit(n *node, height int, compared bool) (constant bool) {
	f.depth = max(f.depth, height+1)
	start := len(f.program)
	if v, ok := constantOf(n, compared, f.single); ok {
		return f.push(start, v)
	}
	switch n.op {
	case opVariable:
		f.program = append(f.program, instruction{op: opVariable, count: n.slot})
		return false
	case opFill:
		f.program = append(f.program, instruction{op: opFill, count: n.args[0].slot})
		return false
	}
	step := instruction{op: n.op, count: len(n.args), fn: n.fn}
	args := n.args
	if op, tested, ok := n.nullTest(); ok {
		args, step.op = []*node{tested}, op
	}
	constant = true
	for i, a := range args {
		constant = f.emit(a, height+i, n.comparesOperands(compared)) && constant
	}
	f.program = append(f.program, step)
	if !constant {
		return false
	}
	part := Formula{program: f.program[start:], single: f.single}
	stack := make([]Value, len(args)+1)
	part.execute(stack, nil)
	return f.push(start, stack[0])
}

// push replaces the program from start on by a constant.
func (f *Formula) push(start int, v Value) bool {
	f.program = append(f.program[:start], instruction{op: opNumber, value: v})
	return true
}

// run executes the program and gives the result when it is valid.
func (f *Formula) run(stack []Value, vars []Value) (float64, bool) {
	f.execute(stack, vars)
	if r := stack[0]; r.Valid && finite(r.V) {
		return r.V, true
	}
	return 0, false
}

// execute leaves the result in the first cell of the stack.
func (f *Formula) execute(stack []Value, vars []Value) {
	top := -1 // the index of the top cell
	for i := range f.program {
		step := &f.program[i]
		switch step.op {
		case opNumber:
			top++
			stack[top] = step.value
		case opVariable:
			top++
			v := vars[step.count]
			stack[top] = Value{v.V, v.Valid && finite(v.V)}
		case opFill:
			top++
			stack[top] = f.round(Of(vars[step.count].V))
		case opNegate, opPlus, opNot, opIsNull, opIsNotNull:
			stack[top] = step.op.unary(stack[top])
		case opCall:
			top -= step.count - 1
			stack[top] = f.round(step.fn.call(stack[top : top+step.count]))
		default:
			top--
			stack[top] = f.round(step.op.binary(stack[top], stack[top+1]))
		}
	}
}

// round rounds to float32 where that is the precision. The operands of every
// operator are float32 then, so that a sum, a product, a quotient and a square
// root that are rounded to float64 first come out as if rounded once.
func (f *Formula) round(v Value) Value {
	if f.single {
		v.V = float64(float32(v.V))
		v.Valid = v.Valid && finite(v.V)
	}
	return v
}

func (op operation) unary(a Value) Value {
	switch op {
	case opNegate:
		a.V = -a.V
	case opNot:
		a.V = truth(a.V == 0)
	case opIsNull:
		return Value{truth(!a.Valid), true}
	case opIsNotNull:
		return Value{truth(a.Valid), true}
	}
	return a
}

func (op operation) binary(a, b Value) Value {
	r := Value{Valid: a.Valid && b.Valid}
	switch op {
	case opAdd:
		r.V = a.V + b.V
	case opSubtract:
		r.V = a.V - b.V
	case opMultiply:
		r.V = a.V * b.V
	case opDivide:
		r.V = a.V / b.V
	case opPower:
		r.V = power(a.V, b.V)
	default:
		r.V = truth(op.holds(a.V, b.V))
		return r
	}
	r.Valid = r.Valid && finite(r.V)
	return r
}

// holds evaluates a comparison or a logical operator.
func (op operation) holds(a, b float64) bool {
	switch op {
	case opEqual:
		return a == b
	case opNotEqual:
		return a != b
	case opGreater:
		return a > b
	case opGreaterEqual:
		return a >= b
	case opLess:
		return a < b
	case opLessEqual:
		return a <= b
	case opAnd:
		return a != 0 && b != 0
	}
	return a != 0 || b != 0 // opOr
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// call evaluates a function.
func (fn *function) call(args []Value) Value {
	if fn.kind == kindWhere {
		switch c := args[0]; {
		case !c.Valid:
			return c
		case c.V != 0:
			return args[1]
		}
		return args[2]
	}
	for _, a := range args {
		if !a.Valid {
			return Value{math.NaN(), false}
		}
	}
	var v float64
	switch fn.kind {
	case kindOne:
		v = fn.one(args[0].V)
	case kindTwo:
		v = fn.two(args[0].V, args[1].V)
	case kindMany:
		var numbers [MaxArguments]float64
		for i, a := range args {
			numbers[i] = a.V
		}
		v = fn.many.of(numbers[:len(args)])
	case kindClip:
		v = min(max(args[0].V, args[1].V), args[2].V)
	}
	return Of(v)
}
