package terrain_test

import (
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/terrain"
)

// A roof of 5 x 4 pixels of a metre, whose ridge runs from north to south, as its
// inner pixels are seen.
func Example() {
	g := rasterbase.Grid{Width: 5, Height: 4, OriginX: 500000, OriginY: 5400000, ScaleX: 1, ScaleY: -1}
	r := raster.New(g, 32632, rasterbase.Float32)
	for i := range 20 {
		r.Bands[0].Pixels.Set(i, []float64{10, 11, 12, 11, 10}[i%5])
	}
	ground := terrain.Projected(g, 1)
	shade, err := terrain.Hillshade(r, ground, terrain.Heights{}, terrain.Light{})
	if err != nil {
		fmt.Println(err)
		return
	}
	slope, err := terrain.Slope(r, ground, terrain.Heights{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("light:  ", shade.Bands[0].Pixels.Range(0, 3))
	fmt.Println("degrees:", slope.Bands[0].Pixels.Range(0, 3))
	// Output:
	// light:   [218 181 38]
	// degrees: [45 0 45]
}
