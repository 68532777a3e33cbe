package zonal

import (
	"context"
	"errors"
	"math"
	"runtime"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
)

// zonesAtOnce is how many zones are worked on together, and keptAtOnce how many values,
// bins and classes may be kept of them.
const (
	zonesAtOnce = 1 << 12
	keptAtOnce  = 1 << 24
)

// usualBins is how many bins there are when nobody says it.
const usualBins = 10

// maxBins is the most bins.
const maxBins = 1 << 16

// Count counts a coverage inside each of several zones, which were placed in a grid
// that it has. Results are in the order of the zones. The same question has the same
// answer to the last digit, whatever the number of workers. Errors are those of
// [ValueCount]; that of a zone is a [*ZoneError].
func Count(ctx context.Context, cov coverage.Coverage, z *Zones, q Query) ([]Result, error) {
	c, err := newCount(cov, z, q)
	if err != nil {
		return nil, err
	}
	err = c.afford(ctx)
	if errors.Is(err, errManyValues) && c.spread() {
		c.read = 0
		err = c.afford(ctx)
	}
	if err != nil {
		return nil, err
	}
	if c.keeps() {
		r, err := c.kept(ctx)
		if err != nil {
			return nil, err
		}
		return []Result{r}, nil
	}
	out := make([]Result, 0, z.Len())
	for from := 0; from < z.Len(); {
		to, read := c.batch(from), c.read
		some, err := c.count(ctx, from, to)
		if errors.Is(err, errManyValues) && c.spread() {
			c.read = read
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
		from = to
	}
	return out, nil
}

// spread has values no longer counted where only others things were to be found from
// the counts, and reports whether there were such values.
func (c *count) spread() (some bool) {
	for _, p := range c.plans {
		if p.byValue && p.group != ByValue && p.kind.Size() > 2 {
			p.settle(false)
			some = true
		}
	}
	return some
}

// count is one call of Count.
type count struct {
	cov     coverage.Coverage
	d       coverage.Description
	z       *Zones
	q       Query
	bands   []int
	plans   []*tallyPlan
	ground  *ground // nil: no areas
	workers int
	read    int64 // pixels so far
	done    int64 // tiles so far
}

func newCount(cov coverage.Coverage, z *Zones, q Query) (*count, error) {
	c := &count{cov: cov, d: cov.Describe(), z: z, q: q, workers: q.Workers}
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	if !z.Fits(c.d) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the zones were placed in another grid than that of %s", c.d.Name).
			WithHint("place them in its own")
	}
	unit, err := c.area()
	if err != nil {
		return nil, err
	}
	if err := c.chooseBands(); err != nil {
		return nil, err
	}
	for _, b := range c.bands {
		p := &tallyPlan{
			band: b, kind: c.d.Bands[b].PixelType, rankOrdered: c.d.Datatype == rasterbase.RankOrdered, group: c.group(),
			classes: q.Classes, bins: q.Bins, low: math.NaN(), high: math.NaN(), stats: q.Stats, percentiles: q.Percentiles,
			unit: unit, fraction: z.rule == footprint.Fraction, least: math.NaN(), greatest: math.NaN(),
		}
		if err := p.check(q); err != nil {
			return nil, err
		}
		p.settle(c.d.Datatype.Discrete())
		c.plans = append(c.plans, p)
	}
	return c, nil
}

// area prepares areas, if any are asked for.
func (c *count) area() (unit float64, err error) {
	if unit, err = c.q.Area.squareMetres(); err != nil || unit == 0 {
		return unit, err
	}
	c.ground, err = newGround(c.z.grid.Grid, c.z.grid.CRS, c.z.to)
	return unit, err
}

func (c *count) chooseBands() error {
	switch {
	case len(c.q.Bands) > 0:
		c.bands = c.q.Bands
	case c.q.Group == NoGroup:
		for i := range c.d.Bands {
			c.bands = append(c.bands, i)
		}
	default:
		c.bands = []int{0}
	}
	for _, b := range c.bands {
		if b < 0 || b >= len(c.d.Bands) {
			return rasterbase.Errorf(rasterbase.Invalid, "%s has no band %d: it has %d", c.d.Name, b+1, len(c.d.Bands)).WithField("bidx")
		}
	}
	return nil
}

// group is what pixels are counted by.
func (c *count) group() Group {
	switch {
	case c.q.Group != "" && c.q.Group != Auto:
		return c.q.Group
	case c.d.Datatype.Discrete():
		return ByValue
	}
	return Histogram
}

// check looks at what was asked for, and notes the range of bins.
func (p *tallyPlan) check(q Query) error {
	switch p.group {
	case ByValue, NoGroup:
	case ByClass:
		if p.classes == nil {
			return rasterbase.Errorf(rasterbase.Invalid, "there are no classes to count by").WithField("group")
		}
	case Histogram:
		if p.bins == 0 {
			p.bins = usualBins
		}
		if p.bins < 0 || p.bins > maxBins {
			return rasterbase.Errorf(rasterbase.Invalid, "there cannot be %d bins", p.bins).WithHint("from 1 to %d", maxBins).WithField("bins")
		}
		if r := q.Range; r != nil {
			if !(r[0] < r[1]) || math.IsInf(r[1]-r[0], 0) {
				return rasterbase.Errorf(rasterbase.Invalid, "%v to %v is no range", r[0], r[1]).WithHint("the lower one is first, as in 0 to 100").WithField("range")
			}
			p.low, p.high = r[0], r[1]
		}
	default:
		return rasterbase.Errorf(rasterbase.Invalid, "%.40q is nothing that pixels are counted by", p.group).
			WithHint("one of auto, value, class, histogram, none").WithField("group")
	}
	for _, v := range p.percentiles {
		if !(v >= 0 && v <= 100) {
			return rasterbase.Errorf(rasterbase.Invalid, "%v is no percentile", v).WithHint("from 0 to 100").WithField("percentiles")
		}
	}
	return nil
}

// batch is where a batch of zones ends that begins with one.
func (c *count) batch(from int) (to int) {
	to = min(from+zonesAtOnce, c.z.Len())
	kept := 0.0
	for i := from; i < to; i++ {
		pixels := c.held(i)
		for _, p := range c.plans {
			kept += p.keeps(pixels)
		}
		if kept > keptAtOnce && i > from {
			return i
		}
	}
	return to
}

// held is how many pixels a zone has at most.
func (c *count) held(zone int) float64 {
	out := 0.0
	if c.z.whole[zone] {
		for _, r := range c.wholeTiles() {
			out += float64(r.Width) * float64(r.Height) * float64(c.z.grid.TileSize) * float64(c.z.grid.TileSize)
		}
		return out
	}
	o := c.z.outlines[zone]
	for _, b := range o.Boxes() {
		out += touched(b.MinX-o.Slack(), b.MaxX+o.Slack(), c.z.grid.Width) * touched(b.MinY-o.Slack(), b.MaxY+o.Slack(), c.z.grid.Height)
	}
	return out
}

// touched is how many of so many pixels side by side have something of an interval.
func touched(from, to float64, pixels int) float64 {
	return max(0, min(math.Floor(to)+1, float64(pixels))-max(math.Floor(from), 0))
}

// count counts the zones from one to before another.
func (c *count) count(ctx context.Context, from, to int) ([]Result, error) {
	plans, made, err := c.ranges(ctx, from, to)
	if err != nil {
		return nil, err
	}
	g := newGathering(c, from, to, plans)
	if made != nil {
		g.made = made
	}
	if err := g.run(ctx); err != nil {
		return nil, err
	}
	out := make([]Result, to-from)
	for i := range out {
		if out[i], err = g.result(i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// result is the answer for a zone.
func (g *gathering) result(zone int) (out Result, err error) {
	g.settleWhole(zone)
	out.Made = g.madeOf(zone)
	for k := range g.plans {
		b, err := g.plan(zone, k).result(&g.parts[zone*len(g.plans)+k])
		if err != nil {
			return Result{}, &ZoneError{g.from + zone, err}
		}
		if b.Statistics != nil && b.Statistics.QuantileError > 0 {
			out.Made.Exact = false
		}
		out.Bands = append(out.Bands, b)
	}
	return out, nil
}

// madeOf says how the answer for a zone was made.
func (g *gathering) madeOf(zone int) Made {
	out := g.made[zone]
	out.Level, out.Outside, out.Exact = g.z.level, -1, true
	if outside, known := g.outline(zone).Outside(g.z.rule); known {
		out.Outside = outside
	}
	return out
}

// ranges gives the plans of each zone's bands. Where pixels go in bins that nobody said
// the range of, that is first found for each zone by a pass of its own.
func (c *count) ranges(ctx context.Context, from, to int) (plans [][]*tallyPlan, made []Made, err error) {
	plans = make([][]*tallyPlan, len(c.plans))
	for k, p := range c.plans {
		plans[k] = []*tallyPlan{p}
	}
	if !c.needsRanges(from, to) {
		return plans, nil, nil
	}
	g := c.rangeGathering(from, to)
	if err := g.run(ctx); err != nil {
		return nil, nil, err
	}
	for k, p := range c.plans {
		plans[k] = make([]*tallyPlan, to-from)
		for i := range plans[k] {
			own, m := *p, g.parts[i*len(plans)+k].moments
			if m.n > 0 {
				if own.least, own.greatest = m.min, m.max; own.ranged() {
					own.low, own.high = opened(m.min, m.max)
				}
			}
			plans[k][i] = &own
		}
	}
	return plans, g.made, nil
}

// needsRanges reports whether it must be found first from where to where values go.
func (c *count) needsRanges(from, to int) bool {
	for _, p := range c.plans {
		if p.ranged() || p.sampled && c.manyKept(from, to) {
			return true
		}
	}
	return false
}

// rangeGathering is the pass that finds from where to where values go.
func (c *count) rangeGathering(from, to int) *gathering {
	plans := make([][]*tallyPlan, len(c.plans))
	for k, p := range c.plans {
		plans[k] = []*tallyPlan{{band: p.band, kind: p.kind, group: NoGroup, fraction: p.fraction}}
	}
	g := newGathering(c, from, to, plans)
	g.areas = nil
	return g
}

// manyKept reports whether a zone may have too many pixels for all values to be kept.
func (c *count) manyKept(from, to int) bool {
	for i := from; i < to; i++ {
		if c.held(i) > mostKept {
			return true
		}
	}
	return false
}
