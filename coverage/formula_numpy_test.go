//go:build cgo && !nogdal

package coverage_test

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

// numpy runs a script that knows GDAL's Python binding and numpy, with file names as
// its arguments, and gives the array of float64 that it writes to its last one.
func numpy(t *testing.T, script string, files ...string) []float64 {
	t.Helper()
	program := ""
	for _, p := range []string{"/usr/bin/python3", "python3"} { // the system's has the system's GDAL
		if exec.Command(p, "-c", "from osgeo import gdal_array").Run() == nil {
			program = p
			break
		}
	}
	if program == "" {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatal("GDAL's Python binding with numpy is missing, and RASTERBASE_TEST_REQUIRE asks for gdal")
		}
		t.Skip("GDAL's Python binding with numpy is not installed")
	}
	const before = `import sys
import numpy as np
from osgeo import gdal
gdal.UseExceptions()
np.seterr(all="ignore")
def band(path, n):
    d = gdal.Open(path)
    b = d.GetRasterBand(n)
    a = b.ReadAsArray()
    return a, np.isfinite(a) & (a != b.GetNoDataValue())
def near(path, like): # by the nearest pixel, on the grid of another
    g = gdal.Open(like)
    w, h, t = g.RasterXSize, g.RasterYSize, g.GetGeoTransform()
    box = (t[0], t[3] + h * t[5], t[0] + w * t[1], t[3])
    d = gdal.Warp("", path, format="MEM", outputBounds=box, width=w, height=h, resampleAlg="near", errorThreshold=0)
    b = d.GetRasterBand(1)
    a = b.ReadAsArray()
    return a, a != b.GetNoDataValue()
`
	const after = `
np.where(valid & np.isfinite(out), out, np.nan).astype("<f8").tofile(sys.argv[-1])
`
	target := filepath.Join(t.TempDir(), "out.f8")
	args := append([]string{"-c", before + script + after}, files...)
	if out, err := exec.Command(program, append(args, target)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float64, len(b)/8)
	for i := range values {
		values[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return values
}

// Formulas over the base grids of real rasters are what numpy computes of the files,
// bit for bit, and what gdalwarp samples nearest where grids do not nest.
func TestFormulasAreWhatNumpyMakes(t *testing.T) {
	data := os.Getenv("RASTERBASE_TESTDATA")
	if data == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder with real rasters")
	}
	st := open(t)
	files := map[string]string{}
	layers := map[string]coverage.Coverage{}
	for name, path := range map[string]string{
		"s": "multispectral/luxembourg_sentinel2_4band_f32.tif",
		"r": "multispectral/storm_lake_landsat_sr_b4.tif", "n": "multispectral/storm_lake_landsat_sr_b5.tif",
		"e": "dem/storm_lake_elev.tif",
	} {
		files[name] = filepath.Join(data, path)
		layers[name] = imported(t, st, files[name])
	}
	for _, tt := range []struct {
		name, text, grid string
		inputs           []coverage.Input
		script           string
		files            []string
	}{
		{
			"NDVI of float32", "(n-r)/(n+r)", "", []coverage.Input{input("n", layers["s"], 3), input("r", layers["s"], 2)},
			"(n, a), (r, b) = band(sys.argv[1], 4), band(sys.argv[1], 3)\nout, valid = (n - r) / (n + r), a & b",
			[]string{files["s"]},
		},
		{
			"NDVI of uint16", "(n-r)/(n+r)", "", []coverage.Input{input("n", layers["n"], 0), input("r", layers["r"], 0)},
			"(n, a), (r, b) = band(sys.argv[1], 1), band(sys.argv[2], 1)\nn, r = n.astype(float), r.astype(float)\nout, valid = (n - r) / (n + r), a & b",
			[]string{files["n"], files["r"]},
		},
		{
			"a mask", "(n > 2000) & (r < 900) | (n - r == 1500)", "", []coverage.Input{input("n", layers["n"], 0), input("r", layers["r"], 0)},
			"(n, a), (r, b) = band(sys.argv[1], 1), band(sys.argv[2], 1)\nn, r = n.astype(float), r.astype(float)\nout, valid = (n > 2000) & (r < 900) | (n - r == 1500), a & b",
			[]string{files["n"], files["r"]},
		},
		{
			"heights on the grid of a scene", "sqrt(e) * 3 - n / 2", "n", []coverage.Input{input("e", layers["e"], 0), input("n", layers["n"], 0)},
			"(n, a), (e, b) = band(sys.argv[1], 1), near(sys.argv[2], sys.argv[1])\nout, valid = np.sqrt(e.astype(float)) * 3 - n.astype(float) / 2, a & b",
			[]string{files["n"], files["e"]},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := formula(t, tt.text, coverage.FormulaOptions{Grid: tt.grid}, tt.inputs...)
			d := f.Describe()
			if d.BaseError != nil {
				t.Fatal(d.BaseError)
			}
			got, err := f.Window(t.Context(), coverage.WindowRequest{Width: d.Grid.Width, Height: d.Grid.Height})
			if err != nil {
				t.Fatal(err)
			}
			want := numpy(t, tt.script, tt.files...)
			if len(want) != got.Width*got.Height {
				t.Fatalf("%d x %d pixels, and %d", got.Width, got.Height, len(want))
			}
			valid := 0
			for i, w := range want {
				v := got.Bands[0].Pixels.At(i)
				if got.Valid(0, i) != !math.IsNaN(w) || !math.IsNaN(w) && v != w {
					t.Fatalf("pixel %d,%d is %v, numpy makes %v", i%got.Width, i/got.Width, v, w)
				}
				if !math.IsNaN(w) {
					valid++
				}
			}
			if valid < 1000 {
				t.Errorf("only %d pixels are valid", valid)
			}
		})
	}
	if err := formula(t, "e - n", coverage.FormulaOptions{}, input("e", layers["e"], 0), input("n", layers["n"], 0)).Describe().BaseError; blamed(err) != "grid" {
		t.Errorf("grids that do not lie edge to edge: %v", err)
	}
}

func imported(t *testing.T, st store.Store, path string) *coverage.Layer {
	t.Helper()
	l, err := ingest.Import(t.Context(), st, gdal.Opener{}, ingest.Request{Source: path, Settings: rasterbase.Settings{MaxZoom: new(6)}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := coverage.OpenLayer(t.Context(), st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
