package render_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// gdalRaster is what GDAL's Python binding reads of a file.
type gdalRaster struct {
	Width, Height int
	Transform     []float64
	WKT           string
	Code          string
	Area          string
	Structure     map[string]string
	Bands         []gdalBand
}

type gdalBand struct {
	Type          string
	Structure     map[string]string
	Nodata        *string
	Flags         int
	Pixels, Mask  []byte
	Description   string
	Unit          string
	Scale, Offset *float64
	Color         string
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
		if exec.Command(p, "-c", "from osgeo import gdal").Run() == nil {
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

// readByGDAL gives what GDAL reads of files, all in one process.
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

// sameCRS asks GDAL whether two CRSs place coordinates alike; names may differ.
func sameCRS(t testing.TB, a, b string) bool {
	t.Helper()
	const script = `import sys
from osgeo import osr
osr.UseExceptions()
a, b = (osr.SpatialReference(wkt=w) for w in sys.argv[1:])
print(a.IsSame(b, ["CRITERION=EQUIVALENT", "IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES"]))`
	out, err := exec.Command(python(t), "-c", script, a, b).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out)) == "1"
}
