//go:build cgo && !nogdal

package ingest_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/xyz"
)

// smooth is a raster of waves with holes, in a CRS.
func smooth(p rasterbase.PixelType, g rasterbase.Grid, srid int, masked bool) geotiff {
	hole := func(col, row int) bool {
		return math.Hypot(math.Mod(float64(col), 90)-45, math.Mod(float64(row), 90)-45) < 20
	}
	f := geotiff{grid: g, srid: srid, kind: p, value: func(_, col, row int) float64 {
		v := 126 + 120*math.Sin(float64(col)*0.11)*math.Cos(float64(row)*0.13)
		if !masked && hole(col, row) {
			return 0
		}
		if p.IsFloat() {
			return v
		}
		return math.Floor(v)
	}}
	if masked {
		f.valid = func(col, row int) bool { return !hole(col, row) }
	} else {
		f.nodata = number(0)
	}
	return f
}

// A row of four tiles of the max zoom is what gdalwarp makes of the row at
// once: nothing is off, and there is no seam.
func TestBilinearAgreesWithGdalwarp(t *testing.T) {
	tests := []struct {
		name   string
		g      rasterbase.Grid
		srid   int
		p      rasterbase.PixelType
		masked bool
	}{
		{"bytes in UTM", grid(600_000, 5_600_000, 10, 900, 500), 32632, rasterbase.Uint8, false},
		{"bytes with a mask", grid(600_000, 5_600_000, 10, 900, 500), 32632, rasterbase.Uint8, true},
		{"floats in UTM", skewed(grid(600_000, 5_600_000, 10, 900, 600), 15), 32632, rasterbase.Float32, false},
		{"floats in degrees", grid(8, 51, 0.001, 900, 400), 4326, rasterbase.Float32, false},
		{"floats, equal area", grid(4_000_000, 3_000_000, 100, 900, 500), 3035, rasterbase.Float64, false},
		{"floats near the pole", grid(1_000_000, 1_000_000, 500, 900, 700), 3031, rasterbase.Float32, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := smooth(tt.p, tt.g, tt.srid, tt.masked).write(t)
			c := imported(t, open(t), ingest.Request{Source: path, Settings: rasterbase.Settings{Datatype: rasterbase.Continuous}})
			rev := c.Revision()
			x, y := middleTile(t, rev)
			x -= 2
			first, last := xyz.Tile{Z: rev.MaxZoom, X: x, Y: y}.Bounds(), xyz.Tile{Z: rev.MaxZoom, X: x + 3, Y: y}.Bounds()
			out := filepath.Join(t.TempDir(), "warped.tif")
			// Without a scale gdalwarp guesses one from the box around what it
			// reads, and blurs what is rotated.
			args := []string{"-q", "-r", "bilinear", "-et", "0", "-wo", "XSCALE=1", "-wo", "YSCALE=1",
				"-t_srs", "EPSG:3857", "-ts", "1024", "256", "-te"}
			for _, v := range []float64{first.MinX, first.MinY, last.MaxX, last.MaxY} {
				args = append(args, strconv.FormatFloat(v, 'g', -1, 64))
			}
			if tt.masked {
				args = append(args, "-dstalpha")
			}
			gdalTool(t, "gdalwarp", append(args, path, out)...)
			info, want := read(t, out)
			got := window(t, c, coverage.WindowRequest{Level: coverage.ZoomLevel(rev.MaxZoom), X: x * 256, Y: y * 256, Width: 1024, Height: 256})
			compareWarp(t, got, info, want)
			for i := range 4 { // the row is its tiles
				tile := window(t, c, coverage.WindowRequest{Level: coverage.ZoomLevel(rev.MaxZoom), X: (x + i) * 256, Y: y * 256, Width: 256, Height: 256})
				for k := range 256 * 256 {
					at := k/256*1024 + i*256 + k%256
					if tile.Valid(0, k) != got.Valid(0, at) || tile.Valid(0, k) && tile.Bands[0].Pixels.At(k) != got.Bands[0].Pixels.At(at) {
						t.Fatalf("tile %d differs from the row at pixel %d", i, k)
					}
				}
			}
		})
	}
}

func middleTile(t *testing.T, rev *rasterbase.Revision) (x, y int) {
	t.Helper()
	p := make([]crs.Point, 1)
	p[0].X, p[0].Y = rev.Grid.World(float64(rev.Grid.Width)/2, float64(rev.Grid.Height)/2)
	transform(t, rev.CRS, rasterbase.CRS{SRID: 3857}, p)
	side := xyz.Resolution(rev.MaxZoom, 1)
	return int((p[0].X + xyz.HalfWorld) / side), int((xyz.HalfWorld - p[0].Y) / side)
}

func compareWarp(t *testing.T, got *raster.Raster, info ingest.Info, want *ingest.Block) {
	t.Helper()
	both, same, validity := 0, 0, 0
	for i := range got.Width * got.Height {
		ok := wantValid(info, want, 0, i)
		if ok != got.Valid(0, i) {
			validity++
			continue
		}
		if !ok {
			continue
		}
		both++
		a, b := got.Bands[0].Pixels.At(i), want.Bands[0].At(i)
		tolerance := 1.0
		if got.Bands[0].Type.IsFloat() {
			tolerance = 1e-4 * math.Abs(b)
		}
		if math.Abs(a-b) <= tolerance {
			same++
		}
	}
	t.Logf("%d of %d valid pixels agree (%.3f%%), validity differs in %d", same, both, 100*float64(same)/float64(max(1, both)), validity)
	if both < got.Width*got.Height/4 || float64(same) < 0.99*float64(both) {
		t.Errorf("only %d of %d valid pixels agree with gdalwarp", same, both)
	}
	if validity > got.Width*got.Height/200 {
		t.Errorf("validity differs from gdalwarp in %d pixels", validity)
	}
}

// meshCases are rasters whose pixels lie crooked in web mercator.
func meshCases(r *rand.Rand) map[string]geotiff {
	custom := placed(skewed(grid(r.Float64()*1e6, r.Float64()*1e6, 50+r.Float64()*1000, 300, 200), 360*r.Float64()), 0)
	custom.wkt = customWKT(60*r.Float64() - 30)
	return map[string]geotiff{
		"UTM":        placed(grid(200_000+r.Float64()*6e5, r.Float64()*8e6, 10+r.Float64()*500, 300, 200), 32601+r.IntN(60)),
		"polar":      placed(skewed(grid(-3e6+r.Float64()*4e6, r.Float64()*3e6, 500+r.Float64()*9000, 300, 200), 360*r.Float64()), 3031),
		"equal area": custom,
		"0 to 360":   placed(grid(100+r.Float64()*100, 60, 0.1+r.Float64()/2, 300, 200), 4326),
	}
}

func dataset(t *testing.T, f geotiff) ingest.Dataset {
	t.Helper()
	d, err := gdal.Opener{}.Open(t.Context(), f.write(t), ingest.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// The interpolated places of a tile's pixels are within 0.005 source pixels of
// the exact ones.
func TestPlacesAreNearlyExact(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for round := range 4 {
		for name, f := range meshCases(r) {
			t.Run(fmt.Sprint(name, round), func(t *testing.T) {
				d := dataset(t, f)
				for range 6 {
					nearlyExact(t, r, d)
				}
			})
		}
	}
}

func nearlyExact(t *testing.T, r *rand.Rand, d ingest.Dataset) {
	t.Helper()
	g := d.Info().Grid
	p := []ingest.Place{{X: r.Float64() * float64(g.Width), Y: r.Float64() * float64(g.Height)}, {}}
	p[1] = ingest.Place{X: p[0].X + 0.1, Y: p[0].Y}
	if err := d.ToMercator(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if math.IsNaN(p[0].X) || math.Abs(p[0].Y) > xyz.HalfWorld || math.Abs(p[0].X) > xyz.HalfWorld {
		return
	}
	z := min(xyz.MaxZoom, max(0, xyz.ZoomFor(10*math.Hypot(p[1].X-p[0].X, p[1].Y-p[0].Y), 256, false)-r.IntN(4)))
	side := xyz.Resolution(z, 1)
	limit := xyz.Side(z) - 1
	tile := xyz.Tile{Z: z, X: min(limit, int((p[0].X+xyz.HalfWorld)/side)), Y: min(limit, int((xyz.HalfWorld-p[0].Y)/side))}
	got, err := ingest.PlacesOfTile(t.Context(), d, tile, 256)
	if err != nil {
		t.Fatal(err)
	}
	exact := make([]ingest.Place, 256*256)
	world := xyz.TileGrid(tile, 256)
	for i := range exact {
		exact[i].X, exact[i].Y = world.World(float64(i%256)+0.5, float64(i/256)+0.5)
	}
	if err := d.FromMercator(t.Context(), exact); err != nil {
		t.Fatal(err)
	}
	for i, e := range exact {
		if !(e.X >= -1 && e.Y >= -1 && e.X <= float64(g.Width)+1 && e.Y <= float64(g.Height)+1) {
			if x, y := got.X[i], got.Y[i]; x >= 0 && y >= 0 && x <= float64(g.Width) && y <= float64(g.Height) {
				t.Fatalf("tile %v, pixel %d is at %v, and interpolated inside, at %v, %v", tile, i, e, x, y)
			}
			continue
		}
		if off := math.Hypot(got.X[i]-e.X, got.Y[i]-e.Y); !(off < 0.005) {
			t.Fatalf("tile %v, pixel %d is at %v, interpolated at %v, %v: %v off", tile, i, e, got.X[i], got.Y[i], off)
		}
	}
}

// Every pixel lies in one of the boxes for which tiles are made.
func TestExtentCoversEveryPixel(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for round := range 6 {
		cases := meshCases(r)
		cases["the whole world"] = placed(grid(-180, 90, 1, 360, 180), 4326)
		cases["a pole inside"] = placed(grid(-3_000_000, 3_000_000, 30_000, 200, 200), 3031)
		cases["across the antimeridian"] = placed(grid(770_000, 8_120_000, 500, 200, 120), 32760)
		for name, f := range cases {
			t.Run(fmt.Sprint(name, round), func(t *testing.T) {
				d := dataset(t, f)
				boxes, err := ingest.ExtentOf(t.Context(), d)
				if err != nil {
					t.Fatal(err)
				}
				g := d.Info().Grid
				places := make([]ingest.Place, 3000)
				for i := range places {
					places[i] = ingest.Place{X: r.Float64() * float64(g.Width), Y: r.Float64() * float64(g.Height)}
				}
				if err := d.ToMercator(t.Context(), places); err != nil {
					t.Fatal(err)
				}
				for _, p := range places {
					if math.IsNaN(p.X) || math.Abs(p.Y) > xyz.HalfWorld || math.Abs(p.X) > xyz.HalfWorld {
						continue
					}
					if !inAny(boxes, p) {
						t.Fatalf("%v lies in none of the %d boxes", p, len(boxes))
					}
				}
			})
		}
	}
}

func inAny(boxes []xyz.Box, p ingest.Place) bool {
	const tiny = 1e-6
	for _, b := range boxes {
		if p.X >= b.MinX-tiny && p.X <= b.MaxX+tiny && p.Y >= b.MinY-tiny && p.Y <= b.MaxY+tiny {
			return true
		}
	}
	return false
}
