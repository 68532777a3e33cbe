package geometry_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/ewkb"
	"github.com/paulmach/orb/encoding/wkb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/geometry"
)

const triangle = `{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}`

// all reads all features.
func all(text string) (out []*geometry.Feature, srid int, err error) {
	in := geometry.NewFeatures(strings.NewReader(text))
	for {
		f, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out, in.SRID(), nil
		}
		if err != nil {
			return out, 0, err
		}
		out = append(out, f)
	}
}

func TestFeatures(t *testing.T) {
	feature := func(id string) string {
		return `{"type":"Feature","id":` + id + `,"properties":{"name":"n` + id + `"},"geometry":` + triangle + `}`
	}
	crs := `"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::25832"}}`
	for name, c := range map[string]struct {
		text string
		n    int
		srid int
	}{
		"a collection":              {`{"type":"FeatureCollection","features":[` + feature("1") + "," + feature("2") + `]}`, 2, 0},
		"an empty collection":       {`{"type":"FeatureCollection","features":[]}`, 0, 0},
		"crs before":                {`{"type":"FeatureCollection",` + crs + `,"features":[` + feature("1") + `]}`, 1, 25832},
		"crs behind":                {`{"features":[` + feature("1") + `],"type":"FeatureCollection",` + crs + `}`, 1, 25832},
		"a feature":                 {feature("1"), 1, 0},
		"a geometry":                {triangle, 1, 0},
		"a line each":               {feature("1") + "\n" + feature("2") + "\n" + feature("3") + "\n", 3, 0},
		"text sequences":            {"\x1e" + feature("1") + "\n\x1e" + feature("2"), 2, 0},
		"a mark of the byte order":  {"\ufeff" + feature("1"), 1, 0},
		"members of other programs": {`{"type":"FeatureCollection","name":"zones","bbox":[0,0,1,1],"features":[` + feature("1") + `],"more":{"features":[1]}}`, 1, 0},
	} {
		features, srid, err := all(c.text)
		if err != nil || len(features) != c.n || srid != c.srid {
			t.Errorf("%s: %d features, srid %d, %v", name, len(features), srid, err)
		}
		for _, f := range features {
			if _, ok := f.Geometry.(orb.Polygon); !ok || len(f.Text) != len(triangle) {
				t.Errorf("%s: %T %s", name, f.Geometry, f.Text)
			}
		}
	}
	features, _, err := all(`{"type":"Feature","id":"a","properties":{"code":7},"geometry":null}`)
	if err != nil || string(features[0].ID) != `"a"` || string(features[0].Properties["code"]) != "7" || geometry.Vertices(features[0].Geometry) != 0 || string(features[0].Text) != "null" {
		t.Errorf("%+v %v", features, err)
	}
}

func TestFeaturesThatCannotBeRead(t *testing.T) {
	for _, text := range []string{
		"[1]", "7", "{", `{"type":"FeatureCollection"}`, `{"type":"FeatureCollection","features":7}`, `{"type":"FeatureCollection","features":[7]}`,
		`{"type":"FeatureCollection","features":[` + triangle, `{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4]]]}}]}`,
		`{"type":"FeatureCollection","features":[],"features":[` + triangle + `]} x`, strings.Repeat(`{"type":"Feature","geometry":`, 100000),
	} {
		if _, _, err := all(text); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func TestPlacesOfFaults(t *testing.T) {
	for text, want := range map[string]string{
		"MULTIPOLYGON(((0 0,4 0,4 4,0 0)),((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 3)))": "ring 2 of polygon 2 does not end where it begins",
		"POLYGON((0 0,4 0,4 4,0 0),(1 1,2 1))":                                    "ring 2 has 2 points",
		"LINESTRING(0 0,1 1e400)":                                                 "character 18",
	} {
		if _, _, err := geometry.Read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPointsLinesAndBoxes(t *testing.T) {
	for text, want := range map[string]orb.Geometry{
		"POINT(1 2)":                           orb.Point{1, 2},
		"MULTIPOINT((1 2),(3 4))":              orb.MultiPoint{{1, 2}, {3, 4}},
		"MULTIPOINT(1 2,3 4)":                  orb.MultiPoint{{1, 2}, {3, 4}},
		"LINESTRING(0 0,1 1)":                  orb.LineString{{0, 0}, {1, 1}},
		"MULTILINESTRING((0 0,1 1),(2 2,3 3))": orb.MultiLineString{{{0, 0}, {1, 1}}, {{2, 2}, {3, 3}}},
		`{"type":"Point","coordinates":[1,2]}`: orb.Point{1, 2},
		"5,45,10,47":                           orb.Polygon{{{5, 45}, {10, 45}, {10, 47}, {5, 47}, {5, 45}}},
		"170,-10,-170,10":                      orb.MultiPolygon{{{{170, -10}, {180, -10}, {180, 10}, {170, 10}, {170, -10}}}, {{{-180, -10}, {-170, -10}, {-170, 10}, {-180, 10}, {-180, -10}}}},
	} {
		if g, _, err := geometry.Read(text); err != nil || !orb.Equal(g, want) {
			t.Errorf("%s: %v %v", text, g, err)
		}
	}
}

func TestWKBIsThatOfOthers(t *testing.T) {
	for _, text := range []string{
		"POINT(1 2)", "LINESTRING(0 0,1 1)", "POLYGON((0 0,4 0,4 4,0 0),(1 .5,2 .5,2 1,1 .5))", "MULTIPOINT(1 2,3 4)", "MULTIPOLYGON(((0 0,4 0,4 4,0 0)))",
		"MULTILINESTRING((0 0,1 1),(2 2,3 3))", "GEOMETRYCOLLECTION(POINT(1 2),POLYGON((0 0,4 0,4 4,0 0)))",
	} {
		g, _, err := geometry.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := wkb.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		if ours := geometry.AppendWKB(nil, g); !bytes.Equal(ours, theirs) {
			t.Errorf("%s: %x, and not %x", text, ours, theirs)
		}
		withSRID, err := ewkb.Marshal(g, 4326)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{theirs, withSRID} {
			if back, err := geometry.ReadWKB(b); err != nil || !orb.Equal(back, g) {
				t.Errorf("%s: %v %v", text, back, err)
			}
			for n := range b {
				if _, err := geometry.ReadWKB(b[:n]); rasterbase.CodeOf(err) != rasterbase.Invalid {
					t.Errorf("%s, cut off at %d: %v", text, n, err)
				}
			}
		}
	}
}

func FuzzReadWKB(f *testing.F) {
	f.Add(geometry.AppendWKB(nil, orb.MultiPolygon{{{{0, 0}, {4, 0}, {4, 4}, {0, 0}}}}))
	f.Add([]byte{1, 7, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := geometry.ReadWKB(b)
		if err != nil {
			if rasterbase.CodeOf(err) != rasterbase.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if back, err := geometry.ReadWKB(geometry.AppendWKB(nil, g)); err != nil || !orb.Equal(back, g) {
			t.Errorf("%v becomes %v, %v", g, back, err)
		}
	})
}

func FuzzFeatures(f *testing.F) {
	f.Add(`{"type":"FeatureCollection","features":[` + triangle + `]}`)
	f.Add("\x1e{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		features, _, err := all(text)
		if err != nil && rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%v", err)
		}
		for _, one := range features {
			if one.Geometry == nil {
				t.Error("a feature without a geometry")
			}
		}
	})
}

func Example() {
	g, srid, err := geometry.Read("SRID=3857;POLYGON((0 0, 4 0, 4 4, 0 0))")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(srid, geometry.Vertices(g))
	_, _, err = geometry.Read("POLYGON((0 0, 4 0; 4 4, 0 0))")
	fmt.Println(rasterbase.CodeOf(err))
	// Output:
	// 3857 4
	// invalid
}
