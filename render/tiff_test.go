package render_test

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/image/tiff"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
)

var lossless = []string{"", "PACKBITS", "LZW", "DEFLATE", "ZSTD"}

func ExampleGeoTIFF() {
	r := raster.New(rasterbase.Grid{Width: 2, Height: 1, OriginX: 500000, OriginY: 4000000, ScaleX: 10, ScaleY: -10}, 32633, rasterbase.Uint16)
	r.Bands[0].HasNodata, r.Bands[0].Nodata = true, 65535
	copy(r.Bands[0].Pixels.(raster.Slice[uint16]), []uint16{217, 65535})
	b, err := render.GeoTIFF(r, render.TIFFOptions{Compression: "LZW"})
	if err != nil {
		fmt.Println(err)
		return
	}
	img, err := tiff.Decode(bytes.NewReader(b))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(img.Bounds().Max, img.At(0, 0))
	// Output: (2,1) {217}
}

// tiffCase is a raster, how it is written, and a name for messages.
type tiffCase struct {
	name string
	r    *raster.Raster
	o    render.TIFFOptions
}

// readCases writes each case and gives what GDAL reads.
func readCases(t *testing.T, cases []tiffCase) []gdalRaster {
	t.Helper()
	dir := t.TempDir()
	paths := make([]string, len(cases))
	for i, c := range cases {
		b, err := render.GeoTIFF(c.r, c.o)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		paths[i] = filepath.Join(dir, strconv.Itoa(i)+".tif")
		if err := os.WriteFile(paths[i], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return readByGDAL(t, paths)
}

// elevation is a raster of smooth values with noise and patches.
func elevation(g rasterbase.Grid, types ...rasterbase.PixelType) *raster.Raster {
	r := raster.New(g, 32633, types...)
	for b := range r.Bands {
		lo, hi := r.Bands[b].Type.Range()
		lo, hi = math.Max(lo, -30000), math.Min(hi, 40000)
		for i := range g.Width * g.Height {
			s := (surface(b+1, i%g.Width, i/g.Width) + 1) / 2
			if i/g.Width%64 < 20 {
				s = math.Floor(s*4) / 4
			}
			r.Bands[b].Pixels.Set(i, lo+s*(hi-lo))
		}
	}
	return r
}

var gdalTypes = map[rasterbase.PixelType]string{
	rasterbase.Bit1: "Byte", rasterbase.Uint2: "Byte", rasterbase.Uint4: "Byte", rasterbase.Uint8: "Byte", rasterbase.Int8: "Byte",
	rasterbase.Int16: "Int16", rasterbase.Uint16: "UInt16", rasterbase.Int32: "Int32", rasterbase.Uint32: "UInt32",
	rasterbase.Float32: "Float32", rasterbase.Float64: "Float64",
}

var utm = rasterbase.Grid{OriginX: 399960.25, OriginY: 4600020.5, ScaleX: 10.125, ScaleY: -9.75}

func sized(g rasterbase.Grid, width, height int) rasterbase.Grid {
	g.Width, g.Height = width, height
	return g
}

func TestGDALReadsEveryTypeAndCompression(t *testing.T) {
	t.Parallel()
	var cases []tiffCase
	for _, pt := range rasterbase.PixelTypes {
		for i, method := range append(lossless, "LZMA", "CCITTFAX4") {
			for _, size := range [][2]int{{64, 256}, {1, 1}, {37, 41}, {530, 20}} {
				bands := 1 + (i+size[0])%4
				types := make([]rasterbase.PixelType, bands)
				for b := range types {
					types[b] = pt
				}
				cases = append(cases, tiffCase{
					fmt.Sprintf("%v %s %dx%dx%d", pt, method, size[0], size[1], bands),
					elevation(sized(utm, size[0], size[1]), types...), render.TIFFOptions{Compression: method},
				})
			}
		}
	}
	for i, g := range readCases(t, cases) {
		compareWithGDAL(t, cases[i], g)
		want := strings.ToUpper(cases[i].o.Compression)
		if want == "LZMA" || want == "CCITTFAX4" {
			want = "DEFLATE"
		}
		if got := g.Structure["COMPRESSION"]; got != want {
			t.Errorf("%s: packed by %q", cases[i].name, got)
		}
		if pt := cases[i].r.Bands[0].Type; g.Bands[0].Type != gdalTypes[pt] || (g.Bands[0].Structure["PIXELTYPE"] == "SIGNEDBYTE") != (pt == rasterbase.Int8) {
			t.Errorf("%s: read as %s, %v", cases[i].name, g.Bands[0].Type, g.Bands[0].Structure)
		}
	}
}

// compareWithGDAL compares size, place, pixels and valid pixels. Bands are of
// one type.
func compareWithGDAL(t *testing.T, c tiffCase, g gdalRaster) {
	t.Helper()
	r := c.r
	if g.Width != r.Width || g.Height != r.Height || len(g.Bands) != len(r.Bands) {
		t.Fatalf("%s: read as %dx%d with %d bands", c.name, g.Width, g.Height, len(g.Bands))
	}
	want := []float64{r.OriginX, r.ScaleX, r.SkewX, r.OriginY, r.SkewY, r.ScaleY}
	if len(g.Transform) != 6 || fmt.Sprint(g.Transform) != fmt.Sprint(want) {
		t.Errorf("%s: transform is %v, want %v", c.name, g.Transform, want)
	}
	for b, band := range g.Bands {
		if !bytes.Equal(band.Pixels, r.Bands[b].Pixels.Bytes()) {
			t.Errorf("%s: band %d has other pixels", c.name, b+1)
		}
		for i, m := range band.Mask {
			if (m != 0) != r.Valid(b, i) {
				t.Errorf("%s: pixel %d of band %d, %v: the mask says %d; flags %d, nodata %v", c.name, i, b+1, r.Bands[b].Pixels.At(i), m, band.Flags, band.Nodata)
				break
			}
		}
	}
}

func TestGDALSeesTheValidPixels(t *testing.T) {
	t.Parallel()
	var cases []tiffCase
	rapid.Check(t, func(rt *rapid.T) {
		pt := rapid.SampledFrom(rasterbase.PixelTypes).Draw(rt, "type")
		r := genRaster(rt, pt, rapid.IntRange(1, 3).Draw(rt, "bands"))
		r.ScaleX, r.ScaleY = 1, -1
		if rapid.Bool().Draw(rt, "same nodata") {
			for b := range r.Bands {
				r.Bands[b].HasNodata, r.Bands[b].Nodata = r.Bands[0].HasNodata, r.Bands[0].Nodata
			}
		}
		method := rapid.SampledFrom(lossless).Draw(rt, "compression")
		cases = append(cases, tiffCase{fmt.Sprintf("%d: %v %s, %d bands", len(cases), pt, method, len(r.Bands)), r, render.TIFFOptions{Compression: method}})
	})
	masks, plain := 0, 0
	for i, g := range readCases(t, cases) {
		compareWithGDAL(t, cases[i], g)
		b := &cases[i].r.Bands[0]
		if n := g.Bands[0].Nodata; n != nil && b.HasNodata {
			if v, err := strconv.ParseFloat(*n, 64); err != nil || v != b.Nodata && float32(v) != float32(b.Nodata) && !(math.IsNaN(v) && math.IsNaN(b.Nodata)) {
				t.Errorf("%s: nodata is %s, want %v", cases[i].name, *n, b.Nodata)
			}
		}
		if g.Bands[0].Flags&1 == 0 {
			masks++
		} else {
			plain++
		}
	}
	// GDAL 3.6 reads int8 as bytes, and knows no negative nodata there.
	signed := raster.New(sized(utm, 4, 1), 32633, rasterbase.Int8)
	copy(signed.Bands[0].Pixels.(raster.Slice[int8]), []int8{-1, 1, -128, 127})
	for _, nodata := range []float64{-1, 1, -128} {
		signed.Bands[0].HasNodata, signed.Bands[0].Nodata = true, nodata
		c := tiffCase{fmt.Sprintf("int8 without %v", nodata), signed, render.TIFFOptions{}}
		compareWithGDAL(t, c, readCases(t, []tiffCase{c})[0])
	}
	if masks == 0 || plain == 0 {
		t.Errorf("%d rasters with invalid pixels, %d without", masks, plain)
	}
}

func TestGDALReadsPlaceAndCRS(t *testing.T) {
	t.Parallel()
	at := func(g rasterbase.Grid) rasterbase.Grid { return sized(g, 4, 3) }
	albers := `PROJCS["Albers of an island",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Albers_Conic_Equal_Area"],PARAMETER["latitude_of_center",63.5],PARAMETER["longitude_of_center",-19],PARAMETER["standard_parallel_1",63],PARAMETER["standard_parallel_2",66],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]`
	sphere := `GEOGCS["A sphere",DATUM["Not_specified_based_on_sphere",SPHEROID["Sphere",6371007,0]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433],AXIS["Longitude",EAST],AXIS["Latitude",NORTH]]`
	sinusoidal := `PROJCS["Sinusoidal of a sphere",GEOGCS["GCS",DATUM["D",SPHEROID["S",6371007.181,0]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],PARAMETER["longitude_of_center",0],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]`
	feet := `PROJCS["Conic in feet",GEOGCS["Clarke from Paris",DATUM["D",SPHEROID["Clarke 1866",6378206.4,294.978698213898]],PRIMEM["Paris",2.33722917],UNIT["degree",0.0174532925199433]],PROJECTION["Lambert_Conformal_Conic_2SP"],PARAMETER["latitude_of_origin",40],PARAMETER["central_meridian",-96],PARAMETER["standard_parallel_1",41],PARAMETER["standard_parallel_2",47],PARAMETER["false_easting",2000000],PARAMETER["false_northing",0],UNIT["US survey foot",0.304800609601219],AXIS["Easting",EAST],AXIS["Northing",NORTH]]`
	tests := []struct {
		name string
		grid rasterbase.Grid
		srid int
		crs  rasterbase.CRS
		code string
		same string // a CRS that GDAL must find to be the same
	}{
		{"north up", at(utm), 32633, rasterbase.CRS{}, "32633", ""},
		{"web mercator", at(rasterbase.Grid{OriginX: -20037508.342789244, OriginY: 20037508.342789244, ScaleX: 156543.03392804097, ScaleY: -156543.03392804097}), 3857, rasterbase.CRS{}, "3857", ""},
		{"degrees", at(rasterbase.Grid{OriginX: -180, OriginY: 90, ScaleX: 0.1, ScaleY: -0.1}), 4326, rasterbase.CRS{}, "4326", ""},
		{"other degrees", at(rasterbase.Grid{OriginX: 1, OriginY: 2, ScaleX: 0.1, ScaleY: -0.1}), 0, rasterbase.CRS{SRID: 7844}, "7844", ""},
		{"skewed", at(rasterbase.Grid{OriginX: 1.5, OriginY: 2, ScaleX: 3, ScaleY: -4, SkewX: 0.5, SkewY: 0.25}), 25832, rasterbase.CRS{}, "25832", ""},
		{"south up", at(rasterbase.Grid{OriginX: 1, OriginY: 2, ScaleX: 3, ScaleY: 4}), 2056, rasterbase.CRS{}, "2056", ""},
		{"east to west", at(rasterbase.Grid{OriginX: 1, OriginY: 2, ScaleX: -3, ScaleY: -4}), 2154, rasterbase.CRS{}, "2154", ""},
		{"rotated by a quarter", at(rasterbase.Grid{OriginX: 1, OriginY: 2, SkewX: 3, SkewY: 4}), 2154, rasterbase.CRS{}, "2154", ""},
		{"no CRS", at(utm), 0, rasterbase.CRS{}, "", ""},
		{"own projected", at(utm), 910000, rasterbase.CRS{SRID: 910000, WKT: albers}, "", albers},
		{"own geographic", at(utm), 910001, rasterbase.CRS{SRID: 910001, WKT: sphere}, "", sphere},
		{"own sinusoidal", at(utm), 910002, rasterbase.CRS{SRID: 910002, WKT: sinusoidal}, "", sinusoidal},
		{"own in feet", at(utm), 910003, rasterbase.CRS{SRID: 910003, WKT: feet}, "", feet},
	}
	var cases []tiffCase
	for _, tt := range tests {
		cases = append(cases, tiffCase{tt.name, raster.New(tt.grid, tt.srid, rasterbase.Uint8), render.TIFFOptions{CRS: tt.crs}})
	}
	for i, g := range readCases(t, cases) {
		compareWithGDAL(t, cases[i], g)
		if tt := tests[i]; g.Code != tt.code {
			t.Errorf("%s: read as EPSG:%s, want %q: %s", tt.name, g.Code, tt.code, g.WKT)
		} else if tt.same != "" && !sameCRS(t, tt.same, g.WKT) {
			t.Errorf("%s: read as %s\nwant %s", tt.name, g.WKT, tt.same)
		}
		if g.Area != "Area" {
			t.Errorf("%s: pixels are %s", tests[i].name, g.Area)
		}
	}
}

func TestGDALReadsWhatBandsMean(t *testing.T) {
	t.Parallel()
	r := elevation(sized(utm, 5, 4), rasterbase.Int16, rasterbase.Int16, rasterbase.Int16)
	c := tiffCase{"bands", r, render.TIFFOptions{Bands: []rasterbase.Band{
		{Description: `height < 9000 & "more" é`, Unit: "m", Scale: 0.1, Offset: -32},
		{Scale: 1}, // as a file that says nothing
	}}}
	g := readCases(t, []tiffCase{c})[0]
	compareWithGDAL(t, c, g)
	first, second, third := g.Bands[0], g.Bands[1], g.Bands[2]
	if first.Description != `height < 9000 & "more" é` || first.Unit != "m" || first.Scale == nil || *first.Scale != 0.1 || first.Offset == nil || *first.Offset != -32 {
		t.Errorf("read as %q, %q, %v, %v", first.Description, first.Unit, first.Scale, first.Offset)
	}
	for _, b := range []gdalBand{second, third} {
		if b.Description != "" || b.Unit != "" || b.Scale != nil && *b.Scale != 1 || b.Offset != nil && *b.Offset != 0 {
			t.Errorf("read as %q, %q, %v, %v", b.Description, b.Unit, b.Scale, b.Offset)
		}
	}
}

func TestGDALReadsJPEG(t *testing.T) {
	t.Parallel()
	var cases []tiffCase
	for _, size := range [][2]int{{1, 1}, {37, 51}, {256, 256}, {600, 530}} {
		for _, bands := range []int{1, 3} {
			for _, masked := range []bool{false, true} {
				types := []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Uint8, rasterbase.Uint8}[:bands]
				r := elevation(sized(utm, size[0], size[1]), types...)
				for b := range r.Bands {
					for i := range size[0] * size[1] { // smooth, since JPEG blurs edges
						r.Bands[b].Pixels.Set(i, 120+60*math.Sin(float64(i%size[0])/40+float64(b))+40*math.Cos(float64(i/size[0])/30))
					}
					r.Bands[b].HasNodata, r.Bands[b].Nodata = masked, 130
				}
				cases = append(cases, tiffCase{fmt.Sprintf("%dx%dx%d %v", size[0], size[1], bands, masked), r, render.TIFFOptions{Compression: "jpeg", Quality: 98}})
			}
		}
	}
	for i, g := range readCases(t, cases) {
		r := cases[i].r
		if s := g.Structure["COMPRESSION"]; !strings.Contains(s, "JPEG") {
			t.Errorf("%s: packed by %s", cases[i].name, s)
		}
		for b, band := range g.Bands {
			for k, m := range band.Mask {
				if (m != 0) != r.Valid(b, k) {
					t.Fatalf("%s: pixel %d of band %d: the mask says %d", cases[i].name, k, b+1, m)
				}
				if d := math.Abs(float64(band.Pixels[k]) - r.Bands[b].Pixels.At(k)); d > 8 {
					t.Fatalf("%s: pixel %d of band %d is %d, was %v", cases[i].name, k, b+1, band.Pixels[k], r.Bands[b].Pixels.At(k))
				}
			}
		}
	}
}

func TestGDALReadsMixedTypes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		types []rasterbase.PixelType
		want  string
	}{
		{[]rasterbase.PixelType{rasterbase.Bit1, rasterbase.Uint8}, "Byte"},
		{[]rasterbase.PixelType{rasterbase.Uint8, rasterbase.Int8}, "Int16"},
		{[]rasterbase.PixelType{rasterbase.Uint16, rasterbase.Int16}, "Int32"},
		{[]rasterbase.PixelType{rasterbase.Uint16, rasterbase.Float32}, "Float32"},
		{[]rasterbase.PixelType{rasterbase.Int32, rasterbase.Float32}, "Float64"},
		{[]rasterbase.PixelType{rasterbase.Uint32, rasterbase.Int32}, "Float64"},
		{[]rasterbase.PixelType{rasterbase.Int8, rasterbase.Uint32, rasterbase.Float64}, "Float64"},
	} {
		r := elevation(sized(utm, 31, 20), tt.types...)
		r.Bands[1].HasNodata, r.Bands[1].Nodata = true, r.Bands[1].Pixels.At(7)
		c := tiffCase{fmt.Sprint(tt.types), r, render.TIFFOptions{Compression: "ZSTD"}}
		g := readCases(t, []tiffCase{c})[0]
		if g.Bands[0].Type != tt.want {
			t.Errorf("%s: read as %s", c.name, g.Bands[0].Type)
		}
		wide := &raster.Raster{Grid: r.Grid, Bands: append([]raster.Band(nil), r.Bands...)}
		for b := range wide.Bands {
			for pt, name := range gdalTypes {
				if name == tt.want && pt != rasterbase.Bit1 && pt != rasterbase.Uint2 && pt != rasterbase.Uint4 && pt != rasterbase.Int8 {
					wide.Bands[b].Type, wide.Bands[b].Pixels = pt, raster.NewPixels(pt, r.Width*r.Height)
				}
			}
			for i := range r.Width * r.Height {
				wide.Bands[b].Pixels.Set(i, r.Bands[b].Pixels.At(i))
			}
		}
		compareWithGDAL(t, tiffCase{c.name, wide, c.o}, g)
	}
}

func TestGeoTIFFErrors(t *testing.T) {
	t.Parallel()
	grid := rasterbase.Grid{Width: 4, Height: 4, ScaleX: 1, ScaleY: -1}
	nowhere := grid
	nowhere.OriginX = math.NaN()
	bytes3 := raster.New(grid, 0, rasterbase.Uint8, rasterbase.Uint8, rasterbase.Uint8)
	for _, tt := range []struct {
		name        string
		r           *raster.Raster
		o           render.TIFFOptions
		text, field string
	}{
		{"unknown", bytes3, render.TIFFOptions{Compression: "LERC"}, "unknown compression", "compress_method"},
		{"JPEG of 16 bits", raster.New(grid, 0, rasterbase.Int16), render.TIFFOptions{Compression: "JPEG"}, "one of int16", "compress_method"},
		{"JPEG of one bit", raster.New(grid, 0, rasterbase.Bit1), render.TIFFOptions{Compression: "JPEG"}, "one of bit1", "compress_method"},
		{"JPEG of two bands", &raster.Raster{Grid: grid, Bands: bytes3.Bands[:2]}, render.TIFFOptions{Compression: "Jpeg"}, "2 of uint8", "compress_method"},
		{"quality", bytes3, render.TIFFOptions{Compression: "JPEG", Quality: 101}, "quality", "quality"},
		{"no bands", raster.New(grid, 0), render.TIFFOptions{}, "0 bands", ""},
		{"no pixels", raster.New(rasterbase.Grid{}, 0, rasterbase.Uint8), render.TIFFOptions{}, "0x0", ""},
		{"wrong size", &raster.Raster{Grid: rasterbase.Grid{Width: 5, Height: 5}, Bands: bytes3.Bands}, render.TIFFOptions{}, "5x5", ""},
		{"nowhere", raster.New(nowhere, 0, rasterbase.Uint8), render.TIFFOptions{}, "finite", ""},
		{"long WKT", bytes3, render.TIFFOptions{CRS: rasterbase.CRS{SRID: 910000, WKT: strings.Repeat("x", 1<<17)}}, "too long", ""},
	} {
		_, err := render.GeoTIFF(tt.r, tt.o)
		var e *rasterbase.Error
		if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), tt.text) || !errors.As(err, &e) || e.Field != tt.field {
			t.Errorf("%s: %v; want %q, field %q", tt.name, err, tt.text, tt.field)
		}
	}
}

// Go's own decoder reads what it knows.
func TestDecodersAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		pt := rapid.SampledFrom([]rasterbase.PixelType{rasterbase.Uint8, rasterbase.Uint16}).Draw(rt, "type")
		r := genRaster(rt, pt, rapid.SampledFrom([]int{1, 3}).Draw(rt, "bands"))
		if pt == rasterbase.Uint16 {
			r.Bands = r.Bands[:1] // three of them are no picture to us
		}
		method := rapid.SampledFrom([]string{"", "PACKBITS", "LZW", "DEFLATE"}).Draw(rt, "compression")
		b, err := render.GeoTIFF(r, render.TIFFOptions{Compression: method})
		if err != nil {
			rt.Fatal(err)
		}
		img, err := tiff.Decode(bytes.NewReader(b))
		if err != nil {
			rt.Fatal(err)
		}
		for i := range r.Width * r.Height {
			got := img.At(i%r.Width, i/r.Width)
			want := fmt.Sprint(color.Gray{uint8(r.Bands[0].Pixels.At(i))})
			switch {
			case pt == rasterbase.Uint16:
				want = fmt.Sprint(color.Gray16{uint16(r.Bands[0].Pixels.At(i))})
			case len(r.Bands) == 3:
				want = fmt.Sprint(color.RGBA{uint8(r.Bands[0].Pixels.At(i)), uint8(r.Bands[1].Pixels.At(i)), uint8(r.Bands[2].Pixels.At(i)), 255})
			}
			if fmt.Sprint(got) != want {
				rt.Fatalf("pixel %d is %v, want %v", i, got, want)
			}
		}
	})
}
