package zonal_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/zonal"
)

// benchSide is the side of the raster: RASTERBASE_BENCH_SIDE, or 2,048 pixels.
func benchSide(b *testing.B) int {
	text := os.Getenv("RASTERBASE_BENCH_SIDE")
	if text == "" {
		return 2048
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1024 {
		b.Fatalf("RASTERBASE_BENCH_SIDE is %q", text)
	}
	return n
}

// wavy is a polygon round a place, of so many vertices and about so many pixels.
func wavy(r *rand.Rand, g rasterbase.Grid, x, y float64, vertices int, pixels float64) orb.Polygon {
	a, radius := r.Float64()*6, math.Sqrt(pixels/math.Pi)
	ring := make(orb.Ring, vertices)
	for i := range ring {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(vertices))
		d := radius * (1 + 0.2*math.Sin(5*math.Atan2(sin, cos)+a))
		ring[i][0], ring[i][1] = g.World(x+d*cos, y+d*sin)
	}
	return orb.Polygon{append(ring, ring[0])}
}

// BenchmarkCount counts a land cover inside one large polygon, and inside many small
// ones. Geometries are placed in each round.
func BenchmarkCount(b *testing.B) {
	side := benchSide(b)
	z := 0
	for 256<<z < side {
		z++
	}
	cov := addLayer(b, openStore(b), testlayer.Spec{
		Layer: rasterbase.Layer{Name: "land cover"}, Datatype: rasterbase.Categorical, NoPyramid: true, MaxZoom: z + 6,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8, Nodata: rasterbase.FloatPtr(255)}}, X: 20 * side, Y: 20 * side, Width: side, Height: side,
		Value: func(_, x, y int) (float64, bool) {
			h := uint64(x/9)*0x9e3779b97f4a7c15 ^ uint64(y/7)*0xbf58476d1ce4e5b9
			h ^= h >> 31
			h *= 0xd6e8feb86659fd93
			return float64(1 + (h>>40)%3 + uint64(x/300+y/200)%7), true
		},
	})
	d := cov.Describe()
	r := rand.New(rand.NewPCG(1, 1))
	area := float64(side) * float64(side)
	zones := map[string][]orb.Geometry{
		"large":  {wavy(r, d.Grid, float64(side)/2, float64(side)/2, 200, 0.39*area)},
		"100 px": {wavy(r, d.Grid, float64(side)/2, float64(side)/2, 20, 100)},
	}
	for range max(100, int(10000*area/64e6)) {
		zones["small"] = append(zones["small"], wavy(r, d.Grid, (0.02+0.96*r.Float64())*float64(side), (0.02+0.96*r.Float64())*float64(side), 50, 8500))
	}
	for _, name := range []string{"100 px", "large", "small"} {
		for _, q := range []struct {
			name string
			zonal.Query
		}{
			{"counts", zonal.Query{}},
			{"statistics", zonal.Query{Group: zonal.NoGroup, Stats: zonal.Moments}},
			{"all statistics", zonal.Query{Group: zonal.NoGroup, Stats: zonal.Moments | zonal.Quantiles | zonal.Variety}},
			{"areas", zonal.Query{Area: zonal.Hectares}},
		} {
			b.Run(fmt.Sprintf("%s/%d/%s", name, len(zones[name]), q.name), func(b *testing.B) {
				b.ReportAllocs()
				tiles := int64(0)
				for b.Loop() {
					tiles = benchCount(b, cov, zones[name], q.Query)
				}
				b.ReportMetric(float64(tiles), "tiles")
			})
		}
	}
}

func benchCount(b *testing.B, cov coverage.Coverage, zones []orb.Geometry, q zonal.Query) (tiles int64) {
	z, err := zonal.Place(b.Context(), cov.Describe(), zonal.Placement{CRS: cov.Describe().CRS}, zones)
	if err != nil {
		b.Fatal(err)
	}
	all, err := zonal.Count(b.Context(), cov, z, q)
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range all {
		tiles += r.Made.TilesRead
	}
	return tiles
}
