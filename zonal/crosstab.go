package zonal

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
)

// CrossTab counts, inside each of several zones, the pixels of each pair of values of
// two bands of a coverage: of [coverage.Stack], for two layers. The query's bands are
// the two, the first ones where it names none; of the rest of it Area, MaxPixels,
// Workers and Progress count. All pixels are read. The error has code invalid where
// there are more pairs than a table can have.
func CrossTab(ctx context.Context, cov coverage.Coverage, z *Zones, q Query) ([]Table, error) {
	if len(q.Bands) == 0 {
		q.Bands = []int{0, 1}
	}
	if len(q.Bands) != 2 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a cross-tabulation has two bands, and not %d", len(q.Bands)).WithField("layers")
	}
	q.Group, q.Stats = NoGroup, 0
	c, err := newCount(cov, z, q)
	if err != nil {
		return nil, err
	}
	if q.MaxPixels > 0 && z.Len() > zonesAtOnce { // so that nothing is read of what is too much
		for from := 0; from < z.Len(); from += zonesAtOnce {
			if _, _, err := c.pairTiles(ctx, from, min(from+zonesAtOnce, z.Len())); err != nil {
				return nil, err
			}
		}
		c.read = 0
	}
	out := make([]Table, 0, z.Len())
	for from := 0; from < z.Len(); from += zonesAtOnce {
		some, err := c.crossTab(ctx, from, min(from+zonesAtOnce, z.Len()))
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// pairTiles gives the tiles that the zones from one to before another have pixels in.
func (c *count) pairTiles(ctx context.Context, from, to int) (*gathering, []*tileWork, error) {
	g := newGathering(c, from, to, nil)
	if err := g.sort(ctx, false); err != nil {
		return nil, nil, err
	}
	tiles, err := g.toRead()
	return g, tiles, err
}

func (c *count) crossTab(ctx context.Context, from, to int) ([]Table, error) {
	g, tiles, err := c.pairTiles(ctx, from, to)
	if err != nil {
		return nil, err
	}
	unit, err := c.q.Area.squareMetres()
	if err != nil {
		return nil, err
	}
	sums := make([]*pairTally, to-from)
	for i := range sums {
		sums[i] = newPairTally(unit)
	}
	if err := c.readTiles(ctx, tiles, c.bands, func() tileCounter { return &pairCounter{g, sums, unit} }); err != nil {
		return nil, err
	}
	out := make([]Table, to-from)
	for i, s := range sums {
		if out[i], err = s.result(); err != nil {
			return nil, &ZoneError{from + i, err}
		}
		out[i].Made = g.madeOf(i)
	}
	return out, nil
}

// pairCounter counts pairs of values.
type pairCounter struct {
	g    *gathering
	sums []*pairTally // of each zone
	unit float64
}

// tile implements tileCounter.
func (p *pairCounter) tile(ctx context.Context, t *tileWork, r *raster.Raster) (func() error, error) {
	g := p.g
	var ground areas
	if g.areas != nil {
		var err error
		if ground, err = g.areas.of(ctx, t.rect); err != nil {
			return nil, err
		}
	}
	validA, validB := r.ValidMask(0), r.ValidMask(1)
	found := make([]*pairTally, len(t.zones))
	for i, use := range t.zones {
		tally := newPairTally(p.unit)
		add := func(row, from, to int, weight float64) {
			at := (row-t.rect.Y)*r.Width - t.rect.X
			switch {
			case ground.pixels != nil:
				for k := at + from; k < at+to; k++ {
					tally.add(&r.Bands[0], &r.Bands[1], validA, validB, k, k+1, weight, ground.pixels[k])
				}
			case ground.rows != nil:
				tally.add(&r.Bands[0], &r.Bands[1], validA, validB, at+from, at+to, weight, ground.rows[row-t.rect.Y])
			default:
				tally.add(&r.Bands[0], &r.Bands[1], validA, validB, at+from, at+to, weight, ground.uniform)
			}
		}
		if use.inside {
			for row := range t.rect.Height {
				add(t.rect.Y+row, t.rect.X, t.rect.X+t.rect.Width, 1)
			}
		} else {
			g.outline(use.zone).Spans(g.z.rule, t.rect, add)
		}
		found[i] = tally
	}
	return func() error {
		for i, use := range t.zones {
			m := &g.made[use.zone]
			m.TilesRead++
			m.PixelsRead += int64(t.rect.Width) * int64(t.rect.Height)
			p.sums[use.zone].join(found[i])
			if err := p.sums[use.zone].err(); err != nil {
				return &ZoneError{g.from + use.zone, err}
			}
		}
		return nil
	}, nil
}
