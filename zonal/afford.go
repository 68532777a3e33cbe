package zonal

import (
	"context"

	"github.com/rasterbase/rasterbase"
)

// afford fails where more pixels would be read than may be, before any is. One pass
// over one batch of zones looks at that itself; where there are several, all of them
// are looked at first.
func (c *count) afford(ctx context.Context) error {
	passes, zones := 0, c.z.Len()
	if c.keeps() {
		return nil
	}
	for from := 0; from < zones; {
		to := c.batch(from)
		if passes++; c.needsRanges(from, to) {
			passes++
		}
		from = to
	}
	most := c.q.MaxPixels
	few := c.z.level.Kind == rasterbase.Base && float64(passes)*float64(c.d.Grid.Width)*float64(c.d.Grid.Height) <= float64(most)
	if most <= 0 || passes <= 1 || few {
		return nil
	}
	for from := 0; from < zones; {
		to := c.batch(from)
		if c.needsRanges(from, to) {
			if _, err := c.rangeGathering(from, to).summarize(ctx); err != nil {
				return err
			}
		}
		if _, err := newGathering(c, from, to, c.likelyPlans()).summarize(ctx); err != nil {
			return err
		}
		from = to
	}
	c.read = 0
	return nil
}

// likelyPlans are plans that take ranges that are not known yet for those of the whole
// bands.
func (c *count) likelyPlans() [][]*tallyPlan {
	out := make([][]*tallyPlan, len(c.plans))
	for k, p := range c.plans {
		own, band := *p, c.d.Bands[p.band]
		if p.ranged() {
			if own.low, own.high = opened(band.Min, band.Max); band.Count == 0 {
				own.low, own.high = 0, 1 // nothing is known of it, and so all is read
			}
		}
		out[k] = []*tallyPlan{&own}
	}
	return out
}
