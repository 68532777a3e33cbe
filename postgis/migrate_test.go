package postgis_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/storetest"
)

// asRole is the address of a database for another role.
func asRole(t testing.TB, address, role string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return u.String()
}

func execute(t testing.TB, pool *pgxpool.Pool, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := pool.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// small is a layer of some tiles.
func small(name string) testlayer.Spec {
	return testlayer.Spec{Layer: rasterbase.Layer{Name: name}, Datatype: rasterbase.Continuous, TileSize: 16, MaxZoom: 5, X: 40, Y: 50, Width: 60, Height: 45,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-1)}},
		Value: func(_, x, y int) (float64, bool) { return float64(x * y), x != y }}
}

// Two that begin with nothing, and those that come later, end with one schema.
func TestMigrateManyAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.BareDatabase(t)
	var g errgroup.Group
	for range 5 {
		pool := newPool(t, url)
		g.Go(func() error { return postgis.Migrate(t.Context(), pool, postgis.Options{}) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := testlayer.Add(t.Context(), openDatabase(t, url, postgis.Options{}), small("one")); err != nil {
		t.Fatal(err)
	}
}

// A role that may not make the extensions or the schema is told what an
// administrator must run, and needs no more than that.
func TestMigrateWithoutRights(t *testing.T) {
	t.Parallel()
	address := pgtest.BareDatabase(t)
	admin := newPool(t, address)
	role := "plain_" + admin.Config().ConnConfig.Database
	execute(t, admin, "CREATE ROLE "+role+" LOGIN")
	pool := newPool(t, asRole(t, address, role))
	migrate := func() error { return postgis.Migrate(t.Context(), pool, postgis.Options{Schema: "maps"}) }

	wantHint(t, migrate(), rasterbase.Unsupported, "CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS postgis_raster;")
	execute(t, admin, "CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS postgis_raster;")
	wantHint(t, migrate(), rasterbase.Forbidden, "CREATE SCHEMA")
	execute(t, admin, "CREATE SCHEMA maps AUTHORIZATION "+role)
	for range 2 {
		if err := migrate(); err != nil {
			t.Fatal(err)
		}
	}
	db := openDatabase(t, asRole(t, address, role), postgis.Options{Schema: "maps"})
	layer, err := testlayer.Add(t.Context(), db, small("one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateView(t.Context(), layer.ID); err != nil {
		t.Fatal(err)
	}
	// The row of spatial_ref_sys is left out, the CRS is kept.
	update(t, db, func(tx store.Tx) error {
		_, err := tx.Revisions().CustomSRID(t.Context(), rasterbase.CRS{WKT: `LOCAL_CS["mine"]`, Name: "mine"})
		return err
	})
}

func wantHint(t *testing.T, err error, code rasterbase.Code, hint string) {
	t.Helper()
	if rasterbase.CodeOf(err) != code || !strings.Contains(hintOf(err), hint) {
		t.Fatalf("the error is %v (code %v, hint %q), want code %v and the hint %q", err, rasterbase.CodeOf(err), hintOf(err), code, hint)
	}
}

func hintOf(err error) string {
	if e, ok := errors.AsType[*rasterbase.Error](err); ok {
		return e.Hint
	}
	return ""
}

func TestMigrateRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	execute(t, pool, "INSERT INTO rasterbase.rasterbase_migrations (version_id, is_applied) VALUES (99999, true)")
	_, err := postgis.Open(t.Context(), db.url, postgis.Options{})
	wantHint(t, err, rasterbase.Unsupported, "rasterbase version")
	wantHint(t, postgis.Migrate(t.Context(), pool, postgis.Options{}), rasterbase.Unsupported, "rasterbase version")
	_, err = postgis.MigrationSQL(t.Context(), pool, postgis.Options{})
	wantHint(t, err, rasterbase.Unsupported, "rasterbase version")
	_, err = postgis.Open(t.Context(), db.url, postgis.Options{Schema: "other"})
	wantHint(t, err, rasterbase.Unsupported, "rasterbase migrate")
}

// The modes of pgx that a pooler of transactions asks for work, or are refused
// with the one that does.
func TestQueryModes(t *testing.T) {
	t.Parallel()
	url := newDatabase(t, postgis.Options{}).url + "?default_query_exec_mode="
	for _, mode := range []string{"exec", "simple_protocol"} {
		_, err := postgis.Open(t.Context(), url+mode, postgis.Options{})
		wantHint(t, err, rasterbase.Invalid, "default_query_exec_mode=cache_describe")
	}
	for _, mode := range []string{"cache_describe", "describe_exec"} {
		db := openDatabase(t, url+mode, postgis.Options{})
		layer, err := testlayer.Add(t.Context(), db, small(mode))
		if err != nil {
			t.Fatal(err)
		}
		for tile, err := range db.Tiles().List(t.Context(), store.ListParams{Kind: rasterbase.Base,
			RevisionKey: store.RevisionKey{Layer: layer.ID, Revision: layer.Published}}) {
			if err != nil || tile.Raster == nil {
				t.Fatal(tile.TileKey, err)
			}
		}
	}
}

// listing tells everything that the catalog of the server knows of a schema's
// tables, columns, constraints, indices, views and functions.
const listing = `
	SELECT 'relation ' || relname || ' ' || relkind::text || ' ' || coalesce(reloptions::text, '') AS line
		FROM pg_class WHERE relnamespace = 'rasterbase'::regnamespace
	UNION ALL SELECT concat_ws(' ', 'column', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
			a.attgenerated, a.attstorage, a.attcollation, pg_get_expr(d.adbin, d.adrelid))
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE c.relnamespace = 'rasterbase'::regnamespace AND a.attnum > 0
	UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE connamespace = 'rasterbase'::regnamespace
	UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'rasterbase'
	UNION ALL SELECT 'view ' || viewname || definition FROM pg_views WHERE schemaname = 'rasterbase'
	UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'rasterbase'::regnamespace
	ORDER BY line`

// What Migrate would run can be run by hand, and makes the same schema.
func TestMigrationSQL(t *testing.T) {
	t.Parallel()
	byHand := pgtest.BareDatabase(t)
	pool := newPool(t, byHand)
	text, err := postgis.MigrationSQL(t.Context(), pool, postgis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	execute(t, pool, text)
	again, err := postgis.MigrationSQL(t.Context(), pool, postgis.Options{})
	if err != nil || again != "" {
		t.Errorf("afterwards there is still to run: %v\n%s", err, again)
	}
	db := newDatabase(t, postgis.Options{})
	want, got := collect[string](t, newPool(t, db.url), listing), collect[string](t, pool, listing)
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("only when made by hand: %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("only when made by Migrate: %s", line)
		}
	}
	if _, err := testlayer.Add(t.Context(), openDatabase(t, byHand, postgis.Options{}), small("one")); err != nil {
		t.Fatal(err)
	}
	if err := postgis.Migrate(t.Context(), pool, postgis.Options{}); err != nil {
		t.Fatal(err)
	}
}

// Several schemas of one database know nothing of each other.
func TestSeveralSchemas(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	pool := newPool(t, url)
	for _, schema := range []string{"one", "two"} {
		if err := postgis.Migrate(t.Context(), pool, postgis.Options{Schema: schema}); err != nil {
			t.Fatal(err)
		}
	}
	one, two := openDatabase(t, url, postgis.Options{Schema: "one"}), openDatabase(t, url, postgis.Options{Schema: "two"})
	for _, db := range []database{one, two} {
		layer, err := testlayer.Add(t.Context(), db, small("in "+db.o.Schema))
		if err != nil || layer.ID != 1 {
			t.Fatal(layer, err)
		}
		if _, err := db.CreateView(t.Context(), layer.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range revisionsOf(t, two) {
		if err := two.Tiles().Drop(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(revisionsOf(t, one)); n != 1 {
		t.Errorf("dropping in one schema leaves %d revisions in the other", n)
	}
	if n := collect[int](t, pool, "SELECT count(*) FROM one.published_tiles"); n[0] == 0 {
		t.Error("dropping in one schema took the tiles of the other")
	}
	execute(t, pool, "DROP SCHEMA two CASCADE")
	if _, err := testlayer.Add(t.Context(), one, small("more")); err != nil {
		t.Fatal(err)
	}
}

func revisionsOf(t testing.TB, db store.Store) []store.RevisionKey {
	t.Helper()
	keys, err := db.Tiles().Revisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// separate is a database whose extensions are in a schema that is not on the
// search path.
func separate(t testing.TB) database {
	t.Helper()
	url := pgtest.Prepared(t, "separate", func(url string) error {
		pool, err := pgxpool.New(t.Context(), url)
		if err != nil {
			return err
		}
		defer pool.Close() // nobody may be connected to what is copied
		_, err = pool.Exec(t.Context(), `DROP EXTENSION postgis_raster, postgis; CREATE SCHEMA ext; CREATE EXTENSION postgis SCHEMA ext;
			SET search_path TO public, ext; CREATE EXTENSION postgis_raster SCHEMA ext; RESET search_path`)
		if err != nil {
			return err
		}
		return postgis.Migrate(t.Context(), pool, quick)
	})
	return openDatabase(t, url, quick)
}

// The extensions may live in a schema of their own.
func TestExtensionsInAnotherSchema(t *testing.T) {
	t.Parallel()
	t.Run("Tiles", func(t *testing.T) { storetest.Tiles(t, func(t *testing.T) store.Store { return separate(t) }) })
	t.Run("SQL", func(t *testing.T) {
		db := separate(t)
		layer, err := testlayer.Add(t.Context(), db, small("one"))
		if err != nil {
			t.Fatal(err)
		}
		update(t, db, func(tx store.Tx) error {
			_, err := tx.Revisions().CustomSRID(t.Context(), rasterbase.CRS{WKT: `LOCAL_CS["mine"]`, Name: "mine"})
			return err
		})
		views, err := db.CreateView(t.Context(), layer.ID)
		if err != nil {
			t.Fatal(err)
		}
		pool := newPool(t, db.url)
		if n := collect[int](t, pool, "SELECT count(*) FROM ext.spatial_ref_sys WHERE srtext LIKE 'LOCAL_CS%mine%'"); n[0] != 1 {
			t.Error("spatial_ref_sys does not know the CRS")
		}
		if n := collect[int](t, pool, "SELECT srid FROM ext.raster_columns WHERE r_table_name = $1 AND same_alignment AND num_bands = 1", views[0].Table); len(n) != 1 || n[0] != 3857 {
			t.Errorf("raster_columns says of the srid %v", n)
		}
		if n := collect[int](t, pool, "SELECT overview_factor FROM ext.raster_overviews WHERE r_table_name = $1 ORDER BY 1", views[1].Table); len(n) < 2 || n[0] != 2 {
			t.Errorf("the overviews are %v", n)
		}
		execute(t, pool, fmt.Sprintf("SET search_path TO public, ext; SELECT ST_Value(rast, 1, 1) FROM rasterbase.%s", views[0].Name))
		execute(t, pool, "RESET search_path")
	})
}
