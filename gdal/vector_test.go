//go:build cgo && !nogdal

package gdal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/vector"
)

// ogr runs ogr2ogr.
func ogr(t *testing.T, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("ogr2ogr")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatal("RASTERBASE_TEST_REQUIRE asks for gdal, and there is no ogr2ogr")
		}
		t.Skip("there is no ogr2ogr")
	}
	if said, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Fatalf("ogr2ogr %s: %v\n%s", args, err, said)
	}
}

// zonesJSON has a square, a feature without a geometry, an empty one, and a line.
const zonesJSON = `{"type": "FeatureCollection", "features": [
 {"type": "Feature", "properties": {"größe": 1.5, "name": "Zürich", "n": 7, "day": "2020-02-29", "yes": true}, "geometry": {"type": "Polygon", "coordinates": [[[8, 47, 400], [9, 47, 400], [9, 48, 400], [8, 47, 400]]]}},
 {"type": "Feature", "properties": {"größe": null, "name": "nowhere", "n": null, "day": null, "yes": false}, "geometry": null},
 {"type": "Feature", "properties": {"größe": -2, "name": "日本", "n": -9007199254740993, "day": "1999-12-31", "yes": null}, "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}}
]}`

func writeText(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// everything reads all features of a file.
func everything(t *testing.T, o vector.Opener, path string, opt vector.Options) (vector.Info, []vector.Feature, error) {
	t.Helper()
	s, err := o.OpenVector(t.Context(), path, opt)
	if err != nil {
		return vector.Info{}, nil, err
	}
	defer s.Close()
	var all []vector.Feature
	for {
		some, err := s.Next(t.Context(), 2)
		if err != nil || len(some) == 0 {
			return s.Info(), all, err
		}
		all = append(all, some...)
	}
}

func TestFeaturesOfEachFormat(t *testing.T) {
	dir := t.TempDir()
	source := writeText(t, dir, "zones.geojson", zonesJSON)
	for _, c := range []struct{ file, driver, field string }{
		{"zones.geojson", "GeoJSON", "größe"}, {"zones.gpkg", "GPKG", "größe"}, {"zones.fgb", "FlatGeobuf", "größe"}, {"zones.shp", "ESRI Shapefile", "größe"},
	} {
		path := filepath.Join(dir, c.file)
		extra := []string{}
		if c.driver == "ESRI Shapefile" { // one kind of geometry, and no booleans
			extra = []string{"-where", "name <> '日本'", "-lco", "ENCODING=UTF-8"}
		}
		if path != source {
			ogr(t, append(append([]string{"-f", c.driver, "-nlt", "GEOMETRY"}, extra...), path, source)...)
		}
		info, all, err := everything(t, gdal.Opener{}, path, vector.Options{Fields: []string{"name", c.field, "N", "day", "yes"}})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if info.Driver != c.driver || info.CRS.SRID != 4326 || info.CRS.WKT == "" || info.Layer != "zones" || info.Count != int64(len(all)) {
			t.Errorf("%s: %+v", c.file, info)
		}
		byName := map[any]vector.Feature{}
		for _, f := range all {
			byName[f.Values[0]] = f
		}
		z := byName["Zürich"]
		yes := any(true)
		if c.driver == "ESRI Shapefile" {
			yes = int64(1)
		}
		day := "2020-02-29"
		if c.driver == "FlatGeobuf" { // it knows times alone
			day += "T00:00:00"
		}
		if want := []any{"Zürich", 1.5, int64(7), day, yes}; !reflect.DeepEqual(z.Values, want) {
			t.Errorf("%s: the values are %#v, want %#v", c.file, z.Values, want)
		}
		if got := rings(z.WKB); got != "3 [[8 47] [9 47] [9 48] [8 47]]" && got != "3 [[8 47] [9 48] [9 47] [8 47]]" {
			t.Errorf("%s: the geometry is %s", c.file, got)
		}
		// With its index FlatGeobuf has no place for what has none.
		if f, ok := byName["nowhere"]; ok == (c.driver == "FlatGeobuf") || ok && (f.WKB != nil || f.Values[1] != nil || f.Values[2] != nil) {
			t.Errorf("%s: without a geometry: %v %+v", c.file, ok, f)
		}
		if c.driver == "ESRI Shapefile" {
			continue
		}
		if f := byName["日本"]; len(f.WKB) != 9+4*8 || f.Values[2] != int64(-9007199254740993) || f.Values[4] != nil {
			t.Errorf("%s: the line: %+v", c.file, f)
		}
	}
}

// rings is the type and the first ring of a polygon.
func rings(wkb []byte) string {
	if len(wkb) < 13 || wkb[0] != 1 {
		return "nothing"
	}
	var ring [][2]float64
	for at := 13; at+16 <= len(wkb); at += 16 {
		ring = append(ring, [2]float64{math.Float64frombits(binary.LittleEndian.Uint64(wkb[at:])), math.Float64frombits(binary.LittleEndian.Uint64(wkb[at+8:]))})
	}
	return fmt.Sprint(binary.LittleEndian.Uint32(wkb[1:]), " ", ring)
}

// Curves become lines, surfaces polygons, and measures and heights are left out.
func TestFeaturesOfOtherGeometries(t *testing.T) {
	dir := t.TempDir()
	csv := "WKT,id\n" +
		"\"CURVEPOLYGON(CIRCULARSTRING(0 0, 1 1, 2 0, 1 -1, 0 0))\",1\n" +
		"\"TIN Z(((0 0 1,1 0 1,0 1 1,0 0 1)))\",2\n" +
		"\"POINT ZM(1 2 3 4)\",3\n" +
		"\"POLYGON EMPTY\",4\n"
	path := filepath.Join(dir, "odd.gpkg")
	ogr(t, "-f", "GPKG", "-a_srs", "EPSG:32632", "-nlt", "GEOMETRY", "-oo", "KEEP_GEOM_COLUMNS=NO", path, writeText(t, dir, "odd.csv", csv))
	info, all, err := everything(t, gdal.Opener{}, path, vector.Options{Fields: []string{}})
	if err != nil || len(all) != 4 || info.CRS.SRID != 32632 || len(info.Fields) != 0 {
		t.Fatalf("%d features, %+v, %v", len(all), info, err)
	}
	kind := func(i int) uint32 { return binary.LittleEndian.Uint32(all[i].WKB[1:]) }
	if kind(0) != 3 || len(all[0].WKB) < 60*16 {
		t.Errorf("the circle became type %d of %d bytes", kind(0), len(all[0].WKB))
	}
	if kind(1) != 6 || kind(2) != 1 || len(all[2].WKB) != 21 || all[3].WKB != nil {
		t.Errorf("types %d and %d, a point of %d bytes, an empty polygon of %d", kind(1), kind(2), len(all[2].WKB), len(all[3].WKB))
	}
}

func TestFeaturesOfSeveralLayers(t *testing.T) {
	dir := t.TempDir()
	source := writeText(t, dir, "zones.geojson", zonesJSON)
	path := filepath.Join(dir, "two.gpkg")
	ogr(t, "-f", "GPKG", "-nln", "first", path, source)
	ogr(t, "-f", "GPKG", "-update", "-nln", "zweite Lage", path, source)
	_, _, err := everything(t, gdal.Opener{}, path, vector.Options{})
	several, ok := errors.AsType[*vector.SeveralLayers](err)
	if !ok || len(several.Layers) != 2 || !strings.Contains(err.Error(), "zweite Lage") || rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("without a name: %v", err)
	}
	if info, all, err := everything(t, gdal.Opener{}, path, vector.Options{Layer: "zweite Lage"}); err != nil || info.Layer != "zweite Lage" || len(all) != 3 || len(info.Fields) != 5 {
		t.Errorf("%+v, %d features, %v", info, len(all), err)
	}
	for _, o := range []vector.Options{{Layer: "third"}, {Layer: "first", Fields: []string{"größe", "x"}}} {
		_, _, err := everything(t, gdal.Opener{}, path, o)
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Code != rasterbase.Invalid || e.Field == "" || e.Hint == "" {
			t.Errorf("%+v: %#v", o, err)
		}
	}
}

func TestFeaturesWithoutCRS(t *testing.T) {
	dir := t.TempDir()
	ogr(t, "-f", "ESRI Shapefile", "-a_srs", "EPSG:4326", filepath.Join(dir, "z.shp"), writeText(t, dir, "zones.geojson", strings.Replace(zonesJSON, "LineString", "Nothing", 1)))
	if err := os.Remove(filepath.Join(dir, "z.prj")); err != nil {
		t.Fatal(err)
	}
	if info, _, err := everything(t, gdal.Opener{}, filepath.Join(dir, "z.shp"), vector.Options{}); err != nil || info.CRS != (rasterbase.CRS{}) {
		t.Errorf("without .prj: %+v, %v", info.CRS, err)
	}
	ogr(t, "-f", "GPKG", "-a_srs", "None", filepath.Join(dir, "none.gpkg"), filepath.Join(dir, "z.shp"))
	if info, _, err := everything(t, gdal.Opener{}, filepath.Join(dir, "none.gpkg"), vector.Options{}); err != nil || info.CRS != (rasterbase.CRS{}) {
		t.Errorf("a GeoPackage that says none: %+v, %v", info.CRS, err)
	}
	if err := os.Remove(filepath.Join(dir, "z.shx")); err != nil {
		t.Fatal(err)
	}
	_, _, err := everything(t, gdal.Opener{}, filepath.Join(dir, "z.shp"), vector.Options{})
	if err == nil || !strings.Contains(err.Error(), "z.shx") {
		t.Errorf("without .shx: %v", err)
	}
}

func TestWhatIsNoFileOfFeatures(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.vrt":     "<OGRVRTDataSource><OGRVRTLayer name=\"a\"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>",
		"a.csv":     "x,y\n1,2\n",
		"a.geojson": "{\"type\": \"FeatureCollection\", \"features\": [",
		"a.gpkg":    "not a database",
		"a.shp":     "",
		"a.kml":     "<kml><Document/></kml>",
	} {
		_, _, err := everything(t, gdal.Opener{}, writeText(t, dir, name, text), vector.Options{})
		if rasterbase.CodeOf(err) != rasterbase.Invalid || strings.Contains(fmt.Sprint(err), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for path, code := range map[string]rasterbase.Code{"/vsicurl/http://x/a.geojson": rasterbase.Invalid, dir: rasterbase.Invalid, filepath.Join(dir, "none.gpkg"): rasterbase.NotFound} {
		if _, err := (gdal.Opener{}).OpenVector(t.Context(), path, vector.Options{}); rasterbase.CodeOf(err) != code {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestLimitsOfFeatures(t *testing.T) {
	path := writeText(t, t.TempDir(), "zones.geojson", zonesJSON)
	for _, l := range []vector.Limits{{Fields: 3}, {GeometryBytes: 50}, {TextBytes: 5}} {
		if _, _, err := everything(t, gdal.Opener{}, path, vector.Options{Limits: l}); rasterbase.CodeOf(err) != rasterbase.TooLarge {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if _, all, err := everything(t, gdal.Opener{}, path, vector.Options{Limits: vector.Limits{BatchBytes: 1}}); err != nil || len(all) != 3 {
		t.Errorf("one feature an answer: %d, %v", len(all), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s, err := gdal.Opener{}.OpenVector(ctx, path, vector.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cancel()
	if _, err := s.Next(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if some, err := s.Next(t.Context(), 1); err != nil || len(some) != 0 {
		t.Errorf("after that: %v, %v", some, err)
	}
}

func TestGeoPackageOfFeatures(t *testing.T) {
	dir := t.TempDir()
	source := writeText(t, dir, "zones.geojson", zonesJSON)
	_, all, err := everything(t, gdal.Opener{}, source, vector.Options{Fields: []string{"name", "größe", "n", "yes"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, crs := range []rasterbase.CRS{{SRID: 2056}, {}, {SRID: rasterbase.FirstCustomSRID, WKT: `GEOGCS["mine",DATUM["mine",SPHEROID["mine",6371000,300]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]`}} {
		path := filepath.Join(dir, fmt.Sprintf("%d.gpkg", crs.SRID))
		w, err := gdal.CreateGeoPackage(t.Context(), path, gdal.VectorLayer{Name: "zones of ours", CRS: crs, Fields: []vector.Field{
			{Name: "fid", Type: vector.Text}, {Name: "FID", Type: vector.Real}, {Name: "geom", Type: vector.Integer}, {Name: "größe", Type: vector.Boolean},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		info, back, err := everything(t, gdal.Opener{}, path, vector.Options{Layer: "zones of ours"})
		if err != nil || len(back) != len(all) {
			t.Fatalf("%d features, %v", len(back), err)
		}
		if crs.SRID < rasterbase.FirstCustomSRID && info.CRS.SRID != crs.SRID || (info.CRS.WKT == "") != (crs.SRID == 0) {
			t.Errorf("written with %+v, read with %+v", crs, info.CRS)
		}
		var names []string
		for _, f := range info.Fields {
			names = append(names, f.Name+" "+string(f.Type))
		}
		if want := []string{"fid text", "FID_2 real", "geom integer", "größe boolean"}; !slices.Equal(names, want) {
			t.Errorf("the fields are %q, want %q", names, want)
		}
		for i, f := range back {
			if !reflect.DeepEqual(f.Values, all[i].Values) || !slices.Equal(f.WKB, all[i].WKB) {
				t.Errorf("feature %d came back as %+v, was %+v", i, f, all[i])
			}
		}
	}
	if _, err := gdal.CreateGeoPackage(t.Context(), filepath.Join(dir, "none", "a.gpkg"), gdal.VectorLayer{Name: "a"}); err == nil {
		t.Error("a folder that is not there was written to")
	}
}
