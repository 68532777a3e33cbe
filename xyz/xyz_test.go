package xyz_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/xyz"
)

func drawTile(t *rapid.T) xyz.Tile {
	z := rapid.IntRange(0, xyz.MaxZoom).Draw(t, "z")
	n := rapid.IntRange(0, xyz.Side(z)-1)
	return xyz.Tile{Z: z, X: n.Draw(t, "x"), Y: n.Draw(t, "y")}
}

func TestParse(t *testing.T) {
	tests := []struct {
		s    string
		tile xyz.Tile
		code rasterbase.Code
	}{
		{"0/0/0", xyz.Tile{}, ""},
		{"3/7/5", xyz.Tile{Z: 3, X: 7, Y: 5}, ""},
		{"30/1073741823/0", xyz.Tile{Z: 30, X: 1<<30 - 1}, ""},
		{"3/8/5", xyz.Tile{}, rasterbase.NotFound},
		{"3/-1/5", xyz.Tile{}, rasterbase.NotFound},
		{"-1/0/0", xyz.Tile{}, rasterbase.NotFound},
		{"31/0/0", xyz.Tile{}, rasterbase.NotFound},
		{"", xyz.Tile{}, rasterbase.Invalid},
		{"3/7", xyz.Tile{}, rasterbase.Invalid},
		{"3/7/5/1", xyz.Tile{}, rasterbase.Invalid},
		{"3/7/", xyz.Tile{}, rasterbase.Invalid},
		{"3/+7/5", xyz.Tile{}, rasterbase.Invalid},
		{"3/7.0/5", xyz.Tile{}, rasterbase.Invalid},
		{"3/7/99999999999999999999", xyz.Tile{}, rasterbase.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.s, func(t *testing.T) {
			got, err := xyz.Parse(tt.s)
			if got != tt.tile || rasterbase.CodeOf(err) != tt.code {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestAddressRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tile := drawTile(t)
		if got, err := xyz.Parse(tile.String()); err != nil || got != tile {
			t.Fatalf("%v became %v, %v", tile, got, err)
		}
	})
}

func TestValid(t *testing.T) {
	for tile, want := range map[xyz.Tile]bool{
		{}: true, {1, 1, 1}: true, {1, 2, 0}: false, {1, 0, 2}: false, {1, -1, 0}: false, {-1, 0, 0}: false, {31, 0, 0}: false,
	} {
		if tile.Valid() != want {
			t.Errorf("%v is not %v", tile, want)
		}
	}
}

// Children lie in their parent, and their edges are exactly its edges.
func TestChildrenMakeUpTheirParent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tile := drawTile(t)
		if tile.Z == xyz.MaxZoom {
			t.Skip("no children")
		}
		b, kids := tile.Bounds(), tile.Children()
		upperLeft, upperRight, lowerLeft, lowerRight := kids[0].Bounds(), kids[1].Bounds(), kids[2].Bounds(), kids[3].Bounds()
		if upperLeft.MinX != b.MinX || upperLeft.MaxY != b.MaxY || lowerRight.MaxX != b.MaxX || lowerRight.MinY != b.MinY {
			t.Fatalf("the outer edges of %v differ: %v %v", tile, upperLeft, lowerRight)
		}
		if upperLeft.MaxX != upperRight.MinX || upperLeft.MinY != lowerLeft.MaxY || lowerLeft.MaxX != lowerRight.MinX {
			t.Fatalf("the inner edges of %v differ", tile)
		}
		for _, k := range kids {
			if !k.Valid() || k.Parent() != tile || k.Ancestor(tile.Z) != tile || k.Ancestor(0) != (xyz.Tile{}) {
				t.Fatalf("%v is not a child of %v", k, tile)
			}
		}
	})
}

func TestAncestorOfItself(t *testing.T) {
	tile := xyz.Tile{Z: 3, X: 7, Y: 5}
	for z, want := range map[int]xyz.Tile{5: tile, 3: tile, 2: {2, 3, 2}, 1: {1, 1, 1}, 0: {}, -4: {}} {
		if got := tile.Ancestor(z); got != want {
			t.Errorf("at zoom %d it is %v, not %v", z, got, want)
		}
	}
	if got := (xyz.Tile{}).Parent(); got != (xyz.Tile{}) {
		t.Errorf("the parent of the world is %v", got)
	}
}

func TestBounds(t *testing.T) {
	tests := []struct {
		tile   xyz.Tile
		metres xyz.Box
		lonLat rasterbase.Bounds
	}{
		{xyz.Tile{}, xyz.World, rasterbase.Bounds{West: -180, South: -xyz.MaxLatitude, East: 180, North: xyz.MaxLatitude}},
		{xyz.Tile{Z: 1, X: 1, Y: 0}, xyz.Box{MaxX: xyz.HalfWorld, MaxY: xyz.HalfWorld}, rasterbase.Bounds{East: 180, North: xyz.MaxLatitude}},
		{xyz.Tile{Z: 2, X: 0, Y: 2}, xyz.Box{MinX: -xyz.HalfWorld, MinY: -xyz.HalfWorld / 2, MaxX: -xyz.HalfWorld / 2},
			rasterbase.Bounds{West: -180, South: -66.51326044311186, East: -90}},
	}
	for _, tt := range tests {
		t.Run(tt.tile.String(), func(t *testing.T) {
			if got := tt.tile.Bounds(); got != tt.metres {
				t.Errorf("got %v, not %v", got, tt.metres)
			}
			got := tt.tile.LonLat()
			for i, d := range []float64{got.West - tt.lonLat.West, got.South - tt.lonLat.South, got.East - tt.lonLat.East, got.North - tt.lonLat.North} {
				if math.Abs(d) > 1e-12 {
					t.Errorf("side %d of %v is %v off", i, got, d)
				}
			}
		})
	}
}

func TestLonLatRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lon := rapid.Float64Range(-400, 400).Draw(t, "lon")
		lat := rapid.Float64Range(-89.9, 89.9).Draw(t, "lat")
		gotLon, gotLat := xyz.ToLonLat(xyz.FromLonLat(lon, lat))
		if math.Abs(gotLon-lon) > 1e-12 || math.Abs(gotLat-lat) > 1e-11 {
			t.Fatalf("%v, %v became %v, %v", lon, lat, gotLon, gotLat)
		}
	})
}

func TestWorldIsSquare(t *testing.T) {
	x, y := xyz.FromLonLat(180, xyz.MaxLatitude)
	if x != xyz.HalfWorld || math.Abs(y-xyz.HalfWorld) > 1e-7 {
		t.Errorf("the corner is at %v, %v", x, y)
	}
	for _, lat := range []float64{-90, 90} {
		if _, y := xyz.FromLonLat(0, lat); math.IsNaN(y) || math.IsInf(y, 0) || math.Abs(y) < 10*xyz.HalfWorld || y*lat < 0 {
			t.Errorf("latitude %v is at %v", lat, y)
		}
	}
}

func TestZoomFor(t *testing.T) {
	z0 := xyz.Resolution(0, 256)
	tests := []struct {
		name       string
		resolution float64
		tileSize   int
		next, low  int // without and with nextLower
	}{
		{"that of a zoom", xyz.Resolution(7, 256), 256, 7, 7},
		{"rounded up", xyz.Resolution(7, 256) * (1 + 1e-7), 256, 7, 7},
		{"rounded down", xyz.Resolution(7, 256) * (1 - 1e-7), 256, 7, 7},
		{"a little finer", xyz.Resolution(7, 256) * (1 - 1e-5), 256, 8, 7},
		{"a little coarser", xyz.Resolution(7, 256) * (1 + 1e-5), 256, 7, 6},
		{"30 m", 30, 256, 13, 12},
		{"30 m, tiles of 512", 30, 512, 12, 11},
		{"30 m, tiles of 100", 30, 100, 14, 13},
		{"coarser than the world", 10 * z0, 256, 0, 0},
		{"finer than all", 1e-9, 256, xyz.MaxZoom, xyz.MaxZoom},
		{"nothing", 0, 256, xyz.MaxZoom, xyz.MaxZoom},
		{"infinite", math.Inf(1), 256, 0, 0},
		{"nan", math.NaN(), 256, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := xyz.ZoomFor(tt.resolution, tt.tileSize, false); got != tt.next {
				t.Errorf("the next higher is %d, not %d", got, tt.next)
			}
			if got := xyz.ZoomFor(tt.resolution, tt.tileSize, true); got != tt.low {
				t.Errorf("the next lower is %d, not %d", got, tt.low)
			}
		})
	}
}

func TestCover(t *testing.T) {
	type span [4]int
	none := span{0, 0, -1, -1}
	half, quarter := xyz.HalfWorld, xyz.HalfWorld/2
	inf := math.Inf(1)
	tests := []struct {
		name string
		box  xyz.Box
		z    int
		want span
	}{
		{"the world", xyz.World, 2, span{0, 0, 3, 3}},
		{"more than the world", xyz.Box{MinX: -inf, MinY: -1e9, MaxX: 1e9, MaxY: inf}, 2, span{0, 0, 3, 3}},
		{"edges of tiles", xyz.Box{MinX: -quarter, MinY: 0, MaxX: 0, MaxY: quarter}, 2, span{1, 1, 1, 1}},
		{"a bit over the edges", xyz.Box{MinX: -quarter - 1e-6, MinY: -1e-6, MaxX: 1e-6, MaxY: quarter + 1e-6}, 2, span{0, 0, 2, 2}},
		{"a point", xyz.Box{MinX: 1, MinY: 1, MaxX: 1, MaxY: 1}, 2, span{2, 1, 2, 1}},
		{"a point on a corner", xyz.Box{}, 2, span{2, 2, 2, 2}},
		{"the lower right corner", xyz.Box{MinX: half, MinY: -half, MaxX: half, MaxY: -half}, 2, span{3, 3, 3, 3}},
		{"east of the world", xyz.Box{MinX: half + 1, MinY: 0, MaxX: half + 2, MaxY: 1}, 2, none},
		{"at the world's edge", xyz.Box{MinX: half, MinY: 0, MaxX: half + 2, MaxY: 1}, 2, none},
		{"above the world", xyz.Box{MinX: 0, MinY: half, MaxX: 1, MaxY: half + 1}, 2, none},
		{"empty", xyz.Box{MinX: 1, MinY: 0, MaxX: 0, MaxY: 1}, 2, none},
		{"nan", xyz.Box{MinX: math.NaN(), MaxX: 1, MaxY: 1}, 2, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got span
			got[0], got[1], got[2], got[3] = xyz.Cover(tt.box, tt.z)
			if got != tt.want {
				t.Errorf("got %v, not %v", got, tt.want)
			}
		})
	}
}

func TestCoverOfTilesBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tile := drawTile(t)
		x0, y0, x1, y1 := xyz.Cover(tile.Bounds(), tile.Z)
		if x0 != tile.X || x1 != tile.X || y0 != tile.Y || y1 != tile.Y {
			t.Fatalf("the box of %v is covered by %d-%d, %d-%d", tile, x0, x1, y0, y1)
		}
	})
}

// The tiles of a cover hold the whole box, and the outermost ones are needed.
func TestCoverIsTight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.Float64Range(-xyz.HalfWorld, xyz.HalfWorld)
		x, y := m.Draw(t, "x"), m.Draw(t, "y")
		size := rapid.Float64Range(1e-3, 1e6).Draw(t, "size")
		b := xyz.Box{MinX: x, MinY: y, MaxX: min(x+size, xyz.HalfWorld), MaxY: min(y+size, xyz.HalfWorld)}
		if b.MinX == b.MaxX || b.MinY == b.MaxY {
			t.Skip("no area")
		}
		z := rapid.IntRange(0, 25).Draw(t, "z")
		x0, y0, x1, y1 := xyz.Cover(b, z)
		first, last := xyz.Tile{Z: z, X: x0, Y: y0}.Bounds(), xyz.Tile{Z: z, X: x1, Y: y1}.Bounds()
		if b.MinX < first.MinX || b.MaxX > last.MaxX || b.MaxY > first.MaxY || b.MinY < last.MinY {
			t.Fatalf("%v sticks out of %v to %v", b, first, last)
		}
		if b.MinX >= first.MaxX || b.MaxX <= last.MinX || b.MaxY <= first.MinY || b.MinY >= last.MaxY {
			t.Fatalf("%v does not touch %v or %v", b, first, last)
		}
	})
}

func TestGrids(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tile := drawTile(t)
		size := rapid.SampledFrom([]int{64, 100, 256, 512, 1024}).Draw(t, "tile size")
		world, own := xyz.PixelGrid(tile.Z, size), xyz.TileGrid(tile, size)
		if world.Width != size<<tile.Z || world.Height != world.Width || own.Width != size || own.Height != size {
			t.Fatalf("the sizes are wrong: %+v %+v", world, own)
		}
		for _, corner := range [][2]int{{0, 0}, {size, 0}, {0, size}, {size, size}} {
			x, y := own.World(float64(corner[0]), float64(corner[1]))
			wx, wy := world.World(float64(tile.X*size+corner[0]), float64(tile.Y*size+corner[1]))
			if math.Abs(x-wx) > 2e-8 || math.Abs(y-wy) > 2e-8 {
				t.Fatalf("corner %v of %v is at %v, %v and at %v, %v", corner, tile, x, y, wx, wy)
			}
		}
		if b := tile.Bounds(); own.OriginX != b.MinX || own.OriginY != b.MaxY {
			t.Fatalf("the grid begins at %v, %v", own.OriginX, own.OriginY)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0/0/0", "3/7/5", "1/2/3", "//", "1/-0/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tile, err := xyz.Parse(s)
		if err == nil && !tile.Valid() {
			t.Fatalf("%q gives %v", s, tile)
		}
	})
}

func Example() {
	// The tile that shows the middle of London at zoom 12.
	x, y := xyz.FromLonLat(-0.1276, 51.5072)
	col, row, _, _ := xyz.Cover(xyz.Box{MinX: x, MinY: y, MaxX: x, MaxY: y}, 12)
	tile := xyz.Tile{Z: 12, X: col, Y: row}
	fmt.Println(tile, tile.Parent())
	fmt.Printf("%.3f m\n", xyz.Resolution(tile.Z, 256))
	fmt.Println(xyz.ZoomFor(30, 256, false), xyz.ZoomFor(30, 256, true))
	// Output:
	// 12/2046/1362 11/1023/681
	// 38.219 m
	// 13 12
}
