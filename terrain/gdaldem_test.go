package terrain_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/terrain"
)

// gdaldem runs the program on a raster and gives the bytes of the pixels that it
// makes, the frame of one pixel left out.
func gdaldem(t *testing.T, r *raster.Raster, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("gdaldem")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatal("gdaldem is missing, and RASTERBASE_TEST_REQUIRE asks for gdal")
		}
		t.Skip("gdaldem is not installed")
	}
	folder := t.TempDir()
	source, target := filepath.Join(folder, "source.vrt"), filepath.Join(folder, "made.img")
	args = append([]string{args[0], source, target, "-q", "-of", "ENVI"}, args[1:]...)
	err = errors.Join(
		os.WriteFile(filepath.Join(folder, "pixels.raw"), r.Bands[0].Pixels.Bytes(), 0o600),
		os.WriteFile(source, fmt.Appendf(nil, `<VRTDataset rasterXSize="%d" rasterYSize="%d"><SRS>EPSG:32632</SRS>
<GeoTransform>%.17g, %.17g, 0, %.17g, 0, %.17g</GeoTransform>
<VRTRasterBand dataType="Float32" band="1" subClass="VRTRawRasterBand"><NoDataValue>-1</NoDataValue>
<SourceFilename relativeToVRT="1">pixels.raw</SourceFilename><PixelOffset>4</PixelOffset><LineOffset>%d</LineOffset>
<ByteOrder>LSB</ByteOrder></VRTRasterBand></VRTDataset>`,
			r.Width, r.Height, r.OriginX, r.ScaleX, r.OriginY, r.ScaleY, 4*r.Width), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("gdaldem %s: %v: %s", strings.Join(args, " "), err, out)
	}
	made, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	size := len(made) / (r.Width * r.Height)
	var inner []byte
	for row := 1; row < r.Height-1; row++ {
		inner = append(inner, made[(row*r.Width+1)*size:((row+1)*r.Width-1)*size]...)
	}
	return inner
}

// mountains is a raster of UTM whose pixels are not square, with holes.
func mountains() *raster.Raster {
	r := hills(rasterbase.Float32, 120, 90)
	r.SRID, r.ScaleX, r.ScaleY = 32632, 30, -24
	r.Bands[0].HasNodata, r.Bands[0].Nodata = true, -1
	for i := range 120 * 90 {
		r.Bands[0].Pixels.Set(i, 8*r.Bands[0].Pixels.At(i))
		if x, y := i%120, i/120; x/20 == 3 && y/15 == 2 || x == 70 && y == 70 {
			r.Bands[0].Pixels.Set(i, -1)
		}
	}
	return r
}

func TestHillshadeAgreesWithGdaldem(t *testing.T) {
	r := mountains()
	for _, tt := range []struct {
		args  []string
		h     terrain.Heights
		light terrain.Light
	}{
		{nil, terrain.Heights{}, terrain.Light{}},
		{[]string{"-az", "315", "-alt", "45"}, terrain.Heights{Factor: 1}, terrain.Light{}},
		{[]string{"-az", "90"}, terrain.Heights{}, terrain.Light{Azimuth: number(90)}},
		{[]string{"-az", "200", "-alt", "20", "-z", "2"}, terrain.Heights{Factor: 2}, terrain.Light{Azimuth: number(200), Altitude: number(20)}},
		{[]string{"-az", "0.5", "-alt", "80", "-z", "0.3048"}, terrain.Heights{Factor: 0.3048}, terrain.Light{Azimuth: number(0.5), Altitude: number(80)}},
		{[]string{"-multidirectional"}, terrain.Heights{}, terrain.Light{Multidirectional: true}},
		{[]string{"-multidirectional", "-alt", "30", "-z", "3"}, terrain.Heights{Factor: 3}, terrain.Light{Multidirectional: true, Altitude: number(30)}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			want := gdaldem(t, r, append([]string{"hillshade"}, tt.args...)...)
			got, err := terrain.Hillshade(r, terrain.Projected(r.Grid, 1), tt.h, tt.light)
			if err != nil {
				t.Fatal(err)
			}
			compared, other := 0, 0
			for i, v := range got.Bands[0].Pixels.(raster.Slice[uint8]) {
				if want[i] == 0 {
					continue // beside nodata, where gdaldem gives up
				}
				compared++
				if v != want[i] {
					other++
				}
				if d := int(v) - int(want[i]); d < -1 || d > 1 {
					t.Fatalf("pixel %d,%d is %d, gdaldem makes %d", i%got.Width, i/got.Width, v, want[i])
				}
			}
			if compared < 9000 || other > compared/100 {
				t.Errorf("%d of %d pixels differ by one", other, compared)
			}
		})
	}
}

func TestSlopeAgreesWithGdaldem(t *testing.T) {
	r := mountains()
	for _, tt := range []struct {
		args   []string
		factor float64
	}{{nil, 0}, {[]string{"-s", "0.2"}, 5}, {[]string{"-s", "100"}, 0.01}} {
		want := gdaldem(t, r, append([]string{"slope"}, tt.args...)...)
		got, err := terrain.Slope(r, terrain.Projected(r.Grid, 1), terrain.Heights{Factor: tt.factor})
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for i, v := range got.Bands[0].Pixels.(raster.Slice[float32]) {
			w := math.Float32frombits(binary.LittleEndian.Uint32(want[4*i:]))
			if w == -9999 {
				continue
			}
			compared++
			if d := math.Abs(float64(v - w)); d > 1e-4*float64(w) {
				t.Fatalf("%v: pixel %d,%d is %v, gdaldem makes %v", tt.args, i%got.Width, i/got.Width, v, w)
			}
		}
		if compared < 9000 {
			t.Errorf("only %d pixels were compared", compared)
		}
	}
}
