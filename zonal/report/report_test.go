package report_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/zonal"
	"github.com/rasterbase/rasterbase/zonal/report"
)

func subject() *report.Subject {
	return &report.Subject{
		Layers: []report.Layer{{ID: 3, Name: "Land cover", Slug: "land-cover", Revision: 7, Checksum: "sha256:ab"}}, Datatype: rasterbase.Categorical,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}, {PixelType: rasterbase.Float32}},
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCountsAreWholeNumbers(t *testing.T) {
	r := &zonal.Result{Made: zonal.Made{Exact: true, Outside: -1}, Bands: []zonal.BandResult{{
		Group: zonal.ByValue, Valid: 4, Nodata: 1, Counts: []zonal.Row{{Value: 5, Count: 3}, {Value: 7, Count: 1}},
	}}}
	got := text(t, report.New(subject(), r, 0))
	for _, want := range []string{
		`"counts":[{"value":5,"count":3,"share":0.75},{"value":7,"count":1,"share":0.25}]`, `"pixels":{"valid":4,"nodata":1,"outside":null}`,
		`"layers":[{"id":3,"name":"Land cover","slug":"land-cover","revision":7,"source_checksum":"sha256:ab"}]`, `"total":{"count":4}`, `"level":"base"`, `"exact":true`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestStatisticsHaveTheNamesOfTiTiler(t *testing.T) {
	s := subject()
	s.Percentiles = []float64{2, 97.5}
	v := float64(float32(0.1))
	b := &zonal.BandResult{Band: 1, Group: zonal.NoGroup, Valid: 3, Nodata: 1, Statistics: &zonal.Statistics{
		Count: 3, Sum: 0.3, Mean: 0.1, Min: v, Max: v, Median: math.NaN(), Percentiles: []float64{v, math.NaN()}, Unique: 1, VarietyKnown: true,
	}}
	got := s.Statistics(b)
	for name, want := range map[string]any{"min": 0.1, "count": 3.0, "median": nil, "percentile_2": v, "percentile_97.5": nil, "valid_percent": 75.0, "unique": int64(1)} {
		if got[name] != want {
			t.Errorf("%s is %v, and not %v", name, got[name], want)
		}
	}
	s.Only = []string{"mean"}
	if got := s.Statistics(b); got["mean"] != 0.1 || got["sum"] != nil {
		t.Errorf("%v", got)
	}
}

func TestClassesOfALegend(t *testing.T) {
	l := &rasterbase.Legend{Title: "Cover", Entries: []rasterbase.Entry{
		{Semantics: rasterbase.Semantics{Name: "Forest"}, Expression: "1"},
		{Semantics: rasterbase.Semantics{Name: "Water"}, Expression: "2"},
		{Semantics: rasterbase.Semantics{Name: "Forest"}, Expression: "(x > 2) & (x < 5)"},
	}}
	entries, all, err := report.ByLegend(l, rasterbase.Uint8)
	if err != nil || len(all) != 3 || entries.Of(3) != 2 || entries.Of(9) != -1 {
		t.Errorf("%v %v", all, err)
	}
	semantics, all, err := report.BySemantics(l, rasterbase.Uint8)
	if err != nil || len(all) != 2 || semantics.Of(1) != 0 || semantics.Of(4) != 0 || semantics.Of(2) != 1 || semantics.Of(9) != -1 {
		t.Errorf("%v %v", all, err)
	}
	if _, _, err := report.ByLegend(&rasterbase.Legend{Title: "Ramp"}, rasterbase.Uint8); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Error(err)
	}
}

func Example() {
	var b strings.Builder
	t, err := report.NewCSV(&b, true, []string{"min"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := &zonal.Result{Bands: []zonal.BandResult{{Group: zonal.ByValue, Valid: 4, Counts: []zonal.Row{{Value: 5, Count: 3}, {Value: 7, Count: 1}}, Statistics: &zonal.Statistics{Min: 5}}}}
	if err := t.Write("=A1", report.New(subject(), r, 0)); err != nil {
		fmt.Println(err)
	}
	// A zone without pixels has a row all the same.
	if err := t.Write("nowhere", report.New(subject(), &zonal.Result{Made: zonal.Made{Outside: 6}, Bands: []zonal.BandResult{{Group: zonal.ByValue}}}, 0)); err != nil {
		fmt.Println(err)
	}
	if err := t.Flush(); err != nil {
		fmt.Println(err)
	}
	fmt.Print(b.String())
	// Output:
	// zone,layer,revision,source_checksum,band,valid,nodata,outside,value,name,min,max,count,share,area,zone_min
	// '=A1,land-cover,7,sha256:ab,1,4,0,0,5,,,,3,0.75,,5
	// '=A1,land-cover,7,sha256:ab,1,4,0,0,7,,,,1,0.25,,5
	// nowhere,land-cover,7,sha256:ab,1,0,0,6,,,,,0,0,,
}
