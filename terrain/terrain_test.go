package terrain_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/terrain"
)

func number(v float64) *float64 { return &v }

// plane is a raster in metres that rises by p towards the east and by q towards
// the north, with holes of nodata.
func plane(t rasterbase.PixelType, g rasterbase.Grid, p, q float64, hole func(col, row int) bool) *raster.Raster {
	r := raster.New(g, 32632, t)
	r.Bands[0].HasNodata, r.Bands[0].Nodata = true, 0
	for i := range g.Width * g.Height {
		col, row := i%g.Width, i/g.Width
		x, y := g.World(float64(col), float64(row))
		if !hole(col, row) {
			r.Bands[0].Pixels.Set(i, 60+p*x+q*y)
		}
	}
	return r
}

var grids = map[string]rasterbase.Grid{
	"north up":      {Width: 20, Height: 15, ScaleX: 2, ScaleY: -1},
	"south up":      {Width: 20, Height: 15, ScaleX: 2, ScaleY: 1},
	"from the east": {Width: 20, Height: 15, ScaleX: -2, ScaleY: -1},
}

// Planes have the slope and the light of their plane in every pixel that has a
// height, beside holes and alone between them too, in every type of pixel.
func TestPlanesAreEven(t *testing.T) {
	holes := func(col, row int) bool { return col*row%7 == 3 || col == 0 && row > 5 || row == 14 }
	for name, g := range grids {
		for _, of := range []rasterbase.PixelType{
			rasterbase.Uint8, rasterbase.Int8, rasterbase.Int16, rasterbase.Uint16, rasterbase.Int32, rasterbase.Uint32, rasterbase.Float32, rasterbase.Float64,
		} {
			t.Run(fmt.Sprintf("%s/%s", name, of), func(t *testing.T) {
				const p, q = 0.5, 2.0
				r := plane(of, g, p, q, holes)
				slope, err := terrain.Slope(r, terrain.Projected(g, 1), terrain.Heights{})
				if err != nil {
					t.Fatal(err)
				}
				shade, err := terrain.Hillshade(r, terrain.Projected(g, 1), terrain.Heights{}, terrain.Light{})
				if err != nil {
					t.Fatal(err)
				}
				steep := math.Atan(math.Hypot(p, q)) * 180 / math.Pi
				// The light of 45 degrees from the north-west against the normal.
				light := (math.Sqrt2/2 + p/2 - q/2) / math.Sqrt(1+p*p+q*q)
				bright := math.Round(1 + 254*max(light, 0))
				for i := range slope.Width * slope.Height {
					col, row := i%slope.Width, i/slope.Width
					valid := !holes(col+1, row+1)
					if slope.Valid(0, i) != valid || shade.Valid(0, i) != valid {
						t.Fatalf("pixel %d,%d is valid: %v, %v; want %v", col, row, slope.Valid(0, i), shade.Valid(0, i), valid)
					}
					if !valid || alone(r, col+1, row+1) {
						continue
					}
					if d := slope.Bands[0].Pixels.At(i); math.Abs(d-steep) > 1e-5 {
						t.Fatalf("pixel %d,%d slopes by %v, want %v", col, row, d, steep)
					}
					if b := shade.Bands[0].Pixels.At(i); b != bright {
						t.Fatalf("pixel %d,%d is as bright as %v, want %v", col, row, b, bright)
					}
				}
				if x, y := g.World(1, 1); slope.OriginX != x || slope.OriginY != y || slope.Width != 18 || slope.Height != 13 || slope.SRID != 32632 {
					t.Errorf("the result lies at %+v", slope.Grid)
				}
			})
		}
	}
}

// alone reports whether neither of two opposite neighbours is valid.
func alone(r *raster.Raster, col, row int) bool {
	for _, d := range [][2]int{{1, 0}, {0, 1}, {1, 1}, {1, -1}} {
		a, b := (row+d[1])*r.Width+col+d[0], (row-d[1])*r.Width+col-d[0]
		if !r.Valid(0, a) && !r.Valid(0, b) {
			return true
		}
	}
	return false
}

// What is invalid is so by Validity, as NaN and as infinity too.
func TestEveryWayToBeInvalid(t *testing.T) {
	g := rasterbase.Grid{Width: 5, Height: 3, ScaleX: 1, ScaleY: -1}
	r := raster.New(g, 32632, rasterbase.Float32)
	r.Validity = make([]uint8, 15)
	for i := range r.Validity {
		r.Validity[i] = 255
	}
	r.Validity[6] = 0
	r.Bands[0].Pixels.Set(7, math.NaN())
	r.Bands[0].Pixels.Set(8, math.Inf(-1))
	r.Bands[0].Pixels.Set(4, math.Inf(1)) // a neighbour
	for i := 6; i <= 8; i++ {
		shade, err := terrain.Hillshade(r, terrain.Projected(g, 1), terrain.Heights{}, terrain.Light{})
		if err != nil {
			t.Fatal(err)
		}
		if shade.Valid(0, i-6) {
			t.Errorf("pixel %d is valid", i)
		}
	}
	r.Validity[6] = 255
	shade, err := terrain.Hillshade(r, terrain.Projected(g, 1), terrain.Heights{}, terrain.Light{Multidirectional: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := shade.Bands[0].Pixels.At(0); got != 181 { // flat: 1 + 254 times the sine of 45 degrees
		t.Errorf("flat ground is as bright as %v", got)
	}
}

// A degree of the ellipsoid is as long as tables say (lengths for WGS 84, in
// metres of latitude and of longitude).
func TestMercatorGround(t *testing.T) {
	for _, tt := range []struct{ latitude, meridian, parallel float64 }{
		{0, 110574.3, 111319.5}, {15, 110648.7, 107550.5}, {30, 110852.5, 96486.3}, {45, 111131.8, 78846.8}, {60, 111412.3, 55800.0}, {75, 111618.4, 28901.7},
	} {
		const radius = 6378137
		mercator := func(latitude float64) float64 { return radius * math.Asinh(math.Tan(latitude*math.Pi/180)) }
		top, bottom := mercator(tt.latitude+0.5), mercator(tt.latitude-0.5)
		const rows = 1000
		g := rasterbase.Grid{Width: 3, Height: rows, OriginX: 0, OriginY: top, ScaleX: radius * math.Pi / 180, ScaleY: (bottom - top) / rows}
		ground := terrain.Mercator(g)
		sum := 0.0
		for _, y := range ground.Y {
			sum += y
		}
		middle := 0 // the row at the latitude
		for y := mercator(tt.latitude); middle < rows-1 && top+g.ScaleY*(float64(middle)+1) > y; middle++ {
		}
		if math.Abs(sum-tt.meridian) > 1 || math.Abs(ground.X[middle]-tt.parallel) > 60 {
			t.Errorf("a degree at %v is %v by %v metres, want %v by %v", tt.latitude, sum, ground.X[middle], tt.meridian, tt.parallel)
		}
	}
}

// What a decoder reads is within half a step of the height, in both encodings.
func TestEncodedHeightsAreRead(t *testing.T) {
	mapbox := func(r, g, b float64) float64 { return -10000 + (r*65536+g*256+b)*0.1 }
	mapzen := func(r, g, b float64) float64 { return r*256 + g + b/256 - 32768 }
	for name, e := range map[string]struct {
		encode          func(*raster.Raster, terrain.Heights, *float64) (*raster.Raster, error)
		decode          func(r, g, b float64) float64
		step, low, high float64
	}{
		"terrain-RGB": {terrain.TerrainRGB, mapbox, 0.1, -10000, 1667721.5},
		"terrarium":   {terrain.Terrarium, mapzen, 1.0 / 256, -32768, 32767.99609375},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				heights := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-500, 9000), rapid.Float64()), 12, 12).Draw(t, "heights")
				factor := rapid.SampledFrom([]float64{0, 1, 0.3048, 2}).Draw(t, "factor")
				fill := rapid.SampledFrom([]*float64{nil, number(0), number(-12.3)}).Draw(t, "fill")
				r := raster.New(rasterbase.Grid{Width: 4, Height: 3, OriginX: 7, ScaleX: 1, ScaleY: -1}, 3857, rasterbase.Float64)
				r.Bands[0].HasNodata, r.Bands[0].Nodata = true, heights[0]
				for i, h := range heights {
					r.Bands[0].Pixels.Set(i, h)
				}
				out, err := e.encode(r, terrain.Heights{Factor: factor}, fill)
				if err != nil {
					t.Fatal(err)
				}
				if out.Grid != r.Grid || out.SRID != 3857 || len(out.Bands) != 3 || out.Check() != nil {
					t.Fatalf("the result is %+v", out)
				}
				for i, want := range heights {
					if factor != 0 {
						want *= factor
					}
					got := e.decode(out.Bands[0].Pixels.At(i), out.Bands[1].Pixels.At(i), out.Bands[2].Pixels.At(i))
					valid := r.Valid(0, i)
					switch {
					case !valid && fill == nil:
						if out.Valid(0, i) || math.Abs(got-e.low) > 1e-9 {
							t.Fatalf("an invalid pixel is %v, %v", got, out.Valid(0, i))
						}
						continue
					case !valid:
						want = *fill
					}
					want = min(max(want, e.low), e.high)
					if !out.Valid(2, i) || math.Abs(got-want) > e.step/2+1e-9 {
						t.Fatalf("pixel %d is %v, %v; want %v", i, got, out.Valid(2, i), want)
					}
				}
			})
		})
	}
}

func TestWhatCannotBeDrawn(t *testing.T) {
	g := rasterbase.Grid{Width: 4, Height: 3, ScaleX: 1, ScaleY: -1}
	r := raster.New(g, 3857, rasterbase.Float32)
	ground := terrain.Projected(g, 1)
	thin := raster.New(rasterbase.Grid{Width: 2, Height: 3, ScaleX: 1, ScaleY: -1}, 3857, rasterbase.Float32)
	shade := func(r *raster.Raster, g terrain.Ground, h terrain.Heights, l terrain.Light) error {
		_, err := terrain.Hillshade(r, g, h, l)
		return err
	}
	encoded := func(h terrain.Heights, fill *float64) error {
		_, err := terrain.TerrainRGB(r, h, fill)
		return err
	}
	_, slope := terrain.Slope(thin, ground, terrain.Heights{})
	for _, tt := range []struct {
		name, field string
		err         error
	}{
		{"no such band", "band", shade(r, ground, terrain.Heights{Band: 1}, terrain.Light{})},
		{"a factor that is no number", "factor", shade(r, ground, terrain.Heights{Factor: math.NaN()}, terrain.Light{})},
		{"an infinite factor", "factor", encoded(terrain.Heights{Factor: math.Inf(-1)}, nil)},
		{"light below the horizon", "altitude", shade(r, ground, terrain.Heights{}, terrain.Light{Altitude: number(-1)})},
		{"light beyond the zenith", "altitude", shade(r, ground, terrain.Heights{}, terrain.Light{Altitude: number(91)})},
		{"light from nowhere", "azimuth", shade(r, ground, terrain.Heights{}, terrain.Light{Azimuth: number(math.Inf(1))})},
		{"no pixel within the margin", "", slope},
		{"ground of other rows", "", shade(r, terrain.Projected(rasterbase.Grid{Width: 4, Height: 2, ScaleX: 1, ScaleY: -1}, 1), terrain.Heights{}, terrain.Light{})},
		{"ground without a size", "", shade(r, terrain.Projected(g, 0), terrain.Heights{}, terrain.Light{})},
		{"no fill", "fill", encoded(terrain.Heights{}, number(math.NaN()))},
		{"no band to encode", "band", encoded(terrain.Heights{Band: -1}, nil)},
	} {
		var e *rasterbase.Error
		if !errors.As(tt.err, &e) || e.Code != rasterbase.Invalid || e.Field != tt.field {
			t.Errorf("%s: %v", tt.name, tt.err)
		}
	}
}
