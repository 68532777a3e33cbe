package zonal

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// BenchmarkGather counts the pixels of a tile of 256 in rows; ns/px is of each.
func BenchmarkGather(b *testing.B) {
	const side = 256
	for _, c := range []struct {
		name     string
		kind     rasterbase.PixelType
		runs     int // how long equal values are
		valid    bool
		fraction bool
		p        tallyPlan
	}{
		{"uint8 counts, runs", rasterbase.Uint8, 9, true, false, tallyPlan{group: ByValue}},
		{"uint8 counts, noise", rasterbase.Uint8, 1, true, false, tallyPlan{group: ByValue}},
		{"uint8 counts, validity", rasterbase.Uint8, 9, false, false, tallyPlan{group: ByValue}},
		{"uint8 counts, areas of rows", rasterbase.Uint8, 9, true, false, tallyPlan{group: ByValue, unit: 1}},
		{"int16 counts, runs", rasterbase.Int16, 9, true, false, tallyPlan{group: ByValue}},
		{"int32 counts, noise", rasterbase.Int32, 1, true, false, tallyPlan{group: ByValue}},
		{"float32 moments", rasterbase.Float32, 1, true, false, tallyPlan{group: NoGroup, stats: Moments}},
		{"float32 moments, validity", rasterbase.Float32, 1, false, false, tallyPlan{group: NoGroup, stats: Moments}},
		{"float32 histogram", rasterbase.Float32, 1, true, false, tallyPlan{group: Histogram, bins: 64, low: 0, high: 100}},
		{"float32 quantiles", rasterbase.Float32, 1, true, false, tallyPlan{group: NoGroup, stats: Quantiles}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			tile := raster.New(rasterbase.Grid{Width: side, Height: side, ScaleX: 1, ScaleY: -1}, 3857, c.kind)
			v := 0.0
			for i := range side * side {
				if i%c.runs == 0 {
					v = float64(r.IntN(100))
				}
				tile.Bands[0].Pixels.Set(i, v)
			}
			if !c.valid {
				tile.Validity = make([]uint8, side*side)
				for i := range tile.Validity {
					tile.Validity[i] = uint8(r.IntN(2))
				}
			}
			var a areas
			if c.p.unit > 0 {
				a.rows = randoms(r, side)
			}
			p := c.p
			p.kind, p.least, p.greatest = c.kind, math.NaN(), math.NaN()
			p.settle(false)
			g := newGatherer(&p)
			b.ReportAllocs()
			for b.Loop() {
				g.begin(tile, 0, c.valid, a)
				for row := range side {
					g.add(row, 0, side, 1)
				}
				g.take()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(side*side), "ns/px")
		})
	}
}
