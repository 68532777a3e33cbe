package testlayer_test

import (
	"slices"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/sqlite"
)

// Everything that reads finds the layer as if a file had been parsed.
func TestALayerReadsAsItWasDescribed(t *testing.T) {
	ctx := t.Context()
	st, err := sqlite.Open(ctx, t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	layer, err := testlayer.Add(ctx, st, testlayer.Spec{
		Layer:    rasterbase.Layer{Name: "Checkers"},
		Datatype: rasterbase.Categorical,
		Bands:    slices.Repeat([]rasterbase.Band{{PixelType: rasterbase.Int16}}, 6), // more than share a tile, without nodata
		TileSize: 64, MaxZoom: 3, X: 100, Y: 130, Width: 150, Height: 70,
		Value: func(band, x, y int) (float64, bool) { return float64((x + y + band) % 2), x != y },
	})
	if err != nil {
		t.Fatal(err)
	}
	cov, err := coverage.OpenLayer(ctx, st, layer.ID)
	if err != nil {
		t.Fatal(err)
	}
	for level, origin := range map[coverage.Level][2]int{coverage.BaseLevel: {0, 0}, coverage.ZoomLevel(3): {100, 130}} {
		r, err := cov.Window(ctx, coverage.WindowRequest{Level: level, X: origin[0], Y: origin[1], Width: 150, Height: 70})
		if err != nil {
			t.Fatal(err)
		}
		for band := range 6 {
			for i := range 150 * 70 {
				x, y := i%150, i/150
				if got := r.Valid(band, i); got != (x != y) {
					t.Fatalf("%v band %d pixel %d,%d: valid %v", level, band, x, y, got)
				}
				if got := r.Bands[band].Pixels.At(i); x != y && got != float64((x+y+band)%2) {
					t.Fatalf("%v band %d pixel %d,%d: %v", level, band, x, y, got)
				}
			}
		}
	}
	if b := cov.Describe().Bands[0]; b.Count != 150*70-70 || b.Min != 0 || b.Max != 1 {
		t.Errorf("statistics %+v", b)
	}
}
