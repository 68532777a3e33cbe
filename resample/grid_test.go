package resample_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
)

// drawSource draws a window of a larger raster, with holes.
func drawSource(t *rapid.T, of rasterbase.PixelType) resample.Source {
	s := resample.Source{
		Width: rapid.IntRange(1, 12).Draw(t, "width"), Height: rapid.IntRange(1, 12).Draw(t, "height"),
		X: rapid.IntRange(0, 3).Draw(t, "left"), Y: rapid.IntRange(0, 3).Draw(t, "top"),
	}
	s.FullWidth = s.X + s.Width + rapid.IntRange(0, 3).Draw(t, "right")
	s.FullHeight = s.Y + s.Height + rapid.IntRange(0, 3).Draw(t, "bottom")
	n := s.Width * s.Height
	s.Pixels = raster.NewPixels(of, n)
	values := rapid.SliceOfN(rapid.IntRange(0, 120), n, n).Draw(t, "pixels")
	for i, v := range values {
		s.Pixels.Set(i, float64(v))
	}
	if rapid.Bool().Draw(t, "holes") {
		s.Valid = make([]uint8, n)
		for i := range s.Valid {
			if rapid.IntRange(0, 9).Draw(t, "hole") > 0 {
				s.Valid[i] = 1
			} else if of.IsFloat() {
				s.Pixels.Set(i, math.NaN())
			}
		}
	}
	return s
}

func drawPlaces(t *rapid.T, full int, name string) []float64 {
	return rapid.SliceOfN(rapid.OneOf(
		rapid.Float64Range(-2, float64(full)+2),
		rapid.Map(rapid.IntRange(-4, 2*full+4), func(n int) float64 { return float64(n) / 2 }),
		rapid.Just(math.NaN()),
	), 1, 9).Draw(t, name)
}

// A grid comes out as its pixels do one by one.
func TestWarpGridIsWarp(t *testing.T) {
	for _, of := range []rasterbase.PixelType{
		rasterbase.Uint8, rasterbase.Int8, rasterbase.Uint16, rasterbase.Int16, rasterbase.Uint32, rasterbase.Int32, rasterbase.Float32, rasterbase.Float64,
	} {
		t.Run(of.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := drawSource(t, of)
				x, y := drawPlaces(t, s.FullWidth, "x"), drawPlaces(t, s.FullHeight, "y")
				k := resample.Kernel{
					Method: rapid.SampledFrom([]rasterbase.Resampling{"", rasterbase.Nearest, rasterbase.Bilinear, rasterbase.Cubic}).Draw(t, "method"),
					ScaleX: rapid.SampledFrom([]float64{0, 1, 4, 0.97, 0.6, 0.3}).Draw(t, "scale x"),
					ScaleY: rapid.SampledFrom([]float64{0, 1, 4, 0.97, 0.6, 0.3}).Draw(t, "scale y"),
				}
				n := len(x) * len(y)
				each := resample.Places{}
				for i := range n {
					each.X, each.Y = append(each.X, x[i%len(x)]), append(each.Y, y[i/len(x)])
				}
				want, wantValid := raster.NewPixels(of, n), make([]uint8, n)
				resample.Warp(want, wantValid, s, each, k)
				got, valid := raster.NewPixels(of, n), make([]uint8, n)
				resample.WarpGrid(got, valid, s, x, y, k)
				slack := 1.0 // where a sum is just between two whole numbers
				if of.IsFloat() {
					slack = 1e-4
				}
				for i := range n {
					if valid[i] != wantValid[i] || math.Abs(got.At(i)-want.At(i)) > slack {
						t.Fatalf("place %v, %v is %v, %d; one by one %v, %d", each.X[i], each.Y[i], got.At(i), valid[i], want.At(i), wantValid[i])
					}
				}
			})
		})
	}
}

// Whichever part of a grid is made, and from whichever window that has its
// pixels, the bits are the same.
func TestPartsOfAWarpedGridAreThoseOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const side = 24
		pixels := make(raster.Slice[float32], side*side)
		valid := make([]uint8, side*side)
		for i := range pixels {
			pixels[i] = float32(i*7919%1013) / 7
			valid[i] = uint8(i * 31 % 19)
		}
		k := resample.Kernel{Method: rapid.SampledFrom([]rasterbase.Resampling{rasterbase.Bilinear, rasterbase.Cubic}).Draw(t, "method")}
		step := rapid.SampledFrom([]float64{0.25, 1.0 / 3, 1, 1.5, 1.75}).Draw(t, "step")
		k.ScaleX, k.ScaleY = 1/step, 1/step
		var x []float64
		for v := step / 2; v < side; v += step {
			x = append(x, math.Floor(v*1024)/1024) // so that sums are exact
		}
		n := len(x)
		whole, wholeValid := make(raster.Slice[float32], n*n), make([]uint8, n*n)
		resample.WarpGrid(whole, wholeValid, resample.Source{Width: side, Height: side, FullWidth: side, FullHeight: side, Pixels: pixels, Valid: valid}, x, x, k)

		from := rapid.IntRange(0, n-1).Draw(t, "from")
		to := rapid.IntRange(from+1, n).Draw(t, "to")
		reach, _ := k.Reach()
		lo, hi := max(int(x[from])-reach, 0), min(int(x[to-1])+reach+1, side)
		part := resample.Source{X: lo, Width: hi - lo, Height: side, FullWidth: side, FullHeight: side}
		var px raster.Slice[float32]
		for row := range side {
			px = append(px, pixels[row*side+lo:row*side+hi]...)
			part.Valid = append(part.Valid, valid[row*side+lo:row*side+hi]...)
		}
		part.Pixels = px
		got, gotValid := make(raster.Slice[float32], (to-from)*n), make([]uint8, (to-from)*n)
		resample.WarpGrid(got, gotValid, part, x[from:to], x, k)
		for row := range n {
			for i := range to - from {
				a, b := row*(to-from)+i, row*n+from+i
				if got[a] != whole[b] || gotValid[a] != wholeValid[b] {
					t.Fatalf("pixel %d,%d is %v, %d; in the whole %v, %d", from+i, row, got[a], gotValid[a], whole[b], wholeValid[b])
				}
			}
		}
	})
}

// BenchmarkWarpGrid enlarges an eighth of a tile to a tile.
func BenchmarkWarpGrid(b *testing.B) {
	pixels := make(raster.Slice[float32], 40*40)
	for i := range pixels {
		pixels[i] = float32(i % 97)
	}
	places := make([]float64, 256)
	for i := range places {
		places[i] = 4 + (float64(i)+0.5)/8
	}
	dst, valid := make(raster.Slice[float32], 256*256), make([]uint8, 256*256)
	s := resample.Source{Width: 40, Height: 40, FullWidth: 40, FullHeight: 40, Pixels: pixels}
	for _, method := range []rasterbase.Resampling{rasterbase.Bilinear, rasterbase.Cubic} {
		b.Run(string(method), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				resample.WarpGrid(dst, valid, s, places, places, resample.Kernel{Method: method})
			}
		})
	}
}
