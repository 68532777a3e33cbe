package postgis_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis"
)

// qgisPython finds an interpreter that has QGIS's libraries.
func qgisPython(t *testing.T) string {
	t.Helper()
	var tried []string
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		cmd := exec.CommandContext(t.Context(), name, "-c", "import qgis.core")
		cmd.Env = qgisEnvironment(t)
		out, err := cmd.CombinedOutput()
		if err == nil {
			return name
		}
		tried = append(tried, name+": "+err.Error()+" "+string(out))
	}
	if required("qgis") {
		t.Fatalf("RASTERBASE_TEST_REQUIRE asks for qgis, and there is none:\n%s", strings.Join(tried, "\n"))
	}
	t.Skip("QGIS's libraries are not installed: python3-qgis has them")
	return ""
}

// qgisEnvironment keeps QGIS from a screen, and from the user's settings.
func qgisEnvironment(t *testing.T) []string {
	dir := t.TempDir()
	return append(os.Environ(), "QT_QPA_PLATFORM=offscreen", "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "QGIS_CUSTOM_CONFIG_PATH="+dir)
}

// qgisRaster is what the script says of a raster.
type qgisRaster struct {
	Name, Error   string
	Width, Height int
	SRID          string
	Extent        []float64 // west, south, east, north
	Bands         []struct {
		Type                    string
		Nodata                  *rasterbase.Float
		Min, Max, Mean          float64
		Pixels                  []*rasterbase.Float // row by row; null: no data
		SampleValue             rasterbase.Float
		SampleValid             bool
		SampleColumn, SampleRow int
	}
}

// qgisReadsTheSame opens tables through QGIS's own provider for PostGIS
// rasters, and views through its provider for what GDAL reads.
func qgisReadsTheSame(t *testing.T, address string, layers []imported, views map[rasterbase.LayerID][]postgis.View) {
	python := qgisPython(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		Name     string `json:"name"`
		Provider string `json:"provider"`
		URI      string `json:"uri"`
	}
	type expected struct {
		imported
		set int
	}
	var requests []request
	var wanted []expected
	for _, l := range layers {
		for _, v := range views[l.layer.ID] {
			if v.Kind != rasterbase.Base {
				continue
			}
			set := bandSetOf(t, v)
			native := "dbname='" + strings.TrimPrefix(u.Path, "/") + "' host=" + u.Hostname() + " port=" + u.Port() + " user='" + u.User.Username() +
				"' sslmode=disable key='rid' estimatedmetadata=true srid=0 table=\"rasterbase\".\"" + v.Table + "\" (rast)"
			requests = append(requests, request{v.Table, "postgresraster", native}, request{v.Name, "gdal", connection(t, address, v.Name)})
			wanted = append(wanted, expected{l, set}, expected{l, set})
		}
	}
	in, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "qgis_read.py"))
	cmd.Env, cmd.Stdin = qgisEnvironment(t), bytes.NewReader(in)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, messages.Bytes())
	}
	var got []qgisRaster
	decodeJSON(t, out, &got)
	if len(got) != len(wanted) {
		t.Fatalf("%d answers, want %d", len(got), len(wanted))
	}
	for i, w := range wanted {
		t.Run(requests[i].Provider+" "+got[i].Name, func(t *testing.T) { compareQGIS(t, got[i], w.imported, w.set) })
	}
}

func compareQGIS(t *testing.T, got qgisRaster, l imported, set int) {
	t.Helper()
	g := l.grid
	if got.Error != "" {
		t.Fatal(got.Error)
	}
	if got.Width != g.Width || got.Height != g.Height {
		t.Errorf("the size is %dx%d, want %dx%d", got.Width, got.Height, g.Width, g.Height)
	}
	if want := "EPSG:" + strconv.Itoa(l.srid); got.SRID != want {
		t.Errorf("the CRS is %s, want %s", got.SRID, want)
	}
	east, south := g.World(float64(g.Width), float64(g.Height))
	for i, v := range []float64{g.OriginX, south, east, g.OriginY} {
		if !near(got.Extent[i], v, 1e-9) {
			t.Errorf("the extent is %v, want %v of it %v", got.Extent, i, v)
		}
	}
	bands := l.rev.BandSet(set)
	if len(got.Bands) != len(bands) {
		t.Fatalf("%d bands, want %d", len(got.Bands), len(bands))
	}
	types := map[rasterbase.PixelType]string{rasterbase.Uint8: "Byte", rasterbase.Int16: "Int16", rasterbase.Float32: "Float32"}
	for i, band := range bands {
		b, stored := got.Bands[i], l.rev.Bands[band]
		if b.Type != types[l.kind] || (b.Nodata == nil) != (l.nodata == nil) || b.Nodata != nil && float64(*b.Nodata) != *l.nodata {
			t.Errorf("band %d is %s with nodata %v", i+1, b.Type, b.Nodata)
		}
		if b.Min != stored.Min || b.Max != stored.Max || !near(b.Mean, stored.Mean, 1e-6) {
			t.Errorf("band %d: QGIS's statistics are %v..%v, mean %v, the catalog's %v..%v, %v", i+1, b.Min, b.Max, b.Mean, stored.Min, stored.Max, stored.Mean)
		}
		if !b.SampleValid || float64(b.SampleValue) != l.value(band, b.SampleColumn, b.SampleRow) {
			t.Errorf("band %d: the sample at %d, %d is %v (%t), want %v", i+1, b.SampleColumn, b.SampleRow, b.SampleValue, b.SampleValid,
				l.value(band, b.SampleColumn, b.SampleRow))
		}
		if len(b.Pixels) != g.Width*g.Height {
			t.Fatalf("band %d: %d pixels", i+1, len(b.Pixels))
		}
		for k, p := range b.Pixels {
			want := l.value(band, k%g.Width, k/g.Width)
			invalid := l.nodata != nil && want == *l.nodata
			if (p == nil) != invalid || p != nil && float64(*p) != want {
				t.Fatalf("band %d: pixel %d, %d is %v, want %v", i+1, k%g.Width, k/g.Width, p, want)
			}
		}
	}
}
