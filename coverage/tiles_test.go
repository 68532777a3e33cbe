package coverage_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// geometries draws geometries whose coordinates are multiples of step, so that
// they often touch edges and corners of tiles.
func geometries(reach, step int) *rapid.Generator[orb.Geometry] {
	point := rapid.Custom(func(t *rapid.T) orb.Point {
		v := rapid.IntRange(-reach/step, reach/step)
		return orb.Point{float64(step * v.Draw(t, "x")), float64(step * v.Draw(t, "y"))}
	})
	ring := rapid.Custom(func(t *rapid.T) orb.Ring {
		r := orb.Ring(rapid.SliceOfN(point, 3, 7).Draw(t, "ring"))
		if rapid.Bool().Draw(t, "closed") {
			r = append(r, r[0])
		}
		return r
	})
	line := rapid.Custom(func(t *rapid.T) orb.LineString { return rapid.SliceOfN(point, 1, 5).Draw(t, "line") })
	polygon := rapid.Custom(func(t *rapid.T) orb.Polygon { return rapid.SliceOfN(ring, 1, 3).Draw(t, "polygon") })
	return rapid.Custom(func(t *rapid.T) orb.Geometry {
		var g orb.Geometry
		switch rapid.IntRange(0, 8).Draw(t, "kind") {
		case 0:
			g = point.Draw(t, "point")
		case 1:
			g = orb.MultiPoint(rapid.SliceOfN(point, 0, 4).Draw(t, "points"))
		case 2:
			g = line.Draw(t, "line")
		case 3:
			g = orb.MultiLineString(rapid.SliceOfN(line, 0, 3).Draw(t, "lines"))
		case 4:
			g = ring.Draw(t, "ring")
		case 5:
			g = polygon.Draw(t, "polygon")
		case 6:
			g = orb.MultiPolygon(rapid.SliceOfN(polygon, 0, 3).Draw(t, "polygons"))
		case 7:
			g = orb.MultiPoint(rapid.SliceOfN(point, 2, 2).Draw(t, "corners")).Bound()
		default:
			g = orb.Collection{point.Draw(t, "point"), line.Draw(t, "line"), polygon.Draw(t, "polygon")}
		}
		return g
	})
}

// On grids of every orientation the tiles found are those whose rectangles
// meet the geometry by brute force, in row order, touching included.
func TestTilesAreThoseThatMeetTheGeometry(t *testing.T) {
	st := open(t)
	grids := map[string]rasterbase.Grid{
		"north up":            {Width: 1400, Height: 1000, OriginX: -640, OriginY: 512, ScaleX: 1, ScaleY: -1},
		"south up":            {Width: 1280, Height: 640, OriginX: -640, OriginY: -256, ScaleX: 1, ScaleY: 1},
		"turned by 45 deg":    {Width: 700, Height: 900, OriginX: -800, OriginY: 32, ScaleX: 1, SkewX: 1, SkewY: 1, ScaleY: -1},
		"skewed":              {Width: 900, Height: 700, OriginX: -640, OriginY: 300, ScaleX: 1, SkewX: 0.5, ScaleY: -1},
		"wide pixels":         {Width: 300, Height: 2000, OriginX: -600, OriginY: 500, ScaleX: 4, ScaleY: -0.5},
		"one tile, not whole": {Width: 20, Height: 30, OriginX: -16, OriginY: 16, ScaleX: 2, ScaleY: -1},
	}
	for name, g := range grids {
		t.Run(name, func(t *testing.T) {
			var stored []coverage.TileAddress
			for _, a := range every(g, 64) {
				if (a.X*7+a.Y*3)%11 != 0 || g.Width < 64 {
					stored = append(stored, a)
				}
			}
			c := index(t, st, revision(g, 32632, 64), map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: stored})
			rapid.Check(t, func(t *rapid.T) {
				geometry := geometries(960, 32).Draw(t, "geometry")
				var want []coverage.TileAddress
				for _, a := range stored {
					if geometryMeets(geometry, rectangle(g, 64, a)) {
						want = append(want, a)
					}
				}
				got := tiles(t, c, coverage.TileQuery{Geometry: geometry, CRS: rasterbase.CRS{SRID: 32632}})
				if !slices.Equal(got, want) {
					t.Fatalf("found %v, want %v", got, want)
				}
			})
			if got := tiles(t, c, coverage.TileQuery{}); !slices.Equal(got, stored) {
				t.Errorf("without a geometry %d tiles of %d", len(got), len(stored))
			}
		})
	}
}

// A level of several depths of summaries, of which only some tiles are stored:
// the same as asking each tile.
func TestTilesOfALargeLevel(t *testing.T) {
	st := open(t)
	g := rasterbase.Grid{Width: 64 * 700, Height: 64 * 500, OriginX: 0, OriginY: 64 * 500, ScaleX: 1, ScaleY: -1}
	var stored []coverage.TileAddress
	for _, a := range every(g, 64) {
		if (a.X/40+a.Y/25)%3 == 0 && a.X%5 != 2 {
			stored = append(stored, a)
		}
	}
	c := index(t, st, revision(g, 32632, 64), map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: stored})
	for name, geometry := range map[string]orb.Geometry{
		"a diagonal":  orb.LineString{{0, 0}, {64 * 700, 64 * 500}},
		"a frame":     orb.Polygon{{{100, 100}, {44000, 100}, {44000, 31000}, {100, 31000}}, {{1000, 1000}, {43000, 1000}, {43000, 30000}, {1000, 30000}}},
		"a triangle":  orb.Ring{{22000, 31900}, {40, 64}, {44000, 6400}},
		"two corners": orb.MultiPoint{{1, 1}, {64*700 - 1, 64*500 - 1}},
		"all":         orb.Bound{Min: orb.Point{-5, -5}, Max: orb.Point{64 * 701, 64 * 501}},
		"beside it":   orb.Bound{Min: orb.Point{-5, -5}, Max: orb.Point{-1, 64 * 501}},
	} {
		var want []coverage.TileAddress
		for _, a := range stored {
			if geometryMeets(geometry, rectangle(g, 64, a)) {
				want = append(want, a)
			}
		}
		got := tiles(t, c, coverage.TileQuery{Geometry: geometry, CRS: rasterbase.CRS{SRID: 32632}})
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %d tiles, want %d", name, len(got), len(want))
		}
	}
	n := 0
	for range c.Tiles(t.Context(), coverage.TileQuery{}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("stopped after %d tiles", n)
	}
}

// Boxes whose sides lie on the edges of tiles, in numbers that are rounded:
// both neighbours are touched.
func TestRoundedEdgesTouch(t *testing.T) {
	st := open(t)
	g := rasterbase.Grid{Width: 2000, Height: 2000, OriginX: 500000.1, OriginY: 5.2e6 + 0.3, ScaleX: 0.1, ScaleY: -0.1}
	c := index(t, st, revision(g, 32632, 100), map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: every(g, 100)})
	rapid.Check(t, func(t *rapid.T) {
		x, y := rapid.IntRange(1, 18).Draw(t, "x"), rapid.IntRange(1, 18).Draw(t, "y")
		west, north := 500000.1+float64(x)*10, 5.2e6+0.3-float64(y)*10
		got := tiles(t, c, coverage.TileQuery{CRS: rasterbase.CRS{SRID: 32632}, Geometry: orb.Bound{Min: orb.Point{west, north - 10}, Max: orb.Point{west + 10, north}}})
		var want []coverage.TileAddress
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				want = append(want, coverage.TileAddress{X: x + dx, Y: y + dy})
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("tile %d,%d touches %v", x, y, got)
		}
	})
}

// dense is a geometry's outline through many places, in pixels of a grid.
func dense(t rapidTB, g orb.Polygon, tr crs.Transform, grid rasterbase.Grid) orb.Polygon {
	const n = 150
	var out orb.Polygon
	for _, r := range g {
		var p []crs.Point
		for i := range r {
			a, b := r[i], r[(i+1)%len(r)]
			for k := range n {
				f := float64(k) / n
				p = append(p, crs.Point{X: a[0] + (b[0]-a[0])*f, Y: a[1] + (b[1]-a[1])*f})
			}
		}
		if err := tr.Apply(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		var ring orb.Ring
		for _, q := range p {
			col, row := grid.Pixel(q.X, q.Y)
			ring = append(ring, orb.Point{col, row})
		}
		out = append(out, ring)
	}
	return out
}

// Edges are straight in the geometry's CRS and bent in the level's: the tiles
// found are those that a far denser outline meets. What is within a small part
// of a pixel of a tile's edge may be found or not.
func TestTilesOfAGeometryInAnotherCRS(t *testing.T) {
	st := open(t)
	utm := rasterbase.Grid{Width: 3000, Height: 3000, OriginX: 300000, OriginY: 5600000, ScaleX: 200, SkewX: 20, SkewY: 30, ScaleY: -200}
	rev := revision(utm, 32632, 64)
	rev.HasPyramid, rev.MaxZoom = true, 5
	c := index(t, st, rev, map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: every(utm, 64), coverage.ZoomLevel(5): everyZoom(5)})
	pyramid := xyz.PixelGrid(5, 64)
	pyramid.Width, pyramid.Height = 64*32, 64*32
	for name, level := range map[string]struct {
		coverage.Level
		grid rasterbase.Grid
		srid int
	}{"base": {coverage.BaseLevel, utm, 32632}, "pyramid": {coverage.ZoomLevel(5), pyramid, 3857}} {
		for from, box := range map[int][4]float64{4326: {0, 40, 30, 60}, 32633: {-300000, 4500000, 900000, 6500000}} {
			to, err := crs.Closed{}.Between(rasterbase.CRS{SRID: from}, rasterbase.CRS{SRID: level.srid})
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name, func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					point := rapid.Custom(func(t *rapid.T) orb.Point {
						return orb.Point{rapid.Float64Range(box[0], box[2]).Draw(t, "x"), rapid.Float64Range(box[1], box[3]).Draw(t, "y")}
					})
					g := orb.Polygon{rapid.SliceOfN(point, 3, 5).Draw(t, "shell")}
					if rapid.Bool().Draw(t, "hole") {
						g = append(g, rapid.SliceOfN(point, 3, 3).Draw(t, "hole"))
					}
					got := tiles(t, c, coverage.TileQuery{Level: level.Level, Geometry: g, CRS: rasterbase.CRS{SRID: from}, Transformer: crs.Closed{}})
					checkNear(t, dense(t, g, to, level.grid), level.grid, got)
				})
			})
		}
	}
}

// checkNear checks the tiles found for an outline in pixels. To tell most
// tiles, boxes of the outline's pieces are looked at, not its edges.
func checkNear(t *rapid.T, outline orb.Polygon, g rasterbase.Grid, got []coverage.TileAddress) {
	found := map[coverage.TileAddress]bool{}
	for _, a := range got {
		found[a] = true
	}
	pixels := rasterbase.Grid{Width: g.Width, Height: g.Height, ScaleX: 1, ScaleY: 1}
	near := map[coverage.TileAddress][]orb.LineString{} // the pieces of the outline near a tile
	for _, r := range outline {
		for i, a := range r {
			b := r[(i+1)%len(r)]
			for y := int(math.Floor(min(a[1], b[1])/64 - 0.01)); y <= int(max(a[1], b[1])/64+0.01); y++ {
				for x := int(math.Floor(min(a[0], b[0])/64 - 0.01)); x <= int(max(a[0], b[0])/64+0.01); x++ {
					at := coverage.TileAddress{X: x, Y: y}
					near[at] = append(near[at], orb.LineString{a, b})
				}
			}
		}
	}
	meets := func(a coverage.TileAddress, r orb.Ring) bool {
		return inside(outline, r[0]) || slices.ContainsFunc(near[a], func(l orb.LineString) bool { return lineMeets(l, r) })
	}
	var row []float64 // where the outline crosses a line through a row of tiles
	for _, a := range every(g, 64) {
		if a.X == 0 {
			row = crossings(outline, float64(a.Y)*64+1)
		}
		if len(near[a]) > 0 {
			r := rectangle(pixels, 64, a)
			want := meets(a, r)
			if want != found[a] && want == meets(a, scaled(r, 0.05)) && want == meets(a, scaled(r, -0.05)) {
				t.Fatalf("tile %v at the edge: found %v", a, found[a])
			}
			continue
		}
		beyond := 0
		for _, x := range row {
			if x > float64(a.X)*64+1 {
				beyond++
			}
		}
		if want := beyond%2 == 1; want != found[a] {
			t.Fatalf("tile %v: found %v", a, found[a])
		}
	}
}

// crossings are the columns in which an outline crosses a row.
func crossings(g orb.Polygon, row float64) (out []float64) {
	for _, r := range g {
		for i, b := range r {
			a := r[(i+len(r)-1)%len(r)]
			if (a[1] <= row) != (b[1] <= row) {
				out = append(out, a[0]+(row-a[1])/(b[1]-a[1])*(b[0]-a[0]))
			}
		}
	}
	return out
}

// scaled moves the sides of a rectangle outwards.
func scaled(r orb.Ring, by float64) orb.Ring {
	return orb.Ring{{r[0][0] - by, r[0][1] - by}, {r[1][0] + by, r[1][1] - by}, {r[2][0] + by, r[2][1] + by}, {r[3][0] - by, r[3][1] + by}}
}

func TestTilesAroundTheWorld(t *testing.T) {
	st := open(t)
	world := rasterbase.Grid{Width: 360, Height: 180, OriginX: -180, OriginY: 90, ScaleX: 1, ScaleY: -1}
	east := world
	east.OriginX = 0
	zone := rasterbase.Grid{Width: 640, Height: 1000, OriginX: 200000, OriginY: 7000000, ScaleX: 1000, ScaleY: -1000}
	fiji := rasterbase.Grid{Width: 100, Height: 100, OriginX: 175, OriginY: -10, ScaleX: 0.1, ScaleY: -0.1}
	layer := func(g rasterbase.Grid, srid int) *coverage.Layer {
		rev := revision(g, srid, 10)
		rev.HasPyramid, rev.MaxZoom = true, 2
		return index(t, st, rev, map[coverage.Level][]coverage.TileAddress{coverage.BaseLevel: every(g, 10), coverage.ZoomLevel(2): everyZoom(2)})
	}
	box := func(w, s, e, n float64) orb.Bound { return orb.Bound{Min: orb.Point{w, s}, Max: orb.Point{e, n}} }
	// The range of columns and rows that is selected, in several parts.
	type cols [4]int
	tests := []struct {
		name     string
		c        *coverage.Layer
		level    coverage.Level
		geometry orb.Geometry
		srid     int
		want     []cols
	}{
		{"a box", layer(world, 4326), coverage.BaseLevel, box(1, 1, 9, 9), 4326, []cols{{18, 8, 18, 8}}},
		{"counted from 0", layer(east, 4326), coverage.BaseLevel, box(-9, 1, -1, 9), 4326, []cols{{35, 8, 35, 8}}},
		{"from 0 to 360 and over Greenwich", layer(east, 4326), coverage.BaseLevel, box(-9, 1, 9, 9), 4326, []cols{{0, 8, 0, 8}, {35, 8, 35, 8}}},
		{"beyond 180", layer(world, 4326), coverage.BaseLevel, box(171, 1, 189, 9), 4326, []cols{{0, 8, 0, 8}, {35, 8, 35, 8}}},
		{"up to 180", layer(world, 4326), coverage.BaseLevel, box(171, 1, 180, 9), 4326, []cols{{35, 8, 35, 8}}},
		{"over the antimeridian", layer(world, 4326), coverage.BaseLevel, footprint.BoxGeometry(rasterbase.Bounds{West: 171, South: 1, East: -171, North: 9}), 4326, []cols{{0, 8, 0, 8}, {35, 8, 35, 8}}},
		{"the world, on a UTM zone", layer(zone, 32601), coverage.BaseLevel, box(-180, -90, 180, 90), 4326, []cols{{0, 0, 63, 99}}},
		{"the world, on a UTM zone at the other end", layer(zone, 32660), coverage.BaseLevel, box(-180, -90, 180, 90), 4326, []cols{{0, 0, 63, 99}}},
		{"the world from 0 to 360, on a UTM zone", layer(zone, 32601), coverage.BaseLevel, box(0, -90, 360, 90), 4326, []cols{{0, 0, 63, 99}}},
		{"a region beyond 180, on UTM zone 1", layer(zone, 32601), coverage.BaseLevel, box(184, 55, 186, 56), 4326, nil},
		{"the world, on tiles", layer(zone, 32601), coverage.ZoomLevel(2), box(-180, -90, 180, 90), 4326, []cols{{0, 0, 3, 3}}},
		{"beyond 180, on tiles", layer(zone, 32601), coverage.ZoomLevel(2), box(170, 1, 190, 2), 4326, []cols{{0, 1, 0, 1}, {3, 1, 3, 1}}},
		{"the other side of the antimeridian", layer(fiji, 4326), coverage.BaseLevel, box(-179.9, -14.9, -179.1, -14.1), 4326, []cols{{5, 4, 5, 4}}},
		{"a box in web mercator, over the edge of the world", layer(fiji, 4326), coverage.BaseLevel,
			box(20.01e6, -1.68e6, 20.06e6, -1.67e6), 3857, []cols{{4, 4, 5, 4}}},
		{"a box around the north pole in UTM", layer(world, 4326), coverage.BaseLevel, box(300000, 9.9e6, 700000, 10.1e6), 32632, []cols{{0, 0, 35, 0}}},
		{"no place", layer(world, 4326), coverage.BaseLevel, orb.Point{math.NaN(), 3}, 4326, nil},
		{"infinity", layer(world, 4326), coverage.BaseLevel, orb.MultiPoint{{math.Inf(1), 3}, {1, 1}}, 4326, []cols{{18, 8, 18, 8}}},
		{"beyond the pole", layer(zone, 32601), coverage.ZoomLevel(2), orb.Point{0, 95}, 4326, nil},
		{"everything", layer(zone, 32601), coverage.BaseLevel, box(-1e300, -1e300, 1e300, 1e300), 32601, []cols{{0, 0, 63, 99}}},
		{"everything, in another CRS", layer(zone, 32601), coverage.BaseLevel, box(-1e300, -1e300, 1e300, 1e300), 3857, []cols{{0, 0, 63, 99}}},
		{"rings without places", layer(world, 4326), coverage.BaseLevel, orb.Collection{orb.Polygon{}, orb.Polygon{{}}, orb.LineString{}, orb.MultiPoint{}, orb.Ring{{1, 1}}}, 3857, []cols{{18, 8, 18, 8}}},
		{"nothing", layer(world, 4326), coverage.BaseLevel, orb.Collection{}, 4326, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []coverage.TileAddress
			for _, r := range tt.want {
				for y := r[1]; y <= r[3]; y++ {
					for x := r[0]; x <= r[2]; x++ {
						want = append(want, coverage.TileAddress{X: x, Y: y})
					}
				}
			}
			got := tiles(t, tt.c, coverage.TileQuery{Level: tt.level, Geometry: tt.geometry, CRS: rasterbase.CRS{SRID: tt.srid}, Transformer: crs.Closed{}})
			if tt.name == "a region beyond 180, on UTM zone 1" { // the same as from the west
				want = tiles(t, tt.c, coverage.TileQuery{Level: tt.level, Geometry: box(-176, 55, -174, 56), CRS: rasterbase.CRS{SRID: 4326}, Transformer: crs.Closed{}})
				if len(want) == 0 {
					t.Fatal("nothing found from the west")
				}
			}
			if !slices.Equal(got, sorted(want)) {
				t.Errorf("found %v, want %v", got, want)
			}
		})
	}
}

func TestTilesThatCannotBeFound(t *testing.T) {
	st := open(t)
	c := layer(t, st, spec(1, nil))
	flat := spec(1, nil)
	flat.NoPyramid = true
	for _, tt := range []struct {
		name string
		c    *coverage.Layer
		q    coverage.TileQuery
		code rasterbase.Code
	}{
		{"beyond the max zoom", c, coverage.TileQuery{Level: coverage.ZoomLevel(4)}, rasterbase.Invalid},
		{"no pyramid", layer(t, st, flat), coverage.TileQuery{Level: coverage.ZoomLevel(0)}, rasterbase.NotFound},
		{"no such band", c, coverage.TileQuery{Bands: []int{1}}, rasterbase.Invalid},
		{"a CRS that is not known", c, coverage.TileQuery{Geometry: orb.Point{}, CRS: rasterbase.CRS{SRID: 31370}, Transformer: crs.Closed{}}, rasterbase.Unsupported},
		{"a CRS without a closed form, and no transformer", c, coverage.TileQuery{Geometry: orb.Point{}, CRS: rasterbase.CRS{SRID: 31370}}, rasterbase.Unsupported},
	} {
		n := 0
		for _, err := range tt.c.Tiles(t.Context(), tt.q) {
			if n++; rasterbase.CodeOf(err) != tt.code {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d answers", tt.name, n)
		}
		for _, err := range tt.c.Rasters(t.Context(), tt.q) {
			if rasterbase.CodeOf(err) != tt.code {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range c.Tiles(ctx, coverage.TileQuery{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	drop(t, st, c)
	for _, err := range c.Rasters(t.Context(), coverage.TileQuery{}) {
		if !errors.Is(err, store.ErrRevisionGone) {
			t.Errorf("a dropped revision: %v", err)
		}
	}
}

func drop(t *testing.T, st store.Store, c *coverage.Layer) {
	t.Helper()
	if err := st.Tiles().Drop(t.Context(), store.RevisionKey{Layer: c.Layer().ID, Revision: c.Revision().ID}); err != nil {
		t.Fatal(err)
	}
	err := st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		if err := tx.Revisions().Retire(t.Context(), c.Revision().ID); err != nil {
			return err
		}
		return tx.Revisions().Delete(t.Context(), c.Revision().ID)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The rasters of tiles are what a window on each reads.
func TestRastersAreWindows(t *testing.T) {
	st := open(t)
	for name, s := range map[string]int{"one band": 1, "three": 3, "six": 6} {
		for _, nodata := range []*rasterbase.Float{nil, rasterbase.FloatPtr(-1)} {
			spec := spec(s, nodata)
			spec.Value = func(band, x, y int) (float64, bool) {
				v, ok := value(band, x, y)
				return v, ok && (band != 1 || x < 64) // tiles without this band
			}
			c := layer(t, st, spec)
			for _, bands := range [][]int{nil, {0}, {s - 1, 0, 0}} {
				for _, level := range []coverage.Level{coverage.BaseLevel, coverage.ZoomLevel(3), coverage.ZoomLevel(1)} {
					q := coverage.TileQuery{Level: level, Bands: bands}
					want := tiles(t, c, q)
					for tile, err := range c.Rasters(t.Context(), q) {
						if err != nil {
							t.Fatal(err)
						}
						if tile.TileAddress != want[0] {
							t.Fatalf("tile %v, want %v", tile.TileAddress, want[0])
						}
						want = want[1:]
						w, err := c.Window(t.Context(), coverage.WindowRequest{Level: level, X: tile.X * 64, Y: tile.Y * 64,
							Width: tile.Raster.Width, Height: tile.Raster.Height, Bands: bands})
						if err != nil {
							t.Fatal(err)
						}
						if !raster.Equal(w, tile.Raster) {
							t.Errorf("%s, bands %v of tile %v %v differ from the window", name, bands, level, tile.TileAddress)
						}
					}
					if len(want) > 0 {
						t.Errorf("%d tiles were not read", len(want))
					}
				}
			}
		}
	}
}

func TestRastersThatWereLost(t *testing.T) {
	st := open(t)
	c, err := coverage.OpenLayer(t.Context(), losing{st}, layer(t, st, spec(6, nil)).Layer().ID)
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range c.Rasters(t.Context(), coverage.TileQuery{}) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "missing") {
		t.Errorf("a lost tile: %v", last)
	}
}

// losing is a store in which a tile cannot be found.
type losing struct{ store.Store }

func (l losing) Tiles() store.Tiles { return losingTiles{l.Store.Tiles()} }

type losingTiles struct{ store.Tiles }

func (l losingTiles) GetMany(ctx context.Context, k []store.TileKey) ([]*raster.Raster, error) {
	r, err := l.Tiles.GetMany(ctx, k)
	for i := range r {
		if k[i].X == 1 && k[i].Y == 1 {
			r[i] = nil
		}
	}
	return r, err
}
