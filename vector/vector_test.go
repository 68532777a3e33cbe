package vector_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/vector"
)

func ExampleOptions_ChooseFields() {
	fields := []vector.Field{{Name: "ID", Type: vector.Integer}, {Name: "name", Type: vector.Text}}
	at, err := vector.Options{Fields: []string{"name", "id"}}.ChooseFields("zones.gpkg", fields)
	fmt.Println(at, err)
	_, err = vector.Options{Fields: []string{"code"}}.ChooseFields("zones.gpkg", fields)
	fmt.Println(err)
	// Output:
	// [1 0] <nil>
	// zones.gpkg has no field "code" (its fields are ID, name)
}

func TestChooseFields(t *testing.T) {
	fields := []vector.Field{{Name: "NAME"}, {Name: "name"}, {Name: "Größe"}}
	for _, c := range []struct {
		want []string
		at   []int
	}{
		{nil, []int{0, 1, 2}}, {[]string{}, []int{}}, {[]string{"name"}, []int{1}}, {[]string{"Name"}, []int{0}}, {[]string{"GRÖSSE"}, nil}, {[]string{"größe", "NAME"}, []int{2, 0}},
	} {
		at, err := vector.Options{Fields: c.want}.ChooseFields("a", fields)
		if (err != nil) != (c.at == nil) || err == nil && !reflect.DeepEqual(at, c.at) {
			t.Errorf("%q: %v, %v", c.want, at, err)
		}
	}
}

func TestChooseLayer(t *testing.T) {
	layers := []vector.Layer{{Name: "a"}, {Name: "b", Geometry: "Polygon"}}
	if i, err := (vector.Options{Layer: "b"}).ChooseLayer("f.gpkg", layers); i != 1 || err != nil {
		t.Error(i, err)
	}
	if _, err := (vector.Options{Layer: "c"}).ChooseLayer("f.gpkg", layers); rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "a, b") {
		t.Error(err)
	}
	_, err := vector.Options{}.ChooseLayer("/x/f.gpkg", layers)
	if _, ok := errors.AsType[*vector.SeveralLayers](err); !ok || err.Error() != "f.gpkg holds several layers; name one of them:\n  a\n  b  Polygon" {
		t.Error(err)
	}
	if i, err := (vector.Options{}).ChooseLayer("f.gpkg", layers[:1]); i != 0 || err != nil {
		t.Error(i, err)
	}
	if _, err := (vector.Options{}).ChooseLayer("f.gpkg", nil); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Error(err)
	}
}

// A zip that holds nothing to open, or cannot be unpacked, is refused with a reason.
func TestZipsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	pack := func(name string, entries ...string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, e := range entries {
			w, err := z.Create(e)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(w, strings.Repeat("text", 1000))
		}
		z.Close()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := filepath.Join(dir, "text.zip")
	if err := os.WriteFile(text, []byte("no zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, says string
		code       rasterbase.Code
	}{
		{filepath.Join(dir, "none.zip"), "there is no file none.zip", rasterbase.NotFound},
		{text, "cannot be read as a zip file", rasterbase.Invalid},
		{pack("empty.zip"), "holds no file of features", rasterbase.Invalid},
		{pack("two.zip", "a.geojson", "b.gpkg"), "several layers", rasterbase.Invalid},
		{pack("twice.zip", "a.shp", "A.shp", "a.SHP"), "several layers", rasterbase.Invalid},
		{pack("long.zip", "../../a.geojson"), "more bytes than are allowed", rasterbase.TooLarge},
	} {
		_, err := vector.Zips{Opener: gdal.Opener{}, TempDir: dir, Bytes: 1000}.OpenVector(t.Context(), c.path, vector.Options{})
		if rasterbase.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", filepath.Base(c.path), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "rasterbase-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
