package postgis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// A host keeps a layer and a row of its own, which names the layer, together or
// not at all.
func TestWithTx(t *testing.T) {
	t.Parallel()
	pool := newPool(t, newDatabase(t, postgis.Options{}).url)
	db, err := postgis.New(t.Context(), pool, postgis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	execute(t, pool, `CREATE TABLE fields (id int PRIMARY KEY, layer bigint NOT NULL REFERENCES rasterbase.layers (id))`)
	errHost := errors.New("the host changes its mind")

	// add makes a layer and the row, and reads the layer within the transaction.
	add := func(tx pgx.Tx, name string, field int) error {
		st := db.WithTx(tx)
		layer := &rasterbase.Layer{Name: name}
		if err := st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Create(t.Context(), layer) }); err != nil {
			return err
		}
		err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
			_, err := tx.Layers().Get(t.Context(), layer.ID)
			return err
		})
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), `INSERT INTO fields VALUES ($1, $2)`, field, int64(layer.ID))
		return err
	}
	for _, test := range []struct {
		name string
		run  func(pgx.Tx) error
		ok   bool
		want []string // what is kept
	}{
		{"together", func(tx pgx.Tx) error { return add(tx, "one", 1) }, true, []string{"1 one"}},
		{"rolled back by the host", func(tx pgx.Tx) error { return errors.Join(add(tx, "two", 2), errHost) }, false, []string{"1 one"}},
		{"the host's row fails", func(tx pgx.Tx) error { return add(tx, "three", 1) }, false, []string{"1 one"}},
		{"a failing update is undone alone", func(tx pgx.Tx) error {
			if err := add(tx, "four", 4); err != nil {
				return err
			}
			err := db.WithTx(tx).Catalog().Update(t.Context(), func(in store.Tx) error {
				if err := in.Layers().Create(t.Context(), &rasterbase.Layer{Name: "five"}); err != nil {
					return err
				}
				return errHost
			})
			if !errors.Is(err, errHost) {
				return errors.Join(errors.New("the update's error is lost"), err)
			}
			// The second layer's id is taken.
			err = db.WithTx(tx).Catalog().Update(t.Context(), func(in store.Tx) error {
				return in.Layers().Create(t.Context(), &rasterbase.Layer{ID: 1, Name: "six"})
			})
			if rasterbase.CodeOf(err) != rasterbase.Conflict {
				return errors.Join(errors.New("a layer's id was given twice"), err)
			}
			return add(tx, "seven", 7)
		}, true, []string{"1 one", "4 four", "7 seven"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := pgx.BeginFunc(t.Context(), pool, test.run)
			if (err == nil) != test.ok {
				t.Fatal(err)
			}
			got := collect[string](t, pool, `SELECT f.id || ' ' || l.name FROM rasterbase.layers l LEFT JOIN fields f ON f.layer = l.id ORDER BY f.id`)
			if len(got) != len(test.want) {
				t.Fatalf("kept are %q, want %q", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Fatalf("kept are %q, want %q", got, test.want)
				}
			}
		})
	}
	t.Run("a job of the transaction", func(t *testing.T) { jobOfTransaction(t, db, pool) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, pool, "SELECT 1") // the pool is the host's
}

// jobOfTransaction wants a job to be seen by workers once the host committed.
func jobOfTransaction(t *testing.T, db *postgis.DB, pool *pgxpool.Pool) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ran := make(chan store.JobID, 2)
	done := make(chan error, 1)
	go func() {
		done <- db.Queue().Work(ctx, store.WorkOptions{Handlers: map[string]store.Handler{"k": func(_ context.Context, j *store.Job) error {
			ran <- j.ID
			return nil
		}}})
	}()
	job := &store.Job{Kind: "k"}
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return db.WithTx(tx).Catalog().Update(t.Context(), func(in store.Tx) error { return in.Jobs().Enqueue(t.Context(), job) })
	})
	if err != nil {
		t.Fatal(err)
	}
	if id := <-ran; id != job.ID {
		t.Errorf("job %d ran, want %d", id, job.ID)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Two hosts save layers of one name at once. The second one's statement fails,
// since the slug was free when it looked; its transaction goes on.
func TestWithTxTwins(t *testing.T) {
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	first, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := rasterbase.Layer{Name: "twins"}
	if err := db.WithTx(first).Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Create(t.Context(), &a) }); err != nil {
		t.Fatal(err)
	}
	saved := make(chan error)
	var b rasterbase.Layer
	go func() {
		saved <- pgx.BeginFunc(t.Context(), pool, func(second pgx.Tx) error {
			return db.WithTx(second).Catalog().Update(t.Context(), func(tx store.Tx) error {
				b = rasterbase.Layer{Name: "twins"}
				return tx.Layers().Create(t.Context(), &b)
			})
		})
	}()
	for waiting := false; !waiting; time.Sleep(10 * time.Millisecond) { // for the first one's end
		waiting = collect[bool](t, pool, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())`)[0]
	}
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-saved; err != nil {
		t.Fatal(err)
	}
	if a.Slug != "twins" || b.Slug != "twins-2" {
		t.Errorf("the slugs are %s and %s", a.Slug, b.Slug)
	}
}
