package move

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// batchBytes bounds the pixels of a batch, so that memory does not grow with
// the size of tiles.
const batchBytes = 16 << 20

// levelsAtOnce is how many kinds and zooms are read at once while tiles are
// copied. With the batches that are being written it bounds the memory of a
// move: that of Workers + 2*levelsAtOnce batches, beside what the stores take.
const levelsAtOnce = 2

// level is the tiles of one kind and zoom.
type level struct {
	kind rasterbase.Kind
	z    int
}

// String names the level for people.
func (v level) String() string {
	if v.kind == rasterbase.Base {
		return "base tiles"
	}
	return fmt.Sprintf("pyramid tiles of zoom %d", v.z)
}

// levels lists those of a revision, those with the most tiles first.
func levels(r *rasterbase.Revision) []level {
	all := []level{{rasterbase.Base, 0}}
	for z := r.MaxZoom; z >= 0 && r.HasPyramid; z-- {
		all = append(all, level{rasterbase.Pyramid, z})
	}
	return all
}

// planned is about how many tiles a revision has; empty ones of a band set make
// it less.
func planned(r *rasterbase.Revision) int64 {
	return (r.BaseTiles + r.PyramidTiles) * int64(r.BandSets())
}

// atSource tells a revision that the source dropped from one that the
// destination did.
func atSource(err error) error {
	if errors.Is(err, store.ErrRevisionGone) {
		return fmt.Errorf("%w: %v", errSuperseded, err) //nolint:errorlint // it must not match ErrRevisionGone any more
	}
	return err
}

// errSealed says that an earlier run had copied all tiles.
var errSealed = errors.New("all tiles are there")

// copyTiles reads all tiles of a revision in batches and writes them.
func (m *mover) copyTiles(ctx context.Context, src, dst *rasterbase.Revision) error {
	m.stage(Tiles, planned(src))
	group, ctx := errgroup.WithContext(ctx)
	batches := make(chan []store.Tile)
	group.Go(func() error {
		defer close(batches)
		readers, ctx := errgroup.WithContext(ctx)
		readers.SetLimit(levelsAtOnce)
		for _, v := range levels(src) {
			readers.Go(func() error { return m.readLevel(ctx, src, dst, v, batches) })
		}
		return readers.Wait()
	})
	for range m.o.Workers {
		group.Go(func() error {
			for b := range batches {
				err := m.to.Tiles().Put(ctx, b)
				if rasterbase.CodeOf(err) == rasterbase.Conflict {
					return errSealed
				}
				if err != nil {
					return err
				}
				m.advance(int64(len(b)))
			}
			return nil
		})
	}
	if err := group.Wait(); !errors.Is(err, errSealed) {
		return err
	}
	return nil // whether they are all there, the comparison tells
}

// readLevel sends the tiles of a level, with the key that they are to have.
func (m *mover) readLevel(ctx context.Context, src, dst *rasterbase.Revision, v level, to chan<- []store.Tile) error {
	var batch []store.Tile
	size := 0
	send := func() error {
		select {
		case to <- batch:
			batch, size = nil, 0
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for t, err := range m.from.Tiles().List(ctx, store.ListParams{RevisionKey: keyOf(src), Kind: v.kind, Z: v.z}) {
		if err != nil {
			return fmt.Errorf("reading %v: %w", v, atSource(err))
		}
		t.RevisionKey = keyOf(dst)
		batch, size = append(batch, t), size+pixelBytes(t.Raster)
		if len(batch) >= m.o.Batch || size >= batchBytes {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return send()
}

func pixelBytes(r *raster.Raster) (n int) {
	for _, b := range r.Bands {
		n += len(b.Pixels.Bytes())
	}
	return n
}

// compare reads every tile and every page of summaries of a revision from both
// stores and compares them, and counts them.
func (m *mover) compare(ctx context.Context, src, dst *rasterbase.Revision) error {
	m.stage(Comparing, planned(src))
	var tiles, size atomic.Int64
	group, inGroup := errgroup.WithContext(ctx)
	group.SetLimit(m.o.Workers)
	for _, v := range levels(src) {
		group.Go(func() error {
			n, bytes, err := m.compareLevel(inGroup, src, dst, v)
			if err != nil {
				return fmt.Errorf("comparing %v: %w", v, err)
			}
			tiles.Add(n)
			size.Add(bytes)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	pages, err := m.compareSummaries(ctx, src, dst)
	if err != nil {
		return err
	}
	m.count(func(r *Report) {
		r.Tiles, r.TileBytes, r.SummaryPages = r.Tiles+tiles.Load(), r.TileBytes+size.Load(), r.SummaryPages+pages
	})
	return nil
}

// compareLevel gives how many tiles there are, and the bytes of their pixels.
func (m *mover) compareLevel(ctx context.Context, src, dst *rasterbase.Revision, v level) (tiles, size int64, err error) {
	list := func(st store.Store, r *rasterbase.Revision) iter.Seq2[store.Tile, error] {
		return st.Tiles().List(ctx, store.ListParams{RevisionKey: keyOf(r), Kind: v.kind, Z: v.z})
	}
	next, stop := iter.Pull2(list(m.to, dst))
	defer stop()
	for want, err := range list(m.from, src) {
		if err != nil {
			return tiles, size, atSource(err)
		}
		got, err, ok := next()
		switch {
		case err != nil:
			return tiles, size, err
		case !ok || got.Y != want.Y || got.X != want.X || got.BandSet != want.BandSet:
			return tiles, size, fmt.Errorf("the list of tiles %w: no tile at %s", ErrDiffers, place(want))
		}
		if d := rasterDifference(want.Raster, got.Raster); d != "" {
			return tiles, size, fmt.Errorf("the %s of the tile at %s %w", d, place(want), ErrDiffers)
		}
		tiles, size = tiles+1, size+int64(pixelBytes(want.Raster))
		if batch := int64(m.o.Batch); tiles%batch == 0 {
			m.advance(batch)
		}
	}
	m.advance(tiles % int64(m.o.Batch))
	got, err, more := next()
	if more && err == nil {
		err = fmt.Errorf("the list of tiles %w: one more tile, at %s", ErrDiffers, place(got))
	}
	return tiles, size, err
}

func place(t store.Tile) string {
	if t.BandSet != 0 {
		return fmt.Sprintf("%d/%d/%d, band set %d", t.Z, t.X, t.Y, t.BandSet)
	}
	return fmt.Sprintf("%d/%d/%d", t.Z, t.X, t.Y)
}

// rasterDifference says what of two rasters is not the same; "" when they are,
// the pixels bit by bit. To be valid throughout is the same as to have no
// validity: stores may keep either as the other.
func rasterDifference(a, b *raster.Raster) string {
	for i := range min(len(a.Bands), len(b.Bands)) {
		if !bytes.Equal(a.Bands[i].Pixels.Bytes(), b.Bands[i].Pixels.Bytes()) {
			return fmt.Sprintf("pixels in band %d", i+1)
		}
	}
	x, y := withoutIdleValidity(a), withoutIdleValidity(b)
	if !raster.Equal(&x, &y) {
		return "grid, srid, nodata or validity"
	}
	return ""
}

// withoutIdleValidity leaves out a validity that masks nothing.
func withoutIdleValidity(r *raster.Raster) raster.Raster {
	n := *r
	if len(n.Validity) == n.Width*n.Height && !bytes.Contains(n.Validity, []byte{0}) {
		n.Validity = nil
	}
	return n
}
