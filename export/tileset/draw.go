package tileset

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/xyz"
)

// ahead is how many tiles are drawn or wait to be put for each worker. It keeps the
// others busy while one tile takes long, and bounds the memory.
const ahead = 16

// drawn is a tile on its way from a worker to the one who puts it.
type drawn struct {
	tile  xyz.Tile
	body  []byte
	empty bool
	done  chan struct{}
}

// Each draws the tiles of the plan by several workers and hands those that are not
// empty to put, one after the other, in the order of [Plan.All]. It stops at the
// first error, of a tile, of put or of the context, and returns when no worker is
// left. A set of which every tile is empty is an error with code invalid: there
// is nothing that a file could hold.
//
// A tile below an empty one is drawn all the same. That a parent of stored tiles
// is empty says that its children are, but not so of a drawn one: colours can hide
// the mean of four visible values, and a formula can be invalid where it is valid
// in detail. Whoever knows more, as a layer's summaries do, answers empty at once.
func (p *Plan) Each(ctx context.Context, o Options, put func(t xyz.Tile, body []byte) error) error {
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	group, ctx := errgroup.WithContext(ctx)
	todo := make(chan *drawn)
	order := make(chan *drawn, workers*ahead)
	group.Go(func() error {
		defer close(todo)
		defer close(order)
		return p.send(ctx, todo, order)
	})
	for range workers {
		group.Go(func() error { return p.work(ctx, todo) })
	}
	some := false
	group.Go(func() error {
		done := int64(0)
		for d := range order {
			select {
			case <-d.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if !d.empty {
				some = true
				if err := put(d.tile, d.body); err != nil {
					return err
				}
			}
			if done++; o.Progress != nil {
				o.Progress(done, p.Tiles)
			}
		}
		return ctx.Err()
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if !some {
		return rasterbase.Errorf(rasterbase.Invalid, "all %d tiles of this box are empty: there is nothing to write", p.Tiles).
			WithField("bbox").WithHint("look at the tiles on the map: the box, the colours or the entries may show nothing")
	}
	return nil
}

// send gives each tile to a worker and, in order, to the one who puts them.
func (p *Plan) send(ctx context.Context, todo, order chan<- *drawn) error {
	for t := range p.All() {
		d := &drawn{tile: t, done: make(chan struct{})}
		select {
		case order <- d:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case todo <- d:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// work draws tiles until there are none left.
func (p *Plan) work(ctx context.Context, todo <-chan *drawn) error {
	for d := range todo {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := d.tile
		var err error
		if d.body, d.empty, err = p.Draw(ctx, t.Z, t.X, t.Y); err != nil {
			return fmt.Errorf("drawing tile %v: %w", t, err)
		}
		if !d.empty && len(d.body) == 0 {
			return fmt.Errorf("drawing tile %v: a tile that is not empty has no bytes", t)
		}
		close(d.done)
	}
	return nil
}
