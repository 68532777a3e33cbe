package postgis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// Legends of a schema in which entries stood in one legend each are what they
// were after it was brought up to date.
func TestLegendsOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	for name, filled := range map[string]bool{"with legends": true, "empty": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.BareDatabase(t)
			pool := newPool(t, url)
			text, err := postgis.MigrationSQL(t.Context(), pool, postgis.Options{})
			if err != nil {
				t.Fatal(err)
			}
			before, _, found := strings.Cut(text, "\n-- 00004_legends.sql")
			if !found {
				t.Fatal("the migration is not there")
			}
			execute(t, pool, before)
			if filled {
				execute(t, pool, `SET search_path TO rasterbase;
					INSERT INTO legends VALUES (3, 'Größe', 'größe', '2020-01-02 03:04:05.000006Z'), (5, 'Empty', 'empty', now()), (9, 'B', 'b', now());
					INSERT INTO semantics VALUES (2, 'water', 'wet', 'k'), (4, 'unused', '', '');
					INSERT INTO legend_entries VALUES (9, 0, 2, 'x', 4294967295, 'z'), (3, 1, 2, '(1 < x) & (x <= 2)', 16909060, '1.b'), (3, 0, 2, '5', 0, '');
					INSERT INTO layers VALUES (7, 's', 'n', '', '', '', '', '', '', 0, '', '{}', 3, 'public', NULL, now(), now(), '', '');
					SELECT setval(pg_get_serial_sequence('legends', 'id'), 20), setval(pg_get_serial_sequence('semantics', 'id'), 30)`)
			}
			if err := postgis.Migrate(t.Context(), pool, postgis.Options{}); err != nil {
				t.Fatal(err)
			}
			db := openDatabase(t, url, postgis.Options{})
			if filled {
				checkUpgraded(t, db)
			}
			l := &rasterbase.Legend{Title: "new", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "new"}}}}
			update(t, db, func(tx store.Tx) error { return tx.Legends().Create(t.Context(), l) })
			if filled && (l.ID != 21 || l.Entries[0].ID != 4 || l.Entries[0].Semantics.ID != 31) {
				t.Errorf("the new legend is %+v", l)
			}
		})
	}
}

func checkUpgraded(t *testing.T, db store.Store) {
	t.Helper()
	water := rasterbase.Semantics{ID: 2, Name: "water", Description: "wet", Keyword: "k"}
	err := db.Catalog().View(t.Context(), func(tx store.Tx) error {
		legends, err := tx.Legends().List(t.Context())
		if err != nil {
			return err
		}
		for i, want := range []rasterbase.Legend{
			{ID: 9, Title: "B", Entries: []rasterbase.Entry{{ID: 3, Semantics: water, Expression: "x", Color: rasterbase.Color{R: 255, G: 255, B: 255, A: 255}, Code: "z"}}},
			{ID: 5, Title: "Empty"},
			{ID: 3, Title: "Größe", Entries: []rasterbase.Entry{{ID: 1, Semantics: water, Expression: "5"},
				{ID: 2, Semantics: water, Expression: "(1 < x) & (x <= 2)", Color: rasterbase.Color{R: 1, G: 2, B: 3, A: 4}, Code: "1.b"}},
				Updated: time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)},
		} {
			got := *legends[i]
			if want.Updated.IsZero() {
				got.Updated = time.Time{}
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("legend %d is %+v, not %+v", i, got, want)
			}
		}
		l, err := tx.Layers().Get(t.Context(), 7)
		if err == nil && l.Legend != 3 {
			t.Errorf("the layer's legend is %d", l.Legend)
		}
		list, listErr := tx.Semantics().List(t.Context())
		if listErr != nil || len(list) != 2 || list[0].Name != "unused" || list[1].Semantics != water || len(list[1].Legends) != 2 {
			t.Errorf("the semantics are %+v (%v)", list, listErr)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
