package footprint_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

var rules = []footprint.Rule{footprint.Centre, footprint.Touched, footprint.Fraction}

func TestGeometriesThatAreRefused(t *testing.T) {
	square := orb.Ring{{0, 0}, {1, 0}, {1, 1}}
	for _, tt := range []struct {
		name string
		in   orb.Geometry
		code rasterbase.Code
		says string
	}{
		{"no number", orb.MultiPolygon{{square}, {square, {{0, 0}, {math.NaN(), 1}, {1, 1}}}}, rasterbase.Invalid, "vertex 2 of ring 2 of part 2"},
		{"infinite", orb.LineString{{0, 0}, {1, math.Inf(1)}}, rasterbase.Invalid, "vertex 2 of part 1"},
		{"beyond a pole", orb.Polygon{{{0, 0}, {1, 0}, {1, 90.1}}}, rasterbase.Invalid, "vertex 3 of ring 1 of part 1"},
		{"too many vertices", orb.Polygon{square, square, square, square}, rasterbase.TooLarge, "12 vertices, and 10"},
	} {
		p, err := footprint.NewPlacer(t.Context(), landGrid(), footprint.Options{CRS: rasterbase.CRS{SRID: 4326}, MaxVertices: 10})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Place(t.Context(), tt.in)
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Code != tt.code || e.Field != "geom" || e.Hint == "" || !strings.Contains(e.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	_, err := footprint.NewPlacer(t.Context(), landGrid(), footprint.Options{CRS: rasterbase.CRS{SRID: 31370}})
	if rasterbase.CodeOf(err) != rasterbase.Unsupported {
		t.Errorf("a CRS that is not known: %v", err)
	}
}

// No geometry is the whole grid, a cropped one too.
func TestTheWholeGrid(t *testing.T) {
	g := pixelGrid(600, 300, 256)
	o := place(t, g, nil)
	for _, rule := range rules {
		rows := 0
		for row, spans := range o.CellRows(rule) {
			rows++
			if len(spans) != 1 || spans[0] != (footprint.CellSpan{From: 0, To: 3, Inside: true}) {
				t.Errorf("row %d by %s: %v", row, rule, spans)
			}
		}
		if n, known := o.Outside(rule); rows != 2 || n != 0 || !known {
			t.Errorf("%s: %d rows, %v pixels outside (%v)", rule, rows, n, known)
		}
		if got := sum(o, rule, raster.Rect{Width: 600, Height: 300}); got != 600*300 {
			t.Errorf("%s: %v pixels", rule, got)
		}
	}
}

func sum(o *footprint.Outline, rule footprint.Rule, r raster.Rect) (n float64) {
	o.Spans(rule, r, func(_, from, to int, weight float64) { n += float64(to-from) * weight })
	return n
}

// A tile is inside as soon as no edge passes through it; edges along its border do not.
func TestTilesInside(t *testing.T) {
	box := func(x1, y1, x2, y2 float64) orb.Geometry {
		return orb.Bound{Min: orb.Point{x1, y1}, Max: orb.Point{x2, y2}}
	}
	for _, tt := range []struct {
		name string
		in   orb.Geometry
		want map[int][]footprint.CellSpan
	}{
		{"along borders", box(8, 8, 24, 16), map[int][]footprint.CellSpan{1: {{From: 1, To: 3, Inside: true}}}},
		{"beyond the cropped end", box(4, 16, 99, 99), map[int][]footprint.CellSpan{2: {{From: 0, To: 1}, {From: 1, To: 4, Inside: true}}}},
		{"ends between the crop and the tile's end", box(4, 16, 31, 23), map[int][]footprint.CellSpan{2: {{From: 0, To: 1}, {From: 1, To: 4, Inside: true}}}},
		{"within a tile", box(9, 9, 10, 10), map[int][]footprint.CellSpan{1: {{From: 1, To: 2}}}},
		{"a hole", orb.Polygon{{{0, 0}, {30, 0}, {30, 8}, {0, 8}}, {{9, 1}, {15, 1}, {15, 2}, {9, 2}}}, map[int][]footprint.CellSpan{0: {{From: 0, To: 1, Inside: true}, {From: 1, To: 2}, {From: 2, To: 4, Inside: true}}}},
		{"beside the grid", box(-9, -9, 0, 0), nil},
	} {
		o := place(t, pixelGrid(30, 20, 8), tt.in)
		for _, rule := range rules {
			n := 0
			for row, spans := range o.CellRows(rule) {
				n++
				same := len(spans) == len(tt.want[row])
				for i := range spans {
					same = same && spans[i] == tt.want[row][i]
				}
				if !same {
					t.Errorf("%s by %s: row %d has %v", tt.name, rule, row, spans)
				}
			}
			if n != len(tt.want) {
				t.Errorf("%s by %s: %d rows", tt.name, rule, n)
			}
		}
	}
}

// Points hold the pixel that they are in, lines those that they pass through; lines on
// borders of pixels those to the right or below.
func TestPointsAndLines(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   orb.Geometry
		want [][2]int
	}{
		{"a point", orb.Point{2.5, 3.9}, [][2]int{{2, 3}}},
		{"on a corner", orb.Point{2, 3}, [][2]int{{2, 3}}},
		{"each once", orb.MultiPoint{{2.1, 3.1}, {2.9, 3.9}, {4, 4}}, [][2]int{{2, 3}, {4, 4}}},
		{"on the lower right border", orb.Point{12, 9}, nil},
		{"a line", orb.LineString{{0.5, 0.5}, {2.5, 0.5}, {2.5, 2.5}}, [][2]int{{0, 0}, {1, 0}, {2, 0}, {2, 1}, {2, 2}}},
		{"through corners", orb.LineString{{0, 0}, {3, 3}}, [][2]int{{0, 0}, {1, 1}, {2, 2}}},
		{"along an upright border", orb.LineString{{3, 1}, {3, 3}}, [][2]int{{3, 1}, {3, 2}}},
		{"along a level border", orb.LineString{{3, 4}, {1, 4}}, [][2]int{{1, 4}, {2, 4}}},
		{"on a border and then not", orb.LineString{{3, 1}, {3, 3}, {4.5, 3.5}}, [][2]int{{3, 3}, {4, 3}}},
		{"without a length", orb.LineString{{3, 1}, {3, 1}}, [][2]int{{3, 1}}},
		{"of one vertex", orb.LineString{{3.2, 1.2}}, [][2]int{{3, 1}}},
		{"with an area", orb.Collection{orb.LineString{{0.5, 0.5}, {2.5, 0.5}}, orb.Bound{Min: orb.Point{1, 0}, Max: orb.Point{4, 1}}}, [][2]int{{0, 0}, {1, 0}, {2, 0}, {3, 0}}},
	} {
		o := place(t, pixelGrid(12, 9, 4), tt.in)
		want := map[[2]int]bool{}
		for _, at := range tt.want {
			want[at] = true
		}
		weight := func(x, y int) float64 {
			if want[[2]int{x, y}] {
				return 1
			}
			return 0
		}
		for _, rule := range rules[:2] {
			if err := checkSpans(o, rule, raster.Rect{Width: 12, Height: 9}, weight); err != nil {
				t.Errorf("%s by %s: %v", tt.name, rule, err)
			}
			if err := checkCells(o, rule, 12, 9, 4, weight); err != nil {
				t.Errorf("%s by %s: %v", tt.name, rule, err)
			}
		}
	}
}

// Rings that enclose nothing hold what they pass through, by that rule alone.
func TestRingsWithoutAnInside(t *testing.T) {
	for name, in := range map[string]orb.Geometry{
		"a box":                  orb.Bound{Min: orb.Point{2.2, 2.5}, Max: orb.Point{2.7, 2.5}},
		"a ring of two":          orb.Ring{{2.5, 2.5}, {2.6, 2.8}},
		"there and back":         orb.Polygon{{{2.5, 2.5}, {2.6, 2.8}, {2.5, 2.5}}},
		"one and another, alike": orb.Polygon{{{2.1, 2.1}, {2.9, 2.1}, {2.9, 2.9}}, {{2.1, 2.1}, {2.9, 2.1}, {2.9, 2.9}}},
	} {
		o := place(t, pixelGrid(12, 9, 4), in)
		for rule, want := range map[footprint.Rule]float64{footprint.Centre: 0, footprint.Touched: 1, footprint.Fraction: 0} {
			if got := sum(o, rule, raster.Rect{Width: 12, Height: 9}); got != want {
				t.Errorf("%s holds %v pixels by %s", name, got, rule)
			}
		}
	}
	if o := place(t, pixelGrid(12, 9, 4), orb.Polygon{{}}); !o.Empty() || o.HasArea() {
		t.Error("a ring without vertices holds something")
	}
}

func TestLinesPassThroughPixels(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for range 300 {
		l := []at{{r.Int64N(96), r.Int64N(80)}, {r.Int64N(96), r.Int64N(80)}, {r.Int64N(96) | 1, r.Int64N(80) | 1}}
		var in orb.LineString
		for _, q := range l {
			in = append(in, orb.Point{float64(q.x) / eighths, float64(q.y) / eighths})
		}
		want := func(x, y int) float64 {
			if passes(l[0], l[1], x, y) || passes(l[1], l[2], x, y) {
				return 1
			}
			return 0
		}
		o := place(t, pixelGrid(12, 10, 4), in)
		if err := checkSpans(o, footprint.Touched, raster.Rect{Width: 12, Height: 10}, want); err != nil {
			t.Fatalf("%v: %v", l, err)
		}
	}
}

// What is held within the grid and beyond it is together what a grid that holds all of
// the geometry has.
func TestOutside(t *testing.T) {
	t.Parallel()
	small, large := pixelGrid(13, 11, 4), pixelGrid(13+40, 11+40, 4)
	large.OriginX, large.OriginY = -20, -20
	r := rand.New(rand.NewPCG(10, 11))
	for range 200 {
		s := randomShape(r, 26, 24)
		o, all := place(t, small, s.geometry()), place(t, large, s.geometry())
		for _, rule := range rules {
			outside, known := o.Outside(rule)
			got := outside + sum(o, rule, raster.Rect{Width: 13, Height: 11})
			want := sum(all, rule, raster.Rect{Width: large.Width, Height: large.Height})
			if beyond, _ := all.Outside(rule); !known || beyond != 0 || math.Abs(got-want) > 1e-9 {
				t.Fatalf("%v by %s: %v with those outside (%v), want %v", s, rule, got, known, want)
			}
		}
	}
	o := place(t, small, orb.Bound{Min: orb.Point{0, 0}, Max: orb.Point{10, 1e10}})
	if _, known := o.Outside(footprint.Centre); known {
		t.Error("what is much larger than the grid is counted")
	}
	p, err := footprint.NewPlacer(t.Context(), landGrid(), footprint.Options{CRS: rasterbase.CRS{SRID: 4326}})
	if err != nil {
		t.Fatal(err)
	}
	o, err = p.Place(t.Context(), orb.Bound{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}})
	if err != nil {
		t.Fatal(err)
	}
	if _, known := o.Outside(footprint.Centre); known || sum(o, footprint.Fraction, raster.Rect{Width: 8000, Height: 8000}) != 8000*8000 {
		t.Error("the whole world is not all of the grid, or was not cut")
	}
}

// Areas that share their edges share no pixel's centre and leave none out, whatever CRS
// they are in; their shares of a pixel are 1 together.
func TestPartitions(t *testing.T) {
	t.Parallel()
	g := landGrid()
	g.Width, g.Height = 300, 280
	r := rand.New(rand.NewPCG(12, 13))
	for _, c := range []struct {
		srid   int
		pixels float64 // degrees or metres of a pixel, about
		x, y   float64
	}{{32632, 30, 300000, 5900000}, {4326, 0.0004, 6, 53.2}, {3857, 50, 668000, 7020000}} {
		p, err := footprint.NewPlacer(t.Context(), g, footprint.Options{CRS: rasterbase.CRS{SRID: c.srid}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			// A net of triangles whose corners are moved about.
			const n = 9
			var net [n][n]orb.Point
			for i := range n {
				for j := range n {
					a, b := float64(i)+0.6*r.Float64(), float64(j)+0.6*r.Float64()
					net[i][j] = orb.Point{c.x + (a-1.5)*70*c.pixels, c.y - (b-1.5)*70*c.pixels}
				}
			}
			all := raster.Rect{Width: g.Width, Height: g.Height}
			counts, shares := make([]float64, g.Width*g.Height), make([]float64, g.Width*g.Height)
			for i := range n - 1 {
				for j := range n - 1 {
					a, b, c, d := net[i][j], net[i+1][j], net[i+1][j+1], net[i][j+1]
					for _, ring := range []orb.Ring{{a, b, c}, {c, d, a}} {
						o, err := p.Place(t.Context(), ring)
						if err != nil {
							t.Fatal(err)
						}
						for sums, rule := range map[*[]float64]footprint.Rule{&counts: footprint.Centre, &shares: footprint.Fraction} {
							got, err := weights(o, rule, all)
							if err != nil {
								t.Fatal(err)
							}
							for k, v := range got {
								(*sums)[k] += v
							}
						}
					}
				}
			}
			inner := 0
			for k := range counts {
				// Where the net is, but for its rim.
				if counts[k] > 1 || shares[k] > 1+1e-9 {
					t.Fatalf("srid %d: pixel %d is in %v areas, with the share %v", c.srid, k, counts[k], shares[k])
				}
				if shares[k] > 1-1e-9 {
					inner++
					if counts[k] != 1 {
						t.Fatalf("srid %d: pixel %d is in no area, and covered", c.srid, k)
					}
				}
			}
			if inner < 20000 {
				t.Errorf("srid %d: only %d pixels are covered", c.srid, inner)
			}
		}
	}
}

// Vertices alone are moved, and the edges between them are straight in the grid.
func TestVerticesOnly(t *testing.T) {
	g := landGrid()
	in := orb.Polygon{{{6.2, 52.9}, {9, 52.9}, {9, 51.5}, {6.2, 51.5}}}
	p, err := footprint.NewPlacer(t.Context(), g, footprint.Options{CRS: rasterbase.CRS{SRID: 4326}, VerticesOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.Place(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := crs.Closed{}.Between(rasterbase.CRS{SRID: 4326}, g.CRS)
	if err != nil {
		t.Fatal(err)
	}
	var ring orb.Ring
	for _, q := range in[0] {
		at := []crs.Point{{X: q[0], Y: q[1]}}
		if err := tr.Apply(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		ring = append(ring, orb.Point{at[0].X, at[0].Y})
	}
	all := raster.Rect{Width: g.Width, Height: g.Height}
	straight := place(t, g, ring)
	if a, b := sum(o, footprint.Fraction, all), sum(straight, footprint.Fraction, all); math.Abs(a-b) > 1e-3 {
		t.Errorf("%v pixels, want %v", a, b)
	}
	q, err := footprint.NewPlacer(t.Context(), g, footprint.Options{CRS: rasterbase.CRS{SRID: 4326}})
	if err != nil {
		t.Fatal(err)
	}
	bent, err := q.Place(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := sum(o, footprint.Fraction, all), sum(bent, footprint.Fraction, all); math.Abs(a-b) < 1000 {
		t.Errorf("edges that bend hold as much as straight ones: %v and %v", a, b)
	}
}
