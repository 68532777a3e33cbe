package render_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
)

// factors are those of [render.Enhance], as testdata/record_enhance.py writes them.
type factors struct {
	Color, Contrast, Brightness, Sharpness *float64
}

func TestEnhanceAsPillow(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Images []struct {
			Width, Height int
			RGBA          []byte
		}
		Cases []struct {
			factors
			Image int
			Want  []byte
		}
	}
	b, err := os.ReadFile("testdata/enhance.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	for n, c := range recorded.Cases {
		img := recorded.Images[c.Image]
		// Pixel i has the value i, and the colormap its colour.
		r := raster.New(rasterbase.Grid{Width: img.Width, Height: img.Height}, 3857, rasterbase.Uint16)
		m := &rasterbase.Colormap{}
		for i := range img.Width * img.Height {
			r.Bands[0].Pixels.Set(i, float64(i))
			m.Table = append(m.Table, color.NRGBA{img.RGBA[4*i], img.RGBA[4*i+1], img.RGBA[4*i+2], img.RGBA[4*i+3]})
		}
		out, err := render.Tile(r, render.Options{Colormap: m, Enhance: render.Enhance(c.factors)})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := decode(t, out)
		for i, g := range got {
			if want := visible(color.NRGBA{c.Want[4*i], c.Want[4*i+1], c.Want[4*i+2], c.Want[4*i+3]}); g != want {
				t.Fatalf("case %d (%s): pixel %d of %v is %v, want %v", n, c.factors, i, m.Table[i], g, want)
			}
		}
	}
	if len(recorded.Cases) < 200 {
		t.Errorf("%d cases", len(recorded.Cases))
	}
}

// String is for messages.
func (f factors) String() string {
	b, _ := json.Marshal(f)
	return string(b)
}

func TestEnhanceOfEveryFormat(t *testing.T) {
	t.Parallel()
	r := raster.New(rasterbase.Grid{Width: 40, Height: 30}, 3857, rasterbase.Uint8)
	for i := range 40 * 30 {
		r.Bands[0].Pixels.Set(i, float64(i%3))
	}
	m := &rasterbase.Colormap{Table: []color.NRGBA{{}, {10, 100, 200, 255}, {40, 50, 60, 70}}}
	half, one := 0.5, 1.0
	o := render.Options{Colormap: m, Enhance: render.Enhance{Brightness: &half, Color: &one}}
	b, err := render.Tile(r, o)
	if err != nil {
		t.Fatal(err)
	}
	want := []color.NRGBA{{}, {5, 50, 100, 255}, {20, 25, 30, 70}}
	got, _ := decode(t, b)
	if b[25] != 3 || b[24] != 2 {
		t.Errorf("3 colours in %d bits of colour type %d", b[24], b[25])
	}
	o.Format = render.WebP
	if b, err = render.Tile(r, o); err != nil {
		t.Fatal(err)
	}
	fromWebP, _, _ := decodeWebP(t, b)
	for i := range got {
		if got[i] != want[i%3] || fromWebP[i] != want[i%3] {
			t.Fatalf("pixel %d is %v, and %v in a WebP, want %v", i, got[i], fromWebP[i], want[i%3])
		}
	}
	if o.Enhance.Color != &one {
		t.Error("the caller's options were changed")
	}
}

func TestEnhanceErrors(t *testing.T) {
	t.Parallel()
	r := raster.New(rasterbase.Grid{Width: 4, Height: 4}, 0, rasterbase.Uint8)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1.1e6, -1e300} {
		for field, h := range map[string]render.Enhance{
			"enhance_color": {Color: &bad}, "enhance_contrast": {Contrast: &bad},
			"enhance_brightness": {Brightness: &bad}, "enhance_sharpness": {Sharpness: &bad},
		} {
			_, err := render.Tile(r, render.Options{Enhance: h})
			var e *rasterbase.Error
			if !errors.As(err, &e) || e.Code != rasterbase.Invalid || e.Field != field {
				t.Errorf("%s of %v: %v", field, bad, err)
			}
		}
	}
}

// Half the contrast brings both pixels nearer to their mean, 150.
func ExampleEnhance() {
	r := raster.New(rasterbase.Grid{Width: 2, Height: 1}, 3857, rasterbase.Uint8)
	copy(r.Bands[0].Pixels.(raster.Slice[uint8]), []uint8{100, 200})
	factor := 0.5
	b, err := render.Tile(r, render.Options{Enhance: render.Enhance{Contrast: &factor}})
	if err != nil {
		fmt.Println(err)
		return
	}
	px, _ := decode(new(testing.T), b)
	fmt.Println(px[0].R, px[1].R)
	// Output: 125 175
}
