package ingest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// batchBytes is about how many bytes of pixels are written at once at most.
const batchBytes = 8 << 20

// writer collects tiles and writes them in batches. It belongs to one
// goroutine.
type writer struct {
	tiles store.Tiles
	most  int
	batch []store.Tile
	bytes int
}

func (r *run) writer() *writer {
	return &writer{tiles: r.store().Tiles(), most: r.p.c.BatchSize}
}

func (w *writer) put(ctx context.Context, t store.Tile) error {
	w.batch = append(w.batch, t)
	for _, b := range t.Raster.Bands {
		w.bytes += len(b.Pixels.Bytes())
	}
	if len(w.batch) >= w.most || w.bytes >= batchBytes {
		return w.flush(ctx)
	}
	return nil
}

func (w *writer) flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.tiles.Put(ctx, w.batch); err != nil {
		return fmt.Errorf("write %d tiles: %w", len(w.batch), err)
	}
	clear(w.batch)
	w.batch, w.bytes = w.batch[:0], 0
	return nil
}

// tracker keeps a parse's record and log current in the catalog, and tells
// whoever watches in this process.
type tracker struct {
	store store.Store
	done  atomic.Int64

	mu    sync.Mutex
	parse rasterbase.Parse
}

// trackEvery is how often progress is written to the catalog.
const trackEvery = 500 * time.Millisecond

// tile counts a tile as made.
func (t *tracker) tile() { t.done.Add(1) }

// enter starts a stage.
func (t *tracker) enter(ctx context.Context, s rasterbase.Status) error {
	return t.change(ctx, func(p *rasterbase.Parse) { p.Status = s })
}

// change changes the record and stores it.
func (t *tracker) change(ctx context.Context, fn func(*rasterbase.Parse)) error {
	return t.store.Catalog().Update(ctx, func(tx store.Tx) error { return t.changeIn(ctx, tx, fn) })
}

// changeIn changes the record within a transaction. The record is locked
// within transactions only, so that nobody holds it who waits for one. fn sets
// and does not add, since a transaction may be run again.
func (t *tracker) changeIn(ctx context.Context, tx store.Tx, fn func(*rasterbase.Parse)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn(&t.parse)
	t.parse.Done = t.done.Load()
	return tx.Parses().Update(ctx, &t.parse)
}

// logf appends a line to the parse's log.
func (t *tracker) logf(ctx context.Context, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return t.store.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Parses().Log(ctx, t.parse.ID, text)
	})
}

// watch stores progress until stop is called, which waits for the last time. A
// progress that cannot be stored is stored the next time.
func (t *tracker) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(trackEvery)
		defer tick.Stop()
		stored := int64(-1)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if n := t.done.Load(); n != stored && t.change(ctx, func(*rasterbase.Parse) {}) == nil {
					stored = n
				}
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
