package coverage_test

import (
	"context"
	"fmt"
	"os"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/sqlite"
)

// Which layers and tiles a region touches, and the values at some places.
func Example_places() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "coverage-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	st, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()
	_, err = testlayer.Add(ctx, st, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "heights"}, Datatype: rasterbase.Continuous, MaxZoom: 2,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Int16}}, X: 512, Y: 256, Width: 300, Height: 256,
		Value: func(_, x, y int) (float64, bool) { return float64(x + y), true },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	degrees := rasterbase.CRS{SRID: 4326}
	region := orb.Polygon{{{10, 10}, {95, 10}, {95, 20}, {10, 10}}}
	layers, err := coverage.Layers(ctx, st, coverage.LayersQuery{Geometry: region, CRS: degrees, Transformer: crs.Closed{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range layers {
		fmt.Println(c.Layer().Name)
		for at, err := range c.Tiles(ctx, coverage.TileQuery{Level: coverage.ZoomLevel(2), Geometry: region, CRS: degrees, Transformer: crs.Closed{}}) {
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println("tile", at.X, at.Y)
		}
		pixels, err := coverage.ValuesAt(ctx, c, coverage.PointsRequest{
			Points: []crs.Point{{X: 10, Y: 10}, {X: -10, Y: 10}, {X: 95, Y: 20}}, CRS: degrees, Transformer: crs.Closed{},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, p := range pixels {
			if p.Inside {
				fmt.Println(p.Values[0].Value)
			} else {
				fmt.Println("outside")
			}
		}
	}
	// Output:
	// heights
	// tile 2 1
	// tile 3 1
	// 255
	// outside
	// 467
}
