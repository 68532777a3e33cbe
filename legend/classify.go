package legend

import (
	"github.com/rasterbase/rasterbase"
)

// Classifier finds the entries that values match. It does not change and can be
// used by many goroutines.
type Classifier struct {
	all   *classifier
	table *lookup // of a type of 8 bits; nil: formulas are evaluated for each value
}

// Classify makes the classifier of a legend's entries for pixels of a type. A
// legend with a gradient has no entries: nothing matches. The error is that of
// [Compile], which types of 16 bits have here too.
func Classify(l *rasterbase.Legend, t rasterbase.PixelType) (*Classifier, error) {
	rules, err := newRules(l, t == rasterbase.Float32)
	if err != nil {
		return nil, err
	}
	c := newClassifier(rules)
	err = c.boundPixels()
	if err == nil {
		return &Classifier{all: c}, nil
	}
	// A table of 16 bits would be a quarter of a megabyte beside the colormap's.
	if lo, hi, ok := c.tableRange(t); ok && t.Size() == 1 {
		return &Classifier{c, &lookup{float64(lo), c.indices(lo, hi)}}, nil
	}
	return nil, err
}

// Entry is the index, in the legend's Entries as they were given, of the one that
// colours a valid pixel's value: the last one painted of those that match. It is
// -1 when there is none.
func (c *Classifier) Entry(v float64) int {
	if v-v != 0 {
		return -1
	}
	i, known := -1, false
	if c.table != nil {
		i, known = c.table.find(v)
	}
	if !known {
		i = c.all.find(v)
	}
	if i >= 0 {
		return c.all.rules[i].entry
	}
	return -1
}
