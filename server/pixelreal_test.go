package server_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/server"
)

// testData is the folder with real rasters.
func testData(t *testing.T) string {
	t.Helper()
	data := os.Getenv("RASTERBASE_TESTDATA")
	if data == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder with real rasters")
	}
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	return data
}

// The pixel that django-raster's own tests ask for has the value that GDAL reads in
// the source: theirs is that of a neighbour, half a pixel off.
func TestPixelOfDjangoRaster(t *testing.T) {
	data := filepath.Join(testData(t), "expected", "django_raster")
	st := newStore(t)
	_, err := ingest.Import(t.Context(), st, gdal.Opener{}, ingest.Request{
		Source: filepath.Join(data, "raster.tif.zip"), Name: "Raster", Settings: rasterbase.Settings{Datatype: rasterbase.Categorical},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, server.Config{Store: st, Transformer: gdal.Transformer{}})
	for query, want := range map[string]string{
		"layers=x=1&formula=x":                            "4",
		"layers=x=raster":                                 "4",
		"layers=x=raster.tif":                             "4",
		"layers=a=1,b=1&formula=((a*5)%2B(b*3))*4":        "128",
		"layers=x=raster.tif.zip&formula=x==4":            "1",
		"layers=a=1,b=1&formula=where(a%3E3,b,0)&zoom=11": "4",
	} {
		doc := decode[pixelDoc](t, get(t, s, "/pixel/-9218229/3229269?"+query))
		if doc.value() != want || doc.X != -9218229 || doc.Y != 3229269 {
			t.Errorf("%s: %+v", query, doc)
		}
	}
	for query, status := range map[string]int{
		"layers=a=1&formula=a*b": 400, "layers=a=1&formula=3*a+bc+abc/": 400, "formula=a": 400, "layers=a=1,b=1": 400, "layers=a=99&formula=a": 404,
	} {
		wantProblem(t, get(t, s, "/pixel/-9218229/3229269?"+query), status)
	}
}

// witness reads pixels of files with GDAL's own Python, nearest in the file's grid,
// at places in longitude and latitude: null for no data, and beside the raster.
const witness = `
import json, sys
from osgeo import gdal, osr
gdal.UseExceptions(); osr.UseExceptions()
asked = json.load(sys.stdin)
out = []
for name in asked["files"]:
    ds = gdal.Open(name)
    to = ds.GetSpatialRef()
    at = osr.SpatialReference(); at.ImportFromEPSG(4326)
    for r in (to, at): r.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    move = osr.CoordinateTransformation(at, to)
    inverse = gdal.InvGeoTransform(ds.GetGeoTransform())
    band = ds.GetRasterBand(1); values = []; a = band.ReadAsArray(); mask = band.GetMaskBand().ReadAsArray()
    for lon, lat in asked["places"]:
        x, y, _ = move.TransformPoint(lon, lat)
        c, r = gdal.ApplyGeoTransform(inverse, x, y)
        c, r = int(c // 1), int(r // 1)
        inside = 0 <= c < ds.RasterXSize and 0 <= r < ds.RasterYSize and mask[r, c]
        values.append(float(a[r, c]) if inside else None)
    out.append(values)
json.dump(out, sys.stdout)
`

// Without a zoom a formula has the value of the evaluation on what GDAL reads in the
// source files.
func TestPointsAgreeWithGDAL(t *testing.T) {
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	python := pythonWithGDAL(t)
	files := []string{filepath.Join("..", "demo", "storm_lake_elevation.tif"), filepath.Join("..", "demo", "storm_lake_vegetation.tif")}
	st := newStore(t)
	for _, name := range files {
		if _, err := ingest.Import(t.Context(), st, gdal.Opener{}, ingest.Request{Source: name}); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	places := make([][2]float64, 3000)
	var body strings.Builder
	body.WriteString("lon,lat\n")
	for i := range places {
		places[i] = [2]float64{-113.29 + 0.07*random.Float64(), 46.04 + 0.04*random.Float64()}
		fmt.Fprintf(&body, "%v,%v\n", places[i][0], places[i][1])
	}
	asked, err := json.Marshal(map[string]any{"files": files, "places": places})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", witness)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(asked), os.Stderr
	told, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var read [][]*float64
	if err := json.Unmarshal(told, &read); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, server.Config{Store: st, Transformer: gdal.Transformer{}})
	for query, of := range map[string]func(a, b float64) float64{
		"layers=a=1,b=2&formula=(b-a)/(b%2Ba)":     func(a, b float64) float64 { return (b - a) / (b + a) },
		"layers=a=1,b=2&formula=a*1000%2Bb&grid=a": func(a, b float64) float64 { return a*1000 + b },
		"layers=a=1,b=2&formula=where(a>b,a,b)":    math.Max,
	} {
		w := postTo(t, s, "/pixel?f=csv&"+query, body.String())
		wantStatus(t, w, 200)
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(rows) != len(places)+1 {
			t.Fatalf("%d rows: %v", len(rows), err)
		}
		valid, wrong := 0, 0
		for i, row := range rows[1:] {
			a, b := read[0][i], read[1][i]
			if a == nil || b == nil {
				if row[2] != "" {
					wrong++
				}
				continue
			}
			valid++
			if got, err := strconv.ParseFloat(row[2], 64); err != nil || math.Abs(got-of(*a, *b)) > 1e-6*math.Abs(of(*a, *b)) {
				wrong++
				if wrong < 4 {
					t.Logf("%s at %v: %s, want %v", query, places[i], row[2], of(*a, *b))
				}
			}
		}
		if wrong > 0 || valid < 100 {
			t.Errorf("%s: %d of %d values are others than GDAL's, of %d valid", query, wrong, len(places), valid)
		}
	}
}
