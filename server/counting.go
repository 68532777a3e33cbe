package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/zonal"
)

const (
	// zonesAtOnce is how many zones are counted together: their tiles are read once.
	zonesAtOnce = 500
	// maxCountRows is how many rows of counts an answer in a request has at most.
	maxCountRows = 1_000_000
)

// countLimits are what bounds the counting of a plan.
type countLimits struct {
	pixels   int64               // that may be read; of formulas that are long, fewer
	rows     int                 // that all answers have at most; 0: any number
	workers  int                 // 0: all cores
	progress func(share float64) // is told how much is done, from 0 to 1; nil: nobody
}

// zoneAnswer is what was counted of a zone in each target.
type zoneAnswer struct {
	results []*zonal.Result // nil of pairs of values
	tables  []*zonal.Table  // of pairs of values
}

// rows is how many rows of counts there are.
func (a *zoneAnswer) rows() (n int) {
	for _, r := range a.results {
		for i := range r.Bands {
			n += len(r.Bands[i].Counts)
		}
	}
	for _, t := range a.tables {
		n += len(t.Rows) * len(t.Columns)
	}
	return n
}

// counter counts a plan.
type counter struct {
	plan   *countPlan
	limits countLimits
	left   int64 // pixels that may still be read
	rows   int   // so far
	zones  []orb.Geometry
	done   int // zones that are counted in all targets
}

// count counts the zones of a plan, or its one geometry, in their order. Each is given
// the answers of some zones, from the one of that place on. An error of a zone names it.
func (p *countPlan) count(ctx context.Context, l countLimits, each func(from int, answers []zoneAnswer) error) error {
	c := &counter{plan: p, limits: l, left: l.pixels, zones: p.geometries()}
	for c.done < len(c.zones) {
		from, to := c.done, min(c.done+zonesAtOnce, len(c.zones))
		answers, err := c.batch(ctx, from, to)
		if err != nil {
			return p.inItsZone(err, from)
		}
		for i := range answers {
			c.rows += answers[i].rows()
		}
		if l.rows > 0 && c.rows > l.rows {
			return rasterbase.Errorf(rasterbase.TooLarge, "the answer has more than %d rows", l.rows).
				WithHint("%s", inTheBackground).WithField(p.whereField())
		}
		if err := each(from, answers); err != nil {
			return err
		}
		c.done = to
	}
	return nil
}

// inTheBackground is the way out of what is too large for a request.
const inTheBackground = "make it in the background: POST /api/v1/exports with format=csv, ndjson or json, or send Prefer: respond-async; both need credentials"

// geometries are those of the zones, or the only one, which is nil for everything.
func (p *countPlan) geometries() []orb.Geometry {
	if p.zones == nil {
		return []orb.Geometry{p.geometry}
	}
	out := make([]orb.Geometry, len(p.zones.all))
	for i := range out {
		out[i] = p.zones.all[i].geometry
	}
	return out
}

// batch counts some zones in all targets.
func (c *counter) batch(ctx context.Context, from, to int) ([]zoneAnswer, error) {
	answers := make([]zoneAnswer, to-from)
	var placed []*zonal.Zones
	for k := range c.plan.targets {
		t := &c.plan.targets[k]
		z, err := placeIn(ctx, t, c.zones[from:to], &placed)
		if err != nil {
			return nil, err
		}
		if err := c.target(ctx, k, t, z, answers); err != nil {
			return nil, c.inTarget(err, t)
		}
	}
	return answers, nil
}

// placeIn places zones in the grid of a target, unless that was done for another target
// of the same grid.
func placeIn(ctx context.Context, t *countTarget, zones []orb.Geometry, placed *[]*zonal.Zones) (*zonal.Zones, error) {
	d := t.cov.Describe()
	for _, z := range *placed {
		if z.Fits(d) {
			return z, nil
		}
	}
	z, err := zonal.Place(ctx, d, t.placement, zones)
	if err == nil {
		*placed = append(*placed, z)
	}
	return z, err
}

// target counts zones in a target.
func (c *counter) target(ctx context.Context, k int, t *countTarget, z *zonal.Zones, answers []zoneAnswer) error {
	q := t.query
	q.Workers = c.limits.workers
	weight := t.weight()
	if c.limits.pixels > 0 {
		q.MaxPixels = max(1, c.left/weight)
	}
	side, read := int64(t.cov.Describe().TileSize), int64(0)
	q.Progress = func(done, planned int64) {
		read = done
		if c.limits.progress != nil {
			zones := float64(len(answers)) * (float64(k) + float64(done)/float64(max(1, planned))) / float64(len(c.plan.targets))
			c.limits.progress(min(1, (float64(c.done)+zones)/float64(len(c.zones))))
		}
	}
	defer func() { c.left -= read * side * side * weight }()
	if c.plan.kind == crossTabs {
		tables, err := zonal.CrossTab(ctx, t.cov, z, q)
		for i := range tables {
			answers[i].tables = append(answers[i].tables, &tables[i])
		}
		return err
	}
	results, err := zonal.Count(ctx, t.cov, z, q)
	for i := range results {
		answers[i].results = append(answers[i].results, &results[i])
	}
	return err
}

// weight is how many pixels one of a target counts for: those of long formulas take as
// long as several.
func (t *countTarget) weight() int64 {
	const usual = 32 // a cost that takes no longer than reading
	if f, ok := t.cov.(interface{ Cost() int }); ok {
		return int64(max(1, f.Cost()/usual))
	}
	return 1
}

// inTarget says in which of several layers an error is, and what reads less.
func (c *counter) inTarget(err error, t *countTarget) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	named, weight := *e, t.weight()
	if named.Code == rasterbase.TooLarge && named.Field == "geom" {
		named.Field = c.plan.whereField()
		if c.plan.kind == statistics && c.plan.query.Stats&(zonal.Quantiles|zonal.Variety) != 0 {
			named.Hint += ". Percentiles, medians, majorities and histograms read all pixels: stats=count,sum,mean,min,max,std leaves them out"
		}
		if c.limits.rows > 0 {
			named.Hint += ". Or " + inTheBackground
		}
		if c.done > 0 || weight > 1 {
			named.Message = fmt.Sprintf("more than %d pixels would have to be read for this, where those of long formulas count for several", c.limits.pixels)
		}
	}
	if len(c.plan.targets) > 1 && named.Message != "" {
		named.Message = t.name + ": " + named.Message
	}
	if z, ok := errors.AsType[*zonal.ZoneError](err); ok {
		return &zonal.ZoneError{Index: z.Index, Err: &named}
	}
	return &named
}

// whereField is the parameter that says where pixels are counted.
func (c *countRequest) whereField() string {
	for _, name := range []string{"zones", "bbox", "geom"} {
		if c.params.Has(name) {
			return name
		}
	}
	return "geom"
}

// inItsZone names the zone of an error, whose index counts from a zone on.
func (p *countPlan) inItsZone(err error, from int) error {
	z, ok := errors.AsType[*zonal.ZoneError](err)
	if !ok || p.zones == nil {
		return err
	}
	e, ok := asError(z.Err)
	if !ok {
		return fmt.Errorf("zone %d: %w", from+z.Index+1, z.Err)
	}
	named := *e
	if named.Message == "" && e.Err != nil {
		named.Message = e.Err.Error()
	}
	i := from + z.Index
	named.Message, named.Err = fmt.Sprintf("zone %d (%s): %s", i+1, cut(p.zones.all[i].text(), 60), named.Message), nil
	if named.Field == "geom" || named.Field == "" {
		named.Field = "zones"
	}
	return &named
}
