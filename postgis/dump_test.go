package postgis_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// What pg_dump writes, psql makes again: the same schema, with constraints that
// are not validated and columns that are computed, and the same tiles.
func TestDumpAndRestore(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	layer, err := testlayer.Add(t.Context(), db, small("one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateView(t.Context(), layer.ID); err != nil {
		t.Fatal(err)
	}
	bin := pgtest.Shared(t).Bin
	file := filepath.Join(t.TempDir(), "dump.sql")
	to := pgtest.BareDatabase(t)
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(t.Context(), filepath.Join(bin, "pg_dump"), "-d", db.url, "-f", file),
		exec.CommandContext(t.Context(), filepath.Join(bin, "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", to, "-f", file),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	before, after := newPool(t, db.url), newPool(t, to)
	for _, query := range []string{listing,
		`SELECT concat_ws(' ', is_base, tilez, tilex, tiley, rid, md5(rast::bytea)) FROM rasterbase.tiles ORDER BY 1`,
		`SELECT (to_jsonb(r) - 'r_table_catalog')::text FROM raster_columns r ORDER BY 1`,
		`SELECT (to_jsonb(r) - 'r_table_catalog' - 'o_table_catalog')::text FROM raster_overviews r ORDER BY 1`} {
		a, b := collect[string](t, before, query), collect[string](t, after, query)
		for _, line := range a {
			if !slices.Contains(b, line) {
				t.Errorf("lost: %s", line)
			}
		}
		if len(a) != len(b) || len(a) == 0 {
			t.Errorf("%d lines became %d", len(a), len(b))
		}
	}
	restored := openDatabase(t, to, postgis.Options{})
	key := store.TileKey{RevisionKey: store.RevisionKey{Layer: layer.ID, Revision: layer.Published}, Kind: rasterbase.Base}
	if _, err := restored.Tiles().Get(t.Context(), key); err != nil {
		t.Error(err)
	}
	if _, err := testlayer.Publish(t.Context(), restored, layer.ID, small("one")); err != nil {
		t.Error(err)
	}
}
