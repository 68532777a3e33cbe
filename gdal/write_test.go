//go:build cgo && !nogdal

package gdal_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
	"pgregory.net/rapid"
)

var utm = rasterbase.Grid{Width: 20, Height: 20, OriginX: 440720, OriginY: 3751320, ScaleX: 60, ScaleY: -60}

func write(t testing.TB, r *raster.Raster, o gdal.WriteOptions) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.tif")
	if err := gdal.Write(context.Background(), path, r, o); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string, opt ingest.OpenOptions) ingest.Dataset {
	t.Helper()
	d, err := gdal.Opener{}.Open(context.Background(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// Opening a file, and reading its first pixels.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, path := context.Background(), filepath.Join(dir, "dem.tif")
	r := raster.New(rasterbase.Grid{Width: 3, Height: 2, OriginX: 9, OriginY: 47, ScaleX: 0.1, ScaleY: -0.1}, 4326, rasterbase.Int16)
	copy(r.Bands[0].Pixels.(raster.Slice[int16]), []int16{410, 415, 420, 409, 411, 418})
	if err := gdal.Write(ctx, path, r, gdal.WriteOptions{Compression: "DEFLATE"}); err != nil {
		panic(err)
	}
	d, err := gdal.Opener{}.Open(ctx, path, ingest.OpenOptions{})
	if err != nil {
		panic(err)
	}
	defer d.Close()
	b, err := d.Read(ctx, ingest.Window{X: 1, Y: 0, Width: 2, Height: 2}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(d.Info().CRS.Name, d.Info().Bands[0].PixelType, b.Bands[0])
	// Output: WGS 84 int16 [415 420 411 418]
}

// TestRoundTrip writes rasters of every type and reads them back, whole and in
// windows.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		types := slices.DeleteFunc(slices.Clone(rasterbase.PixelTypes), func(p rasterbase.PixelType) bool {
			return p == rasterbase.Uint2 || p == rasterbase.Uint4
		})
		pt := rapid.SampledFrom(types).Draw(t, "type")
		g := rasterbase.Grid{
			Width: rapid.IntRange(1, 70).Draw(t, "width"), Height: rapid.IntRange(1, 70).Draw(t, "height"),
			OriginX: 440720, OriginY: 3751320, ScaleX: 60, ScaleY: -60,
		}
		bands := rapid.IntRange(1, 3).Draw(t, "bands")
		r := raster.New(g, 26711)
		lo, hi := pt.Range()
		for range bands {
			b := raster.Band{Type: pt, Pixels: raster.NewPixels(pt, g.Width*g.Height)}
			for i := range b.Pixels.Len() {
				b.Pixels.Set(i, math.Trunc(rapid.Float64Range(max(lo, -1e9), min(hi, 1e9)).Draw(t, "v")))
			}
			r.Bands = append(r.Bands, b)
		}
		if rapid.Bool().Draw(t, "nodata") && pt != rasterbase.Bit1 {
			for i := range r.Bands {
				r.Bands[i].HasNodata, r.Bands[i].Nodata = true, hi
				if pt.IsFloat() {
					r.Bands[i].Nodata = -9999
				}
			}
		} else if rapid.Bool().Draw(t, "mask") {
			r.Validity = rapid.SliceOfN(rapid.SampledFrom([]uint8{0, 255}), g.Width*g.Height, g.Width*g.Height).Draw(t, "validity")
		}
		o := gdal.WriteOptions{Compression: rapid.SampledFrom([]gdal.Compression{"", "LZW", "DEFLATE", "ZSTD"}).Draw(t, "compression")}
		path := filepath.Join(dir, "a.tif")
		if err := gdal.Write(context.Background(), path, r, o); err != nil {
			t.Fatal(err)
		}
		d, err := gdal.Opener{}.Open(context.Background(), path, ingest.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		checkInfo(t, d.Info(), r)
		x, y := rapid.IntRange(0, g.Width-1).Draw(t, "x"), rapid.IntRange(0, g.Height-1).Draw(t, "y")
		w := ingest.Window{X: x, Y: y, Width: rapid.IntRange(1, g.Width-x).Draw(t, "w"), Height: rapid.IntRange(1, g.Height-y).Draw(t, "h")}
		block, err := d.Read(context.Background(), w, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkBlock(t, block, r)
	})
}

func checkInfo(t *rapid.T, i ingest.Info, r *raster.Raster) {
	if i.Grid != r.Grid || i.CRS.SRID != 26711 || len(i.Bands) != len(r.Bands) || i.HasMask != (r.Validity != nil) {
		t.Fatalf("read back as %+v", i)
	}
	for j, b := range i.Bands {
		want := r.Bands[j]
		if b.PixelType != want.Type || (b.Nodata != nil) != want.HasNodata || b.Nodata != nil && float64(*b.Nodata) != want.Nodata {
			t.Fatalf("band %d read back as %+v", j+1, b)
		}
	}
}

func checkBlock(t *rapid.T, b *ingest.Block, r *raster.Raster) {
	for j := range b.Bands {
		for i := range b.Width * b.Height {
			at := (b.Y+i/b.Width)*r.Width + b.X + i%b.Width
			if got, want := b.Bands[j].At(i), r.Bands[j].Pixels.At(at); got != want {
				t.Fatalf("band %d pixel %d is %v, want %v", j+1, at, got, want)
			}
			valid := b.Masks == nil || b.Masks[j][i] != 0
			if want := r.Validity == nil || r.Validity[at] != 0; valid != want {
				t.Fatalf("band %d pixel %d: valid %v, want %v", j+1, at, valid, want)
			}
		}
	}
}

// TestBandText writes and reads what a file says of a band.
func TestBandText(t *testing.T) {
	r := raster.New(utm, 26711, rasterbase.Uint8)
	colors := make([][4]uint8, 256)
	for i := range colors {
		colors[i] = [4]uint8{0, 0, 0, 255}
	}
	colors[1], colors[2] = [4]uint8{255, 0, 0, 255}, [4]uint8{0, 128, 0, 255}
	path := write(t, r, gdal.WriteOptions{Bands: []gdal.BandText{{Description: "cover", Unit: "class", Scale: 2, Offset: -1, Colors: colors}}})
	b := open(t, path, ingest.OpenOptions{}).Info().Bands[0]
	if b.Description != "cover" || b.Unit != "class" || b.Scale != 2 || b.Offset != -1 || b.ColorInterp != "palette" || !b.HasColorTable {
		t.Errorf("read back as %+v", b)
	}
	if len(b.Classes) != 2 || b.Classes[0].Value != 1 || b.Classes[0].Color.String() != "#FF0000" || b.Classes[1].Value != 2 {
		t.Errorf("classes %v: want those of 1 and 2, the black filling is none", b.Classes)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("files %v, %v", entries, err)
	}
}

// TestCustomCRS writes a CRS without a code.
func TestCustomCRS(t *testing.T) {
	const wkt = `PROJCS["mine",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],` +
		`PROJECTION["Lambert_Azimuthal_Equal_Area"],PARAMETER["latitude_of_center",41],PARAMETER["longitude_of_center",13],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]`
	g := utm
	g.OriginX, g.OriginY = 0, 0
	path := write(t, raster.New(g, rasterbase.FirstCustomSRID, rasterbase.Uint8), gdal.WriteOptions{WKT: wkt})
	if c := open(t, path, ingest.OpenOptions{}).Info().CRS; c.SRID != 0 || c.Name != "mine" || !strings.Contains(c.WKT, "Lambert_Azimuthal_Equal_Area") {
		t.Errorf("CRS %+v", c)
	}
	if c := open(t, path, ingest.OpenOptions{SRID: 3035}).Info().CRS; c.SRID != 3035 || !strings.Contains(c.Name, "LAEA Europe") {
		t.Errorf("with a CRS put in its place: %+v", c)
	}
}

// TestRefused checks what is refused, and that the error says what to do.
func TestRefused(t *testing.T) {
	noCRS := write(t, raster.New(utm, 0, rasterbase.Uint8), gdal.WriteOptions{})
	flat := utm
	flat.ScaleY = 0
	big := write(t, raster.New(utm, 26711, rasterbase.Uint8, rasterbase.Uint8, rasterbase.Uint8), gdal.WriteOptions{})
	dir := t.TempDir()
	for _, c := range []struct {
		name, path string
		o          gdal.Opener
		opt        ingest.OpenOptions
		code       rasterbase.Code
		field      string
		says       []string
	}{
		{name: "no CRS", path: noCRS, code: rasterbase.Invalid, field: "srid", says: []string{"no CRS", "--srid"}},
		{name: "unknown code", path: big, opt: ingest.OpenOptions{SRID: 123456}, code: rasterbase.Invalid, field: "srid", says: []string{"123456"}},
		{name: "degenerate", path: write(t, raster.New(flat, 26711, rasterbase.Uint8), gdal.WriteOptions{Options: []string{"PROFILE=GeoTIFF"}}), code: rasterbase.Invalid},
		{name: "bands", path: big, o: gdal.Opener{Limits: gdal.Limits{Bands: 2}}, code: rasterbase.TooLarge, says: []string{"3 bands"}},
		{name: "pixels", path: big, o: gdal.Opener{Limits: gdal.Limits{Pixels: 399}}, code: rasterbase.TooLarge, says: []string{"20 x 20"}},
		{name: "block", path: big, o: gdal.Opener{Limits: gdal.Limits{BlockBytes: 1199}}, code: rasterbase.TooLarge, says: []string{"20 x 20", "TILED=YES"}},
		{name: "virtual", path: "/vsimem/a.tif", code: rasterbase.Invalid, says: []string{"virtual"}},
		{name: "missing", path: filepath.Join(dir, "a.tif"), code: rasterbase.NotFound},
		{name: "folder", path: dir, code: rasterbase.Invalid, says: []string{"plain file"}},
		{name: "connection", path: "NETCDF:a.nc:t", code: rasterbase.NotFound},
	} {
		_, err := c.o.Open(context.Background(), c.path, c.opt)
		var e *rasterbase.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Field != c.field {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", c.name, err, s)
			}
		}
	}
}

// TestNarrowBits writes few pixels of 1 bit in rows that end within a byte.
func TestNarrowBits(t *testing.T) {
	for _, size := range [][2]int{{1, 2}, {1, 7}, {3, 2}, {9, 2}} {
		g := utm
		g.Width, g.Height = size[0], size[1]
		r := raster.New(g, 26711, rasterbase.Bit1)
		r.Bands[0].Pixels.Set(g.Width*g.Height-1, 1)
		d := open(t, write(t, r, gdal.WriteOptions{}), ingest.OpenOptions{})
		b, err := d.Read(context.Background(), ingest.Window{Width: g.Width, Height: g.Height}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.Bands[0].Bytes(), r.Bands[0].Pixels.Bytes()) {
			t.Errorf("%d x %d: %v became %v", g.Width, g.Height, r.Bands[0].Pixels, b.Bands[0])
		}
	}
}

// TestWindow asks for windows that are not in the raster, or too large.
func TestWindow(t *testing.T) {
	path := write(t, raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{})
	d, err := gdal.Opener{Limits: gdal.Limits{ReadBytes: 799}}.Open(context.Background(), path, ingest.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for w, code := range map[ingest.Window]rasterbase.Code{
		{X: -1, Width: 1, Height: 1}:                    rasterbase.Invalid,
		{X: 20, Width: 1, Height: 1}:                    rasterbase.Invalid,
		{X: 1, Width: math.MaxInt, Height: 1}:           rasterbase.Invalid,
		{Width: 0, Height: 1}:                           rasterbase.Invalid,
		{X: math.MaxInt, Width: math.MaxInt, Height: 1}: rasterbase.Invalid,
		{Width: 20, Height: 20}:                         rasterbase.TooLarge,
	} {
		if _, err := d.Read(context.Background(), w, nil); rasterbase.CodeOf(err) != code {
			t.Errorf("%+v: %v", w, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Read(ctx, ingest.Window{Width: 1, Height: 1}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a done context: %v", err)
	}
	d.Close()
	if _, err := d.Read(context.Background(), ingest.Window{Width: 1, Height: 1}, nil); err == nil {
		t.Error("a closed raster is read")
	}
}

// TestParallel reads from many goroutines while contexts are cancelled.
func TestParallel(t *testing.T) {
	g := utm
	g.Width, g.Height = 500, 400
	r := raster.New(g, 26711, rasterbase.Uint16)
	for i := range r.Bands[0].Pixels.Len() {
		r.Bands[0].Pixels.Set(i, float64(i%60000))
	}
	d := open(t, write(t, r, gdal.WriteOptions{Compression: "DEFLATE", Options: []string{"TILED=YES"}}), ingest.OpenOptions{Parallel: 3})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 30 {
				ctx, cancel := context.WithCancel(context.Background())
				if (n+i)%5 == 0 {
					go cancel()
				}
				w := ingest.Window{X: n * 20, Y: i * 5, Width: 300, Height: 200}
				b, err := d.Read(ctx, w, nil)
				cancel()
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					continue
				}
				if got, want := b.Bands[0].At(0), r.Bands[0].Pixels.At(w.Y*500+w.X); got != want {
					t.Errorf("window %+v begins with %v, want %v", w, got, want)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkRead(b *testing.B) {
	g := rasterbase.Grid{Width: 2048, Height: 2048, OriginX: 440720, OriginY: 3751320, ScaleX: 60, ScaleY: -60}
	d := open(b, write(b, raster.New(g, 26711, rasterbase.Uint8), gdal.WriteOptions{Compression: "DEFLATE", Options: []string{"TILED=YES"}}), ingest.OpenOptions{})
	b.SetBytes(256 * 256)
	for i := 0; b.Loop(); i++ {
		if _, err := d.Read(context.Background(), ingest.Window{X: i % 7 * 256, Y: i / 7 % 7 * 256, Width: 256, Height: 256}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToMercator(b *testing.B) {
	d := open(b, write(b, raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{}), ingest.OpenOptions{})
	places := make([]ingest.Place, 1000)
	for b.Loop() {
		for i := range places {
			places[i] = ingest.Place{X: float64(i % 20), Y: float64(i % 17)}
		}
		if err := d.ToMercator(context.Background(), places); err != nil {
			b.Fatal(err)
		}
	}
}

// Parts written one by one make the file that the whole would be, also when
// only a later one has invalid pixels.
func TestWriterMakesTheSameFileInParts(t *testing.T) {
	whole := raster.New(rasterbase.Grid{Width: 70, Height: 50, OriginX: 440720, OriginY: 3751320, ScaleX: 60, ScaleY: -60}, 26711, rasterbase.Uint8, rasterbase.Uint8)
	whole.Validity = make([]uint8, 70*50)
	for i := range whole.Validity {
		whole.Bands[0].Pixels.Set(i, float64(i%251))
		whole.Bands[1].Pixels.Set(i, float64(i%83))
		if i%70 < 40 || i%3 > 0 {
			whole.Validity[i] = 255
		}
	}
	path := filepath.Join(t.TempDir(), "parts.tif")
	layout := *whole
	w, err := gdal.Create(t.Context(), path, &layout, gdal.WriteOptions{Compression: "DEFLATE", Options: []string{"TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"}})
	if err != nil {
		t.Fatal(err)
	}
	for y := 0; y < 50; y += 16 {
		for x := 0; x < 70; x += 16 {
			part := whole.Crop(x, y, min(16, 70-x), min(16, 50-y))
			if !slices.Contains(part.Validity, 0) {
				part.Validity = nil
			}
			if err := w.Write(t.Context(), x, y, part); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Write(t.Context(), 60, 0, whole.Crop(0, 0, 16, 16)); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("a part beyond the edge: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all := ingest.Window{Width: 70, Height: 50}
	got, err := open(t, path, ingest.OpenOptions{}).Read(t.Context(), all, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := open(t, write(t, whole, gdal.WriteOptions{}), ingest.OpenOptions{}).Read(t.Context(), all, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k := range want.Bands {
		if !slices.Equal(got.Bands[k].Bytes(), want.Bands[k].Bytes()) || !slices.Equal(got.Masks[k], want.Masks[k]) {
			t.Errorf("band %d differs", k)
		}
	}
}
