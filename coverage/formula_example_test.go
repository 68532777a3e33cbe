package coverage_test

import (
	"context"
	"fmt"
	"os"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/sqlite"
)

// A vegetation index of two bands is read as any layer is.
func ExampleNewFormula() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "formula-example-")
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
	byte8 := rasterbase.Band{PixelType: rasterbase.Uint8}
	scene, err := testlayer.Add(ctx, st, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "scene"}, Datatype: rasterbase.Continuous, MaxZoom: 1,
		Bands: []rasterbase.Band{byte8, byte8}, Width: 512, Height: 512,
		Value: func(band, _, _ int) (float64, bool) { return []float64{50, 150}[band], true },
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	c, err := coverage.Open(ctx, st, scene.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	ndvi, err := algebra.Parse("(nir - red) / (nir + red)", algebra.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := coverage.NewFormula(ctx, ndvi, []coverage.Input{
		{Name: "red", Coverage: c, Band: 0}, {Name: "nir", Coverage: c, Band: 1},
	}, coverage.FormulaOptions{Name: "NDVI"})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := f.Describe()
	tile, err := coverage.Tile(ctx, f, coverage.TileRequest{Z: 1, X: 0, Y: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	at, err := coverage.At(ctx, f, coverage.PointRequest{Point: crs.Point{X: 9, Y: 48}, CRS: rasterbase.CRS{SRID: 4326}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s is %s, zoom 0 to %d\n", d.Name, d.Datatype, d.MaxZoom)
	fmt.Printf("a tile of %d x %d pixels, and the pixel at 9, 48 is %v\n", tile.Width, tile.Height, at.Values[0].Value)
	// Output:
	// NDVI is continuous, zoom 0 to 1
	// a tile of 256 x 256 pixels, and the pixel at 9, 48 is 0.5
}
