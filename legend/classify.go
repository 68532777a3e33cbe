package legend

import (
	"github.com/rasterbase/rasterbase"
)

// Classifier finds the entries that values match. It does not change and can be
// used by many goroutines.
type Classifier struct {
	all *classifier
}

// Classify makes the classifier of a legend's entries for pixels of a type. A
// legend with a gradient has no entries: nothing matches. The error is that of
// [Validate].
func Classify(l *rasterbase.Legend, t rasterbase.PixelType) (*Classifier, error) {
	rules, err := newRules(l, t == rasterbase.Float32)
	if err != nil {
		return nil, err
	}
	return &Classifier{newClassifier(rules)}, nil
}

// Entry is the index, in the legend's Entries as they were given, of the one that
// colours a valid pixel's value: the last one painted of those that match. It is
// -1 when there is none.
func (c *Classifier) Entry(v float64) int {
	if v-v != 0 {
		return -1
	}
	if i := c.all.find(v); i >= 0 {
		return c.all.rules[i].entry
	}
	return -1
}
