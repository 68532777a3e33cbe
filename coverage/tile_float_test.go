package coverage_test

import (
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
)

// Whole numbers that are blended as floating-point ones give what the same heights
// give that were floating-point ones from the start.
func TestBlendedWholeNumbersKeepTheirFractions(t *testing.T) {
	st := open(t)
	heights := func(b rasterbase.Band) coverage.Coverage {
		return layer(t, st, testlayer.Spec{
			Layer: rasterbase.Layer{Name: "heights"}, Datatype: rasterbase.Continuous, Bands: []rasterbase.Band{b},
			MaxZoom: 6, X: 33 * 256, Y: 22 * 256, Width: 256, Height: 256,
			Value: func(_, x, y int) (float64, bool) {
				return math.Round(300 * math.Sin(float64(x)/9) * math.Cos(float64(y)/7)), (x/16+y/16)%5 != 0
			},
		})
	}
	want := heights(rasterbase.Band{PixelType: rasterbase.Float32})
	for _, whole := range []rasterbase.Band{
		{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-32768)},
		{PixelType: rasterbase.Int16}, // with a validity band
		{PixelType: rasterbase.Int32, Nodata: rasterbase.FloatPtr(-9999)},
	} {
		for _, how := range []rasterbase.Resampling{rasterbase.Bilinear, rasterbase.Cubic} {
			r := coverage.TileRequest{Z: 9, X: 33<<3 + 2, Y: 22<<3 + 3, Margin: 1, Resampling: how, Float: true}
			a, b := tile(t, want, r), tile(t, heights(whole), r)
			if got := b.Bands[0].Type; !got.IsFloat() {
				t.Fatalf("%v pixels are blended as %v", whole.PixelType, got)
			}
			fractions := 0
			for i := range a.Bands[0].Pixels.Len() {
				if a.Valid(0, i) != b.Valid(0, i) {
					t.Fatalf("%v, %s: pixel %d is valid in one of them", whole.PixelType, how, i)
				}
				v, w := a.Bands[0].Pixels.At(i), b.Bands[0].Pixels.At(i)
				if a.Valid(0, i) && math.Abs(v-w) > 1e-3 {
					t.Fatalf("%v, %s: pixel %d is %v, want %v", whole.PixelType, how, i, w, v)
				}
				if v != math.Round(v) {
					fractions++
				}
			}
			if fractions < 1000 {
				t.Fatalf("%d pixels have fractions", fractions)
			}
			r.Float = false
			if got := tile(t, heights(whole), r).Bands[0].Type; got != whole.PixelType {
				t.Errorf("pixels of %v become %v unasked", whole.PixelType, got)
			}
		}
	}
}

func tile(t *testing.T, c coverage.Coverage, r coverage.TileRequest) *raster.Raster {
	t.Helper()
	out, err := coverage.Tile(t.Context(), c, r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
