package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
)

// TestMain makes this test binary the program too: scripts and tests run it as
// "rasterbase", and it starts itself to open raster files.
func TestMain(m *testing.M) {
	gdalchild.Main()
	testscript.Main(m, map[string]func(){"rasterbase": func() { os.Exit(run()) }})
}

// TestScripts runs the real program in an empty folder with the demo rasters,
// one promise of the command line a script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("RASTER_DATA", "data")
			for _, r := range demo.Rasters() {
				if err := unpack(r, e.WorkDir); err != nil {
					return err
				}
			}
			return nil
		},
		Condition: func(c string) (bool, error) {
			if c == "gdal" {
				return hasGDAL(t), nil
			}
			return false, fmt.Errorf("there is no condition %q", c)
		},
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
