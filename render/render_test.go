package render_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
)

func Example() {
	r := raster.New(rasterbase.Grid{Width: 3, Height: 1}, 3857, rasterbase.Uint8)
	copy(r.Bands[0].Pixels.(raster.Slice[uint8]), []uint8{1, 2, 3})
	colors := &rasterbase.Colormap{First: 1, Table: []color.NRGBA{{0, 0, 255, 255}, {0, 128, 0, 255}}}
	b, err := render.Tile(r, render.Options{Format: render.PNG, Colormap: colors})
	if err != nil {
		fmt.Println(err)
		return
	}
	img, err := png.Decode(bytes.NewReader(b))
	fmt.Println(img.At(0, 0), img.At(1, 0), img.At(2, 0), err)
	// Output: {0 0 255 255} {0 128 0 255} {0 0 0 0} <nil>
}

// decode gives the colours of a PNG, and 0 for what is transparent.
func decode(t testing.TB, b []byte) ([]color.NRGBA, image.Config) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	config, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var out []color.NRGBA
	for y := range config.Height {
		for x := range config.Width {
			out = append(out, visible(color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)))
		}
	}
	return out, config
}

func visible(c color.NRGBA) color.NRGBA {
	if c.A == 0 {
		return color.NRGBA{}
	}
	return c
}

func wheel(i int) color.NRGBA {
	h := uint32(i+1) * 2654435761
	a := uint8(255)
	if i%5 == 4 {
		a = uint8(h >> 24)
	}
	return color.NRGBA{uint8(h), uint8(h >> 8), uint8(h >> 16), a}
}

func wheels(n int) []color.NRGBA {
	out := make([]color.NRGBA, n)
	for i := range out {
		out[i] = wheel(i)
	}
	return out
}

func genColormap(t *rapid.T) *rasterbase.Colormap {
	m := &rasterbase.Colormap{}
	if rapid.Bool().Draw(t, "table") {
		n := rapid.SampledFrom([]int{1, 2, 3, 15, 16, 17, 255, 256, 257, 5000, 65536}).Draw(t, "places")
		m.First = rapid.SampledFrom([]int{0, 0, 1, -5, -300, -32768, 100000}).Draw(t, "first")
		m.Table = wheels(n)
	}
	switch rapid.IntRange(0, 6).Draw(t, "rest") {
	case 5:
		breaks := []float64{-7, 0, 0.1, 3, 100, 5000}[rapid.IntRange(0, 5).Draw(t, "first break"):]
		m.Steps = rasterbase.NewSteps(breaks, wheels(len(breaks)+1))
	case 6: // the ramp behind steps colours nothing
		m.Steps = rasterbase.NewSteps([]float64{12}, wheels(2))
		m.Ramp = &rasterbase.Ramp{Max: 100, Colors: wheels(50)}
	case 0:
		n := rapid.SampledFrom([]int{1, 2, 200, 256, 300, 65535, 65536}).Draw(t, "steps")
		lo := rapid.SampledFrom([]float64{0, -10, 3}).Draw(t, "min")
		m.Ramp = &rasterbase.Ramp{Min: lo, Max: lo + rapid.SampledFrom([]float64{0, 1, 255, 1e5}).Draw(t, "span"), Colors: wheels(n)}
	case 1:
		n := rapid.SampledFrom([]int{1, 2, 7, 256, 1000, 1 << 30}).Draw(t, "classes")
		m.Func = func(v float64) color.NRGBA { return wheel(int(math.Mod(math.Abs(math.Floor(v*16)), float64(n)))) }
	}
	return m
}

func genRaster(t *rapid.T, pt rasterbase.PixelType, bands int) *raster.Raster {
	size := rapid.SampledFrom([][2]int{{1, 1}, {2, 1}, {7, 5}, {8, 8}, {9, 3}, {100, 100}, {257, 3}, {1, 40}, {300, 230}, {64, 33}, {1024, 3}}).Draw(t, "size")
	types := make([]rasterbase.PixelType, bands)
	for i := range types {
		types[i] = pt
	}
	r := raster.New(rasterbase.Grid{Width: size[0], Height: size[1]}, 3857, types...)
	seed := rapid.Uint64().Draw(t, "seed")
	next := func() uint64 { seed = seed*6364136223846793005 + 1442695040888963407; return seed >> 11 }
	spread := rapid.SampledFrom([]uint64{1, 2, 4, 12, 200, 256, 3000, 1 << 16, 1 << 20}).Draw(t, "spread")
	smooth := rapid.Bool().Draw(t, "smooth")
	for b := range r.Bands {
		band := &r.Bands[b]
		if rapid.Bool().Draw(t, "nodata") {
			band.HasNodata = true
			band.Nodata = rapid.SampledFrom([]float64{0, 1, 255, -1, math.NaN(), -9999, 0.1}).Draw(t, "value")
		}
		for i := range size[0] * size[1] {
			v := float64(next()%spread) - float64(spread/4)
			if smooth && i > 0 && next()%4 > 0 {
				v = band.Pixels.At(i - 1)
			}
			if pt.IsFloat() && next()%3 == 0 {
				v = v/7 + 0.1
			}
			if pt.IsFloat() && next()%50 == 0 {
				v = []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 1e-40}[next()%5]
			}
			band.Pixels.Set(i, v)
		}
	}
	if rapid.Bool().Draw(t, "masked") {
		r.Validity = make([]uint8, size[0]*size[1])
		for i := range r.Validity {
			r.Validity[i] = uint8(next() % 3)
		}
	}
	return r
}

func TestPixelsEqualColormap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		pt := rapid.SampledFrom(rasterbase.PixelTypes).Draw(rt, "type")
		r := genRaster(rt, pt, 2)
		m := genColormap(rt)
		b, err := render.Tile(r, render.Options{Bands: []int{1}, Colormap: m})
		if err != nil {
			rt.Fatal(err)
		}
		got, config := decode(t, b)
		if config.Width != r.Width || config.Height != r.Height {
			rt.Fatalf("the image has %dx%d pixels", config.Width, config.Height)
		}
		used := map[color.NRGBA]bool{}
		for i, c := range got {
			var want color.NRGBA
			if r.Valid(1, i) {
				want = visible(m.At(r.Bands[1].Pixels.At(i)))
			}
			if c != want {
				rt.Fatalf("pixel %d of %v, %v: got %v, want %v", i, pt, r.Bands[1].Pixels.At(i), c, want)
			}
			used[want] = true
		}
		// Bit depth is byte 24 of the file, colour type byte 25.
		depth := 1
		for depth < 8 && len(used) > 1<<depth {
			depth *= 2
		}
		if len(used) <= 256 && (b[25] != 3 || int(b[24]) != depth) {
			rt.Fatalf("%d colours in %d bits of colour type %d", len(used), b[24], b[25])
		}
	})
}

func TestComposedPixels(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		pt := rapid.SampledFrom(rasterbase.PixelTypes).Draw(rt, "type")
		r := genRaster(rt, pt, 3)
		bands := rapid.SampledFrom([][]int{{0, 1, 2}, {2, 1, 0}, {1, 1, 1}}).Draw(rt, "bands")
		o := render.Options{Bands: bands, Rescale: [][2]float64{{0, 255}, {200, -10}, {5, 5}}}
		b, err := render.Tile(r, o)
		if err != nil {
			rt.Fatal(err)
		}
		got, _ := decode(t, b)
		for i, c := range got {
			var want [3]uint8
			valid := false
			for k, band := range bands {
				v := r.Bands[band].Pixels.At(i)
				lo, hi := o.Rescale[k][0], o.Rescale[k][1]
				switch {
				case math.IsNaN(v):
				case lo == hi:
					want[k] = 128
				default:
					want[k] = uint8(math.Floor(math.Max(0, math.Min(255, 255*(v-lo)/(hi-lo))) + 0.5))
				}
				valid = valid || r.Valid(band, i)
			}
			w := color.NRGBA{want[0], want[1], want[2], 255}
			if !valid {
				w = color.NRGBA{}
			}
			if c != w {
				rt.Fatalf("pixel %d of %v: got %v, want %v", i, pt, c, w)
			}
		}
	})
}

func TestBytesAsTheyAre(t *testing.T) {
	t.Parallel()
	r := raster.New(rasterbase.Grid{Width: 256, Height: 1}, 3857, rasterbase.Uint8)
	for i := range 256 {
		r.Bands[0].Pixels.Set(i, float64(i))
	}
	b, err := render.Tile(r, render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := decode(t, b)
	for i, c := range got {
		if g := uint8(i); c != (color.NRGBA{g, g, g, 255}) {
			t.Fatalf("%d is shown as %v", i, c)
		}
	}
}

// All 65,536 values of 16 bits are valid and one pixel is masked out: there is
// no bit pattern left to stand for it.
func TestEveryWordAndAMask(t *testing.T) {
	t.Parallel()
	for _, pt := range []rasterbase.PixelType{rasterbase.Int16, rasterbase.Uint16} {
		r := raster.New(rasterbase.Grid{Width: 257, Height: 256}, 3857, pt)
		r.Validity = bytes.Repeat([]byte{1}, 257*256)
		r.Validity[3] = 0
		lo, _ := pt.Range()
		for i := range 257 * 256 {
			r.Bands[0].Pixels.Set(i, lo+float64(i*7%65536))
		}
		r.Bands[0].Pixels.Set(100, r.Bands[0].Pixels.At(3))
		m := &rasterbase.Colormap{Func: func(v float64) color.NRGBA { return wheel(int(v)) }}
		b, err := render.Tile(r, render.Options{Colormap: m})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := decode(t, b)
		for i, c := range got {
			var want color.NRGBA
			if i != 3 {
				want = visible(m.At(r.Bands[0].Pixels.At(i)))
			}
			if c != want {
				t.Fatalf("%v: pixel %d is %v, want %v", pt, i, c, want)
			}
		}
	}
}

func TestPlainTilesAreTiny(t *testing.T) {
	t.Parallel()
	r := raster.New(rasterbase.Grid{Width: 256, Height: 256}, 3857, rasterbase.Float32)
	one := &rasterbase.Colormap{Func: func(float64) color.NRGBA { return color.NRGBA{1, 2, 3, 255} }}
	b, err := render.Tile(r, render.Options{Colormap: one})
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 150 {
		t.Errorf("a tile of one colour has %d bytes", len(b))
	}
	b = render.Transparent(256)
	got, config := decode(t, b)
	if len(b) > 150 || config.Width != 256 || config.Height != 256 {
		t.Errorf("a transparent tile has %d bytes and %dx%d pixels", len(b), config.Width, config.Height)
	}
	for _, c := range got {
		if c.A != 0 {
			t.Fatal("a transparent tile shows something")
		}
	}
	clear(b)
	if bytes.Equal(b, render.Transparent(256)) {
		t.Error("a caller changed the kept tile")
	}
}

func TestJPEG(t *testing.T) {
	t.Parallel()
	r := raster.New(rasterbase.Grid{Width: 64, Height: 16}, 3857, rasterbase.Uint8)
	for i := range 64 * 16 {
		r.Bands[0].Pixels.Set(i, float64(i%64/16))
	}
	m := &rasterbase.Colormap{Table: []color.NRGBA{{}, {200, 0, 0, 255}, {0, 0, 0, 128}, {0, 0, 200, 255}}}
	b, err := render.Tile(r, render.Options{Format: render.JPEG, Colormap: m, Background: color.NRGBA{0, 200, 0, 255}, Quality: 100})
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []color.NRGBA{{0, 200, 0, 255}, {200, 0, 0, 255}, {0, 100, 0, 255}, {0, 0, 200, 255}} {
		got := color.NRGBAModel.Convert(img.At(16*i+4, 8)).(color.NRGBA)
		for k, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
			if d < -6 || d > 6 {
				t.Errorf("part %d of colour %d is %v, want %v", k, i, got, want)
			}
		}
	}
	img, err = jpeg.Decode(bytes.NewReader(render.TransparentJPEG(32, color.NRGBA{})))
	if err != nil || img.Bounds().Dx() != 32 || color.GrayModel.Convert(img.At(3, 3)) != (color.Gray{255}) {
		t.Errorf("the empty JPEG: %v, %v", img.At(3, 3), err)
	}
}

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	u8 := raster.New(rasterbase.Grid{Width: 4, Height: 4}, 0, rasterbase.Uint8, rasterbase.Uint8, rasterbase.Float32)
	tests := []struct {
		name string
		r    *raster.Raster
		o    render.Options
		text string
	}{
		{"two bands", u8, render.Options{Bands: []int{0, 1}}, "one band or three"},
		{"no bands", u8, render.Options{Bands: []int{}}, "one band or three"},
		{"band outside", u8, render.Options{Bands: []int{3}}, "no band 4"},
		{"negative band", u8, render.Options{Bands: []int{0, -1, 1}}, "no band 0"},
		{"float without range", u8, render.Options{Bands: []int{2}}, "needs a colormap or a range"},
		{"float in RGB", u8, render.Options{Bands: []int{0, 1, 2}}, "band 3 is float32"},
		{"ranges", u8, render.Options{Bands: []int{0, 1, 2}, Rescale: [][2]float64{{0, 1}, {0, 1}}}, "2 ranges do not fit 3 bands"},
		{"NaN", u8, render.Options{Rescale: [][2]float64{{0, math.NaN()}}}, "not a range"},
		{"format", u8, render.Options{Format: "gif"}, "unknown image format"},
		{"values", u8, render.Options{Format: render.TIFF}, "holds values"},
		{"quality", u8, render.Options{Format: render.JPEG, Quality: 101}, "quality"},
		{"no pixels", raster.New(rasterbase.Grid{}, 0, rasterbase.Uint8), render.Options{}, "0x0"},
		{"wrong size", &raster.Raster{Grid: rasterbase.Grid{Width: 2, Height: 2}, Bands: u8.Bands[:1]}, render.Options{}, "2x2"},
	}
	for _, tt := range tests {
		_, err := render.Tile(tt.r, tt.o)
		if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.text)
		}
	}
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for ext, want := range map[string]render.Format{"png": render.PNG, ".PNG": render.PNG, "jpg": render.JPEG, "jpeg": render.JPEG, "webp": render.WebP, "tif": render.TIFF, "TIFF": render.TIFF, "gif": "", "": ""} {
		if got, err := render.ParseFormat(ext); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", ext, got, err)
		}
	}
	if render.PNG.ContentType() != "image/png" || render.JPEG.ContentType() != "image/jpeg" ||
		render.WebP.ContentType() != "image/webp" || render.TIFF.ContentType() != "image/tiff" {
		t.Error("wrong media types")
	}
}

// Large images of few and of many colours, so that there are several blocks of
// compressed rows.
func TestLargeImages(t *testing.T) {
	t.Parallel()
	for i, colors := range []int{1, 2, 3, 11, 200, 3000} {
		for _, size := range [][2]int{{1024, 1024}, {1001, 601}}[i%2:][:1] {
			r := raster.New(rasterbase.Grid{Width: size[0], Height: size[1]}, 3857, rasterbase.Int16)
			for i := range size[0] * size[1] {
				r.Bands[0].Pixels.Set(i, math.Floor((surface(colors%50, i%size[0], i/size[0])+1)/2*(float64(colors)-0.001)))
			}
			m := &rasterbase.Colormap{Table: wheels(colors)}
			for _, format := range []render.Format{render.PNG, render.WebP} {
				b, err := render.Tile(r, render.Options{Format: format, Colormap: m})
				if err != nil {
					t.Fatal(err)
				}
				var got []color.NRGBA
				if format == render.WebP {
					got, _, _ = decodeWebP(t, b)
				} else {
					got, _ = decode(t, b)
				}
				for i, c := range got {
					if want := visible(m.At(r.Bands[0].Pixels.At(i))); c != want {
						t.Fatalf("%d colours, %v, %s: pixel %d is %v, want %v", colors, size, format, i, c, want)
					}
				}
			}
		}
	}
}
