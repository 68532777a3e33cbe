package raster_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// The mask says what Valid says of each pixel, for every type, with nodata that
// the type holds or cannot hold, and with a validity or without.
func TestValidMaskIsWhatValidSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(rasterbase.PixelTypes).Draw(t, "type")
		values := []float64{0, 1, 2, -1, 0.5, 255, 300, 1e40}
		if kind.IsFloat() {
			values = append(values, math.NaN(), math.Inf(1), math.Inf(-1))
		}
		value := rapid.SampledFrom(values)
		r := raster.New(rasterbase.Grid{Width: 5, Height: 3}, 0, kind)
		b := &r.Bands[0]
		b.HasNodata = rapid.Bool().Draw(t, "has nodata")
		b.Nodata = rapid.SampledFrom(append(values, math.NaN())).Draw(t, "nodata")
		for i := range b.Pixels.Len() {
			b.Pixels.Set(i, value.Draw(t, "pixel"))
		}
		if rapid.Bool().Draw(t, "has validity") {
			r.Validity = rapid.SliceOfN(rapid.SampledFrom([]uint8{0, 1, 255}), 15, 15).Draw(t, "validity")
		}
		mask := r.ValidMask(0)
		for i := range b.Pixels.Len() {
			if got := mask == nil || mask[i] != 0; got != r.Valid(0, i) {
				t.Fatalf("pixel %d, %v, nodata %v: the mask says %t", i, b.Pixels.At(i), b.Nodata, got)
			}
		}
	})
}
