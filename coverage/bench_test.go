package coverage_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// BenchmarkTiles finds tiles of a layer of 102,400 by polygons of several
// sizes, and all of them.
func BenchmarkTiles(b *testing.B) {
	g := rasterbase.Grid{Width: 320 * 256, Height: 320 * 256, OriginX: 300000, OriginY: 5600000, ScaleX: 5, ScaleY: -5}
	c := index(b, open(b), revision(g, 32632, 256), map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: every(g, 256)})
	circle := func(radius float64, n int) orb.Geometry {
		var r orb.Ring
		for i := range n {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
			r = append(r, orb.Point{505000 + radius*cos, 5395000 + radius*sin})
		}
		return orb.Polygon{r}
	}
	for _, tt := range []struct {
		name string
		g    orb.Geometry
		srid int
	}{
		{"point", orb.Point{505000, 5395000}, 32632},
		{"point of degrees", orb.Point{9.0, 48.7}, 4326},
		{"4 km circle", circle(2000, 100), 32632},
		{"100 km circle", circle(50000, 100), 32632},
		{"100 km circle of 100,000 places", circle(50000, 100_000), 32632},
		{"box of degrees", orb.Bound{Min: orb.Point{8.5, 48.2}, Max: orb.Point{9.5, 49.2}}, 4326},
		{"all", nil, 0},
	} {
		b.Run(tt.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(tiles(b, c, coverage.TileQuery{Geometry: tt.g, CRS: rasterbase.CRS{SRID: tt.srid}, Transformer: crs.Closed{}}))
			}
			b.ReportMetric(float64(n), "tiles")
		})
	}
}

// BenchmarkValues compares many points in one query with one query each.
func BenchmarkValues(b *testing.B) {
	s := testlayer.Spec{
		Layer: rasterbase.Layer{Name: "heights"}, Datatype: rasterbase.Continuous, MaxZoom: 6, NoPyramid: true,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Int16}}, X: 5000, Y: 5000, Width: 4096, Height: 4096,
		Value: func(_, x, y int) (float64, bool) { return float64((x*31 + y*17) % 3000), true },
	}
	c := layer(b, open(b), s)
	d := c.Describe()
	places := func(n int) (out []crs.Point) {
		for i := range n {
			x, y := d.Grid.World(float64(i*7919%409600)/100, float64(i*104729%409600)/100)
			out = append(out, crs.Point{X: x, Y: y})
		}
		return out
	}
	for _, n := range []int{10_000, 1_000_000} {
		p := places(n)
		b.Run(fmt.Sprintf("together/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := coverage.ValuesAt(context.Background(), c, coverage.PointsRequest{Points: p, CRS: d.CRS, Transformer: crs.Closed{}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	p := places(1000)
	b.Run("each/1000", func(b *testing.B) {
		for b.Loop() {
			for _, q := range p {
				if _, err := coverage.At(context.Background(), c, coverage.PointRequest{Point: q, CRS: d.CRS, Transformer: crs.Closed{}}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkTile reads tiles as they are stored, which is to cost no more than
// Window, and tiles that are made: with a margin, of odd sizes, beyond the max
// zoom.
func BenchmarkTile(b *testing.B) {
	s := testlayer.Spec{
		Layer: rasterbase.Layer{Name: "heights"}, Datatype: rasterbase.Continuous, MaxZoom: 6,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Float32}}, X: 5000, Y: 5000, Width: 1500, Height: 1500,
		Value: func(_, x, y int) (float64, bool) { return float64((x*31 + y*17) % 3000), true },
	}
	kept := cached{open(b), cachedTiles{kept: map[store.TileKey]*raster.Raster{}}}
	c := layer(b, kept, s)
	b.Run("window", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Window(b.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(6), X: 22 * 256, Y: 22 * 256, Width: 256, Height: 256}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, tt := range []struct {
		name string
		r    coverage.TileRequest
	}{
		{"stored", coverage.TileRequest{Z: 6, X: 22, Y: 22}},
		{"margin", coverage.TileRequest{Z: 6, X: 22, Y: 22, Margin: 1}},
		{"512 of the next zoom", coverage.TileRequest{Z: 5, X: 11, Y: 11, Size: 512}},
		{"300 nearest", coverage.TileRequest{Z: 5, X: 11, Y: 11, Size: 300}},
		{"300 bilinear", coverage.TileRequest{Z: 5, X: 11, Y: 11, Size: 300, Resampling: rasterbase.Bilinear}},
		{"overzoom nearest", coverage.TileRequest{Z: 9, X: 180, Y: 180}},
		{"overzoom bilinear", coverage.TileRequest{Z: 9, X: 180, Y: 180, Resampling: rasterbase.Bilinear}},
		{"overzoom cubic", coverage.TileRequest{Z: 9, X: 180, Y: 180, Resampling: rasterbase.Cubic}},
		{"2048 cubic", coverage.TileRequest{Z: 4, X: 5, Y: 5, Size: 2048, Resampling: rasterbase.Cubic}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := coverage.Tile(b.Context(), c, tt.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
