//go:build cgo && !nogdal

package gdal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// A raster, for instance of a PostGIS column, as a GeoTIFF and back.
func ExampleEncodeGeoTIFF() {
	ctx := context.Background()
	r := raster.New(rasterbase.Grid{Width: 3, Height: 2, OriginX: 9, OriginY: 47, ScaleX: 0.1, ScaleY: -0.1}, 4326, rasterbase.Int16)
	copy(r.Bands[0].Pixels.(raster.Slice[int16]), []int16{410, 415, 420, 409, 411, 418})
	b, err := gdal.EncodeGeoTIFF(ctx, r, gdal.WriteOptions{Compression: "DEFLATE"})
	if err != nil {
		panic(err)
	}
	again, err := gdal.DecodeGeoTIFF(ctx, b)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b[:2]), raster.Equal(r, again))
	// Output: II true
}

// drawBands draws a raster of bands of one type with one nodata, anywhere.
func drawBands(t *rapid.T, types []rasterbase.PixelType) *raster.Raster {
	number := rapid.OneOf(rapid.Float64Range(-1e6, 1e6), rapid.SampledFrom([]float64{1, -1, 0.1, math.Pi}))
	turned := rapid.Bool().Draw(t, "turned")
	g := rasterbase.Grid{
		Width: rapid.IntRange(1, 9).Draw(t, "width"), Height: rapid.IntRange(1, 9).Draw(t, "height"),
		OriginX: number.Draw(t, "x"), OriginY: number.Draw(t, "y"), ScaleX: 60, ScaleY: -60,
	}
	if turned {
		g.ScaleX, g.ScaleY, g.SkewX, g.SkewY = 0.25, 0.125, number.Draw(t, "skew x"), -3
	}
	p := rapid.SampledFrom(types).Draw(t, "type")
	r := raster.New(g, rapid.SampledFrom([]int{0, 4326, 3857, 26711}).Draw(t, "srid"))
	lo, hi := p.Range()
	value := rapid.SampledFrom([]float64{lo, hi, 0, 1})
	if p.IsFloat() {
		value = rapid.SampledFrom([]float64{lo, hi, 0, 1, 0.1, -9999, math.NaN(), math.Inf(1), math.Inf(-1)})
	}
	hasNodata, nodata := rapid.Bool().Draw(t, "has nodata"), value.Draw(t, "nodata")
	for range rapid.IntRange(1, 10).Draw(t, "bands") {
		b := raster.Band{Type: p, HasNodata: hasNodata, Pixels: raster.NewPixels(p, g.Width*g.Height)}
		if hasNodata {
			b.Nodata = nodata
		}
		for i := range b.Pixels.Len() {
			b.Pixels.Set(i, value.Draw(t, "pixel"))
		}
		r.Bands = append(r.Bands, b)
	}
	return r
}

func TestGeoTIFFRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawBands(t, rasterbase.PixelTypes)
		if rapid.Bool().Draw(t, "has validity") {
			r.Validity = rapid.SliceOfN(rapid.SampledFrom([]uint8{0, 1, 255}), r.Width*r.Height, r.Width*r.Height).Draw(t, "validity")
			r.Validity[0] = 0 // a mask of which all is valid is none
		}
		o := gdal.WriteOptions{Compression: rapid.SampledFrom([]gdal.Compression{"", "DEFLATE", "ZSTD"}).Draw(t, "compression")}
		b, err := gdal.EncodeGeoTIFF(t.Context(), r, o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := gdal.DecodeGeoTIFF(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if !raster.Equal(got, r) {
			t.Fatalf("read %+v\nwrote %+v", got, r)
		}
	})
}

func TestMemoryDatasetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := []rasterbase.PixelType{
			rasterbase.Bit1, rasterbase.Int8, rasterbase.Uint8, rasterbase.Int16, rasterbase.Uint16,
			rasterbase.Int32, rasterbase.Uint32, rasterbase.Float32, rasterbase.Float64,
		}
		r := drawBands(t, whole)
		r.SRID = 26711
		// Unlike a file, a data set in memory has bands of several types.
		other := raster.Band{Type: rasterbase.Int16, Pixels: raster.NewPixels(rasterbase.Int16, r.Width*r.Height)}
		r.Bands = append(r.Bands, other)
		if rapid.Bool().Draw(t, "has validity") {
			r.Validity = make([]uint8, r.Width*r.Height)
			for i := range r.Bands {
				r.Bands[i].HasNodata = false
			}
		}
		d, err := gdal.OpenRaster(t.Context(), r, gdal.WriteOptions{Bands: []gdal.BandText{{Unit: "m"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		got, err := gdal.ReadRaster(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if !raster.Equal(got, r) || d.Info().Bands[0].Unit != "m" || d.Info().Driver != "MEM" {
			t.Fatalf("read %+v\nwrote %+v", got, r)
		}
	})
}

// A data set in memory answers what one of a file does, to many at a time.
func TestMemoryDatasetAnswers(t *testing.T) {
	r := raster.New(utm, 26711, rasterbase.Uint8)
	for i := range r.Bands[0].Pixels.Len() {
		r.Bands[0].Pixels.Set(i, float64(i%251))
	}
	memory, err := gdal.OpenRaster(t.Context(), r, gdal.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	file := open(t, write(t, r, gdal.WriteOptions{}), ingest.OpenOptions{})
	w := ingest.Window{X: 3, Y: 4, Width: 5, Height: 6}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := memory.Read(t.Context(), w, nil)
			want, err2 := file.Read(t.Context(), w, nil)
			if err != nil || err2 != nil || !bytes.Equal(got.Bands[0].Bytes(), want.Bands[0].Bytes()) {
				t.Errorf("%v, %v: %v and %v", err, err2, got, want)
			}
			a, b := []ingest.Place{{X: 1, Y: 2}}, []ingest.Place{{X: 1, Y: 2}}
			err, err2 = memory.ToMercator(t.Context(), a), file.ToMercator(t.Context(), b)
			if err != nil || err2 != nil || a[0] != b[0] {
				t.Errorf("%v, %v: %v and %v", err, err2, a, b)
			}
		})
	}
	wg.Wait()
}

// No file may lead GDAL to the driver of data sets in memory, which opens any
// address.
func TestMemoryDriverOpensNothing(t *testing.T) {
	for _, d := range gdal.Drivers() {
		if d == "MEM" {
			t.Error("files are opened with MEM")
		}
	}
	path := t.TempDir() + "/MEM:::DATAPOINTER=1,PIXELS=1,LINES=1"
	if _, err := (gdal.Opener{}).Open(t.Context(), path, ingest.OpenOptions{}); rasterbase.CodeOf(err) != rasterbase.NotFound {
		t.Errorf("the error is %v", err)
	}
}

func TestMemoryRefuses(t *testing.T) {
	change := func(f func(r *raster.Raster)) *raster.Raster {
		r := raster.New(utm, 26711, rasterbase.Uint8, rasterbase.Uint8)
		f(r)
		return r
	}
	for _, c := range []struct {
		name         string
		r            *raster.Raster
		tiff, memory string // what the error says; empty: no error
	}{
		{"no bands", change(func(r *raster.Raster) { r.Bands = nil }), "0 bands", "0 bands"},
		{"no pixels", raster.New(rasterbase.Grid{}, 4326, rasterbase.Uint8), "0 x 0", "0 x 0"},
		{"too few pixels", change(func(r *raster.Raster) { r.Width = 7000 }), "7000x20", "7000x20"},
		{"types", change(func(r *raster.Raster) {
			r.Bands[1] = raster.Band{Type: rasterbase.Int16, Pixels: raster.NewPixels(rasterbase.Int16, 400)}
		}), "uint8 and int16", ""},
		{"nodata", change(func(r *raster.Raster) { r.Bands[1].HasNodata = true }), "nodata", ""},
		{"srid of ours", change(func(r *raster.Raster) { r.SRID = rasterbase.FirstCustomSRID }), "as WKT", "as WKT"},
		{"no such code", change(func(r *raster.Raster) { r.SRID = 123456 }), "crs not found", "crs not found"},
		{"no CRS", change(func(r *raster.Raster) { r.SRID = 0 }), "", "CRS"},
	} {
		_, tiff := gdal.EncodeGeoTIFF(t.Context(), c.r, gdal.WriteOptions{})
		d, memory := gdal.OpenRaster(t.Context(), c.r, gdal.WriteOptions{})
		if memory == nil {
			d.Close()
		}
		for _, e := range []struct {
			err  error
			says string
		}{{tiff, c.tiff}, {memory, c.memory}} {
			if (e.err == nil) != (e.says == "") || e.err != nil && !strings.Contains(e.err.Error(), e.says) {
				t.Errorf("%s: %v, and not %q", c.name, e.err, e.says)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	whole, err := gdal.EncodeGeoTIFF(t.Context(), raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		code rasterbase.Code
	}{
		"nothing":     {nil, rasterbase.Invalid},
		"no TIFF":     {[]byte("PNG"), rasterbase.Invalid},
		"a path":      {[]byte("/vsicurl/http://localhost/a.tif"), rasterbase.Invalid},
		"half":        {whole[:len(whole)/2], rasterbase.Invalid},
		"a few bytes": {whole[:8], rasterbase.Invalid},
		"a bomb":      {tall(whole), rasterbase.TooLarge},
	} {
		if _, err := gdal.DecodeGeoTIFF(t.Context(), c.b); rasterbase.CodeOf(err) != c.code || strings.Contains(err.Error(), "vsimem") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gdal.DecodeGeoTIFF(ctx, whole); !errors.Is(err, context.Canceled) {
		t.Errorf("with a done context: %v", err)
	}
}

// tall makes a TIFF say that it has 2^25 rows in one strip.
func tall(tiff []byte) []byte {
	const imageLength, rowsPerStrip, long = 257, 278, 4
	le, b := binary.LittleEndian, bytes.Clone(tiff)
	directory := b[le.Uint32(b[4:]):]
	for i := range int(le.Uint16(directory)) {
		entry := directory[2+12*i:]
		if tag := le.Uint16(entry); tag == imageLength || tag == rowsPerStrip {
			le.PutUint16(entry[2:], long)
			le.PutUint32(entry[8:], 1<<25)
		}
	}
	return b
}

// python runs a script with GDAL's own Python binding over a GeoTIFF on its
// standard input, and gives what it prints.
func python(t *testing.T, script string, in []byte) []byte {
	t.Helper()
	program := ""
	for _, p := range []string{"/usr/bin/python3", "python3"} { // the system's has the system's GDAL
		if exec.Command(p, "-c", "from osgeo import gdal_array").Run() == nil {
			program = p
			break
		}
	}
	if program == "" {
		const missing = "GDAL's Python binding is not installed: python3-gdal has it"
		if strings.Contains(os.Getenv("RASTERBASE_TEST_REQUIRE"), "gdal") {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	cmd := exec.Command(program, "-c", "import sys, json\nfrom osgeo import gdal\ngdal.UseExceptions()\n"+script)
	cmd.Stdin = bytes.NewReader(in)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return out
}

// What GDAL's Python binding reads of our bytes is the raster.
func TestGDALReadsGeoTIFF(t *testing.T) {
	r := raster.New(rasterbase.Grid{Width: 3, Height: 2, OriginX: 500000, OriginY: 4000000, ScaleX: 30, ScaleY: -20, SkewX: 1, SkewY: 2}, 32618,
		rasterbase.Float32, rasterbase.Float32, rasterbase.Float32, rasterbase.Float32)
	for i := range r.Bands {
		r.Bands[i].HasNodata, r.Bands[i].Nodata = true, -9999
		for k := range 6 {
			r.Bands[i].Pixels.Set(k, float64(10*i+k)/4)
		}
	}
	r.Validity = []uint8{255, 0, 255, 255, 255, 0}
	b, err := gdal.EncodeGeoTIFF(t.Context(), r, gdal.WriteOptions{Compression: "DEFLATE"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Geotransform []float64
		Code         string
		Nodata       []float64
		Values       [][]float64
		Mask         []int
	}
	out := python(t, `
gdal.FileFromMemBuffer('/vsimem/a.tif', sys.stdin.buffer.read())
d = gdal.Open('/vsimem/a.tif')
bands = [d.GetRasterBand(i + 1) for i in range(d.RasterCount)]
print(json.dumps(dict(geotransform=d.GetGeoTransform(), code=d.GetSpatialRef().GetAuthorityCode(None),
  nodata=[b.GetNoDataValue() for b in bands], values=[b.ReadAsArray().ravel().tolist() for b in bands],
  mask=bands[0].GetMaskBand().ReadAsArray().ravel().tolist())))`, b)
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if fmt.Sprint(got.Geotransform) != "[500000 30 1 4e+06 2 -20]" || got.Code != "32618" || len(got.Values) != 4 || fmt.Sprint(got.Mask) != fmt.Sprint(r.Validity) {
		t.Fatalf("GDAL read %s", out)
	}
	for i, values := range got.Values {
		for k, v := range values {
			if v != r.Bands[i].Pixels.At(k) || got.Nodata[i] != -9999 {
				t.Errorf("band %d pixel %d: GDAL read %v, nodata %v", i+1, k, v, got.Nodata[i])
			}
		}
	}
}

// What GDAL's Python binding writes is read as it is: here without CRS and
// georeference, with an alpha band, and in blocks.
func TestReadsGeoTIFFOfGDAL(t *testing.T) {
	b := python(t, `
d = gdal.GetDriverByName('GTiff').Create('/vsimem/a.tif', 300, 200, 2, gdal.GDT_UInt16, ['TILED=YES', 'ALPHA=YES', 'COMPRESS=LZW', 'INTERLEAVE=PIXEL'])
import numpy
a = numpy.arange(60000, dtype='uint16').reshape(200, 300)
d.GetRasterBand(1).WriteArray(a)
d.GetRasterBand(2).WriteArray(a % 3)
d = None
f = gdal.VSIFOpenL('/vsimem/a.tif', 'rb')
sys.stdout.buffer.write(gdal.VSIFReadL(1, 10000000, f))`, nil)
	r, err := gdal.DecodeGeoTIFF(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if want := (rasterbase.Grid{Width: 300, Height: 200, ScaleX: 1, ScaleY: 1}); r.Grid != want || r.SRID != 0 || len(r.Bands) != 1 {
		t.Fatalf("read as %+v", r.Metadata())
	}
	for i := range 60000 {
		if v := r.Bands[0].Pixels.At(i); v != float64(i) || r.Valid(0, i) != (i%3 != 0) {
			t.Fatalf("pixel %d is %v, valid %v", i, v, r.Valid(0, i))
		}
	}
}
