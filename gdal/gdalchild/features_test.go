//go:build cgo && !nogdal

package gdalchild

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/vector"
)

// zones are squares in a row, with a name and a number each; every seventh has no
// geometry.
func zones(n int) []vector.Feature {
	out := make([]vector.Feature, n)
	for i := range out {
		out[i].Values = []any{fmt.Sprintf("zone %d ü", i), float64(i) / 4, int64(i)}
		if i%7 == 3 {
			continue
		}
		x, b := float64(i), []byte{1, 3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0}
		for _, v := range []float64{x, 0, x + 1, 0, x + 1, 1, x, 1, x, 0} {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		out[i].WKB = b
	}
	return out
}

// writeZones writes a GeoPackage of zones, and gives its path.
func writeZones(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zones.gpkg")
	w, err := gdal.CreateGeoPackage(t.Context(), path, gdal.VectorLayer{Name: "zones", CRS: rasterbase.CRS{SRID: 32632}, Fields: []vector.Field{
		{Name: "name", Type: vector.Text}, {Name: "größe", Type: vector.Real}, {Name: "n", Type: vector.Integer},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(t.Context(), zones(n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// converted is a file in another format.
func converted(t testing.TB, path, driver, to string) string {
	t.Helper()
	tool, err := exec.LookPath("ogr2ogr")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatal("RASTERBASE_TEST_REQUIRE asks for gdal, and there is no ogr2ogr")
		}
		t.Skip("there is no ogr2ogr")
	}
	out := filepath.Join(t.TempDir(), to)
	if said, err := exec.Command(tool, "-f", driver, out, path).CombinedOutput(); err != nil {
		t.Fatalf("ogr2ogr: %v\n%s", err, said)
	}
	return out
}

// readZones reads all features of a file, so many at a time.
func readZones(ctx context.Context, o vector.Opener, path string, opt vector.Options, n int) (vector.Info, []vector.Feature, error) {
	s, err := o.OpenVector(ctx, path, opt)
	if err != nil {
		return vector.Info{}, nil, err
	}
	defer s.Close()
	var all []vector.Feature
	for {
		some, err := s.Next(ctx, n)
		if err != nil || len(some) == 0 {
			return s.Info(), all, err
		}
		all = append(all, some...)
	}
}

// What a child says of a file of features is what package gdal says in this process.
func TestSameFeaturesAsInProcess(t *testing.T) {
	path := writeZones(t, 5000)
	for _, opt := range []vector.Options{{}, {Fields: []string{}}, {Fields: []string{"n", "name"}}, {Limits: vector.Limits{BatchBytes: 1000}, Fields: []string{"größe"}}} {
		want, all, err := readZones(t.Context(), gdal.Opener{}, path, opt, 1000)
		if err != nil || len(all) != 5000 {
			t.Fatal(len(all), err)
		}
		got, same, err := readZones(t.Context(), Opener{}, path, opt, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(same, all) {
			t.Errorf("%+v: the child says %+v and %d features, GDAL here says %+v and %d", opt, got, len(same), want, len(all))
		}
	}
}

// Errors mean the same on this side of the pipe, and tell no folder.
func TestErrorsOfFeaturesCross(t *testing.T) {
	path := writeZones(t, 10)
	text := filepath.Join(t.TempDir(), "text.gpkg")
	if err := os.WriteFile(text, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		opt  vector.Options
	}{
		{text, vector.Options{}},
		{filepath.Join(filepath.Dir(text), "none.gpkg"), vector.Options{}},
		{path, vector.Options{Layer: "other"}},
		{path, vector.Options{Fields: []string{"other"}}},
		{path, vector.Options{Limits: vector.Limits{GeometryBytes: 40}}},
		{path, vector.Options{Limits: vector.Limits{TextBytes: 4}}},
		{"/vsizip/a.zip", vector.Options{}},
	} {
		_, _, want := readZones(t.Context(), gdal.Opener{}, c.path, c.opt, 100)
		_, _, got := readZones(t.Context(), Opener{}, c.path, c.opt, 100)
		if want == nil || got == nil || got.Error() != want.Error() || rasterbase.CodeOf(got) != rasterbase.CodeOf(want) {
			t.Errorf("%s %+v: the child says %v, GDAL here says %v", c.path, c.opt, got, want)
		}
		if strings.Contains(fmt.Sprint(got), filepath.Dir(c.path)+"/") && !strings.HasPrefix(c.path, "/vsi") {
			t.Errorf("the message tells the folder: %v", got)
		}
	}
}

// A GeoPackage that another program has open keeps a log beside itself; nothing can be
// written there.
func TestGeoPackageWithALog(t *testing.T) {
	path := writeZones(t, 10)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[18], b[19] = 2, 2 // read and write versions: with a log
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, all, err := readZones(t.Context(), Opener{}, path, vector.Options{}, 100); err != nil || len(all) != 10 {
		t.Errorf("%d features, %v", len(all), err)
	}
}

// Damaged files of each format end in an error or in features, within limits, and the
// parent lives. A child in which GDAL crashes ends with an error.
func TestDamagedFeatures(t *testing.T) {
	gpkg := writeZones(t, 200)
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ driver, path string }{
		{"GPKG", gpkg},
		{"ESRI Shapefile", converted(t, gpkg, "ESRI Shapefile", "zones.shp")},
		{"FlatGeobuf", converted(t, gpkg, "FlatGeobuf", "zones.fgb")},
		{"GeoJSON", converted(t, gpkg, "GeoJSON", "zones.geojson")},
	} {
		driver := c.driver
		for round := range 8 {
			dir := t.TempDir()
			to := damagedCopy(t, random, c.path, dir, round)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			_, all, err := readZones(ctx, Opener{Timeout: 10 * time.Second}, to, vector.Options{}, 50)
			cancel()
			t.Logf("%s, round %d: %d features, %v", driver, round, len(all), err)
			checkMessage(t, driver, err)
			if ctx.Err() == context.DeadlineExceeded {
				t.Errorf("%s, round %d took too long", driver, round)
			}
			if err != nil && strings.Contains(err.Error(), dir) {
				t.Errorf("the message tells the folder: %v", err)
			}
		}
	}
}

// damagedCopy copies a file with its side-cars, and cuts it or changes some bytes.
func damagedCopy(t *testing.T, random *rand.Rand, path, dir string, round int) string {
	t.Helper()
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	all, err := filepath.Glob(stem + ".*")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range all {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if from == path || round%4 == 3 { // sometimes the side-cars too
			if round%3 == 0 {
				b = b[:random.IntN(len(b))]
			}
			for range min(len(b), 1+round) {
				b[random.IntN(len(b))] = byte(random.Uint32())
			}
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(from)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, filepath.Base(path))
}

// Files of features as people have them come whole.
func TestRealFeatures(t *testing.T) {
	dir := os.Getenv("RASTERBASE_TESTDATA")
	if dir == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder")
	}
	files, err := filepath.Glob(filepath.Join(dir, "vector", "*.[gs][hpe]*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		if filepath.Ext(path) == ".shx" {
			continue
		}
		s, err := (Opener{}).OpenVector(t.Context(), path, vector.Options{})
		if several, ok := errors.AsType[*vector.SeveralLayers](err); ok {
			s, err = (Opener{}).OpenVector(t.Context(), path, vector.Options{Layer: several.Layers[0].Name})
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		defer s.Close()
		n := 0
		for {
			some, err := s.Next(t.Context(), 1000)
			if err != nil {
				t.Fatalf("%s: %v", filepath.Base(path), err)
			}
			if len(some) == 0 {
				break
			}
			n += len(some)
		}
		info := s.Info()
		t.Logf("%s: %d features of %s in EPSG:%d, %d fields", filepath.Base(path), n, info.Driver, info.CRS.SRID, len(info.Fields))
		if n == 0 || int64(n) != info.Count || info.CRS.WKT == "" {
			t.Errorf("%s: %d features, told were %d; CRS %+v", filepath.Base(path), n, info.Count, info.CRS)
		}
	}
}

// A shapefile in a zip is unpacked, and what was unpacked goes with it.
func TestZippedShapefile(t *testing.T) {
	shp := converted(t, writeZones(t, 20), "ESRI Shapefile", "zones.shp")
	all, err := filepath.Glob(strings.TrimSuffix(shp, ".shp") + ".*")
	if err != nil {
		t.Fatal(err)
	}
	pack := func(names ...string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range names {
			for _, from := range all {
				text, err := os.ReadFile(from)
				if err != nil {
					t.Fatal(err)
				}
				w, err := z.Create(name + filepath.Ext(from))
				if err != nil {
					t.Fatal(err)
				}
				w.Write(text)
			}
		}
		z.Close()
		path := filepath.Join(t.TempDir(), "zones.zip")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	temp := t.TempDir()
	o := vector.Zips{Opener: Opener{}, TempDir: temp}
	info, features, err := readZones(t.Context(), o, pack("folder/areas"), vector.Options{}, 100)
	if err != nil || len(features) != 20 || info.CRS.SRID != 32632 {
		t.Errorf("%+v, %d features, %v", info, len(features), err)
	}
	two := pack("a", "b/c")
	if _, _, err := readZones(t.Context(), o, two, vector.Options{}, 100); err == nil || !strings.Contains(err.Error(), "b/c.shp") {
		t.Errorf("two shapefiles: %v", err)
	}
	if _, features, err := readZones(t.Context(), o, two, vector.Options{Layer: "b/c.shp"}, 100); err != nil || len(features) != 20 {
		t.Errorf("one that is named: %d, %v", len(features), err)
	}
	o.Bytes = 100
	if _, _, err := readZones(t.Context(), o, two, vector.Options{Layer: "a.shp"}, 100); rasterbase.CodeOf(err) != rasterbase.TooLarge {
		t.Errorf("more than is allowed: %v", err)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFeaturesOnThePipe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Just[any](nil), rapid.Map(rapid.Int64(), func(v int64) any { return v }), rapid.Map(rapid.Float64(), func(v float64) any { return v }),
			rapid.Map(rapid.String(), func(v string) any { return v }), rapid.Map(rapid.Bool(), func(v bool) any { return v }))
		fields := rapid.IntRange(0, 4).Draw(t, "fields")
		want := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) vector.Feature {
			f := vector.Feature{FID: rapid.Int64().Draw(t, "fid"), Values: make([]any, fields)}
			for i := range f.Values {
				f.Values[i] = value.Draw(t, "value")
			}
			if b := rapid.SliceOf(rapid.Byte()).Draw(t, "wkb"); len(b) > 0 {
				f.WKB = b
			}
			return f
		}), 1, 5).Draw(t, "features")
		var b []byte
		for _, f := range want {
			var err error
			if b, err = appendFeature(b, f); err != nil {
				t.Fatal(err)
			}
		}
		got, err := readFeatures(b, len(want), fields)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
		if _, err := readFeatures(b, len(want)-1, fields); err == nil {
			t.Fatal("more features than were asked for are taken")
		}
		if _, err := readFeatures(b[:len(b)-1], len(want), fields); err == nil {
			t.Fatal("a part of a feature is taken")
		}
	})
}

func FuzzReadFeatures(f *testing.F) {
	b, err := appendFeature(nil, vector.Feature{FID: 1, Values: []any{"a", 1.5, nil}, WKB: []byte{1, 2, 3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, 3)
	f.Fuzz(func(t *testing.T, b []byte, values int) {
		all, err := readFeatures(b, 100, max(0, values%100))
		if err != nil {
			return
		}
		for _, f := range all {
			if len(f.Values) != max(0, values%100) {
				t.Errorf("%d values, not %d", len(f.Values), values)
			}
		}
	})
}
