package render_test

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/webp"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
)

// decodeWebP gives the colours of a WebP, and 0 for what is transparent.
func decodeWebP(t testing.TB, b []byte) (px []color.NRGBA, width, height int) {
	t.Helper()
	img, err := webp.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	size := img.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			px = append(px, visible(color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)))
		}
	}
	return px, size.X, size.Y
}

func TestWebPEqualsPNG(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := genRaster(rt, rapid.SampledFrom(rasterbase.PixelTypes).Draw(rt, "type"), 3)
		o := render.Options{Format: render.WebP}
		if rapid.Bool().Draw(rt, "composed") {
			o.Bands, o.Rescale = []int{0, 1, 2}, [][2]float64{{0, 255}, {200, -10}, {0, 3000}}
		} else {
			o.Colormap = genColormap(rt)
		}
		b, err := render.Tile(r, o)
		if err != nil {
			rt.Fatal(err)
		}
		got, width, height := decodeWebP(t, b)
		o.Format = render.PNG
		if b, err = render.Tile(r, o); err != nil {
			rt.Fatal(err)
		}
		want, _ := decode(t, b)
		if width != r.Width || height != r.Height {
			rt.Fatalf("the image has %dx%d pixels, want %dx%d", width, height, r.Width, r.Height)
		}
		for i := range want {
			if got[i] != want[i] {
				rt.Fatalf("pixel %d is %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// GDAL reads WebP by Google's library.
func TestGDALReadsWebP(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("gdalinfo", "--format", "WEBP").CombinedOutput(); err != nil || !strings.Contains(string(out), "Short Name: WEBP") {
		if required("gdal") {
			t.Fatalf("GDAL reads no WebP: %v, %s", err, out)
		}
		t.Skip("GDAL reads no WebP here")
	}
	dir := t.TempDir()
	var paths []string
	var pngs [][]byte
	for i, colors := range []int{1, 2, 3, 4, 5, 11, 16, 17, 40, 256, 257, 5000} {
		for _, size := range [][2]int{{1, 1}, {7, 3}, {256, 256}, {1023, 17}} {
			r := raster.New(rasterbase.Grid{Width: size[0], Height: size[1]}, 3857, rasterbase.Int32)
			for p := range size[0] * size[1] {
				r.Bands[0].Pixels.Set(p, (surface(i, p%size[0], p/size[0])+1)/2*float64(colors))
			}
			o := render.Options{Format: render.WebP, Colormap: &rasterbase.Colormap{Table: wheels(colors)}}
			b, err := render.Tile(r, o)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, filepath.Join(dir, fmt.Sprintf("%d_%d.webp", colors, size[0])))
			if err := os.WriteFile(paths[len(paths)-1], b, 0o600); err != nil {
				t.Fatal(err)
			}
			o.Format = render.PNG
			if b, err = render.Tile(r, o); err != nil {
				t.Fatal(err)
			}
			pngs = append(pngs, b)
		}
	}
	for i, g := range readByGDAL(t, paths) {
		want, config := decode(t, pngs[i])
		if g.Width != config.Width || g.Height != config.Height || len(g.Bands) < 3 {
			t.Fatalf("%s: %dx%d with %d bands", filepath.Base(paths[i]), g.Width, g.Height, len(g.Bands))
		}
		for p, w := range want {
			got := color.NRGBA{g.Bands[0].Pixels[p], g.Bands[1].Pixels[p], g.Bands[2].Pixels[p], 255}
			if len(g.Bands) == 4 {
				got.A = g.Bands[3].Pixels[p]
			}
			if visible(got) != w {
				t.Fatalf("%s: pixel %d is %v, want %v", filepath.Base(paths[i]), p, got, w)
			}
		}
	}
}

func TestWebPIsLimited(t *testing.T) {
	t.Parallel()
	r := raster.New(rasterbase.Grid{Width: 16385, Height: 1}, 3857, rasterbase.Uint8)
	_, err := render.Tile(r, render.Options{Format: render.WebP})
	if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "16384") {
		t.Errorf("%v", err)
	}
}
