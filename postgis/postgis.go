package postgis

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// DefaultSchema is the schema that is used when none is named.
const DefaultSchema = "rasterbase"

// Options adjusts a store. The zero value is right for most.
type Options struct {
	// Schema is where all tables are; empty: [DefaultSchema].
	Schema string
	Logger *slog.Logger     // nil: nothing is logged
	Clock  func() time.Time // nil: the server's, so that several machines agree
	// WorkDir is where source files are copied to for whoever needs them as
	// files; empty: the system's temporary folder.
	WorkDir string
	// Writers is how many connections write the tiles of one batch side by
	// side; 0: 2.
	Writers int
	// ListenURL is where the store listens for changes that others make: a direct
	// address of the same database, where the pool's is that of a pooler which
	// keeps no state between transactions, such as PgBouncer's. Empty: as the pool
	// connects; [ListenByPolling]: it never listens and looks a few times a second.
	ListenURL string
	// Queue adjusts the queue; zero fields take its defaults.
	Queue QueueOptions
}

// QueueOptions are the times of the queue.
type QueueOptions struct {
	// Lease is how long a running job belongs to a worker that gives no sign
	// of life; 0: 5 s. Heartbeat is the pause between such signs; 0: 1 s.
	Lease, Heartbeat time.Duration
	// Poll is the pause between two looks for jobs that another process added;
	// 0: 500 ms.
	Poll time.Duration
	// Backoff is the pause before a failed job is tried for the second time;
	// it doubles each time, up to an hour. 0: 1 s.
	Backoff time.Duration
	// GiveUp is how long a worker goes on trying when it cannot reach the
	// database, before it returns the error; 0: 5 s.
	GiveUp time.Duration
}

func (o Options) withDefaults() Options {
	o.Schema = cmp.Or(o.Schema, DefaultSchema)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Writers = cmp.Or(o.Writers, 2)
	o.Queue.Lease = cmp.Or(o.Queue.Lease, 5*time.Second)
	o.Queue.Backoff = cmp.Or(o.Queue.Backoff, time.Second)
	return o
}

// DB is a store in a database. It implements [store.Store]; any number of
// goroutines may use it.
type DB struct {
	pool *pgxpool.Pool
	own  bool // the pool is closed with the store
	o    Options
	// names of schemas, quoted: ours, and those of the extensions postgis and
	// postgis_raster
	schema, spatial, raster string
	lz4                     bool // the server can compress with it

	catalog    *sqlcatalog.Catalog
	generation *sqlcatalog.Generation
	queue      *leasequeue.Queue
	tiles      *tiles
	sources    *sources
}

var _ store.Store = (*DB)(nil)

// Open connects to a database, postgres://user:password@host:port/name, with
// a pool of its own. The schema must be there and be of this version: see
// [Migrate]. Parameters of the URL that begin with pool_ are pgxpool's.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the address of the database is wrong: %w", withoutPassword(err)).
			WithHint("write postgres://user:password@host:port/database")
	}
	if !strings.Contains(url, "pool_max_conns") {
		c.MaxConns = max(c.MaxConns, 10)
	}
	if c.ConnConfig.RuntimeParams["application_name"] == "" {
		c.ConnConfig.RuntimeParams["application_name"] = "rasterbase"
	}
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database: %w", withoutPassword(err))
	}
	db, err := New(ctx, pool, o)
	if err != nil {
		pool.Close()
		return nil, err
	}
	db.own = true
	return db, nil
}

// New makes a store on a host's pool, which stays the host's to close. The
// schema must be there and be of this version: see [Migrate].
func New(ctx context.Context, pool *pgxpool.Pool, o Options) (*DB, error) {
	switch mode := pool.Config().ConnConfig.DefaultQueryExecMode; mode {
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol: // results come as text, and JSON goes as bytes
		return nil, rasterbase.Errorf(rasterbase.Invalid, "connections that run queries in the mode %q cannot be used", mode).
			WithHint("behind a pooler of transactions use default_query_exec_mode=cache_describe")
	}
	db, err := reach(ctx, pool, o)
	if err != nil {
		return nil, err
	}
	if err := db.checkVersion(ctx); err != nil {
		return nil, err
	}
	if _, err := db.watchConfig(); err != nil {
		return nil, err
	}
	clock, err := db.look(ctx)
	if err != nil {
		return nil, db.storageError(err, "opening the store")
	}
	if db.o.Clock == nil {
		db.o.Clock = clock
	}
	if err := db.addMissingCRSs(ctx); err != nil {
		return nil, err
	}
	db.catalog = sqlcatalog.New(db.dialect())
	db.generation = sqlcatalog.NewGeneration(db.o.Logger, db.watch)
	db.queue = leasequeue.New(backend{db}, leasequeue.Options{Logger: db.o.Logger, Clock: db.o.Clock,
		Lease: db.o.Queue.Lease, Heartbeat: db.o.Queue.Heartbeat, Poll: db.o.Queue.Poll, GiveUp: db.o.Queue.GiveUp})
	db.tiles = newTiles(db)
	db.sources = &sources{db}
	return db, nil
}

// look finds what has to be known of the server: where PostGIS's raster
// functions are, what it can compress with, and its clock.
func (db *DB) look(ctx context.Context) (clock func() time.Time, err error) {
	var spatial, raster *string
	var server time.Time
	before := time.Now()
	err = db.pool.QueryRow(ctx, `SELECT clock_timestamp(),
			(SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'postgis'),
			(SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'postgis_raster'),
			EXISTS (SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals))`).
		Scan(&server, &spatial, &raster, &db.lz4)
	switch {
	case err != nil:
		return nil, err
	case spatial == nil:
		return nil, noExtension("postgis")
	case raster == nil:
		return nil, noExtension("postgis_raster")
	}
	db.spatial, db.raster = *spatial, *raster
	// The server answered about half-way between. From then on the time since is
	// added, so that this machine's clock may be set meanwhile.
	answered := before.Add(time.Since(before) / 2)
	return func() time.Time { return server.Add(time.Since(answered)) }, nil
}

// table is the qualified name of a table.
func (db *DB) table(name string) string { return db.schema + "." + pgx.Identifier{name}.Sanitize() }

// Catalog is the part that keeps everything but pixels and files.
func (db *DB) Catalog() store.Catalog { return catalog{db} }

// Tiles is the part that keeps pixels.
func (db *DB) Tiles() store.Tiles { return db.tiles }

// Sources is the part that keeps files.
func (db *DB) Sources() store.Sources { return db.sources }

// Queue is the part that runs jobs.
func (db *DB) Queue() store.Queue { return db.queue }

// Close ends the work on jobs and closes the connections that [Open] made. It
// does not wait for workers: jobs that still run lose their lease, as if the
// process had ended.
func (db *DB) Close() error {
	db.queue.Close()
	db.generation.Close()
	if db.own {
		db.pool.Close()
	}
	return nil
}
