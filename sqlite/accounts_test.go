package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// The same as TestNothingIsDoneAfterAFailure for users, tokens and uploads.
func TestNothingIsDoneAfterAFailureOfAccounts(t *testing.T) {
	ctx := t.Context()
	db := openTest(t, t.TempDir(), Options{})
	u, k, f := &rasterbase.User{Name: "ada"}, &rasterbase.Token{Hash: "h"}, &rasterbase.Upload{ID: "f"}
	err := db.Catalog().Update(ctx, func(tx store.Tx) error {
		err := tx.Users().Create(ctx, u)
		k.User = u.ID
		return errors.Join(err, tx.Tokens().Create(ctx, k), tx.Uploads().Create(ctx, f))
	})
	if err != nil {
		t.Fatal(err)
	}
	unchecked := func(_ any, err error) error { return err }
	for name, do := range map[string]func(*sqlcatalog.Tx) error{
		"create a user": func(x *sqlcatalog.Tx) error { return x.Users().Create(ctx, &rasterbase.User{ID: 9, Name: "x"}) },
		"get a user":    func(x *sqlcatalog.Tx) error { return unchecked(x.Users().Get(ctx, u.ID)) },
		"find a user":   func(x *sqlcatalog.Tx) error { return unchecked(x.Users().FindName(ctx, "Ada")) },
		"list users":    func(x *sqlcatalog.Tx) error { return unchecked(x.Users().List(ctx)) },
		"update a user": func(x *sqlcatalog.Tx) error { return x.Users().Update(ctx, u) },
		"delete a user": func(x *sqlcatalog.Tx) error { return x.Users().Delete(ctx, u.ID) },
		"create a token": func(x *sqlcatalog.Tx) error {
			return x.Tokens().Create(ctx, &rasterbase.Token{ID: 9, User: u.ID, Hash: "x"})
		},
		"get a token":      func(x *sqlcatalog.Tx) error { return unchecked(x.Tokens().Get(ctx, k.ID)) },
		"find a token":     func(x *sqlcatalog.Tx) error { return unchecked(x.Tokens().FindHash(ctx, "h")) },
		"list tokens":      func(x *sqlcatalog.Tx) error { return unchecked(x.Tokens().List(ctx, u.ID)) },
		"update a token":   func(x *sqlcatalog.Tx) error { return x.Tokens().Update(ctx, k) },
		"delete a token":   func(x *sqlcatalog.Tx) error { return x.Tokens().Delete(ctx, k.ID) },
		"create an upload": func(x *sqlcatalog.Tx) error { return x.Uploads().Create(ctx, &rasterbase.Upload{ID: "x"}) },
		"get an upload":    func(x *sqlcatalog.Tx) error { return unchecked(x.Uploads().Get(ctx, f.ID)) },
		"list uploads":     func(x *sqlcatalog.Tx) error { return unchecked(x.Uploads().List(ctx)) },
		"update an upload": func(x *sqlcatalog.Tx) error { return x.Uploads().Update(ctx, f) },
		"delete an upload": func(x *sqlcatalog.Tx) error { return x.Uploads().Delete(ctx, f.ID) },
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

// What is stored keeps its form, which other versions of the program read, and
// parses of versions before have nothing to fetch.
func TestStoredFormOfAccounts(t *testing.T) {
	ctx := t.Context()
	at := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	db := openTest(t, t.TempDir(), Options{Clock: func() time.Time { return at }})
	u := &rasterbase.User{Name: "Größe", Role: rasterbase.Editor}
	l := &rasterbase.Layer{Name: "x"}
	err := db.Catalog().Update(ctx, func(tx store.Tx) error {
		if err := errors.Join(tx.Users().Create(ctx, u), tx.Layers().Create(ctx, l)); err != nil {
			return err
		}
		return errors.Join(tx.Tokens().Create(ctx, &rasterbase.Token{User: u.ID, Name: "n", Hash: "h", Expires: at}),
			tx.Uploads().Create(ctx, &rasterbase.Upload{ID: "f", Owner: "o", Source: "s", Name: "n", Size: 5, Metadata: "m"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`SELECT id || name || name_key || role || created FROM users`:                                            "1Größegrößeeditor1577934245000006",
		`SELECT id || user_id || name || hash || created || expires || typeof(used) FROM tokens`:                 "11nh15779342450000061577934245000006null",
		`SELECT id || owner || source_id || name || size || metadata || created || typeof(expires) FROM uploads`: "fosn5m1577934245000006null",
		`INSERT INTO parses (layer_id, revision_id, status, error, planned, done, created) VALUES (1, 0, 'failed', '', 0, 0, 0)
			RETURNING typeof(fetch_from) || fetch_from`: "text",
	} {
		var got string
		if err := db.writer.QueryRowContext(ctx, query).Scan(&got); err != nil || got != want {
			t.Errorf("%s gives %q, not %q (%v)", query, got, want, err)
		}
	}
}
