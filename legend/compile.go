package legend

import (
	"image/color"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
)

// maxTable is the largest table of a colormap.
const maxTable = 1 << 16

// maxSteps is the largest number of steps of a colormap.
const maxSteps = 1<<16 - 2

// Compile makes the colormap of a legend for pixels of a type.
//
// The colour for every valid value is that of the last entry that matches, in the
// order of [Order]. Types of up to 16 bits get a table, and so does a legend of
// numbers alone for the whole numbers between its smallest and its largest, if
// they are at most 65,536; on floats between 0 and its largest, if none is
// negative. Entries that compare x with constants become steps.
//
// A linear gradient mixes red, green, blue and alpha of two stops each by itself,
// without multiplying with alpha, and rounds to the nearest, up from the half; of
// several stops at one place the last colours that place, and the first what lies
// below. A named colormap divides its range into as many equal steps as it has
// colours, as matplotlib does; values outside take the nearer end. A range from a
// larger value to a smaller one turns the colours around; a range of one value
// gives every value the colour of its middle. All of this is exact: the table of
// a type of up to 16 bits, and the steps of others, give each value the colour
// that the rule gives it. On float32 pixels stops are rounded to float32. A
// relative gradient without Min and Max is an error: see [Fit].
//
// NaN and the infinities are never valid, and transparent. The error is that of
// [Validate], or has the code invalid: entries that calculate with x, as x * x < 5
// does, are evaluated for each pixel of types without a table, and there are too
// many of them.
func Compile(l *rasterbase.Legend, t rasterbase.PixelType) (*rasterbase.Colormap, error) {
	rules, err := newRules(l, t == rasterbase.Float32)
	if err != nil {
		return nil, err
	}
	if l.Gradient != nil {
		return compileGradient(l.Gradient, t)
	}
	return compileRules(rules, t)
}

func compileRules(rules []rule, t rasterbase.PixelType) (*rasterbase.Colormap, error) {
	c := newClassifier(rules)
	m := &rasterbase.Colormap{}
	switch {
	case !t.IsFloat() && t.Size() <= 2:
		if lo, hi, ok := c.tableRange(t); ok {
			m.First, m.Table = trim(lo, c.table(lo, hi))
			return m, nil
		}
	case len(c.breaks) > 0 && c.numbersOnly():
		lo, hi := math.Ceil(c.breaks[0]), math.Floor(c.breaks[len(c.breaks)-1])
		if t.IsFloat() && lo > 0 {
			lo = 0
		}
		if t.IsFloat() && lo < 0 {
			// A table is looked up by the distance from its first value, which
			// a fraction such as 1e-40 does not change unless that is 0.
			break
		}
		if hi-lo >= 0 && hi-lo < maxTable && math.Abs(lo) < 1<<53 && math.Abs(hi) < 1<<53 {
			if !slices.ContainsFunc(c.breaks, func(v float64) bool { return v != math.Trunc(v) }) {
				m.First, m.Table = int(lo), c.table(int(lo), int(hi))
				return m, nil // nothing else has a colour
			}
		}
	}
	if err := c.boundPixels(); err != nil {
		return nil, err
	}
	if len(c.opaque) == 0 {
		m.Steps = c.steps()
	}
	if m.Steps == nil {
		m.Func = c.at
	}
	return m, nil
}

// trim drops the transparent ends of a table.
func trim(first int, table []color.NRGBA) (int, []color.NRGBA) {
	for len(table) > 0 && table[0] == (color.NRGBA{}) {
		first, table = first+1, table[1:]
	}
	for len(table) > 0 && table[len(table)-1] == (color.NRGBA{}) {
		table = table[:len(table)-1]
	}
	if len(table) == 0 {
		return 0, nil
	}
	return first, slices.Clip(slices.Clone(table))
}

// classifier finds the last rule that matches a value. Rules that only compare
// x with constants are painted, once, on the cells into which all their
// constants cut the number line; the opaque rest is evaluated by value, last
// first, down to the rule that the cell shows.
type classifier struct {
	rules  []rule
	breaks []float64 // sorted, distinct
	// cells has for each cell the index of its rule plus 1, or 0. Cell 2i is
	// what lies below break i and above the one before; 2i+1 is break i itself.
	cells  []int32
	opaque []int // indices of rules, rising
	// starts cuts the span of the breaks into equal parts: breaks of part i are
	// those from starts[i] up to, not including, starts[i+1].
	starts []int32
	scale  float64 // parts for a unit of value
}

func newClassifier(rules []rule) *classifier {
	c := &classifier{rules: rules}
	own := make([][]float64, len(rules))
	for i := range rules {
		var ok bool
		if own[i], ok = rules[i].breaks(); !ok {
			c.opaque = append(c.opaque, i)
			continue
		}
		c.breaks = append(c.breaks, own[i]...)
	}
	slices.Sort(c.breaks)
	c.breaks = slices.DeleteFunc(slices.Compact(c.breaks), func(v float64) bool { return math.IsInf(v, 0) || math.IsNaN(v) })
	c.cut()
	c.cells = make([]int32, 2*len(c.breaks)+1)
	p := newPainter(c.cells)
	opaque := c.opaque
	for i := len(rules) - 1; i >= 0; i-- {
		if n := len(opaque); n > 0 && opaque[n-1] == i {
			opaque = opaque[:n-1]
			continue
		}
		c.paint(p, i, own[i])
	}
	return c
}

// paint gives rule i the cells where it matches and that no later rule has. own
// are the rule's breaks.
func (c *classifier) paint(p *painter, i int, own []float64) {
	c.spans(&c.rules[i], own, func(from, to int) { p.fill(from, to, i) })
}

// spans tells the runs of cells, rising, in which a rule matches, by a value of
// each: the rule itself has no break among them. own are the rule's breaks.
func (c *classifier) spans(r *rule, own []float64, visit func(from, to int)) {
	if r.formula == nil {
		if !math.IsInf(r.number, 0) {
			at := c.cell(r.number)
			visit(at, at)
		}
		return
	}
	visitIf := func(sample float64, from, to int) {
		if from <= to && !math.IsNaN(sample) && r.matches(sample) {
			visit(from, to)
		}
	}
	lowest, from := math.Inf(-1), 0
	for _, b := range own {
		at := c.cell(b)
		visitIf(between(lowest, b), from, at-1)
		visitIf(b, at, at)
		lowest, from = b, at+1
	}
	visitIf(between(lowest, math.Inf(1)), from, len(c.cells)-1)
}

// between is a finite number between two others, NaN when there is none.
func between(lo, hi float64) float64 {
	v := math.Nextafter(lo, hi)
	if math.IsInf(lo, -1) && math.IsInf(hi, 1) {
		v = 0
	}
	if v >= hi || v <= lo || math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// cut makes the parts, about one for each break.
func (c *classifier) cut() {
	n := len(c.breaks)
	if n < 2 {
		return
	}
	c.scale = float64(n) / (c.breaks[n-1] - c.breaks[0])
	if c.scale == 0 || math.IsInf(c.scale, 0) {
		return // a span that floating point cannot divide
	}
	c.starts = make([]int32, n+2)
	next := 0
	for i, b := range c.breaks {
		for part := c.part(b); next <= part; next++ {
			c.starts[next] = int32(i)
		}
	}
	for ; next < len(c.starts); next++ {
		c.starts[next] = int32(n)
	}
}

// part is the part of a value between the first and the last break. It never
// falls when the value rises, so breaks of other parts are truly below or above.
func (c *classifier) part(v float64) int {
	return min(len(c.breaks), int((v-c.breaks[0])*c.scale))
}

// cell is the cell that a value lies in.
func (c *classifier) cell(v float64) int {
	n := len(c.breaks)
	from, to := 0, n
	switch {
	case n == 0 || v < c.breaks[0]:
		return 0
	case v > c.breaks[n-1]:
		return 2 * n
	case c.starts != nil:
		part := c.part(v)
		from, to = int(c.starts[part]), int(c.starts[part+1])
	}
	for from < to {
		middle := int(uint(from+to) >> 1)
		if c.breaks[middle] < v {
			from = middle + 1
		} else {
			to = middle
		}
	}
	if from < n && c.breaks[from] == v {
		return 2*from + 1
	}
	return 2 * from
}

// find is the index of the last rule that matches, or -1.
func (c *classifier) find(v float64) int {
	shown := int(c.cells[c.cell(v)]) - 1
	for k := len(c.opaque) - 1; k >= 0 && c.opaque[k] > shown; k-- {
		if c.rules[c.opaque[k]].matches(v) {
			return c.opaque[k]
		}
	}
	return shown
}

func (c *classifier) at(v float64) color.NRGBA {
	if math.IsNaN(v) {
		return color.NRGBA{}
	}
	if i := c.find(v); i >= 0 {
		return color.NRGBA(c.rules[i].color)
	}
	return color.NRGBA{}
}

func (c *classifier) table(first, last int) []color.NRGBA {
	t := make([]color.NRGBA, last-first+1)
	for i := range t {
		t[i] = c.at(float64(first + i))
	}
	return t
}

// numbersOnly reports whether no entry has a formula.
func (c *classifier) numbersOnly() bool {
	return !slices.ContainsFunc(c.rules, func(r rule) bool { return r.formula != nil })
}

// painter fills cells from the last rule to the first, each cell once: free
// leads from a cell to the next one without a rule.
type painter struct {
	cells []int32
	free  []int32
}

func newPainter(cells []int32) *painter {
	p := &painter{cells: cells, free: make([]int32, len(cells)+1)}
	for i := range p.free {
		p.free[i] = int32(i)
	}
	return p
}

// next is the first cell from i on that is free, shortening the way there.
func (p *painter) next(i int) int {
	for p.free[i] != int32(i) {
		p.free[i] = p.free[p.free[i]]
		i = int(p.free[i])
	}
	return i
}

func (p *painter) fill(from, to, rule int) {
	for i := p.next(from); i <= to; i = p.next(i) {
		p.cells[i] = int32(rule + 1)
		p.free[i] = int32(i + 1)
	}
}
