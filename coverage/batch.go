package coverage

import (
	"context"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// TileReader is a coverage that reads many tiles with few calls of its store.
type TileReader interface {
	Coverage
	// ReadTiles reads tiles of a level in the bands given (nil: all), in the order of
	// the addresses. Each raster is what Window reads for the tile's rectangle: shared,
	// and not to be changed. The memory is that of the pixels, so that callers who want
	// many tiles ask for some megabytes at a time.
	ReadTiles(ctx context.Context, l Level, at []TileAddress, bands []int) ([]*raster.Raster, error)
}

// ReadTiles reads tiles, stored or empty ones. The error has code invalid for a tile
// that lies outside the level, or a zoom beyond the max zoom, and not found when there
// is no pyramid; it matches store.ErrRevisionGone when the revision was dropped. For
// the base level of a layer without base tiles they are those of the max zoom.
func (c *Layer) ReadTiles(ctx context.Context, l Level, at []TileAddress, bands []int) ([]*raster.Raster, error) {
	l = c.storedLevel(l)
	if err := c.checkTiles(TileQuery{Level: l, Bands: bands}); err != nil {
		return nil, err
	}
	for _, a := range at {
		w, h := c.tileSize(l, a.X, a.Y)
		if a.X < 0 || a.Y < 0 || w <= 0 || h <= 0 {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "layer %d (%s) has no %s tile %d/%d/%d", c.layer.ID, c.layer.Name, l.Kind, l.Zoom, a.X, a.Y)
		}
	}
	if len(at) == 0 {
		return nil, nil
	}
	out, err := c.read(ctx, l, at, c.bandsOr(bands))
	if err != nil {
		return nil, fmt.Errorf("read tiles of layer %d: %w", c.layer.ID, err)
	}
	return out, nil
}
