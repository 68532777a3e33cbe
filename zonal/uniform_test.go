package zonal

import (
	"math/rand/v2"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// What is told of a rectangle as a whole is what its pixels say.
func TestUniformGroundIsThatOfPixels(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for srid, g := range map[int]rasterbase.Grid{
		4326:  {OriginX: -180, OriginY: 90, ScaleX: 0.01, ScaleY: -0.01, Width: 36000, Height: 18000},
		3857:  {OriginX: -2e7, OriginY: 2e7, ScaleX: 1000, ScaleY: -1000, Width: 40000, Height: 40000},
		32632: {OriginX: 200000, OriginY: 7e6, ScaleX: 30, ScaleY: -30, Width: 20000, Height: 60000},
	} {
		ground, err := newGround(g, rasterbase.CRS{SRID: srid}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			rect := raster.Rect{X: r.IntN(g.Width), Y: r.IntN(g.Height), Width: 1 + r.IntN(300), Height: 1 + r.IntN(300)}
			want, err := ground.of(t.Context(), rect)
			if err != nil {
				t.Fatal(err)
			}
			area, ok, err := ground.uniform(t.Context(), rect)
			if err != nil {
				t.Fatal(err)
			}
			if ok != (want.rows == nil && want.pixels == nil) || ok && area != want.uniform {
				t.Errorf("%d, %v: %v, %v, and pixels have %v", srid, rect, area, ok, want.uniform)
			}
		}
		// Hundreds of gigabytes, if each pixel were looked at.
		if _, _, err := ground.uniform(t.Context(), raster.Rect{Width: 1 << 18, Height: 1 << 18}); err != nil {
			t.Error(err)
		}
	}
}
