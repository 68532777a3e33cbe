package postgis

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase/internal/pgtest"
)

// Rows that everybody has seen are removed, and the newer ones are not. Who slept
// for as long as they are kept counts that as a change.
func TestOldChangesAreRemoved(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := Migrate(t.Context(), pool, Options{}); err != nil {
		t.Fatal(err)
	}
	db, err := New(t.Context(), pool, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	begun, err := db.watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := begun.(*watch)
	t.Cleanup(func() { _ = w.Close() })
	for _, step := range []struct {
		what     string
		before   func()
		inserted int
		changed  bool
		rows     int
	}{
		{"nothing", func() {}, 0, false, 0},
		{"two changes", func() {}, 2, true, 2},
		{"nothing again", func() {}, 0, false, 2},
		{"the first time to remove", func() { w.oldAt = w.oldAt.Add(-prunePause) }, 1, true, 3},
		{"the second time", func() { w.oldAt = w.oldAt.Add(-prunePause) }, 1, true, 1},
		{"a long sleep", func() { w.at = w.at.Add(-time.Hour) }, 0, true, 1},
		{"after it", func() {}, 0, false, 1},
	} {
		step.before()
		for range step.inserted {
			if _, err := pool.Exec(t.Context(), `INSERT INTO rasterbase.legends (title, title_key, updated) VALUES ('t', clock_timestamp()::text, now())`); err != nil {
				t.Fatal(err)
			}
		}
		changed, err := w.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var rows int
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM rasterbase.catalog_changes`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if changed != step.changed || rows != step.rows {
			t.Errorf("%s: changed %v, %d rows; want %v, %d", step.what, changed, rows, step.changed, step.rows)
		}
	}
}
