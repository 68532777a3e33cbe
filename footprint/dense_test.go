package footprint_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

// Many edges in few pixels are measured in parts of the pixels, and as exactly.
func TestManyEdgesInAPixel(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 15))
	for range 6 {
		var s shape
		for range 1 + r.IntN(2) {
			var ring []at
			for range 30 {
				ring = append(ring, at{r.Int64N(17), r.Int64N(25) - 4})
			}
			s = append(s, [][]at{ring})
		}
		want := s.fractions(2, 2)
		weight := func(x, y int) float64 { return want[y][x] }
		if err := checkSpans(place(t, pixelGrid(2, 2, 2), s.geometry()), footprint.Fraction, raster.Rect{Width: 2, Height: 2}, weight); err != nil {
			t.Fatalf("%v: %v", s, err)
		}
	}
}

// A coast of very many vertices in one pixel is measured exactly: its area is known
// from its vertices.
func TestACoastInAPixel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(16, 17))
	var ring orb.Ring
	area := 0.0
	const n = 20000
	for i := range n {
		a := 2 * math.Pi * float64(i) / n
		d := 0.4 * (0.5 + 0.5*r.Float64())
		ring = append(ring, orb.Point{1.5 + d*math.Cos(a), 1.5 + d*math.Sin(a)})
	}
	for i, b := range ring {
		a := ring[(i+n-1)%n]
		area += (a[0]-1.5)*(b[1]-1.5) - (b[0]-1.5)*(a[1]-1.5)
	}
	got := sum(place(t, pixelGrid(3, 3, 256), ring), footprint.Fraction, raster.Rect{Width: 3, Height: 3})
	if math.Abs(got-area/2) > 1e-11 {
		t.Errorf("%v of the pixel are covered, want %v", got, area/2)
	}
}

// Edges that all cross each other in one pixel end in bounded time.
func TestEdgesThatCrossByTheThousand(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(18, 19))
	var ring orb.Ring
	for range 8000 {
		ring = append(ring, orb.Point{1 + r.Float64(), 1 + r.Float64()})
	}
	start := time.Now()
	got := sum(place(t, pixelGrid(3, 3, 256), ring), footprint.Fraction, raster.Rect{Width: 3, Height: 3})
	t.Logf("%v in %v", got, time.Since(start))
	if math.Abs(got-0.5) > 0.05 {
		t.Errorf("%v of the pixel are covered", got)
	}
}
