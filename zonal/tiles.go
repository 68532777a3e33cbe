package zonal

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
)

const (
	// tilesAtOnce is how many tiles a worker reads together, and roundsAtOnce how many
	// times that it does before what was found is put together.
	tilesAtOnce  = 8
	roundsAtOnce = 4
	// bytesAtOnce bounds the pixels of the tiles that a worker reads together.
	bytesAtOnce = 16 << 20
)

// tileCounter counts in tiles, one after the other, for one worker.
type tileCounter interface {
	// tile counts in a tile. What it gives puts what was found to the zones; it is
	// called in the order of tiles, by one goroutine.
	tile(ctx context.Context, t *tileWork, r *raster.Raster) (join func() error, err error)
}

// readTiles reads tiles and counts in them, side by side.
func (c *count) readTiles(ctx context.Context, tiles []*tileWork, bands []int, newCounter func() tileCounter) error {
	if len(tiles) == 0 {
		return nil
	}
	each := c.tilesEach(bands)
	counters := make([]tileCounter, c.workers)
	planned := c.done + int64(len(tiles))
	for len(tiles) > 0 {
		some := tiles[:min(len(tiles), each*roundsAtOnce*c.workers)]
		tiles = tiles[len(some):]
		joins := make([]func() error, len(some))
		g, inner := errgroup.WithContext(ctx)
		rounds := make(chan int, (len(some)+each-1)/each)
		for from := 0; from < len(some); from += each {
			rounds <- from
		}
		close(rounds)
		for w := range counters {
			if counters[w] == nil {
				counters[w] = newCounter()
			}
			g.Go(func() error {
				for from := range rounds {
					to := min(from+each, len(some))
					if err := c.readSome(inner, some[from:to], bands, counters[w], joins[from:to]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, join := range joins {
			if err := join(); err != nil {
				return err
			}
		}
		if c.done += int64(len(some)); c.q.Progress != nil {
			c.q.Progress(c.done, planned)
		}
	}
	return nil
}

// tilesEach is how many tiles a worker reads together.
func (c *count) tilesEach(bands []int) int {
	bytes := 0
	for _, b := range bands {
		bytes += c.d.Bands[b].PixelType.Size() * c.z.grid.TileSize * c.z.grid.TileSize
	}
	return max(1, min(tilesAtOnce, bytesAtOnce/max(bytes, 1)))
}

// readSome reads some tiles together and counts in each.
func (c *count) readSome(ctx context.Context, tiles []*tileWork, bands []int, counter tileCounter, joins []func() error) error {
	rasters, err := c.rasters(ctx, tiles, bands)
	if err != nil {
		return err
	}
	for i, t := range tiles {
		if err := ctx.Err(); err != nil {
			return err
		}
		if joins[i], err = counter.tile(ctx, t, rasters[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *count) rasters(ctx context.Context, tiles []*tileWork, bands []int) ([]*raster.Raster, error) {
	if r, ok := c.cov.(coverage.TileReader); ok {
		at := make([]coverage.TileAddress, len(tiles))
		for i, t := range tiles {
			at[i] = t.at
		}
		return r.ReadTiles(ctx, c.z.level, at, bands)
	}
	out := make([]*raster.Raster, len(tiles))
	for i, t := range tiles {
		var err error
		out[i], err = c.cov.Window(ctx, coverage.WindowRequest{
			Level: c.z.level, X: t.rect.X, Y: t.rect.Y, Width: t.rect.Width, Height: t.rect.Height, Bands: bands,
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// partCounter counts what a gathering asks.
type partCounter struct {
	g         *gathering
	gatherers []*gatherer // one for each band
}

func newPartCounter(g *gathering) *partCounter {
	p := &partCounter{g: g}
	for k := range g.plans {
		p.gatherers = append(p.gatherers, newGatherer(g.plans[k][0]))
	}
	return p
}

// tile implements tileCounter.
func (p *partCounter) tile(ctx context.Context, t *tileWork, r *raster.Raster) (func() error, error) {
	g := p.g
	var a areas
	if g.areas != nil {
		var err error
		if a, err = g.areas.of(ctx, t.rect); err != nil {
			return nil, err
		}
	}
	for k, one := range p.gatherers {
		one.begin(r, k, t.complete, a)
	}
	found := make([]part, 0, len(t.zones)*len(g.plans))
	for _, use := range t.zones {
		for k, one := range p.gatherers {
			one.p = g.plan(use.zone, k)
		}
		add := func(row, from, to int, weight float64) {
			for _, one := range p.gatherers {
				one.add(row-t.rect.Y, from-t.rect.X, to-t.rect.X, weight)
			}
		}
		if use.inside {
			for row := range t.rect.Height {
				add(t.rect.Y+row, t.rect.X, t.rect.X+t.rect.Width, 1)
			}
		} else {
			g.outline(use.zone).Spans(g.z.rule, t.rect, add)
		}
		for _, one := range p.gatherers {
			found = append(found, one.take())
		}
	}
	return func() error {
		for i, use := range t.zones {
			m := &g.made[use.zone]
			m.TilesRead++
			m.PixelsRead += int64(t.rect.Width) * int64(t.rect.Height)
			for k := range g.plans {
				if err := g.join(use.zone, k, &found[i*len(g.plans)+k]); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil
}
