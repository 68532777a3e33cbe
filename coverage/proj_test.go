package coverage_test

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/gdal"
)

// proj is a transformer for all CRSs.
func proj(t *testing.T) crs.Transformer {
	t.Helper()
	if gdal.Version() == "" {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatal("GDAL is required, but this build has none")
		}
		t.Skip("this build has no GDAL")
	}
	return crs.Chain(crs.Closed{}, gdal.Transformer{})
}

// Geometries around a pole, on levels that have it in their middle or on their
// edge: a tile whose corners and middle are inside is found, one whose are far
// outside is not.
func TestTilesAroundAPole(t *testing.T) {
	tr := proj(t)
	st := open(t)
	polar := rasterbase.Grid{Width: 128, Height: 128, OriginX: -4e6, OriginY: 4e6, ScaleX: 62500, ScaleY: -62500}
	world := rasterbase.Grid{Width: 360, Height: 180, OriginX: -180, OriginY: 90, ScaleX: 1, ScaleY: -1}
	earth := rasterbase.Grid{Width: 344, Height: 168, OriginX: -17.2e6, OriginY: 8.4e6, ScaleX: 1e5, ScaleY: -1e5} // Equal Earth
	circle := func(radius float64) orb.Polygon {
		var r orb.Ring
		for i := range 24 {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / 24)
			r = append(r, orb.Point{radius * cos, radius * sin})
		}
		return orb.Polygon{r}
	}
	box := func(w, s, e, n float64) orb.Polygon {
		return orb.Bound{Min: orb.Point{w, s}, Max: orb.Point{e, n}}.ToPolygon()
	}
	tests := []struct {
		name     string
		grid     rasterbase.Grid
		srid     int
		geometry orb.Polygon
		from     int
		wide     float64 // what is further from it than this is outside, in its unit
	}{
		{"a cap of degrees on a polar grid", polar, 3413, box(-180, 80, 180, 90), 4326, 8},
		{"a sector of degrees on a polar grid", polar, 3413, box(150, 65, 210, 85), 4326, 8},
		{"the world on a polar grid", polar, 3413, box(-180, -90, 180, 90), 4326, 8},
		{"a polar circle on degrees", world, 4326, circle(1e6), 3413, 2e6},
		{"a polar ring on degrees", world, 4326, orb.Polygon{circle(4e6)[0], circle(2.5e6)[0]}, 3413, 2e6},
		{"over the antimeridian on Equal Earth", earth, 8857, box(165, -30, 195, 30), 4326, 12},
		{"the world on Equal Earth", earth, 8857, box(-180, -90, 180, 90), 4326, 12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := index(t, st, revision(tt.grid, tt.srid, 8), map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: every(tt.grid, 8)})
			got := tiles(t, c, coverage.TileQuery{Geometry: tt.geometry, CRS: rasterbase.CRS{SRID: tt.from}, Transformer: tr})
			back, err := tr.Between(rasterbase.CRS{SRID: tt.srid}, rasterbase.CRS{SRID: tt.from})
			if err != nil {
				t.Fatal(err)
			}
			forth, err := tr.Between(rasterbase.CRS{SRID: tt.from}, rasterbase.CRS{SRID: tt.srid})
			if err != nil {
				t.Fatal(err)
			}
			in := func(p crs.Point, turn float64) bool { return inside(tt.geometry, orb.Point{p.X + turn, p.Y}) }
			some := false
			for _, a := range every(tt.grid, 8) {
				var p []crs.Point
				for i := range 25 {
					x, y := tt.grid.World(float64(a.X*8)+float64(i%5)*2, float64(a.Y*8)+float64(i/5)*2)
					p = append(p, crs.Point{X: x, Y: y})
				}
				p = places(t, p, back, forth)
				hit := false
				for _, q := range p {
					for _, turn := range []float64{0, 360, -360} {
						hit = hit || in(q, turn) && (turn == 0 || tt.from == 4326)
					}
				}
				some = some || hit
				found := slices.Contains(got, a)
				if hit && !found {
					t.Errorf("tile %v, with %v, was not found", a, p[12])
				}
				if found && !hit && far(tt.geometry, p, tt.wide, tt.from == 4326) {
					t.Errorf("tile %v, with %v, was found", a, p[12])
				}
			}
			if !some {
				t.Error("no tile is inside")
			}
		})
	}
}

// places transforms places of a level. One that is beside the map, which comes
// back elsewhere, is none.
func places(t *testing.T, at []crs.Point, back, forth crs.Transform) []crs.Point {
	t.Helper()
	there := slices.Clone(at)
	if err := back.Apply(t.Context(), there); err != nil {
		t.Fatal(err)
	}
	again := slices.Clone(there)
	if err := forth.Apply(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	for i, q := range again {
		if d := math.Hypot(q.X-at[i].X, q.Y-at[i].Y); !(d < 1e3) {
			there[i] = crs.Point{X: math.NaN(), Y: math.NaN()}
		}
	}
	return there
}

// far tells whether all places are more than a distance away from a polygon's
// box.
func far(g orb.Polygon, p []crs.Point, by float64, degrees bool) bool {
	b := g.Bound()
	for _, q := range p {
		if math.IsNaN(q.X) {
			continue
		}
		for _, turn := range []float64{0, 360, -360} {
			if turn != 0 && !degrees {
				continue
			}
			if x := q.X + turn; x > b.Min[0]-by && x < b.Max[0]+by && q.Y > b.Min[1]-by && q.Y < b.Max[1]+by {
				return false
			}
		}
	}
	return true
}
