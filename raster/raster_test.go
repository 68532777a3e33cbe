package raster_test

import (
	"encoding/json"
	"fmt"
	"image/color"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

var nan = math.NaN()

// small is 3x2 pixels of uint8 with nodata 9, on a grid of 10 units a pixel.
func small() *raster.Raster {
	r := raster.New(rasterbase.Grid{Width: 3, Height: 2, OriginX: 100, OriginY: 200, ScaleX: 10, ScaleY: -10}, 3857, rasterbase.Uint8)
	r.Bands[0] = raster.Band{Type: rasterbase.Uint8, HasNodata: true, Nodata: 9, Pixels: raster.Slice[uint8]{1, 2, 3, 4, 9, 6}}
	return r
}

func TestMetadataJSON(t *testing.T) {
	r := small()
	r.Bands = append(r.Bands,
		raster.Band{Type: rasterbase.Float32, HasNodata: true, Nodata: nan, Pixels: raster.NewPixels(rasterbase.Float32, 6)},
		raster.Band{Type: rasterbase.Int16, Pixels: raster.NewPixels(rasterbase.Int16, 6)})
	got, err := json.Marshal(r.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"upperleftx":100,"upperlefty":200,"width":3,"height":2,"scalex":10,"scaley":-10,"skewx":0,"skewy":0,"srid":3857,"numbands":3,` +
		`"bands":[{"bandnum":1,"pixeltype":"8BUI","nodatavalue":9},{"bandnum":2,"pixeltype":"32BF","nodatavalue":"nan"},{"bandnum":3,"pixeltype":"16BSI","nodatavalue":null}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Validity, r.Bands = make([]uint8, 6), r.Bands[:1]
	r.OriginX = math.Inf(-1)
	var again raster.Metadata
	if got, err = json.Marshal(r.Metadata()); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &again); err != nil || !reflect.DeepEqual(again, r.Metadata()) || !again.Validity {
		t.Errorf("%s is read back as %+v, %v", got, again, err)
	}
}

func TestAt(t *testing.T) {
	r := small()
	r.Validity = []uint8{255, 0, 255, 255, 255, 1}
	tests := []struct {
		name           string
		band, col, row int
		v              float64
		ok             bool
	}{
		{"first", 0, 0, 0, 1, true},
		{"last", 0, 2, 1, 6, true},
		{"not valid", 0, 1, 0, 0, false},
		{"nodata", 0, 1, 1, 0, false},
		{"left of it", 0, -1, 0, 0, false},
		{"right of it", 0, 3, 0, 0, false},
		{"above it", 0, 0, -1, 0, false},
		{"below it", 0, 0, 2, 0, false},
		{"no such band", 1, 0, 0, 0, false},
		{"negative band", -1, 0, 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v, ok := r.At(tt.band, tt.col, tt.row); v != tt.v || ok != tt.ok {
				t.Errorf("got %v, %v", v, ok)
			}
		})
	}
}

func TestAtCoord(t *testing.T) {
	r := small()
	tests := []struct {
		name string
		x, y float64
		v    float64
		ok   bool
	}{
		{"inside", 125, 195, 3, true},
		{"upper left corner", 100, 200, 1, true},
		{"edge of two pixels", 110, 200, 2, true},
		{"edge of two rows", 105, 190, 4, true},
		{"right edge", 130, 195, 0, false},
		{"lower edge", 105, 180, 0, false},
		{"just left", math.Nextafter(100, 0), 195, 0, false},
		{"nan", nan, 195, 0, false},
		{"far", 1e300, -1e300, 0, false},
		{"infinite", math.Inf(1), 195, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v, ok := r.AtCoord(0, tt.x, tt.y); v != tt.v || ok != tt.ok {
				t.Errorf("got %v, %v", v, ok)
			}
		})
	}
	r.ScaleX = 0
	if _, ok := r.AtCoord(0, 100, 195); ok {
		t.Error("a grid that cannot be inverted has a pixel")
	}
}

func TestEqual(t *testing.T) {
	change := func(f func(r *raster.Raster)) *raster.Raster { r := small(); f(r); return r }
	floats := func(nodata float64, v ...float32) *raster.Raster {
		return &raster.Raster{Grid: rasterbase.Grid{Width: len(v), Height: 1}, Bands: []raster.Band{
			{Type: rasterbase.Float32, HasNodata: true, Nodata: nodata, Pixels: raster.Slice[float32](v)},
		}}
	}
	negativeZero := float32(math.Copysign(0, -1))
	tests := []struct {
		name string
		a, b *raster.Raster
		want bool
	}{
		{"same", small(), small(), true},
		{"nil", nil, nil, true},
		{"one nil", small(), nil, false},
		{"origin", small(), change(func(r *raster.Raster) { r.OriginX++ }), false},
		{"srid", small(), change(func(r *raster.Raster) { r.SRID++ }), false},
		{"a pixel", small(), change(func(r *raster.Raster) { r.Bands[0].Pixels.Set(5, 7) }), false},
		{"type", small(), change(func(r *raster.Raster) { r.Bands[0].Type = rasterbase.Uint4 }), false},
		{"nodata", small(), change(func(r *raster.Raster) { r.Bands[0].Nodata = 8 }), false},
		{"no nodata", small(), change(func(r *raster.Raster) { r.Bands[0].HasNodata = false }), false},
		{"no bands", small(), change(func(r *raster.Raster) { r.Bands = nil }), false},
		{"a validity", small(), change(func(r *raster.Raster) { r.Validity = []uint8{1, 1, 1, 1, 1, 1} }), false},
		{"validities", change(func(r *raster.Raster) { r.Validity = []uint8{1, 1, 0, 1, 1, 1} }),
			change(func(r *raster.Raster) { r.Validity = []uint8{255, 255, 0, 255, 2, 1} }), true},
		{"nan and zeros", floats(nan, 1, float32(nan), negativeZero), floats(nan, 1, float32(nan), 0), true},
		{"nan and a number", floats(nan, 1, float32(nan)), floats(nan, 1, 2), false},
		{"nodata rounded", floats(0.1, 1), floats(float64(float32(0.1)), 1), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if raster.Equal(tt.a, tt.b) != tt.want || raster.Equal(tt.b, tt.a) != tt.want {
				t.Errorf("not %v", tt.want)
			}
		})
	}
}

func TestSplitValidityRefuses(t *testing.T) {
	for name, r := range map[string]*raster.Raster{
		"no bands":    {},
		"nodata":      small(),
		"wrong type":  raster.New(rasterbase.Grid{Width: 1, Height: 1}, 0, rasterbase.Float32),
		"narrow type": raster.New(rasterbase.Grid{Width: 1, Height: 1}, 0, rasterbase.Uint4),
	} {
		t.Run(name, func(t *testing.T) {
			bands := len(r.Bands)
			if err := r.SplitValidity(); rasterbase.CodeOf(err) != rasterbase.Invalid || len(r.Bands) != bands {
				t.Errorf("the error is %v, %d bands are left", err, len(r.Bands))
			}
		})
	}
}

// Every pixel of a crop is the pixel at the same coordinates of the raster, and
// invalid outside it.
func TestCropKeepsCoordinates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRaster(t)
		side := rapid.IntRange(-12, 12)
		x, y, w, h := side.Draw(t, "x"), side.Draw(t, "y"), side.Draw(t, "w"), side.Draw(t, "h")
		c := r.Crop(x, y, w, h)
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		if c.Width != max(w, 0) || c.Height != max(h, 0) || c.SRID != r.SRID || len(c.Bands) != len(r.Bands) {
			t.Fatalf("the crop is %+v", c)
		}
		for col := range c.Width {
			for row := range c.Height {
				gotX, gotY := c.World(float64(col), float64(row))
				wantX, wantY := r.World(float64(col+x), float64(row+y))
				if math.Abs(gotX-wantX) > 1e-4 || math.Abs(gotY-wantY) > 1e-4 {
					t.Fatalf("pixel %d, %d is at %v, %v, not %v, %v", col, row, gotX, gotY, wantX, wantY)
				}
				for b := range r.Bands {
					want, wantOK := r.At(b, col+x, row+y)
					got, ok := c.At(b, col, row)
					if got != want || ok != wantOK {
						t.Fatalf("band %d, pixel %d, %d is %v, %v, not %v, %v", b, col, row, got, ok, want, wantOK)
					}
				}
			}
		}
	})
}

func TestCropMakesValidityOnlyWhenNeeded(t *testing.T) {
	g := rasterbase.Grid{Width: 2, Height: 2, ScaleX: 1, ScaleY: -1}
	integers := raster.New(g, 0, rasterbase.Uint8)
	floats := raster.New(g, 0, rasterbase.Float32)
	tests := []struct {
		name       string
		r          *raster.Raster
		x, y, w, h int
		validity   []uint8
	}{
		{"inside", integers, 1, 1, 1, 1, nil},
		{"integers without nodata", integers, 1, -1, 2, 2, []uint8{0, 0, 255, 0}},
		{"integers with nodata", small(), -1, -1, 2, 2, nil},
		{"floats", floats, -1, -1, 2, 2, nil},
		{"beside it", integers, 2, 0, 1, 1, []uint8{0}},
		{"far away", integers, math.MinInt, math.MaxInt, 1, 1, []uint8{0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.r.Crop(tt.x, tt.y, tt.w, tt.h).Validity; fmt.Sprint(got) != fmt.Sprint(tt.validity) || (got == nil) != (tt.validity == nil) {
				t.Errorf("validity is %v, not %v", got, tt.validity)
			}
		})
	}
}

// The colour of every pixel is what the colormap says of its value.
func TestImageIsColormapOfValues(t *testing.T) {
	red, blue := color.NRGBA{R: 255, A: 255}, color.NRGBA{B: 255, A: 128}
	colormaps := map[string]*rasterbase.Colormap{
		"nil":   nil,
		"zero":  {},
		"table": {First: -2, Table: []color.NRGBA{red, blue, {}, blue, red}},
		"ramp":  {Ramp: &rasterbase.Ramp{Min: 0, Max: 200, Colors: []color.NRGBA{red, blue}}},
		"func": {First: 1, Table: []color.NRGBA{red}, Func: func(v float64) color.NRGBA {
			return color.NRGBA{R: uint8(int64(v)), G: uint8(int64(v) >> 8), A: 255}
		}},
	}
	for name, m := range colormaps {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := drawRaster(t)
				img := r.Image(m)
				if b := img.Bounds(); b.Dx() != r.Width || b.Dy() != r.Height {
					t.Fatalf("the image is %v", b)
				}
				for col := range r.Width {
					for row := range r.Height {
						var want color.NRGBA
						if v, ok := r.At(0, col, row); ok && m != nil {
							want = m.At(v)
						}
						if got := img.NRGBAAt(col, row); got != want {
							t.Fatalf("pixel %d, %d is %v, not %v", col, row, got, want)
						}
					}
				}
			})
		})
	}
}

func BenchmarkImage(b *testing.B) {
	m := &rasterbase.Colormap{Table: make([]color.NRGBA, 1<<16)}
	for _, t := range []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Uint16, rasterbase.Float32} {
		b.Run(t.String(), func(b *testing.B) {
			r := raster.New(rasterbase.Grid{Width: 256, Height: 256, ScaleX: 1, ScaleY: -1}, 3857, t)
			for i := range r.Bands[0].Pixels.Len() {
				r.Bands[0].Pixels.Set(i, float64(i*7919%251))
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Image(m)
			}
		})
	}
}

// No pixel of it is valid, whatever the band can say.
func TestNewInvalid(t *testing.T) {
	g := rasterbase.Grid{Width: 3, Height: 2, ScaleX: 1, ScaleY: -1}
	for name, bands := range map[string][]raster.Band{
		"nodata": {{Type: rasterbase.Uint8, HasNodata: true, Nodata: 7}},
		"float":  {{Type: rasterbase.Float32}},
		"whole":  {{Type: rasterbase.Int16}},
		"mixed":  {{Type: rasterbase.Uint8, HasNodata: true}, {Type: rasterbase.Int16}, {Type: rasterbase.Float64}},
	} {
		r := raster.NewInvalid(g, 3857, bands...)
		if err := r.Check(); err != nil || r.Grid != g || r.SRID != 3857 || len(r.Bands) != len(bands) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		for band := range r.Bands {
			for i := range 6 {
				if r.Valid(band, i) {
					t.Errorf("%s: pixel %d of band %d is valid", name, i, band)
				}
			}
		}
	}
}
