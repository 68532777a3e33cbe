//go:build cgo && !nogdal

package gdal_test

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// patterned makes a raster with something else in each pixel.
func patterned(p rasterbase.PixelType, bands, width, height int, masked bool) *raster.Raster {
	g := rasterbase.Grid{Width: width, Height: height, OriginX: 500000, OriginY: 5500000, ScaleX: 30, ScaleY: -30}
	types := slices.Repeat([]rasterbase.PixelType{p}, bands)
	r := raster.New(g, 32632, types...)
	lo, hi := p.Range()
	for b := range r.Bands {
		for i := range width * height {
			v := math.Mod(float64(i*7+i/width*3+b*11), 1000) / 3
			switch {
			case p == rasterbase.Bit1:
				v = float64((i + i/width + b) % 2)
			case !p.IsFloat():
				v = math.Floor(min(hi, max(lo, v-100)))
			}
			r.Bands[b].Pixels.Set(i, v)
		}
	}
	if masked {
		r.Validity = make([]uint8, width*height)
		for i := range r.Validity {
			if (i/5+i/width)%4 != 0 {
				r.Validity[i] = 255
			}
		}
	}
	return r
}

// tiled makes the tiled copy of an open raster.
func tiled(t *testing.T, d ingest.Dataset, compression string) ingest.TiledPart {
	t.Helper()
	tiler, ok := d.(ingest.Tiler)
	if !ok {
		t.Fatal("it makes no tiled copies")
	}
	for share := -1.0; ; {
		part, err := tiler.Tile(t.Context(), ingest.TileOptions{Compression: compression})
		if err != nil {
			t.Fatal(err)
		}
		if part.Share <= share || part.Share > 1 {
			t.Errorf("share %v after %v", part.Share, share)
		}
		if share = part.Share; part.Last {
			return part
		}
	}
}

// readAll reads all pixels in windows, from the last one to the first.
func readAll(t *testing.T, d ingest.Dataset) (all []*ingest.Block) {
	t.Helper()
	g := d.Info().Grid
	const rows = 100
	for y := (g.Height - 1) / rows * rows; y >= 0; y -= rows {
		b, err := d.Read(t.Context(), ingest.Window{Y: y, Width: g.Width, Height: min(rows, g.Height-y)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func noTemp(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

// A copy of strips that are too large to be decoded has the same pixels, masks
// and facts as the file.
func TestTiledCopyOfLargeStrips(t *testing.T) {
	strips := []string{"BLOCKYSIZE=600"}
	tests := []struct {
		name        string
		r           *raster.Raster
		compression gdal.Compression
		options     []string
		copied      string // compression of the copy that is asked for
		used        string
	}{
		{"bytes", patterned(rasterbase.Uint8, 1, 700, 1100, false), "DEFLATE", strips, "LZW", "LZW"},
		{"int8, packed bits", patterned(rasterbase.Int8, 1, 700, 1100, false), "PACKBITS", strips, "zstd", "ZSTD"},
		{"uint16 with a mask", patterned(rasterbase.Uint16, 1, 700, 1100, true), "LZW", strips, "", ""},
		{"int16, the other byte order", patterned(rasterbase.Int16, 1, 700, 1100, false), "LZW", append([]string{"ENDIANNESS=BIG"}, strips...), "JPEG", "LZW"},
		{"three bands of uint32, by pixel", patterned(rasterbase.Uint32, 3, 400, 1100, false), "ZSTD", append([]string{"INTERLEAVE=PIXEL"}, strips...), "PACKBITS", "PACKBITS"},
		{"three bands of int32, band by band, with a mask", patterned(rasterbase.Int32, 3, 400, 1100, true), "DEFLATE", append([]string{"INTERLEAVE=BAND"}, strips...), "CCITTFAX4", "LZW"},
		{"float32 with nodata, one strip", patterned(rasterbase.Float32, 2, 700, 1100, false), "LZMA", []string{"BLOCKYSIZE=1100"}, "DEFLATE", "DEFLATE"},
		{"float64, not packed", patterned(rasterbase.Float64, 1, 700, 1100, false), "", strips, "LZMA", "LZMA"},
		{"red, green, blue, alpha", patterned(rasterbase.Uint8, 4, 400, 1100, false), "LZW", append([]string{"PHOTOMETRIC=RGB", "ALPHA=YES"}, strips...), "LZW", "LZW"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.name, "nodata") {
				for i := range tt.r.Bands {
					tt.r.Bands[i].HasNodata, tt.r.Bands[i].Nodata = true, 33
				}
			}
			path := write(t, tt.r, gdal.WriteOptions{Compression: tt.compression, Options: tt.options})
			plain := open(t, path, ingest.OpenOptions{})
			temp := t.TempDir()
			o := gdal.Opener{Limits: gdal.Limits{BlockBytes: 100 << 10}, TempDir: temp}
			if _, err := o.Open(t.Context(), path, ingest.OpenOptions{}); rasterbase.CodeOf(err) != rasterbase.TooLarge {
				t.Errorf("without being asked for, such a file opens: %v", err)
			}
			d, err := o.Open(t.Context(), path, ingest.OpenOptions{Oversized: true, Parallel: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			want := plain.Info()
			got := d.Info()
			if !got.Oversized || want.Oversized {
				t.Errorf("oversized %v, without the limit %v", got.Oversized, want.Oversized)
			}
			got.Oversized, got.Sequential, want.Sequential = false, false, false
			if !reflect.DeepEqual(got, want) {
				t.Errorf("it is said to be\n%+v\nnot\n%+v", got, want)
			}
			if _, err := d.Read(t.Context(), ingest.Window{Width: 1, Height: 1}, nil); rasterbase.CodeOf(err) != rasterbase.TooLarge {
				t.Errorf("a read before: %v", err)
			}
			part := tiled(t, d, tt.copied)
			if part.Compression != tt.used || part.Bytes <= 0 {
				t.Errorf("the copy is %+v, want %s", part, tt.used)
			}
			if !reflect.DeepEqual(readAll(t, d), readAll(t, plain)) {
				t.Error("the pixels differ")
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			noTemp(t, temp)
		})
	}
}

// translate converts a file with gdal_translate.
func translate(t *testing.T, path, out string, args ...string) string {
	t.Helper()
	out = filepath.Join(t.TempDir(), out)
	tool, err := exec.LookPath("gdal_translate")
	if err != nil {
		if strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "gdal") {
			t.Fatal(err)
		}
		t.Skip("gdal_translate is not installed")
	}
	if said, err := exec.CommandContext(t.Context(), tool, append(append([]string{"-q"}, args...), path, out)...).CombinedOutput(); err != nil {
		t.Fatalf("gdal_translate: %v: %s", err, said)
	}
	return out
}

// Formats that are decoded from the first row on are told from others, and their
// copies have the same pixels as a tiled file that gdal_translate makes.
func TestSequentialFormats(t *testing.T) {
	grey, rgba := patterned(rasterbase.Uint8, 1, 300, 2100, false), patterned(rasterbase.Uint8, 4, 200, 400, false)
	tests := []struct {
		name, file string
		r          *raster.Raster
		options    []string
		sequential bool
	}{
		{"PNG", "a.png", grey, []string{"-of", "PNG", "-co", "WORLDFILE=YES"}, true},
		{"PNG with alpha", "a.png", rgba, []string{"-of", "PNG"}, true},
		{"JPEG", "a.jpg", grey, []string{"-of", "JPEG"}, true},
		{"TIFF of one strip", "a.tif", grey, []string{"-co", "BLOCKYSIZE=2100", "-co", "COMPRESS=DEFLATE"}, true},
		{"TIFF of one strip of bits", "a.tif", patterned(rasterbase.Bit1, 1, 300, 2100, false), []string{"-co", "BLOCKYSIZE=2100", "-co", "COMPRESS=CCITTFAX4", "-co", "NBITS=1"}, true},
		{"TIFF of one strip, not packed", "a.tif", grey, []string{"-co", "BLOCKYSIZE=2100"}, false},
		{"TIFF of rows", "a.tif", grey, []string{"-co", "BLOCKYSIZE=1", "-co", "COMPRESS=DEFLATE"}, false},
		{"TIFF of tiles", "a.tif", grey, []string{"-co", "TILED=YES", "-co", "COMPRESS=DEFLATE"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := translate(t, write(t, tt.r, gdal.WriteOptions{Options: []string{"ALPHA=YES"}}), tt.file, tt.options...)
			temp := t.TempDir()
			d, err := gdal.Opener{TempDir: temp}.Open(t.Context(), path, ingest.OpenOptions{Parallel: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if got := d.Info().Sequential; got != tt.sequential {
				t.Fatalf("sequential: %v", got)
			}
			if !tt.sequential {
				return
			}
			same := open(t, translate(t, path, "tiled.tif", "-co", "TILED=YES"), ingest.OpenOptions{})
			tiled(t, d, "CCITTFAX4")
			if !reflect.DeepEqual(readAll(t, d), readAll(t, same)) {
				t.Error("the pixels differ")
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			noTemp(t, temp)
		})
	}
}

// A copy that is interrupted goes on where it was, and one that cannot be made
// leaves nothing.
func TestTiledCopyInterrupted(t *testing.T) {
	temp := t.TempDir()
	path := write(t, patterned(rasterbase.Uint16, 1, 600, 1500, false), gdal.WriteOptions{Compression: "LZW", Options: []string{"BLOCKYSIZE=1500"}})
	o := gdal.Opener{Limits: gdal.Limits{BlockBytes: 100 << 10}, TempDir: temp}
	d, err := o.Open(t.Context(), path, ingest.OpenOptions{Oversized: true})
	if err != nil {
		t.Fatal(err)
	}
	tiler := d.(ingest.Tiler)
	if _, err := tiler.Tile(t.Context(), ingest.TileOptions{}); err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tiler.Tile(done, ingest.TileOptions{}); err == nil {
		t.Error("with a context that is done, rows are copied")
	}
	tiled(t, d, "")
	if !reflect.DeepEqual(readAll(t, d), readAll(t, open(t, path, ingest.OpenOptions{}))) {
		t.Error("the pixels differ")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}

	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)*3/4], 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err = o.Open(t.Context(), path, ingest.OpenOptions{Oversized: true}); err == nil {
		for err == nil {
			var part ingest.TiledPart
			if part, err = d.(ingest.Tiler).Tile(t.Context(), ingest.TileOptions{}); part.Last {
				t.Error("a file that is cut off was copied whole")
				break
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	noTemp(t, temp)
}
