package footprint_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

// FuzzSpans places polygons and lines of any coordinates: runs are in order, disjoint
// and within their rectangle, and tiles that are inside are held whole.
func FuzzSpans(f *testing.F) {
	seed := func(v ...float64) {
		var b []byte
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		f.Add(b, uint8(0))
		f.Add(b, uint8(7))
	}
	seed(0, 0, 20, 0, 20, 20, 0, 20)
	seed(1, 1, 9.5, 3, 4, 12.25)
	seed(0, 0, 1e300, 5, -1e300, 7)
	seed(180, 0, 190, 10, 170, 20)
	seed(math.NaN(), 0, 1, 1, 2, math.Inf(1))
	seed(5, 5, 5, 5+1e-15, 5+1e-15, 5, 1e-320, 8, 12, 1e-9)
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		var at []orb.Point
		for ; len(b) >= 16 && len(at) < 200; b = b[16:] {
			at = append(at, orb.Point{math.Float64frombits(binary.LittleEndian.Uint64(b)), math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))})
		}
		var in orb.Geometry = orb.Polygon{at[:len(at)/2], at[len(at)/2:]}
		if kind&1 == 1 {
			in = orb.Collection{orb.LineString(at), orb.Ring(at)}
		}
		g := pixelGrid(20, 17, 5)
		from := g.CRS
		if kind&2 == 2 {
			g.Grid, g.CRS = rasterbase.Grid{Width: 20, Height: 17, OriginX: -20, OriginY: 80, ScaleX: 1.5, ScaleY: -1.25}, rasterbase.CRS{SRID: 4326}
			from = rasterbase.CRS{SRID: 3857}
		}
		p, err := footprint.NewPlacer(t.Context(), g, footprint.Options{CRS: from, Lenient: kind&4 == 4})
		if err != nil {
			t.Fatal(err)
		}
		o, err := p.Place(t.Context(), in)
		if rasterbase.CodeOf(err) == rasterbase.Invalid {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range rules {
			all, err := weights(o, rule, raster.Rect{Width: 20, Height: 17})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := weights(o, rule, raster.Rect{X: -3, Y: -4, Width: 9, Height: 30}); err != nil {
				t.Fatal(err)
			}
			if err := checkCells(o, rule, 20, 17, 5, func(x, y int) float64 { return all[y*20+x] }); err != nil {
				t.Fatal(err)
			}
			if n, _ := o.Outside(rule); !(n >= 0) {
				t.Fatalf("%v pixels outside", n)
			}
		}
	})
}
