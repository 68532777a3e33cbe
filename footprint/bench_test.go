package footprint_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

// wavy is a ring of n vertices round a place, in pixels.
func wavy(x, y, radius float64, n int) orb.Polygon {
	var ring orb.Ring
	for i := range n {
		a := 2 * math.Pi * float64(i) / float64(n)
		r := radius*(0.9+0.1*math.Sin(5*a)) + radius/float64(n)*math.Sin(float64(7*i))
		ring = append(ring, orb.Point{x + r*math.Cos(a), y + r*math.Sin(a)})
	}
	return orb.Polygon{append(ring, ring[0])}
}

// landGrid is 8,000 by 8,000 pixels of 30 metres, in UTM.
func landGrid() footprint.Grid {
	return footprint.Grid{
		Grid: rasterbase.Grid{Width: 8000, Height: 8000, OriginX: 300000, OriginY: 5900000, ScaleX: 30, ScaleY: -30},
		CRS:  rasterbase.CRS{SRID: 32632}, TileSize: 256,
	}
}

// moved gives a polygon in pixels in the coordinates of a CRS.
func moved(tb testing.TB, g footprint.Grid, p orb.Polygon, srid int) orb.Polygon {
	tb.Helper()
	tr, err := crs.Closed{}.Between(g.CRS, rasterbase.CRS{SRID: srid})
	if err != nil {
		tb.Fatal(err)
	}
	var out orb.Polygon
	for _, r := range p {
		var at []crs.Point
		for _, q := range r {
			x, y := g.World(q[0], q[1])
			at = append(at, crs.Point{X: x, Y: y})
		}
		if err := tr.Apply(tb.Context(), at); err != nil {
			tb.Fatal(err)
		}
		var ring orb.Ring
		for _, q := range at {
			ring = append(ring, orb.Point{q.X, q.Y})
		}
		out = append(out, ring)
	}
	return out
}

var sizes = []struct {
	vertices int
	radius   float64
}{{50, 50}, {200, 2800}, {20000, 3500}}

func BenchmarkPlace(b *testing.B) {
	g := landGrid()
	for _, srid := range []int{32632, 4326} {
		p, err := footprint.NewPlacer(b.Context(), g, footprint.Options{CRS: rasterbase.CRS{SRID: srid}})
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range sizes {
			in := moved(b, g, wavy(4000, 4000, s.radius, s.vertices), srid)
			b.Run(fmt.Sprintf("srid=%d/vertices=%d/radius=%v", srid, s.vertices, s.radius), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.Place(b.Context(), in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkSpans(b *testing.B) {
	g := landGrid()
	for _, s := range sizes {
		o := place(b, g, moved(b, g, wavy(4000, 4000, s.radius, s.vertices), 32632))
		for _, rule := range []footprint.Rule{footprint.Centre, footprint.Touched, footprint.Fraction} {
			b.Run(fmt.Sprintf("%s/vertices=%d/radius=%v", rule, s.vertices, s.radius), func(b *testing.B) {
				b.ReportAllocs()
				tiles := 0
				for b.Loop() {
					tiles = 0
					for row, spans := range o.CellRows(rule) {
						for _, c := range spans {
							for x := c.From; x < c.To && !c.Inside; x++ {
								tiles++
								o.Spans(rule, raster.Rect{X: x * 256, Y: row * 256, Width: 256, Height: 256}, func(_, _, _ int, _ float64) {})
							}
						}
					}
				}
				b.ReportMetric(float64(tiles), "tiles")
			})
		}
	}
}
