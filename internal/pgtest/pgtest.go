// Package pgtest gives tests a PostgreSQL of their own: a private cluster with
// PostGIS, on a free port, in a temporary folder, which is started by the first
// test that asks and stopped at the end of the test binary.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		pool, err := pgxpool.New(t.Context(), pgtest.Database(t))
//
// Without a PostgreSQL on the machine the tests are skipped, unless
// RASTERBASE_TEST_REQUIRE names postgis: then they fail.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared is the cluster of this test binary.
var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
	number  atomic.Int64

	preparing sync.Mutex
	prepared  map[string]bool
}

// Main runs the tests, stops the cluster if one was started, and exits.
func Main(m *testing.M) { os.Exit(M{m}.Run()) }

// M is the tests of a binary that has a main function for them already: its Run
// stops the cluster at the end.
type M struct{ *testing.M }

// Run runs the tests and gives the exit code.
func (m M) Run() int {
	code := m.M.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the PostgreSQL of the tests:", err)
			code = max(code, 1)
		}
	}
	return code
}

// Shared is the cluster of this test binary, which must call [Main].
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.once.Do(func() { shared.cluster, shared.err = Start() })
	switch {
	case errors.Is(shared.err, errNotInstalled) && !required():
		t.Skip(shared.err)
	case shared.err != nil:
		t.Fatal(shared.err)
	}
	return shared.cluster
}

func required() bool {
	return slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "postgis")
}

// Database makes a new database with the extensions postgis and postgis_raster
// and gives its URL, for a superuser. It is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	return database(t, templateName)
}

// BareDatabase is a [Database] without extensions.
func BareDatabase(t testing.TB) string {
	t.Helper()
	return database(t, "template0")
}

// Prepared is a [Database] as prepare left it. It runs once for each name, which
// is a word of lower-case letters; all others of that name are copies.
func Prepared(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	c := Shared(t)
	template := "prepared_" + name
	shared.preparing.Lock()
	defer shared.preparing.Unlock()
	if !shared.prepared[template] {
		if err := c.exec(t.Context(), "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", template, templateName)); err != nil {
			t.Fatal(err)
		}
		if err := prepare(c.URL(template)); err != nil {
			t.Fatal(err)
		}
		if shared.prepared == nil {
			shared.prepared = map[string]bool{}
		}
		shared.prepared[template] = true
	}
	return database(t, template)
}

func database(t testing.TB, template string) string {
	t.Helper()
	return Shared(t).database(t, template)
}

// Own is a cluster of one test's own, for a test that stops the server.
func Own(t testing.TB) *Cluster {
	t.Helper()
	Shared(t) // tells whether there can be one
	c, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Database makes a new database with the extensions postgis and postgis_raster
// in this cluster. It is dropped when the test ends.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	return c.database(t, templateName)
}

func (c *Cluster) database(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("test%d", shared.number.Add(1))
	if err := c.exec(t.Context(), "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.exec(ctx, "postgres", fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)); err != nil {
			t.Error(err)
		}
	})
	return c.URL(name)
}

// exec runs one statement on a connection of its own.
func (c *Cluster) exec(ctx context.Context, database, statement string) (err error) {
	conn, err := pgx.Connect(ctx, c.URL(database))
	if err != nil {
		return fmt.Errorf("connecting to the PostgreSQL of the tests: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
