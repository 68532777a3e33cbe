package footprint

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
)

// Many places of each edge, which is straight in the geometry's own CRS, lie within a
// hundredth of a pixel of the outline.
func TestEdgesAreFollowed(t *testing.T) {
	mercator := func(zoom int) Grid {
		n := 256 << zoom
		side := 2 * 20037508.342789244 / float64(n)
		return Grid{Grid: rasterbase.Grid{Width: n, Height: n, OriginX: -20037508.342789244, OriginY: 20037508.342789244, ScaleX: side, ScaleY: -side}, CRS: rasterbase.CRS{SRID: 3857}}
	}
	utm := func(n int, pixel float64) Grid {
		return Grid{Grid: rasterbase.Grid{Width: n, Height: n, OriginX: 300000, OriginY: 6100000, ScaleX: pixel, ScaleY: -pixel}, CRS: rasterbase.CRS{SRID: 32632}}
	}
	for _, tt := range []struct {
		name string
		grid Grid
		srid int
		// longest is the longest edge in pixels.
		longest float64
	}{
		{"the world, long edges", mercator(0), 4326, 250},
		{"the world, short edges", mercator(1), 4326, 30},
		{"zoom 6", mercator(6), 4326, 70},
		{"zoom 12", mercator(12), 4326, 500},
		{"zoom 12, short edges", mercator(12), 4326, 20},
		{"UTM, long edges", utm(8000, 30), 4326, 8000},
		{"UTM, short edges", utm(8000, 30), 4326, 60},
		{"UTM, large pixels", utm(300, 1000), 4326, 90},
		{"UTM from mercator", utm(4000, 100), 3857, 70},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := NewPlacer(t.Context(), tt.grid, Options{CRS: rasterbase.CRS{SRID: tt.srid}})
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			for range 200 {
				w, h := float64(tt.grid.Width), float64(tt.grid.Height)
				long := math.Pow(r.Float64(), 3) * tt.longest
				turn := r.Float64() * 2 * math.Pi
				col, row := r.Float64()*w, r.Float64()*h
				ends := []crs.Point{{X: col, Y: row}, {X: min(max(col+long*math.Cos(turn), 0), w), Y: min(max(row+long*math.Sin(turn), 0), h)}}
				for i, q := range ends {
					ends[i].X, ends[i].Y = tt.grid.World(q.X, q.Y)
				}
				if err := p.inverse.Apply(t.Context(), ends); err != nil {
					t.Fatal(err)
				}
				o, err := p.Place(t.Context(), orb.LineString{{ends[0].X, ends[0].Y}, {ends[1].X, ends[1].Y}})
				if err != nil {
					t.Fatal(err)
				}
				if d := p.furthest(t, ends, o); d > bendTolerance {
					t.Errorf("the edge from %v to %v is %v pixels off, in %d pieces", ends[0], ends[1], d, len(o.edges))
				}
			}
		})
	}
}

// furthest is how far places of an edge are from the outline at most.
func (p *Placer) furthest(t *testing.T, ends []crs.Point, o *Outline) (most float64) {
	const n = 300
	at := make([]crs.Point, n+1)
	for i := range at {
		f := float64(i) / n
		at[i] = crs.Point{X: ends[0].X + f*(ends[1].X-ends[0].X), Y: ends[0].Y + f*(ends[1].Y-ends[0].Y)}
	}
	if err := p.forward.Apply(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	for _, q := range at {
		q.X, q.Y = p.grid.Pixel(q.X, q.Y)
		nearest := math.Inf(1)
		for _, e := range o.edges {
			nearest = min(nearest, off(crs.Point{X: e.x1, Y: e.y1}, q, crs.Point{X: e.x2, Y: e.y2}))
		}
		most = max(most, nearest)
	}
	return most
}
