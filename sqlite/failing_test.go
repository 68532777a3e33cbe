package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

var errInjected = errors.New("injected")

// failing lets one statement fail and counts those that are made.
type failing struct {
	conn  *conn
	at    int // which fails, from 1 on
	count int
}

func (f *failing) fails() bool {
	f.count++
	return f.count >= f.at
}

func (f *failing) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if f.fails() {
		return 0, errInjected
	}
	return f.conn.Exec(ctx, query, args...)
}

func (f *failing) Query(ctx context.Context, query string, args ...any) (sqlcatalog.Rows, error) {
	if f.fails() {
		return nil, errInjected
	}
	return f.conn.Query(ctx, query, args...)
}

func (f *failing) QueryRow(ctx context.Context, query string, args ...any) sqlcatalog.Row {
	if f.fails() {
		return noRow{}
	}
	return f.conn.QueryRow(ctx, query, args...)
}

type noRow struct{}

func (noRow) Scan(...any) error { return errInjected }

// Whichever statement of the catalog fails, its error comes out as the cause,
// and no other is made in that transaction: PostgreSQL would refuse it.
func TestNothingIsDoneAfterAFailure(t *testing.T) {
	ctx := t.Context()
	db := openTest(t, t.TempDir(), Options{})
	l, job := &rasterbase.Layer{Name: "x"}, &store.Job{Kind: "k"}
	r, p := &rasterbase.Revision{}, &rasterbase.Parse{}
	g := &rasterbase.Legend{Title: "x", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "a"}}}}
	err := db.Catalog().Update(ctx, func(tx store.Tx) error {
		err := errors.Join(tx.Layers().Create(ctx, l), tx.Legends().Create(ctx, g), tx.Jobs().Enqueue(ctx, job))
		r.Layer, p.Layer = l.ID, l.ID
		return errors.Join(err, tx.Revisions().Create(ctx, r), tx.Parses().Create(ctx, p), tx.Parses().Log(ctx, p.ID, "x"))
	})
	if err != nil {
		t.Fatal(err)
	}
	wanted := leasequeue.Wanted{Kinds: []string{"k"}, Only: []store.JobID{job.ID}}
	lease, err := leases{db}.Take(ctx, wanted)
	if err != nil || lease == nil {
		t.Fatal(lease, err)
	}
	unchecked := func(_ any, err error) error { return err }
	entries := []rasterbase.Entry{{Semantics: rasterbase.Semantics{ID: 50, Name: "b"}}, {Semantics: rasterbase.Semantics{Name: "c"}}, g.Entries[0]}
	for name, do := range map[string]func(*sqlcatalog.Tx) error{
		"create a layer": func(x *sqlcatalog.Tx) error {
			return x.Layers().Create(ctx, &rasterbase.Layer{ID: 9, Name: "x", Legend: g.ID})
		},
		"get a layer": func(x *sqlcatalog.Tx) error { return unchecked(x.Layers().Get(ctx, l.ID)) },
		"find layers": func(x *sqlcatalog.Tx) error {
			_, _, err := x.Layers().Find(ctx, store.LayerFilter{Search: "x", Limit: 5})
			return err
		},
		"update a layer": func(x *sqlcatalog.Tx) error { n := *l; n.Legend = g.ID; return x.Layers().Update(ctx, &n) },
		"delete a layer": func(x *sqlcatalog.Tx) error { return x.Layers().Delete(ctx, l.ID) },
		"create a revision": func(x *sqlcatalog.Tx) error {
			return x.Revisions().Create(ctx, &rasterbase.Revision{ID: 9, Layer: l.ID})
		},
		"list revisions":    func(x *sqlcatalog.Tx) error { return unchecked(x.Revisions().List(ctx, l.ID)) },
		"update a revision": func(x *sqlcatalog.Tx) error { return x.Revisions().Update(ctx, r) },
		"publish":           func(x *sqlcatalog.Tx) error { return unchecked(x.Revisions().Publish(ctx, r.ID)) },
		"retire":            func(x *sqlcatalog.Tx) error { return x.Revisions().Retire(ctx, r.ID) },
		"delete a revision": func(x *sqlcatalog.Tx) error { return x.Revisions().Delete(ctx, r.ID) },
		"put summaries": func(x *sqlcatalog.Tx) error {
			return x.Revisions().PutSummaries(ctx, r.ID, make([]store.SummaryPage, 3))
		},
		"summaries": func(x *sqlcatalog.Tx) (err error) {
			for _, e := range x.Revisions().Summaries(ctx, store.SummaryQuery{Revision: r.ID}) {
				err = e
			}
			return err
		},
		"srid": func(x *sqlcatalog.Tx) error {
			return unchecked(x.Revisions().CustomSRID(ctx, rasterbase.CRS{WKT: "x", SRID: 910009}))
		},
		"new srid": func(x *sqlcatalog.Tx) error {
			return unchecked(x.Revisions().CustomSRID(ctx, rasterbase.CRS{WKT: "x"}))
		},
		"create a parse": func(x *sqlcatalog.Tx) error { return x.Parses().Create(ctx, &rasterbase.Parse{ID: 9, Layer: l.ID}) },
		"latest parse":   func(x *sqlcatalog.Tx) error { return unchecked(x.Parses().Latest(ctx, l.ID)) },
		"update a parse": func(x *sqlcatalog.Tx) error { return x.Parses().Update(ctx, p) },
		"lines":          func(x *sqlcatalog.Tx) error { return unchecked(x.Parses().Lines(ctx, p.ID, 0)) },
		"add lines":      func(x *sqlcatalog.Tx) error { return x.Parses().AddLines(ctx, p.ID, make([]rasterbase.LogLine, 3)) },
		"create a legend": func(x *sqlcatalog.Tx) error {
			return x.Legends().Create(ctx, &rasterbase.Legend{ID: 9, Title: "y", Entries: entries})
		},
		"update a legend": func(x *sqlcatalog.Tx) error {
			return x.Legends().Update(ctx, &rasterbase.Legend{ID: g.ID, Title: "y", Entries: entries[1:]})
		},
		"list legends":    func(x *sqlcatalog.Tx) error { return unchecked(x.Legends().List(ctx)) },
		"find a legend":   func(x *sqlcatalog.Tx) error { return unchecked(x.Legends().FindTitle(ctx, "X")) },
		"delete a legend": func(x *sqlcatalog.Tx) error { return x.Legends().Delete(ctx, g.ID) },
		"enqueue":         func(x *sqlcatalog.Tx) error { return x.Jobs().Enqueue(ctx, &store.Job{Kind: "k", UniqueKey: "u"}) },
		"list jobs": func(x *sqlcatalog.Tx) error {
			return unchecked(x.Jobs().List(ctx, []store.JobState{store.JobRunning}, 0))
		},
		"list a group": func(x *sqlcatalog.Tx) error { return unchecked(x.Jobs().ListGroup(ctx, "g", nil, 0)) },
		"cancel":       func(x *sqlcatalog.Tx) error { return x.Jobs().Cancel(ctx, job.ID) },
		"cancel a group": func(x *sqlcatalog.Tx) error {
			return x.Jobs().CancelGroup(ctx, "g", 0)
		},
		"put a chunk":   func(x *sqlcatalog.Tx) error { return unchecked(x.Parses().Chunks().Put(ctx, p.ID, store.Chunk{})) },
		"has a chunk":   func(x *sqlcatalog.Tx) error { return unchecked(x.Parses().Chunks().Has(ctx, p.ID, 0, 0)) },
		"count chunks":  func(x *sqlcatalog.Tx) error { return unchecked(x.Parses().Chunks().Count(ctx, p.ID, 0)) },
		"forget chunks": func(x *sqlcatalog.Tx) error { return x.Parses().Chunks().Drop(ctx, p.ID) },
		"list chunks": func(x *sqlcatalog.Tx) error {
			for _, err := range x.Parses().Chunks().List(ctx, p.ID, 0) {
				return err
			}
			return nil
		},
		"next":       func(x *sqlcatalog.Tx) error { return unchecked(x.NextJob(ctx, wanted)) },
		"hold":       func(x *sqlcatalog.Tx) error { return unchecked(x.HoldLease(ctx, lease, time.Second)) },
		"end":        func(x *sqlcatalog.Tx) error { return unchecked(x.EndJob(ctx, lease, leasequeue.Outcome{}, 0)) },
		"take a job": func(x *sqlcatalog.Tx) error { _, _, err := x.TakeJob(ctx, wanted, time.Second); return err },
	} {
		t.Run(name, func(t *testing.T) {
			for _, taken := range []bool{false, true} {
				d := db.dialect()
				d.IsUnique = func(err error) bool { return taken && errors.Is(err, errInjected) }
				failAtEach(t, db, sqlcatalog.New(d), do)
			}
		})
	}
}

// failAtEach runs a transaction once for each of its statements, which fails
// then, and once without a failure.
func failAtEach(t *testing.T, db *DB, queries *sqlcatalog.Catalog, do func(*sqlcatalog.Tx) error) {
	t.Helper()
	for at := 1; ; at++ {
		count, err := failOnce(t, db, queries, do, at)
		switch {
		case count < at:
			if err != nil || at == 1 {
				t.Errorf("without a failure, after %d statements: %v", count, err)
			}
			return
		case !errors.Is(err, errInjected):
			t.Errorf("statement %d fails, and the error is %v", at, err)
		case count > at:
			t.Errorf("statement %d fails, and then %d others are made", at, count-at)
		}
	}
}

func failOnce(t *testing.T, db *DB, queries *sqlcatalog.Catalog, do func(*sqlcatalog.Tx) error, at int) (count int, err error) {
	t.Helper()
	sqlTx, err := db.writer.BeginTx(t.Context(), &sql.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { err = errors.Join(err, sqlTx.Rollback()) }()
	f := &failing{conn: &conn{on: sqlTx}, at: at}
	err = do(queries.Tx(f))
	return f.count, err
}

// What is stored keeps its form, which other versions of the program read.
func TestStoredForm(t *testing.T) {
	ctx := t.Context()
	at := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	db := openTest(t, t.TempDir(), Options{Clock: func() time.Time { return at }})
	for _, statement := range []string{
		`INSERT INTO layers VALUES (7, 's', 'n', 'd', 'a', 'l', 'i', 'f.zip', 'o', 5, 'c', X'7B226E6F64617461223A224E614E227D', NULL, 'public', NULL,
			1577934245000006, 1577934245000006, 'f', 'n', NULL, '', '')`,
		`INSERT INTO revisions VALUES (8, 7, 'building', 'mask', 1577934245000006, NULL, '{"tile_size":256,"bounds":[0,1,2,"NaN"]}')`,
		`INSERT INTO jobs VALUES (9, 'k', X'', '', 3, 'waiting', 0, '', 1577934245000006, 1577934245000006, NULL, '', 0, 1, '')`,
	} {
		if _, err := db.writer.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	err := db.Catalog().Update(ctx, func(tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, 7)
		if err != nil {
			return err
		}
		r, err := tx.Revisions().Get(ctx, 8)
		if err != nil {
			return err
		}
		j, err := tx.Jobs().Get(ctx, 9)
		if err != nil {
			return err
		}
		if !l.Created.Equal(at) || *l.Settings.Nodata == *l.Settings.Nodata || r.TileSize != 256 || !r.PublishedAt.IsZero() || !j.NotBefore.Equal(at) || j.Args != nil {
			t.Errorf("read as %+v, %+v, %+v", l, r, j)
		}
		return errors.Join(tx.Layers().Create(ctx, &rasterbase.Layer{Name: "y", Source: l.Source, Settings: l.Settings}),
			tx.Revisions().Create(ctx, &rasterbase.Revision{Layer: 7}), tx.Jobs().Enqueue(ctx, &store.Job{Kind: "k"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`SELECT typeof(settings) || settings || typeof(legend_id) || created || updated || file_key || search_key FROM layers WHERE id = 8`: "blob" + `{"nodata":"nan"}` + "null15779342450000061577934245000006fy\nf.zip",
		`SELECT typeof(document) || created || typeof(published_at) FROM revisions WHERE id = 9`:                                            "blob1577934245000006null",
		`SELECT typeof(args) || not_before || created || typeof(ended) || lease_until || typeof(cancel) || cancel FROM jobs WHERE id = 10`:  "blob15779342450000061577934245000006null0integer0",
	} {
		var got string
		if err := db.writer.QueryRowContext(ctx, query).Scan(&got); err != nil || got != want {
			t.Errorf("%s gives %q, not %q (%v)", query, got, want, err)
		}
	}
	if _, err := db.queries.Tx(&conn{on: db.writer}).Jobs().List(ctx, nil, 0); err != nil {
		t.Error(fmt.Errorf("reading without a transaction: %w", err))
	}
}
