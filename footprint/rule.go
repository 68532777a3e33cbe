package footprint

import (
	"strings"

	"github.com/rasterbase/rasterbase"
)

// Rule says which pixels a geometry holds. Of points it is the pixel that each lies
// in, and of lines those that they pass through, by the first two rules alike; they
// have no fractions.
type Rule uint8

const (
	// Centre takes the pixels whose centre is inside. A centre on a left or upper
	// edge is inside, one on a right or lower edge is not, so that areas that share
	// their edges share no pixel and leave none out.
	Centre Rule = iota
	// Touched takes the pixels that the geometry has a place in, and so all that
	// Centre takes. What only touches a pixel's edge has no place in it.
	Touched
	// Fraction takes the same pixels, each with the share of it that is covered.
	Fraction
)

// Rules are the names of the rules, as [ParseRule] reads them.
func Rules() []string { return []string{"center", "touched", "fraction"} }

// String is the rule's name.
func (r Rule) String() string { return Rules()[r] }

// ParseRule reads a rule's name, in any case. Centre is read as center is.
func ParseRule(s string) (Rule, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "center", "centre":
		return Centre, nil
	case "touched":
		return Touched, nil
	case "fraction":
		return Fraction, nil
	}
	return 0, rasterbase.Errorf(rasterbase.Invalid, "%.40q is no rule of which pixels are counted", s).
		WithHint("one of %s", strings.Join(Rules(), ", ")).WithField("coverage")
}
