package coverage_test

import (
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
)

// What inputs have in common, and what any of them covers, over the antimeridian too.
func TestBoundsOfFormulas(t *testing.T) {
	st := open(t)
	box := func(west, east float64) rasterbase.Bounds {
		return rasterbase.Bounds{West: west, South: -10, East: east, North: 10}
	}
	nothing := rasterbase.Bounds{}
	for _, tt := range []struct{ a, b, both, any rasterbase.Bounds }{
		{box(0, 20), box(10, 30), box(10, 20), box(0, 30)},
		{box(0, 20), box(0, 20), box(0, 20), box(0, 20)},
		{box(-180, 180), box(10, 30), box(10, 30), box(-180, 180)},
		{box(0, 10), box(30, 40), nothing, box(0, 40)},
		{box(170, 178), box(-178, -170), nothing, box(170, -170)},
		{box(170, -170), box(175, -175), box(175, -175), box(170, -170)},
		{box(170, -170), box(-175, -100), box(-175, -170), box(170, -100)},
		{box(170, -170), box(100, 175), box(170, 175), box(100, -170)},
		{box(170, -170), box(-180, 180), box(170, -170), box(-180, 180)},
		{box(170, -170), box(10, 30), nothing, box(10, -170)},
		{box(170, -170), box(-30, -10), nothing, box(170, -10)},
		{box(10, -10), box(-20, 20), box(10, -10), box(-180, 180)}, // in two pieces, at both ends
	} {
		for range 2 {
			layerOf := func(b rasterbase.Bounds) *coverage.Layer {
				rev := revision(rasterbase.Grid{Width: 8, Height: 8, ScaleX: 1, ScaleY: -1}, 4326, 8)
				rev.Bounds = b
				return index(t, st, rev, nil)
			}
			a, b := input("a", layerOf(tt.a), 0), input("b", layerOf(tt.b), 0)
			both := formula(t, "a+b", coverage.FormulaOptions{}, a, b).Describe().Bounds
			any := formula(t, "where(a == NULL, b, a)", coverage.FormulaOptions{}, a, b).Describe().Bounds
			if tt.both.West == 10 && tt.both.East == -10 && both == (rasterbase.Bounds{West: -20, South: -10, East: 20, North: 10}) {
				both = tt.both // either of the boxes is as good
			}
			if !nearBounds(both, tt.both) {
				t.Errorf("%+v and %+v: have %+v in common, want %+v", tt.a, tt.b, both, tt.both)
			}
			if !nearBounds(any, tt.any) {
				t.Errorf("%+v and %+v: cover %+v, want %+v", tt.a, tt.b, any, tt.any)
			}
			tt.a, tt.b = tt.b, tt.a
		}
	}
}

func nearBounds(a, b rasterbase.Bounds) bool {
	near := func(v, w float64) bool { return math.Abs(v-w) < 1e-9 }
	return near(a.West, b.West) && near(a.South, b.South) && near(a.East, b.East) && near(a.North, b.North)
}
