package postgis_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// database is a store that can be opened again, as another process would.
type database struct {
	*postgis.DB
	url string
	o   postgis.Options
}

func (d database) Again(t *testing.T) store.Store { return openDatabase(t, d.url, d.o) }

func openDatabase(t testing.TB, url string, o postgis.Options) database {
	t.Helper()
	db, err := postgis.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return database{db, url, o}
}

// newPool connects to a database for the time of a test.
func newPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// newDatabase makes a database with the schema.
func newDatabase(t testing.TB, o postgis.Options) database {
	t.Helper()
	url := pgtest.Prepared(t, "migrated", func(url string) error {
		pool, err := pgxpool.New(t.Context(), url)
		if err != nil {
			return err
		}
		defer pool.Close() // nobody may be connected to what is copied
		return postgis.Migrate(t.Context(), pool, postgis.Options{})
	})
	return openDatabase(t, url, o)
}

// quick makes the death of a worker known sooner.
var quick = postgis.Options{Queue: postgis.QueueOptions{Lease: 2 * time.Second, Heartbeat: 200 * time.Millisecond, Poll: 100 * time.Millisecond}}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return newDatabase(t, quick) })
}
