//go:build cgo && !nogdal

package gdal_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/raster"
)

var methods = []gdal.Compression{"", "JPEG", "LZW", "PACKBITS", "DEFLATE", "CCITTRLE", "CCITTFAX3", "CCITTFAX4", "LZMA", "ZSTD"}

func TestParseCompression(t *testing.T) {
	for _, m := range methods {
		for _, s := range []string{string(m), strings.ToLower(string(m)), " " + string(m) + " "} {
			if got, err := gdal.ParseCompression(s); err != nil || got != m {
				t.Errorf("%q is read as %q, %v", s, got, err)
			}
		}
	}
	for _, s := range []string{"LERC", "NONE", "DEFLATE,LZW", "LZ", "0"} {
		_, err := gdal.ParseCompression(s)
		if rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%q: %v", s, err)
		}
		for _, m := range methods {
			if err != nil && !strings.Contains(err.Error(), string(m)) {
				t.Errorf("the error for %q does not name %s: %v", s, m, err)
			}
		}
	}
}

// What a method can hold is written and read by GDAL as it was, unless the method
// is one that changes pixels; what it cannot is refused.
func TestEveryMethodWithEveryPixelType(t *testing.T) {
	type made struct {
		Path        string
		Compression string
		Bands       [][]float64
	}
	var files []made
	var want []made
	var lossy []bool
	dir := t.TempDir()
	for _, m := range methods {
		for _, p := range rasterbase.PixelTypes {
			for _, bands := range []int{1, 2, 3} {
				r := patterned(p, bands, 40, 30, false)
				path := filepath.Join(dir, fmt.Sprintf("%s_%v_%d.tif", m, p, bands))
				err := gdal.Write(t.Context(), path, r, gdal.WriteOptions{Compression: m})
				holds := true
				switch {
				case strings.HasPrefix(string(m), "CCITT"):
					holds = p == rasterbase.Bit1 && bands == 1
				case m == "JPEG":
					holds = p == rasterbase.Uint8 && bands != 2
				}
				if !holds {
					if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), string(m)) {
						t.Errorf("%s of %d bands of %v: %v", m, bands, p, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s of %d bands of %v: %v", m, bands, p, err)
					continue
				}
				f := made{Path: path, Compression: string(m)}
				if bits := p == rasterbase.Bit1 || p == rasterbase.Uint2 || p == rasterbase.Uint4; bits && m == "" {
					f.Compression = "PACKBITS"
				}
				for _, b := range r.Bands {
					values := make([]float64, b.Pixels.Len())
					for i := range values {
						values[i] = b.Pixels.At(i)
					}
					f.Bands = append(f.Bands, values)
				}
				want, lossy = append(want, f), append(lossy, m.Lossy())
			}
		}
	}
	paths := make([]string, len(want))
	for i, f := range want {
		paths[i] = f.Path
	}
	in, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	out := python(t, `
out = []
for path in json.load(sys.stdin):
    d = gdal.Open(path)
    bands = []
    for i in range(d.RasterCount):
        b = d.GetRasterBand(i + 1)
        signed = b.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") == "SIGNEDBYTE"
        v = b.ReadAsArray().astype("float64")
        if signed:
            v[v > 127] -= 256
        bands.append(v.ravel().tolist())
    out.append({"Path": path, "Compression": d.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") or "", "Bands": bands})
print(json.dumps(out))`, in)
	if err := json.Unmarshal(out, &files); err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		name := filepath.Base(f.Path)
		if f.Compression != want[i].Compression && !(f.Compression == "YCbCr JPEG" && lossy[i]) {
			t.Errorf("%s is compressed with %q, want %q", name, f.Compression, want[i].Compression)
		}
		for b := range f.Bands {
			if !lossy[i] && !slices.Equal(f.Bands[b], want[i].Bands[b]) {
				t.Errorf("%s: the pixels of band %d differ", name, b+1)
			}
			if lossy[i] && len(f.Bands[b]) != len(want[i].Bands[b]) {
				t.Errorf("%s: band %d has %d pixels", name, b+1, len(f.Bands[b]))
			}
		}
	}
	if len(files) != len(want) || len(files) < 100 {
		t.Errorf("%d files of %d were read", len(files), len(want))
	}
}

// A lossless method is the one asked for, where it can be, and always one that
// holds the pixels.
func TestLossless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(methods).Draw(t, "method")
		p := rapid.SampledFrom(rasterbase.PixelTypes).Draw(t, "type")
		bands := rapid.IntRange(1, 5).Draw(t, "bands")
		got := m.Lossless(p, bands)
		if got.Lossy() || got.Check(p, bands) != nil {
			t.Errorf("%s for %d bands of %v is %s", m, bands, p, got)
		}
		if !m.Lossy() && m.Check(p, bands) == nil && got != m {
			t.Errorf("%s takes the place of %s for %d bands of %v", got, m, bands, p)
		}
	})
}

// The predictor makes files of measurements smaller, and a predictor that is
// asked for stays.
func TestPredictor(t *testing.T) {
	g := rasterbase.Grid{Width: 300, Height: 300, OriginX: 500000, OriginY: 5500000, ScaleX: 30, ScaleY: -30}
	for _, p := range []rasterbase.PixelType{rasterbase.Int16, rasterbase.Uint32, rasterbase.Float32, rasterbase.Float64} {
		r := raster.New(g, 32632, p)
		for i := range g.Width * g.Height {
			r.Bands[0].Pixels.Set(i, math.Floor(5000+2000*math.Sin(float64(i%300)/40)*math.Cos(float64(i/300)/30)))
		}
		for _, m := range []gdal.Compression{"LZW", "DEFLATE", "ZSTD"} {
			with, err := gdal.EncodeGeoTIFF(t.Context(), r, gdal.WriteOptions{Compression: m})
			if err != nil {
				t.Fatal(err)
			}
			without, err := gdal.EncodeGeoTIFF(t.Context(), r, gdal.WriteOptions{Compression: m, Options: []string{"PREDICTOR=1"}})
			if err != nil {
				t.Fatal(err)
			}
			if len(with) >= len(without) {
				t.Errorf("%s of %v: %d bytes with a predictor, %d without", m, p, len(with), len(without))
			}
		}
	}
}
