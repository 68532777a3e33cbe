package ingest_test

import (
	"context"
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/sqlite"
)

// BenchmarkImport parses 4,000 x 4,000 pixels: land cover in patches, and a
// float32 elevation model.
func BenchmarkImport(b *testing.B) {
	const side = 4000
	for name, s := range map[string]rastertest.Source{
		"landcover": landCover(side), "dem": elevation(side),
	} {
		b.Run(name, func(b *testing.B) {
			path := fileNamed(b, "raster.syn")
			for b.Loop() {
				b.StopTimer()
				ctx := context.Background()
				st, err := sqlite.Open(ctx, b.TempDir(), sqlite.Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				l, err := ingest.Import(ctx, st, opener(s), ingest.Request{Source: path})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if l.Published == 0 {
					b.Fatal("the layer is not published")
				}
				if err := st.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N)*side*side/1e6/b.Elapsed().Seconds(), "Mpx/s")
		})
	}
}

func tabled(s rastertest.Source, side int, value func(col, row int) float64) rastertest.Source {
	s.Grid.Width, s.Grid.Height, s.Grid.ScaleX, s.Grid.ScaleY = side, side, 30, -30
	table := make([]float32, side*side)
	for i := range table {
		table[i] = float32(value(i%side, i/side))
	}
	s.Value = func(_, col, row int) float64 { return float64(table[row*side+col]) }
	s.Mask = nil
	return s
}

func landCover(side int) rastertest.Source {
	s := wavy(rasterbase.Uint8, 1, side, side, nil, 12)
	return tabled(s, side, func(col, row int) float64 {
		return math.Floor(6 + 3*math.Sin(float64(col)/19)*math.Cos(float64(row)/23) + 3*math.Sin(float64(col+row)/131))
	})
}

func elevation(side int) rastertest.Source {
	s := wavy(rasterbase.Float32, 1, side, side, rasterbase.FloatPtr(-9999), 12)
	return tabled(s, side, func(col, row int) float64 {
		if math.Hypot(float64(col-side/2), float64(row-side/2)) > 0.49*float64(side) {
			return -9999
		}
		return 900 + 400*math.Sin(float64(col)/190)*math.Cos(float64(row)/230) + float64(noiseOf(col, row)%1000)/500
	})
}

func noiseOf(col, row int) uint64 {
	h := uint64(col)*0x9e3779b97f4a7c15 ^ uint64(row)*0xbf58476d1ce4e5b9
	h ^= h >> 31
	h *= 0xd6e8feb86659fd93
	return h ^ h>>29
}
