package footprint_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

// pixelGrid is a grid whose coordinates are those of its pixels.
func pixelGrid(width, height, tileSize int) footprint.Grid {
	return footprint.Grid{
		Grid:     rasterbase.Grid{Width: width, Height: height, ScaleX: 1, ScaleY: 1},
		CRS:      rasterbase.CRS{SRID: 32632},
		TileSize: tileSize,
	}
}

func place(t testing.TB, g footprint.Grid, in orb.Geometry) *footprint.Outline {
	t.Helper()
	p, err := footprint.NewPlacer(t.Context(), g, footprint.Options{CRS: g.CRS})
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.Place(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// weights are those of the pixels of a rectangle. Spans must be in order, disjoint and
// within it.
func weights(o *footprint.Outline, rule footprint.Rule, r raster.Rect) (out []float64, err error) {
	out = make([]float64, r.Width*r.Height)
	lastRow, lastTo := math.MinInt, 0
	o.Spans(rule, r, func(row, from, to int, weight float64) {
		if row < lastRow || row == lastRow && from < lastTo || from >= to || row < r.Y || row >= r.Y+r.Height || from < r.X || to > r.X+r.Width || !(weight > 0 && weight <= 1) {
			err = fmt.Errorf("a run of row %d from %d to %d with weight %v, after row %d to %d, in %v", row, from, to, weight, lastRow, lastTo, r)
			return
		}
		lastRow, lastTo = row, to
		for x := from; x < to; x++ {
			out[(row-r.Y)*r.Width+x-r.X] = weight
		}
	})
	return out, err
}

func TestSpansAreThoseOfExactArithmetic(t *testing.T) {
	t.Parallel()
	const width, height, tile = 13, 11, 4
	g := pixelGrid(width, height, tile)
	r := rand.New(rand.NewPCG(1, 2))
	rounds := 80
	if testing.Short() {
		rounds = 30
	}
	for range rounds {
		s := randomShape(r, width, height)
		o := place(t, g, s.geometry())
		shares := s.fractions(width, height)
		for _, rule := range []footprint.Rule{footprint.Centre, footprint.Touched, footprint.Fraction} {
			want := func(x, y int) float64 {
				switch {
				case rule == footprint.Fraction:
					return shares[y][x]
				case rule == footprint.Centre && s.centre(x, y), rule == footprint.Touched && s.touched(x, y):
					return 1
				}
				return 0
			}
			if err := checkSpans(o, rule, raster.Rect{Width: width, Height: height}, want); err != nil {
				t.Fatalf("%v by %s: %v", s, rule, err)
			}
			part := raster.Rect{X: r.IntN(width), Y: r.IntN(height)}
			part.Width, part.Height = 1+r.IntN(width-part.X), 1+r.IntN(height-part.Y)
			if err := checkSpans(o, rule, part, want); err != nil {
				t.Fatalf("%v by %s: %v", s, rule, err)
			}
			if err := checkCells(o, rule, width, height, tile, want); err != nil {
				t.Fatalf("%v by %s: %v", s, rule, err)
			}
		}
	}
}

func checkSpans(o *footprint.Outline, rule footprint.Rule, r raster.Rect, want func(x, y int) float64) error {
	got, err := weights(o, rule, r)
	if err != nil {
		return err
	}
	for i, v := range got {
		x, y := r.X+i%r.Width, r.Y+i/r.Width
		if w := want(x, y); math.Abs(v-w) > 1e-12 {
			return fmt.Errorf("pixel %d,%d of %v has the weight %v, want %v", x, y, r, v, w)
		}
	}
	return nil
}

// checkCells compares rows of tiles with the weights of their pixels.
func checkCells(o *footprint.Outline, rule footprint.Rule, width, height, tile int, want func(x, y int) float64) error {
	columns := (width + tile - 1) / tile
	kind := map[[2]int]string{}
	last := -1
	for row, spans := range o.CellRows(rule) {
		if row <= last {
			return fmt.Errorf("row %d after %d", row, last)
		}
		last = row
		end := 0
		for _, s := range spans {
			if s.From < end || s.From >= s.To || s.To > columns {
				return fmt.Errorf("row %d has the spans %v", row, spans)
			}
			for end = s.From; end < s.To; end++ {
				kind[[2]int{end, row}] = map[bool]string{true: "inside", false: "edge"}[s.Inside]
			}
		}
	}
	for y := range height {
		for x := range width {
			k, w := kind[[2]int{x / tile, y / tile}], want(x, y)
			if k == "inside" && math.Abs(w-1) > 1e-12 || k == "" && w != 0 {
				return fmt.Errorf("pixel %d,%d with weight %v lies in a tile that is %q", x, y, w, k)
			}
		}
	}
	return nil
}
