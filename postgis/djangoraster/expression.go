package djangoraster

import (
	"regexp"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
)

// In a formula of django-raster, comparisons, & and | bind like * and /, from
// the left, and tighter than + and -; a sign binds tighter than ^. So a+b>3 is
// a+(b>3) there, and x>1&x<5 is ((x>1)&x)<5.
//
//	sum    = term { ("+" | "-") term }
//	term   = factor { ("*" | "/" | "==" | … | "&" | "|") factor }
//	factor = atom { "^" factor }
//	atom   = { "+" | "-" | "!" | "~" } (name "(" sum ")" | number | name) | "(" sum ")"

// Expression says what an expression of a legend of django-raster means in the
// algebra of rasterbase. What is read alike stays as it is; otherwise
// parentheses are added. The error has code invalid for what neither reads.
func Expression(src string) (string, error) {
	text := strings.NewReplacer(" ", "", "\n", "", "\r", "").Replace(src)
	p := &formula{rest: text}
	out, err := p.sum()
	if err == nil && p.rest != "" {
		err = p.unexpected()
	}
	if err != nil {
		return "", err
	}
	o := algebra.Options{Names: []string{"x"}}
	meant, err := algebra.Parse(out, o)
	if err != nil {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the expression %q: %w", src, err)
	}
	if same, err := algebra.Parse(src, o); err == nil && same.String() == meant.String() {
		return strings.TrimSpace(src), nil
	}
	return meant.String(), nil
}

// formula reads one.
type formula struct {
	rest  string
	depth int
}

func (p *formula) unexpected() error {
	if p.rest == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "the expression ends too early")
	}
	return rasterbase.Errorf(rasterbase.Invalid, "the expression is not understood from %.20q on", p.rest)
}

// take steps over one of some symbols.
func (p *formula) take(symbols ...string) (string, bool) {
	for _, s := range symbols {
		if rest, ok := strings.CutPrefix(p.rest, s); ok {
			p.rest = rest
			return s, true
		}
	}
	return "", false
}

func (p *formula) sum() (string, error) {
	const deepest = 100
	if p.depth++; p.depth > deepest {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the expression is nested more than %d deep", deepest)
	}
	defer func() { p.depth-- }()
	return p.chain(p.term, "+", "-")
}

func (p *formula) term() (string, error) {
	return p.chain(p.factor, "*", "/", "==", "!=", ">=", "<=", ">", "<", "&", "|")
}

// chain reads operands of operators that all bind alike, from the left.
func (p *formula) chain(operand func() (string, error), operators ...string) (string, error) {
	left, err := operand()
	for err == nil {
		op, ok := p.take(operators...)
		if !ok {
			return left, nil
		}
		var right string
		right, err = operand()
		left = "(" + left + op + right + ")"
	}
	return "", err
}

func (p *formula) factor() (string, error) {
	base, err := p.atom()
	for err == nil {
		if _, ok := p.take("^"); !ok {
			return base, nil
		}
		var exponent string
		exponent, err = p.factor()
		base = "(" + base + "^" + exponent + ")"
	}
	return "", err
}

var (
	signs  = regexp.MustCompile(`^[-+]?[-+]?!?~?`)
	number = regexp.MustCompile(`^(\d+(\.\d*)?|\.\d+)([Ee][+-]?\d+)?`)
	name   = regexp.MustCompile(`^[A-Za-z0-9_]+`)
)

func (p *formula) atom() (string, error) {
	if _, ok := p.take("("); ok {
		inner, err := p.sum()
		if err != nil {
			return "", err
		}
		if _, ok := p.take(")"); !ok {
			return "", p.unexpected()
		}
		return "(" + inner + ")", nil
	}
	sign := signs.FindString(p.rest)
	p.rest = p.rest[len(sign):]
	if n := number.FindString(p.rest); n != "" {
		p.rest = p.rest[len(n):]
		return signed(sign, n), nil
	}
	n := name.FindString(p.rest)
	if n == "" {
		return "", p.unexpected()
	}
	p.rest = p.rest[len(n):]
	if _, ok := p.take("("); !ok {
		return signed(sign, n), nil
	}
	argument, err := p.sum()
	if err != nil {
		return "", err
	}
	if _, ok := p.take(")"); !ok {
		return "", p.unexpected()
	}
	return signed(sign, n+"("+argument+")"), nil
}

func signed(sign, s string) string {
	if sign == "" {
		return s
	}
	return "(" + sign + s + ")"
}
