package geometry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/ewkb"
	"github.com/paulmach/orb/encoding/wkb"
	"pgregory.net/rapid"

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
		"[1]", "7", "1E700", "{", `{"type":"FeatureCollection"}`, `{"type":"FeatureCollection","features":7}`, `{"type":"FeatureCollection","features":[7]}`,
		`{"type":"FeatureCollection","features":[` + triangle, `{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4]]]}}]}`,
		`{"type":"FeatureCollection","features":[],"features":[` + triangle + `]}`, `{"type":"Topology","features":[]}`,
		`{"type":"FeatureCollection","features":[],"type":"Topology"}`, `{"type":"FeatureCollection","features":[null]}`,
		`{"type":"Feature","geometry":null,"properties":[]}`, `{"type":"Feature","geometry":null,"id":{}}`, strings.Repeat(`{"type":"Feature","geometry":`, 100000),
	} {
		if _, _, err := all(text); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func TestPlacesOfFaults(t *testing.T) {
	for text, want := range map[string]string{
		"MULTIPOLYGON(((0 0,4 0,4 4,0 0)),((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 3)))":  "ring 2 of polygon 2 does not end where it begins",
		"POLYGON((0 0,4 0,4 4,0 0),(1 1,2 1))":                                     "ring 2 has 2 points",
		"LINESTRING(0 0,1 1e400)":                                                  "character 18",
		"GEOMETRYCOLLECTION(POINT(1 2),POLYGON((0 0,4 0,4 4)))":                    "ring 1 of part 2 has 3 points",
		`{"type":"Point","coordinates":[null,1]}`:                                  "it has a coordinate that is no number",
		`{"type":"Point","coordinates":["1",1]}`:                                   "it has a coordinate that is no number",
		`{"type":"LineString","coordinates":[[0,0],[1]]}`:                          "vertex 2 is not a place of two numbers",
		`{"type":"MultiPoint","coordinates":[[0,0],null]}`:                         "vertex 2 is not a place of two numbers",
		`{"type":"MultiPoint","coordinates":[[0,0],[0,1e999]]}`:                    "vertex 2 is not finite",
		`{"type":"Polygon","coordinates":[[[0,0],[null,4],[4,4],[0,0]]]}`:          "vertex 2 of ring 1 has a coordinate that is no number",
		`{"type":"MultiPolygon","coordinates":[[[[0,0],[4,0],[4,4],[0,0]]],null]}`: "polygon 2 has no list of coordinates",
		`{"type":"MultiLineString","coordinates":[[[0,0],[4,0]],{"a":[1]}]}`:       "line 2 has no list of coordinates",
		`{"type":"Polygon","coordinates":null}`:                                    "it has no list of coordinates",
		`{"type":"GeometryCollection"}`:                                            "its geometries are no list",
		`{"type":"FeatureCollection","features":{}}`:                               "its features are no list",
	} {
		if _, _, err := geometry.Read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Places in two CRSs are refused, and whatever says theirs holds.
func TestCRSOfFeatures(t *testing.T) {
	const point = `"type":"Point","coordinates":[1,2]`
	in := func(srid string) string {
		return `,"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::` + srid + `"}}`
	}
	none, meter := `{`+point+`}`, `{`+point+in("3857")+`}`
	collection := func(crs string, all ...string) string {
		return `{"type":"FeatureCollection"` + crs + `,"features":[` + strings.Join(all, ",") + `]}`
	}
	behind := func(crs string, all ...string) string {
		return `{"type":"FeatureCollection","features":[` + strings.Join(all, ",") + `]` + crs + `}`
	}
	nowhere := `{"type":"Feature","geometry":null}`
	for _, c := range []struct {
		text string
		srid int // -1: an error
	}{
		{none, 0}, {meter, 3857}, {`{"type":"Feature","geometry":` + meter + `}`, 3857}, {`{"type":"Feature","geometry":` + none + in("3857") + `}`, 3857},
		{collection("", none, none), 0}, {collection("", meter, nowhere, meter), 3857}, {collection(in("3857"), none, meter), 3857}, {behind(in("3857"), none, meter), 3857},
		{collection(in("25832"), meter), 3857}, {collection(in("25832")), 25832}, {collection(in("25832"), nowhere), 25832}, {collection("", `{"type":"Point","coordinates":[]`+in("3857")+`}`, none), 0},
		{`{"type":"GeometryCollection","geometries":[` + meter + `]}`, 3857}, {collection(in("4326"), none), 4326},
		{collection("", none, meter), -1}, {collection("", meter, none), -1}, {collection(in("25832"), none, meter), -1}, {behind(in("25832"), none, meter), -1}, {behind("", meter, none), -1},
		{`{"type":"GeometryCollection","geometries":[` + meter + "," + none + `]}`, -1},
		{collection(",\"crs\":null", none), 0}, {collection(`,"crs":7`, none), -1}, {`{` + point + in("0") + `}`, -1},
	} {
		if _, srid, err := geometry.Read(c.text); c.srid >= 0 && err != nil || c.srid >= 0 && srid != c.srid || c.srid < 0 && rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("Read %s: %d %v", c.text, srid, err)
		}
		if _, srid, err := all(c.text); c.srid >= 0 && err != nil || c.srid >= 0 && srid != c.srid || c.srid < 0 && rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("Features %s: %d %v", c.text, srid, err)
		}
	}
	for text, want := range map[string]int{
		meter + "\n" + meter: 3857, meter + "\n" + none: -1, none + "\n" + meter: -1, none + "\n" + collection(in("4326"), none): 4326,
		collection(in("3857"), none) + collection(in("3857"), none): 3857, collection(in("3857"), none) + collection("", none): -1,
		collection("", none) + collection(in("3857"), none): -1, behind(in("3857"), none) + behind(in("3857"), none): 3857, behind(in("3857"), none) + behind("", none): -1,
	} {
		if _, srid, err := all(text); want >= 0 && (err != nil || srid != want) || want < 0 && rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%s: %d %v", text, srid, err)
		}
	}
	// It is known at the first feature, but where it stands behind.
	first := geometry.NewFeatures(strings.NewReader(collection("", meter, meter)))
	if _, err := first.Next(); err != nil || first.SRID() != 3857 {
		t.Errorf("%d %v", first.SRID(), err)
	}
}

func TestNamesOfCRSs(t *testing.T) {
	for name, want := range map[string]int{
		"EPSG:3857": 3857, "epsg:3857": 3857, "urn:ogc:def:crs:EPSG::25832": 25832, "urn:ogc:def:crs:EPSG:6.18:25832": 25832, "urn:x-ogc:def:crs:EPSG::25832": 25832,
		"http://www.opengis.net/def/crs/EPSG/0/25832": 25832, "https://www.opengis.net/def/crs/EPSG/9.9.1/25832": 25832,
		"urn:ogc:def:crs:OGC:1.3:CRS84": 4326, "http://www.opengis.net/def/crs/OGC/1.3/CRS84": 4326,
		"EPSG:0": 0, "EPSG:": 0, "moon": 0, "": 0, "EPSG:99999999999": 0,
	} {
		if got, ok := geometry.SRIDOf(name); got != want || ok != (want != 0) {
			t.Errorf("%s: %d %t", name, got, ok)
		}
	}
}

// The reader's own errors are not those of the text.
func TestErrorsOfTheReader(t *testing.T) {
	gone := errors.New("gone")
	for _, text := range []string{"", `{"type":`, `{"type":"FeatureCollection","features":[`, `{"type":"FeatureCollection","features":[` + triangle, `{"type":"FeatureCollection","features":[` + triangle + `]`} {
		in := geometry.NewFeatures(io.MultiReader(strings.NewReader(text), iotest.ErrReader(gone)))
		var err error
		for err == nil {
			_, err = in.Next()
		}
		if !errors.Is(err, gone) || rasterbase.CodeOf(err) == rasterbase.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is read is what encoding/json sees, whatever stands around it.
func TestGeoJSONIsRead(t *testing.T) {
	number := rapid.Float64Range(-1e7, 1e7)
	rapid.Check(t, func(t *rapid.T) {
		var coordinates func(depth int) any
		coordinates = func(depth int) any {
			if depth == 0 {
				return rapid.SliceOfN(number, 2, 4).Draw(t, "place")
			}
			list := []any{}
			for range rapid.IntRange(0, 4).Draw(t, "parts") {
				list = append(list, coordinates(depth-1))
			}
			if n := len(list); n > 0 && depth == 1 { // also a ring
				list = append(list, list[0], list[0], list[0])
			}
			return list
		}
		kinds := []string{"Point", "LineString", "MultiPoint", "MultiLineString"}
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		want := coordinates([]int{0, 1, 1, 2}[kind])
		odd := rapid.SampledFrom([]string{`"]}"`, `{"a":["\\",{"b":"\"}"}]}`, "[[]]", "-1e-9", "null", `"\u005d"`}).Draw(t, "odd")
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		feature := fmt.Sprintf(` { "more" : %s , "typ\u0065":"Feature", "geometry":{"x":%s ,"coordinates":%s,"type":"%s"},"properties":{"a\"b":%s}}`, odd, odd, text, kinds[kind], odd)
		features, _, err := all(`{"type":"FeatureCollection","features":[` + feature + `,` + feature + `]}`)
		if err != nil || len(features) != 2 {
			t.Fatalf("%s: %v", feature, err)
		}
		for _, f := range features {
			g, _, err := geometry.Read(feature)
			if err != nil || !orb.Equal(g, f.Geometry) {
				t.Errorf("%s: %v, and %v %v", feature, f.Geometry, g, err)
			}
			if got := string(f.Properties[`a"b`]); got != odd {
				t.Errorf("%s: the property is %s", feature, got)
			}
			got, err := json.Marshal(f.Geometry)
			if err != nil {
				t.Fatal(err)
			}
			if short, err := json.Marshal(inTwo(want)); err != nil || string(got) != string(short) {
				t.Errorf("%s: %s, and not %s %v", feature, got, short, err)
			}
		}
	})
}

// inTwo leaves two numbers of each place.
func inTwo(v any) any {
	switch v := v.(type) {
	case []float64:
		return v[:2]
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = inTwo(v[i])
		}
		return out
	}
	return v
}

func TestPointsLinesAndBoxes(t *testing.T) {
	for text, want := range map[string]orb.Geometry{
		"POINT(1 2)":                           orb.Point{1, 2},
		"MULTIPOINT((1 2),(3 4))":              orb.MultiPoint{{1, 2}, {3, 4}},
		"MULTIPOINT(1 2,3 4)":                  orb.MultiPoint{{1, 2}, {3, 4}},
		"LINESTRING(0 0,1 1)":                  orb.LineString{{0, 0}, {1, 1}},
		"MULTILINESTRING((0 0,1 1),(2 2,3 3))": orb.MultiLineString{{{0, 0}, {1, 1}}, {{2, 2}, {3, 3}}},
		"MULTIPOINT(EMPTY,(3 4), EMPTY)":       orb.MultiPoint{{3, 4}},
		`{"type":"Point","coordinates":[1,2]}`: orb.Point{1, 2},
		`{"type":"Point","coordinates":[ ]}`:   orb.Collection{},
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

// Parts of another kind are not left out.
func TestWKBOfPartsOfAnotherKind(t *testing.T) {
	for kind, parts := range map[byte]orb.Collection{
		4: {orb.Point{1, 2}, orb.MultiPoint{{3, 4}}}, 5: {orb.LineString{{0, 0}, {1, 1}}, orb.Point{1, 2}}, 6: {orb.Collection{orb.Point{1, 2}}},
	} {
		b := geometry.AppendWKB(nil, parts)
		b[1] = kind
		if g, err := geometry.ReadWKB(b); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%d: %v %v", kind, g, err)
		}
	}
	nan := math.NaN()
	b := geometry.AppendWKB(nil, orb.MultiPoint{{1, 2}, {nan, nan}})
	if g, err := geometry.ReadWKB(b); err != nil || !orb.Equal(g, orb.MultiPoint{{1, 2}}) {
		t.Errorf("%v %v", g, err)
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
	f.Add(`{"features":[{"type":"Feature","id":7,"properties":{"a":["\\",{}]},"geometry":{"type":"Point","coordinates":[1,2],"crs":{"properties":{"name":"EPSG:3857"}}}}],"crs":null,"type":"FeatureCollection"}`)
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
