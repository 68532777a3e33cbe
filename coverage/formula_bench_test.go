package coverage_test

import (
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// BenchmarkFormula compares a tile of NDVI with reading its inputs alone, from the
// database and from a store that keeps decoded tiles, and looks up a window on the
// grid of one input.
func BenchmarkFormula(b *testing.B) {
	for name, p := range map[string]rasterbase.PixelType{"float32": rasterbase.Float32, "uint16": rasterbase.Uint16} {
		s := testlayer.Spec{
			Layer: rasterbase.Layer{Name: name}, Datatype: rasterbase.Continuous, TileSize: 256, MaxZoom: 2, Width: 1024, Height: 1024,
			Bands: []rasterbase.Band{{PixelType: p, Nodata: rasterbase.FloatPtr(0)}},
			Value: func(_, x, y int) (float64, bool) {
				return math.Floor(5000 + 3000*math.Sin(float64(x)/50)*math.Cos(float64(y)/70)), (x/100+y/100)%7 != 0
			},
		}
		db := open(b)
		for stored, st := range map[string]store.Store{"stored": db, "decoded": cached{db, cachedTiles{kept: map[store.TileKey]*raster.Raster{}}}} {
			red, nir := layer(b, st, s), layer(b, st, s)
			f := formula(b, "(n-r)/(n+r)", coverage.FormulaOptions{}, input("n", nir, 0), input("r", red, 0))
			r := coverage.TileRequest{Z: 2, X: 1, Y: 1}
			b.Run(name+"/"+stored+"/inputs alone", func(b *testing.B) {
				for b.Loop() {
					for _, c := range []coverage.Coverage{red, nir} {
						if _, err := coverage.Tile(b.Context(), c, r); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
			b.Run(name+"/"+stored+"/NDVI", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := coverage.Tile(b.Context(), f, r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	st := open(b)
	grid := rasterbase.Grid{Width: 2000, Height: 2000, OriginX: 500000, OriginY: 5000000, ScaleX: 10, ScaleY: -10}
	degrees := rasterbase.Grid{Width: 4000, Height: 4000, OriginX: 14.9, OriginY: 45.3, ScaleX: 0.0001, ScaleY: -0.0001}
	utm, _ := gridLayer(b, st, grid, 32633, rasterbase.Band{PixelType: rasterbase.Float32})
	other, _ := gridLayer(b, st, degrees, 4326, rasterbase.Band{PixelType: rasterbase.Float32})
	f := formula(b, "a - b", coverage.FormulaOptions{Grid: "a"}, input("a", utm, 0), input("b", other, 0))
	b.Run("256 x 256 on the grid of one", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.Window(b.Context(), coverage.WindowRequest{X: 512, Y: 512, Width: 256, Height: 256}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
