package algebra

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// parser reads by recursive descent for what nests and by a loop for operators
// of one precedence, so that only nesting, which is limited, uses the stack.
type parser struct {
	lex       lexer
	tok       token
	limits    Options
	nodes     int
	depth     int
	variables []string
}

func parse(src string, o Options) (*node, []string, error) {
	if len(src) > o.MaxLength && utf8.RuneCountInString(src) > o.MaxLength {
		return nil, nil, &SyntaxError{o.MaxLength + 1, fmt.Sprintf("the formula is longer than %d characters", o.MaxLength)}
	}
	p := &parser{lex: lexer{src: src}, limits: o}
	root, problem := p.formula()
	if problem == nil {
		problem = root.check(place{})
	}
	if problem != nil {
		return nil, nil, problem
	}
	return root, p.variables, nil
}

func (p *parser) formula() (*node, *SyntaxError) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	root, err := p.expression(precOr)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.expected("an operator")
	}
	return root, nil
}

func (p *parser) advance() (err *SyntaxError) {
	p.tok, err = p.lex.next()
	return err
}

func (p *parser) expected(what string) *SyntaxError {
	return p.lex.fail(p.tok.column, "expected %s, found %s", what, p.tok)
}

func (p *parser) add(n node) (*node, *SyntaxError) {
	if p.nodes++; p.nodes > p.limits.MaxNodes {
		return nil, p.lex.fail(n.column, "the formula has more than %d numbers, names and operators", p.limits.MaxNodes)
	}
	return &n, nil
}

// expression reads binary operators that bind at least as tight as lowest.
func (p *parser) expression(lowest precedence) (*node, *SyntaxError) {
	left, err := p.unary()
	if err != nil {
		return nil, err
	}
	compared := false
	for p.tok.kind == tokenSymbol {
		op, ok := binaryOperator(p.tok.text)
		if !ok || op.precedence() < lowest {
			break
		}
		if op.precedence() == precCompare {
			if compared {
				return nil, p.lex.fail(p.tok.column, "comparisons do not chain: write (a < x) & (x < b)")
			}
			compared = true
		}
		column := p.tok.column
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := p.expression(op.precedence() + 1)
		if err != nil {
			return nil, err
		}
		if left, err = p.add(node{op: op, args: []*node{left, right}, column: column}); err != nil {
			return nil, err
		}
	}
	return left, nil
}

func (p *parser) unary() (*node, *SyntaxError) {
	if p.depth++; p.depth > p.limits.MaxDepth {
		return nil, p.lex.fail(p.tok.column, "the formula is nested more than %d deep", p.limits.MaxDepth)
	}
	defer func() { p.depth-- }()
	if p.tok.kind != tokenSymbol {
		return p.power()
	}
	op, ok := unaryOperator(p.tok.text)
	if !ok {
		return p.power()
	}
	column := p.tok.column
	if err := p.advance(); err != nil {
		return nil, err
	}
	arg, err := p.unary()
	if err != nil {
		return nil, err
	}
	if op == opFill && arg.op != opVariable {
		return nil, p.lex.fail(column, "~ stands before a variable only; write (~x)^2 for a power of it")
	}
	return p.add(node{op: op, args: []*node{arg}, column: column})
}

func (p *parser) power() (*node, *SyntaxError) {
	base, err := p.primary()
	if err != nil || !p.tok.is("^") {
		return base, err
	}
	column := p.tok.column
	if err := p.advance(); err != nil {
		return nil, err
	}
	exponent, err := p.unary()
	if err != nil {
		return nil, err
	}
	return p.add(node{op: opPower, args: []*node{base, exponent}, column: column})
}

func (p *parser) primary() (*node, *SyntaxError) {
	t := p.tok
	switch {
	case t.kind == tokenNumber:
		if err := p.advance(); err != nil {
			return nil, err
		}
		return p.add(node{op: opNumber, number: t.number, column: t.column})
	case t.kind == tokenName:
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.tok.is("(") {
			return p.call(t)
		}
		return p.name(t)
	case t.is("("):
		if err := p.advance(); err != nil {
			return nil, err
		}
		inner, err := p.expression(precOr)
		if err != nil {
			return nil, err
		}
		return inner, p.closing(t, "an operator or \")\"")
	}
	return nil, p.expected("a number, a name or \"(\"")
}

// closing steps over the parenthesis that closes the one at open.
func (p *parser) closing(open token, what string) *SyntaxError {
	if p.tok.is(")") {
		return p.advance()
	}
	if p.tok.kind == tokenEnd {
		return p.lex.fail(p.tok.column, "expected %s, found the end: the parenthesis at column %d is not closed", what, open.column)
	}
	return p.expected(what)
}

// name makes a node of a constant or a variable.
func (p *parser) name(t token) (*node, *SyntaxError) {
	if op, v, ok := constant(t.text); ok {
		return p.add(node{op: op, number: v, name: t.text, column: t.column})
	}
	if p.limits.Names != nil && !slices.Contains(p.limits.Names, t.text) {
		if _, ok := functions[t.text]; ok {
			return nil, p.lex.fail(p.tok.column, "expected \"(\" after the function %s", t.text)
		}
		return nil, p.lex.fail(t.column, "unknown name %q: the formula may use %s", shorten(t.text), strings.Join(p.limits.Names, ", "))
	}
	slot := slices.Index(p.variables, t.text)
	if slot < 0 {
		if len(p.variables) == p.limits.MaxVariables {
			return nil, p.lex.fail(t.column, "the formula has more than %d variables", p.limits.MaxVariables)
		}
		slot = len(p.variables)
		p.variables = append(p.variables, t.text)
	}
	return p.add(node{op: opVariable, name: t.text, slot: slot, column: t.column})
}

// call reads the arguments of a function.
func (p *parser) call(t token) (*node, *SyntaxError) {
	fn, ok := functions[t.text]
	if !ok {
		return nil, p.lex.fail(t.column, "unknown function %q: there are %s", shorten(t.text), strings.Join(Functions(), ", "))
	}
	open := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	var args []*node
	for !p.tok.is(")") || len(args) > 0 {
		arg, err := p.expression(precOr)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		if !p.tok.is(",") {
			break
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if err := p.closing(open, "an operator, \",\" or \")\""); err != nil {
		return nil, err
	}
	if fn.kind == kindMany && len(args) == 1 {
		if problem := fn.checkReduction(t.text, args[0], p.limits.Reductions); problem != "" {
			return nil, p.lex.fail(t.column, "%s", problem)
		}
		return p.add(node{op: opReduction, name: t.text, args: args, column: t.column})
	}
	if problem := fn.checkArguments(t.text, len(args)); problem != "" {
		return nil, p.lex.fail(t.column, "%s", problem)
	}
	return p.add(node{op: opCall, name: t.text, fn: fn, args: args, column: t.column})
}
