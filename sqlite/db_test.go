package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

func openTest(t testing.TB, dir string, o Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newRevision(t testing.TB, db *DB) store.RevisionKey {
	t.Helper()
	l := &rasterbase.Layer{Name: "x"}
	r := &rasterbase.Revision{}
	err := db.Catalog().Update(t.Context(), func(tx store.Tx) error {
		if err := tx.Layers().Create(t.Context(), l); err != nil {
			return err
		}
		r.Layer = l.ID
		return tx.Revisions().Create(t.Context(), r)
	})
	if err == nil {
		err = db.Tiles().Create(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return store.RevisionKey{Layer: l.ID, Revision: r.ID}
}

// A first start of several processes at once migrates once; what was stored
// is there at the next start.
func TestOpenTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space & 100% ?#", "größe")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := Open(t.Context(), dir, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			err = db.Catalog().Update(t.Context(), func(tx store.Tx) error {
				return tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "x"})
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(filepath.Join(dir, "rasterbase.db")); err != nil {
		t.Error(err)
	}
	err := openTest(t, dir, Options{}).Catalog().View(t.Context(), func(tx store.Tx) error {
		_, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		if n != 4 {
			t.Errorf("%d layers", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	db := openTest(t, dir, Options{})
	if _, err := db.writer.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir, Options{})
	if rasterbase.CodeOf(err) != rasterbase.Unsupported || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("the error is %v", err)
	}
}

func TestOpenRefusals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), filepath.Join(file, "store"), Options{}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("a folder inside a file: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rasterbase.db"), bytes.Repeat([]byte("not a database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); rasterbase.CodeOf(err) != rasterbase.Internal || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("another file's content: %v", err)
	}
}

// A disk that is full is told as such. The catalog and a tile file are kept
// from growing; that sources meet ENOSPC is simulated by their reader.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	db := openTest(t, dir, Options{})
	key := newRevision(t, db)
	check := func(what string, err error) {
		t.Helper()
		if rasterbase.CodeOf(err) != rasterbase.TooLarge || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	tile := []store.Tile{{TileKey: store.TileKey{RevisionKey: key}, Raster: elevation(1, 256, rasterbase.Float64)}}
	if err := db.Tiles().Put(t.Context(), tile); err != nil {
		t.Fatal(err)
	}
	f, err := db.tiles.open.acquire(t.Context(), key, db.tiles.path(key))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.write.ExecContext(t.Context(), `PRAGMA max_page_count = 1`); err != nil {
		t.Fatal(err)
	}
	if err := db.tiles.open.release(f); err != nil {
		t.Fatal(err)
	}
	tile[0].X = 1
	check("tiles", db.Tiles().Put(t.Context(), tile))
	if _, err := db.Tiles().Get(t.Context(), store.TileKey{RevisionKey: key}); err != nil {
		t.Errorf("a tile that was stored before: %v", err)
	}
	if _, err := db.writer.ExecContext(t.Context(), `PRAGMA max_page_count = 1`); err != nil {
		t.Fatal(err)
	}
	check("catalog", db.Catalog().Update(t.Context(), func(tx store.Tx) error {
		return tx.Layers().Create(t.Context(), &rasterbase.Layer{Description: strings.Repeat("x", 1<<20)})
	}))
	id, err := db.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Sources().Put(t.Context(), id, "a.tif", fullDisk{})
	check("sources", err)
}

type fullDisk struct{}

func (fullDisk) Read([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
}

// A damaged tile is an error that names it, never a wrong picture.
func TestDamagedTile(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	key := newRevision(t, db)
	if err := db.Tiles().Put(t.Context(), []store.Tile{{TileKey: store.TileKey{RevisionKey: key, Z: 3, X: 4, Y: 5}, Raster: landCover(1, 64, 5)}}); err != nil {
		t.Fatal(err)
	}
	f, err := db.tiles.open.acquire(t.Context(), key, db.tiles.path(key))
	if err != nil {
		t.Fatal(err)
	}
	var tile []byte
	if err := f.write.QueryRowContext(t.Context(), `SELECT tile FROM tiles`).Scan(&tile); err != nil {
		t.Fatal(err)
	}
	tile[len(tile)/2] ^= 1
	if _, err := f.write.ExecContext(t.Context(), `UPDATE tiles SET tile = ?`, tile); err != nil {
		t.Fatal(err)
	}
	if err := db.tiles.open.release(f); err != nil {
		t.Fatal(err)
	}
	_, err = db.Tiles().Get(t.Context(), store.TileKey{RevisionKey: key, Z: 3, X: 4, Y: 5})
	if !errors.Is(err, errCorrupt) || errors.Is(err, store.ErrNotExist) || !strings.Contains(err.Error(), "3/4/5") {
		t.Errorf("the error is %v", err)
	}
}

// Nothing is put after the seal, and what is dropped leaves no file.
func TestFilesOfARevision(t *testing.T) {
	dir := t.TempDir()
	db := openTest(t, dir, Options{})
	key := newRevision(t, db)
	tile := []store.Tile{{TileKey: store.TileKey{RevisionKey: key}, Raster: landCover(1, 64, 5)}}
	if err := db.Tiles().Put(t.Context(), tile); err != nil {
		t.Fatal(err)
	}
	if err := db.Tiles().Seal(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Tiles().Get(t.Context(), tile[0].TileKey); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "tiles", "*.db*"))
	if err != nil || len(files) != 1 {
		t.Errorf("a sealed revision has the files %v (%v)", files, err)
	}
	if err := db.Tiles().Put(t.Context(), tile); rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Errorf("put after the seal: %v", err)
	}
	if err := db.Tiles().Drop(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if files, err = filepath.Glob(filepath.Join(dir, "tiles", "*.db*")); err != nil || len(files) != 0 {
		t.Errorf("a dropped revision has the files %v (%v)", files, err)
	}
}

// A handler that was taken for dead cannot write to the catalog, even with a
// context that it derived from the job's, and cannot end the job.
func TestLostLease(t *testing.T) {
	var shift atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
	dir := t.TempDir()
	// The first process never renews within the test.
	slow := openTest(t, dir, Options{Clock: clock, Heartbeat: time.Hour, Lease: time.Hour})
	other := openTest(t, dir, Options{Clock: clock})
	job := &store.Job{Kind: "k"}
	err := slow.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Jobs().Enqueue(t.Context(), job) })
	if err != nil {
		t.Fatal(err)
	}
	started, goOn, wrote := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	work := func(db *DB, h store.Handler) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- db.Queue().Work(ctx, store.WorkOptions{Handlers: map[string]store.Handler{"k": h}}) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	stopSlow := work(slow, func(ctx context.Context, _ *store.Job) error {
		close(started)
		<-goOn
		wrote <- slow.Catalog().Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
			return tx.Layers().Create(ctx, &rasterbase.Layer{Name: "late"})
		})
		return nil
	})
	<-started
	shift.Store(int64(2 * time.Hour)) // the lease is over
	second, finish, finished := make(chan struct{}), make(chan struct{}), make(chan struct{})
	stopOther := work(other, func(context.Context, *store.Job) error {
		close(second)
		<-finish
		close(finished)
		return nil
	})
	<-second
	close(goOn)
	if err := <-wrote; !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the late write: %v", err)
	}
	stopSlow() // its handler has returned without an error, and that does not end the job
	check := func(want store.JobState) {
		t.Helper()
		err := other.Catalog().View(t.Context(), func(tx store.Tx) error {
			j, err := tx.Jobs().Get(t.Context(), job.ID)
			if err == nil && (j.State != want || j.Attempt != 2) {
				t.Errorf("the job is %+v, not %s", j, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	check(store.JobRunning)
	close(finish)
	<-finished
	stopOther()
	check(store.JobDone)
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	db := openTest(t, t.TempDir(), Options{Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))})
	job := &store.Job{Kind: "k", MaxAttempts: 1}
	if err := db.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Jobs().Enqueue(t.Context(), job) }); err != nil {
		t.Fatal(err)
	}
	err := db.Queue().Work(t.Context(), store.WorkOptions{
		Handlers: map[string]store.Handler{"k": func(context.Context, *store.Job) error { panic("out of luck") }},
		Until: func(ctx context.Context) (done bool, err error) {
			err = db.Catalog().View(ctx, func(tx store.Tx) error {
				j, err := tx.Jobs().Get(ctx, job.ID)
				done = err == nil && j.State == store.JobFailed && j.Error == "panic: out of luck"
				return err
			})
			return done, err
		},
	})
	mu.Lock()
	defer mu.Unlock()
	if err != nil || !strings.Contains(log.String(), "out of luck") || !strings.Contains(log.String(), "TestPanicIsLogged") {
		t.Errorf("%v; the log is %s", err, &log)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// BenchmarkTiles measures batches of 64 tiles from two goroutines, and reads
// from as many, of 512 different land-cover tiles of 256x256.
func BenchmarkTiles(b *testing.B) {
	db := openTest(b, b.TempDir(), Options{})
	rasters := make([]*raster.Raster, 64)
	for i := range rasters {
		rasters[i] = landCover(uint64(i), 256, 9)
	}
	key := newRevision(b, db)
	var next atomic.Int64
	put := func() {
		batch := make([]store.Tile, len(rasters))
		n := int(next.Add(1))
		for i := range batch {
			batch[i] = store.Tile{TileKey: store.TileKey{RevisionKey: key, X: i, Y: n}, Raster: rasters[i]}
		}
		if err := db.Tiles().Put(b.Context(), batch); err != nil {
			b.Error(err)
		}
	}
	b.Run("put", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				put()
			}
		})
		b.ReportMetric(float64(b.N*len(rasters))/b.Elapsed().Seconds(), "tiles/s")
	})
	for next.Load() < 8 {
		put()
	}
	for _, state := range []string{"building", "sealed"} {
		b.Run("get "+state, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					k := store.TileKey{RevisionKey: key, X: rand.IntN(64), Y: 1 + rand.IntN(8)}
					if _, err := db.Tiles().Get(b.Context(), k); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tiles/s")
		})
		if err := db.Tiles().Seal(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJobs(b *testing.B) {
	db := openTest(b, b.TempDir(), Options{})
	for range b.N {
		err := db.Catalog().Update(b.Context(), func(tx store.Tx) error { return tx.Jobs().Enqueue(b.Context(), &store.Job{Kind: "k"}) })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	var ran atomic.Int64
	err := db.Queue().Work(b.Context(), store.WorkOptions{Concurrency: 2,
		Handlers: map[string]store.Handler{"k": func(context.Context, *store.Job) error { ran.Add(1); return nil }},
		Until:    func(context.Context) (bool, error) { return ran.Load() >= int64(b.N), nil }})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// A store in a folder, written and read.
func Example() {
	dir, err := os.MkdirTemp("", "rasterbase")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := Open(ctx, dir, Options{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	layer := &rasterbase.Layer{Name: "Land cover"}
	err = db.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Create(ctx, layer) })
	if err != nil {
		panic(err)
	}
	fmt.Println(layer.ID, layer.Slug)
	// Output: 1 land-cover
}
