package terrain_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/terrain"
)

// heights is a stored layer with holes, whose tiles have 64 pixels a side.
func heights(t testing.TB, ctx context.Context) coverage.Coverage {
	t.Helper()
	db, err := sqlite.Open(ctx, t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := testlayer.Add(ctx, db, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "heights"}, Datatype: rasterbase.Continuous, TileSize: 64, MaxZoom: 9,
		X: 64 * 270, Y: 64 * 180, Width: 200, Height: 180, Bands: []rasterbase.Band{{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-32768)}},
		Value: func(_, x, y int) (float64, bool) {
			return 900 + 700*math.Sin(float64(x)/9) + 500*math.Cos(float64(y)/5), (x/11+y/13)%6 != 1
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := coverage.OpenLayer(ctx, db, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The hillshade and the slope of tiles, each made with a margin of one pixel,
// are together those of the whole, where pixels are as they are stored and where
// they are blended.
func TestTilesHaveNoSeams(t *testing.T) {
	c := heights(t, t.Context())
	for _, r := range []coverage.TileRequest{
		{Z: 7, X: 67, Y: 45, Size: 64},
		{Z: 8, X: 135, Y: 90, Size: 64},
		{Z: 8, X: 135, Y: 90, Size: 50, Resampling: rasterbase.Bilinear},
		{Z: 8, X: 135, Y: 90, Size: 150, Resampling: rasterbase.Cubic},
		{Z: 10, X: 541, Y: 361, Size: 64, Resampling: rasterbase.Bilinear},
		{Z: 11, X: 1085, Y: 722, Size: 64, Resampling: rasterbase.Cubic},
	} {
		t.Run(fmt.Sprintf("%d of zoom %d %s", r.Size, r.Z, r.Resampling), func(t *testing.T) {
			r.Margin = 1
			whole := r
			whole.Size *= 2
			shade, slope := draw(t, c, whole)
			valid := 0
			for i := range 4 {
				part := r
				part.Z, part.X, part.Y = r.Z+1, 2*r.X+i%2, 2*r.Y+i/2
				partShade, partSlope := draw(t, c, part)
				wantShade := shade.Crop(i%2*r.Size, i/2*r.Size, r.Size, r.Size)
				wantSlope := slope.Crop(i%2*r.Size, i/2*r.Size, r.Size, r.Size)
				for k := range r.Size * r.Size {
					if partShade.Valid(0, k) {
						valid++
					}
					a, b := partShade.Bands[0].Pixels.At(k), wantShade.Bands[0].Pixels.At(k)
					if a != b {
						t.Fatalf("part %d, pixel %d,%d is as bright as %v, and %v in the whole", i, k%r.Size, k/r.Size, a, b)
					}
					a, b = partSlope.Bands[0].Pixels.At(k), wantSlope.Bands[0].Pixels.At(k)
					if math.Abs(a-b) > 1e-5 || partSlope.Valid(0, k) != wantSlope.Valid(0, k) {
						t.Fatalf("part %d, pixel %d,%d slopes by %v, and by %v in the whole", i, k%r.Size, k/r.Size, a, b)
					}
				}
			}
			if valid < r.Size*r.Size {
				t.Errorf("only %d pixels are valid", valid)
			}
		})
	}
}

func draw(t *testing.T, c coverage.Coverage, r coverage.TileRequest) (shade, slope *raster.Raster) {
	t.Helper()
	tile, err := coverage.Tile(t.Context(), c, r)
	if err != nil {
		t.Fatal(err)
	}
	ground := terrain.Mercator(tile.Grid)
	if shade, err = terrain.Hillshade(tile, ground, terrain.Heights{}, terrain.Light{}); err != nil {
		t.Fatal(err)
	}
	if slope, err = terrain.Slope(tile, ground, terrain.Heights{}); err != nil {
		t.Fatal(err)
	}
	return shade, slope
}
