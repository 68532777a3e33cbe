package postgis_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// readTiles reads all published tiles of a store, and its sources, as a user of
// the store does.
func readTiles(ctx context.Context, t *testing.T, st store.Store) map[string]any {
	t.Helper()
	all := map[string]any{}
	var revisions []*rasterbase.Revision
	err := st.Catalog().View(ctx, func(tx store.Tx) (err error) {
		all["layers"], _, err = tx.Layers().Find(ctx, store.LayerFilter{})
		if err != nil {
			return err
		}
		revisions, err = tx.Revisions().List(ctx, 0)
		all["revisions"] = revisions
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range revisions {
		for z := range r.MaxZoom + 1 {
			for kind := range rasterbase.Kind(2) {
				p := store.ListParams{RevisionKey: store.RevisionKey{Layer: r.Layer, Revision: r.ID}, Kind: kind, Z: z}
				for tile, err := range st.Tiles().List(ctx, p) {
					if err != nil {
						t.Fatal(err)
					}
					all[fmt.Sprintf("%+v", tile.TileKey)] = *tile.Raster
				}
			}
		}
	}
	return all
}

// What pg_dump writes in its own format, of the whole database or of the schema
// alone, pg_restore makes a store of in which every tile is the same.
func TestPGRestore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := newDatabase(t, postgis.Options{})
	for _, name := range []string{"one", "two"} {
		if _, err := testlayer.Add(ctx, db, small(name)); err != nil {
			t.Fatal(err)
		}
	}
	id, err := db.Sources().Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Sources().Put(ctx, id, "x.tif", strings.NewReader("pixels")); err != nil {
		t.Fatal(err)
	}
	want := readTiles(ctx, t, db)
	bin := pgtest.Shared(t).Bin
	for name, args := range map[string][]string{"database": nil, "schema": {"--schema", "rasterbase"}} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "gis.dump")
			to := pgtest.BareDatabase(t)
			if name == "schema" {
				pool := newPool(t, to)
				for _, e := range []string{"postgis", "postgis_raster"} {
					if _, err := pool.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS "+e); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, cmd := range []*exec.Cmd{
				exec.CommandContext(ctx, filepath.Join(bin, "pg_dump"), append(args, "-Fc", "-d", db.url, "-f", file)...),
				exec.CommandContext(ctx, filepath.Join(bin, "pg_restore"), "--exit-on-error", "-d", to, file),
			} {
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", cmd, err, out)
				}
			}
			restored := openDatabase(t, to, postgis.Options{})
			got := readTiles(ctx, t, restored)
			for k := range want {
				if !reflect.DeepEqual(want[k], got[k]) {
					t.Errorf("%s is another:\n%+v\n%+v", k, want[k], got[k])
				}
			}
			if len(want) != len(got) || len(want) < 20 {
				t.Errorf("%d things became %d", len(want), len(got))
			}
			f, err := restored.Sources().Open(ctx, id, "x.tif")
			if err != nil || f.Size() != 6 {
				t.Fatalf("the source is gone: %v", err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			// It goes on with ids that were not given.
			one, err := testlayer.Add(ctx, restored, small("three"))
			if err != nil || one.ID != 3 {
				t.Errorf("the next layer is %+v, %v", one, err)
			}
		})
	}
}
