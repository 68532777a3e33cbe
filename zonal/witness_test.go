package zonal_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/zonal"
)

// The witness counts every pixel by itself: its centre is inside or not by exact
// arithmetic on whole numbers. It shares no code with what it watches.

// unit is the number of parts of a pixel that the witness's coordinates count: vertices
// lie on centres and borders of pixels often.
const unit = 8

// witnessGrid has an origin and a scale that floats hold, so that vertices are where
// the witness has them.
func witnessGrid(w, h int) rasterbase.Grid {
	return rasterbase.Grid{OriginX: 524288, OriginY: 5242880, ScaleX: 16, ScaleY: -16, Width: w, Height: h}
}

// place is a vertex in eighths of a pixel from the upper left of the raster.
type place struct{ x, y int64 }

// shape is polygons of rings, which are not closed.
type shape [][][]place

// geometry is the shape in the CRS of the grid.
func (s shape) geometry(g rasterbase.Grid) orb.MultiPolygon {
	var out orb.MultiPolygon
	for _, p := range s {
		var polygon orb.Polygon
		for _, r := range p {
			var ring orb.Ring
			for _, v := range append(r, r[0]) {
				x, y := g.World(float64(v.x)/unit, float64(v.y)/unit)
				ring = append(ring, orb.Point{x, y})
			}
			polygon = append(polygon, ring)
		}
		out = append(out, polygon)
	}
	return out
}

// edgesAt are the edges of each polygon that a row's line of centres crosses, the upper
// end first: they reach from there to below the other.
func (s shape) edgesAt(y int64) [][][2]place {
	out := make([][][2]place, len(s))
	for k, p := range s {
		for _, r := range p {
			for i, b := range r {
				a := r[(i+len(r)-1)%len(r)]
				if a.y > b.y {
					a, b = b, a
				}
				if a.y <= y && y < b.y {
					out[k] = append(out[k], [2]place{a, b})
				}
			}
		}
	}
	return out
}

// inside tells whether a place is in any polygon: by how many of the edges at its height
// lie to its left, or under it.
func inside(polygons [][][2]place, x, y int64) bool {
	for _, edges := range polygons {
		odd := false
		for _, e := range edges {
			if a, b := e[0], e[1]; (b.x-a.x)*(y-a.y) <= (x-a.x)*(b.y-a.y) {
				odd = !odd
			}
		}
		if odd {
			return true
		}
	}
	return false
}

// counts is how many pixels of each value are inside, and how many without one.
func (s shape) counts(w, h int, value func(col, row int) (float64, bool)) (counts map[float64]float64, nodata float64) {
	counts = map[float64]float64{}
	for row := range h {
		y := int64(row)*unit + unit/2
		polygons := s.edgesAt(y)
		for col := range w {
			if !inside(polygons, int64(col)*unit+unit/2, y) {
				continue
			}
			if v, ok := value(col, row); ok {
				counts[v]++
			} else {
				nodata++
			}
		}
	}
	return counts, nodata
}

// randomShape makes polygons of all kinds over a raster and beyond it.
func randomShape(r *rand.Rand, w, h int) shape {
	across := int64(unit * max(w, h))
	at := func() place {
		return place{r.Int64N(across+across/2) - across/4, r.Int64N(across+across/2) - across/4}
	}
	var s shape
	for range 1 + r.IntN(2) {
		c := at()
		size := 1 + r.Int64N(across/2)
		near := func() place { return place{c.x + r.Int64N(2*size+1) - size, c.y + r.Int64N(2*size+1) - size} }
		var p [][]place
		switch r.IntN(7) {
		case 0: // any triangle
			p = [][]place{{near(), near(), near()}}
		case 1: // a ring that crosses itself
			ring := make([]place, 4+r.IntN(8))
			for i := range ring {
				ring[i] = near()
			}
			p = [][]place{ring}
		case 2: // round, with a hole
			p = [][]place{round(r, c, size, 3+r.IntN(30)), round(r, c, size/3+1, 3+r.IntN(6))}
		case 3: // along the borders of pixels
			a, b := near(), near()
			for _, v := range []*place{&a, &b} {
				v.x, v.y = v.x/unit*unit, v.y/unit*unit
			}
			p = [][]place{{a, {b.x, a.y}, b, {a.x, b.y}}}
		case 4: // vertices on centres
			ring := round(r, c, size, 3+r.IntN(9))
			for i := range ring {
				ring[i] = place{ring[i].x/unit*unit + unit/2, ring[i].y/unit*unit + unit/2}
			}
			p = [][]place{ring}
		case 5: // thinner than a pixel
			a, b := near(), near()
			p = [][]place{{a, b, {b.x + r.Int64N(5), b.y + r.Int64N(5)}, {a.x + r.Int64N(5), a.y}}}
		case 6: // two that touch in a vertex, as one ring
			a := near()
			p = [][]place{{a, near(), near(), a, near(), near()}}
		}
		s = append(s, p)
	}
	return s
}

func round(r *rand.Rand, c place, size int64, n int) []place {
	out := make([]place, n)
	for i := range out {
		a := 2 * math.Pi * float64(i) / float64(n)
		d := float64(size) * (0.5 + r.Float64()/2)
		out[i] = place{c.x + int64(d*math.Cos(a)), c.y + int64(d*math.Sin(a))}
	}
	return out
}

// hashed is a raster of noise: any of n values, and some pixels without one.
func hashed(n int) func(col, row int) (float64, bool) {
	return func(col, row int) (float64, bool) {
		h := uint64(col)*0x9e3779b97f4a7c15 ^ uint64(row)*0xbf58476d1ce4e5b9
		h ^= h >> 31
		h *= 0xd6e8feb86659fd93
		h ^= h >> 29
		return float64(h % uint64(n)), h>>40%50 != 0
	}
}

// witnessLayer parses a raster of a function, without a pyramid.
func witnessLayer(t testing.TB, g rasterbase.Grid, srid int, d rasterbase.Datatype, p rasterbase.PixelType, tileSize int, value func(col, row int) (float64, bool)) coverage.Coverage {
	t.Helper()
	_, nodata := p.Range()
	opener := &rastertest.Opener{Sources: map[string]rastertest.Source{"witness.syn": {
		Grid: g, SRID: srid, Bands: []ingest.BandInfo{{PixelType: p, Nodata: rasterbase.FloatPtr(nodata)}},
		Value: func(_, col, row int) float64 {
			if v, ok := value(col, row); ok {
				return v
			}
			return nodata
		},
	}}}
	st, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	l, err := ingest.Import(t.Context(), st, opener, ingest.Request{
		Source: witnessFile(t), Settings: rasterbase.Settings{Datatype: d, NoPyramid: true, TileSize: tileSize},
	})
	if err != nil {
		t.Fatal(err)
	}
	cov, err := coverage.Open(context.WithoutCancel(t.Context()), st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return cov
}

func witnessFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "witness.syn")
	if err := os.WriteFile(path, []byte("not looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// compareCounts tells where an answer differs from what was counted pixel by pixel.
func compareCounts(r *zonal.Result, counts map[float64]float64, nodata float64) error {
	b := r.Bands[0]
	if len(b.Counts) != len(counts) {
		return fmt.Errorf("%d values, and there are %d", len(b.Counts), len(counts))
	}
	for _, row := range b.Counts {
		if counts[row.Value] != row.Count {
			return fmt.Errorf("%v pixels of the value %v, and there are %v", row.Count, row.Value, counts[row.Value])
		}
	}
	if b.Nodata != nodata {
		return fmt.Errorf("%v pixels without a value, and there are %v", b.Nodata, nodata)
	}
	return nil
}

func TestCountsAreThoseOfEveryPixel(t *testing.T) {
	for _, c := range []struct {
		side, shapes int
		pixels       rasterbase.PixelType
		values       int
	}{
		{150, 1500, rasterbase.Uint16, 4000}, // so many values that a pixel can hardly be taken for another
		{300, 300, rasterbase.Uint8, 6},
		{2100, 12, rasterbase.Uint8, 40}, // with pages of summaries inside
	} {
		t.Run(fmt.Sprintf("%d pixels", c.side), func(t *testing.T) {
			t.Parallel()
			w, h := c.side, c.side-7
			value := hashed(c.values)
			g := witnessGrid(w, h)
			cov := witnessLayer(t, g, 32632, rasterbase.Categorical, c.pixels, 64, value)
			r := rand.New(rand.NewPCG(7, uint64(c.side)))
			shapes := make([]shape, c.shapes)
			all := make([]orb.Geometry, c.shapes)
			for i := range shapes {
				shapes[i] = randomShape(r, w, h)
				all[i] = shapes[i].geometry(g)
			}
			z, err := zonal.Place(t.Context(), cov.Describe(), zonal.Placement{CRS: rasterbase.CRS{SRID: 32632}}, all)
			if err != nil {
				t.Fatal(err)
			}
			results, err := zonal.Count(t.Context(), cov, z, zonal.Query{})
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range shapes {
				counts, nodata := s.counts(w, h, value)
				if err := compareCounts(&results[i], counts, nodata); err != nil {
					t.Errorf("%v: %v", s, err)
				}
			}
		})
	}
}

// A shape that is cut in parts along edges that they share adds up to the whole.
func TestPartsAddUp(t *testing.T) {
	w, h := 260, 240
	value := hashed(9)
	g := witnessGrid(w, h)
	cov := witnessLayer(t, g, 32632, rasterbase.Categorical, rasterbase.Uint8, 64, value)
	r := rand.New(rand.NewPCG(11, 13))
	for range 40 {
		// Triangles round a place, in a polygon round it.
		c := place{r.Int64N(int64(unit * w)), r.Int64N(int64(unit * h))}
		ring := round(r, c, int64(unit*w), 3+r.IntN(20))
		parts := make([]orb.Geometry, 0, len(ring)+1)
		for i, v := range ring {
			parts = append(parts, shape{{{c, v, ring[(i+1)%len(ring)]}}}.geometry(g))
		}
		parts = append(parts, shape{{ring}}.geometry(g))
		z, err := zonal.Place(t.Context(), cov.Describe(), zonal.Placement{CRS: rasterbase.CRS{SRID: 32632}}, parts)
		if err != nil {
			t.Fatal(err)
		}
		results, err := zonal.Count(t.Context(), cov, z, zonal.Query{})
		if err != nil {
			t.Fatal(err)
		}
		sum, nodata := map[float64]float64{}, 0.0
		for _, part := range results[:len(ring)] {
			for _, row := range part.Bands[0].Counts {
				sum[row.Value] += row.Count
			}
			nodata += part.Bands[0].Nodata
		}
		if err := compareCounts(&results[len(ring)], sum, nodata); err != nil {
			t.Errorf("the parts of %v have %v", ring, err)
		}
	}
}

// Edges are straight in the polygon's own CRS, in which the witness tests every
// centre; those within a hundredth of a pixel of an edge may be on either side.
func TestCountsInAnotherCRS(t *testing.T) {
	for _, c := range []struct {
		name string
		srid int
		grid rasterbase.Grid
		lon  [2]float64
		lat  [2]float64
	}{
		{"UTM", 32632, rasterbase.Grid{OriginX: 400_000, OriginY: 5_500_000, ScaleX: 600, ScaleY: -600, Width: 153, Height: 167}, [2]float64{6.5, 10}, [2]float64{48.3, 50}},
		{"mercator over the antimeridian", 3857, rasterbase.Grid{OriginX: -20037508.342789244, OriginY: 9e6, ScaleX: 156543.03392804097, ScaleY: -90000, Width: 256, Height: 200}, [2]float64{140, 230}, [2]float64{-60, 60}},
		{"degrees", 4326, rasterbase.Grid{OriginX: -180, OriginY: 90, ScaleX: 1, ScaleY: -1, Width: 360, Height: 180}, [2]float64{150, 215}, [2]float64{-80, 80}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			value := hashed(4000)
			cov := witnessLayer(t, c.grid, c.srid, rasterbase.Categorical, rasterbase.Uint16, 64, value)
			places := placesRound(t, c.grid, c.srid)
			r := rand.New(rand.NewPCG(17, uint64(c.srid)))
			for range 60 {
				ring := make(orb.Ring, 3+r.IntN(5))
				for i := range ring {
					ring[i] = orb.Point{c.lon[0] + r.Float64()*(c.lon[1]-c.lon[0]), c.lat[0] + r.Float64()*(c.lat[1]-c.lat[0])}
				}
				result, err := zonal.ValueCount(t.Context(), cov, orb.Polygon{append(ring, ring[0])}, zonal.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if err := witnessRing(result, c.grid, places, ring, value); err != nil {
					t.Errorf("%v: %v", ring, err)
				}
			}
		})
	}
}

// placesRound are, in longitude and latitude, the centre of each pixel and four places
// round it a hundredth of a pixel away.
func placesRound(t *testing.T, g rasterbase.Grid, srid int) []crs.Point {
	t.Helper()
	inverse, err := crs.Closed{}.Between(rasterbase.CRS{SRID: srid}, rasterbase.CRS{SRID: 4326})
	if err != nil {
		t.Fatal(err)
	}
	places := make([]crs.Point, 0, 5*g.Width*g.Height)
	for row := range g.Height {
		for col := range g.Width {
			for _, d := range [][2]float64{{0, 0}, {-0.011, 0}, {0.011, 0}, {0, -0.011}, {0, 0.011}} {
				x, y := g.World(float64(col)+0.5+d[0], float64(row)+0.5+d[1])
				places = append(places, crs.Point{X: x, Y: y})
			}
		}
	}
	if err := inverse.Apply(t.Context(), places); err != nil {
		t.Fatal(err)
	}
	return places
}

// witnessRing tests each pixel by the places round its centre, also a turn further.
func witnessRing(result *zonal.Result, g rasterbase.Grid, places []crs.Point, ring orb.Ring, value func(col, row int) (float64, bool)) error {
	least, most := map[float64]float64{}, map[float64]float64{}
	box := ring.Bound() // nothing round it is inside
	holds := func(x, y float64) bool { return box.Contains(orb.Point{x, y}) && ringHolds(ring, x, y) }
	for row := range g.Height {
		for col := range g.Width {
			v, ok := value(col, row)
			if !ok {
				continue
			}
			in, at := 0, 5*(row*g.Width+col)
			for _, p := range places[at : at+5] {
				if holds(p.X, p.Y) || holds(p.X+360, p.Y) || holds(p.X-360, p.Y) {
					in++
				}
			}
			if in > 0 {
				most[v]++
			}
			if in == 5 {
				least[v]++
			}
		}
	}
	total := 0.0
	for _, counted := range result.Bands[0].Counts {
		total += counted.Count
		if counted.Count < least[counted.Value] || counted.Count > most[counted.Value] {
			return fmt.Errorf("%v pixels of the value %v, and there are %v to %v", counted.Count, counted.Value, least[counted.Value], most[counted.Value])
		}
	}
	sum := 0.0
	for _, n := range least {
		sum += n
	}
	if total < sum {
		return fmt.Errorf("%v pixels, and there are %v at least", total, sum)
	}
	return nil
}

func ringHolds(ring orb.Ring, x, y float64) bool {
	odd := false
	for i, b := range ring {
		a := ring[(i+len(ring)-1)%len(ring)]
		if (a[1] <= y) != (b[1] <= y) && a[0]+(y-a[1])/(b[1]-a[1])*(b[0]-a[0]) <= x {
			odd = !odd
		}
	}
	return odd
}
