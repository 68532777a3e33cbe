package render_test

import (
	"image/color"
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
)

const benchTiles = 200

// surface is a smooth field of -1 to 1 with some noise, other for each tile.
func surface(tile, x, y int) float64 {
	u, v := float64(x)+256*float64(tile%37), float64(y)+256*float64(tile/37)
	s := math.Sin(u/61) + math.Sin(v/47) + math.Sin((u+v)/23) + math.Sin((u-2*v)/11)*0.5 + math.Sin(u*v/9000)*0.5
	h := uint32(x*73856093^y*19349663^tile*83492791) * 2654435761
	return math.Max(-1, math.Min(1, s/4+float64(h>>16)/65536*0.04))
}

// tiles makes rasters whose values are those of the surface, through f.
func tiles(pt rasterbase.PixelType, f func(s float64) float64) []*raster.Raster {
	out := make([]*raster.Raster, benchTiles)
	for i := range out {
		r := raster.New(rasterbase.Grid{Width: 256, Height: 256}, 3857, pt)
		r.Bands[0].HasNodata, r.Bands[0].Nodata = true, 0
		for p := range 256 * 256 {
			r.Bands[0].Pixels.Set(p, f(surface(i, p%256, p/256)))
		}
		out[i] = r
	}
	return out
}

func classes(n int) func(s float64) float64 {
	return func(s float64) float64 { return math.Floor((s + 1) / 2 * (float64(n) - 0.001)) }
}

func BenchmarkTile(b *testing.B) {
	ramp := &rasterbase.Colormap{Ramp: &rasterbase.Ramp{Min: -500, Max: 3000, Colors: wheels(256)}}
	for i := range ramp.Ramp.Colors {
		ramp.Ramp.Colors[i] = color.NRGBA{uint8(i), uint8(255 - i), uint8(i * i >> 8), 255}
	}
	metres := func(s float64) float64 { return s*1700 + 1200 }
	table := func(n int) *rasterbase.Colormap { return &rasterbase.Colormap{Table: wheels(n)} }
	greys := &rasterbase.Colormap{First: -600, Table: make([]color.NRGBA, 3700)}
	for i := range greys.Table {
		g := uint8(i * 255 / 3700)
		greys.Table[i] = color.NRGBA{g, g, g, 255}
	}
	breaks := &rasterbase.Colormap{Func: func(v float64) color.NRGBA { return wheel(int(v+600) / 350) }}
	for _, bb := range []struct {
		name  string
		pt    rasterbase.PixelType
		value func(s float64) float64
		m     *rasterbase.Colormap
	}{
		{"uint8 of 11 classes", rasterbase.Uint8, classes(11), table(11)},
		{"uint8 of 40 classes", rasterbase.Uint8, classes(40), table(40)},
		{"int16 of 11 classes", rasterbase.Int16, classes(11), table(11)},
		{"int16 grey", rasterbase.Int16, metres, greys},
		{"int16 of 5000 colours", rasterbase.Int16, metres, table(5000)},
		{"float32 ramp", rasterbase.Float32, metres, ramp},
		{"float32 function", rasterbase.Float32, metres, breaks},
	} {
		b.Run(bb.name, func(b *testing.B) {
			rasters := tiles(bb.pt, bb.value)
			b.ReportAllocs()
			i, size := 0, 0
			for b.Loop() {
				out, err := render.Tile(rasters[i%benchTiles], render.Options{Colormap: bb.m})
				if err != nil {
					b.Fatal(err)
				}
				i, size = i+1, size+len(out)
			}
			b.ReportMetric(float64(size)/float64(i), "bytes/tile")
		})
	}
	b.Run("RGB", func(b *testing.B) {
		rgb := tiles(rasterbase.Uint8, classes(250))
		for i, r := range rgb {
			r.Bands = append(r.Bands, rgb[(i+1)%benchTiles].Bands[0], rgb[(i+2)%benchTiles].Bands[0])
		}
		b.ReportAllocs()
		i, size := 0, 0
		for b.Loop() {
			out, err := render.Tile(rgb[i%benchTiles], render.Options{Bands: []int{0, 1, 2}})
			if err != nil {
				b.Fatal(err)
			}
			i, size = i+1, size+len(out)
		}
		b.ReportMetric(float64(size)/float64(i), "bytes/tile")
	})
}
