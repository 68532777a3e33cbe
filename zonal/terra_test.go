package zonal_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/geometry"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/vector"
	"github.com/rasterbase/rasterbase/zonal"
)

// terraRules are the rules as the R package terra names them.
var terraRules = map[string]footprint.Rule{"centre": footprint.Centre, "touches": footprint.Touched, "exact": footprint.Fraction}

// realData is the folder with real rasters and what terra says of them.
func realData(t *testing.T) string {
	t.Helper()
	data := os.Getenv("RASTERBASE_TESTDATA")
	if data == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder with real rasters")
	}
	if !gdal.Available {
		t.Skip("built without GDAL")
	}
	return data
}

func terraRows(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		one := map[string]string{}
		for i, name := range rows[0] {
			one[name] = row[i]
		}
		out = append(out, one)
	}
	return out
}

func realLayer(t *testing.T, path string) coverage.Coverage {
	t.Helper()
	st := openStore(t)
	l, err := ingest.Import(t.Context(), st, gdal.Opener{}, ingest.Request{Source: path, Settings: rasterbase.Settings{NoPyramid: true}})
	if err != nil {
		t.Fatal(err)
	}
	cov, err := coverage.Open(t.Context(), st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return cov
}

// realZones are the features of a file by the text of a field.
func realZones(t *testing.T, path, field string) (names []string, all []orb.Geometry, in rasterbase.CRS) {
	t.Helper()
	s, err := gdal.Opener{}.OpenVector(t.Context(), path, vector.Options{Fields: []string{field}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for {
		some, err := s.Next(t.Context(), 100)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if len(some) == 0 {
			return names, all, s.Info().CRS
		}
		for _, f := range some {
			g, err := geometry.ReadWKB(f.WKB)
			if err != nil {
				t.Fatal(err)
			}
			names, all = append(names, fmt.Sprint(f.Values[0])), append(all, g)
		}
	}
}

// terra moves vertices only.
func countReal(t *testing.T, cov coverage.Coverage, all []orb.Geometry, in rasterbase.CRS, rule footprint.Rule, q zonal.Query) []zonal.Result {
	t.Helper()
	z, err := zonal.Place(t.Context(), cov.Describe(), zonal.Placement{CRS: in, Rule: rule, Transformer: gdal.Transformer{}, VerticesOnly: true}, all)
	if err != nil {
		t.Fatal(err)
	}
	out, err := zonal.Count(t.Context(), cov, z, q)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// near reports whether a figure is another one but for its rounding.
func near(got float64, want string, within float64) bool {
	v, err := strconv.ParseFloat(want, 64)
	return err == nil && math.Abs(got-v) <= within*max(1, math.Abs(v))
}

func TestLandCoverOfZionIsThatOfTerra(t *testing.T) {
	data := realData(t)
	cov := realLayer(t, filepath.Join(data, "landcover/zion_nlcd.tif"))
	_, zones, in := realZones(t, filepath.Join(data, "vector/zion.gpkg"), "UNIT_CODE")
	counted := map[string]map[float64]float64{}
	for name, rule := range terraRules {
		counted[name] = map[float64]float64{}
		for _, row := range countReal(t, cov, zones, in, rule, zonal.Query{})[0].Bands[0].Counts {
			counted[name][row.Value] = row.Count
		}
	}
	rows := terraRows(t, filepath.Join(data, "expected/zonal_terra/zion_nlcd_classes.tsv"))
	for _, row := range rows {
		value, err := strconv.ParseFloat(row["value"], 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := counted[row["rule"]][value]; !near(got, row["count"], 1e-8) {
			t.Errorf("%s: %v pixels of the value %v, and terra has %s", row["rule"], got, value, row["count"])
		}
	}
	if len(rows) != 21 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestStatisticsAreThoseOfTerra(t *testing.T) {
	data := realData(t)
	landsat := realLayer(t, filepath.Join(data, "multispectral/olinda_landsat7_6band.tif"))
	f, err := algebra.Parse("(nir - red) / (nir + red)", algebra.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ndvi, err := coverage.NewFormula(t.Context(), f, []coverage.Input{
		{Name: "nir", Coverage: landsat, Band: 3}, {Name: "red", Coverage: landsat, Band: 2},
	}, coverage.FormulaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, expected, zones, field string
		cov                          coverage.Coverage
	}{
		{"heights", "zion_srtm.tsv", "vector/zion.gpkg", "UNIT_CODE", realLayer(t, filepath.Join(data, "dem/zion_srtm.tif"))},
		{"vegetation", "olinda_ndvi_by_tract.tsv", "vector/olinda1.shp", "ID", ndvi},
	} {
		t.Run(c.name, func(t *testing.T) {
			names, zones, in := realZones(t, filepath.Join(data, c.zones), c.field)
			results := map[string]*zonal.Statistics{}
			for rule, r := range terraRules {
				for i, one := range countReal(t, c.cov, zones, in, r, zonal.Query{Group: zonal.NoGroup, Bands: []int{0}, Stats: zonal.Moments}) {
					results[names[i]+" "+rule] = one.Bands[0].Statistics
				}
			}
			for _, row := range terraRows(t, filepath.Join(data, "expected/zonal_terra", c.expected)) {
				zone := row["zone"]
				if zone == "Zion" {
					zone = "ZION"
				}
				got := results[zone+" "+row["rule"]]
				if got == nil {
					t.Fatalf("there is no zone %s", zone)
				}
				// terra leaves one pixel of this zone out, and so half a pixel of its area,
				// which GDAL says is that of 57.8368 pixels.
				if zone == "29105" && row["rule"] != "centre" {
					if row["rule"] == "exact" && !near(got.Count, "57.836799985", 1e-9) || row["rule"] == "touches" && got.Count != 84 {
						t.Errorf("%s, %s: %v pixels", zone, row["rule"], got.Count)
					}
					continue
				}
				if !near(got.Count, row["count"], 1e-5) || !near(got.Mean, row["mean"], 1e-6) || !near(got.Min, row["min"], 1e-6) ||
					!near(got.Max, row["max"], 1e-6) || !near(got.Std, row["std"], 1e-5) || !near(got.Sum, row["sum"], 1e-5) {
					t.Errorf("%s, %s: %+v, and terra has %v", zone, row["rule"], got, row)
				}
			}
		})
	}
}
