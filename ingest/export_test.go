package ingest

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/resample"
	"github.com/rasterbase/rasterbase/xyz"
)

// Histogram opens histograms to tests.
type Histogram struct{ h *histogram }

// NewHistogram makes an empty histogram.
func NewHistogram(t rasterbase.PixelType) Histogram { return Histogram{newHistogram(t)} }

// Add counts values one by one, or, with fast, as the pixels of a tile.
func (h Histogram) Add(values []float64, fast bool) {
	if fast {
		addAll(h.h, values, nil)
		return
	}
	for _, v := range values {
		h.h.add(v, 1)
	}
}

// Join adds the counts of another histogram.
func (h Histogram) Join(o Histogram) { h.h.join(o.h) }

// Result is the histogram as it is kept.
func (h Histogram) Result() rasterbase.Histogram { return h.h.result() }

// PlacesOfTile finds the places of a tile's pixels as a parse does.
func PlacesOfTile(ctx context.Context, d Dataset, t xyz.Tile, tileSize int) (resample.Places, error) {
	p := resample.Places{X: make([]float64, tileSize*tileSize), Y: make([]float64, tileSize*tileSize)}
	leaves, err := mesh(ctx, d, []xyz.Tile{t}, tileSize)
	if err != nil {
		return p, err
	}
	for i := range leaves[0] {
		leaves[0][i].fill(p, tileSize)
	}
	return p, nil
}

// ExtentOf finds the boxes that cover a raster.
func ExtentOf(ctx context.Context, d Dataset) ([]xyz.Box, error) {
	boxes, _, err := extent(ctx, d)
	return boxes, err
}

// KeepAllowed copies a file of an allowed folder into the store, and calls
// between after it was found and before it is opened; nil: nothing is done
// then.
func KeepAllowed(ctx context.Context, p *Parser, path string, between func()) (rasterbase.Source, error) {
	f, err := p.allowedFile(path)
	if err != nil {
		return rasterbase.Source{}, err
	}
	defer f.close()
	if between != nil {
		between()
	}
	return p.keepFrom(ctx, f, f.name, f.path)
}

// SetWorkDisk says how much of the disk of temporary files is free.
func (p *Parser) SetWorkDisk(free func(dir string) (int64, error)) { p.workDisk = free }

// QueueCollection queues the job of Collect if it is due.
func (p *Parser) QueueCollection(ctx context.Context) error { return p.queueCollection(ctx) }
