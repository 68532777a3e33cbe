package admin

import (
	"cmp"
	"encoding/json"
	"slices"
)

// change is what two layers tell of the same pixels.
type change struct {
	Pairs         []changePair
	More          int // pairs that are not shown
	Classes       []changeClass
	Valid         float64
	Changed, Area float64 // what is another class after than before

	pairs   map[[2]string]int // places by names
	classes map[string]int
}

// changePair are the pixels of a class before and of one after.
type changePair struct {
	From, To           label
	Count, Share, Area float64
}

// Stays tells whether nothing changed there.
func (p changePair) Stays() bool { return p.From.Name == p.To.Name }

// changeClass is how much there was and is of a class.
type changeClass struct {
	label
	Before, After float64 // areas
}

// Percent is the change of the class's area with its sign. What was not there before has
// none.
func (c changeClass) Percent() string {
	if c.Before == 0 {
		return "new"
	}
	v := (c.After - c.Before) / c.Before
	if v > 0 {
		return "+" + percent(v)
	}
	if v < 0 {
		return "−" + percent(-v)
	}
	return percent(0)
}

// Share is that of the pixels that changed.
func (c *change) Share() float64 {
	if c.Valid == 0 {
		return 0
	}
	return c.Changed / c.Valid
}

// mostPairs are shown; a file has all.
const mostPairs = 100

// changeOf puts pairs of values together by what the values are called.
func changeOf(d *countDocument, by askLabels) (*change, error) {
	var counts [][]float64
	if err := json.Unmarshal(d.Counts, &counts); err != nil {
		return nil, err
	}
	c := &change{Valid: d.Pixels.Valid, pairs: map[[2]string]int{}, classes: map[string]int{}}
	for i, row := range counts {
		from := by[0].call(d.Rows[i])
		for k, n := range row {
			if n == 0 {
				continue
			}
			to, area := by[1].call(d.Columns[k]), 0.0
			if d.Areas != nil {
				area = d.Areas[i][k]
			}
			c.add(from, to, n, area)
		}
	}
	slices.SortStableFunc(c.Pairs, func(a, b changePair) int { // what changed stands first
		switch {
		case a.Stays() == b.Stays():
			return cmp.Compare(b.Count, a.Count)
		case b.Stays():
			return -1
		}
		return 1
	})
	slices.SortStableFunc(c.Classes, func(a, b changeClass) int {
		return cmp.Compare(max(b.Before, b.After), max(a.Before, a.After))
	})
	for i := range c.Pairs {
		c.Pairs[i].Share = c.Pairs[i].Count / c.Valid
	}
	if c.More = len(c.Pairs) - mostPairs; c.More > 0 {
		c.Pairs = c.Pairs[:mostPairs]
	}
	return c, nil
}

// add adds pixels to a pair, and to the classes of it.
func (c *change) add(from, to label, n, area float64) {
	names := [2]string{from.Name, to.Name}
	at, ok := c.pairs[names]
	if !ok {
		at, c.Pairs = len(c.Pairs), append(c.Pairs, changePair{From: from, To: to})
		c.pairs[names] = at
	}
	c.Pairs[at].Count += n
	c.Pairs[at].Area += area
	c.class(from).Before += area
	c.class(to).After += area
	if from.Name != to.Name {
		c.Changed += n
		c.Area += area
	}
}

// class finds a class by its name, or adds it.
func (c *change) class(l label) *changeClass {
	at, ok := c.classes[l.Name]
	if !ok {
		at, c.Classes = len(c.Classes), append(c.Classes, changeClass{label: l})
		c.classes[l.Name] = at
	}
	return &c.Classes[at]
}
