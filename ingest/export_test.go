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
