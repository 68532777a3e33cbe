package ingest

import (
	"context"
	"fmt"

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
