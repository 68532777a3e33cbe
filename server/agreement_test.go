package server_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/xyz"
)

// gdalPixels is what GDAL reads of a GeoTIFF; NaN is invalid.
type gdalPixels struct {
	Transform     [6]float64
	Width, Height int
	Pixels        []byte
}

func (p *gdalPixels) at(col, row int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(p.Pixels[8*(row*p.Width+col):]))
}

// pythonWithGDAL finds a Python that has GDAL and numpy, or skips the test.
func pythonWithGDAL(t testing.TB) string {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3", "python3"} { // the system's has the system's GDAL
		if exec.CommandContext(t.Context(), p, "-c", "import numpy; from osgeo import gdal").Run() == nil {
			return p
		}
	}
	if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
		t.Fatal("RASTERBASE_TEST_REQUIRE asks for gdal, and its Python binding is not there: python3-gdal has it")
	}
	t.Skip("GDAL's Python binding is not installed")
	return ""
}

// readWithGDAL reads files in an independent program, or skips the test.
func readWithGDAL(t testing.TB, files [][]byte) []gdalPixels {
	t.Helper()
	python := pythonWithGDAL(t)
	dir, paths := t.TempDir(), ""
	for i, b := range files {
		path := filepath.Join(dir, fmt.Sprintf("%d.tif", i))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths += path + "\n"
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/read_pixels.py")
	cmd.Stdin, cmd.Stderr = strings.NewReader(paths), os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]gdalPixels, len(files))
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 64<<20)
	for i := range out {
		if !lines.Scan() {
			t.Fatalf("GDAL read %d files of %d", i, len(files))
		}
		if err := json.Unmarshal(lines.Bytes(), &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// patches is a layer of which some pixels are invalid, with tiles of 64 pixels.
func patches(name string, t rasterbase.PixelType, z, x, y, side int, value func(x, y int) float64) testlayer.Spec {
	return testlayer.Spec{
		Layer:    rasterbase.Layer{Name: name, Visibility: rasterbase.Public},
		Datatype: rasterbase.Continuous,
		Bands:    []rasterbase.Band{{PixelType: t, Nodata: rasterbase.FloatPtr(250)}},
		TileSize: 64, MaxZoom: z, X: x, Y: y, Width: side, Height: side,
		Value: func(_, x, y int) (float64, bool) { return value(x, y), (x*7+y*3)%11 != 0 },
	}
}

func getBytes(t testing.TB, s http.Handler, target string) []byte {
	t.Helper()
	w := get(t, s, target)
	if w.Code != 200 {
		t.Fatalf("%s: status %d: %s", target, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// same tells whether two values are equal, or both invalid.
func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func wantPixel(t testing.TB, s http.Handler, x, y float64, q url.Values, want float64) {
	t.Helper()
	target := fmt.Sprintf("/pixel/%v/%v?%s", x, y, q.Encode())
	p := decode[struct{ Value *float64 }](t, get(t, s, target))
	got := math.NaN()
	if p.Value != nil {
		got = *p.Value
	}
	if !same(got, want) {
		t.Errorf("%s is %v, the export has %v", target, got, want)
	}
}

// At one zoom the tiles, the pixels and the export of a formula hold the same values
// at the same places. Without a zoom the pixels and the export do.
func TestTilesPixelsAndExportsAgree(t *testing.T) {
	st := newStore(t)
	add(t, st, patches("A", rasterbase.Uint8, 6, 33*64, 22*64, 160, func(x, y int) float64 { return float64((x*5 + y) % 200) }))
	add(t, st, patches("B", rasterbase.Float32, 5, 33*32-20, 22*32-10, 100, func(x, y int) float64 { return float64(x)*0.37 - float64(y)*1.3 }))
	s := newServer(t, server.Config{Store: st, WorkDir: t.TempDir()})
	random := rand.New(rand.NewPCG(1, 2))
	var files [][]byte
	var check []func(all []gdalPixels)
	file := func(target string) int {
		files = append(files, getBytes(t, s, target))
		return len(files) - 1
	}
	for _, formula := range []string{"a", "a*1000+b", "(a-b)/(a+b)", "a>100 & b<3", "where(a>50,b,0-a)", "sqrt(b)+(a==NULL)"} {
		q := url.Values{"layers": {"a=1,b=2"}, "formula": {formula}}
		if formula == "a" {
			q.Set("layers", "a=1")
		}
		for z := 4; z <= 7; z++ {
			q.Set("zoom", fmt.Sprint(z))
			q.Set("format", "tif")
			whole := file("/export?" + q.Encode())
			q.Del("format")
			zoomed := url.Values{"layers": q["layers"], "formula": q["formula"], "zoom": q["zoom"]}
			q.Del("zoom")
			first, last := 33<<z>>6, 35<<z>>6
			top, bottom := 22<<z>>6, 24<<z>>6
			for x := first; x <= last; x++ {
				for y := top; y <= bottom; y++ {
					tile := file(fmt.Sprintf("/algebra/%d/%d/%d.tif?%s", z, x, y, q.Encode()))
					check = append(check, func(all []gdalPixels) { agree(t, formula, z, all[whole], all[tile]) })
				}
			}
			check = append(check, func(all []gdalPixels) {
				for range 12 {
					somewhere(all[whole], random, func(x, y, v float64) { wantPixel(t, s, x, y, zoomed, v) })
				}
			})
		}
		base := url.Values{"layers": q["layers"], "formula": q["formula"]}
		if formula != "a" {
			base.Set("grid", "a")
		}
		target := "/export?format=tif&" + base.Encode()
		whole := file(target)
		check = append(check, func(all []gdalPixels) {
			if g := all[whole]; g.Transform[1] != xyz.PixelGrid(6, 64).ScaleX {
				t.Errorf("%s has pixels of %v m", target, g.Transform[1])
			}
			for range 40 {
				somewhere(all[whole], random, func(x, y, v float64) { wantPixel(t, s, x, y, base, v) })
			}
		})
	}
	all := readWithGDAL(t, files)
	for _, c := range check {
		c(all)
	}
}

// somewhere calls f with the centre of a pixel and its value.
func somewhere(g gdalPixels, random *rand.Rand, f func(x, y, v float64)) {
	col, row := random.IntN(g.Width), random.IntN(g.Height)
	f(g.Transform[0]+(float64(col)+0.5)*g.Transform[1], g.Transform[3]+(float64(row)+0.5)*g.Transform[5], g.at(col, row))
}

// agree compares a tile with the export that it overlaps.
func agree(t *testing.T, formula string, z int, whole, tile gdalPixels) {
	t.Helper()
	col := int(math.Round((tile.Transform[0] - whole.Transform[0]) / whole.Transform[1]))
	row := int(math.Round((tile.Transform[3] - whole.Transform[3]) / whole.Transform[5]))
	for y := range tile.Height {
		for x := range tile.Width {
			want := math.NaN() // nothing is valid outside of the export
			if c, r := col+x, row+y; c >= 0 && r >= 0 && c < whole.Width && r < whole.Height {
				want = whole.at(c, r)
			}
			if got := tile.at(x, y); !same(got, want) {
				t.Errorf("%s at zoom %d: pixel %d, %d of a tile is %v, the export has %v", formula, z, x, y, got, want)
				return
			}
		}
	}
}
