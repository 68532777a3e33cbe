package zonal_test

import (
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/zonal"
)

// A table of two layers has the pairs of their pixels, in each zone.
func TestCrossTabIsThePairsOfPixels(t *testing.T) {
	st := openStore(t)
	spec := testlayer.Spec{
		Layer: rasterbase.Layer{Name: "before"}, Datatype: rasterbase.Categorical, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}},
		TileSize: 32, MaxZoom: 4, X: 90, Y: 80, Width: 200, Height: 150,
		Value: func(_, x, y int) (float64, bool) { return float64(x / 40 % 3), y > 10 },
	}
	before := addLayer(t, st, spec)
	spec.Layer.Name = "after"
	spec.Value = func(_, x, y int) (float64, bool) { return float64(y / 30 % 4), x > 7 }
	after := addLayer(t, st, spec)
	cov, err := coverage.NewStack(t.Context(), []coverage.Input{{Name: "before", Coverage: before}, {Name: "after", Coverage: after}}, coverage.StackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := cov.Describe()
	all := []orb.Geometry{disc(d.Grid, 100, 70, 60), nil, disc(d.Grid, 0, 0, 90), disc(d.Grid, 900, 900, 5)}
	z, err := zonal.Place(t.Context(), d, in(d), all)
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 3} {
		got, err := zonal.CrossTab(t.Context(), cov, z, zonal.Query{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range all {
			placer, err := footprint.NewPlacer(t.Context(), d.LevelGrid(coverage.BaseLevel), footprint.Options{CRS: d.CRS})
			if err != nil {
				t.Fatal(err)
			}
			o, err := placer.Place(t.Context(), g)
			if err != nil {
				t.Fatal(err)
			}
			want, valid, nodata := map[[2]float64]float64{}, 0.0, 0.0
			o.Spans(footprint.Centre, raster.Rect{Width: 200, Height: 150}, func(row, from, to int, _ float64) {
				for x := from; x < to; x++ {
					if row <= 10 || x <= 7 {
						nodata++
						continue
					}
					valid++
					want[[2]float64{float64(x / 40 % 3), float64(row / 30 % 4)}]++
				}
			})
			table := got[i]
			if table.Valid != valid || table.Nodata != nodata {
				t.Errorf("zone %d: %v valid, %v not, and should be %v and %v", i, table.Valid, table.Nodata, valid, nodata)
			}
			for r, a := range table.Rows {
				for c, b := range table.Columns {
					if table.Counts[r][c] != want[[2]float64{a, b}] {
						t.Errorf("zone %d: %v pixels of %v and %v, and there are %v", i, table.Counts[r][c], a, b, want[[2]float64{a, b}])
					}
					valid -= table.Counts[r][c]
				}
			}
			if valid != 0 {
				t.Errorf("zone %d: the table has %v pixels too few", i, valid)
			}
		}
	}
	if _, err := zonal.CrossTab(t.Context(), before, z, zonal.Query{}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("of one band: %v", err)
	}
}
