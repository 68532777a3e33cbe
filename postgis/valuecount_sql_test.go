package postgis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// square is a polygon over the first pixels of a layer, in the CRS of its grid.
func square(c countedLayer, pixels int64) string {
	s := shape{{{{0, 0}, {pixels * eighths, 0}, {pixels * eighths, pixels * eighths}, {0, pixels * eighths}}}}
	return s.wkt(c.world())
}

// inSquare are the counts there.
func inSquare(c countedLayer, pixels int) map[float64]int64 {
	return c.counts(0, func(col, row int) bool { return col < pixels && row < pixels })
}

func TestValueCountRefuses(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	id := int64(countedLayers()[0].add(t, db))
	var unpublished, formula rasterbase.Layer
	update(t, db, func(tx store.Tx) error {
		unpublished = rasterbase.Layer{Name: "unpublished"}
		if err := tx.Layers().Create(t.Context(), &unpublished); err != nil {
			return err
		}
		formula = rasterbase.Layer{Name: "twice", Formula: &rasterbase.LayerFormula{Text: "a*2", Inputs: []rasterbase.FormulaInput{{Name: "a", Layer: rasterbase.LayerID(id)}}}}
		return tx.Layers().Create(t.Context(), &formula)
	})
	box := "ST_MakeEnvelope(524288, 5242000, 524800, 5242880, 32632)"
	for _, c := range []struct{ arguments, code, message string }{
		{"77, " + box, "P0002", "no layer 77"},
		{"'nowhere', " + box, "P0002", "no layer 'nowhere'"},
		{"NULL::bigint, " + box, "P0002", "no layer"},
		{fmt.Sprintf("%d, %s", unpublished.ID, box), "55000", "not published"},
		{fmt.Sprintf("%d, %s", formula.ID, box), "0A000", "is a formula"},
		{fmt.Sprintf("%d, %s, 0", id, box), "22023", "no band 0"},
		{fmt.Sprintf("%d, %s, 2", id, box), "22023", "no band 2"},
		{fmt.Sprintf("%d, %s, NULL", id, box), "22023", "no band NULL"},
		{fmt.Sprintf("%d, ST_Point(8, 47, 4326)", id), "22023", "POINT has no area"},
		{fmt.Sprintf("%d, 'LINESTRING(8 47,9 48)'::geometry", id), "22023", "LINESTRING has no area"},
		{fmt.Sprintf("%d, 'GEOMETRYCOLLECTION(POLYGON((8 47,9 48,9 47,8 47)),POINT(8 47))'::geometry", id), "22023", "POINT has no area"},
		{fmt.Sprintf("%d, 'CURVEPOLYGON(CIRCULARSTRING(8 47,9 48,9 47,8 46,8 47))'::geometry", id), "22023", "CIRCULARSTRING has no area"},
		{fmt.Sprintf("%d, 'POLYGON((8 47,9 NaN,9 47,8 47))'::geometry", id), "22023", "no finite number"},
		{fmt.Sprintf("%d, ST_MakeEnvelope(524288, 5242000, 524800, 5242880)", id), "22023", "beyond the pole"},
	} {
		for _, function := range []string{"valuecount", "statistics"} {
			_, err := pool.Exec(t.Context(), fmt.Sprintf("SELECT * FROM rasterbase.%s(%s)", function, c.arguments))
			refused, ok := errors.AsType[*pgconn.PgError](err)
			if !ok || refused.Code != c.code || !strings.Contains(refused.Message, c.message) {
				t.Errorf("%s(%s): %v, want %s and %q", function, c.arguments, err, c.code, c.message)
			}
		}
	}
}

// A join with a table of one's own counts in each of its polygons. Rows without a
// polygon, with an empty one, and with one elsewhere have no pixels.
func TestValueCountInAJoin(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	c := countedLayers()[0]
	id := c.add(t, db)
	execute(t, pool, `CREATE TABLE parcels (id integer, geom geometry)`,
		fmt.Sprintf(`INSERT INTO parcels SELECT n, ST_GeomFromText(w, 32632) FROM (VALUES (1, '%s'), (2, '%s'), (3, NULL), (4, 'POLYGON EMPTY'), (5, 'POLYGON((0 0,1 0,1 1,0 0))'))
			AS v(n, w)`, square(c, 10), square(c, 33)),
		`INSERT INTO parcels SELECT 6, ST_Collect(ST_Force3D(geom)) FROM parcels WHERE id IN (1, 2)`)
	for _, layer := range []string{fmt.Sprint(id), "'bytes'"} {
		got := map[int]map[float64]int64{}
		rows, err := pool.Query(t.Context(), fmt.Sprintf(`SELECT p.id, c.value, c.count FROM parcels AS p, LATERAL rasterbase.valuecount(%s, p.geom) AS c ORDER BY 1, 2`, layer))
		if err != nil {
			t.Fatal(err)
		}
		var parcel int
		var value float64
		var count int64
		_, err = pgx.ForEachRow(rows, []any{&parcel, &value, &count}, func() error {
			if got[parcel] == nil {
				got[parcel] = map[float64]int64{}
			}
			got[parcel][value] = count
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || !maps.Equal(got[1], inSquare(c, 10)) || !maps.Equal(got[2], inSquare(c, 33)) || !maps.Equal(got[6], inSquare(c, 33)) {
			t.Errorf("the parcels have %v", got)
		}
		n := collect[int64](t, pool, fmt.Sprintf(`SELECT s.count FROM parcels AS p, LATERAL rasterbase.statistics(%s, p.geom) AS s ORDER BY p.id`, layer))
		if len(n) != 5 || n[2] != 0 || n[3] != 0 || n[0] == 0 || n[1] != n[4] {
			t.Errorf("the parcels have %v pixels", n)
		}
	}
}

// A role that may read the schema may count, wherever PostGIS is, with any search path,
// and with tables of its own that are named like ours.
func TestValueCountAsAReader(t *testing.T) {
	t.Parallel()
	c := countedLayers()[0]
	for name, db := range map[string]database{"plain": newDatabase(t, postgis.Options{}), "separate": separate(t)} {
		id := c.add(t, db)
		admin := newPool(t, db.url)
		role := "reader_" + name + "_" + admin.Config().ConnConfig.Database
		execute(t, admin, "CREATE ROLE "+role+" LOGIN", "GRANT USAGE ON SCHEMA rasterbase TO "+role, "GRANT SELECT ON ALL TABLES IN SCHEMA rasterbase TO "+role)
		t.Cleanup(func() {
			_, _ = admin.Exec(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role)
		})
		schema := map[string]string{"plain": "public", "separate": "ext"}[name]
		if name == "separate" {
			execute(t, admin, "GRANT USAGE ON SCHEMA ext TO "+role)
		}
		pool := newPool(t, asRole(t, db.url, role))
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"CREATE TEMP TABLE layers (id bigint)", "CREATE TEMP TABLE revisions (id bigint)", "CREATE TEMP TABLE spatial_ref_sys (srid integer)",
			"SET LOCAL search_path TO pg_catalog"} {
			if _, err := tx.Exec(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		var n int64
		query := fmt.Sprintf(`SELECT sum(count)::bigint FROM rasterbase.valuecount(%d, %s.ST_Transform(%[2]s.ST_GeomFromText($1, 32632), 4326))`, id, schema)
		if err := tx.QueryRow(t.Context(), query, square(c, 20)).Scan(&n); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var want int64
		for _, n := range inSquare(c, 20) {
			want += n
		}
		if n != want {
			t.Errorf("%s: %d pixels, and there are %d", name, n, want)
		}
		rollbackTest(t, tx)
		// Rights are those of the role.
		execute(t, admin, fmt.Sprintf("REVOKE SELECT ON ALL TABLES IN SCHEMA rasterbase FROM %s", role))
		if _, err := pool.Exec(t.Context(), query, square(c, 20)); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: without rights: %v", name, err)
		}
	}
}

func rollbackTest(t *testing.T, tx pgx.Tx) {
	t.Helper()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

// What is published is counted: the old revision until then, the new one after. One
// whose tables were dropped under a transaction that still sees it is an error.
func TestValueCountOfTheRevisionThatIsPublished(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	layer, err := testlayer.Add(t.Context(), db, small("one"))
	if err != nil {
		t.Fatal(err)
	}
	spec := small("one")
	spec.Value = testlayer.Constant(8)
	tx, err := pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	world := fmt.Sprintf(`SELECT count(*) FROM rasterbase.valuecount(%d, ST_MakeEnvelope(-180, -85, 180, 85, 4326))`, layer.ID)
	values := func(q interface {
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}) int {
		return collect[int](t, q, world)[0]
	}
	before := values(tx)
	if before < 100 {
		t.Fatalf("%d values", before)
	}
	if _, err := testlayer.Publish(t.Context(), db, layer.ID, spec); err != nil {
		t.Fatal(err)
	}
	if n := values(pool); n != 1 {
		t.Errorf("after publishing %d values", n)
	}
	// The lock of what was counted keeps the old tables; another transaction has none.
	rollbackTest(t, tx)
	tx, err = pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	now := collect[int64](t, pool, fmt.Sprintf("SELECT published FROM rasterbase.layers WHERE id = %d", layer.ID))[0]
	if _, err := testlayer.Publish(t.Context(), db, layer.ID, small("one")); err != nil {
		t.Fatal(err)
	}
	if err := db.Tiles().Drop(t.Context(), store.RevisionKey{Layer: layer.ID, Revision: rasterbase.RevisionID(now)}); err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), world)
	if gone, ok := errors.AsType[*pgconn.PgError](err); !ok || gone.Code != "40001" {
		t.Errorf("of tables that are gone: %v", err)
	}
	rollbackTest(t, tx)
	if n := values(pool); n != before {
		t.Errorf("in the end %d values, and before %d", n, before)
	}
	// A layer that was retired is not published.
	update(t, db, func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), layer.ID)
		if err != nil {
			return err
		}
		return tx.Revisions().Retire(t.Context(), l.Published)
	})
	if _, err := pool.Exec(t.Context(), world); err == nil || !strings.Contains(err.Error(), "not published") {
		t.Errorf("of a retired revision: %v", err)
	}
}

// A layer without a valid pixel has no tables, and no values.
func TestValueCountOfNothing(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	spec := small("none")
	spec.Value = func(_, _, _ int) (float64, bool) { return 0, false }
	layer, err := testlayer.Add(t.Context(), db, spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, arguments := range []string{"$1::bigint", "$1::bigint, ST_MakeEnvelope(-180, -85, 180, 85, 4326)"} {
		if got := valueCount(t, pool, arguments, int64(layer.ID)); len(got) != 0 {
			t.Errorf("valuecount(%s): %v", arguments, got)
		}
		wantStatistics(t, pool, nil, arguments, int64(layer.ID))
	}
}

// Tiles are found by the index of their table, and those alone are read that the polygon
// touches.
func TestValueCountReadsByTheIndex(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	spec := small("one")
	spec.X, spec.Y, spec.Width, spec.Height, spec.NoPyramid = 0, 0, 16*32, 16*32, true
	layer, err := testlayer.Add(t.Context(), db, spec)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	// A corner of four tiles.
	corner := collect[string](t, tx, fmt.Sprintf(`SELECT ST_AsText(ST_Expand(ST_StartPoint(ST_ExteriorRing(ST_Envelope(rast))), ST_ScaleX(rast) * 2), 17)
		FROM rasterbase.tiles_%d_%d_base WHERE tilex = 7 AND tiley = 9`, layer.ID, layer.Published))[0]
	if got := valueCount(t, tx, "$1::bigint, ST_GeomFromText($2, 3857)", int64(layer.ID), corner); len(got) == 0 {
		t.Fatal("nothing is counted")
	}
	read := collect[string](t, tx, fmt.Sprintf(`SELECT concat_ws(' ', seq_scan, coalesce(idx_scan, 0) > 0, idx_tup_fetch)
		FROM pg_stat_xact_user_tables WHERE relname = 'tiles_%d_%d_base'`, layer.ID, layer.Published))
	if len(read) != 1 || read[0] != "1 t 4" { // the one scan is the test's own
		t.Errorf("scans of all, scans of the index, rows: %v", read)
	}
}

// A schema that was made before there were these functions gets them, and counts the
// layers that it has.
func TestValueCountComesWithAMigration(t *testing.T) {
	t.Parallel()
	address := pgtest.Database(t)
	pool := newPool(t, address)
	options := postgis.Options{Schema: "maps"}
	if err := postgis.Migrate(t.Context(), pool, options); err != nil {
		t.Fatal(err)
	}
	c := countedLayers()[0]
	id := c.add(t, openDatabase(t, address, options))
	execute(t, pool, `DO $$ DECLARE f regprocedure; BEGIN
		FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'maps'::regnamespace AND proname NOT IN ('writable_revision', 'note_change') LOOP
			EXECUTE 'DROP FUNCTION ' || f;
		END LOOP; END $$`, `DROP TABLE maps.sessions`, `ALTER TABLE maps.users DROP COLUMN password`, `ALTER TABLE maps.tokens DROP COLUMN scope`, `DELETE FROM maps.rasterbase_migrations WHERE version_id >= 7`)
	text, err := postgis.MigrationSQL(t.Context(), pool, options)
	if err != nil || strings.Contains(text, "CREATE TABLE layers") {
		t.Fatalf("%v in\n%s", err, text)
	}
	if err := postgis.Migrate(t.Context(), pool, options); err != nil {
		t.Fatal(err)
	}
	n := collect[int64](t, pool, fmt.Sprintf(`SELECT sum(count)::bigint FROM maps.valuecount(%d, ST_GeomFromText($1, 32632))`, id), square(c, 25))
	var want int64
	for _, count := range inSquare(c, 25) {
		want += count
	}
	if n[0] != want {
		t.Errorf("%d pixels, and there are %d", n[0], want)
	}
}

// A CRS without an EPSG code has an srid of ours, and polygons of other CRSs are moved
// to it.
func TestValueCountInACRSOfOurs(t *testing.T) {
	t.Parallel()
	needGDAL(t)
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	dir := t.TempDir()
	text := filepath.Join(dir, "cells.asc")
	var b strings.Builder
	b.WriteString("ncols 40\nnrows 30\nxllcorner -20000\nyllcorner -15000\ncellsize 1000\n")
	for row := range 30 {
		for col := range 40 {
			fmt.Fprintf(&b, "%d ", (col/3+row/2)%5)
		}
		b.WriteString("\n")
	}
	if err := os.WriteFile(text, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cells.tif")
	gdalTool(t, "gdal_translate", "-q", "-a_srs", "+proj=laea +lat_0=47.3 +lon_0=8.1 +datum=WGS84 +units=m +no_defs", "-ot", "Byte", text, path)
	l, err := ingest.Import(t.Context(), db, gdal.Opener{}, ingest.Request{Source: path,
		Settings: rasterbase.Settings{Datatype: rasterbase.Categorical, NoPyramid: true, TileSize: 64}})
	if err != nil {
		t.Fatal(err)
	}
	srid := collect[int](t, pool, `SELECT (document->'crs'->>'srid')::integer FROM rasterbase.revisions`)[0]
	if srid < rasterbase.FirstCustomSRID {
		t.Fatalf("srid %d", srid)
	}
	want := map[float64]int64{}
	for row := range 30 {
		for col := range 40 {
			x, y := float64(col)-19.5, 14.5-float64(row)
			if math.Abs(x)+math.Abs(y) < 12.2 {
				want[float64((col/3+row/2)%5)]++
			}
		}
	}
	diamond := "POLYGON((12200 0,0 12200,-12200 0,0 -12200,12200 0))"
	for _, to := range []int{srid, 4326, 3857} {
		got := valueCount(t, pool, "$1::bigint, ST_Transform(ST_Segmentize(ST_GeomFromText($2, $3), 200), $4::integer)", int64(l.ID), diamond, srid, to)
		if !maps.Equal(got, want) {
			t.Errorf("by way of srid %d: %v, and there are %v", to, got, want)
		}
	}
}

// The statements of the guide run as they stand.
func TestTheGuideToValueCounts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "guides", "postgis.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Value counts in SQL\n")
	section, _, _ = strings.Cut(section, "\n## ")
	statements := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(statements) < 3 {
		t.Fatalf("the guide has %d statements", len(statements))
	}
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	c := countedLayers()[0]
	c.name = "landcover"
	c.source.Grid.OriginX, c.source.Grid.OriginY = 430000, 5246000 // in the box of the guide
	c.add(t, db)
	e := countedLayers()[7]
	e.name = "elevation"
	e.source.Grid = c.source.Grid
	e.add(t, db)
	execute(t, pool, `CREATE TABLE parcels (id integer, geom geometry)`, fmt.Sprintf(`INSERT INTO parcels VALUES (1, ST_GeomFromText('%s', 32632))`, square(c, 20)))
	for _, m := range statements {
		for statement := range strings.SplitSeq(strings.TrimSpace(m[1]), ";\n") {
			tag, err := pool.Exec(t.Context(), statement)
			if err != nil || tag.RowsAffected() == 0 {
				t.Errorf("%d rows, %v, of\n%s", tag.RowsAffected(), err, statement)
			}
		}
	}
}
