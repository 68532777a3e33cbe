package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// A database that is killed at random moments, and started again, leaves a parse
// that the same workers take up: the result is that of an undisturbed one, only
// chunks in flight are made again, and nothing is left that nobody refers to.
func TestKilledDatabase(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	cluster := pgtest.Own(t)
	place := cluster.Database(t)
	prepareDurable(t, place)
	st := at(t, place)
	p := ingest.New(ingest.Config{Store: st, Opener: opener(chunky()), TileSize: 64})
	layer, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, st, layer.ID)
	workers := []*worker{startWorker(t, place, 0), startWorker(t, place, 1)}
	killed := 0
	for killed < kills(t) {
		ticket, err := p.Reparse(t.Context(), layer.ID)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(3 * time.Minute); ; {
			if ended(t, st, ticket.Parse, time.Duration(300+r.IntN(2000))*time.Millisecond) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the parse does not end:\n%s\n%s", lastLines(t, workers[0]), lastLines(t, workers[1]))
			}
			if killed < kills(t) {
				end, away := cluster.Kill, time.Duration(r.IntN(1500))*time.Millisecond
				if killed%2 == 1 {
					end = cluster.Abort
				}
				if err := end(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(away)
				if err := cluster.Resume(); err != nil {
					t.Fatal(err)
				}
				killed++
				awaitStore(t, st)
			}
		}
		sameParse(t, want, contents(t, st, layer.ID))
	}
	onlyChunksInFlightRanAgain(t, nil, workers)
	t.Logf("%d kills of the database", killed)
	nothingOrphaned(t, st, place, layer.ID)
}

// lastLines are those of a worker's log.
func lastLines(t *testing.T, w *worker) []byte {
	t.Helper()
	b, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	return b[max(0, len(b)-3000):]
}

// prepareDurable makes the schema in a database that does not acknowledge what it
// could lose.
func prepareDurable(t *testing.T, place string) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %s SET synchronous_commit = on", pool.Config().ConnConfig.Database)); err != nil {
		t.Fatal(err)
	}
	if err := postgis.Migrate(t.Context(), pool, postgis.Options{}); err != nil {
		t.Fatal(err)
	}
}

// awaitStore waits until a store answers again: connections of before are found
// to be lost one by one.
func awaitStore(t *testing.T, st store.Store) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		err = st.Catalog().View(t.Context(), func(tx store.Tx) error {
			_, err := tx.Jobs().List(t.Context(), nil, 1)
			return err
		})
		if err == nil {
			return
		}
	}
	t.Fatal(err)
}

// nothingOrphaned waits for the old revisions to be dropped, and looks that there
// are the tables of the published one and its source, and nothing else.
func nothingOrphaned(t *testing.T, st store.Store, place string, id rasterbase.LayerID) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	p := ingest.New(ingest.Config{Store: st})
	var layer *rasterbase.Layer
	var left []string
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err := p.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if layer, left, err = orphans(t.Context(), st, pool, id); err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("there is left: %q", left)
		}
	}
	stored, err := st.Sources().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stored {
		if s.ID != layer.Source.ID {
			t.Errorf("source %s belongs to nobody", s.ID)
		}
	}
}

// orphans are the tables of tiles that are not of a layer's published revision.
func orphans(ctx context.Context, st store.Store, pool *pgxpool.Pool, id rasterbase.LayerID) (layer *rasterbase.Layer, left []string, err error) {
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		layer, err = tx.Layers().Get(ctx, id)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	rows, err := pool.Query(ctx, `SELECT relname FROM pg_class WHERE relnamespace = 'rasterbase'::regnamespace AND relkind IN ('r', 'p')
		AND relname ~ '^tiles_[0-9]+_[0-9]+' AND relname !~ $1`, fmt.Sprintf("^tiles_%d_%d(_|$)", id, layer.Published))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, nil, err
		}
		left = append(left, name)
	}
	return layer, left, rows.Err()
}
