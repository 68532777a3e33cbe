package djangoraster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/postgis/djangoraster"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// What all versions have, as their migrations leave it.
const commonTables = `
CREATE TABLE raster_legend (id serial PRIMARY KEY, title varchar(200) NOT NULL, description text, json text);
CREATE TABLE raster_legendsemantics (id serial PRIMARY KEY, name varchar(50) NOT NULL, description text, keyword text);
CREATE TABLE raster_legendentry (id serial PRIMARY KEY, expression varchar(500) NOT NULL, color varchar(7) NOT NULL,
	semantics_id integer NOT NULL REFERENCES raster_legendsemantics);
CREATE TABLE raster_rasterlayer (id serial PRIMARY KEY, name varchar(100), description text, datatype varchar(2) NOT NULL,
	rasterfile varchar(100), legend_id integer REFERENCES raster_legend);
CREATE TABLE raster_rastertile (rid serial PRIMARY KEY, rast raster, rasterlayer_id integer REFERENCES raster_rasterlayer,
	tilex integer, tiley integer, tilez integer);
CREATE TABLE raster_rasterlayermetadata (id serial PRIMARY KEY, rasterlayer_id integer UNIQUE NOT NULL REFERENCES raster_rasterlayer,
	uperleftx float8, uperlefty float8, width integer, height integer, scalex float8, scaley float8, skewx float8, skewy float8, numbands integer);
`

// The tables of 0.1: base tiles, entries shared among legends.
const earlyTables = commonTables + `
CREATE TABLE raster_legend_entries (id serial PRIMARY KEY, legend_id integer NOT NULL, legendentry_id integer NOT NULL, UNIQUE (legend_id, legendentry_id));
ALTER TABLE raster_rasterlayer ADD srid varchar(10) NOT NULL, ADD nodata varchar(100) NOT NULL, ADD parse_log text, ADD max_zoom integer;
ALTER TABLE raster_rastertile ADD filename text, ADD is_base boolean NOT NULL DEFAULT false;
`

// The tables of 0.6 and later.
const lateTables = commonTables + `
ALTER TABLE raster_legend ADD modified timestamptz NOT NULL DEFAULT now();
ALTER TABLE raster_legendentry ADD legend_id integer REFERENCES raster_legend, ADD code varchar(100) NOT NULL DEFAULT '';
ALTER TABLE raster_rasterlayer ADD source_url varchar(2500) NOT NULL DEFAULT '', ADD nodata varchar(100), ADD srid integer, ADD max_zoom integer,
	ADD build_pyramid boolean NOT NULL DEFAULT true, ADD next_higher boolean NOT NULL DEFAULT true, ADD store_reprojected boolean NOT NULL DEFAULT true,
	ADD modified timestamptz NOT NULL DEFAULT now();
ALTER TABLE raster_rasterlayermetadata ADD srs_wkt text, ADD srid smallint, ADD max_zoom smallint;
CREATE TABLE raster_rasterlayerparsestatus (id serial PRIMARY KEY, rasterlayer_id integer UNIQUE NOT NULL REFERENCES raster_rasterlayer,
	status integer NOT NULL, log text NOT NULL, tile_levels integer[] NOT NULL);
CREATE TABLE raster_rasterlayerbandmetadata (id serial PRIMARY KEY, rasterlayer_id integer NOT NULL REFERENCES raster_rasterlayer,
	band integer NOT NULL, nodata_value float8, min float8 NOT NULL, max float8 NOT NULL, mean float8, std float8, hist_values bigint[] NOT NULL, hist_bins float8[] NOT NULL);
`

// django is a database of an application.
type django struct {
	*pgxpool.Pool
	t *testing.T
}

func newDjango(t *testing.T, tables string) django {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	d := django{pool, t}
	d.run(tables)
	return d
}

func (d django) run(sql string, args ...any) {
	d.t.Helper()
	if _, err := d.Exec(d.t.Context(), sql, args...); err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
}

// pyramidTile stores a tile of the value everywhere but nodata in its first row.
func (d django) pyramidTile(layer int, tile xyz.Tile, value float64) *raster.Raster {
	d.t.Helper()
	r := raster.New(xyz.TileGrid(tile, 256), 3857, rasterbase.Uint8)
	b := &r.Bands[0]
	b.HasNodata, b.Nodata = true, 255
	raster.Fill(b.Pixels, value)
	for i := range 256 {
		b.Pixels.Set(i, 255)
	}
	d.tile(layer, r, tile.Z, tile.X, tile.Y)
	return r
}

func (d django) tile(layer int, r *raster.Raster, z, x, y any) {
	d.t.Helper()
	wkb, err := r.HexWKB()
	if err != nil {
		d.t.Fatal(err)
	}
	d.run(`INSERT INTO raster_rastertile (rast, rasterlayer_id, tilez, tilex, tiley) VALUES ($1::text::raster, $2, $3, $4, $5)`, wkb, layer, z, x, y)
}

// onEach runs a test with an empty store of each backend.
func onEach(t *testing.T, test func(*testing.T, store.Store, *ingest.Parser)) {
	run := func(name string, open func(*testing.T) (store.Store, error)) {
		t.Run(name, func(t *testing.T) {
			st, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			test(t, st, ingest.New(ingest.Config{Store: st, Opener: gdal.Opener{}}))
		})
	}
	run("sqlite", func(t *testing.T) (store.Store, error) {
		return sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	})
	run("postgis", func(t *testing.T) (store.Store, error) {
		pool, err := pgxpool.New(t.Context(), pgtest.Database(t))
		if err != nil {
			return nil, err
		}
		t.Cleanup(pool.Close)
		if err := postgis.Migrate(t.Context(), pool, postgis.Options{}); err != nil {
			return nil, err
		}
		return postgis.New(t.Context(), pool, postgis.Options{})
	})
}

func open(t *testing.T, st store.Store, id rasterbase.LayerID) *coverage.Layer {
	t.Helper()
	c, err := coverage.OpenLayer(t.Context(), st, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func window(t *testing.T, c *coverage.Layer, l coverage.Level, x, y, w, h int) *raster.Raster {
	t.Helper()
	r, err := c.Window(t.Context(), coverage.WindowRequest{Level: l, X: x, Y: y, Width: w, Height: h})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLateDatabase(t *testing.T) { onEach(t, lateDatabase) }

func lateDatabase(t *testing.T, st store.Store, parser *ingest.Parser) {
	d := newDjango(t, lateTables)
	d.run(`INSERT INTO raster_legend (id, title) VALUES (7, 'Cover'), (9, 'cover');
		INSERT INTO raster_legendsemantics (id, name, description, keyword) VALUES (3, 'Forest', 'trees', 'f'), (5, 'Water', NULL, NULL), (6, 'Nobody', NULL, NULL);
		INSERT INTO raster_legendentry (semantics_id, expression, color, legend_id, code) VALUES
			(5, 'x + 1 > 3', '#0000FF', 7, '2'), (3, '(-3.0 < x) & (x <= 1)', '#00FF00', 7, '1'), (3, '4', '#008800', 9, ''), (3, 'continuous', '#008800', 9, ''), (3, '1', '#008800', NULL, '');
		INSERT INTO raster_rasterlayer (id, name, description, datatype, rasterfile, legend_id, nodata, srid, next_higher) VALUES
			(12, 'Land cover', 'what grows', 'ca', 'rasters/cover.tif', 7, '255', NULL, false), (15, NULL, NULL, 'co', 'rasters/dem.tif', NULL, NULL, 4326, true),
			(16, 'Half', NULL, 'co', NULL, NULL, NULL, NULL, true);
		INSERT INTO raster_rasterlayerparsestatus (rasterlayer_id, status, log, tile_levels) VALUES
			(12, 5, '[2016-05-10 10:41:02] Started'||chr(10)||'[2016-05-10 10:42:03] Successfully finished parsing raster', '{0,1,2,3}'),
			(15, 0, '', '{}'), (16, 6, 'failed', '{0,1}')`)
	// Zoom 3 has three tiles with one parent at zoom 2 and one of another; zoom 2
	// has a tile, zoom 1 and 0 have none.
	a := d.pyramidTile(12, xyz.Tile{Z: 3, X: 2, Y: 2}, 1)
	d.pyramidTile(12, xyz.Tile{Z: 3, X: 3, Y: 2}, 2)
	d.pyramidTile(12, xyz.Tile{Z: 3, X: 4, Y: 2}, 3)
	kept := d.pyramidTile(12, xyz.Tile{Z: 2, X: 1, Y: 1}, 9)
	d.pyramidTile(12, xyz.Tile{Z: 3, X: 4, Y: 2}, 4) // again: the later counts
	d.pyramidTile(16, xyz.Tile{Z: 3, X: 4, Y: 2}, 4)

	o := djangoraster.Options{Parser: parser, DryRun: true}
	report, err := djangoraster.Import(t.Context(), d.Pool, st, o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Legends != 2 || len(report.Layers) != 3 || report.Layers[0].Tiles != 5 || !report.Layers[0].NoBase {
		t.Errorf("the dry run says %+v", report)
	}
	o.DryRun = false
	if report, err = djangoraster.Import(t.Context(), d.Pool, st, o); err != nil {
		t.Fatal(err)
	}
	if l := report.Layers[0]; l.Tiles != 3+2+2+1 || !l.NoBase || l.Problem != "" || l.Source {
		t.Errorf("layer 12: %+v", l)
	}
	if l := report.Layers[1]; !strings.Contains(l.Problem, "was not parsed") {
		t.Errorf("layer 15: %+v", l)
	}
	if l := report.Layers[2]; !strings.Contains(l.Problem, "did not end") {
		t.Errorf("layer 16: %+v", l)
	}

	c := open(t, st, 12)
	rev := c.Revision()
	if want := int64(3 * (256*256 - 256)); !rev.NoBase || rev.Bands[0].Count != want || rev.MaxZoom != 3 || rev.Datatype != rasterbase.Categorical {
		t.Errorf("the revision is %+v", rev)
	}
	if got := window(t, c, coverage.ZoomLevel(3), 512, 512, 256, 256); !raster.Equal(got, a) {
		t.Error("the first tile is another")
	}
	if got := window(t, c, coverage.ZoomLevel(3), 1024, 512, 256, 256); got.Bands[0].Pixels.At(1000) != 4 {
		t.Error("of two tiles the first was taken")
	}
	if got := window(t, c, coverage.ZoomLevel(2), 256, 256, 256, 256); !raster.Equal(got, kept) {
		t.Error("the tile of zoom 2 is another")
	}
	if got := window(t, c, coverage.ZoomLevel(2), 512, 256, 128, 128); got.Bands[0].Pixels.At(128*60) != 4 {
		t.Error("the missing tile of zoom 2 was not made")
	}
	if got := window(t, c, coverage.ZoomLevel(0), 0, 0, 256, 256); got.Bands[0].Pixels.At(80*256+70) != 9 {
		t.Error("zoom 0 was not made of zoom 2")
	}
	checkFinest(t, c)
	checkLegends(t, st)
	checkLayer(t, st, parser)
	// Again, nothing is to do.
	report, err = djangoraster.Import(t.Context(), d.Pool, st, o)
	if err != nil || !report.Layers[0].There {
		t.Errorf("the second time: %+v, %v", report, err)
	}
}

// checkFinest looks at the pixels without a zoom: those of the max zoom.
func checkFinest(t *testing.T, c *coverage.Layer) {
	t.Helper()
	desc := c.Describe()
	if !desc.NoBase || desc.CRS.SRID != 3857 || desc.Grid.Width != 768 || desc.Grid.Height != 255 {
		t.Errorf("the description is %+v", desc)
	}
	base := window(t, c, coverage.BaseLevel, 0, 0, 768, 255)
	for x, want := range map[int]float64{0: 1, 255: 1, 256: 2, 512: 4, 767: 4} {
		if got := base.Bands[0].Pixels.At(100*768 + x); got != want {
			t.Errorf("column %d is %v, want %v", x, got, want)
		}
	}
	x, y := desc.Grid.World(300.5, 20.5)
	px, err := coverage.At(t.Context(), c, coverage.PointRequest{Point: crs.Point{X: x, Y: y}, CRS: rasterbase.CRS{SRID: 3857}, Level: coverage.BaseLevel, Transformer: crs.Closed{}})
	if err != nil || len(px.Values) != 1 || px.Values[0].Value != 2 {
		t.Errorf("a lookup without a zoom: %+v, %v", px, err)
	}
	tiles := 0
	for r, err := range c.Rasters(t.Context(), coverage.TileQuery{Level: coverage.BaseLevel}) {
		if err != nil || r.Raster == nil || r.Y != 2 {
			t.Errorf("a tile without a zoom: %+v, %v", r.TileAddress, err)
		}
		tiles++
	}
	if tiles != 3 {
		t.Errorf("%d tiles without a zoom", tiles)
	}
	many, err := coverage.ValuesAt(t.Context(), c, coverage.PointsRequest{Points: []crs.Point{{X: x, Y: y}}, CRS: rasterbase.CRS{SRID: 3857}, Level: coverage.BaseLevel, Transformer: crs.Closed{}})
	if err != nil || len(many) != 1 || len(many[0].Values) != 1 || many[0].Values[0].Value != 2 {
		t.Errorf("many lookups without a zoom: %+v, %v", many, err)
	}
	if _, err := c.Summaries(t.Context(), coverage.SummaryQuery{Level: coverage.BaseLevel}); rasterbase.CodeOf(err) != rasterbase.Unsupported {
		t.Errorf("summaries of base tiles: %v", err)
	}
}

func checkLegends(t *testing.T, st store.Store) {
	t.Helper()
	err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
		l, err := tx.Legends().Get(t.Context(), 7)
		if err != nil {
			return err
		}
		if l.Title != "Cover" || len(l.Entries) != 2 || l.Entries[0].Semantics.ID != 3 || l.Entries[0].Code != "1" ||
			l.Entries[0].Expression != "(-3.0 < x) & (x <= 1)" || l.Entries[0].Semantics.Description != "trees" || l.Entries[0].ID != 2 || l.Entries[1].ID != 1 {
			t.Errorf("legend 7 is %+v", l)
		}
		if e := l.Entries[1].Expression; e == "x + 1 > 3" {
			t.Errorf("the second expression is %s", e)
		}
		if l, err = tx.Legends().Get(t.Context(), 9); err == nil && (l.Title != "cover (9)" || len(l.Entries) != 1 || l.Entries[0].ID != 3) {
			t.Errorf("legend 9 is %+v", l)
		}
		if err != nil {
			return err
		}
		s, err := tx.Semantics().Get(t.Context(), 6)
		if err == nil && (s.Name != "Nobody" || len(s.Legends) != 0) {
			t.Errorf("semantics 6 is %+v", s)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func checkLayer(t *testing.T, st store.Store, parser *ingest.Parser) {
	t.Helper()
	err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), 12)
		if err != nil {
			return err
		}
		if l.Name != "Land cover" || l.Description != "what grows" || l.Legend != 7 || !l.Settings.NextLower || *l.Settings.Nodata != 255 {
			t.Errorf("layer 12 is %+v", l)
		}
		p, err := tx.Parses().Latest(t.Context(), 12)
		if err != nil {
			return err
		}
		lines, err := tx.Parses().Lines(t.Context(), p.ID, 0)
		if err == nil && (p.Status != rasterbase.Finished || lines[1].Text != "Successfully finished parsing raster" || lines[1].Time.Year() != 2016) {
			t.Errorf("the parse is %+v, its log %v", p, lines)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := parser.Reparse(t.Context(), 12); rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Errorf("a parse without a source: %v", err)
	}
}

func TestEarlyDatabase(t *testing.T) { onEach(t, earlyDatabase) }

func earlyDatabase(t *testing.T, st store.Store, parser *ingest.Parser) {
	d := newDjango(t, earlyTables)
	d.run(`INSERT INTO raster_legend (id, title) VALUES (2, 'Classes');
		INSERT INTO raster_legendsemantics (id, name) VALUES (1, 'One'), (2, 'Two');
		INSERT INTO raster_legendentry (id, semantics_id, expression, color) VALUES (1, 2, '2', '#0000FF'), (2, 1, '1', '#00FF00');
		INSERT INTO raster_legend_entries (legend_id, legendentry_id) VALUES (2, 1), (2, 2);
		INSERT INTO raster_rasterlayer (id, name, datatype, rasterfile, legend_id, srid, nodata, parse_log) VALUES
			(4, 'Blocks', 'ca', 'rasters/blocks.tif', 2, '32632', '255', '[2015-01-01 00:00:00] Successfully finished parsing raster');
		INSERT INTO raster_rasterlayermetadata (rasterlayer_id, uperleftx, uperlefty, width, height, scalex, scaley, skewx, skewy, numbands)
			VALUES (4, 500000, 5200000, 250, 180, 100, -100, 0, 0, 1)`)
	// The source's pixels, in tiles of 100 that are padded with nodata; the lower
	// right one is empty, and so not there.
	whole := raster.New(rasterbase.Grid{Width: 250, Height: 180, OriginX: 500000, OriginY: 5200000, ScaleX: 100, ScaleY: -100}, 32632, rasterbase.Uint8)
	b := &whole.Bands[0]
	b.HasNodata, b.Nodata = true, 255
	for i := range 250 * 180 {
		x, y := i%250, i/250
		b.Pixels.Set(i, float64(1+(x/10+y/10)%3))
		if x >= 200 && y >= 100 {
			b.Pixels.Set(i, 255)
		}
	}
	for y := range 2 {
		for x := range 3 {
			if x == 2 && y == 1 {
				continue
			}
			d.tile(4, whole.Crop(x*100, y*100, 100, 100), nil, nil, nil)
		}
	}
	d.run(`UPDATE raster_rastertile SET is_base = true, filename = 'blocks.tif'`)

	media := t.TempDir()
	path := filepath.Join(media, "rasters", "blocks.tif")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := gdal.Write(t.Context(), path, whole, gdal.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	report, err := djangoraster.Import(t.Context(), d.Pool, st, djangoraster.Options{Parser: parser, Media: media})
	if err != nil {
		t.Fatal(err)
	}
	if l := report.Layers[0]; l.Tiles != 5 || l.NoBase || !l.Source || l.Problem != "" {
		t.Errorf("layer 4: %+v", l)
	}
	c := open(t, st, 4)
	rev := c.Revision()
	if rev.Grid != whole.Grid || rev.CRS.SRID != 32632 || rev.TileSize != 100 || rev.HasPyramid || rev.NoBase {
		t.Errorf("the revision is %+v", rev)
	}
	if b := rev.Bounds; b.West < 8.9 || b.East > 9.5 || b.South < 46.7 || b.North > 47.1 {
		t.Errorf("it lies in %+v", b)
	}
	got := window(t, c, coverage.BaseLevel, 0, 0, 250, 180)
	if !raster.Equal(got, whole) {
		t.Error("the pixels are others")
	}
	// Parsed again from its file, it is the same.
	ticket, err := parser.Reparse(t.Context(), 4)
	if err == nil {
		_, err = parser.Run(t.Context(), ticket, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	c = open(t, st, 4)
	if !c.Revision().HasPyramid || fmt.Sprint(c.Revision().Bands[0].Histogram) != fmt.Sprint(rev.Bands[0].Histogram) {
		t.Errorf("parsed again: %+v, before %+v", c.Revision().Bands[0], rev.Bands[0])
	}
}

// The links of versions in between have codes.
const linkTables = commonTables + `
ALTER TABLE raster_rasterlayer ADD srid integer, ADD nodata varchar(100);
CREATE TABLE raster_legendentryorder (id serial PRIMARY KEY, legend_id integer NOT NULL, legendentry_id integer NOT NULL, code varchar(100) NOT NULL);
`

func TestSharedEntries(t *testing.T) { onEach(t, sharedEntries) }

// sharedEntries: an entry that stood in several legends does so here, with the
// code that it has in each.
func sharedEntries(t *testing.T, st store.Store, parser *ingest.Parser) {
	d := newDjango(t, linkTables)
	d.run(`INSERT INTO raster_legend (id, title) VALUES (2, 'A'), (4, 'B');
		INSERT INTO raster_legendsemantics (id, name) VALUES (1, 'One'), (2, 'Two'), (3, ''), (8, 'Two');
		INSERT INTO raster_legendentry (id, semantics_id, expression, color) VALUES (5, 2, '2', '#0000FF'), (6, 1, '1', '#00FF00'), (9, 1, '9', '#FF0000');
		INSERT INTO raster_legendentryorder (legend_id, legendentry_id, code) VALUES (2, 5, '1'), (2, 6, '2'), (4, 6, 'a'), (4, 5, 'b'), (4, 6, 'c')`)
	for range 2 { // the second time, nothing is to do
		report, err := djangoraster.Import(t.Context(), d.Pool, st, djangoraster.Options{Parser: parser})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "1 semantics that no legend uses") {
			t.Errorf("the warnings are %q", report.Warnings)
		}
	}
	places := func(id rasterbase.LegendID) (out string) {
		err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
			l, err := tx.Legends().Get(t.Context(), id)
			if err == nil {
				for _, e := range l.Entries {
					out += fmt.Sprintf("%d %s %s %s, ", e.ID, e.Code, e.Semantics.Name, e.Expression)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return out
	}
	if got, want := places(2), "5 1 Two 2, 6 2 One 1, "; got != want {
		t.Errorf("the first legend is %s", got)
	}
	// The entry that was there twice is two: the ids go on after the last one.
	if got, want := places(4), "6 a One 1, 5 b Two 2, 7 c One 1, "; got != want {
		t.Errorf("the second legend is %s", got)
	}
	err := st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		l, err := tx.Legends().Get(t.Context(), 4)
		if err != nil {
			return err
		}
		l.Entries[0].Expression = "77"
		return tx.Legends().Update(t.Context(), l)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := places(2), "5 1 Two 2, 6 2 One 77, "; got != want {
		t.Errorf("changed in the second, the first legend is %s", got)
	}
}

// What other legends of the store show is not changed.
func TestEntriesOfOthersStay(t *testing.T) { onEach(t, entriesOfOthersStay) }

func entriesOfOthersStay(t *testing.T, st store.Store, parser *ingest.Parser) {
	d := newDjango(t, linkTables)
	d.run(`INSERT INTO raster_legend (id, title) VALUES (2, 'A');
		INSERT INTO raster_legendsemantics (id, name) VALUES (1, 'One');
		INSERT INTO raster_legendentry (id, semantics_id, expression, color) VALUES (5, 1, '2', '#0000FF');
		INSERT INTO raster_legendentryorder (legend_id, legendentry_id, code) VALUES (2, 5, '1')`)
	for what, e := range map[string]rasterbase.Entry{
		"entry 5":     {ID: 5, Semantics: rasterbase.Semantics{ID: 40, Name: "Own"}},
		"semantics 1": {Semantics: rasterbase.Semantics{ID: 1, Name: "Mine"}},
	} {
		l := &rasterbase.Legend{ID: 50, Title: "Mine", Entries: []rasterbase.Entry{e}}
		err := st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Legends().Create(t.Context(), l) })
		if err != nil {
			t.Fatal(err)
		}
		_, err = djangoraster.Import(t.Context(), d.Pool, st, djangoraster.Options{Parser: parser})
		if rasterbase.CodeOf(err) != rasterbase.Conflict || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
		err = st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Legends().Delete(t.Context(), 50) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestOtherDatabasesAreRefused(t *testing.T) { onEach(t, otherDatabasesAreRefused) }

func otherDatabasesAreRefused(t *testing.T, st store.Store, parser *ingest.Parser) {
	d := newDjango(t, "")
	_, err := djangoraster.Import(t.Context(), d.Pool, st, djangoraster.Options{Parser: parser})
	if rasterbase.CodeOf(err) != rasterbase.NotFound {
		t.Errorf("a database without tables: %v", err)
	}
	d.run(lateTables + `INSERT INTO raster_rasterlayer (id, name, datatype) VALUES (1, 'Mine', 'co')`)
	err = st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		return tx.Layers().Create(t.Context(), &rasterbase.Layer{ID: 1, Name: "Yours"})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = djangoraster.Import(t.Context(), d.Pool, st, djangoraster.Options{Parser: parser})
	if rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Errorf("a store with other layers: %v", err)
	}
}
