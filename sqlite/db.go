package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// Options adjusts a store. The zero value is right for most.
type Options struct {
	Logger *slog.Logger     // nil: nothing is logged
	Clock  func() time.Time // nil: time.Now; for tests
	// Lease is how long a running job belongs to a worker that gives no sign
	// of life; 0: 5 s. Heartbeat is the pause between such signs; 0: 1 s.
	Lease, Heartbeat time.Duration
	// Poll is the pause between two looks for jobs that another process added;
	// 0: 500 ms. Jobs of this process start at once.
	Poll time.Duration
	// Backoff is the pause before a failed job is tried for the second time;
	// it doubles each time, up to an hour. 0: 1 s.
	Backoff time.Duration
	// GiveUp is how long a worker goes on trying when it cannot write how a job
	// ended, or cannot look for jobs, before it returns the error; 0: 5 s.
	GiveUp time.Duration
	// OpenTileFiles bounds how many revisions' files are kept open; 0: 64.
	OpenTileFiles int
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.Lease = cmp.Or(o.Lease, 5*time.Second)
	o.Heartbeat = cmp.Or(o.Heartbeat, time.Second)
	o.Poll = cmp.Or(o.Poll, 500*time.Millisecond)
	o.Backoff = cmp.Or(o.Backoff, time.Second)
	o.GiveUp = cmp.Or(o.GiveUp, 5*time.Second)
	o.OpenTileFiles = cmp.Or(o.OpenTileFiles, 64)
	return o
}

// DB is a store in a folder. It implements [store.Store]; any number of
// goroutines may use it.
type DB struct {
	dir     string
	o       Options
	writer  *sql.DB // one connection: writing transactions queue for it
	readers *sql.DB
	// statements are prepared queries of readers.
	statements *statements
	queries    *sqlcatalog.Catalog
	generation *sqlcatalog.Generation
	tiles      *tiles
	sources    *sources
	queue      *leasequeue.Queue
}

var _ store.Store = (*DB)(nil)

// Open opens the store in a folder, creates it when there is none, and brings
// its schema up to date. A folder that is not there is made for its owner only.
// The error has code unsupported when a newer version of rasterbase wrote the
// store, conflict when a backup is being restored into the folder, and invalid
// when the folder cannot be used.
func Open(ctx context.Context, dir string, o Options) (_ *DB, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("finding the folder of the store: %w", err)
	}
	if err := checkRestored(dir); err != nil {
		return nil, err
	}
	db := &DB{dir: dir, o: o.withDefaults()}
	if err := makeFolders(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if err := db.openCatalog(ctx); err != nil {
		return nil, db.storageError(err, "opening the store in %s", dir)
	}
	db.tiles = newTiles(db, filepath.Join(dir, "tiles"))
	db.sources = &sources{db: db, dir: filepath.Join(dir, "sources")}
	db.queries = sqlcatalog.New(db.dialect())
	db.generation = sqlcatalog.NewGeneration(db.o.Logger, db.watch)
	db.queue = newQueue(db)
	return db, nil
}

// makeFolders makes what is missing of the folders of a store, and then looks
// whether a restore has begun meanwhile: a restore marks the folder, and then
// looks whether anything is there.
func makeFolders(dir string) error {
	err := makePrivate(dir)
	for _, sub := range []string{sourcesFolder, filepath.Join(tilesFolder, goneFolder)} {
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, sub), 0o755)
		}
	}
	if err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "making the folder of the store: %w", err).
			WithHint("name a folder that can be written with --data or RASTER_DATA")
	}
	return checkRestored(dir)
}

func (db *DB) openCatalog(ctx context.Context) (err error) {
	path := filepath.Join(db.dir, "rasterbase.db")
	db.writer, err = sql.Open("sqlite", dsn(path, "rwc", "busy_timeout(15000)", "journal_mode(WAL)",
		"synchronous(FULL)", "foreign_keys(1)", "journal_size_limit(67108864)")+"&_txlock=immediate")
	if err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, db.dir, db.writer); err != nil {
		return err
	}
	db.readers, err = sql.Open("sqlite", dsn(path, "rw", "busy_timeout(15000)", "foreign_keys(1)", "query_only(1)"))
	if err != nil {
		return err
	}
	n := max(4, 2*runtime.GOMAXPROCS(0))
	db.readers.SetMaxOpenConns(n)
	db.readers.SetMaxIdleConns(n)
	db.statements = newStatements(db.readers)
	return db.readers.PingContext(ctx)
}

// dsn makes the address of a database file for the driver.
func dsn(path, mode string, pragmas ...string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	q := url.Values{"mode": {mode}, "_pragma": pragmas}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// Catalog is the part that keeps everything but pixels and files.
func (db *DB) Catalog() store.Catalog { return catalog{db} }

// Tiles is the part that keeps pixels.
func (db *DB) Tiles() store.Tiles { return db.tiles }

// Sources is the part that keeps files.
func (db *DB) Sources() store.Sources { return db.sources }

// Queue is the part that runs jobs.
func (db *DB) Queue() store.Queue { return db.queue }

// Close closes all files. It does not wait for workers: jobs that still run
// lose their lease, as if the process had ended.
func (db *DB) Close() error {
	var errs []error
	if db.queue != nil {
		db.queue.Close()
	}
	if db.generation != nil {
		db.generation.Close()
	}
	if db.tiles != nil {
		errs = append(errs, db.tiles.close())
	}
	if db.statements != nil {
		errs = append(errs, db.statements.close())
	}
	for _, d := range []*sql.DB{db.readers, db.writer} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}
