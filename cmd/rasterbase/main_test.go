package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
)

// TestMain makes this test binary the program too: scripts and tests run it as
// "rasterbase", and it starts itself to open raster files.
func TestMain(m *testing.M) {
	gdalchild.Main()
	testscript.Main(pgtest.M{M: m}, map[string]func(){"rasterbase": func() { os.Exit(run()) }})
}

// TestScripts runs the real program in an empty folder with the demo rasters,
// one promise of the command line a script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("RASTER_DATA", "data")
			// Scripts that begin with postgis_ have a database, and want it named.
			if strings.HasPrefix(filepath.Base(e.WorkDir), "script-postgis_") {
				e.Setenv("RASTER_DATABASE_URL", pgtest.Database(t))
			}
			// Those about addresses have a web server with the files.
			if strings.Contains(filepath.Base(e.WorkDir), "address") {
				e.Setenv("WEB", webServer(e))
			}
			for _, r := range demo.Rasters() {
				if err := unpack(r, e.WorkDir); err != nil {
					return err
				}
			}
			if !gdal.Available {
				return nil
			}
			return scaledFile(filepath.Join(e.WorkDir, "scaled.tif"))
		},
		Condition: func(c string) (bool, error) {
			if c == "gdal" {
				return hasGDAL(t), nil
			}
			return false, fmt.Errorf("there is no condition %q", c)
		},
	})
}

// scaledFile writes temperatures as a sensor stores them: tenths of a kelvin
// above 220.
func scaledFile(path string) error {
	r := raster.New(rasterbase.Grid{Width: 20, Height: 20, OriginX: 9, OriginY: 47, ScaleX: 0.01, ScaleY: -0.01}, 4326, rasterbase.Int16)
	for i := range 400 {
		r.Bands[0].Pixels.(raster.Slice[int16])[i] = int16(500 + i%100)
	}
	r.Bands[0].Pixels.(raster.Slice[int16])[5*20+5] = 534
	return gdal.Write(context.Background(), path, r, gdal.WriteOptions{
		Bands: []gdal.BandText{{Unit: "K", Scale: 0.1, Offset: 220}},
	})
}

// hasGDAL tells whether raster files can be opened. Where that is required, a
// build without GDAL fails the test.
func hasGDAL(t testing.TB) bool {
	t.Helper()
	has := gdal.Version() != ""
	if !has && slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
		t.Fatal("GDAL is required, but this build has none")
	}
	return has
}

func unpack(r demo.Raster, dir string) error {
	b, err := r.Contents()
	if err != nil {
		return err
	}
	l, err := r.Legend()
	if err != nil {
		return err
	}
	stem := strings.TrimSuffix(r.File, ".tif")
	if err := os.WriteFile(filepath.Join(dir, stem+"_legend.json"), l, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.File), b, 0o600)
}
