package resample_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
)

// BenchmarkWarp warps a 256x256 tile, slightly turned, out of a window of
// 600x600 pixels. MB/s are millions of target pixels a second.
func BenchmarkWarp(b *testing.B) {
	const size, window = 256, 600
	for _, typ := range []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Int16, rasterbase.Float32} {
		for _, m := range methods {
			for _, scale := range []float64{1, 0.5} {
				if m == rasterbase.Nearest && scale != 1 {
					continue
				}
				for _, masked := range []bool{false, true} {
					name := fmt.Sprintf("%v/%v/scale=%v/masked=%v", m, typ, scale, masked)
					b.Run(name, func(b *testing.B) { benchmarkWarp(b, typ, size, window, scale, m, masked) })
				}
			}
		}
	}
}

func benchmarkWarp(b *testing.B, typ rasterbase.PixelType, size, window int, scale float64, m rasterbase.Resampling, masked bool) {
	r := rand.New(rand.NewPCG(1, 2))
	src := resample.Source{
		X: 1000, Y: 2000, Width: window, Height: window, FullWidth: 20000, FullHeight: 20000,
		Pixels: values(typ, window*window, r),
	}
	if masked {
		src.Valid = make([]uint8, window*window)
		for i := range src.Valid {
			if r.IntN(50) > 0 {
				src.Valid[i] = 1
			}
		}
	}
	p := resample.Places{X: make([]float64, size*size), Y: make([]float64, size*size)}
	for i := range p.X {
		x, y := float64(i%size)/scale, float64(i/size)/scale
		p.X[i], p.Y[i] = 1030.3+x*0.99+y*0.02, 2010.1+y*0.98+x*0.03
	}
	dst, ok := raster.NewPixels(typ, size*size), make([]uint8, size*size)
	b.SetBytes(int64(size * size))
	b.ReportAllocs()
	for b.Loop() {
		resample.Warp(dst, ok, src, p, resample.Kernel{Method: m, ScaleX: scale, ScaleY: scale})
	}
}

// BenchmarkReduce makes one 256x256 parent. MB/s are millions of child pixels
// a second.
func BenchmarkReduce(b *testing.B) {
	const n = 256
	for _, typ := range []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Int16, rasterbase.Float32} {
		for _, rule := range []resample.Rule{resample.Mean, resample.Mode, resample.LowerMedian} {
			for _, kind := range []string{"whole", "nodata", "validity"} {
				r := rand.New(rand.NewPCG(1, 2))
				tile := raster.New(rasterbase.Grid{Width: n, Height: n}, 3857, typ)
				tile.Bands[0].Pixels = values(typ, n*n, r)
				switch kind {
				case "nodata":
					tile.Bands[0].HasNodata, tile.Bands[0].Nodata = true, 7
				case "validity":
					tile.Validity = make([]uint8, n*n)
					for i := range tile.Validity {
						tile.Validity[i] = uint8(r.IntN(5))
					}
				}
				b.Run(fmt.Sprintf("%v/%v/%s", rule, typ, kind), func(b *testing.B) {
					b.SetBytes(4 * n * n)
					b.ReportAllocs()
					for b.Loop() {
						resample.Reduce([4]*raster.Raster{tile, tile, tile, tile}, rule)
					}
				})
			}
		}
	}
}
