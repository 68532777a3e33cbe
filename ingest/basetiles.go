package ingest

import (
	"container/list"
	"context"
	"sync"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// baseTiles reads the base tiles back for the warp: those decoded last are
// kept, with the validity of each band, since neighbouring tiles of the
// pyramid need the same ones.
type baseTiles struct {
	*run

	mu    sync.Mutex
	kept  map[[3]int]*list.Element // by set, x, y
	order *list.List               // the last used first
	bytes int
}

// baseTilesKept is how many bytes of decoded base tiles are kept.
const baseTilesKept = 32 << 20

// baseTile is a decoded base tile; masks are nil for bands that are all valid.
type baseTile struct {
	key   [3]int
	r     *raster.Raster
	masks [][]uint8
	bytes int
}

func newBaseTiles(r *run) *baseTiles {
	return &baseTiles{run: r, kept: map[[3]int]*list.Element{}, order: list.New()}
}

// get returns a tile, nil when it is empty.
func (b *baseTiles) get(ctx context.Context, set, x, y int) (*baseTile, error) {
	k := [3]int{set, x, y}
	if !b.baseSets[set].has(x, y) {
		return nil, nil
	}
	b.mu.Lock()
	if e, ok := b.kept[k]; ok {
		b.order.MoveToFront(e)
		b.mu.Unlock()
		return e.Value.(*baseTile), nil
	}
	b.mu.Unlock()
	r, err := b.store().Tiles().Get(ctx, b.key(rasterbase.Base, 0, x, y, set))
	if err != nil {
		return nil, err
	}
	t := &baseTile{key: k, r: r, masks: make([][]uint8, len(r.Bands))}
	for i, band := range r.Bands {
		t.masks[i] = validMask(r, i)
		t.bytes += len(band.Pixels.Bytes()) + len(t.masks[i])
	}
	b.keep(t)
	return t, nil
}

func (b *baseTiles) keep(t *baseTile) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.kept[t.key]; ok {
		return
	}
	b.kept[t.key] = b.order.PushFront(t)
	b.bytes += t.bytes
	for b.bytes > baseTilesKept && b.order.Len() > 1 {
		e := b.order.Back()
		old := b.order.Remove(e).(*baseTile)
		delete(b.kept, old.key)
		b.bytes -= old.bytes
	}
}

// bandWindow is a window of one band put together from base tiles: a buffer
// that is used again.
type bandWindow struct {
	pixels raster.Pixels
	valid  []uint8
}

// window reads a window of a band. valid is nil when all pixels are.
func (b *baseTiles) window(ctx context.Context, w Window, band int, buf *bandWindow) (raster.Pixels, []uint8, error) {
	t := b.rev.Bands[band].PixelType
	n := w.Width * w.Height
	if buf.pixels == nil || buf.pixels.Len() < n {
		buf.pixels = raster.NewPixels(t, n+n/4)
		buf.valid = make([]uint8, n+n/4)
	}
	pixels, valid := buf.pixels.Range(0, n), buf.valid[:n]
	clear(valid)
	set, place := b.rev.SetOf(band)
	ts, all := b.rev.TileSize, true
	for y := w.Y / ts; y*ts < w.Y+w.Height; y++ {
		for x := w.X / ts; x*ts < w.X+w.Width; x++ {
			tile, err := b.get(ctx, set, x, y)
			if err != nil {
				return nil, nil, err
			}
			if tile == nil {
				all = false
				continue
			}
			if mask := tile.paste(w, place, x*ts, y*ts, pixels, valid); mask {
				all = false
			}
		}
	}
	if all {
		valid = nil
	}
	return pixels, valid, nil
}

// paste copies what a tile and a window have in common, and reports whether
// some of the tile's pixels are invalid.
func (t *baseTile) paste(w Window, place, tx, ty int, pixels raster.Pixels, valid []uint8) (masked bool) {
	window, tile := raster.Rect(w), raster.Rect{X: tx, Y: ty, Width: t.r.Width, Height: t.r.Height}
	band, mask := t.r.Bands[place], t.masks[place]
	raster.CopyRect(pixels.Bytes(), window, band.Pixels.Bytes(), tile, band.Type.Size())
	if mask != nil {
		raster.CopyRect(valid, window, mask, tile, 1)
		return true
	}
	for from, to := range window.Rows(window.Intersect(tile)) {
		raster.Fill(raster.Slice[uint8](valid[from:to]), 255)
	}
	return false
}

func (r *run) key(k rasterbase.Kind, z, x, y, set int) store.TileKey {
	return store.TileKey{
		RevisionKey: store.RevisionKey{Layer: r.rev.Layer, Revision: r.rev.ID},
		Kind:        k, Z: z, X: x, Y: y, BandSet: set,
	}
}
