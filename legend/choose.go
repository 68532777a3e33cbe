package legend

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
)

// Order gives the legend with its entries in the order in which they are
// painted: where every entry has a code, in the natural order of the codes,
// numbers by value and then text (A2 before A10), equal ones as they stand;
// else as they stand. [Compile] and [Classify] paint in this order whatever the
// order of the entries given.
func Order(l *rasterbase.Legend) *rasterbase.Legend {
	order := paintingOrder(l.Entries)
	if order == nil {
		return l
	}
	out := *l
	out.Entries = make([]rasterbase.Entry, len(order))
	for i, at := range order {
		out.Entries[i] = l.Entries[at]
	}
	return &out
}

// paintingOrder gives the places of the entries in the order in which they are
// painted, nil when that is the order in which they stand.
func paintingOrder(entries []rasterbase.Entry) []int {
	codes := make([]code, len(entries))
	for i, e := range entries {
		codes[i] = newCode(e.Code)
		if codes[i].text == "" {
			return nil
		}
	}
	if slices.IsSortedFunc(codes, code.compare) {
		return nil
	}
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return codes[a].compare(codes[b]) })
	return order
}

// code is an entry's code, read.
type code struct {
	text   string
	number float64
	isText bool
}

func newCode(s string) code {
	c := code{text: strings.TrimSpace(s)}
	v, err := parseNumber(c.text)
	c.number, c.isText = v, err != nil
	return c
}

func (c code) compare(o code) int {
	switch {
	case c.isText != o.isText:
		if c.isText {
			return 1
		}
		return -1
	case c.isText:
		return compareNatural(c.text, o.text)
	}
	return cmp.Compare(c.number, o.number)
}

// compareNatural compares text, and runs of digits in it by their value.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da > 0 && db > 0 {
			na, nb := strings.TrimLeft(a[:da], "0"), strings.TrimLeft(b[:db], "0")
			if c := cmp.Or(cmp.Compare(len(na), len(nb)), strings.Compare(na, nb)); c != 0 {
				return c
			}
			a, b = a[da:], b[db:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits is the number of digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// Select gives the legend with those entries alone that the entries parameter
// names, in the order of the legend: expressions, in any spacing, or names in any
// case, separated by commas. A comma inside parentheses or inside a name does not
// separate. Nothing named is no entries. The error for one that is not in the
// legend, and for a legend with a gradient, has the code invalid and the field
// entries.
func Select(l *rasterbase.Legend, entries string) (*rasterbase.Legend, error) {
	if len(entries) > MaxColormapBytes {
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "the entries have %d characters", len(entries)).WithField("entries")
	}
	if l.Gradient != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a legend with a gradient has no entries to choose from").
			WithField("entries")
	}
	s := newSelector(l)
	parts := splitTop(entries)
	for len(parts) > 0 {
		// The longest run of parts that is in the legend: its name has commas.
		used := min(s.commas+1, len(parts))
		for used > 0 && !s.take(strings.Join(parts[:used], ","), used == 1) {
			used--
		}
		if used == 0 {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the legend has no entry %.60q", strings.TrimSpace(parts[0])).
				WithHint("give expressions or names of its entries, separated by commas").WithField("entries")
		}
		parts = parts[used:]
	}
	out := *l
	out.Entries = nil
	for i, e := range l.Entries {
		if s.taken[i] {
			out.Entries = append(out.Entries, e)
		}
	}
	return &out, nil
}

// selector finds entries by what can stand for them.
type selector struct {
	places map[string][]int
	taken  []bool
	commas int // the most in one of the names
}

func newSelector(l *rasterbase.Legend) *selector {
	s := &selector{places: map[string][]int{}, taken: make([]bool, len(l.Entries))}
	add := func(key string, i int) {
		if at := s.places[key]; key != "" && (len(at) == 0 || at[len(at)-1] != i) {
			s.places[key] = append(at, i)
		}
	}
	for i, e := range l.Entries {
		add(strings.TrimSpace(e.Expression), i)
		if c := canonical(e.Expression); c != "" {
			add(c, i)
		}
		name := strings.ToLower(strings.TrimSpace(e.Semantics.Name))
		add("\x00"+name, i)
		s.commas = max(s.commas, min(strings.Count(name, ","), maxCommas))
	}
	return s
}

// maxCommas bounds how many parts are joined to find a name.
const maxCommas = 16

// take takes the entries that a text stands for; only a single part can be an
// expression in another spelling. It is false when there is none.
func (s *selector) take(text string, single bool) bool {
	text = strings.TrimSpace(text)
	if text == "" {
		return true
	}
	places := s.places[text]
	if len(places) == 0 {
		places = s.places["\x00"+strings.ToLower(text)]
	}
	if len(places) == 0 && single {
		places = s.places[canonical(text)]
	}
	for _, i := range places {
		s.taken[i] = true
	}
	return len(places) > 0
}

// canonical is an expression in one spelling, empty when it is none.
func canonical(expression string) string {
	f, err := algebra.Parse(expression, algebra.Options{MaxLength: maxExpression, MaxNodes: maxNodes})
	if err != nil {
		return ""
	}
	if v, ok := f.Number(); ok {
		return formatNumber(v)
	}
	return f.String()
}

// splitTop cuts at the commas that stand outside of parentheses.
func splitTop(s string) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range []byte(s) {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ',' && depth == 0:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:])
}
