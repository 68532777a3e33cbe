package algebra

import (
	"math"
	"strconv"
	"strings"
)

// operation is what a node of the tree, and a step of the program, does.
type operation uint8

const (
	opNumber operation = iota
	opNamed            // a constant with a finite value
	opNull
	opInf
	opVariable
	opFill
	opNegate
	opPlus
	opNot
	opPower
	opMultiply
	opDivide
	opAdd
	opSubtract
	opEqual
	opNotEqual
	opGreater
	opGreaterEqual
	opLess
	opLessEqual
	opAnd
	opOr
	opCall
	opReduction // of all pixels of a variable; its result is not known yet
	// The rest are made later and have no form of their own in the language.
	opBound // a reduction whose result is known: number, NaN for invalid
	opIsNull
	opIsNotNull
)

// precedence is how tight an operator binds: more is tighter.
type precedence uint8

const (
	precOr precedence = iota + 1
	precAnd
	precCompare
	precSum
	precProduct
	precUnary
	precPower
	precPrimary
)

func (op operation) precedence() precedence {
	switch op {
	case opOr:
		return precOr
	case opAnd:
		return precAnd
	case opEqual, opNotEqual, opGreater, opGreaterEqual, opLess, opLessEqual:
		return precCompare
	case opAdd, opSubtract:
		return precSum
	case opMultiply, opDivide:
		return precProduct
	case opNegate, opPlus, opNot, opFill:
		return precUnary
	case opPower:
		return precPower
	}
	return precPrimary
}

func (op operation) symbol() string {
	return [...]string{opFill: "~", opNegate: "-", opPlus: "+", opNot: "!", opPower: "^",
		opMultiply: "*", opDivide: "/", opAdd: "+", opSubtract: "-", opEqual: "==", opNotEqual: "!=",
		opGreater: ">", opGreaterEqual: ">=", opLess: "<", opLessEqual: "<=", opAnd: "&", opOr: "|"}[op]
}

// binaryOperator finds an operator between two operands, but for the power,
// which the parser reads apart.
func binaryOperator(symbol string) (operation, bool) {
	for op := opMultiply; op <= opOr; op++ {
		if op.symbol() == symbol {
			return op, true
		}
	}
	return 0, false
}

func unaryOperator(symbol string) (operation, bool) {
	for op := opFill; op <= opNot; op++ {
		if op.symbol() == symbol {
			return op, true
		}
	}
	return 0, false
}

func constant(name string) (operation, float64, bool) {
	switch name {
	case "E":
		return opNamed, math.E, true
	case "PI":
		return opNamed, math.Pi, true
	case "TRUE":
		return opNamed, 1, true
	case "FALSE":
		return opNamed, 0, true
	case "NULL":
		return opNull, math.NaN(), true
	case "INF":
		return opInf, math.Inf(1), true
	}
	return 0, 0, false
}

// node is a part of a formula's tree.
type node struct {
	op     operation
	column int
	number float64   // of a number or a constant
	name   string    // of a constant, a variable or a function
	slot   int       // of a variable: its place among the variables
	fn     *function // of a call
	args   []*node
}

// String is the canonical form.
func (n *node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	switch {
	case n.op == opNumber:
		b.WriteString(strconv.FormatFloat(n.number, 'g', -1, 64))
	case n.op == opCall || n.op == opReduction:
		b.WriteString(n.name)
		b.WriteByte('(')
		for i, a := range n.args {
			if i > 0 {
				b.WriteString(", ")
			}
			a.write(b)
		}
		b.WriteByte(')')
	case len(n.args) == 0:
		b.WriteString(n.name)
	case len(n.args) == 1:
		b.WriteString(n.op.symbol())
		n.args[0].writeInside(b, precUnary)
	case n.op == opPower:
		n.args[0].writeInside(b, precPrimary)
		b.WriteByte('^')
		n.args[1].writeInside(b, precUnary)
	default:
		own := n.op.precedence()
		left := own
		if own == precCompare {
			left++
		}
		n.args[0].writeInside(b, left)
		b.WriteString(" " + n.op.symbol() + " ")
		n.args[1].writeInside(b, own+1)
	}
}

// writeInside writes parentheses around what binds less tight than lowest.
func (n *node) writeInside(b *strings.Builder, lowest precedence) {
	if n.op.precedence() >= lowest {
		n.write(b)
		return
	}
	b.WriteByte('(')
	n.write(b)
	b.WriteByte(')')
}

// place says what may stand somewhere in a formula.
type place struct{ inf, null bool }

// check refuses INF and NULL where they have no meaning.
func (n *node) check(p place) *SyntaxError {
	fail := func(message string) *SyntaxError { return &SyntaxError{n.column, message} }
	var inside place
	switch n.op {
	case opInf:
		if !p.inf {
			return fail("INF can only be compared with")
		}
	case opNull:
		if !p.null {
			return fail("NULL can only be compared with == and !=, or be a branch of where")
		}
	case opNegate, opPlus:
		inside.inf = p.inf
	case opEqual, opNotEqual:
		inside = place{inf: true, null: true}
	case opGreater, opGreaterEqual, opLess, opLessEqual:
		inside.inf = true
	}
	for i, a := range n.args {
		at := inside
		if n.op == opCall && n.fn.kind == kindWhere && i > 0 {
			at.null = true
		}
		if err := a.check(at); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) hasVariable() bool {
	if n.op == opVariable {
		return true
	}
	for _, a := range n.args {
		if a.hasVariable() {
			return true
		}
	}
	return false
}

// isLogical tells that the values of n are 1 and 0.
func (n *node) isLogical() bool {
	p := n.op.precedence()
	return n.op == opNot || p == precCompare || p == precAnd || p == precOr
}

// breaks appends the constants that the variable is compared with, and tells
// whether the tree is made of such comparisons, &, | and ! alone.
func (n *node) breaks(to []float64, single bool) ([]float64, bool) {
	switch n.op {
	case opAnd, opOr, opNot:
		for _, a := range n.args {
			with, ok := a.breaks(to, single)
			if !ok {
				return nil, false
			}
			to = with
		}
		return to, true
	case opVariable: // true where it is not 0
		return append(to, 0), true
	}
	if !n.hasVariable() {
		return to, true
	}
	if n.op.precedence() != precCompare {
		return nil, false
	}
	a, b := n.args[0], n.args[1]
	if b.op == opVariable {
		a, b = b, a
	}
	if a.op != opVariable {
		return nil, false
	}
	switch {
	case b.op == opVariable || b.op == opNull:
		return to, true
	case b.hasVariable():
		return nil, false
	}
	if v, ok := b.constantValue(single); ok {
		to = append(to, v)
	}
	return to, true
}
