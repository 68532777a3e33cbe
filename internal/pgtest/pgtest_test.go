package pgtest_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// Databases are apart from each other, and have PostGIS.
func TestDatabase(t *testing.T) {
	for range 2 {
		conn, err := pgx.Connect(t.Context(), pgtest.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		var n int
		if err := conn.QueryRow(t.Context(), "CREATE TABLE t (r raster); SELECT 1").Scan(&n); err == nil {
			t.Fatal("two statements in one query were accepted")
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE t AS SELECT ST_MakeEmptyRaster(3, 4, 0, 0, 1) AS rast"); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), "SELECT ST_Width(rast) * 10 + ST_Height(rast) FROM t").Scan(&n); err != nil || n != 34 {
			t.Fatal(n, err)
		}
	}
}

func TestBareDatabase(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), pgtest.BareDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_extension WHERE extname LIKE 'postgis%'").Scan(&n); err != nil || n != 0 {
		t.Fatal(n, err)
	}
}

// A server that was killed has what was committed when it is started again.
func TestKillAndResume(t *testing.T) {
	c := pgtest.Own(t)
	url := c.Database(t)
	ask := func(sql string) (n int) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url+"?synchronous_commit=on")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			t.Fatal(err)
		}
		return n
	}
	ask("CREATE TABLE t (i int)")
	for i, end := range []func() error{c.Kill, c.Abort, c.Halt, c.Kill} {
		ask("INSERT INTO t VALUES (1)")
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := c.Resume(); err != nil {
			t.Fatal(err)
		}
		if n := ask("SELECT count(*) FROM t"); n != i+1 {
			t.Errorf("after end %d there are %d rows", i, n)
		}
	}
}
