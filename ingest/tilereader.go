package ingest

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// tileReader reads the tiles back that earlier stages have stored. Base tiles
// that were decoded last are kept, with the validity of each band, since
// neighbouring tiles of the pyramid need the same ones.
type tileReader struct {
	store store.Store
	rev   *rasterbase.Revision

	mu    sync.Mutex
	there map[pageKey][]pageBits
	kept  map[[3]int]*list.Element // by set, x, y
	order *list.List               // the last used first
	bytes int
}

// pageKey names a page of 16x16 tiles.
type pageKey struct {
	kind    rasterbase.Kind
	z, x, y int
}

// pageBits has a bit for each tile of a page.
type pageBits [store.PageSize * store.PageSize / 64]uint64

// baseTilesKept is how many bytes of decoded base tiles are kept.
const baseTilesKept = 32 << 20

// baseTile is a decoded base tile; masks are nil for bands that are all valid.
type baseTile struct {
	key   [3]int
	r     *raster.Raster
	masks [][]uint8
	bytes int
}

func newTileReader(st store.Store, rev *rasterbase.Revision) *tileReader {
	return &tileReader{store: st, rev: rev, there: map[pageKey][]pageBits{}, kept: map[[3]int]*list.Element{}, order: list.New()}
}

// has reports whether a tile of a stage that is finished is stored: whether its
// summary has a valid pixel.
func (b *tileReader) has(ctx context.Context, k store.TileKey) (bool, error) {
	page := pageKey{k.Kind, k.Z, k.X / store.PageSize, k.Y / store.PageSize}
	b.mu.Lock()
	sets, ok := b.there[page]
	b.mu.Unlock()
	if !ok {
		var err error
		if sets, err = b.page(ctx, page); err != nil {
			return false, fmt.Errorf("read summaries: %w", err)
		}
		b.mu.Lock()
		b.there[page] = sets
		b.mu.Unlock()
	}
	i := k.Y%store.PageSize*store.PageSize + k.X%store.PageSize
	return sets[k.BandSet][i/64]&(1<<(i%64)) != 0, nil
}

// page reads which tiles of a page are stored, by band set.
func (b *tileReader) page(ctx context.Context, p pageKey) (sets []pageBits, err error) {
	q := store.SummaryQuery{Revision: b.rev.ID, Kind: p.kind, Z: p.z, Pages: &store.PageBox{MinX: p.x, MinY: p.y, MaxX: p.x, MaxY: p.y}}
	err = b.store.Catalog().View(ctx, func(tx store.Tx) error {
		sets = make([]pageBits, b.rev.BandSets())
		for page, err := range tx.Revisions().Summaries(ctx, q) {
			if err != nil {
				return err
			}
			for _, c := range page.Cells {
				i := c.Y%store.PageSize*store.PageSize + c.X%store.PageSize
				for band := range c.Bands {
					if set, _ := b.rev.SetOf(band); c.Bands[band].Valid > 0 {
						sets[set][i/64] |= 1 << (i % 64)
					}
				}
			}
		}
		return nil
	})
	return sets, err
}

// pyramidTile reads a tile that the stage before has made, nil when it is
// empty.
func (b *tileReader) pyramidTile(ctx context.Context, k store.TileKey) (*raster.Raster, error) {
	if there, err := b.has(ctx, k); err != nil || !there {
		return nil, err
	}
	return b.store.Tiles().Get(ctx, k)
}

// get returns a base tile, nil when it is empty.
func (b *tileReader) get(ctx context.Context, set, x, y int) (*baseTile, error) {
	k := [3]int{set, x, y}
	b.mu.Lock()
	if e, ok := b.kept[k]; ok {
		b.order.MoveToFront(e)
		b.mu.Unlock()
		return e.Value.(*baseTile), nil
	}
	b.mu.Unlock()
	key := keyOf(b.rev, rasterbase.Base, 0, x, y, set)
	if there, err := b.has(ctx, key); err != nil || !there {
		return nil, err
	}
	r, err := b.store.Tiles().Get(ctx, key)
	if err != nil {
		return nil, err
	}
	t := &baseTile{key: k, r: r, masks: make([][]uint8, len(r.Bands))}
	for i, band := range r.Bands {
		t.masks[i] = r.ValidMask(i)
		t.bytes += len(band.Pixels.Bytes()) + len(t.masks[i])
	}
	b.keep(t)
	return t, nil
}

func (b *tileReader) keep(t *baseTile) {
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
func (b *tileReader) window(ctx context.Context, w Window, band int, buf *bandWindow) (raster.Pixels, []uint8, error) {
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

func keyOf(rev *rasterbase.Revision, k rasterbase.Kind, z, x, y, set int) store.TileKey {
	return store.TileKey{
		RevisionKey: store.RevisionKey{Layer: rev.Layer, Revision: rev.ID},
		Kind:        k, Z: z, X: x, Y: y, BandSet: set,
	}
}
