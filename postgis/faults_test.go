package postgis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// victims ends all connections of the store that calls itself victim, as the
// death of a network or an administrator does, and tells how many they were.
func victims(ctx context.Context, admin *pgxpool.Pool) (n int, err error) {
	err = admin.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'victim'`).Scan(&n)
	return n, err
}

// victimStore opens a database with connections that victims ends.
func victimStore(t *testing.T, db database) database {
	o := quick
	o.Queue.Backoff = 20 * time.Millisecond
	return openDatabase(t, db.url+"?application_name=victim", o)
}

// Connections that are lost in the middle of a parse cost at most that attempt;
// the next one succeeds. Meanwhile readers see the old revision whole, or the
// new.
func TestLostConnectionsInMidParse(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	admin, victim := newPool(t, db.url), victimStore(t, db)
	var version, kill atomic.Int64 // what every pixel is; at which read the connections are lost, 0: never
	o := &rastertest.Opener{Sources: map[string]rastertest.Source{"raster.syn": {Grid: grid(100000, 200000, 10, 330, 300), SRID: 3857,
		Bands: []ingest.BandInfo{{PixelType: rasterbase.Uint8, Nodata: rasterbase.FloatPtr(0)}},
		Value: func(_, _, _ int) float64 { return float64(version.Load()) }}}}
	o.BeforeRead = func(ctx context.Context, n int64, _ ingest.Window) error {
		if kill.Load() == n {
			// The pool replaces connections that idled for a second by itself:
			// one that was just used is lost in the eyes of the parse.
			if err := victim.Catalog().View(ctx, func(store.Tx) error { return nil }); err != nil {
				return err
			}
			lost, err := victims(ctx, admin)
			if err == nil && lost == 0 {
				err = errors.New("there was no connection to lose")
			}
			return err
		}
		return nil
	}
	path := filepath.Join(t.TempDir(), "raster.syn")
	if err := os.WriteFile(path, []byte("raster"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := ingest.New(ingest.Config{Store: victim, Opener: o, TileSize: 64, BatchSize: 5, Workers: 1})
	version.Store(1)
	layer, err := p.Import(t.Context(), ingest.Request{Source: path, Settings: rasterbase.Settings{Datatype: rasterbase.Continuous}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	reads := o.Reads()
	if reads < 3 {
		t.Fatalf("a parse reads %d times: there is no middle", reads)
	}
	tiles := revision(t, db.DB, layer.Published).BaseTiles

	stop := pollReaders(t, admin, tiles, &version)
	attempts := 0
	for _, at := range []int64{1, reads / 2, reads} {
		version.Add(1)
		kill.Store(o.Reads() + at)
		ticket, err := p.Reparse(t.Context(), layer.ID)
		if err != nil {
			t.Fatal(err)
		}
		if layer, err = p.Run(t.Context(), ticket, nil); err != nil {
			t.Fatalf("connections lost at read %d of %d: %v", at, reads, err)
		}
		if got := seen(t, admin); got != [3]int64{tiles, version.Load(), version.Load()} {
			t.Errorf("after the parse, tiles, least and most are %v, want %d of %d", got, tiles, version.Load())
		}
		attempts += attempted(t, db, ticket)
	}
	stop()
	if attempts < 4 {
		t.Errorf("%d attempts for three parses: none noticed the loss", attempts)
	}
	nothingElse(t, db, layer.ID)
}

// seen is what a reader sees of the base tiles: how many, and the least and
// most value.
func seen(t *testing.T, pool *pgxpool.Pool) (got [3]int64) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `SELECT count(*), coalesce(min((s).min), 0), coalesce(max((s).max), 0)
		FROM (SELECT ST_SummaryStats(rast) AS s FROM rasterbase.published_tiles WHERE is_base) AS q`).Scan(&got[0], &got[1], &got[2])
	if err != nil && t.Context().Err() == nil {
		t.Error(err)
	}
	return got
}

// pollReaders looks all the time whether what is published is whole and of one
// version.
func pollReaders(t *testing.T, pool *pgxpool.Pool, tiles int64, version *atomic.Int64) (stop func()) {
	ended, done := make(chan struct{}), make(chan int)
	go func() {
		polls := 0
		defer func() { done <- polls }()
		for {
			select {
			case <-ended:
				return
			default:
			}
			if got := seen(t, pool); got[0] != tiles || got[1] != got[2] || got[1] < 1 || got[1] > version.Load() {
				t.Errorf("a reader sees %d tiles with values from %d to %d", got[0], got[1], got[2])
				return
			}
			polls++
		}
	}()
	return func() {
		close(ended)
		if polls := <-done; polls < 3 {
			t.Errorf("only %d looks while it was parsed", polls)
		}
	}
}

// attempted wants a parse to be done, and tells how many attempts it took.
func attempted(t *testing.T, db database, ticket rasterbase.Ticket) (n int) {
	t.Helper()
	err := db.Catalog().View(t.Context(), func(tx store.Tx) error {
		list, err := tx.Jobs().ListGroup(t.Context(), fmt.Sprintf("parse:%d", ticket.Parse), nil, 0)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errors.New("the parse has no job")
		}
		job := list[len(list)-1] // the first
		if n = job.Attempt; job.State != store.JobDone {
			t.Errorf("the job is %s after %d attempts", job.State, job.Attempt)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

// nothingElse wants no tiles of other revisions than the published one, and
// those that wait to be dropped.
func nothingElse(t *testing.T, db database, id rasterbase.LayerID) {
	t.Helper()
	for _, k := range revisionsOf(t, db) {
		if rev := revision(t, db.DB, k.Revision); rev.State != rasterbase.Published && rev.State != rasterbase.Retired {
			t.Errorf("revision %d of an attempt that failed is left, as %s", k.Revision, rev.State)
		}
	}
}

// While the server is away every operation says so with code busy, and works
// again when it is back.
func TestServerAway(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Own(t)
	url := cluster.Database(t)
	if err := postgis.Migrate(t.Context(), newPool(t, url), quick); err != nil {
		t.Fatal(err)
	}
	db := openDatabase(t, url, quick)
	layer, err := testlayer.Add(t.Context(), db, small("one"))
	if err != nil {
		t.Fatal(err)
	}
	key := store.TileKey{RevisionKey: store.RevisionKey{Layer: layer.ID, Revision: layer.Published}, Kind: rasterbase.Base}
	source, err := db.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]func() error{
		"Tiles.Get":     func() error { _, err := db.Tiles().Get(t.Context(), key); return err },
		"Tiles.GetMany": func() error { _, err := db.Tiles().GetMany(t.Context(), []store.TileKey{key}); return err },
		"Tiles.List": func() error {
			for _, err := range db.Tiles().List(t.Context(), store.ListParams{RevisionKey: key.RevisionKey, Kind: key.Kind}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"Tiles.Create": func() error {
			return db.Tiles().Create(t.Context(), &rasterbase.Revision{ID: 99, Layer: layer.ID})
		},
		"Tiles.Bytes":     func() error { _, err := db.Tiles().Bytes(t.Context(), key.RevisionKey); return err },
		"Tiles.Revisions": func() error { _, err := db.Tiles().Revisions(t.Context()); return err },
		"Tiles.Seal":      func() error { return db.Tiles().Seal(t.Context(), key.RevisionKey) },
		"Tiles.Drop":      func() error { return db.Tiles().Drop(t.Context(), store.RevisionKey{Layer: 77, Revision: 77}) },
		"Sources.List":    func() error { _, err := db.Sources().List(t.Context()); return err },
		"Sources.Files":   func() error { _, err := db.Sources().Files(t.Context(), source); return err },
		"Sources.Append": func() error {
			_, err := db.Sources().Append(t.Context(), source, "a.tif", 0, bytes.NewReader(nil))
			return err
		},
		"Catalog.View": func() error {
			return db.Catalog().View(t.Context(), func(tx store.Tx) error { _, err := tx.Layers().Get(t.Context(), layer.ID); return err })
		},
		"Catalog.Update": func() error {
			return db.Catalog().Update(t.Context(), func(tx store.Tx) error {
				return tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "another"})
			})
		},
		"CreateView": func() error { _, err := db.CreateView(t.Context(), layer.ID); return err },
	}
	for name, run := range operations {
		if err := run(); err != nil {
			t.Errorf("%s before: %v", name, err)
		}
	}
	if err := cluster.Halt(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for name, run := range operations {
			if err := run(); rasterbase.CodeOf(err) != rasterbase.Busy {
				t.Errorf("%s without a server: %v (code %v)", name, err, rasterbase.CodeOf(err))
			}
		}
	}
	if _, err := postgis.Open(t.Context(), url, quick); rasterbase.CodeOf(err) != rasterbase.Busy {
		t.Errorf("opening without a server: %v", err)
	}
	if err := cluster.Resume(); err != nil {
		t.Fatal(err)
	}
	for name, run := range operations {
		if err := run(); err != nil {
			t.Errorf("%s when the server is back: %v", name, err)
		}
	}
	t.Run("lock table", func(t *testing.T) { fullLockTable(t, db, url) })
}

// fullLockTable fills the table of locks, which all of a server share.
func fullLockTable(t *testing.T, db database, url string) {
	conn, err := newPool(t, url).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_lock(n) FROM generate_series(1, 10000000) AS n`); err == nil {
		t.Fatal("the table of locks cannot be filled")
	}
	// Tables that nobody has used in this connection yet need locks.
	wantHint(t, db.Tiles().Drop(t.Context(), store.RevisionKey{Layer: 1, Revision: 99}), rasterbase.TooLarge, "max_locks_per_transaction")
	if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_unlock_all()`); err != nil {
		t.Fatal(err)
	}
	if err := db.Tiles().Drop(t.Context(), store.RevisionKey{Layer: 1, Revision: 99}); err != nil {
		t.Fatal(err)
	}
}

// proxy stands between a store and the server, and can cut all connections
// without a word, as a broken network does.
type proxy struct {
	net.Listener
	mu   sync.Mutex
	open []net.Conn
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				in.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, in, out)
			p.mu.Unlock()
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}()
	return p
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
	p.open = nil
}

// Connections that end without a word from the server are lost connections.
func TestConnectionsCut(t *testing.T) {
	t.Parallel()
	plain := newDatabase(t, quick)
	address, err := url.Parse(plain.url)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, address.Host)
	address.Host = p.Addr().String()
	db := openDatabase(t, address.String(), quick)
	k := filledRevision(t, db, 1)
	for range 3 {
		err := db.Catalog().Update(t.Context(), func(tx store.Tx) error {
			if err := tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "cut off"}); err != nil {
				return err
			}
			p.cut()
			return tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "too late"})
		})
		if rasterbase.CodeOf(err) != rasterbase.Busy {
			t.Errorf("a transaction whose connection was cut: %v (code %v)", err, rasterbase.CodeOf(err))
		}
		p.cut()
		if _, err := db.Tiles().Get(t.Context(), store.TileKey{RevisionKey: k, Kind: rasterbase.Base}); err != nil && rasterbase.CodeOf(err) != rasterbase.Busy {
			t.Errorf("reading a tile: %v (code %v)", err, rasterbase.CodeOf(err))
		}
	}
	if n := collect[int](t, newPool(t, plain.url), "SELECT count(*) FROM rasterbase.layers"); n[0] != 0 {
		t.Errorf("%d layers of transactions that were cut off are kept", n[0])
	}
}

// An upload that breaks off is no shorter file: readers of HTTP bodies tell it
// with io.ErrUnexpectedEOF.
func TestUploadBreaksOff(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	id, err := db.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range []error{io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: errors.New("reset")}} {
		broken := io.MultiReader(bytes.NewReader(make([]byte, 3<<20/2)), iotest.ErrReader(cause))
		if _, err := db.Sources().Put(t.Context(), id, "a.tif", broken); !errors.Is(err, cause) || rasterbase.CodeOf(err) == rasterbase.Busy {
			t.Errorf("the error is %v (code %v), want %v", err, rasterbase.CodeOf(err), cause)
		}
	}
	if names, err := db.Sources().Files(t.Context(), id); err != nil || len(names) != 0 {
		t.Errorf("the files are %q, %v", names, err)
	}
}

// Sealing and dropping whose connection is lost at any statement end, when
// they are repeated, as those that nothing happened to.
func TestSealAndDropInterrupted(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	admin := newPool(t, db.url)
	victim := victimStore(t, db)
	undisturbed := filledRevision(t, db, 1)
	if err := db.Tiles().Seal(t.Context(), undisturbed); err != nil {
		t.Fatal(err)
	}
	// Every third change of a table ends the connection that makes it.
	execute(t, admin, `CREATE SEQUENCE public.changes`, `CREATE FUNCTION public.interrupt() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_setting('application_name') = 'victim' AND nextval('public.changes') % 3 = 0 THEN
				PERFORM pg_terminate_backend(pg_backend_pid());
			END IF;
		END $$`)
	disturbed := filledRevision(t, victim, 2)
	want := tablesOf(t, admin, undisturbed)

	execute(t, admin, `CREATE EVENT TRIGGER interrupting ON ddl_command_end EXECUTE FUNCTION public.interrupt()`)
	partly := false
	interrupted := repeated(t, func() error { return victim.Tiles().Seal(t.Context(), disturbed) }, func() {
		got := tablesOf(t, admin, disturbed)
		partly = partly || len(got) > 0 && !slices.Equal(got, want)
		first := tile(store.TileKey{RevisionKey: disturbed, Kind: rasterbase.Base}, grid(0, 0, 10, 1000, 1000), 4, 1)
		if err := db.Tiles().Put(t.Context(), []store.Tile{first}); rasterbase.CodeOf(err) != rasterbase.Conflict {
			t.Errorf("writing to a revision that is being sealed: %v", err)
		}
		if n := collect[int](t, admin, `SELECT count(*) FROM rasterbase.tiles WHERE revision = 2`); n[0] != 0 {
			t.Errorf("%d tiles are seen before the sealing ended", n[0])
		}
	})
	if got := tablesOf(t, admin, disturbed); !slices.Equal(got, want) || !partly || interrupted < 3 {
		t.Errorf("after %d interruptions the tables are\n%q, want\n%q", interrupted, got, want)
	}
	if n := collect[int](t, admin, `SELECT count(*) FROM rasterbase.tiles WHERE revision = 2`); n[0] == 0 {
		t.Error("no tiles are seen after the sealing")
	}
	interrupted = repeated(t, func() error { return victim.Tiles().Drop(t.Context(), disturbed) }, func() {
		if _, err := db.Tiles().Bytes(t.Context(), disturbed); !errors.Is(err, store.ErrRevisionGone) {
			t.Errorf("a revision that is being dropped: %v", err)
		}
	})
	if n := collect[int](t, admin, `SELECT count(*) FROM pg_class WHERE relname LIKE 'tiles\_1\_2%'`); n[0] != 0 || interrupted < 1 {
		t.Errorf("after %d interruptions %d tables and indices are left", interrupted, n[0])
	}
	if got := tablesOf(t, admin, undisturbed); !slices.Equal(got, want) {
		t.Errorf("dropping one revision changed another: %q", got)
	}
}

// repeated runs what is interrupted until it is not, and tells how often it was.
func repeated(t *testing.T, run func() error, between func()) (interrupted int) {
	t.Helper()
	for ; interrupted < 50; interrupted++ {
		err := run()
		if err == nil {
			return interrupted
		}
		if rasterbase.CodeOf(err) != rasterbase.Busy {
			t.Fatalf("interrupted: %v (code %v)", err, rasterbase.CodeOf(err))
		}
		between()
	}
	t.Fatal("it never ends")
	return 0
}

// filledRevision writes a base tile and pyramid tiles of some zooms, and does
// not seal them.
func filledRevision(t *testing.T, db database, id rasterbase.RevisionID) store.RevisionKey {
	t.Helper()
	k := store.RevisionKey{Layer: 1, Revision: id}
	g := grid(0, 0, 10, 1000, 1000)
	if err := db.Tiles().Create(t.Context(), &rasterbase.Revision{ID: id, Layer: 1, Grid: g, TileSize: 4}); err != nil {
		t.Fatal(err)
	}
	batch := []store.Tile{tile(store.TileKey{RevisionKey: k, Kind: rasterbase.Base}, g, 4, 1)}
	for z := range 5 {
		for x := range 1 << z {
			g.ScaleX, g.ScaleY = 10*float64(int(16)>>z), -10*float64(int(16)>>z)
			batch = append(batch, tile(store.TileKey{RevisionKey: k, Kind: rasterbase.Pyramid, Z: z, X: x}, g, 4, 2))
		}
	}
	if err := db.Tiles().Put(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return k
}

// tablesOf tells the tables of a sealed revision, their constraints and
// indices.
func tablesOf(t *testing.T, pool *pgxpool.Pool, k store.RevisionKey) []string {
	t.Helper()
	prefix := fmt.Sprintf("tiles_%d_%d_", k.Layer, k.Revision)
	return collect[string](t, pool, `SELECT substr(c.relname, length($1) + 1) || ' ' || con.conname FROM pg_class c JOIN pg_constraint con ON con.conrelid = c.oid
		WHERE starts_with(c.relname, $1) AND con.conname LIKE 'enforce%' UNION ALL
		SELECT substr(c.relname, length($1) + 1) || ' index ' || am.amname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
			JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam
		WHERE starts_with(c.relname, $1) ORDER BY 1`, prefix)
}
