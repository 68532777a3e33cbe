package footprint_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"

	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

// rasterize burns each geometry into 40 x 30 pixels, by their centres and then all that
// are touched, and writes a digit for each pixel.
const rasterize = `
import sys, json
from osgeo import gdal, ogr
gdal.UseExceptions()
for wkt in json.load(sys.stdin):
    source = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = source.CreateLayer("")
    f = ogr.Feature(layer.GetLayerDefn())
    f.SetGeometry(ogr.CreateGeometryFromWkt(wkt))
    layer.CreateFeature(f)
    line = ""
    for options in ([], ["ALL_TOUCHED=TRUE"]):
        d = gdal.GetDriverByName("MEM").Create("", 40, 30, 1, gdal.GDT_Byte)
        d.SetGeoTransform((0, 1, 0, 0, 0, 1))
        gdal.RasterizeLayer(d, [1], layer, burn_values=[1], options=options)
        line += "".join("01"[v] for v in d.GetRasterBand(1).ReadRaster())
    print(line)
`

func gdalPython(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3", "python3"} { // the system's has the system's GDAL
		if exec.Command(p, "-c", "from osgeo import gdal").Run() == nil {
			return p
		}
	}
	const missing = "GDAL's Python binding is not installed: python3-gdal has it"
	if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
		t.Fatal(missing + ", and RASTERBASE_TEST_REQUIRE asks for gdal")
	}
	t.Skip(missing)
	return ""
}

// Vertices keep away from the borders of pixels: GDAL takes those within a hundredth of
// a pixel of a border for touching it, and edges that are so near to upright or level
// for being so.
func TestSpansAreGDALs(t *testing.T) {
	python := gdalPython(t)
	r := rand.New(rand.NewPCG(5, 6))
	place40 := func(n int) float64 { return float64(r.IntN(n)) + 0.02 + 0.96*r.Float64() }
	var shapes []orb.Geometry
	var texts []string
	for range 400 {
		var p orb.Polygon
		for range 1 + r.IntN(3) {
			var ring orb.Ring
			for range 3 + r.IntN(7) {
				ring = append(ring, orb.Point{place40(40), place40(30)})
			}
			p = append(p, append(ring, ring[0]))
		}
		shapes, texts = append(shapes, p), append(texts, wkt.MarshalString(p))
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", rasterize)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != len(shapes) {
		t.Fatalf("%d answers for %d polygons", len(lines), len(shapes))
	}
	for i, s := range shapes {
		o := place(t, pixelGrid(40, 30, 16), s)
		for k, rule := range []footprint.Rule{footprint.Centre, footprint.Touched} {
			burnt := lines[i][k*1200 : (k+1)*1200]
			want := func(x, y int) float64 { return float64(burnt[y*40+x] - '0') }
			if err := checkSpans(o, rule, raster.Rect{Width: 40, Height: 30}, want); err != nil {
				t.Errorf("%s by %s: %v", texts[i], rule, err)
			}
		}
	}
}
