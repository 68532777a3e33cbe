package geometry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/geometry"
)

func TestGeometriesInAllForms(t *testing.T) {
	square := orb.Polygon{{{0, 0}, {4, 0}, {4, 4}, {0, 0}}}
	holed := orb.Polygon{square[0], {{1, 0.5}, {2, 0.5}, {2, 1}, {1, 0.5}}}
	for text, want := range map[string]struct {
		g    orb.Geometry
		srid int
	}{
		"POLYGON((0 0,4 0,4 4,0 0))":                                     {square, 0},
		" srid=3857 ;polygon ( ( 0 0 , 4e0 0, 4 4,0 0 ) ) ":              {square, 3857},
		"POLYGON Z ((0 0 7,4 0 7,4 4 7,0 0 7))":                          {square, 0},
		"POLYGONZM((0 0 7 1,4 0 7 1,4 4 7 1,0 0 7 1))":                   {square, 0},
		"POLYGON((0 0,4 0,4 4,0 0),(1 .5,2 .5,2 1,1 .5))":                {holed, 0},
		"MULTIPOLYGON(((0 0,4 0,4 4,0 0)),((0 0,4 0,4 4,0 0)))":          {orb.MultiPolygon{square, square}, 0},
		"GEOMETRYCOLLECTION(POLYGON((0 0,4 0,4 4,0 0)))":                 {orb.Collection{square}, 0},
		`{"type":"Polygon","coordinates":[[[0,0],[4,0,9],[4,4],[0,0]]]}`: {square, 0},
		`{"type":"MultiPolygon","coordinates":[[[[0,0],[4,0],[4,4],[0,0]]]],"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::25832"}}}`: {orb.MultiPolygon{square}, 25832},
		`{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}}]}`:          {orb.Collection{square}, 0},
	} {
		g, srid, err := geometry.ReadAreas(text)
		if err != nil || srid != want.srid || !orb.Equal(g, want.g) {
			t.Errorf("%s: %v %d %v", text, g, srid, err)
		}
	}
}

func TestGeometriesThatCannotBeRead(t *testing.T) {
	for _, text := range []string{
		"", "POLYGON", "POLYGON(", "POLYGON()", "POLYGON(())", "POLYGON EMPTY", "POINT(1 2)", "LINESTRING(0 0,1 1)", "POLYGON((0 0,4 0,4 4,0 0)) x",
		"POLYGON((0 0,4 0,4 4))", "POLYGON((0 0,4 0,4 4,0 1))", "POLYGON((0,4 0,4 4,0 0))", "POLYGON((1e999 0,4 0,4 4,1e999 0))", "SRID=x;POLYGON((0 0,4 0,4 4,0 0))",
		"POLYGON((nan 0,4 0,4 4,nan 0))", strings.Repeat("GEOMETRYCOLLECTION(", 100000), strings.Repeat("(", 100000),
		"{", "{}", `{"type":"Polygon"}`, `{"type":"Polygon","coordinates":[[[0],[4],[4],[0]]]}`, `{"type":"Feature"}`, `{"type":"Feature","geometry":null}`,
		`{"type":"Point","coordinates":[1,2]}`, `{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]],"crs":{"properties":{"name":"moon"}}}`,
		strings.Repeat(`{"type":"Feature","geometry":`, 100000),
	} {
		if _, _, err := geometry.ReadAreas(text); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%.60s: %v", text, err)
		} else if e, _ := errors.AsType[*rasterbase.Error](err); e.Field != "geom" || e.Hint == "" {
			t.Errorf("%.60s: %+v", text, e)
		}
	}
	_, _, err := geometry.ReadAreas("POLYGON((0 0,4 0;4 4,0 0))")
	if err == nil || !strings.Contains(err.Error(), "character 17") {
		t.Errorf("%v", err)
	}
}

func TestWKTAndGeoJSONSayTheSame(t *testing.T) {
	number := rapid.Float64Range(-1e7, 1e7)
	rapid.Check(t, func(t *rapid.T) {
		ring := orb.Ring{}
		for range rapid.IntRange(3, 9).Draw(t, "points") {
			ring = append(ring, orb.Point{number.Draw(t, "x"), number.Draw(t, "y")})
		}
		ring = append(ring, ring[0])
		var texts []string
		for _, p := range ring {
			texts = append(texts, fmt.Sprint(p[0], " ", p[1]))
		}
		asJSON, err := json.Marshal(map[string]any{"type": "Polygon", "coordinates": []orb.Ring{ring}})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"POLYGON((" + strings.Join(texts, ",") + "))", string(asJSON)} {
			g, srid, err := geometry.ReadAreas(text)
			if err != nil || srid != 0 || !orb.Equal(g, orb.Polygon{ring}) {
				t.Errorf("%s: %v %d %v", text, g, srid, err)
			}
		}
	})
}

// What is read has closed and finite rings, whatever was written.
func FuzzReadAreas(f *testing.F) {
	for _, seed := range []string{
		"SRID=4326;POLYGON Z((0 0 1,4 0 1,4 4 1,0 0 1))", "MULTIPOLYGON(((0 0,4 0,4 4,0 0)))", "GEOMETRYCOLLECTION(POLYGON EMPTY)",
		`{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}}`,
	} {
		f.Add(seed)
	}
	var rings func(t *testing.T, g orb.Geometry)
	rings = func(t *testing.T, g orb.Geometry) {
		switch g := g.(type) {
		case orb.Collection:
			for _, one := range g {
				rings(t, one)
			}
		case orb.MultiPolygon:
			for _, one := range g {
				rings(t, one)
			}
		case orb.Polygon:
			for _, r := range g {
				if len(r) < 4 || !r.Closed() || math.IsNaN(r[0][0]) {
					t.Errorf("%v", r)
				}
			}
		default:
			t.Errorf("%T", g)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, srid, err := geometry.ReadAreas(text)
		switch {
		case err != nil && rasterbase.CodeOf(err) != rasterbase.Invalid:
			t.Errorf("%v", err)
		case err == nil && srid < 0:
			t.Errorf("srid %d", srid)
		case err == nil:
			rings(t, g)
		}
	})
}
