package legend_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// colorRelief gives the colours that gdaldem gives values.
func colorRelief(t *testing.T, stops []rasterbase.Stop, values []float32, options ...string) []rasterbase.Color {
	t.Helper()
	program, err := exec.LookPath("gdaldem")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatal(err)
		}
		t.Skip("there is no gdaldem")
	}
	dir := t.TempDir()
	var px bytes.Buffer
	if err := binary.Write(&px, binary.LittleEndian, values); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, s := range stops {
		fmt.Fprintf(&table, "%v %d %d %d %d\n", s.At, s.Color.R, s.Color.G, s.Color.B, s.Color.A)
	}
	header := fmt.Sprintf("ENVI\nsamples = %d\nlines = 1\nbands = 1\nheader offset = 0\ndata type = 4\ninterleave = bsq\nbyte order = 0\n", len(values))
	for name, content := range map[string]string{"in.img": px.String(), "in.hdr": header, "colors.txt": table.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"color-relief", filepath.Join(dir, "in.img"), filepath.Join(dir, "colors.txt"), filepath.Join(dir, "out.img"), "-of", "ENVI", "-alpha", "-q"}, options...)
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	planes, err := os.ReadFile(filepath.Join(dir, "out.img"))
	if err != nil || len(planes) != 4*len(values) {
		t.Fatalf("%d bytes, %v", len(planes), err)
	}
	colors, n := make([]rasterbase.Color, len(values)), len(values)
	for i := range colors {
		colors[i] = rasterbase.Color{R: planes[i], G: planes[n+i], B: planes[2*n+i], A: planes[3*n+i]}
	}
	return colors
}

func reliefValues(stops []rasterbase.Stop) []float32 {
	var values []float32
	for v := float32(-50); v < 4100; v += 1.7 {
		values = append(values, v)
	}
	for _, s := range stops {
		f := float32(s.At)
		values = append(values, f, math.Nextafter32(f, 1e9), math.Nextafter32(f, -1e9))
	}
	return values
}

// A linear gradient is gdaldem's color-relief. GDAL adds 0.45 and cuts where we
// round to the nearest, so that parts of a colour can differ by 1.
func TestLinearAsGDAL(t *testing.T) {
	t.Parallel()
	stops := []rasterbase.Stop{
		{At: 0, Color: rasterbase.Color{R: 10, G: 200, B: 30, A: 255}},
		{At: 10, Color: rasterbase.Color{R: 255, G: 100, B: 0, A: 100}},
		{At: 100, Color: rasterbase.Color{R: 0, G: 0, B: 250, A: 255}},
		{At: 4000, Color: rasterbase.Color{R: 255, G: 255, B: 255, A: 0}},
	}
	values := reliefValues(stops)
	theirs := colorRelief(t, stops, values)
	m, err := legend.Compile(&rasterbase.Legend{Gradient: &rasterbase.Gradient{Stops: stops}}, rasterbase.Float32)
	if err != nil {
		t.Fatal(err)
	}
	apart := func(a, b uint8) int { return int(max(a, b) - min(a, b)) }
	differ := 0
	for i, v := range values {
		ours, c := m.At(float64(v)), theirs[i]
		if max(apart(ours.R, c.R), apart(ours.G, c.G), apart(ours.B, c.B), apart(ours.A, c.A)) > 1 {
			t.Errorf("%v is %v, gdaldem gives %v", v, ours, c)
		}
		if rasterbase.Color(ours) != c {
			differ++
		}
	}
	if differ > len(values)/4 {
		t.Errorf("%d of %d colours differ by 1", differ, len(values))
	}
}

// An exact gradient is color-relief with -exact_color_entry. GDAL before 3.9.2
// matches the first stop alone: it is asked for each by itself.
func TestExactAsGDAL(t *testing.T) {
	t.Parallel()
	stops := []rasterbase.Stop{
		{At: 1, Color: rasterbase.Color{R: 10, A: 255}}, {At: 2.5, Color: rasterbase.Color{G: 10, A: 55}}, {At: 100, Color: rasterbase.Color{B: 10, A: 255}},
	}
	values := []float32{-1, 0, 1, 2, 2.5, 3, 99, 100, 101}
	theirs := make([]rasterbase.Color, len(values))
	for _, s := range stops {
		for i, c := range colorRelief(t, []rasterbase.Stop{s}, values, "-exact_color_entry") {
			if c.A > 0 {
				theirs[i] = c
			}
		}
	}
	m, err := legend.Compile(&rasterbase.Legend{Gradient: &rasterbase.Gradient{Stops: stops, Interpolation: rasterbase.Exact}}, rasterbase.Float32)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if ours := rasterbase.Color(m.At(float64(v))); ours != theirs[i] {
			t.Errorf("%v is %v, gdaldem gives %v", v, ours, theirs[i])
		}
	}
}

// Two stops at one place are a sharp edge. GDAL gives the place itself what lies
// in the middle of both, we the colour of the last.
func TestSharpEdgeAsGDAL(t *testing.T) {
	t.Parallel()
	stops := []rasterbase.Stop{
		{At: 0, Color: rasterbase.Color{R: 10, A: 255}}, {At: 50, Color: rasterbase.Color{R: 20, A: 255}},
		{At: 50, Color: rasterbase.Color{B: 200, A: 255}}, {At: 100, Color: rasterbase.Color{B: 250, A: 255}},
	}
	values := []float32{-1, 0, 49.9, 50.1, 100, 120}
	theirs := colorRelief(t, stops, values)
	m, err := legend.Compile(&rasterbase.Legend{Gradient: &rasterbase.Gradient{Stops: stops}}, rasterbase.Float32)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if ours := rasterbase.Color(m.At(float64(v))); ours != theirs[i] {
			t.Errorf("%v is %v, gdaldem gives %v", v, ours, theirs[i])
		}
	}
}

// A discrete gradient whose stops end half-way to the next place is color-relief
// with -nearest_color_entry, but at the half itself.
func TestDiscreteAsGDALNearest(t *testing.T) {
	t.Parallel()
	entries := []rasterbase.Stop{
		{At: -10, Color: rasterbase.Color{R: 10, A: 255}}, {At: 2.5, Color: rasterbase.Color{G: 10, A: 55}}, {At: 100, Color: rasterbase.Color{B: 10, A: 255}},
	}
	stops := slices.Clone(entries)
	for i := range stops {
		stops[i].At = math.Inf(1)
		if i+1 < len(stops) {
			stops[i].At = (entries[i].At + entries[i+1].At) / 2
		}
	}
	values := []float32{-100, -10, -5, -3.76, -3.74, 0, 2.5, 51.2, 51.3, 99, 101}
	theirs := colorRelief(t, entries, values, "-nearest_color_entry")
	m, err := legend.Compile(&rasterbase.Legend{Gradient: &rasterbase.Gradient{Stops: stops, Interpolation: rasterbase.Discrete}}, rasterbase.Float32)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if ours := rasterbase.Color(m.At(float64(v))); ours != theirs[i] {
			t.Errorf("%v is %v, gdaldem gives %v", v, ours, theirs[i])
		}
	}
}
