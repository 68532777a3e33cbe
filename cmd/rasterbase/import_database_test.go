package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/xyz"
)

// loadTable loads a file with raster2pgsql.
func loadTable(t *testing.T, url, path, table string, flags ...string) {
	t.Helper()
	program, err := exec.LookPath("raster2pgsql")
	if err != nil && strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "postgis") {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("raster2pgsql is not installed")
	}
	out, err := exec.CommandContext(t.Context(), program, append(flags, path, table)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	psql := exec.CommandContext(t.Context(), "psql", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull, url)
	psql.Stdin = bytes.NewReader(out)
	if said, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

// A table is imported as the file that it was loaded from is.
func TestATableIsImportedAsItsFile(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir, url := t.TempDir(), pgtest.Database(t)
	file := demo.Rasters()[1].File
	if err := unpack(demo.Rasters()[1], dir); err != nil {
		t.Fatal(err)
	}
	loadTable(t, url, filepath.Join(dir, file), "public.cover", "-t", "100x100", "-I", "-C")
	query := "?"
	if strings.Contains(url, "?") {
		query = "&"
	}
	address := url + query + "table=cover"
	if out, err := output(dir, "import", file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := output(dir, "import", address, "--dry-run")
	if err != nil || !strings.Contains(out, "GTiff") {
		t.Errorf("the dry run: %v, %s", err, out)
	}
	if out, err = output(dir, "import", address); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "rasterbase-data"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var pixels [2]*raster.Raster
	for i := range pixels {
		c, err := coverage.OpenLayer(t.Context(), st, rasterbase.LayerID(i+1))
		if err != nil {
			t.Fatal(err)
		}
		g := c.Describe().Grid
		if pixels[i], err = c.Window(t.Context(), coverage.WindowRequest{Level: coverage.BaseLevel, Width: g.Width, Height: g.Height}); err != nil {
			t.Fatal(err)
		}
		if i == 1 && (c.Layer().Name != "cover" || c.Layer().Source.Name != "cover.tif" || !strings.Contains(c.Layer().Source.Origin, "table=cover")) {
			t.Errorf("the layer is %+v", c.Layer())
		}
	}
	a, b := pixels[0], pixels[1]
	if a.Grid != b.Grid || a.SRID != b.SRID {
		t.Fatalf("the grids are %+v and %+v", a.Grid, b.Grid)
	}
	for i := range a.Width * a.Height {
		if a.Valid(0, i) != b.Valid(0, i) || a.Valid(0, i) && a.Bands[0].Pixels.At(i) != b.Bands[0].Pixels.At(i) {
			t.Fatalf("pixel %d is %v in the file and %v in the table", i, a.Bands[0].Pixels.At(i), b.Bands[0].Pixels.At(i))
		}
	}
}

func TestADatabaseOfDjangoRasterIsImported(t *testing.T) {
	dir, url := t.TempDir(), pgtest.Database(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	tile := raster.New(xyz.TileGrid(xyz.Tile{Z: 1, X: 1, Y: 0}, 256), 3857, rasterbase.Uint8)
	tile.Bands[0].HasNodata = true
	raster.Fill(tile.Bands[0].Pixels, 7)
	wkb, err := tile.HexWKB()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = pool.Exec(t.Context(), `CREATE TABLE raster_rasterlayer (id serial PRIMARY KEY, name text, datatype varchar(2));
		CREATE TABLE raster_rastertile (rid serial PRIMARY KEY, rast raster, rasterlayer_id integer, tilex integer, tiley integer, tilez integer);
		INSERT INTO raster_rasterlayer VALUES (41, 'Sevens', 'ca')`); err == nil {
		_, err = pool.Exec(t.Context(), `INSERT INTO raster_rastertile (rast, rasterlayer_id, tilez, tilex, tiley) VALUES ($1::text::raster, 41, 1, 1, 0)`, wkb)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"import", url, "--django-raster", "--dry-run"}, []string{"1 layer, 0 legends, 1 tile to be imported"}},
		{[]string{"import", url, "--django-raster"}, []string{"1 layer, 0 legends, 2 tiles imported", "1 without base tiles", "1 without a source file"}},
		{[]string{"layers"}, []string{"41", "sevens", "no base tiles", "no source"}},
		{[]string{"layers", "show", "41"}, []string{"none: it is counted at zoom 1", "cannot be parsed again"}},
		{[]string{"pixel", "41", "5000000", "5000000"}, []string{"7"}},
	} {
		out, err := output(dir, c.args...)
		if err != nil {
			t.Fatalf("%v: %v: %s", c.args, err, out)
		}
		for _, says := range c.says {
			if !strings.Contains(out, says) {
				t.Errorf("%v does not say %q:\n%s", c.args, says, out)
			}
		}
	}
	if out, err := output(dir, "layers", "reparse", "41"); err == nil {
		t.Errorf("a layer without a source was parsed: %s", out)
	}
}
