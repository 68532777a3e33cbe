package postgis_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// manyTiles publishes a layer whose base table has side times side tiles of 2x2
// pixels. Their rows are made by the server: what counts is how many there are.
func manyTiles(t testing.TB, db database, pool *pgxpool.Pool, side int) (*rasterbase.Layer, *rasterbase.Revision) {
	t.Helper()
	layer := &rasterbase.Layer{Name: "many"}
	rev := &rasterbase.Revision{Datatype: rasterbase.Categorical, CRS: rasterbase.CRS{SRID: 32632}, TileSize: 2, BaseTiles: int64(side * side),
		Grid: grid(400000, 5300000, 10, 2*side, 2*side), Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8, Nodata: new(rasterbase.Float), Scale: 1}}}
	update(t, db, func(tx store.Tx) error {
		if err := tx.Layers().Create(t.Context(), layer); err != nil {
			return err
		}
		rev.Layer = layer.ID
		return tx.Revisions().Create(t.Context(), rev)
	})
	k := store.RevisionKey{Layer: layer.ID, Revision: rev.ID}
	if err := db.Tiles().Create(t.Context(), rev); err != nil {
		t.Fatal(err)
	}
	first := tile(store.TileKey{RevisionKey: k, Kind: rasterbase.Base}, rev.Grid, 2, 7)
	first.Raster.SRID = 32632
	if err := db.Tiles().Put(t.Context(), []store.Tile{first}); err != nil {
		t.Fatal(err)
	}
	table := fmt.Sprintf("rasterbase.tiles_%d_%d_base", layer.ID, rev.ID)
	_, err := pool.Exec(t.Context(), fmt.Sprintf(`INSERT INTO %s (layer, revision, is_base, tilez, tilex, tiley, band_set, has_validity, rast)
		SELECT o.layer, o.revision, true, 0, x, y, 0, o.has_validity, ST_SetUpperLeft(o.rast, 400000 + 20 * x, 5300000 - 20 * y)
		FROM %[1]s o, generate_series(0, %[2]d) y, generate_series(0, %[2]d) x WHERE x + y > 0`, table, side-1))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Tiles().Seal(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx store.Tx) error {
		_, err := tx.Revisions().Publish(t.Context(), rev.ID)
		return err
	})
	return layer, rev
}

// Queries by place use the spatial index, and those by number the primary key,
// on a table where reading all rows would hurt.
func TestQueriesUseTheIndices(t *testing.T) {
	t.Parallel()
	const side = 320 // 102,400 rows
	db := newDatabase(t, postgis.Options{})
	pool := newPool(t, db.url)
	layer, _ := manyTiles(t, db, pool, side)
	views, err := db.CreateView(t.Context(), layer.ID)
	if err != nil {
		t.Fatal(err)
	}
	table := "rasterbase." + views[0].Table
	if n := collect[int](t, pool, "SELECT count(*) FROM "+table); n[0] < 100_000 {
		t.Fatalf("%d rows", n[0])
	}
	const place = `ST_MakeEnvelope(401003, 5298003, 401037, 5298037, 32632)`
	for _, q := range []struct {
		query, index string
		rows         int
	}{
		{`SELECT rid FROM ` + table + ` WHERE ST_Intersects(rast, ` + place + `)`, "st_convexhull", 4},
		{`SELECT rid FROM ` + table + ` WHERE ST_Intersects(` + place + `, rast)`, "st_convexhull", 4},
		{`SELECT rid FROM ` + table + ` WHERE rast && ` + place, "st_convexhull", 4},
		{`SELECT rid FROM rasterbase.` + views[0].Name + ` WHERE ST_Intersects(rast, ` + place + `)`, "st_convexhull", 4},
		{fmt.Sprintf(`SELECT rid FROM rasterbase.published_tiles WHERE layer = %d AND is_base AND ST_Intersects(rast, %s)`, layer.ID, place), "st_convexhull", 4},
		{`SELECT t.rid FROM (VALUES (` + place + `)) AS own(geom) JOIN ` + table + ` t ON ST_Intersects(t.rast, own.geom)`, "st_convexhull", 4},
		{fmt.Sprintf(`SELECT rid FROM %s WHERE rid = %d`, table, int64(100)<<32|50), "rid", 1},
		{fmt.Sprintf(`SELECT rid FROM %s WHERE rid = ANY ('{%d,%d}')`, table, int64(100)<<32|50, int64(9)<<32|7), "rid", 2},
		{fmt.Sprintf(`SELECT rid FROM rasterbase.%s WHERE rid = %d`, views[0].Name, int64(100)<<32|50), "rid", 1},
	} {
		t.Run(q.query, func(t *testing.T) {
			plan := strings.Join(collect[string](t, pool, "EXPLAIN "+q.query), "\n")
			index := indexOn(t, pool, table, q.index)
			if !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan on "+views[0].Table) {
				t.Errorf("the plan does not use %s:\n%s", index, plan)
			}
			if got := collect[int64](t, pool, q.query); len(got) != q.rows {
				t.Errorf("%d rows, want %d", len(got), q.rows)
			}
		})
	}
}

// indexOn is the name of a table's index on an expression.
func indexOn(t *testing.T, pool *pgxpool.Pool, table, expression string) string {
	t.Helper()
	names := collect[string](t, pool, `SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = $1::regclass
		AND pg_get_indexdef(indexrelid) LIKE '%(%' || $2 || '%'`, table, expression)
	if len(names) != 1 {
		t.Fatalf("%s has the indices %q on %s", table, names, expression)
	}
	return strings.TrimPrefix(names[0], "rasterbase.")
}
