package postgis_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/raster"
)

// One database holds four layers that differ in all they can differ in, and
// other programs find in it what the files hold.
func TestInterop(t *testing.T) {
	t.Parallel()
	needGDAL(t)
	db := newDatabase(t, postgis.Options{})
	layers := importFixtures(t, db.DB)
	views := map[rasterbase.LayerID][]postgis.View{}
	for _, l := range layers {
		v, err := db.CreateView(t.Context(), l.layer.ID)
		if err != nil {
			t.Fatal(err)
		}
		views[l.layer.ID] = v
	}
	pool := newPool(t, db.url)
	t.Run("raster_columns", func(t *testing.T) { rasterColumns(t, pool, layers) })
	t.Run("constraints", func(t *testing.T) { constraintsHold(t, pool) })
	t.Run("raster_overviews", func(t *testing.T) { rasterOverviews(t, pool, layers) })
	t.Run("published_tiles", func(t *testing.T) { publishedTiles(t, pool, layers) })
	t.Run("SQL", func(t *testing.T) {
		for _, l := range layers {
			t.Run(l.name, func(t *testing.T) { sqlTellsTheSame(t, pool, l, views[l.layer.ID]) })
		}
	})
	t.Run("GDAL", func(t *testing.T) {
		for _, l := range layers {
			t.Run(l.name, func(t *testing.T) { gdalReadsTheSame(t, db.url, l, views[l.layer.ID]) })
		}
	})
	t.Run("QGIS", func(t *testing.T) { qgisReadsTheSame(t, db.url, layers, views) })
}

// tileTables lists the tables that hold tiles.
func tileTables(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return collect[string](t, pool, `SELECT relname FROM pg_class WHERE relnamespace = 'rasterbase'::regnamespace
		AND relkind = 'r' AND relispartition ORDER BY relname`)
}

// rasterColumns compares what PostGIS registers of each table with all of its
// rows.
func rasterColumns(t *testing.T, pool *pgxpool.Pool, layers []imported) {
	for _, table := range tileTables(t, pool) {
		var wrong []string
		rows, err := pool.Query(t.Context(), fmt.Sprintf(`
			SELECT format('%%s/%%s: %%s | %%s | %%s | %%s', t.tilex, t.tiley, m, b.types, b.nodata, c)
			FROM rasterbase.%s t, ST_MetaData(rast) m,
				LATERAL (SELECT array_agg(x.pixeltype ORDER BY x.bandnum) AS types, array_agg(x.nodatavalue ORDER BY x.bandnum) AS nodata,
					array_agg(x.isoutdb ORDER BY x.bandnum) AS outdb FROM ST_BandMetaData(rast, ARRAY[]::int[]) x) b,
				raster_columns c
			WHERE c.r_table_schema = 'rasterbase' AND c.r_table_name = '%[1]s' AND (
				c.srid IS DISTINCT FROM m.srid OR c.scale_x IS DISTINCT FROM m.scalex OR c.scale_y IS DISTINCT FROM m.scaley
				OR c.blocksize_x < m.width OR c.blocksize_y < m.height OR c.num_bands IS DISTINCT FROM m.numbands
				OR c.pixel_types IS DISTINCT FROM b.types OR c.nodata_values IS DISTINCT FROM b.nodata OR c.out_db IS DISTINCT FROM b.outdb
				OR NOT c.same_alignment OR NOT ST_Covers(c.extent, ST_Envelope(rast)) OR NOT c.spatial_index)`, table))
		if err == nil {
			wrong, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wrong {
			t.Errorf("raster_columns does not tell the truth about %s: %s", table, w)
		}
	}
	for _, l := range layers {
		for set := range l.rev.BandSets() {
			var found string
			bands := l.rev.BandSet(set)
			var nodata []string
			for range bands {
				if l.nodata == nil {
					nodata = append(nodata, "NULL")
				} else {
					nodata = append(nodata, fmt.Sprintf("%.0f", *l.nodata))
				}
			}
			want := fmt.Sprintf("%d %g %g %d %d {%s} {%s}", l.srid, l.grid.ScaleX, l.grid.ScaleY,
				min(l.settings.TileSize, l.grid.Width), min(l.settings.TileSize, l.grid.Height),
				strings.Join(slices.Repeat([]string{l.kind.PostGIS()}, len(bands)), ","), strings.Join(nodata, ","))
			err := pool.QueryRow(t.Context(), `SELECT concat_ws(' ', srid, scale_x, scale_y, blocksize_x, blocksize_y, pixel_types, nodata_values)
				FROM raster_columns WHERE r_table_schema = 'rasterbase' AND r_table_name = $1`, l.table("base", set)).Scan(&found)
			if err != nil || found != want {
				t.Errorf("raster_columns says of %s's base tiles: %q (%v), want %q", l.name, found, err, want)
			}
		}
	}
}

// table is the name of a table of the layer.
func (l imported) table(kind string, set int) string {
	name := fmt.Sprintf("tiles_%d_%d_%s", l.layer.ID, l.rev.ID, kind)
	if set > 0 {
		name += fmt.Sprintf("_s%d", set)
	}
	return name
}

// constraintsHold has the server check those constraints that were taken to
// hold when they were made.
func constraintsHold(t *testing.T, pool *pgxpool.Pool) {
	type constraint struct{ Table, Name string }
	rows, err := pool.Query(t.Context(), `SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE NOT convalidated
		AND connamespace = 'rasterbase'::regnamespace ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[constraint])
	if err != nil || len(all) < 8*len(tileTables(t, pool)) {
		t.Fatalf("%d constraints are not validated, %v", len(all), err)
	}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context())) // the other tests see what was stored
	for _, c := range all {
		if _, err := tx.Exec(t.Context(), fmt.Sprintf(`ALTER TABLE %s VALIDATE CONSTRAINT %s`, c.Table, c.Name)); err != nil {
			t.Fatalf("%s of %s does not hold: %v", c.Name, c.Table, err)
		}
	}
}

// rasterOverviews wants every zoom below the max zoom, down to where the layer
// is smaller than a pixel, related to the max zoom.
func rasterOverviews(t *testing.T, pool *pgxpool.Pool, layers []imported) {
	for _, l := range layers {
		for set := range l.rev.BandSets() {
			top := l.table(fmt.Sprintf("z%d", l.rev.MaxZoom), set)
			got := collect[string](t, pool, `SELECT o_table_name || ' ' || overview_factor FROM raster_overviews
				WHERE r_table_name = $1 AND o_table_schema = 'rasterbase' AND r_table_schema = 'rasterbase' AND r_raster_column = 'rast'
				ORDER BY overview_factor`, top)
			if len(got) < 4 {
				t.Errorf("%s has the overviews %q", top, got)
			}
			for i, o := range got {
				if want := fmt.Sprintf("%s %d", l.table(fmt.Sprintf("z%d", l.rev.MaxZoom-i-1), set), 2<<i); o != want {
					t.Errorf("%s has the overview %q, want %q", top, o, want)
				}
			}
		}
	}
	others := collect[int](t, pool, `SELECT count(*) FROM raster_overviews o JOIN raster_columns c USING (r_table_schema, r_table_name)
		WHERE NOT EXISTS (SELECT 1 FROM raster_columns p WHERE p.r_table_name = o.o_table_name
			AND abs(p.scale_x / c.scale_x - o.overview_factor) < 1e-9 AND p.srid = c.srid)`)
	if others[0] != 0 {
		t.Errorf("%d overviews have another scale than their factor says", others[0])
	}
}

// publishedTiles wants to see all tiles of the published revisions and no
// other: nothing at all is left of the one that was replaced.
func publishedTiles(t *testing.T, pool *pgxpool.Pool, layers []imported) {
	for _, l := range layers {
		sets := int64(l.rev.BandSets())
		got := collect[int64](t, pool, `SELECT count(*) FROM rasterbase.published_tiles WHERE layer = $1 GROUP BY is_base ORDER BY is_base DESC`, l.layer.ID)
		if want := []int64{l.rev.BaseTiles * sets, l.rev.PyramidTiles * sets}; !slices.Equal(got, want) {
			t.Errorf("published_tiles has %v tiles of %s, want %v", got, l.name, want)
		}
		tables := collect[string](t, pool, `SELECT relname FROM pg_class WHERE relnamespace = 'rasterbase'::regnamespace
			AND relname LIKE 'tiles\_' || $1::text || '\_%' AND relkind IN ('r', 'p') ORDER BY 1`, fmt.Sprint(l.layer.ID))
		for _, name := range tables {
			if of := fmt.Sprintf("tiles_%d_%d", l.layer.ID, l.rev.ID); name != of && !strings.HasPrefix(name, of+"_") {
				t.Errorf("%s is a table of a revision that was dropped", name)
			}
		}
		// base, and the zooms down to 0
		if want := 1 + (1+1+l.rev.MaxZoom)*int(sets); len(tables) != want {
			t.Errorf("%s has %d tables, want %d: %q", l.name, len(tables), want, tables)
		}
	}
}

// sqlTellsTheSame asks PostGIS for values, counts and intersections.
func sqlTellsTheSame(t *testing.T, pool *pgxpool.Pool, l imported, views []postgis.View) {
	for _, v := range views {
		if v.Kind != rasterbase.Base {
			continue
		}
		set := bandSetOf(t, v)
		for place, band := range l.rev.BandSet(set) {
			valuesAtPoints(t, pool, l, v, place, band)
			countsOfView(t, pool, l.rev.Bands[band], v, place, l.rev.Datatype)
		}
	}
}

func valuesAtPoints(t *testing.T, pool *pgxpool.Pool, l imported, v postgis.View, place, band int) {
	t.Helper()
	type point struct{ col, row int }
	for _, p := range []point{{0, 0}, {l.grid.Width - 1, l.grid.Height - 1}, {l.settings.TileSize - 1, 5}, {l.settings.TileSize % l.grid.Width, 5},
		{150, 40}, {l.grid.Width / 2, l.grid.Height - 2}} {
		x, y := l.grid.World(float64(p.col)+0.5, float64(p.row)+0.5)
		got := collect[*float64](t, pool, fmt.Sprintf(`SELECT ST_Value(rast, $4, g) FROM rasterbase.%s, ST_SetSRID(ST_Point($1, $2), $3) AS g
			WHERE ST_Intersects(rast, g)`, v.Name), x, y, l.srid, place+1)
		want := l.value(band, p.col, p.row)
		switch {
		case len(got) != 1:
			t.Errorf("%s: %d tiles intersect pixel %v", v.Name, len(got), p)
		case l.nodata != nil && want == *l.nodata:
			if got[0] != nil {
				t.Errorf("%s: pixel %v is %v, want none", v.Name, p, *got[0])
			}
		case got[0] == nil || *got[0] != want:
			t.Errorf("%s: pixel %v of band %d is %v, want %v", v.Name, p, band+1, got[0], want)
		}
	}
}

// countsOfView compares what PostGIS counts with the catalog's statistics.
func countsOfView(t *testing.T, pool *pgxpool.Pool, b rasterbase.Band, v postgis.View, place int, d rasterbase.Datatype) {
	t.Helper()
	var n int64
	var least, most, mean float64
	err := pool.QueryRow(t.Context(), fmt.Sprintf(`SELECT s.count, s.min, s.max, s.mean FROM
		(SELECT ST_SummaryStatsAgg(rast, $1, true) AS a FROM rasterbase.%s) AS q, LATERAL (SELECT (q.a).*) AS s`, v.Name), place+1).
		Scan(&n, &least, &most, &mean)
	if err != nil || n != b.Count || least != b.Min || most != b.Max || !near(mean, b.Mean, 1e-9) {
		t.Errorf("%s: PostGIS's statistics are %d, %v..%v, %v (%v), the catalog's %d, %v..%v, %v", v.Name, n, least, most, mean, err, b.Count, b.Min, b.Max, b.Mean)
	}
	if !d.Discrete() {
		return
	}
	rows, err := pool.Query(t.Context(), fmt.Sprintf(`SELECT value, sum(count) FROM rasterbase.%s, ST_ValueCount(rast, $1::int) GROUP BY value ORDER BY value`, v.Name), place+1)
	if err != nil {
		t.Fatal(err)
	}
	var counts []rasterbase.ValueCount
	var c rasterbase.ValueCount
	_, err = pgx.ForEachRow(rows, []any{&c.Value, &c.Count}, func() error { counts = append(counts, c); return nil })
	if err != nil || !slices.Equal(counts, b.Histogram.Values) {
		t.Errorf("%s: PostGIS counts %v (%v), the catalog %v", v.Name, counts, err, b.Histogram.Values)
	}
}

func near(a, b, relative float64) bool {
	d := a - b
	return max(d, -d) <= relative*max(a, -a, b, -b)
}

// samePixels compares a raster that another program made of tables or views
// with some bands of the file's.
func samePixels(t *testing.T, what string, got, want *raster.Raster, bands []int) {
	t.Helper()
	if got.Width != want.Width || got.Height != want.Height || len(got.Bands) != len(bands) {
		t.Errorf("%s has %dx%d pixels of %d bands, want %dx%d of %d", what, got.Width, got.Height, len(got.Bands), want.Width, want.Height, len(bands))
		return
	}
	for place, band := range bands {
		g, w := got.Bands[place], want.Bands[band]
		if g.Type != w.Type || g.HasNodata != w.HasNodata || g.Nodata != w.Nodata {
			t.Errorf("%s: band %d is %v with nodata %t %v, want %v with %t %v", what, place+1, g.Type, g.HasNodata, g.Nodata, w.Type, w.HasNodata, w.Nodata)
		}
		for i := range w.Pixels.Len() {
			if g.Pixels.At(i) != w.Pixels.At(i) {
				t.Errorf("%s: pixel %d, %d of band %d is %v, want %v", what, i%want.Width, i/want.Width, place+1, g.Pixels.At(i), w.Pixels.At(i))
				break
			}
		}
	}
}
