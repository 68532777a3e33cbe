//go:build cgo && !nogdal

package ingest_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// geotiff is a GeoTIFF to be written for a test.
type geotiff struct {
	name    string // empty: raster.tif
	grid    rasterbase.Grid
	srid    int
	wkt     string
	kind    rasterbase.PixelType
	bands   int // 0: 1
	nodata  *float64
	value   func(band, col, row int) float64
	valid   func(col, row int) bool // a mask; nil: none
	options []string
	texts   []gdal.BandText
	alpha   bool // the second band is alpha
}

// data is the value in a band, alpha not counted.
func (f geotiff) data(band, col, row int) float64 {
	if f.alpha && band > 0 {
		band++
	}
	return f.value(band, col, row)
}

// grid is a north-up grid of square pixels.
func grid(x, y, pixel float64, width, height int) rasterbase.Grid {
	return rasterbase.Grid{OriginX: x, OriginY: y, ScaleX: pixel, ScaleY: -pixel, Width: width, Height: height}
}

func number(v float64) *float64 { return &v }

// write writes the file and returns its path.
func (f geotiff) write(t testing.TB) string {
	t.Helper()
	r := &raster.Raster{Grid: f.grid, SRID: f.srid}
	n := f.grid.Width * f.grid.Height
	for band := range max(1, f.bands) {
		b := raster.Band{Type: f.kind, Pixels: raster.NewPixels(f.kind, n)}
		if f.nodata != nil {
			b.HasNodata, b.Nodata = true, *f.nodata
		}
		for i := range n {
			b.Pixels.Set(i, f.value(band, i%f.grid.Width, i/f.grid.Width))
		}
		r.Bands = append(r.Bands, b)
	}
	if f.valid != nil {
		r.Validity = make([]uint8, n)
		for i := range n {
			if f.valid(i%f.grid.Width, i/f.grid.Width) {
				r.Validity[i] = 255
			}
		}
	}
	if f.name == "" {
		f.name = "raster.tif"
	}
	path := filepath.Join(t.TempDir(), f.name)
	if err := gdal.Write(t.Context(), path, r, gdal.WriteOptions{WKT: f.wkt, Options: f.options, Bands: f.texts}); err != nil {
		t.Fatal(err)
	}
	return path
}

// hash is a number that looks random but is the same for the same pixel.
func hash(band, col, row int) uint64 {
	h := uint64(band+1)*0x9e3779b97f4a7c15 ^ uint64(col)*0xbf58476d1ce4e5b9 ^ uint64(row)*0x94d049bb133111eb
	h ^= h >> 31
	h *= 0xd6e8feb86659fd93
	return h ^ h>>29
}

// required reports whether what a test needs must be there, so that a missing
// program is a failure and not a skip.
func required(what string) bool {
	return slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), what)
}

// gdalTool runs one of GDAL's programs.
func gdalTool(t testing.TB, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if required("gdal") {
			t.Fatalf("%s is missing, and RASTERBASE_TEST_REQUIRE asks for gdal", name)
		}
		t.Skipf("%s is not installed", name)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// wantValid says whether a file's pixel is valid, from what the file says: the
// rule told once more, plainly.
func wantValid(info ingest.Info, b *ingest.Block, band, i int) bool {
	v := b.Bands[band].At(i)
	if math.IsNaN(v) || math.IsInf(v, 0) || b.Masks != nil && b.Masks[band] != nil && b.Masks[band][i] == 0 {
		return false
	}
	if info.Bands[band].Nodata == nil || math.IsNaN(float64(*info.Bands[band].Nodata)) {
		return true
	}
	nodata := float64(*info.Bands[band].Nodata)
	switch info.Bands[band].PixelType {
	case rasterbase.Float32:
		return math.Abs(v-nodata) > 4e-7*math.Abs(nodata)
	case rasterbase.Float64:
		return math.Abs(v-nodata) > 1e-15*math.Abs(nodata)
	}
	return v != nodata
}

// baseIsTheFile compares every base pixel, and which are valid, with what GDAL
// reads from the file.
func baseIsTheFile(t testing.TB, c coverage.Coverage, path string) {
	t.Helper()
	info, want := read(t, path)
	d := c.Describe()
	if d.Grid != info.Grid {
		t.Fatalf("the grid is %+v, the file's %+v", d.Grid, info.Grid)
	}
	const side = 1 << 12
	for y := 0; y < d.Grid.Height; y += side {
		for x := 0; x < d.Grid.Width; x += side {
			w := coverage.WindowRequest{X: x, Y: y, Width: min(side, d.Grid.Width-x), Height: min(side, d.Grid.Height-y)}
			compareBlock(t, info, want, window(t, c, w), w)
		}
	}
}

func compareBlock(t testing.TB, info ingest.Info, want *ingest.Block, got *raster.Raster, w coverage.WindowRequest) {
	t.Helper()
	for band := range want.Bands {
		for i := range got.Width * got.Height {
			k := (w.Y+i/got.Width)*info.Grid.Width + w.X + i%got.Width
			ok := wantValid(info, want, band, k)
			// Where bands share a validity, a pixel that one of them has not
			// is invalid in all.
			if ok != got.Valid(band, i) && !(ok && got.Validity != nil && !validInAll(info, want, k)) {
				t.Fatalf("band %d, pixel %d: valid is %v in the file, %v in the tile", band+1, k, ok, !ok)
			}
			if v := want.Bands[band].At(k); ok && got.Bands[band].Pixels.At(i) != v {
				t.Fatalf("band %d, pixel %d is %v in the file, %v in the tile", band+1, k, v, got.Bands[band].Pixels.At(i))
			}
		}
	}
}

func validInAll(info ingest.Info, b *ingest.Block, i int) bool {
	for band := range b.Bands {
		if !wantValid(info, b, band, i) {
			return false
		}
	}
	return true
}
