package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// makeVersion makes a catalog as an earlier version of the program had it.
func makeVersion(t *testing.T, dir string, version int64, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, "rasterbase.db"), "rwc", "foreign_keys(1)"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	db.SetMaxOpenConns(1)
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// Legends of a catalog in which entries stood in one legend each are what they
// were after it was brought up to date.
func TestLegendsOfTheVersionBefore(t *testing.T) {
	dir := t.TempDir()
	makeVersion(t, dir, 4,
		`INSERT INTO legends VALUES (3, 'Größe', 'größe', 1577934245000006), (5, 'Empty', 'empty', 0), (9, 'B', 'b', 0), (20, 'gone', 'gone', 0)`,
		`INSERT INTO semantics VALUES (2, 'water', 'wet', 'k'), (4, 'unused', '', ''), (30, 'gone', '', '')`,
		`INSERT INTO legend_entries VALUES (9, 0, 2, 'x', 4294967295, 'z'), (3, 1, 2, '(1 < x) & (x <= 2)', 16909060, '1.b'), (3, 0, 2, '5', 0, '')`,
		`INSERT INTO layers VALUES (7, 's', 'n', '', '', '', '', '', '', 0, '', '{}', 3, 'public', NULL, 0, 0, '', '')`,
		`DELETE FROM legends WHERE id = 20`, `DELETE FROM semantics WHERE id = 30`)
	db := openTest(t, dir, Options{})
	water := rasterbase.Semantics{ID: 2, Name: "water", Description: "wet", Keyword: "k"}
	err := db.Catalog().Update(t.Context(), func(tx store.Tx) error {
		legends, err := tx.Legends().List(t.Context())
		if err != nil {
			return err
		}
		for i, want := range []rasterbase.Legend{
			{ID: 9, Title: "B", Entries: []rasterbase.Entry{{ID: 3, Semantics: water, Expression: "x", Color: rasterbase.Color{R: 255, G: 255, B: 255, A: 255}, Code: "z"}}, Updated: time.UnixMicro(0).UTC()},
			{ID: 5, Title: "Empty", Updated: time.UnixMicro(0).UTC()},
			{ID: 3, Title: "Größe", Entries: []rasterbase.Entry{{ID: 1, Semantics: water, Expression: "5"},
				{ID: 2, Semantics: water, Expression: "(1 < x) & (x <= 2)", Color: rasterbase.Color{R: 1, G: 2, B: 3, A: 4}, Code: "1.b"}},
				Updated: time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)},
		} {
			if got := *legends[i]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("legend %d is %+v, not %+v", i, got, want)
			}
		}
		l, err := tx.Layers().Get(t.Context(), 7)
		if err != nil || l.Legend != 3 {
			t.Errorf("the layer is %+v (%v)", l, err)
		}
		list, err := tx.Semantics().List(t.Context())
		if err != nil || len(list) != 2 || list[0].Name != "unused" || list[1].Semantics != water || len(list[1].Legends) != 2 {
			t.Errorf("the semantics are %+v (%v)", list, err)
		}
		made := &rasterbase.Legend{Title: "new", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "new"}}}}
		err = tx.Legends().Create(t.Context(), made)
		if err == nil && (made.ID != 21 || made.Entries[0].ID != 4 || made.Entries[0].Semantics.ID != 31) {
			t.Errorf("the new legend is %+v", made)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var broken int
	if err := db.writer.QueryRowContext(t.Context(), `SELECT count(*) FROM pragma_foreign_key_check`).Scan(&broken); err != nil || broken > 0 {
		t.Errorf("%d rows show nowhere (%v)", broken, err)
	}
}

// The same as TestNothingIsDoneAfterAFailure for semantics, colormaps, and the
// entries that legends share.
func TestNothingIsDoneAfterAFailureOfLegends(t *testing.T) {
	ctx := t.Context()
	db := openTest(t, t.TempDir(), Options{})
	entry := func(name string) rasterbase.Entry {
		return rasterbase.Entry{Semantics: rasterbase.Semantics{Name: name}, Expression: name}
	}
	a := &rasterbase.Legend{Title: "a", Entries: []rasterbase.Entry{entry("x"), entry("y"), entry("z")}}
	b, u, free := &rasterbase.Legend{Title: "b"}, &rasterbase.User{Name: "ada"}, &rasterbase.Semantics{Name: "free"}
	err := db.Catalog().Update(ctx, func(tx store.Tx) error {
		err := errors.Join(tx.Legends().Create(ctx, a), tx.Users().Create(ctx, u), tx.Semantics().Create(ctx, free),
			tx.Colormaps().Put(ctx, &rasterbase.UserColormap{Owner: "ada", Name: "m"}))
		b.Entries = a.Entries[:2:2]
		return errors.Join(err, tx.Legends().Create(ctx, b))
	})
	if err != nil {
		t.Fatal(err)
	}
	unchecked := func(_ any, err error) error { return err }
	changed := append([]rasterbase.Entry{entry("new")}, a.Entries[:2]...)
	changed[1].Expression, changed[1].Semantics.Name, changed[2].Semantics.Name = "7", "y", "x"
	given := append([]rasterbase.Entry{{ID: 50, Semantics: rasterbase.Semantics{ID: 60, Name: "given"}}}, changed...)
	for name, do := range map[string]func(*sqlcatalog.Tx) error{
		"create a legend": func(x *sqlcatalog.Tx) error {
			return x.Legends().Create(ctx, &rasterbase.Legend{ID: 9, Title: "c", Entries: given})
		},
		"update a legend": func(x *sqlcatalog.Tx) error {
			return x.Legends().Update(ctx, &rasterbase.Legend{ID: a.ID, Title: "c", Entries: changed})
		},
		"get a legend":    func(x *sqlcatalog.Tx) error { return unchecked(x.Legends().Get(ctx, a.ID)) },
		"delete a legend": func(x *sqlcatalog.Tx) error { return x.Legends().Delete(ctx, a.ID) },
		"create a semantics": func(x *sqlcatalog.Tx) error {
			return x.Semantics().Create(ctx, &rasterbase.Semantics{ID: 9, Name: "s"})
		},
		"get a semantics": func(x *sqlcatalog.Tx) error { return unchecked(x.Semantics().Get(ctx, free.ID)) },
		"list semantics":  func(x *sqlcatalog.Tx) error { return unchecked(x.Semantics().List(ctx)) },
		"update a semantics": func(x *sqlcatalog.Tx) error {
			return x.Semantics().Update(ctx, &rasterbase.Semantics{ID: free.ID, Name: "s"})
		},
		"delete a semantics": func(x *sqlcatalog.Tx) error { return x.Semantics().Delete(ctx, free.ID) },
		"put a colormap": func(x *sqlcatalog.Tx) error {
			return x.Colormaps().Put(ctx, &rasterbase.UserColormap{Owner: "ada", Name: "n"})
		},
		"get a colormap":    func(x *sqlcatalog.Tx) error { return unchecked(x.Colormaps().Get(ctx, "ada", "m")) },
		"list colormaps":    func(x *sqlcatalog.Tx) error { return unchecked(x.Colormaps().List(ctx, "")) },
		"delete a colormap": func(x *sqlcatalog.Tx) error { return x.Colormaps().Delete(ctx, "ada", "m") },
		"rename a user":     func(x *sqlcatalog.Tx) error { return x.Users().Update(ctx, &rasterbase.User{ID: u.ID, Name: "bob"}) },
		"delete a user":     func(x *sqlcatalog.Tx) error { return x.Users().Delete(ctx, u.ID) },
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

// What is stored keeps its form, which other versions of the program read.
func TestStoredFormOfLegends(t *testing.T) {
	ctx := t.Context()
	at := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	db := openTest(t, t.TempDir(), Options{Clock: func() time.Time { return at }})
	low := -0.5
	g := &rasterbase.Gradient{Colormap: "viridis", Interpolation: rasterbase.Discrete, Relative: true, Min: &low,
		Stops: []rasterbase.Stop{{At: 0.25, Color: rasterbase.Color{R: 1, A: 255}, Name: "größe"}}}
	err := db.Catalog().Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Legends().Create(ctx, &rasterbase.Legend{Title: "G", Gradient: g}),
			tx.Legends().Create(ctx, &rasterbase.Legend{Title: "E", Entries: []rasterbase.Entry{
				{Semantics: rasterbase.Semantics{Name: "n"}, Expression: "5", Color: rasterbase.Color{R: 1, G: 2, B: 3, A: 4}, Code: "c"}}}),
			tx.Colormaps().Put(ctx, &rasterbase.UserColormap{Owner: "o", Name: "N", JSON: []byte("{}")}))
	})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`SELECT id || title || updated || gradient FROM legends WHERE id = 1`: `1G1577934245000006{"colormap":"viridis",` +
			`"stops":[{"at":0.25,"color":"#010000","name":"größe"}],"interpolation":"discrete","relative":true,"min":-0.5}`,
		`SELECT id || title || typeof(gradient) FROM legends WHERE id = 2`:        "2Enull",
		`SELECT id || '/' || semantics_id || expression || color FROM entries`:    "1/1516909060",
		`SELECT legend_id || position || entry_id || code FROM legend_entries`:    "201c",
		`SELECT owner || name || name_key || typeof(json) || json FROM colormaps`: "oNnblob{}",
	} {
		var got string
		if err := db.writer.QueryRowContext(ctx, query).Scan(&got); err != nil || got != want {
			t.Errorf("%s gives %q, not %q (%v)", query, got, want, err)
		}
	}
	_, err = db.writer.ExecContext(ctx, `UPDATE legends SET gradient = '{"stops":[{"at":"inf","color":"#01020304"}],"max":1}' WHERE id = 1`)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Catalog().View(ctx, func(tx store.Tx) error {
		l, err := tx.Legends().Get(ctx, 1)
		if err == nil && (fmt.Sprint(l.Gradient.Stops) != "[{+Inf #01020304 }]" || *l.Gradient.Max != 1 || l.Gradient.Min != nil || l.Gradient.Relative) {
			t.Errorf("read as %+v", l.Gradient)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
