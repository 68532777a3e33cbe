package export_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// gdalRaster is what GDAL's Python binding reads of a file.
type gdalRaster struct {
	Transform []float64
	Code, WKT string
	Structure map[string]string
	Bands     []gdalBand
	Problems  []string // of a cloud optimized GeoTIFF
	Big       bool
}

type gdalBand struct {
	gdalPixels
	Type              string
	Nodata            *string
	Flags             int
	Description, Unit string
	Scale, Offset     *float64
	Colors            [][]int
	Overviews         []gdalPixels
}

type gdalPixels struct {
	Width, Height int
	Pixels, Mask  []byte
}

func (p *gdalPixels) at(i int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(p.Pixels[8*i:]))
}

// required reports whether what a test needs must be there, so that a missing
// program is a failure and not a skip.
func required(what string) bool {
	return slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), what)
}

// python is an interpreter that has GDAL's binding.
func python(t testing.TB) string {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3", "python3"} { // the system's has the system's GDAL
		if exec.Command(p, "-c", "import numpy; from osgeo import gdal; import osgeo_utils.samples").Run() == nil {
			return p
		}
	}
	const missing = "GDAL's Python binding is not installed: python3-gdal has it"
	if required("gdal") {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// readByGDAL gives what GDAL reads of files, all in one process. Each is a path with
// its format before it.
func readByGDAL(t testing.TB, paths []string) []gdalRaster {
	t.Helper()
	cmd := exec.Command(python(t), "testdata/read_tiff.py")
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\n") + "\n")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("GDAL reads: %v\n%s", err, stderr.String())
	}
	var all []gdalRaster
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	lines.Buffer(nil, 1<<30)
	for lines.Scan() {
		var g gdalRaster
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatalf("%v: %.200s", err, lines.Text())
		}
		all = append(all, g)
	}
	if len(all) != len(paths) {
		t.Fatalf("GDAL read %d of %d files\n%s", len(all), len(paths), stderr.String())
	}
	if s := strings.TrimSpace(stderr.String()); s != "" {
		t.Errorf("GDAL complains: %.2000s", s)
	}
	return all
}
