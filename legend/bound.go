package legend

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

const (
	// maxPixelWork bounds the work for each pixel, in [algebra.Formula.Cost] of
	// the entries that do more than to compare x with constants: a tile of 256 by
	// 256 pixels takes some 100 ms at most. Colours are looked up without it where
	// there are no such entries.
	maxPixelWork = 400
	// maxTableWork bounds the work to fill a table or to look through the values
	// of a histogram, likewise: half a second or so.
	maxTableWork = 1 << 27
)

// work is what a value takes that each opaque rule is tried at.
func (c *classifier) work() int {
	sum := 0
	for _, i := range c.opaque {
		sum += c.rules[i].formula.Cost()
	}
	return sum
}

// boundPixels refuses rules that are too much work to try at each pixel.
func (c *classifier) boundPixels() error { return bound(len(c.opaque), c.work(), maxPixelWork) }

func bound(entries, work, most int) error {
	if work <= most {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid,
		"%d entries calculate with x, which is too much work for each pixel: %d numbers, names and operators, a power or a function counts up to 10, and %d are allowed",
		entries, work, most).
		WithHint("write them as ranges such as (1 < x) & (x <= 2), of which there may be any number").WithField("expression")
}

// tableRange is the range of a type that has few enough values for a table, and
// false where the rules are too much work to fill it.
func (c *classifier) tableRange(t rasterbase.PixelType) (lo, hi int, ok bool) {
	if t.IsFloat() || t.Size() > 2 {
		return 0, 0, false
	}
	from, to := t.Range()
	return int(from), int(to), float64(c.work())*(to-from+1) <= maxTableWork
}

// budget is work that may still be done.
type budget int

// spend takes the work of a formula, and is false when there is not enough left.
func (b *budget) spend(r rule) bool {
	*b -= budget(r.formula.Cost())
	return *b >= 0
}

// indices are the rules of all values of a table, by their index plus 1, or 0.
func (c *classifier) indices(lo, hi int) []int32 {
	t := make([]int32, hi-lo+1)
	for i := range t {
		t[i] = int32(c.find(float64(lo+i)) + 1)
	}
	return t
}

// lookup finds rules in a table of all values of a type.
type lookup struct {
	first float64
	rules []int32
}

// find is the index of the value's rule, or -1; false beyond the table.
func (l *lookup) find(v float64) (int, bool) {
	at := v - l.first
	if !(at >= 0 && at < float64(len(l.rules))) || at != math.Trunc(at) {
		return 0, false
	}
	return int(l.rules[int(at)]) - 1, true
}
