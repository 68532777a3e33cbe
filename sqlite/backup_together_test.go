package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// busyStore is a store in which layers are made, published anew, built and
// deleted, by another opening of the folder than the one that is backed up.
type busyStore struct {
	*DB
	mu     sync.Mutex
	values map[rasterbase.RevisionID]float64 // of every pixel
}

func (b *busyStore) spec(value float64) testlayer.Spec {
	return testlayer.Spec{Datatype: rasterbase.Categorical, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}},
		TileSize: 32, MaxZoom: 1, Width: 60, Height: 60, Value: testlayer.Constant(value)}
}

func (b *busyStore) publish(ctx context.Context, layer rasterbase.LayerID) (*rasterbase.Revision, error) {
	value := float64(rand.IntN(200) + 1)
	r, err := testlayer.Publish(ctx, b, layer, b.spec(value))
	if err == nil {
		b.mu.Lock()
		b.values[r.ID] = value
		b.mu.Unlock()
	}
	return r, err
}

// churn makes a layer with a source, publishes it some times, each time dropping
// the revision before, and deletes it.
func (b *busyStore) churn(ctx context.Context, n int) error {
	src, err := b.Sources().Create(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("source %d", n)
	if _, err := b.Sources().Put(ctx, src, "side.aux", strings.NewReader("aux")); err != nil {
		return err
	}
	if _, err := b.Sources().Put(ctx, src, "x.tif", strings.NewReader(text)); err != nil {
		return err
	}
	l := &rasterbase.Layer{Name: text, Source: rasterbase.Source{ID: src, Name: "x.tif", Size: int64(len(text))}}
	if err := b.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Create(ctx, l) }); err != nil {
		return err
	}
	before := store.RevisionKey{Layer: l.ID}
	for range 3 {
		r, err := b.publish(ctx, l.ID)
		if err != nil {
			return err
		}
		if before.Revision != 0 {
			if err := b.Tiles().Drop(ctx, before); err != nil {
				return err
			}
			err := b.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Revisions().Delete(ctx, before.Revision) })
			if err != nil {
				return err
			}
		}
		before.Revision = r.ID
	}
	if err := b.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Delete(ctx, l.ID) }); err != nil {
		return err
	}
	return errors.Join(b.Tiles().Drop(ctx, before), b.Sources().Delete(ctx, src))
}

// buildTiles is how many chunks, of a tile each, build makes.
const buildTiles = 12

// build parses a layer in chunks: what the catalog records of a chunk is there.
// Then it publishes, or gives up.
func (b *busyStore) build(ctx context.Context, layer rasterbase.LayerID) error {
	rev := &rasterbase.Revision{Layer: layer, TileSize: 8, BaseTiles: buildTiles}
	parse := &rasterbase.Parse{Layer: layer, Status: rasterbase.Tiling}
	err := b.Catalog().Update(ctx, func(tx store.Tx) error {
		if err := tx.Revisions().Create(ctx, rev); err != nil {
			return err
		}
		parse.Revision = rev.ID
		return tx.Parses().Create(ctx, parse)
	})
	if err != nil {
		return err
	}
	if err := b.Tiles().Create(ctx, rev); err != nil {
		return err
	}
	k := store.RevisionKey{Layer: layer, Revision: rev.ID}
	value := float64(rev.ID % 251)
	b.mu.Lock()
	b.values[rev.ID] = value
	b.mu.Unlock()
	for i := range buildTiles {
		if err := b.Tiles().Put(ctx, []store.Tile{{TileKey: chunkKey(k, i), Raster: flat(value)}}); err != nil {
			return err
		}
		if err := b.Tiles().Sync(ctx, k); err != nil {
			return err
		}
		err := b.Catalog().Update(ctx, func(tx store.Tx) error {
			_, err := tx.Parses().Chunks().Put(ctx, parse.ID, store.Chunk{Number: i})
			return err
		})
		if err != nil {
			return err
		}
	}
	if rev.ID%2 == 0 { // cancelled
		err := b.Catalog().Update(ctx, func(tx store.Tx) error {
			return errors.Join(tx.Parses().Chunks().Drop(ctx, parse.ID), tx.Revisions().Retire(ctx, rev.ID))
		})
		return errors.Join(err, b.Tiles().Drop(ctx, k))
	}
	if err := b.Tiles().Seal(ctx, k); err != nil {
		return err
	}
	before := rasterbase.RevisionID(0)
	err = b.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		before, err = tx.Revisions().Publish(ctx, rev.ID)
		return errors.Join(err, tx.Parses().Chunks().Drop(ctx, parse.ID))
	})
	if err != nil || before == 0 {
		return err
	}
	return b.Tiles().Drop(ctx, store.RevisionKey{Layer: layer, Revision: before})
}

func chunkKey(k store.RevisionKey, i int) store.TileKey {
	return store.TileKey{RevisionKey: k, Kind: rasterbase.Base, X: i}
}

func flat(value float64) *raster.Raster {
	r := raster.New(rasterbase.Grid{Width: 8, Height: 8, ScaleX: 1, ScaleY: -1}, 3857, rasterbase.Uint8)
	for i := range 64 {
		r.Bands[0].Pixels.Set(i, value)
	}
	return r
}

// A backup that is made while layers are published, built, dropped and deleted
// has whatever its catalog refers to, of the same moment.
func TestBackupOfAStoreThatChanges(t *testing.T) {
	t.Parallel()
	for name, atOnce := range map[string]int{"held": 0, "copied before": 2} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := &busyStore{DB: openTest(t, dir, Options{}), values: map[rasterbase.RevisionID]float64{}}
			still := make([]rasterbase.LayerID, 6)
			for i := range still {
				l := &rasterbase.Layer{Name: fmt.Sprint("still ", i)}
				err := b.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Create(t.Context(), l) })
				if err != nil {
					t.Fatal(err)
				}
				if _, err := b.publish(t.Context(), l.ID); err != nil {
					t.Fatal(err)
				}
				still[i] = l.ID
			}
			ctx, stop := context.WithCancel(t.Context())
			var work sync.WaitGroup
			loop := func(do func(n int) error) {
				work.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						if err := do(n); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			plain := t.Context()
			loop(func(n int) error { return b.churn(plain, n) })
			loop(func(n int) error { return b.churn(plain, n) })
			loop(func(int) error { return b.build(plain, still[0]) })
			loop(func(n int) error { _, err := b.publish(plain, still[1+n%2]); return err })
			for range 6 {
				dest, to := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "new")
				if _, err := Backup(t.Context(), dir, dest, BackupOptions{pinAtOnce: atOnce}); err != nil {
					t.Error(err)
					break
				}
				if _, err := Restore(t.Context(), dest, to, BackupOptions{}); err != nil {
					t.Error(err)
					break
				}
				b.check(t, openTest(t, to, Options{}))
			}
			stop()
			work.Wait()
		})
	}
}

// check makes sure that a restored store has all that its catalog says.
func (b *busyStore) check(t *testing.T, got *DB) {
	t.Helper()
	ctx := t.Context()
	var layers []*rasterbase.Layer
	revisions := map[rasterbase.RevisionID]*rasterbase.Revision{}
	chunks := map[rasterbase.RevisionID][]int{}
	err := got.Catalog().View(ctx, func(tx store.Tx) (err error) {
		if layers, _, err = tx.Layers().Find(ctx, store.LayerFilter{}); err != nil {
			return err
		}
		all, err := tx.Revisions().List(ctx, 0)
		for _, r := range all {
			revisions[r.ID] = r
		}
		for _, l := range layers {
			p, e := tx.Parses().Latest(ctx, l.ID)
			if e != nil {
				continue
			}
			for c, e := range tx.Parses().Chunks().List(ctx, p.ID, 0) {
				err = errors.Join(err, e)
				chunks[p.Revision] = append(chunks[p.Revision], c.Number)
			}
		}
		return err
	})
	if err != nil || len(layers) < 6 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	for _, l := range layers {
		if l.Source.ID != "" {
			b.checkSource(t, got, l)
		}
		if l.Published != 0 {
			b.checkTiles(t, got, revisions[l.Published])
		}
	}
	for _, r := range revisions {
		if r.State != rasterbase.Building || len(chunks[r.ID]) == 0 {
			continue
		}
		k := store.RevisionKey{Layer: r.Layer, Revision: r.ID}
		for _, i := range chunks[r.ID] {
			b.checkTile(t, got, chunkKey(k, i))
		}
		// The parse goes on.
		err := errors.Join(got.Tiles().Put(ctx, []store.Tile{{TileKey: chunkKey(k, buildTiles-1), Raster: flat(b.value(r.ID))}}), got.Tiles().Seal(ctx, k))
		if err != nil {
			t.Errorf("revision %d cannot be gone on with: %v", r.ID, err)
		}
	}
}

func (b *busyStore) value(r rasterbase.RevisionID) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.values[r]
}

func (b *busyStore) checkSource(t *testing.T, got *DB, l *rasterbase.Layer) {
	t.Helper()
	f, err := got.Sources().Open(t.Context(), l.Source.ID, "x.tif")
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	names, err2 := got.Sources().Files(t.Context(), l.Source.ID)
	if string(text) != l.Name || len(names) != 2 || err != nil || err2 != nil {
		t.Errorf("the source of %q has %q and %q (%v, %v)", l.Name, text, names, err, err2)
	}
}

func (b *busyStore) checkTiles(t *testing.T, got *DB, r *rasterbase.Revision) {
	t.Helper()
	k := store.RevisionKey{Layer: r.Layer, Revision: r.ID}
	if r.TileSize == 8 {
		for i := range buildTiles {
			b.checkTile(t, got, chunkKey(k, i))
		}
		return
	}
	n := int64(0)
	for z := range 2 {
		for kind := range rasterbase.Kind(2) {
			for tile, err := range got.Tiles().List(t.Context(), store.ListParams{RevisionKey: k, Kind: kind, Z: z}) {
				if err != nil {
					t.Error(err)
					return
				}
				n++
				b.checkRaster(t, tile.TileKey, tile.Raster)
			}
		}
	}
	if n != r.BaseTiles+r.PyramidTiles {
		t.Errorf("revision %d has %d tiles, not %d", r.ID, n, r.BaseTiles+r.PyramidTiles)
	}
}

func (b *busyStore) checkTile(t *testing.T, got *DB, k store.TileKey) {
	t.Helper()
	r, err := got.Tiles().Get(t.Context(), k)
	if err != nil {
		t.Error(err)
		return
	}
	b.checkRaster(t, k, r)
}

func (b *busyStore) checkRaster(t *testing.T, k store.TileKey, r *raster.Raster) {
	t.Helper()
	// publish notes a value once the revision is there; what is served may be
	// a moment ahead.
	want := b.value(k.Revision)
	if want == 0 {
		return
	}
	for i := range r.Grid.Width * r.Grid.Height {
		if r.Valid(0, i) && r.Bands[0].Pixels.At(i) != want {
			t.Errorf("%+v has %v, not %v", k, r.Bands[0].Pixels.At(i), want)
			return
		}
	}
}

// A source that is deleted while it is being held is noticed, and so is a
// revision, although its record may be there still.
func TestWhatIsDeletedWhileItIsHeld(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	b := &busyStore{DB: openTest(t, dir, Options{}), values: map[rasterbase.RevisionID]float64{}}
	src, err := b.Sources().Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	l := &rasterbase.Layer{Name: "x", Source: rasterbase.Source{ID: src, Name: "x.tif"}}
	if err := b.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Create(ctx, l) }); err != nil {
		t.Fatal(err)
	}
	r, err := b.publish(ctx, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	run := &backup{dir: dir, partial: t.TempDir(), copied: map[store.RevisionKey]bool{}, sources: map[string]string{}, listed: map[string]manifestFile{}}
	before, err := readMoment(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := before.close(); err != nil {
			t.Error(err)
		}
	}()
	held, err := run.pinAll(ctx, before)
	held.close()
	if err != nil || len(held) != 1 {
		t.Fatalf("held %d, %v", len(held), err)
	}
	if err := b.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Delete(ctx, l.ID) }); err != nil {
		t.Fatal(err)
	}
	held, err = run.pinAll(ctx, before) // the files are all there still
	held.close()
	if !errors.Is(err, errGone) {
		t.Errorf("holding a source that is being deleted: %v", err)
	}
	if err := b.Tiles().Drop(ctx, store.RevisionKey{Layer: l.ID, Revision: r.ID}); err != nil {
		t.Fatal(err)
	}
	held, err = run.pinAll(ctx, before)
	held.close()
	if !errors.Is(err, errGone) {
		t.Errorf("holding a revision that was dropped: %v", err)
	}
}
