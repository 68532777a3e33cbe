package postgis_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/raster"
)

// load runs raster2pgsql and what it prints.
func load(t testing.TB, pool *pgxpool.Pool, args ...string) {
	t.Helper()
	program, err := exec.LookPath("raster2pgsql")
	if err != nil {
		if strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "postgis") {
			t.Fatal(err)
		}
		t.Skip("raster2pgsql is not installed")
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("raster2pgsql %v: %v\n%s", args, err, said.String())
	}
	psql := exec.CommandContext(t.Context(), "psql", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull, pool.Config().ConnString())
	psql.Stdin, psql.Stderr = &out, &said
	if err := psql.Run(); err != nil {
		t.Fatalf("what raster2pgsql %v prints: %v\n%s", args, err, said.String())
	}
}

// scene makes a raster whose pixels tell their place, with some nodata.
func scene(kind rasterbase.PixelType, bands, width, height int, nodata *float64) *raster.Raster {
	types := slices.Repeat([]rasterbase.PixelType{kind}, bands)
	r := raster.New(rasterbase.Grid{Width: width, Height: height, OriginX: 440720.25, OriginY: 3751320.5, ScaleX: 30.1, ScaleY: -30.1}, 26711, types...)
	for k := range r.Bands {
		b := &r.Bands[k]
		for i := range width * height {
			v := float64((i*7 + i/width*3 + k*11) % 120)
			b.Pixels.Set(i, v)
		}
		if nodata != nil {
			b.HasNodata, b.Nodata = true, *nodata
			for i := k; i < width*height; i += 13 {
				b.Pixels.Set(i, *nodata)
			}
		}
	}
	return r
}

func geotiff(t testing.TB, name string, r *raster.Raster) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := gdal.Write(t.Context(), path, r, gdal.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func openTable(t testing.TB, pool *pgxpool.Pool, ref postgis.TableRef) *postgis.Table {
	t.Helper()
	table, err := postgis.OpenTable(t.Context(), pool, ref)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

// checkPixels compares what windows of a table hold with a raster.
func checkPixels(t *testing.T, table *postgis.Table, want *raster.Raster) {
	t.Helper()
	g := table.Grid
	if g != want.Grid {
		t.Fatalf("the grid is %+v, want %+v", g, want.Grid)
	}
	for _, size := range []int{max(g.Width, g.Height), 37} {
		for y := 0; y < g.Height; y += size {
			for x := 0; x < g.Width; x += size {
				w := raster.Rect{X: x, Y: y, Width: min(size, g.Width-x), Height: min(size, g.Height-y)}
				got, err := table.Read(t.Context(), w)
				if err != nil {
					t.Fatal(err)
				}
				comparePixels(t, got, want.Crop(w.X, w.Y, w.Width, w.Height))
			}
		}
	}
}

func comparePixels(t *testing.T, got, want *raster.Raster) {
	t.Helper()
	for k := range want.Bands {
		if got.Bands[k].Type != want.Bands[k].Type {
			t.Fatalf("band %d is %v, want %v", k, got.Bands[k].Type, want.Bands[k].Type)
		}
		for i := range want.Width * want.Height {
			v, w := got.Bands[k].Pixels.At(i), want.Bands[k].Pixels.At(i)
			valid := got.Valid(k, i) && !math.IsNaN(v)
			if should := want.Valid(k, i) && !math.IsNaN(w); valid != should || valid && v != w {
				t.Fatalf("band %d, pixel %d: %v (valid %v), want %v (valid %v)", k, i, v, valid, w, should)
			}
		}
	}
}

func TestTableOfRaster2pgsql(t *testing.T) {
	pool := newPool(t, pgtest.Database(t))
	minus := -9.0
	zero := 0.0
	cases := []struct {
		name   string
		args   []string
		raster *raster.Raster
		tile   int
	}{
		{"tiles", []string{"-t", "32x32", "-I", "-C"}, scene(rasterbase.Int16, 1, 100, 70, &minus), 32},
		{"copied", []string{"-Y", "-t", "50x50", "-I"}, scene(rasterbase.Float32, 1, 100, 70, &minus), 50},
		{"padded", []string{"-t", "32x32", "-P"}, scene(rasterbase.Int16, 1, 96, 64, &minus), 32},
		{"oblong", []string{"-t", "40x10"}, scene(rasterbase.Uint16, 1, 100, 70, &zero), 0},
		{"whole", nil, scene(rasterbase.Int32, 1, 100, 70, nil), 100},
		{"bands", []string{"-t", "16x16", "-I", "-C"}, scene(rasterbase.Uint8, 3, 61, 61, &zero), 16},
		{"many", []string{"-t", "32x32"}, scene(rasterbase.Float64, 6, 64, 64, &minus), 32},
		{"nothing", []string{"-N", "119", "-t", "16x16"}, scene(rasterbase.Uint8, 1, 50, 50, nil), 16},
		{"kept", []string{"-k", "-f", "pixels", "-F", "-t", "16x16"}, scene(rasterbase.Int16, 1, 33, 17, &minus), 16},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := geotiff(t, "scene.tif", c.raster)
			load(t, pool, append(slices.Clone(c.args), path, "public."+c.name)...)
			if slices.Contains(c.args, "-N") {
				c.raster.Bands[0].HasNodata, c.raster.Bands[0].Nodata = true, 119
			}
			table := openTable(t, pool, postgis.TableRef{Table: c.name})
			checkPixels(t, table, c.raster)
			if table.TileSize != c.tile {
				t.Errorf("tiles of %d pixels, want %d", table.TileSize, c.tile)
			}
			if table.CRS.SRID != 26711 || !strings.HasPrefix(table.CRS.WKT, "PROJCS") {
				t.Errorf("the CRS is %+v", table.CRS)
			}
		})
	}
}

// Several files that lie beside one another, with a hole and an overlap.
func TestTableOfSeveralFiles(t *testing.T) {
	pool := newPool(t, pgtest.Database(t))
	minus := -9.0
	whole := scene(rasterbase.Int16, 1, 90, 60, &minus)
	a := geotiff(t, "a.tif", whole.Crop(0, 0, 50, 30))
	b := geotiff(t, "b.tif", whole.Crop(40, 0, 50, 40)) // ten columns of both
	c := geotiff(t, "c.tif", whole.Crop(0, 40, 33, 20))
	load(t, pool, "-t", "20x20", "-I", "-C", "-x", a, b, c, "public.parts")
	want := whole.Crop(0, 0, 90, 60)
	for y := range 60 {
		for x := range 90 {
			inside := x < 50 && y < 30 || x >= 40 && y < 40 || x < 33 && y >= 40
			if !inside {
				want.Bands[0].Pixels.Set(y*90+x, minus)
			}
		}
	}
	checkPixels(t, openTable(t, pool, postgis.TableRef{Schema: "public", Table: "parts", Column: "rast"}), want)

	// Where two overlap, the later row wins with its valid pixels.
	if _, err := pool.Exec(t.Context(), `UPDATE parts SET rast = ST_MapAlgebra(rast, NULL, '200') WHERE rid = (SELECT max(rid) FROM parts);
		INSERT INTO parts (rast) SELECT ST_SetValue(ST_MapAlgebra(rast, NULL, '300'), 2, 2, -9) FROM parts WHERE rid = 1`); err != nil {
		t.Fatal(err)
	}
	table := openTable(t, pool, postgis.TableRef{Table: "parts"})
	r, err := table.Read(t.Context(), raster.Rect{Width: 3, Height: 3})
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Bands[0].Pixels; p.At(1) != 300 || p.At(4) != whole.Bands[0].Pixels.At(91) {
		t.Errorf("the overlap is %v", r.Bands[0].Pixels)
	}
}

// A hole in whole numbers without nodata is told by Validity, and several nodata
// values become one.
func TestTableNodata(t *testing.T) {
	pool := newPool(t, pgtest.Database(t))
	whole := scene(rasterbase.Uint8, 1, 40, 40, nil)
	a, b := geotiff(t, "a.tif", whole.Crop(0, 0, 20, 20)), geotiff(t, "b.tif", whole.Crop(20, 20, 20, 20))
	load(t, pool, a, b, "public.corners")
	want := whole.Crop(0, 0, 40, 40)
	want.Validity = make([]uint8, 1600)
	for i := range want.Validity {
		if x, y := i%40, i/40; x < 20 == (y < 20) {
			want.Validity[i] = 255
		}
	}
	checkPixels(t, openTable(t, pool, postgis.TableRef{Table: "corners"}), want)

	if _, err := pool.Exec(t.Context(), `UPDATE corners SET rast = ST_SetBandNoDataValue(rast, 7) WHERE rid = 1`); err != nil {
		t.Fatal(err)
	}
	for i := range want.Validity {
		if x, y := i%40, i/40; x < 20 && y < 20 && want.Bands[0].Pixels.At(i) == 7 {
			want.Validity[i] = 0
		}
	}
	checkPixels(t, openTable(t, pool, postgis.TableRef{Table: "corners"}), want)
}

func TestTableRefused(t *testing.T) {
	pool := newPool(t, pgtest.Database(t))
	exec := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	tile := func(x, y, scale float64, srid int) string {
		return fmt.Sprintf("ST_AddBand(ST_MakeEmptyRaster(4, 4, %v, %v, %v, -%v, 0, 0, %d), '8BUI'::text, 1, 0)", x, y, scale, scale, srid)
	}
	first := tile(0, 0, 10, 32632)
	pairs := map[string]string{
		"srids":   tile(40, 0, 10, 32633),
		"scales":  tile(40, 0, 20, 32632),
		"skews":   "ST_SetSkew(" + tile(40, 0, 10, 32632) + ", 1, 1)",
		"shifted": tile(43, 0, 10, 32632),
		"types":   "ST_AddBand(ST_MakeEmptyRaster(4, 4, 40, 0, 10, -10, 0, 0, 32632), '32BF'::text, 1, 0)",
		"counts":  "ST_AddBand(" + tile(40, 0, 10, 32632) + ", '8BUI'::text, 1, 0)",
		"nobands": "ST_MakeEmptyRaster(4, 4, 40, 0, 10, -10, 0, 0, 32632)",
	}
	for name, second := range pairs {
		exec("CREATE TABLE " + name + " (rid serial PRIMARY KEY, rast raster); INSERT INTO " + name + " (rast) VALUES (" + first + "), (" + second + ")")
	}
	exec("CREATE TABLE empty (rast raster)")
	exec("CREATE TABLE plain (a int)")
	exec("CREATE TABLE two (a raster, b raster)")
	exec("CREATE VIEW seen AS SELECT * FROM srids")
	cases := []struct {
		ref  postgis.TableRef
		code rasterbase.Code
		says string
	}{
		{postgis.TableRef{Table: "srids"}, rasterbase.Invalid, "srid 32632 and 32633"},
		{postgis.TableRef{Table: "scales"}, rasterbase.Invalid, "10 x -10 and 20 x -20"},
		{postgis.TableRef{Table: "skews"}, rasterbase.Invalid, "skew"},
		{postgis.TableRef{Table: "shifted"}, rasterbase.Invalid, "do not lie on one grid"},
		{postgis.TableRef{Table: "types"}, rasterbase.Invalid, "8BUI and 32BF"},
		{postgis.TableRef{Table: "counts"}, rasterbase.Invalid, "1 and 2 bands"},
		{postgis.TableRef{Table: "nobands"}, rasterbase.Invalid, "no bands"},
		{postgis.TableRef{Table: "counts", Bands: []int{2}}, rasterbase.NotFound, "no band 2"},
		{postgis.TableRef{Table: "empty"}, rasterbase.NotFound, "has no rasters"},
		{postgis.TableRef{Table: "nosuch"}, rasterbase.NotFound, "there is no table nosuch"},
		{postgis.TableRef{Table: "plain"}, rasterbase.Invalid, "no column of type raster"},
		{postgis.TableRef{Table: "two"}, rasterbase.Invalid, "several columns"},
		{postgis.TableRef{Table: "two", Column: "c"}, rasterbase.NotFound, "no column c"},
		{postgis.TableRef{Table: "seen"}, rasterbase.Unsupported, "view"},
	}
	for _, c := range cases {
		t.Run(c.ref.Table, func(t *testing.T) {
			table, err := postgis.OpenTable(t.Context(), pool, c.ref)
			if err == nil {
				table.Close()
				t.Fatal("it was opened")
			}
			if rasterbase.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v (%v), want %v and %q", err, rasterbase.CodeOf(err), c.code, c.says)
			}
		})
	}
}

// Pixels in files are read when PostGIS may.
func TestTableOutsideDatabase(t *testing.T) {
	url := pgtest.Database(t)
	minus := -9.0
	r := scene(rasterbase.Int16, 1, 40, 40, &minus)
	// The server may run as another user.
	dir, err := os.MkdirTemp("", "rasters")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "scene.tif")
	if err := errors.Join(os.Chmod(dir, 0o755), gdal.Write(t.Context(), path, r, gdal.WriteOptions{})); err != nil {
		t.Fatal(err)
	}
	plain := newPool(t, url)
	load(t, plain, "-R", "-t", "16x16", path, "public.files")
	_, err = postgis.OpenTable(t.Context(), plain, postgis.TableRef{Table: "files"})
	if rasterbase.CodeOf(err) != rasterbase.Unsupported || !strings.Contains(err.Error(), path) {
		t.Errorf("while PostGIS may not read files: %v", err)
	}
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	c.ConnConfig.RuntimeParams["postgis.enable_outdb_rasters"] = "on"
	c.ConnConfig.RuntimeParams["postgis.gdal_enabled_drivers"] = "ENABLE_ALL"
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	table, err := postgis.OpenTable(t.Context(), pool, postgis.TableRef{Table: "files"})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	checkPixels(t, table, r)
}

// A table becomes a file in parts, and the file is what the table was made of.
func TestTableToFile(t *testing.T) {
	pool := newPool(t, pgtest.Database(t))
	whole := scene(rasterbase.Uint8, 1, 300, 200, nil)
	a, b := geotiff(t, "a.tif", whole.Crop(0, 0, 120, 200)), geotiff(t, "b.tif", whole.Crop(200, 0, 100, 200))
	load(t, pool, "-t", "64x64", a, b, "public.strips")
	table := openTable(t, pool, postgis.TableRef{Table: "strips"})
	path := filepath.Join(t.TempDir(), "strips.tif")
	layout := &raster.Raster{Grid: table.Grid, SRID: table.CRS.SRID, Bands: table.Bands}
	w, err := gdal.Create(t.Context(), path, layout, gdal.WriteOptions{Compression: "DEFLATE", Options: []string{"TILED=YES"}})
	if err != nil {
		t.Fatal(err)
	}
	for y := 0; y < 200; y += 128 {
		for x := 0; x < 300; x += 128 {
			part, err := table.Read(t.Context(), raster.Rect{X: x, Y: y, Width: min(128, 300-x), Height: min(128, 200-y)})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(t.Context(), x, y, part); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := gdal.Opener{}.Open(t.Context(), path, ingest.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	block, err := d.Read(t.Context(), ingest.Window{Width: 300, Height: 200}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 * 200 {
		x := i % 300
		valid := block.Masks[0] == nil || block.Masks[0][i] != 0
		if should := x < 120 || x >= 200; valid != should || valid && block.Bands[0].At(i) != whole.Bands[0].Pixels.At(i) {
			t.Fatalf("pixel %d is %v (valid %v)", i, block.Bands[0].At(i), valid)
		}
	}
}
