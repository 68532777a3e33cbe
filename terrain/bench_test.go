package terrain_test

import (
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/terrain"
)

// hills is a raster of web mercator whose heights are in one band.
func hills(t rasterbase.PixelType, width, height int) *raster.Raster {
	g := rasterbase.Grid{Width: width, Height: height, OriginX: 1_113_195, OriginY: 5_900_000, ScaleX: 30, ScaleY: -30}
	r := raster.New(g, 3857, t)
	for i := range width * height {
		x, y := float64(i%width), float64(i/width)
		r.Bands[0].Pixels.Set(i, 60+20*math.Sin(x/9)+25*math.Cos(y/7+x/31)+10*math.Sin(x*y/97))
	}
	return r
}

// BenchmarkTerrain makes tiles of 256 pixels a side.
func BenchmarkTerrain(b *testing.B) {
	for _, t := range []rasterbase.PixelType{rasterbase.Int16, rasterbase.Float32, rasterbase.Float64} {
		r := hills(t, 258, 258)
		holes := hills(t, 258, 258)
		holes.Bands[0].HasNodata, holes.Bands[0].Nodata = true, -1
		for i := 0; i < 258*258; i += 37 {
			holes.Bands[0].Pixels.Set(i, -1)
		}
		tile := r.Crop(1, 1, 256, 256)
		for name, run := range map[string]func() (*raster.Raster, error){
			"hillshade": func() (*raster.Raster, error) {
				return terrain.Hillshade(r, terrain.Mercator(r.Grid), terrain.Heights{}, terrain.Light{})
			},
			"hillshade with holes": func() (*raster.Raster, error) {
				return terrain.Hillshade(holes, terrain.Mercator(r.Grid), terrain.Heights{}, terrain.Light{})
			},
			"multidirectional": func() (*raster.Raster, error) {
				return terrain.Hillshade(r, terrain.Mercator(r.Grid), terrain.Heights{}, terrain.Light{Multidirectional: true})
			},
			"slope": func() (*raster.Raster, error) {
				return terrain.Slope(r, terrain.Mercator(r.Grid), terrain.Heights{})
			},
			"terrainrgb": func() (*raster.Raster, error) { return terrain.TerrainRGB(tile, terrain.Heights{}, nil) },
			"terrarium":  func() (*raster.Raster, error) { return terrain.Terrarium(tile, terrain.Heights{}, nil) },
		} {
			b.Run(name+"/"+t.String(), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
