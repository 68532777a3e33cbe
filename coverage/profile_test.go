package coverage_test

import (
	"math"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
)

// A profile is a lookup at each of its places, which lie on the line at equal
// distances, its ends among them.
func testProfileIsLookups(t *testing.T, all []known) {
	cov := []coverage.Coverage{all[1].Layer, all[2].Layer, formula(t, "a - b", coverage.FormulaOptions{}, input("a", all[1].Layer, 0), input("b", all[5].Layer, 0))}
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(cov).Draw(t, "coverage")
		r := coverage.ProfileRequest{CRS: rasterbase.CRS{SRID: 4326}, Level: coverage.ZoomLevel(2), Points: rapid.IntRange(2, 60).Draw(t, "points"), Bands: []int{0}}
		for range rapid.IntRange(2, 5).Draw(t, "places") {
			r.Line = append(r.Line, orb.Point{rapid.Float64Range(-170, 170).Draw(t, "longitude"), rapid.Float64Range(-80, 80).Draw(t, "latitude")})
		}
		got, err := coverage.Profile(t.Context(), c, r)
		if err != nil {
			if r.Line[0] == r.Line[1] {
				return
			}
			t.Fatal(err)
		}
		if len(got) != r.Points || got[0].Distance != 0 || got[0].Place != (crs.Point{X: r.Line[0][0], Y: r.Line[0][1]}) {
			t.Fatalf("%d places, the first %+v", len(got), got[0])
		}
		if end, last := r.Line[len(r.Line)-1], got[len(got)-1].Place; math.Abs(end[0]-last.X) > 1e-9 || math.Abs(end[1]-last.Y) > 1e-9 {
			t.Fatalf("the last place is %+v, want %+v", last, end)
		}
		step := got[len(got)-1].Distance / float64(r.Points-1)
		for i, p := range got {
			if math.Abs(p.Distance-step*float64(i)) > 1e-6 {
				t.Fatalf("place %d is at %v of steps of %v", i, p.Distance, step)
			}
			at, err := coverage.At(t.Context(), c, coverage.PointRequest{Point: p.Place, CRS: r.CRS, Level: r.Level, Bands: []int{0}})
			if err != nil {
				t.Fatal(err)
			}
			if at.Col != p.Pixel.Col || at.Row != p.Pixel.Row || at.Inside != p.Pixel.Inside || at.Inside && (at.Values[0].Valid != p.Pixel.Values[0].Valid || at.Values[0].Valid && at.Values[0] != p.Pixel.Values[0]) {
				t.Fatalf("place %d is %+v, want %+v", i, p.Pixel, at)
			}
		}
	})
}

// Distances in degrees and web mercator are those on the ellipsoid, whose lengths
// along meridians were integrated from the radius of curvature, and in others those
// of the map.
func testProfileDistances(t *testing.T, all []known) {
	c := all[1].Layer
	mercator := func(lon, lat float64) orb.Point {
		return orb.Point{lon / 180 * math.Pi * 6378137, math.Log(math.Tan(math.Pi/4+lat*math.Pi/360)) * 6378137}
	}
	for name, tt := range map[string]struct {
		line orb.LineString
		srid int
		want float64
		tol  float64
	}{
		"a degree along the equator": {orb.LineString{{0, 0}, {1, 0}}, 4326, 111319.490793, 0.01},
		"a degree up from it":        {orb.LineString{{10, 0}, {10, 1}}, 4326, 110574.388558, 0.05},
		"a degree at 60 north":       {orb.LineString{{10, 60}, {10, 61}}, 4326, 111420.727870, 0.15},
		"a quarter meridian":         {orb.LineString{{7, 0}, {7, 90}}, 4326, 10001965.729313, 10},
		"a metre or so":              {orb.LineString{{7, 45}, {7.00001, 45.00001}}, 4326, 1.362611, 1e-5},
		"web mercator":               {orb.LineString{mercator(10, 60), mercator(10, 61)}, 3857, 111420.727870, 0.15},
		"UTM":                        {orb.LineString{{500000, 5000000}, {500300, 5000400}, {500300, 5000000}}, 32633, 900, 1e-9},
	} {
		got, err := coverage.Profile(t.Context(), c, coverage.ProfileRequest{Line: tt.line, CRS: rasterbase.CRS{SRID: tt.srid}, Level: coverage.ZoomLevel(0), Points: 5})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := got[4].Distance; math.Abs(d-tt.want) > tt.tol {
			t.Errorf("%s: %.6f, want %.6f", name, d, tt.want)
		}
		if coverage.MetricDistance(rasterbase.CRS{SRID: tt.srid}) != (tt.srid != 32633) {
			t.Errorf("%s: metric or not", name)
		}
	}
}

// Without a number there is about one place for each pixel.
func testProfileOfPixels(t *testing.T, all []known) {
	c := all[1].Layer // 64 pixels a tile
	half := 20037508.342789244
	for name, tt := range map[string]struct {
		line  orb.LineString
		level coverage.Level
		want  int
	}{
		"across zoom 0":   {orb.LineString{{-half, 1}, {half, 1}}, coverage.ZoomLevel(0), 65},
		"across zoom 2":   {orb.LineString{{-half, 1}, {half, 1}}, coverage.ZoomLevel(2), 257},
		"across the base": {orb.LineString{{-half, 1}, {half, 1}}, coverage.BaseLevel, 257},
		"within a pixel":  {orb.LineString{{0, 1}, {10, 1}}, coverage.ZoomLevel(0), 2},
		"too many":        {orb.LineString{{-half, 1}, {half, 1}}, coverage.ZoomLevel(20), coverage.MaxProfilePoints},
	} {
		got, err := coverage.Profile(t.Context(), c, coverage.ProfileRequest{Line: tt.line, CRS: rasterbase.CRS{SRID: 3857}, Level: tt.level})
		if err != nil || len(got) < tt.want || len(got) > tt.want+1 && tt.want != coverage.MaxProfilePoints {
			t.Errorf("%s: %d places, want %d: %v", name, len(got), tt.want, err)
		}
	}
}

func testProfilesThatCannotBeMade(t *testing.T, all []known) {
	c := all[1].Layer
	apart := formula(t, "a+b", coverage.FormulaOptions{}, input("a", c, 0), input("b", all[2].Layer, 0))
	ok := orb.LineString{{0, 0}, {1, 1}}
	long := make(orb.LineString, coverage.MaxProfilePoints+1)
	for name, tt := range map[string]struct {
		c     coverage.Coverage
		line  orb.LineString
		n     int
		srid  int
		field string
		code  rasterbase.Code
	}{
		"no line":        {c, nil, 0, 4326, "line", rasterbase.Invalid},
		"one place":      {c, orb.LineString{{0, 0}}, 0, 4326, "line", rasterbase.Invalid},
		"no length":      {c, orb.LineString{{3, 3}, {3, 3}}, 0, 4326, "line", rasterbase.Invalid},
		"too long":       {c, long, 0, 4326, "line", rasterbase.Invalid},
		"not a number":   {c, orb.LineString{{0, 0}, {math.NaN(), 1}}, 0, 4326, "line", rasterbase.Invalid},
		"infinite":       {c, orb.LineString{{0, 0}, {math.Inf(1), 1}}, 0, 3857, "line", rasterbase.Invalid},
		"over the pole":  {c, orb.LineString{{0, 0}, {0, 91}}, 0, 4326, "line", rasterbase.Invalid},
		"one point":      {c, ok, 1, 4326, "points", rasterbase.Invalid},
		"many points":    {c, ok, coverage.MaxProfilePoints + 1, 4326, "points", rasterbase.Invalid},
		"an unknown CRS": {c, ok, 0, 31287, "", rasterbase.Unsupported},
		"no base grid":   {apart, ok, 0, 4326, "grid", rasterbase.Invalid},
		"no base, five":  {apart, ok, 5, 4326, "grid", rasterbase.Invalid},
	} {
		_, err := coverage.Profile(t.Context(), tt.c, coverage.ProfileRequest{Line: tt.line, CRS: rasterbase.CRS{SRID: tt.srid}, Points: tt.n})
		if rasterbase.CodeOf(err) != tt.code || blamed(err) != tt.field || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v (%s)", name, err, blamed(err))
		}
	}
}
