package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// goneFolder holds an empty file for each revision that was dropped, so that a
// worker that was thought dead cannot create it again.
const goneFolder = "gone"

// tiles keeps each revision's tiles in a file of their own.
type tiles struct {
	db    *DB
	dir   string
	codec *tileCodec
	open  *openFiles
	// create makes the mark of a revision that is gone; for tests.
	create func(name string) (*os.File, error)
}

func newTiles(db *DB, dir string) *tiles {
	return &tiles{db: db, dir: dir, codec: newTileCodec(), open: newOpenFiles(db.o.OpenTileFiles),
		create: os.Create}
}

func (t *tiles) close() error { return t.open.closeAll() }

// tileFileName is the name of the file of a revision.
func tileFileName(k store.RevisionKey) string { return fmt.Sprintf("%d-%d.db", k.Layer, k.Revision) }

func (t *tiles) path(k store.RevisionKey) string {
	return filepath.Join(t.dir, tileFileName(k))
}

func (t *tiles) tombstone(k store.RevisionKey) string {
	return filepath.Join(t.dir, goneFolder, fmt.Sprintf("%d-%d", k.Layer, k.Revision))
}

func goneError(k store.RevisionKey) error {
	return fmt.Errorf("revision %d of layer %d: %w", k.Revision, k.Layer, store.ErrRevisionGone)
}

// Create makes the file.
func (t *tiles) Create(ctx context.Context, rev *rasterbase.Revision) error {
	k := store.RevisionKey{Layer: rev.Layer, Revision: rev.ID}
	if t.dropped(k) {
		return goneError(k)
	}
	if err := createTileFile(ctx, t.path(k)); err != nil {
		return t.db.storageError(err, "creating the tiles of revision %d", k.Revision)
	}
	if t.dropped(k) { // meanwhile
		return errors.Join(goneError(k), t.unlink(k))
	}
	return t.db.storageError(syncDir(t.dir), "creating the tiles of revision %d", k.Revision)
}

func (t *tiles) dropped(k store.RevisionKey) bool {
	_, err := os.Lstat(t.tombstone(k))
	return err == nil
}

// with runs fn on the open file of a revision. When the file was unlinked
// before or meanwhile, the error matches ErrRevisionGone whatever fn saw.
func (t *tiles) with(ctx context.Context, k store.RevisionKey, doing string, fn func(*tileFile) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := t.open.acquire(ctx, k, t.path(k))
	if err == nil {
		err = fn(f)
		if !f.exists() {
			t.open.forget(f)
			err = goneError(k)
		}
		err = errors.Join(err, t.open.release(f))
	}
	if err == nil || errors.Is(err, store.ErrRevisionGone) || errors.Is(err, store.ErrNotExist) {
		return err
	}
	if _, statErr := os.Lstat(t.path(k)); errors.Is(statErr, fs.ErrNotExist) {
		return goneError(k)
	}
	return t.db.storageError(err, "%s revision %d of layer %d", doing, k.Revision, k.Layer)
}

// Put encodes the tiles before it takes the file's lock.
func (t *tiles) Put(ctx context.Context, batch []store.Tile) error {
	if len(batch) == 0 {
		return ctx.Err()
	}
	k := batch[0].RevisionKey
	rows := make([]row, len(batch))
	for i, b := range batch {
		if b.RevisionKey != k {
			return rasterbase.Errorf(rasterbase.Invalid, "a batch has tiles of revisions %d and %d", k.Revision, b.Revision)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		tile, err := t.codec.encode(b.Raster)
		if err != nil {
			return fmt.Errorf("%v tile %d/%d/%d: %w", b.Kind, b.Z, b.X, b.Y, err)
		}
		rows[i] = row{b.TileKey, tile}
	}
	err := t.with(ctx, k, "writing tiles of", func(f *tileFile) error { return f.put(ctx, rows) })
	if errors.Is(err, errSealed) {
		return rasterbase.Errorf(rasterbase.Conflict, "writing tiles of revision %d: %w", k.Revision, errSealed)
	}
	return err
}

// Sync makes durable what was written to the file's log. What was moved from
// there into the file itself was synced by that.
func (t *tiles) Sync(ctx context.Context, k store.RevisionKey) error {
	return t.with(ctx, k, "syncing", func(f *tileFile) error {
		if f.sealed {
			return nil
		}
		return errors.Join(syncFile(f.path+"-wal"), syncDir(t.dir))
	})
}

// syncFile syncs a file, whoever has written to it; without one there is
// nothing to do.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Seal syncs the file and makes it read-only.
func (t *tiles) Seal(ctx context.Context, k store.RevisionKey) error {
	err := errTaken
	for errors.Is(err, errTaken) { // whoever had the file may have failed to seal it
		err = t.with(ctx, k, "sealing", func(f *tileFile) error {
			if f.sealed {
				return nil
			}
			return t.open.exclusive(ctx, f, func() error { return f.seal(ctx) })
		})
	}
	if err != nil {
		return err
	}
	return t.db.storageError(syncDir(t.dir), "sealing revision %d", k.Revision)
}

// Get decodes one tile.
func (t *tiles) Get(ctx context.Context, key store.TileKey) (r *raster.Raster, err error) {
	err = t.with(ctx, key.RevisionKey, "reading a tile of", func(f *tileFile) error {
		r, err = t.read(f, key)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, store.NotFound("%v tile %d/%d/%d of revision %d", key.Kind, key.Z, key.X, key.Y, key.Revision)
	}
	return r, nil
}

// GetMany decodes several.
func (t *tiles) GetMany(ctx context.Context, keys []store.TileKey) ([]*raster.Raster, error) {
	out := make([]*raster.Raster, len(keys))
	if len(keys) == 0 {
		return out, ctx.Err()
	}
	for _, k := range keys {
		if k.RevisionKey != keys[0].RevisionKey {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "keys of revisions %d and %d at once", keys[0].Revision, k.Revision)
		}
	}
	err := t.with(ctx, keys[0].RevisionKey, "reading tiles of", func(f *tileFile) (err error) {
		for i, k := range keys {
			if err := ctx.Err(); err != nil {
				return err
			}
			if out[i], err = t.read(f, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// read gives nil for a tile that was not stored.
func (t *tiles) read(f *tileFile, k store.TileKey) (r *raster.Raster, err error) {
	// A read takes some microseconds, less than watching a context during it.
	rows, err := f.get.QueryContext(context.Background(), int(k.Kind), k.Z, k.Y, k.X, k.BandSet)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return nil, rows.Err()
	}
	var tile sql.RawBytes
	if err := rows.Scan(&tile); err != nil {
		return nil, err
	}
	if r, err = t.codec.decode(tile); err != nil {
		return nil, fmt.Errorf("%v tile %d/%d/%d: %w", k.Kind, k.Z, k.X, k.Y, err)
	}
	return r, nil
}

// listChunk is how many tiles List reads at a time: it holds no connection
// while the caller works.
const listChunk = 64

// List reads the tiles in chunks.
func (t *tiles) List(ctx context.Context, p store.ListParams) iter.Seq2[store.Tile, error] {
	return func(yield func(store.Tile, error) bool) {
		last := store.TileKey{RevisionKey: p.RevisionKey, Kind: p.Kind, Z: p.Z,
			Y: math.MinInt32, X: math.MinInt32, BandSet: math.MinInt32}
		for {
			var chunk []store.Tile
			err := t.with(ctx, p.RevisionKey, "listing tiles of", func(f *tileFile) (err error) {
				chunk, err = t.chunk(ctx, f, last)
				return err
			})
			if err != nil {
				yield(store.Tile{}, err)
				return
			}
			for _, tile := range chunk {
				if !yield(tile, nil) {
					return
				}
			}
			if len(chunk) < listChunk {
				return
			}
			last = chunk[len(chunk)-1].TileKey
		}
	}
}

// chunk reads the tiles that follow a key.
func (t *tiles) chunk(ctx context.Context, f *tileFile, after store.TileKey) (out []store.Tile, err error) {
	rows, err := f.list.QueryContext(ctx, int(after.Kind), after.Z, after.Y, after.X, after.BandSet, listChunk)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		k := after
		var tile sql.RawBytes
		if err := rows.Scan(&k.Y, &k.X, &k.BandSet, &tile); err != nil {
			return nil, err
		}
		r, err := t.codec.decode(tile)
		if err != nil {
			return nil, fmt.Errorf("%v tile %d/%d/%d: %w", k.Kind, k.Z, k.X, k.Y, err)
		}
		out = append(out, store.Tile{TileKey: k, Raster: r})
	}
	return out, rows.Err()
}

// Drop leaves a mark and unlinks the file.
func (t *tiles) Drop(ctx context.Context, k store.RevisionKey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := t.mark(k)
	full := isDiskFull(err)
	if err != nil && !full {
		return t.db.storageError(err, "dropping revision %d", k.Revision)
	}
	err = errors.Join(t.open.drop(k), t.unlink(k))
	if full {
		// When not even an empty file can be made, dropping tiles is what mends
		// it. Without a mark the revision could be taken for one that is to be
		// filled.
		err = errors.Join(err, t.mark(k))
	}
	return t.db.storageError(err, "dropping revision %d", k.Revision)
}

// mark leaves the mark of a revision that is gone.
func (t *tiles) mark(k store.RevisionKey) error {
	mark, err := t.create(t.tombstone(k))
	if err == nil {
		err = mark.Close()
	}
	if err == nil {
		err = syncDir(filepath.Join(t.dir, goneFolder))
	}
	return err
}

// unlink removes the file and what SQLite has put beside it.
func (t *tiles) unlink(k store.RevisionKey) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(t.path(k) + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Bytes is the size of the file and of its log.
func (t *tiles) Bytes(ctx context.Context, k store.RevisionKey) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	info, err := os.Stat(t.path(k))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, goneError(k)
	}
	if err != nil {
		return 0, t.db.storageError(err, "measuring revision %d", k.Revision)
	}
	size := info.Size()
	if wal, err := os.Stat(t.path(k) + "-wal"); err == nil {
		size += wal.Size()
	}
	return size, nil
}

// Revisions lists the files.
func (t *tiles) Revisions(ctx context.Context) ([]store.RevisionKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return nil, t.db.storageError(err, "listing the tiles")
	}
	var out []store.RevisionKey
	for _, e := range entries {
		var k store.RevisionKey
		if n, _ := fmt.Sscanf(e.Name(), "%d-%d.db", &k.Layer, &k.Revision); n == 2 && e.Name() == filepath.Base(t.path(k)) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b store.RevisionKey) int {
		if a.Layer != b.Layer {
			return int(a.Layer - b.Layer)
		}
		return int(a.Revision - b.Revision)
	})
	return out, nil
}
