package footprint_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/xyz"
)

// Polygons of web mercator that are wider than the world, or whole turns round it away,
// hold on a grid in degrees the pixels whose centres they hold at any turn.
func TestWiderThanTheWorld(t *testing.T) {
	g := footprint.Grid{
		Grid: rasterbase.Grid{OriginX: -180, OriginY: 90, ScaleX: 3, ScaleY: -3, Width: 120, Height: 60},
		CRS:  rasterbase.CRS{SRID: 4326},
	}
	p, err := footprint.NewPlacer(t.Context(), g, footprint.Options{CRS: rasterbase.CRS{SRID: 3857}})
	if err != nil {
		t.Fatal(err)
	}
	all := raster.Rect{Width: g.Width, Height: g.Height}
	check := func(ring orb.Ring) {
		t.Helper()
		o, err := p.Place(t.Context(), orb.Polygon{ring})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]bool, g.Width*g.Height)
		o.Spans(footprint.Centre, all, func(row, from, to int, _ float64) {
			for col := from; col < to; col++ {
				got[row*g.Width+col] = true
			}
		})
		held := 0
		for i := range got {
			x, y := g.World(float64(i%g.Width)+0.5, float64(i/g.Width)+0.5)
			want, near := heldAtAnyTurn(ring, x, y)
			if want {
				held++
			}
			if got[i] != want && !near {
				t.Errorf("%v: the pixel at %v %v is held: %t, want %t", ring, x, y, got[i], want)
				return
			}
		}
		if held == 0 && ring[0][0] == 2.6e7 {
			t.Errorf("%v holds no pixel", ring)
		}
	}
	check(orb.Ring{{2.6e7, 2.1e7}, {-15725203.47, 2.1e7}, {338516.98, -4065600.41}})
	check(orb.Ring{{2.6e7, 1e7}, {6.6e7, 1e7}, {6.6e7, -1e6}, {2.6e7, -1e6}})
	r := rand.New(rand.NewPCG(8, 1))
	for range 80 {
		ring := make(orb.Ring, 3+r.IntN(4))
		wide, from := 4e7*(0.2+1.6*r.Float64()), 8e7*(r.Float64()-0.5)
		for i := range ring {
			ring[i] = orb.Point{from + wide*(r.Float64()-0.5), 4.2e7 * (r.Float64() - 0.5)}
		}
		check(ring)
	}
}

// heldAtAnyTurn tells by crossings whether a ring of web mercator holds a place in
// degrees, and whether that is too near to an edge to be certain.
func heldAtAnyTurn(ring orb.Ring, lon, lat float64) (in, near bool) {
	y := math.Log(math.Tan(math.Pi/4+lat*math.Pi/360)) * xyz.HalfWorld / math.Pi
	hundredth := 0.01 * 3 * xyz.HalfWorld / 180 / math.Cos(lat*math.Pi/180) // of a pixel, to the north
	for turn := -3; turn <= 3; turn++ {
		x := (lon + 360*float64(turn)) / 180 * xyz.HalfWorld
		odd := false
		for i, b := range ring {
			a := ring[(i+len(ring)-1)%len(ring)]
			if (a[1] <= y) != (b[1] <= y) {
				odd = odd != (x < a[0]+(y-a[1])/(b[1]-a[1])*(b[0]-a[0]))
			}
			along := ((x-a[0])*(b[0]-a[0]) + (y-a[1])*(b[1]-a[1])) / (math.Pow(b[0]-a[0], 2) + math.Pow(b[1]-a[1], 2))
			along = min(max(along, 0), 1)
			near = near || math.Hypot(a[0]+along*(b[0]-a[0])-x, a[1]+along*(b[1]-a[1])-y) < hundredth
		}
		in = in || odd
	}
	return in, near
}
