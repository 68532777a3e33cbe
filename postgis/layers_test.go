package postgis_test

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// required reports whether what a test needs must be there, so that a missing
// program is a failure and not a skip.
func required(what string) bool {
	return slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), what)
}

// needGDAL skips a test that parses files where this build has no GDAL.
func needGDAL(t testing.TB) {
	t.Helper()
	switch {
	case gdal.Available:
	case required("gdal"):
		t.Fatal("built without GDAL, and RASTERBASE_TEST_REQUIRE asks for it")
	default:
		t.Skip("built without GDAL")
	}
}

// gdalTool runs one of GDAL's programs and gives its standard output.
func gdalTool(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if required("gdal") {
			t.Fatalf("%s is missing, and RASTERBASE_TEST_REQUIRE asks for gdal", name)
		}
		t.Skipf("%s is not installed", name)
	}
	var messages strings.Builder
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, messages.String())
	}
	if strings.Contains(messages.String(), "ERROR") {
		t.Fatalf("%s %s\n%s", name, strings.Join(args, " "), messages.String())
	}
	return out
}

// fixture is a raster file and how it is to be parsed.
type fixture struct {
	name     string
	grid     rasterbase.Grid
	srid     int
	kind     rasterbase.PixelType
	bands    int
	nodata   *float64
	value    func(band, col, row int) float64
	settings rasterbase.Settings
}

func number(v float64) *float64 { return &v }

// grid is a north-up grid of square pixels.
func grid(x, y, pixel float64, width, height int) rasterbase.Grid {
	return rasterbase.Grid{OriginX: x, OriginY: y, ScaleX: pixel, ScaleY: -pixel, Width: width, Height: height}
}

// fixtures are four rasters that differ in srid, size of tiles, pixel type and
// number of bands. Their sides are no multiples of a tile's, and each with a
// nodata value has pixels of it.
func fixtures() []fixture {
	return []fixture{
		{name: "elevation", grid: grid(7.25, 47.5, 1.0/120, 200, 150), srid: 4326, kind: rasterbase.Float32, bands: 1, nodata: number(-9999),
			value: func(_, col, row int) float64 {
				if (col-150)*(col-150)+(row-40)*(row-40) < 400 {
					return -9999
				}
				return float64(float32(400 + 100*math.Sin(float64(col)/17)*math.Cos(float64(row)/23)))
			},
			settings: rasterbase.Settings{Datatype: rasterbase.Continuous, TileSize: 64}},
		{name: "landcover", grid: grid(399960, 5300040, 300, 230, 170), srid: 32632, kind: rasterbase.Uint8, bands: 1, nodata: number(255),
			value: func(_, col, row int) float64 {
				if col+row < 40 {
					return 255
				}
				return float64((col/13*7 + row/11*3) % 9)
			},
			settings: rasterbase.Settings{Datatype: rasterbase.Categorical, TileSize: 100}},
		{name: "photo", grid: grid(850000, 6010000, 400, 300, 200), srid: 3857, kind: rasterbase.Uint8, bands: 3,
			value:    func(band, col, row int) float64 { return float64((col*(band+1) + row*7) % 256) },
			settings: rasterbase.Settings{Datatype: rasterbase.Continuous, TileSize: 256}},
		{name: "spectrum", grid: grid(500010, 6600020, 500, 180, 140), srid: 32719, kind: rasterbase.Int16, bands: 5, nodata: number(-32768),
			value: func(band, col, row int) float64 {
				if row > 130 && col < 20 {
					return -32768
				}
				return float64(col*band - 11*row - 100)
			},
			settings: rasterbase.Settings{Datatype: rasterbase.Continuous, TileSize: 128}},
	}
}

// raster is what the file holds.
func (f fixture) raster() *raster.Raster {
	r := &raster.Raster{Grid: f.grid, SRID: f.srid}
	for band := range f.bands {
		b := raster.Band{Type: f.kind, Pixels: raster.NewPixels(f.kind, f.grid.Width*f.grid.Height)}
		if f.nodata != nil {
			b.HasNodata, b.Nodata = true, *f.nodata
		}
		for i := range b.Pixels.Len() {
			b.Pixels.Set(i, f.value(band, i%f.grid.Width, i/f.grid.Width))
		}
		r.Bands = append(r.Bands, b)
	}
	return r
}

// write writes the file into a folder and gives its path.
func (f fixture) write(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, f.name+".tif")
	if err := gdal.Write(t.Context(), path, f.raster(), gdal.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

// parser parses with GDAL in this process.
func parser(t testing.TB, st store.Store) *ingest.Parser {
	return ingest.New(ingest.Config{Store: st, Opener: gdal.Opener{}, WorkDir: t.TempDir(), BatchSize: 20, Workers: 2})
}

// imported is a layer and the revision that is published.
type imported struct {
	fixture
	path  string
	layer *rasterbase.Layer
	rev   *rasterbase.Revision
}

// importFixtures parses all fixtures into a database, the second one twice, and
// drops what the first of the two left.
func importFixtures(t testing.TB, db *postgis.DB) []imported {
	t.Helper()
	needGDAL(t)
	p := parser(t, db)
	dir := t.TempDir()
	var all []imported
	for i, f := range fixtures() {
		l := imported{fixture: f, path: f.write(t, dir)}
		layer, err := p.Import(t.Context(), ingest.Request{Source: l.path, Settings: f.settings}, nil)
		if err != nil {
			t.Fatalf("import %s: %v", f.name, err)
		}
		if i == 1 {
			layer = reparsed(t, db, p, layer)
		}
		l.layer, l.rev = layer, revision(t, db, layer.Published)
		all = append(all, l)
	}
	return all
}

// reparsed parses a layer once more and drops its revision before.
func reparsed(t testing.TB, db *postgis.DB, p *ingest.Parser, layer *rasterbase.Layer) *rasterbase.Layer {
	t.Helper()
	before := layer.Published
	ticket, err := p.Reparse(t.Context(), layer.ID)
	if err != nil {
		t.Fatal(err)
	}
	if layer, err = p.Run(t.Context(), ticket, nil); err != nil {
		t.Fatal(err)
	}
	if layer.Published == before {
		t.Fatal("parsing again published nothing")
	}
	// The job that drops it waits for readers: here it is not waited for.
	if err := db.Tiles().Drop(t.Context(), store.RevisionKey{Layer: layer.ID, Revision: before}); err != nil {
		t.Fatal(err)
	}
	return layer
}

func revision(t testing.TB, db *postgis.DB, id rasterbase.RevisionID) (rev *rasterbase.Revision) {
	t.Helper()
	err := db.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
		rev, err = tx.Revisions().Get(t.Context(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// bandSetOf is the band set that a view shows.
func bandSetOf(t testing.TB, v postgis.View) int {
	t.Helper()
	i := strings.LastIndex(v.Table, "_s")
	if i < 0 {
		return 0
	}
	set, err := strconv.Atoi(v.Table[i+2:])
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// collect gives the rows of a query, each as T by the order of its columns.
func collect[T any](t testing.TB, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, query string, args ...any) []T {
	t.Helper()
	rows, err := q.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

// update writes the catalog.
func update(t testing.TB, st store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := st.Catalog().Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// tile is a tile of a grid whose tiles have side pixels, all of one value, in
// EPSG:3857, with nodata 0.
func tile(k store.TileKey, g rasterbase.Grid, side int, value float64) store.Tile {
	g.OriginX, g.OriginY = g.World(float64(k.X*side), float64(k.Y*side))
	g.Width, g.Height = side, side
	b := raster.Band{Type: rasterbase.Uint8, HasNodata: true, Pixels: raster.NewPixels(rasterbase.Uint8, side*side)}
	for i := range side * side {
		b.Pixels.Set(i, value)
	}
	return store.Tile{TileKey: k, Raster: &raster.Raster{Grid: g, SRID: 3857, Bands: []raster.Band{b}}}
}
