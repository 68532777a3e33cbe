package coverage_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
)

// gdalTool finds a program of GDAL, or ends the test.
func gdalTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatalf("%s is missing, and RASTERBASE_TEST_REQUIRE asks for gdal", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// Overzoom, and tiles of odd sizes, blend the pixels as gdalwarp does that warps
// the stored ones to the finer grid.
func TestResampledTilesAgreeWithGdalwarp(t *testing.T) {
	warp := gdalTool(t, "gdalwarp")
	s := waves(64, 2, raster.Rect{X: 64, Y: 64, Width: 128, Height: 128}, rasterbase.Band{PixelType: rasterbase.Float32, Nodata: rasterbase.FloatPtr(-1)})
	value := s.Value
	s.Value = func(band, x, y int) (float64, bool) { // a hole, within which nothing is compared
		v, _ := value(band, x, y)
		return v, x < 20 || x > 30 || y < 20 || y > 30
	}
	c := layer(t, open(t), s)
	world := zooms(t, c)[2]
	source := writeRaw(t, world)
	for _, method := range []rasterbase.Resampling{rasterbase.Nearest, rasterbase.Bilinear, rasterbase.Cubic} {
		for _, r := range []coverage.TileRequest{
			{Z: 3, X: 2, Y: 2, Size: 64}, {Z: 4, X: 5, Y: 6, Size: 64, Margin: 1}, {Z: 6, X: 30, Y: 31, Size: 64}, {Z: 2, X: 1, Y: 1, Size: 100}, {Z: 1, X: 0, Y: 0, Size: 100, Margin: 3}, {Z: 3, X: 2, Y: 2, Size: 75},
		} {
			r.Resampling = method
			t.Run(fmt.Sprintf("%s/%d of zoom %d", method, r.Size, r.Z), func(t *testing.T) {
				got, err := coverage.Tile(t.Context(), c, r)
				if err != nil {
					t.Fatal(err)
				}
				scale := strconv.FormatFloat(math.Ldexp(float64(r.Size)/64, r.Z-2), 'g', -1, 64)
				x1, y1 := got.World(float64(got.Width), float64(got.Height))
				number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
				target := filepath.Join(t.TempDir(), "warped.img")
				cmd := exec.Command(warp, "-q", "-of", "ENVI", "-r", string(method), "-et", "0", "-dstnodata", "-1",
					"-wo", "XSCALE="+scale, "-wo", "YSCALE="+scale,
					"-te", number(got.OriginX), number(y1), number(x1), number(got.OriginY),
					"-ts", strconv.Itoa(got.Width), strconv.Itoa(got.Height), source, target)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("gdalwarp: %v: %s", err, out)
				}
				compareWarped(t, got, readRaw(t, target), r, world)
			})
		}
	}
}

func compareWarped(t *testing.T, got *raster.Raster, want []float32, r coverage.TileRequest, world *raster.Raster) {
	t.Helper()
	compared := 0
	for i, v := range got.Bands[0].Pixels.(raster.Slice[float32]) {
		if got.Valid(0, i) != (want[i] != -1) {
			t.Fatalf("pixel %d,%d is %v, gdalwarp makes %v", i%got.Width, i/got.Width, v, want[i])
		}
		if want[i] == -1 || r.Resampling == rasterbase.Cubic && besideInvalid(got, i, world) {
			continue // where a cubic kernel is not whole we are bilinear, and gdalwarp is not
		}
		compared++
		if d := math.Abs(float64(v - want[i])); d > 1e-4*math.Abs(float64(want[i])) {
			t.Fatalf("pixel %d,%d is %v, gdalwarp makes %v", i%got.Width, i/got.Width, v, want[i])
		}
	}
	if compared < 1000 {
		t.Fatalf("only %d pixels were compared", compared)
	}
}

// besideInvalid reports whether an invalid pixel is in reach of a kernel.
func besideInvalid(r *raster.Raster, i int, world *raster.Raster) bool {
	x, y := r.World(float64(i%r.Width)+0.5, float64(i/r.Width)+0.5)
	col, row := world.Pixel(x, y)
	const reach = 5
	for dy := -reach; dy <= reach; dy++ {
		for dx := -reach; dx <= reach; dx++ {
			c, r := int(col)+dx, int(row)+dy
			if c >= 0 && r >= 0 && c < world.Width && r < world.Height && !world.Valid(0, r*world.Width+c) {
				return true
			}
		}
	}
	return false
}

// writeRaw writes a raster of float32 in web mercator as a file that GDAL reads.
func writeRaw(t *testing.T, r *raster.Raster) string {
	t.Helper()
	folder := t.TempDir()
	pixels := make([]byte, 0, 4*r.Width*r.Height)
	for _, v := range r.Bands[0].Pixels.(raster.Slice[float32]) {
		pixels = binary.LittleEndian.AppendUint32(pixels, math.Float32bits(v))
	}
	vrt := fmt.Sprintf(`<VRTDataset rasterXSize="%d" rasterYSize="%d"><SRS>EPSG:3857</SRS>
<GeoTransform>%.17g, %.17g, 0, %.17g, 0, %.17g</GeoTransform>
<VRTRasterBand dataType="Float32" band="1" subClass="VRTRawRasterBand"><NoDataValue>-1</NoDataValue>
<SourceFilename relativeToVRT="1">pixels.raw</SourceFilename><ImageOffset>0</ImageOffset>
<PixelOffset>4</PixelOffset><LineOffset>%d</LineOffset><ByteOrder>LSB</ByteOrder></VRTRasterBand></VRTDataset>`,
		r.Width, r.Height, r.OriginX, r.ScaleX, r.OriginY, r.ScaleY, 4*r.Width)
	path := filepath.Join(folder, "source.vrt")
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "pixels.raw"), pixels, 0o600), os.WriteFile(path, []byte(vrt), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// readRaw reads the little-endian float32 pixels of an ENVI file.
func readRaw(t *testing.T, path string) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}
