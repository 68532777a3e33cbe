package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// BenchmarkView reads what a request for a tile needs: a layer and its legend
// of 30 entries, in one transaction.
func BenchmarkView(b *testing.B) {
	db := openTest(b, b.TempDir(), Options{})
	ctx := b.Context()
	legend := &rasterbase.Legend{Title: "Land cover"}
	for i := range 30 {
		legend.Entries = append(legend.Entries, rasterbase.Entry{
			Semantics: rasterbase.Semantics{Name: fmt.Sprint("class ", i)}, Expression: fmt.Sprint(i)})
	}
	layer := &rasterbase.Layer{Name: "x"}
	err := db.Catalog().Update(ctx, func(tx store.Tx) error {
		if err := tx.Legends().Create(ctx, legend); err != nil {
			return err
		}
		layer.Legend = legend.ID
		return tx.Layers().Create(ctx, layer)
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		err := db.Catalog().View(ctx, func(tx store.Tx) error {
			l, err := tx.Layers().Get(ctx, layer.ID)
			if err != nil {
				return err
			}
			_, err = tx.Legends().Get(ctx, l.Legend)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// A query is kept after it was made for the first time, so many of them as may
// be; those beyond give the same answers.
func TestStatementsAreKept(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	ask := func(query string) int {
		t.Helper()
		var got int
		err := catalog{db}.view(t.Context(), func(c *conn) error { return c.QueryRow(t.Context(), query).Scan(&got) })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for range 3 {
		for i := range maxStatements + 5 {
			if got := ask(fmt.Sprint("SELECT ", i)); got != i {
				t.Errorf("%d is %d", i, got)
			}
		}
	}
	if s := db.statements.get("SELECT 0"); s == nil {
		t.Error("the first query is not kept")
	}
	if n := len(db.statements.kept); n != maxStatements {
		t.Errorf("%d queries are kept", n)
	}
	wrong := catalog{db}.view(t.Context(), func(c *conn) error {
		var n int
		return c.QueryRow(t.Context(), "SELECT no_such_column").Scan(&n)
	})
	if wrong == nil {
		t.Error("a wrong query gave no error")
	}
}

// A query that is made anew in a transaction sees what was stored before it,
// and nothing that came later, with a kept statement as without one.
func TestKeptStatementsSeeOneState(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	layer := &rasterbase.Layer{Name: "first"}
	if err := db.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Create(t.Context(), layer) }); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		before := layer.Name
		err := db.Catalog().View(t.Context(), func(tx store.Tx) error {
			for range 2 {
				l, err := tx.Layers().Get(t.Context(), layer.ID)
				if err != nil {
					return err
				}
				if l.Name != before {
					t.Errorf("the name is %q, not %q", l.Name, before)
				}
				layer.Name = fmt.Sprint("name ", i)
				if err := db.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Layers().Update(t.Context(), layer) }); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// More transactions at once than there are connections, all of which make
// queries for the first time, end.
func TestFirstQueriesTogether(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	var views sync.WaitGroup
	for range 50 {
		views.Go(func() {
			for id := range rasterbase.LayerID(20) {
				err := db.Catalog().View(t.Context(), func(x store.Tx) error {
					_, err := x.Layers().Get(t.Context(), id)
					if _, err2 := x.Legends().Get(t.Context(), 1); !errors.Is(err2, store.ErrNotExist) {
						t.Error(err2)
					}
					return err
				})
				if !errors.Is(err, store.ErrNotExist) {
					t.Error(err)
				}
			}
		})
	}
	views.Wait()
}

// A store that is closed while it is read leaves no statement behind.
func TestCloseWhileReading(t *testing.T) {
	db, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var views sync.WaitGroup
	for i := range 8 {
		views.Go(func() {
			for n := 0; ; n++ {
				var got int
				err := catalog{db}.view(context.Background(), func(c *conn) error {
					return c.QueryRow(context.Background(), fmt.Sprint("SELECT ", n%(5+i))).Scan(&got)
				})
				if err != nil { // closed
					return
				}
			}
		})
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	views.Wait()
	if n := len(db.statements.kept); n != 0 {
		t.Errorf("%d statements are left", n)
	}
}
