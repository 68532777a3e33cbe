package coverage

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// Rasters yields the tiles that [Layer.Tiles] does, with their pixels in the
// bands asked for. A raster is what [Layer.Window] reads for the tile's
// rectangle. Tiles are read in batches of some megabytes.
func (c *Layer) Rasters(ctx context.Context, q TileQuery) iter.Seq2[TileRaster, error] {
	return func(yield func(TileRaster, error) bool) {
		q.Level = c.storedLevel(q.Level)
		bands := c.bandsOr(q.Bands)
		var batch []TileAddress
		flush := func() (more bool, err error) {
			rasters, err := c.read(ctx, q.Level, batch, bands)
			if err != nil {
				return false, fmt.Errorf("read tiles of layer %d: %w", c.layer.ID, err)
			}
			for i, r := range rasters {
				if !yield(TileRaster{batch[i], r}, nil) {
					return false, nil
				}
			}
			batch = batch[:0]
			return true, nil
		}
		more := true
		for at, err := range c.Tiles(ctx, q) {
			if err == nil {
				if batch = append(batch, at); len(batch) < c.tilesAtOnce(bands) {
					continue
				}
				more, err = flush()
			}
			if err != nil {
				yield(TileRaster{}, err)
				return
			}
			if !more {
				return
			}
		}
		if len(batch) == 0 {
			return
		}
		if _, err := flush(); err != nil {
			yield(TileRaster{}, err)
		}
	}
}

// bandsOr is the bands asked for, all for nil.
func (c *Layer) bandsOr(bands []int) []int {
	if bands != nil {
		return bands
	}
	bands = make([]int, len(c.rev.Bands))
	for i := range bands {
		bands[i] = i
	}
	return bands
}

// sets gives the band sets that hold the bands, in the order in which they
// come.
func (c *Layer) sets(bands []int) (out []int) {
	for _, b := range bands {
		if set, _ := c.rev.SetOf(b); !slices.Contains(out, set) {
			out = append(out, set)
		}
	}
	return out
}

// tilesAtOnce is how many tiles are read in one batch: some megabytes of
// pixels.
func (c *Layer) tilesAtOnce(bands []int) int {
	const batchBytes, batchTiles = 16 << 20, 64
	size := 0
	for _, set := range c.sets(bands) {
		for _, b := range c.rev.BandSet(set) {
			size += c.rev.Bands[b].PixelType.Size()
		}
	}
	return min(batchTiles, max(1, batchBytes/(size*c.rev.TileSize*c.rev.TileSize)))
}

// read reads tiles that are in the level's grid, in the bands given.
func (c *Layer) read(ctx context.Context, l Level, at []TileAddress, bands []int) ([]*raster.Raster, error) {
	sets := c.sets(bands)
	stored, err := c.stored(ctx, l, at, sets)
	if err != nil {
		return nil, err
	}
	out := make([]*raster.Raster, len(at))
	for i, a := range at {
		out[i] = c.join(l, a, stored[i*len(sets):(i+1)*len(sets)], sets, bands)
	}
	return out, nil
}

// stored reads the sets of tiles, tile by tile. Those that were empty are nil;
// one that was lost is an error.
func (c *Layer) stored(ctx context.Context, l Level, at []TileAddress, sets []int) ([]*raster.Raster, error) {
	keys := make([]store.TileKey, 0, len(at)*len(sets))
	for _, a := range at {
		for _, set := range sets {
			keys = append(keys, c.key(l, a.X, a.Y, set))
		}
	}
	rasters, err := c.st.Tiles().GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	missing := map[TileAddress][]store.TileKey{} // by page
	for i, r := range rasters {
		if r == nil {
			p := TileAddress{keys[i].X / store.PageSize, keys[i].Y / store.PageSize}
			missing[p] = append(missing[p], keys[i])
		}
	}
	if len(missing) == 0 {
		return rasters, nil
	}
	return rasters, c.mayAllBeMissing(ctx, missing)
}

// mayAllBeMissing is mayBeMissing for many tiles: each page of summaries is
// read once.
func (c *Layer) mayAllBeMissing(ctx context.Context, missing map[TileAddress][]store.TileKey) error {
	return c.st.Catalog().View(ctx, func(tx store.Tx) error {
		for p, keys := range missing {
			box := store.PageBox{MinX: p.X, MinY: p.Y, MaxX: p.X, MaxY: p.Y}
			q := store.SummaryQuery{Revision: c.rev.ID, Kind: keys[0].Kind, Z: keys[0].Z, Pages: &box}
			for page, err := range tx.Revisions().Summaries(ctx, q) {
				if err != nil {
					return err
				}
				if err := c.noneLost(page, keys); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// noneLost is an error when a page says that one of its tiles must be there.
func (c *Layer) noneLost(page store.SummaryPage, missing []store.TileKey) error {
	cells := make(map[TileAddress]rasterbase.Summary, len(page.Cells))
	for _, cell := range page.Cells {
		cells[TileAddress{cell.X, cell.Y}] = cell.Summary
	}
	for _, k := range missing {
		if s, ok := cells[TileAddress{k.X, k.Y}]; ok && c.hasSet(s, k.BandSet) {
			return lost(k)
		}
	}
	return nil
}

// join makes one raster of a tile's sets, which share the pixels.
func (c *Layer) join(l Level, a TileAddress, stored []*raster.Raster, sets, bands []int) *raster.Raster {
	w, h := c.tileSize(l, a.X, a.Y)
	r := WindowRequest{Level: l, X: a.X * c.rev.TileSize, Y: a.Y * c.rev.TileSize, Width: w, Height: h}
	if stored[0] != nil && sameInts(bands, c.rev.BandSet(sets[0])) {
		return stored[0]
	}
	out := c.empty(r, bands)
	rect := raster.Rect{X: r.X, Y: r.Y, Width: w, Height: h}
	for i, src := range stored {
		if src == nil {
			src = c.empty(r, c.rev.BandSet(sets[i]))
		}
		if out.Validity != nil {
			mergeValidity(out, src, rect, rect, i == 0)
		}
		for k, b := range bands {
			if set, place := c.rev.SetOf(b); set == sets[i] {
				out.Bands[k].Pixels = src.Bands[place].Pixels
			}
		}
	}
	if out.Validity != nil && bytes.IndexByte(out.Validity, 0) < 0 {
		out.Validity = nil
	}
	return out
}
