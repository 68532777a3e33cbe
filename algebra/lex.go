package algebra

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenName
	tokenSymbol // an operator, a parenthesis or a comma
)

type token struct {
	kind   tokenKind
	text   string
	number float64
	column int
}

// String is how a token is called in an error.
func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end of the formula"
	}
	return strconv.Quote(t.text)
}

func (t token) is(symbol string) bool { return t.kind == tokenSymbol && t.text == symbol }

// lexer cuts a formula into tokens, one at a time.
type lexer struct {
	src    string
	pos    int // bytes
	column int // characters before pos
}

func (l *lexer) fail(column int, format string, args ...any) *SyntaxError {
	return &SyntaxError{Column: column, Message: fmt.Sprintf(format, args...)}
}

// take makes a token of the next n bytes, which are ASCII.
func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind: kind, text: l.src[l.pos : l.pos+n], column: l.column + 1}
	l.pos += n
	l.column += n
	return t
}

func (l *lexer) next() (token, *SyntaxError) {
	for l.pos < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.pos]) >= 0 {
		l.pos++
		l.column++
	}
	if l.pos == len(l.src) {
		return token{kind: tokenEnd, column: l.column + 1}, nil
	}
	c := l.src[l.pos]
	switch {
	case digit(c) || c == '.':
		return l.lexNumber()
	case letter(c):
		n := 1
		for l.pos+n < len(l.src) && (letter(l.src[l.pos+n]) || digit(l.src[l.pos+n])) {
			n++
		}
		return l.take(tokenName, n), nil
	}
	if l.pos+1 < len(l.src) {
		switch l.src[l.pos : l.pos+2] {
		case "==", "!=", ">=", "<=":
			return l.take(tokenSymbol, 2), nil
		}
	}
	if strings.IndexByte("+-*/^!~<>&|(),", c) >= 0 {
		return l.take(tokenSymbol, 1), nil
	}
	if c == '=' {
		return token{}, l.fail(l.column+1, "unexpected %q: equality is written ==", "=")
	}
	r, _ := utf8.DecodeRuneInString(l.src[l.pos:])
	return token{}, l.fail(l.column+1, "unexpected character %q", r)
}

func (l *lexer) lexNumber() (token, *SyntaxError) {
	s := l.src[l.pos:]
	n := digits(s)
	whole := n
	if n < len(s) && s[n] == '.' {
		fraction := digits(s[n+1:])
		if whole+fraction == 0 {
			return token{}, l.fail(l.column+1, "expected a digit beside the decimal point")
		}
		n += 1 + fraction
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		d := digits(s[e:])
		if d == 0 {
			return token{}, l.fail(l.column+1+n, "expected digits after %q of the number", s[n:n+1])
		}
		n = e + d
	}
	t := l.take(tokenNumber, n)
	v, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return token{}, l.fail(t.column, "the number %s is too large", shorten(t.text))
	}
	t.number = v
	return t, nil
}

func shorten(s string) string {
	if len(s) > 20 {
		return s[:20] + "..."
	}
	return s
}

func digits(s string) int {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
