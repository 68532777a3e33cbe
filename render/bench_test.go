package render_test

import (
	"image/color"
	"math"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
)

// benchTiles is how many different tiles a benchmark goes through: one tile over
// and over would flatter what the processor predicts.
const benchTiles = 2000

// surface is a smooth field of -1 to 1 with some noise, other for each tile.
func surface(tile, x, y int) float64 {
	u, v := x+256*(tile%37), y+256*(tile/37)
	w := waves()
	s := w[0][u] + w[1][v] + w[2][u+v] + w[3][u-2*v+waveOffset]/2 + w[4][2*u+v]/2
	h := uint32(x*73856093^y*19349663^tile*83492791) * 2654435761
	return math.Max(-1, math.Min(1, s/4+float64(h>>16)/65536*0.04))
}

const waveOffset = 40000

// waves are tables of the sines that the surface is made of.
var waves = sync.OnceValue(func() (w [5][]float64) {
	for i, length := range []float64{61, 47, 23, 11, 37} {
		w[i] = make([]float64, 60000)
		for k := range w[i] {
			w[i][k] = math.Sin(float64(k) / length)
		}
	}
	return w
})

// tiles makes rasters whose values are those of the surface, through f.
func tiles(pt rasterbase.PixelType, nodata float64, f func(s float64) float64) []*raster.Raster {
	out := make([]*raster.Raster, benchTiles)
	var wait sync.WaitGroup
	for part := range 4 {
		wait.Go(func() {
			for i := part; i < benchTiles; i += 4 {
				r := raster.New(rasterbase.Grid{Width: 256, Height: 256}, 3857, pt)
				r.Bands[0].HasNodata, r.Bands[0].Nodata = true, nodata
				for p := range 256 * 256 {
					r.Bands[0].Pixels.Set(p, f(surface(i, p%256, p/256)))
				}
				out[i] = r
			}
		})
	}
	wait.Wait()
	return out
}

func classes(n int) func(s float64) float64 {
	return func(s float64) float64 { return math.Floor((s + 1) / 2 * (float64(n) - 0.001)) }
}

// withHoles gives NaN to what lies low, a tenth of the surface.
func withHoles(f func(s float64) float64) func(s float64) float64 {
	return func(s float64) float64 {
		if s < -0.45 {
			return math.NaN()
		}
		return f(s)
	}
}

func metres(s float64) float64 { return s*1700 + 1200 }

// rampColors are the 256 colours of a colormap such as viridis.
func rampColors() []color.NRGBA {
	out := wheels(256)
	for i := range out {
		out[i] = color.NRGBA{uint8(i), uint8(255 - i), uint8(i * i >> 8), 255}
	}
	return out
}

func benchmarkTiles(b *testing.B, rasters []*raster.Raster, o render.Options) {
	b.ReportAllocs()
	i, size := 0, 0
	for b.Loop() {
		out, err := render.Tile(rasters[i%benchTiles], o)
		if err != nil {
			b.Fatal(err)
		}
		i, size = i+1, size+len(out)
	}
	b.ReportMetric(float64(size)/float64(i), "bytes/tile")
}

func BenchmarkTile(b *testing.B) {
	ramp := &rasterbase.Colormap{Ramp: &rasterbase.Ramp{Min: -500, Max: 3000, Colors: rampColors()}}
	var breaks []float64
	for i := range 255 {
		breaks = append(breaks, -500+3500*math.Pow(float64(i)/255, 1.3))
	}
	steps := &rasterbase.Colormap{Steps: rasterbase.NewSteps(breaks, rampColors())}
	table := func(n int) *rasterbase.Colormap { return &rasterbase.Colormap{Table: wheels(n)} }
	tabled := &rasterbase.Colormap{First: -600} // as a legend on 16 bits is compiled
	for v := -600; v < 3100; v++ {
		tabled.Table = append(tabled.Table, ramp.At(float64(v)))
	}
	breaksByFunc := &rasterbase.Colormap{Func: func(v float64) color.NRGBA { return wheel(int(v+600) / 350) }}
	for _, bb := range []struct {
		name   string
		pt     rasterbase.PixelType
		nodata float64
		value  func(s float64) float64
		m      *rasterbase.Colormap
	}{
		{"uint8 of 11 classes", rasterbase.Uint8, 0, classes(11), table(11)},
		{"uint8 of 2 classes", rasterbase.Uint8, 0, classes(2), table(2)},
		{"uint8 of 40 classes", rasterbase.Uint8, 0, classes(40), table(40)},
		{"int16 of 11 classes", rasterbase.Int16, 0, classes(11), table(11)},
		{"float32 of 11 classes", rasterbase.Float32, 0, classes(11), table(11)},
		{"int16 ramp", rasterbase.Int16, 0, metres, ramp},
		{"int16 ramp as a table", rasterbase.Int16, 0, metres, tabled},
		{"int16 of 5000 colours", rasterbase.Int16, 0, metres, table(5000)},
		{"float32 ramp", rasterbase.Float32, 0, metres, ramp},
		{"float32 ramp with NaN", rasterbase.Float32, math.NaN(), withHoles(metres), ramp},
		{"float32 steps", rasterbase.Float32, 0, metres, steps},
		{"float32 function", rasterbase.Float32, 0, metres, breaksByFunc},
	} {
		var made []*raster.Raster
		b.Run(bb.name, func(b *testing.B) {
			if made == nil { // and not again for -count
				made = tiles(bb.pt, bb.nodata, bb.value)
			}
			benchmarkTiles(b, made, render.Options{Colormap: bb.m})
		})
	}
}

func BenchmarkTileOfThreeBands(b *testing.B) {
	for _, bb := range []struct {
		name  string
		pt    rasterbase.PixelType
		value func(s float64) float64
		o     render.Options
	}{
		{"uint8", rasterbase.Uint8, classes(250), render.Options{}},
		{"uint16", rasterbase.Uint16, metres, render.Options{Rescale: [][2]float64{{0, 3000}}}},
		{"uint8 JPEG", rasterbase.Uint8, classes(250), render.Options{Format: render.JPEG}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			rgb := tiles(bb.pt, 0, bb.value)
			for i, r := range rgb {
				r.Bands = append(r.Bands, rgb[(i+1)%benchTiles].Bands[0], rgb[(i+2)%benchTiles].Bands[0])
			}
			bb.o.Bands = []int{0, 1, 2}
			benchmarkTiles(b, rgb, bb.o)
		})
	}
}

func BenchmarkWebP(b *testing.B) {
	b.Run("uint8 of 11 classes", func(b *testing.B) {
		benchmarkTiles(b, tiles(rasterbase.Uint8, 0, classes(11)), render.Options{Format: render.WebP, Colormap: &rasterbase.Colormap{Table: wheels(11)}})
	})
	b.Run("float32 ramp", func(b *testing.B) {
		ramp := &rasterbase.Colormap{Ramp: &rasterbase.Ramp{Min: -500, Max: 3000, Colors: rampColors()}}
		benchmarkTiles(b, tiles(rasterbase.Float32, 0, metres), render.Options{Format: render.WebP, Colormap: ramp})
	})
	b.Run("int16 of 5000 colours", func(b *testing.B) {
		benchmarkTiles(b, tiles(rasterbase.Int16, 0, metres), render.Options{Format: render.WebP, Colormap: &rasterbase.Colormap{Table: wheels(5000)}})
	})
}

func BenchmarkGeoTIFF(b *testing.B) {
	rasters := tiles(rasterbase.Int16, -9999, metres)
	for _, method := range []string{"", "PACKBITS", "LZW", "DEFLATE", "ZSTD"} {
		b.Run("int16 "+method, func(b *testing.B) {
			b.ReportAllocs()
			i, size := 0, 0
			for b.Loop() {
				out, err := render.GeoTIFF(rasters[i%benchTiles], render.TIFFOptions{Compression: method})
				if err != nil {
					b.Fatal(err)
				}
				i, size = i+1, size+len(out)
			}
			b.ReportMetric(float64(size)/float64(i), "bytes/tile")
		})
	}
}
