package legend_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
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

func required(what string) bool {
	return slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), what)
}

// program finds a program, or skips the test.
func program(t *testing.T, name, of string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if required(of) {
			t.Fatalf("RASTERBASE_TEST_REQUIRE asks for %s: %v", of, err)
		}
		t.Skip(err)
	}
	return path
}

// written are legends of every kind that other programs can draw.
func written(t *testing.T) map[string]*rasterbase.Legend {
	t.Helper()
	out := map[string]*rasterbase.Legend{}
	for name, form := range map[string]string{
		"values.json":    `[{"name":"Deep & <cold>","expression":"1","color":"#0000FF80"},{"name":"Shore","expression":"7","color":"red"},{"name":"High","expression":"-5","color":"#102030"}]`,
		"fractions.json": `[{"name":"a","expression":"1.5","color":"blue"},{"name":"b","expression":"-2.25","color":"red"}]`,
		"classes.json":   `[{"name":"low","expression":"(-5 <= x) & (x < 2.5)","color":"#010203"},{"name":"high","expression":"(2.5 <= x) & (x <= 10)","color":"#FF8000"}]`,
		"overlaps.json":  `[{"name":"all","expression":"x < INF","color":"#808080"},{"name":"some","expression":"(0 < x) & (x <= 7)","color":"#00FF00"},{"name":"one","expression":"3","color":"#0000FF"}]`,
		"gaps.json":      `[{"name":"a","expression":"(0 <= x) & (x < 1)","color":"#FF0000"},{"name":"b","expression":"x >= 7","color":"#00FF00"}]`,
		"linear.json":    `{"stops":[[-5,"white"],[0.5,"#0000FF80","shore"],[10,"red"]]}`,
		"edge.json":      `{"stops":[[-5,"white"],[2,"blue"],[2,"green"],[10,"red"]]}`,
		"discrete.json":  `{"stops":[[-2,"white"],[2.5,"blue"],["inf","red"]],"interpolation":"discrete"}`,
		"closed.json":    `{"stops":[[-2,"white"],[2.5,"blue"]],"interpolation":"discrete"}`,
		"exact.json":     `{"stops":[[-2,"white"],[2.5,"blue"]],"interpolation":"exact"}`,
		"viridis.json":   `{"colormap_name":"viridis","range":[-5,10]}`,
		"tab10.json":     `{"colormap_name":"tab10_r","range":[-5,10]}`,
	} {
		l, err := legend.ReadFile(name, []byte(form))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[strings.TrimSuffix(name, ".json")] = l
	}
	return out
}

// samples are values around all numbers of the legends: float32, as pixels are.
func samples() []float64 {
	var out []float64
	for _, v := range []float32{-5, -2.25, -2, 0, 0.5, 1, 1.5, 2, 2.5, 3, 7, 10} {
		out = append(out, float64(math.Nextafter32(v, -100)), float64(v), float64(math.Nextafter32(v, 100)), float64(v+0.4))
	}
	return append(out, -100, 100, 6.2, 9.99)
}

// tolerance is how far colours of other programs may be off: they round others
// than we do between stops, and a named colormap is steps here and stops there.
func tolerance(name string, l *rasterbase.Legend) int {
	switch {
	case l.Gradient == nil:
		return 0
	case name == "viridis":
		return 4
	case l.Gradient.Interpolation == rasterbase.Linear && name != "tab10":
		return 2
	}
	return 0
}

// drawnBy compares what another program drew of the samples.
func drawnBy(t *testing.T, who, name string, l *rasterbase.Legend, got func(i int) color.NRGBA) {
	t.Helper()
	m, err := legend.Compile(l, rasterbase.Float32)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range samples() {
		if name == "tab10" && v > -5 && v < 10 && math.Abs(math.Remainder(v+5, 1.5)) < 1e-5 {
			continue // the colormap's own steps are between numbers
		}
		if a, b := m.At(v), got(i); !alike(a, b, tolerance(name, l)) {
			t.Errorf("%s: %s draws %v as %v, we as %v", name, who, v, b, a)
		}
	}
}

// TestQGISDrawsTheSame lets QGIS load the styles and colour maps that are written
// and draw values by them.
func TestQGISDrawsTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	python := ""
	env := append(os.Environ(), "QT_QPA_PLATFORM=offscreen", "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "QGIS_CUSTOM_CONFIG_PATH="+dir)
	for _, name := range []string{"/usr/bin/python3", "python3"} { // the system's has the system's QGIS
		cmd := exec.CommandContext(t.Context(), name, "-c", "import qgis.core")
		cmd.Env = env
		if cmd.Run() == nil {
			python = name
			break
		}
	}
	if python == "" {
		if required("qgis") {
			t.Fatal("RASTERBASE_TEST_REQUIRE asks for qgis, and python3-qgis is not installed")
		}
		t.Skip("QGIS's libraries are not installed: python3-qgis has them")
	}
	writeGrid(t, dir)
	legends := written(t)
	for name, l := range legends {
		for _, ext := range []string{".qml", ".txt"} {
			b, err := legend.WriteFile(name+ext, l)
			if err != nil {
				t.Fatalf("%s%s: %v", name, ext, err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+ext), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", qgisScript, dir)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var drawn map[string][][4]uint8
	if err := json.Unmarshal(out, &drawn); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, l := range legends {
		for _, ext := range []string{".qml", ".txt"} {
			got := drawn[name+ext]
			if len(got) != len(samples()) {
				t.Errorf("QGIS loads no %s%s", name, ext)
				continue
			}
			drawnBy(t, "QGIS"+ext, name, l, func(i int) color.NRGBA { return color.NRGBA{got[i][0], got[i][1], got[i][2], got[i][3]} })
		}
	}
	// What QGIS saves is read as it draws it.
	for name := range legends {
		saved := readSaved(t, dir, name)
		if name == "tab10" {
			continue // compared above, where its steps are known
		}
		got := drawn[name+".qml"]
		drawnBy(t, "QGIS, saved,", name, saved, func(i int) color.NRGBA { return color.NRGBA{got[i][0], got[i][1], got[i][2], got[i][3]} })
	}
	got := drawn["grey"]
	drawnBy(t, "QGIS", "grey", readSaved(t, dir, "grey"), func(i int) color.NRGBA { return color.NRGBA{got[i][0], got[i][1], got[i][2], got[i][3]} })
	b, err := os.ReadFile(filepath.Join(dir, "saved", "hillshade.qml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := legend.ReadFile("hillshade.qml", b); err == nil || !strings.Contains(err.Error(), "hillshade") {
		t.Errorf("a hillshade is read: %v", err)
	}
}

// readSaved reads a style that QGIS saved.
func readSaved(t *testing.T, dir, name string) *rasterbase.Legend {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "saved", name+".qml"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := legend.ReadFile(name+".qml", b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return l
}

// qgisScript prints the colour of each pixel of grid.tif by each of the files:
// styles are applied to the layer and rendered, colour maps make a shader.
const qgisScript = `
import glob, json, os, sys
from qgis.core import *
app = QgsApplication([], False)
app.initQgis()
folder = sys.argv[1]
os.mkdir(os.path.join(folder, "saved"))
layer = QgsRasterLayer(os.path.join(folder, "grid.tif"), "grid")
assert layer.isValid()
n = layer.width()
values = layer.dataProvider().block(1, layer.extent(), n, 1)
out = {}

def draw(name):
    block = layer.renderer().block(1, layer.extent(), n, 1)
    out[name] = []
    for c in [block.color(0, i) for i in range(n)]:
        a = (c >> 24) & 255
        parts = [(c >> 16) & 255, (c >> 8) & 255, c & 255]
        # Images are premultiplied with alpha.
        parts = [min(255, round(p * 255 / a)) if a else 0 for p in parts]
        out[name].append(parts + [a])

grey = QgsSingleBandGrayRenderer(layer.dataProvider(), 1)
stretch = QgsContrastEnhancement(layer.dataProvider().dataType(1))
stretch.setContrastEnhancementAlgorithm(QgsContrastEnhancement.StretchToMinimumMaximum)
stretch.setMinimumValue(-5)
stretch.setMaximumValue(10)
grey.setContrastEnhancement(stretch)
layer.setRenderer(grey)
draw("grey")
layer.saveNamedStyle(os.path.join(folder, "saved", "grey.qml"))
layer.setRenderer(QgsHillshadeRenderer(layer.dataProvider(), 1, 315, 45))
layer.saveNamedStyle(os.path.join(folder, "saved", "hillshade.qml"))
for path in glob.glob(os.path.join(folder, "*.qml")):
    said, ok = layer.loadNamedStyle(path)
    assert ok, said
    draw(os.path.basename(path))
    layer.saveNamedStyle(os.path.join(folder, "saved", os.path.basename(path)))
kinds = {0: QgsColorRampShader.Interpolated, 1: QgsColorRampShader.Discrete, 2: QgsColorRampShader.Exact}
for path in glob.glob(os.path.join(folder, "*.txt")):
    ok, items, kind, errors = QgsRasterRendererUtils.parseColorMapFile(path)
    assert ok and not errors, errors
    shader = QgsColorRampShader(0, 1, None, kind)
    shader.setColorRampItemList(items)
    out[os.path.basename(path)] = []
    for i in range(n):
        drawn = shader.shade(values.value(0, i))
        out[os.path.basename(path)].append(list(drawn[1:]) if drawn[0] else [0, 0, 0, 0])
print(json.dumps(out))
`

// writeGrid writes the samples as a raster of one row.
func writeGrid(t *testing.T, dir string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "ncols %d\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n", len(samples()))
	for _, v := range samples() {
		fmt.Fprintf(&b, "%.9g ", v)
	}
	asc := filepath.Join(dir, "grid.asc")
	if err := os.WriteFile(asc, []byte(b.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, program(t, "gdal_translate", "gdal"), "-q", "-ot", "Float32", "-a_srs", "EPSG:3857", asc, filepath.Join(dir, "grid.tif"))
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// TestGDALDrawsTheSame lets gdaldem draw values by the colour texts that are
// written.
func TestGDALDrawsTheSame(t *testing.T) {
	t.Parallel()
	gdaldem, translate := program(t, "gdaldem", "gdal"), program(t, "gdal_translate", "gdal")
	dir := t.TempDir()
	writeGrid(t, dir)
	for name, l := range written(t) {
		b, err := legend.WriteFile(name+".clr", l)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		colors, out := filepath.Join(dir, name+".clr"), filepath.Join(dir, name+".tif")
		if err := os.WriteFile(colors, b, 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"color-relief", "-q", "-alpha", filepath.Join(dir, "grid.tif"), colors, out}
		exact := !bytes.Contains(b, []byte("INTERPOLATED"))
		if exact { // -exact_color_entry is broken in GDAL 3.6
			args = append(args, "-nearest_color_entry")
		}
		run(t, gdaldem, args...)
		var bands [4][]uint8
		for band := range bands {
			text := run(t, translate, "-q", "-of", "AAIGrid", "-b", fmt.Sprint(band+1), out, "/vsistdout/")
			for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
				fields := strings.Fields(s.Text())
				if len(fields) != len(samples()) {
					continue
				}
				for _, f := range fields {
					var v int
					if _, err := fmt.Sscan(f, &v); err != nil {
						t.Fatal(err)
					}
					bands[band] = append(bands[band], uint8(v))
				}
			}
			if len(bands[band]) != len(samples()) {
				t.Fatalf("gdal_translate prints\n%s", text)
			}
		}
		m, err := legend.Compile(l, rasterbase.Float32)
		if err != nil {
			t.Fatal(err)
		}
		drawnBy(t, "gdaldem", name, l, func(i int) color.NRGBA {
			if exact && m.At(samples()[i]).A == 0 {
				return color.NRGBA{} // not one of the values
			}
			return color.NRGBA{bands[0][i], bands[1][i], bands[2][i], bands[3][i]}
		})
	}
}
