package postgis_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// known waits until a store can tell its generation.
func known(t *testing.T, st store.Store) uint64 {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if g, ok := st.Catalog().Generation(); ok {
			return g
		}
	}
	t.Fatal("the generation is not known within 30 s")
	return 0
}

// wantSeen wants a change, a second after it was made, to be seen or not to be
// ruled out, and to be seen in the end.
func wantSeen(t *testing.T, st store.Store, what string, before uint64) {
	t.Helper()
	time.Sleep(time.Second)
	if g, ok := st.Catalog().Generation(); ok && g == before {
		t.Errorf("%s: the generation %d is told a second later", what, g)
	}
	if g := known(t, st); g == before {
		t.Errorf("%s: the generation %d is told later", what, g)
	}
}

// rename changes a layer through a store.
func rename(t *testing.T, st store.Store, l *rasterbase.Layer, name string) {
	t.Helper()
	l.Name = name
	if err := st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Update(t.Context(), l) }); err != nil {
		t.Fatal(err)
	}
}

func newLayer(t *testing.T, st store.Store) *rasterbase.Layer {
	t.Helper()
	l := &rasterbase.Layer{Name: "x"}
	if err := st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Create(t.Context(), l) }); err != nil {
		t.Fatal(err)
	}
	return l
}

// What a transaction of a host changes is seen when the host has committed.
func TestGenerationWithTx(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	before := known(t, db)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		in := db.WithTx(tx)
		newLayer(t, in)
		if _, ok := in.Catalog().Generation(); ok {
			t.Error("what a transaction sees has a generation")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSeen(t, db, "a host's commit", before)
}

// Statements by hand are seen too, also those of a role that may write layers and
// nothing else.
func TestGenerationByHand(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	role := "editor_" + pool.Config().ConnConfig.Database
	execute(t, pool, `CREATE ROLE `+role, `GRANT USAGE ON SCHEMA rasterbase TO `+role,
		`GRANT SELECT, UPDATE ON rasterbase.layers TO `+role)
	newLayer(t, db)
	for _, statements := range [][]string{
		{`UPDATE rasterbase.layers SET name = 'y'`},
		{`SET ROLE ` + role + `; UPDATE rasterbase.layers SET name = 'z'`},
		{`INSERT INTO rasterbase.legends (title, title_key, updated) VALUES ('t', 't', now())`},
		{`BEGIN`, `DELETE FROM rasterbase.legends`, `COMMIT`},
		{`TRUNCATE rasterbase.layers CASCADE`},
	} {
		time.Sleep(time.Second) // until what was done before is known
		before := known(t, db)
		c, err := pgx.Connect(t.Context(), db.url)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			if _, err := c.Exec(t.Context(), s, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
		c.Close(t.Context())
		wantSeen(t, db, strings.Join(statements, "; "), before)
	}
}

// A connection that an administrator ends, again and again, hides no change.
func TestGenerationAfterLostConnections(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	admin := newPool(t, db.url)
	victim := victimStore(t, db)
	l := newLayer(t, db)
	for i := range 4 {
		before := known(t, victim)
		if i%2 == 0 {
			rename(t, db, l, fmt.Sprint("before ", i))
		}
		if n, err := victims(t.Context(), admin); err != nil || n == 0 {
			t.Fatalf("%d connections were lost: %v", n, err)
		}
		rename(t, db, l, fmt.Sprint("after ", i))
		wantSeen(t, victim, "a change while the connection was lost", before)
		before = known(t, victim)
		rename(t, db, l, fmt.Sprint("then ", i))
		wantSeen(t, victim, "a change after that", before)
	}
}

// An address for listening that is none is refused; where another database is, no
// generation is known, and the log says why.
func TestGenerationListenURL(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	if _, err := postgis.Open(t.Context(), db.url, postgis.Options{ListenURL: "postgres://ada:secret@host:port:0/x"}); rasterbase.CodeOf(err) != rasterbase.Invalid ||
		strings.Contains(err.Error(), "secret") {
		t.Errorf("a wrong address: %v", err)
	}
	var log lines
	other := newDatabase(t, postgis.Options{})
	lost := openDatabase(t, db.url, postgis.Options{ListenURL: other.url, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for end := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), "another database") && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if g, ok := lost.Catalog().Generation(); ok {
			t.Fatalf("the generation %d of another database is told", g)
		}
	}
	if got := log.String(); !strings.Contains(got, "another database") {
		t.Errorf("the log is %q", got)
	}
}

// Rows that came with a dump of another server, whose transactions had greater
// numbers, hide no change, and make others than those that are soon few.
func TestGenerationAfterRestore(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	execute(t, pool, `INSERT INTO rasterbase.catalog_changes
		SELECT (pg_current_xact_id()::text::bigint + i)::text::xid8 FROM (SELECT generate_series(1, 5) UNION ALL SELECT generate_series(1000000, 1001000)) AS s (i)`)
	l := newLayer(t, db)
	for i := range 7 { // beyond the numbers of the rows that are near
		before := known(t, db)
		rename(t, openDatabase(t, db.url, postgis.Options{}), l, fmt.Sprint("y", i))
		if i == 0 || i == 6 {
			wantSeen(t, db, "a change", before)
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second)
	before := known(t, db)
	time.Sleep(time.Second)
	if g := known(t, db); g != before {
		t.Errorf("generation %d follows %d without a change", g, before)
	}
}

// A host's pool may have to do something before and after it connects; so has the
// connection that looks for changes.
func TestGenerationOfHostsPool(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	c, err := pgxpool.ParseConfig(db.url)
	if err != nil {
		t.Fatal(err)
	}
	user := c.ConnConfig.User
	c.ConnConfig.User = "nobody_yet"
	role := "reader_" + c.ConnConfig.Database
	execute(t, newPool(t, db.url), `CREATE ROLE `+role, `GRANT USAGE ON SCHEMA rasterbase TO `+role, `GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA rasterbase TO `+role)
	c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { c.User = user; return nil }
	var connections atomic.Int64
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		connections.Add(1)
		_, err := conn.Exec(ctx, `SET ROLE `+role)
		return err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	st, err := postgis.New(t.Context(), pool, postgis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	before, n := known(t, st), connections.Load()
	newLayer(t, db)
	wantSeen(t, st, "a change", before)
	if n < 2 {
		t.Errorf("the pool's function was called for %d connections", n)
	}
}

// Two schemas of one database have nothing to do with each other.
func TestGenerationOfSchemas(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	long := "s" + strings.Repeat("x", 62)
	o := postgis.Options{Schema: long}
	if err := postgis.Migrate(t.Context(), newPool(t, db.url), o); err != nil {
		t.Fatal(err)
	}
	other := openDatabase(t, db.url, o)
	l := newLayer(t, other)
	time.Sleep(time.Second)
	before, beforeOther := known(t, db), known(t, other)
	rename(t, openDatabase(t, db.url, o), l, "y")
	wantSeen(t, other, "a change in a schema with a long name", beforeOther)
	if g := known(t, db); g != before {
		t.Errorf("a change in another schema made generation %d of %d", g, before)
	}
}

// Transactions that change different things at the same time do not get in each
// other's way.
func TestGenerationSideBySide(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	layers := []*rasterbase.Layer{newLayer(t, db), newLayer(t, db)}
	var txs []pgx.Tx
	for _, l := range layers {
		tx, err := pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
		if _, err := tx.Exec(t.Context(), `UPDATE rasterbase.layers SET name = 'y' WHERE id = $1`, l.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, tx := range txs {
		if err := tx.Commit(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
