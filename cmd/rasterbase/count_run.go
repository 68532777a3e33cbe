package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/vector"
	"github.com/rasterbase/rasterbase/zonal"
)

// Zones are read and counted in batches, so that memory does not grow with the file
// and tiles are read once for the zones of a batch.
const (
	batchZones    = 1000
	batchVertices = 1 << 20
)

// counting is one run of the command.
type counting struct {
	cmd       *countCmd
	app       *app
	conf      *config
	store     store.Store
	query     zonal.Query
	placement zonal.Placement
	all       []*countTarget
	out       countOutput
	bar       *countProgress
}

// countAnswer is what is known of a zone in a target.
type countAnswer struct {
	zone   *countZone // nil: everything was counted
	target *countTarget
	made   *countTarget  // target as it was when this was counted
	result *zonal.Result // nil of pairs
	table  *zonal.Table  // of pairs
}

// countOutput takes the answers in the order of the zones, and for each zone in the
// order of the targets.
type countOutput interface {
	write(ctx context.Context, answer *countAnswer) error
	// end writes what is left. The output is whole then.
	end(ctx context.Context) error
	// drop gives everything up. It does nothing after end.
	drop()
}

// run opens what is counted and the zones, and counts.
func (c *countCmd) run(ctx context.Context, r *counting) (err error) {
	if r.all, err = r.targets(ctx); err != nil {
		return err
	}
	zones, err := r.zones(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, zones)
	if r.placement, err = r.place(zones.crs()); err != nil {
		return err
	}
	if r.out, err = r.output(zones); err != nil {
		return err
	}
	defer func() { r.out.drop() }()
	r.bar = newCountProgress(r.app, c, zones.count())
	defer r.bar.end()
	for {
		batch, err := nextBatch(ctx, zones)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			break
		}
		r.bar.total = max(r.bar.total, zones.count())
		if err := r.batch(ctx, batch); err != nil {
			return err
		}
	}
	r.bar.end()
	return r.out.end(ctx)
}

// nextBatch reads zones until there are many, or many vertices.
func nextBatch(ctx context.Context, from zoneFile) (batch []countZone, err error) {
	vertices := 0
	for len(batch) < batchZones && vertices < batchVertices {
		some, err := from.next(ctx, min(100, batchZones-len(batch)))
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			break
		}
		for i := range some {
			vertices += len(some[i].wkb) / 16
		}
		batch = append(batch, some...)
	}
	return batch, nil
}

// batch counts zones in all targets, and gives the answers on.
func (r *counting) batch(ctx context.Context, batch []countZone) error {
	geometries := make([]orb.Geometry, len(batch))
	for i := range batch {
		geometries[i] = batch[i].geometry
	}
	answers := make([][]countAnswer, len(r.all))
	var placed []placedZones
	for k, t := range r.all {
		r.bar.begin(k, len(r.all), len(batch))
		var err error
		if answers[k], err = r.count(ctx, t, geometries, &placed); err != nil {
			return r.explain(err, t, batch)
		}
	}
	for i := range batch {
		for k := range r.all {
			a := &answers[k][i]
			if batch[i].number > 0 {
				a.zone = &batch[i]
			}
			if err := r.out.write(ctx, a); err != nil {
				return err
			}
		}
	}
	r.bar.finish(len(batch))
	return nil
}

// count counts geometries in a target. When its revision is gone, since another one
// took its place, they are counted once more, in that.
func (r *counting) count(ctx context.Context, t *countTarget, geometries []orb.Geometry, placed *[]placedZones) ([]countAnswer, error) {
	out, err := r.countOnce(ctx, t, geometries, placed)
	if !errors.Is(err, store.ErrRevisionGone) {
		return out, err
	}
	if err := r.open(ctx, t); err != nil {
		return nil, err
	}
	return r.countOnce(ctx, t, geometries, placed)
}

func (r *counting) countOnce(ctx context.Context, t *countTarget, geometries []orb.Geometry, placed *[]placedZones) ([]countAnswer, error) {
	zones, err := r.zonesIn(ctx, t, geometries, placed)
	if err != nil {
		return nil, err
	}
	q := t.query
	q.Progress = r.bar.tiles
	made := *t
	out := make([]countAnswer, len(geometries))
	for i := range out {
		out[i] = countAnswer{target: t, made: &made}
	}
	if r.cmd.Crosstab {
		tables, err := zonal.CrossTab(ctx, t.coverage, zones, q)
		for i := range tables {
			out[i].table = &tables[i]
		}
		return out, err
	}
	results, err := zonal.Count(ctx, t.coverage, zones, q)
	for i := range results {
		out[i].result = &results[i]
	}
	return out, err
}

// zonesIn places the geometries in the grid of a target, unless that was done for
// another target of the same grid.
func (r *counting) zonesIn(ctx context.Context, t *countTarget, geometries []orb.Geometry, placed *[]placedZones) (*zonal.Zones, error) {
	d := t.coverage.Describe()
	p := r.placement
	p.Level = t.level
	for _, have := range *placed {
		if have.level == t.level && have.zones.Fits(d) {
			return have.zones, nil
		}
	}
	z, err := zonal.Place(ctx, d, p, geometries)
	if err == nil {
		*placed = append(*placed, placedZones{z, t.level})
	}
	return z, err
}

// placedZones are zones in the pixels of a level.
type placedZones struct {
	zones *zonal.Zones
	level coverage.Level
}

// explain says at which zone and in which layer counting failed.
func (r *counting) explain(err error, t *countTarget, batch []countZone) error {
	where := ""
	if z, ok := errors.AsType[*zonal.ZoneError](err); ok && z.Index >= 0 && z.Index < len(batch) && batch[z.Index].number > 0 {
		where = batch[z.Index].String() + " of " + filepath.Base(r.cmd.Zones)
	}
	if len(r.all) > 1 && !errors.Is(err, context.Canceled) {
		if where != "" {
			where += ", "
		}
		where += t.name()
	}
	if where == "" {
		return err
	}
	return fmt.Errorf("%s: %w", where, err)
}

// theOne is a single geometry in place of a file of zones.
type theOne struct {
	zone countZone
	in   rasterbase.CRS
	done bool
}

func (z *theOne) crs() rasterbase.CRS    { return z.in }
func (z *theOne) count() int64           { return 1 }
func (z *theOne) fields() []vector.Field { return nil }
func (z *theOne) Close() error           { return nil }

func (z *theOne) next(context.Context, int) ([]countZone, error) {
	if z.done {
		return nil, nil
	}
	z.done = true
	return []countZone{z.zone}, nil
}
