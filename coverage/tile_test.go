package coverage_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// waves is a continuous layer of a zoom, with holes.
func waves(tileSize, zoom int, box raster.Rect, bands ...rasterbase.Band) testlayer.Spec {
	return testlayer.Spec{
		Layer: rasterbase.Layer{Name: "waves"}, Datatype: rasterbase.Continuous, TileSize: tileSize, MaxZoom: zoom,
		X: box.X, Y: box.Y, Width: box.Width, Height: box.Height, Bands: bands,
		Value: func(band, x, y int) (float64, bool) {
			v := 100 + 60*math.Sin(float64(x)/5+float64(band)) + 40*math.Cos(float64(y)/3)
			return math.Round(v*8) / 8, (x*x+3*y)%23 != 0 && (x/9+y/7)%5 != 2
		},
	}
}

// continuous are layers that lie at the border of the world and within it, in
// all ways in which a pixel is invalid.
func continuous() map[string]testlayer.Spec {
	byte8 := rasterbase.Band{PixelType: rasterbase.Uint8}
	signed := rasterbase.Band{PixelType: rasterbase.Int16, Nodata: rasterbase.FloatPtr(-99)}
	float := rasterbase.Band{PixelType: rasterbase.Float32}
	double := rasterbase.Band{PixelType: rasterbase.Float64, Nodata: rasterbase.FloatPtr(0)}
	return map[string]testlayer.Spec{
		"bytes with a validity, at the corner":  waves(64, 2, raster.Rect{Width: 150, Height: 90}, byte8, byte8),
		"int16 with nodata, at the other one":   waves(100, 1, raster.Rect{X: 90, Y: 60, Width: 110, Height: 140}, signed),
		"float32, the whole world":              waves(64, 1, raster.Rect{Width: 128, Height: 128}, float),
		"float64 and int16, within the world":   waves(64, 2, raster.Rect{X: 70, Y: 100, Width: 61, Height: 70}, double, signed),
		"float32 beside bytes, with a validity": waves(80, 1, raster.Rect{X: 40, Width: 80, Height: 60}, float, byte8),
	}
}

// naive makes one pixel from the whole world of a zoom.
type naive struct {
	world  *raster.Raster
	band   int
	method rasterbase.Resampling
	scale  float64
}

func (n naive) valid(col, row int) bool {
	return n.inside(col, row) && n.world.Valid(n.band, row*n.world.Width+col)
}

func (n naive) inside(col, row int) bool {
	return col >= 0 && row >= 0 && col < n.world.Width && row < n.world.Height
}

func (n naive) value(col, row int) float64 {
	return n.world.Bands[n.band].Pixels.At(row*n.world.Width + col)
}

func triangle(d float64) float64 { return max(0, 1-math.Abs(d)) }

func keys(d float64) float64 {
	d = math.Abs(d)
	switch {
	case d < 1:
		return 1.5*d*d*d - 2.5*d*d + 1
	case d < 2:
		return -0.5*d*d*d + 2.5*d*d - 4*d + 2
	}
	return 0
}

// at weights all pixels around a place, whose own pixel is col, row.
func (n naive) at(x, y float64, col, row int) (float64, bool) {
	if !n.valid(col, row) {
		return 0, false
	}
	if !n.method.Blends() {
		return n.value(col, row), true
	}
	scale, radius := 1.0, 1.0
	if n.scale < 0.95 {
		scale = n.scale
	}
	kernel := triangle
	if n.method == rasterbase.Cubic {
		kernel, radius = keys, 2
	}
	reach := int(math.Ceil(radius / scale))
	sum, weights, whole := n.sum(kernel, scale, x, y, reach)
	if !whole {
		sum, weights, _ = n.sum(triangle, scale, x, y, reach)
	}
	return sum / weights, true
}

func (n naive) sum(kernel func(float64) float64, scale, x, y float64, reach int) (sum, weights float64, whole bool) {
	whole = true
	left, top := int(math.Floor(x-0.5)), int(math.Floor(y-0.5))
	for row := top + 1 - reach; row <= top+reach; row++ {
		for col := left + 1 - reach; col <= left+reach; col++ {
			w := kernel((float64(col)+0.5-x)*scale) * kernel((float64(row)+0.5-y)*scale)
			switch {
			case n.valid(col, row):
				sum, weights = sum+w*n.value(col, row), weights+w
			case n.inside(col, row) || scale == 1:
				whole = false
			}
		}
	}
	return sum, weights, whole
}

// zooms reads the whole world at each zoom of a layer.
func zooms(t testing.TB, c *coverage.Layer) (all []*raster.Raster) {
	t.Helper()
	d := c.Describe()
	for z := 0; z <= d.MaxZoom; z++ {
		side := d.TileSize << z
		w, err := c.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(z), Width: side, Height: side})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	return all
}

func drawTile(t *rapid.T, maxZoom int) coverage.TileRequest {
	z := rapid.IntRange(0, maxZoom+3).Draw(t, "z")
	return coverage.TileRequest{
		Z: z, X: rapid.IntRange(0, 1<<z-1).Draw(t, "x"), Y: rapid.IntRange(0, 1<<z-1).Draw(t, "y"),
		Size:   rapid.SampledFrom([]int{0, 1, 7, 16, 32, 50, 64, 75, 100, 128, 150, 200}).Draw(t, "size"),
		Margin: rapid.SampledFrom([]int{0, 0, 1, 2, 9, 70}).Draw(t, "margin"),
		Resampling: rapid.SampledFrom([]rasterbase.Resampling{
			"", rasterbase.Nearest, rasterbase.Bilinear, rasterbase.Cubic,
		}).Draw(t, "resampling"),
	}
}

// Every pixel of a tile, in any size and with any margin, is what weighting the
// pixels of the whole world one by one makes of the nearest finer zoom.
func TestTileIsWhatEachPixelSays(t *testing.T) {
	st := open(t)
	for name, s := range continuous() {
		c := layer(t, st, s)
		worlds := zooms(t, c)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := drawTile(t, s.MaxZoom)
				got, err := coverage.Tile(t.Context(), c, r)
				if err != nil {
					t.Fatal(err)
				}
				checkTile(t, got, r, s, worlds)
			})
		})
	}
}

func checkTile(t *rapid.T, got *raster.Raster, r coverage.TileRequest, s testlayer.Spec, worlds []*raster.Raster) {
	if r.Size == 0 {
		r.Size = s.TileSize
	}
	side := r.Size + 2*r.Margin
	if got.Width != side || got.Height != side || got.SRID != 3857 || len(got.Bands) != len(s.Bands) || got.Check() != nil {
		t.Fatalf("%d x %d pixels, srid %d, %d bands: %v", got.Width, got.Height, got.SRID, len(got.Bands), got.Check())
	}
	zoom := 0
	for zoom < s.MaxZoom && s.TileSize<<zoom < r.Size<<r.Z {
		zoom++
	}
	in, of := r.Size<<r.Z, s.TileSize<<zoom // pixels of the world
	scale := float64(in) / float64(of)
	g := worlds[zoom].Grid
	if want := g.ScaleX / scale; math.Abs(got.ScaleX-want) > 1e-9*want ||
		math.Abs(got.OriginX-(g.OriginX+want*float64(r.X*r.Size-r.Margin))) > 1e-6 ||
		math.Abs(got.OriginY-(g.OriginY-want*float64(r.Y*r.Size-r.Margin))) > 1e-6 {
		t.Fatalf("the grid is %+v", got.Grid)
	}
	place := func(tile, i int) (float64, int) {
		n := (2*(tile*r.Size-r.Margin+i) + 1) * of
		return float64(n) / float64(2*in), floorDivide(n, 2*in)
	}
	for band, b := range got.Bands {
		n := naive{worlds[zoom], band, r.Resampling, scale}
		if in == of {
			n.method = rasterbase.Nearest // pixels as they are
		}
		for i := range side * side {
			x, col := place(r.X, i%side)
			y, row := place(r.Y, i/side)
			want, valid := n.at(x, y, col, row)
			if got.Valid(band, i) != valid {
				t.Fatalf("band %d, pixel %d,%d is valid: %v, want %v", band, i%side, i/side, !valid, valid)
			}
			if v := b.Pixels.At(i); valid && !near(v, want, b) {
				t.Fatalf("band %d, pixel %d,%d is %v, want %v", band, i%side, i/side, v, want)
			}
		}
	}
}

func floorDivide(a, b int) int { return int(math.Floor(float64(a) / float64(b))) }

// near compares with a value before it was rounded and limited, and moved off
// nodata.
func near(got, want float64, b raster.Band) bool {
	if lo, hi := b.Type.Range(); !b.Type.IsFloat() {
		want = min(max(want, lo), hi)
		return math.Abs(got-want) <= 0.5+1e-5 || b.HasNodata && math.Abs(want-b.Nodata) < 1
	}
	return math.Abs(got-want) <= 1e-5
}

// Four tiles are what one of the zoom before is in twice the size, bit for bit,
// and the margin of a tile is what its neighbours have there.
func TestTilesHaveNoSeams(t *testing.T) {
	st := open(t)
	for name, s := range continuous() {
		c := layer(t, st, s)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := drawTile(t, s.MaxZoom)
				if r.Size == 0 {
					r.Size = s.TileSize
				}
				whole := r
				whole.Size *= 2
				want, err := coverage.Tile(t.Context(), c, whole)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 4 {
					part := r
					part.Z, part.X, part.Y = r.Z+1, 2*r.X+i%2, 2*r.Y+i/2
					got, err := coverage.Tile(t.Context(), c, part)
					if err != nil {
						t.Fatal(err)
					}
					crop := want.Crop(i%2*r.Size, i/2*r.Size, got.Width, got.Height)
					samePixels(t, fmt.Sprintf("part %d of %+v", i, r), got, crop)
				}
			})
		})
	}
}

// A tile of so many pixels that it is made in strips is what four smaller ones
// are, which are made at once.
func TestLargeTilesHaveNoSeams(t *testing.T) {
	s := waves(100, 5, raster.Rect{X: 1250, Y: 1250, Width: 400, Height: 400}, rasterbase.Band{PixelType: rasterbase.Uint8})
	c := layer(t, open(t), s)
	for _, method := range []rasterbase.Resampling{rasterbase.Nearest, rasterbase.Cubic} {
		whole, err := coverage.Tile(t.Context(), c, coverage.TileRequest{Size: 2000, Resampling: method})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			part, err := coverage.Tile(t.Context(), c, coverage.TileRequest{Z: 1, X: i % 2, Y: i / 2, Size: 1000, Resampling: method})
			if err != nil {
				t.Fatal(err)
			}
			samePixels(t, fmt.Sprintf("%s, part %d", method, i), part, whole.Crop(i%2*1000, i/2*1000, 1000, 1000))
		}
	}
}

// samePixels compares all that is seen of two rasters' pixels.
func samePixels(t rapidTB, what string, a, b *raster.Raster) {
	t.Helper()
	if a.Width != b.Width || a.Height != b.Height || len(a.Bands) != len(b.Bands) {
		t.Fatalf("%s: sizes differ", what)
	}
	for k := range a.Bands {
		for i := range a.Width * a.Height {
			v, w := a.Bands[k].Pixels.At(i), b.Bands[k].Pixels.At(i)
			if ok := a.Valid(k, i); ok != b.Valid(k, i) || ok && v != w {
				t.Fatalf("%s: band %d, pixel %d,%d is %v, %v and %v, %v", what, k, i%a.Width, i/a.Width, v, ok, w, b.Valid(k, i))
			}
		}
	}
}

// However deep the zoom, pixels are found exactly, blended ones lie between
// those around them, and nothing overflows.
func TestTilesOfDeepZooms(t *testing.T) {
	s := waves(64, 2, raster.Rect{Width: 256, Height: 256}, rasterbase.Band{PixelType: rasterbase.Float64})
	s.Value = func(_, x, y int) (float64, bool) { return float64(x + 1000*y), true }
	c := layer(t, open(t), s)
	for z := 3; z <= 48; z += 3 {
		for _, x := range []int{0, 1, 1<<z/3 + 1, 1<<z/2 - 1, 1 << z / 2, 1<<z - 1} {
			for _, method := range []rasterbase.Resampling{rasterbase.Nearest, rasterbase.Bilinear, rasterbase.Cubic} {
				for _, size := range []int{48, 64, 2048} {
					if size == 2048 && z != 48 {
						continue
					}
					got, err := coverage.Tile(t.Context(), c, coverage.TileRequest{Z: z, X: x, Y: 1<<z - 1 - x, Size: size, Margin: 1, Resampling: method})
					if err != nil {
						t.Fatal(err)
					}
					i := size/2*got.Width + size/2 // half a pixel before the tile's centre
					within := (float64(size)/2 - 0.5) / float64(size)
					u, v := math.Ldexp(256*(float64(x)+within), -z), math.Ldexp(256*(float64(1<<z-1-x)+within), -z)
					want, slack := math.Floor(u)+1000*math.Floor(v), 0.0
					if method.Blends() { // the values are a plane, which both kernels keep; at the border they repeat
						u, v = min(max(u-0.5, 0), 255), min(max(v-0.5, 0), 255)
						want, slack = u+1000*v, 1e-4
					}
					if got := got.Bands[0].Pixels.At(i); math.Abs(got-want) > slack {
						t.Errorf("%s, zoom %d, x %d, size %d: %v, want %v", method, z, x, size, got, want)
					}
				}
			}
		}
	}
}

func TestTilesThatCannotBeRead(t *testing.T) {
	st := open(t)
	s := waves(64, 2, raster.Rect{Width: 100, Height: 100}, rasterbase.Band{PixelType: rasterbase.Uint8})
	c := layer(t, st, s)
	discrete := s
	discrete.Datatype = rasterbase.Categorical
	classes := layer(t, st, discrete)
	flat := s
	flat.NoPyramid = true
	without := layer(t, st, flat)
	tests := []struct {
		name  string
		c     *coverage.Layer
		r     coverage.TileRequest
		code  rasterbase.Code
		field string
	}{
		{"blended classes", classes, coverage.TileRequest{Resampling: rasterbase.Bilinear}, rasterbase.Invalid, "resampling"},
		{"blended classes beyond the max zoom", classes, coverage.TileRequest{Z: 5, Resampling: rasterbase.Cubic}, rasterbase.Invalid, "resampling"},
		{"unknown resampling", c, coverage.TileRequest{Resampling: "best"}, rasterbase.Invalid, "resampling"},
		{"negative zoom", c, coverage.TileRequest{Z: -1}, rasterbase.Invalid, "z"},
		{"absurd zoom", c, coverage.TileRequest{Z: 100}, rasterbase.Invalid, "z"},
		{"x outside", c, coverage.TileRequest{Z: 1, X: 2}, rasterbase.NotFound, ""},
		{"y outside", c, coverage.TileRequest{Z: 1, Y: -1}, rasterbase.NotFound, ""},
		{"huge x", c, coverage.TileRequest{Z: 48, X: math.MaxInt}, rasterbase.NotFound, ""},
		{"too large", c, coverage.TileRequest{Size: 2049}, rasterbase.Invalid, "tilesize"},
		{"negative size", c, coverage.TileRequest{Size: -256}, rasterbase.Invalid, "tilesize"},
		{"negative margin", c, coverage.TileRequest{Margin: -1}, rasterbase.Invalid, ""},
		{"huge margin", c, coverage.TileRequest{Margin: 1 << 40}, rasterbase.Invalid, ""},
		{"no such band", c, coverage.TileRequest{Size: 50, Bands: []int{1}}, rasterbase.Invalid, ""},
		{"no pyramid", without, coverage.TileRequest{}, rasterbase.NotFound, ""},
		{"no pyramid, another size", without, coverage.TileRequest{Size: 100, Resampling: rasterbase.Cubic}, rasterbase.NotFound, ""},
	}
	for _, tt := range tests {
		_, err := coverage.Tile(t.Context(), tt.c, tt.r)
		if rasterbase.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
		var e *rasterbase.Error
		if tt.field != "" && (!errors.As(err, &e) || e.Field != tt.field) {
			t.Errorf("%s: the error blames %+v", tt.name, e)
		}
	}
	if _, err := coverage.Tile(t.Context(), classes, coverage.TileRequest{Z: 5, Size: 100, Resampling: rasterbase.Nearest}); err != nil {
		t.Errorf("classes by nearest: %v", err)
	}
}

// A tile as it is stored is not copied.
func TestStoredTilesAreNotCopied(t *testing.T) {
	c := layer(t, cached{open(t), cachedTiles{kept: map[store.TileKey]*raster.Raster{}}}, waves(64, 2, raster.Rect{Width: 200, Height: 200}, rasterbase.Band{PixelType: rasterbase.Uint8}))
	a, err := coverage.Tile(t.Context(), c, coverage.TileRequest{Z: 2, X: 1, Y: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []coverage.TileRequest{
		{Z: 2, X: 1, Y: 1, Size: 64, Resampling: rasterbase.Cubic}, {Z: 2, X: 1, Y: 1, Bands: []int{0}},
	} {
		b, err := coverage.Tile(t.Context(), c, r)
		if err != nil {
			t.Fatal(err)
		}
		if a != b {
			t.Errorf("%+v is a copy", r)
		}
	}
	window := testing.AllocsPerRun(100, func() {
		if _, err := c.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(2), X: 64, Y: 64, Width: 64, Height: 64}); err != nil {
			t.Error(err)
		}
	})
	tile := testing.AllocsPerRun(100, func() {
		if _, err := coverage.Tile(t.Context(), c, coverage.TileRequest{Z: 2, X: 1, Y: 1}); err != nil {
			t.Error(err)
		}
	})
	if tile > window {
		t.Errorf("a tile takes %v allocations, and its window %v", tile, window)
	}
}

// cached is a store that gives a tile as the same raster each time.
type cached struct {
	store.Store
	tiles cachedTiles
}

func (c cached) Tiles() store.Tiles { return cachedTiles{c.Store.Tiles(), c.tiles.kept} }

type cachedTiles struct {
	store.Tiles
	kept map[store.TileKey]*raster.Raster
}

func (c cachedTiles) Get(ctx context.Context, k store.TileKey) (*raster.Raster, error) {
	if r := c.kept[k]; r != nil {
		return r, nil
	}
	r, err := c.Tiles.Get(ctx, k)
	c.kept[k] = r
	return r, err
}
