//go:build cgo && !nogdal

package gdal_test

import (
	"context"
	"encoding/csv"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// testData is the folder of real rasters, with MANIFEST.tsv and expected values
// made by GDAL's own tools.
func testData(t *testing.T) string {
	dir := os.Getenv("RASTERBASE_TESTDATA")
	if dir == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder")
	}
	return dir
}

func readTSV(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, v := range row {
			if i < len(rows[0]) {
				m[rows[0][i]] = v
			}
		}
		out = append(out, m)
	}
	return out
}

// TestManifest opens every file of the manifest: it opens or is refused with a
// reason, and what is valid in each band agrees with GDAL's own statistics.
func TestManifest(t *testing.T) {
	dir := testData(t)
	facts := map[string][]map[string]string{}
	for _, row := range readTSV(t, filepath.Join(dir, "expected", "gdal_facts.tsv")) {
		facts[row["file"]] = append(facts[row["file"]], row)
	}
	opened, refused, compared := 0, 0, 0
	for _, row := range readTSV(t, filepath.Join(dir, "MANIFEST.tsv")) {
		file := row["file"]
		if !candidate(file) {
			continue
		}
		d, err := openAny(t, filepath.Join(dir, file))
		if err != nil {
			refused++
			if c := rasterbase.CodeOf(err); c != rasterbase.Invalid && c != rasterbase.TooLarge {
				t.Errorf("%s: refused with code %q: %v", file, c, err)
			}
			t.Logf("refused  %-55s %v", file, err)
			continue
		}
		opened++
		info := d.Info()
		t.Logf("opened   %-55s %s %dx%d, %d bands, EPSG %d %q, mask %v, gcp %v, warnings %q", file, info.Driver,
			info.Grid.Width, info.Grid.Height, len(info.Bands), info.CRS.SRID, info.CRS.Name, info.HasMask, info.GroundControl, info.Warnings)
		if !info.GroundControl {
			compared += compare(t, file, d, facts[file])
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: close: %v", file, err)
		}
	}
	t.Logf("%d opened, %d refused, %d bands compared", opened, refused, compared)
	if opened < 100 || compared < 150 {
		t.Errorf("only %d files opened and %d bands compared", opened, compared)
	}
}

// candidate leaves out texts, vector files, side-cars and damaged files.
func candidate(file string) bool {
	switch filepath.Ext(file) {
	case ".md", ".tsv", ".xml", ".csv", ".msk", ".ovr", ".dbf", ".tab", ".tfw", ".hdr", ".prj", ".wld", ".jgw":
		return false
	}
	return !strings.HasPrefix(file, "vector/") && !strings.HasPrefix(file, "corrupt/")
}

// openAny opens a file, with a CRS put in where it has none, and of several
// rasters the first.
func openAny(t *testing.T, path string) (ingest.Dataset, error) {
	t.Helper()
	ctx := context.Background()
	var o gdal.Opener
	opt := ingest.OpenOptions{}
	d, err := o.Open(ctx, path, opt)
	if several := (*ingest.SeveralRasters)(nil); errors.As(err, &several) {
		t.Logf("several  %v", err)
		opt.Subdataset = several.Rasters[0].Name
		d, err = o.Open(ctx, path, opt)
	}
	if err != nil && strings.Contains(err.Error(), "no georeference") {
		t.Logf("placed   %v", err)
		path = withWorldFile(t, path)
		d, err = o.Open(ctx, path, opt)
	}
	if e := (*rasterbase.Error)(nil); errors.As(err, &e) && e.Field == "srid" {
		t.Logf("no CRS   %v", err)
		opt.SRID = 4326
		return o.Open(ctx, path, opt)
	}
	return d, err
}

// withWorldFile copies a file that does not say where its pixels lie, with a
// mask beside it if there is one, and puts a world file there.
func withWorldFile(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	for _, side := range []string{"", ".msk", ".aux.xml"} {
		b, err := os.ReadFile(path + side)
		if err != nil {
			continue
		}
		if err := os.WriteFile(to+side, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	world := strings.TrimSuffix(to, filepath.Ext(to)) + ".wld"
	if err := os.WriteFile(world, []byte("0.001\n0\n0\n-0.001\n10\n50\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

func compare(t *testing.T, file string, d ingest.Dataset, facts []map[string]string) int {
	t.Helper()
	i, n := 0, 0
	for _, f := range facts {
		if f["colour_interpretation"] == "Alpha" && len(facts) > 1 {
			continue
		}
		if i >= len(d.Info().Bands) {
			t.Errorf("%s: %d bands, GDAL has more", file, len(d.Info().Bands))
			return n
		}
		band := i
		i++
		if strings.HasPrefix(f["gdal_checksum"], "not computed") || strings.HasPrefix(f["gdal_checksum"], "read error") {
			continue
		}
		n++
		s, err := summarize(d, band)
		if err != nil {
			t.Errorf("%s band %d: %v", file, band+1, err)
			continue
		}
		want := func(name string) float64 { v, _ := strconv.ParseFloat(f[name], 64); return v }
		if float64(s.Valid) != want("valid_cells") {
			t.Errorf("%s band %d: %d valid cells, want %v", file, band+1, s.Valid, f["valid_cells"])
			continue
		}
		if s.Valid == 0 {
			continue
		}
		for name, got := range map[string]float64{"min": s.Min, "max": s.Max, "mean": s.Mean} {
			if w := want(name); math.Abs(got-w) > 1e-6*math.Max(1, math.Abs(w)) {
				t.Errorf("%s band %d: %s %v, want %v", file, band+1, name, got, w)
			}
		}
	}
	return n
}

// summarize reads a band in strips, applying nodata and masks.
func summarize(d ingest.Dataset, band int) (rasterbase.BandSummary, error) {
	var sum rasterbase.BandSummary
	info := d.Info()
	b := raster.Band{Type: info.Bands[band].PixelType}
	if n := info.Bands[band].Nodata; n != nil {
		b.HasNodata, b.Nodata = true, float64(*n)
	}
	const rows = 512
	for y := 0; y < info.Grid.Height; y += rows {
		w := ingest.Window{X: 0, Y: y, Width: info.Grid.Width, Height: min(rows, info.Grid.Height-y)}
		block, err := d.Read(context.Background(), w, nil)
		if err != nil {
			return sum, err
		}
		part := rasterbase.BandSummary{Min: math.Inf(1), Max: math.Inf(-1)}
		p, total := block.Bands[band], 0.0
		for i := range p.Len() {
			v := p.At(i)
			if !b.IsData(v) || block.Masks != nil && block.Masks[band][i] == 0 {
				continue
			}
			part.Valid++
			total += v
			part.Min, part.Max = min(part.Min, v), max(part.Max, v)
		}
		if part.Valid > 0 {
			part.Mean = total / float64(part.Valid)
			sum.Add(part)
		}
	}
	return sum, nil
}
