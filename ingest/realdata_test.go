//go:build cgo && !nogdal

package ingest_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

func table(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.Comment, r.LazyQuotes, r.FieldsPerRecord = '\t', '#', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// Tiles that GDAL warped, nearest and exact, are the witness for the pyramid's
// largest zoom.
func TestPyramidAgreesWithGdalwarp(t *testing.T) {
	dir := testdata(t)
	for _, row := range table(t, filepath.Join(dir, "expected/warp_tiles/cases.tsv")) {
		t.Run(row[0], func(t *testing.T) {
			var z, x, y int
			if _, err := fmt.Sscanf(row[2], "%d/%d/%d", &z, &x, &y); err != nil {
				t.Fatal(err)
			}
			c := imported(t, open(t), ingest.Request{
				Source:   filepath.Join(dir, row[1]),
				Settings: rasterbase.Settings{MaxZoom: &z, Resampling: rasterbase.Nearest},
			})
			got := window(t, c, coverage.WindowRequest{Level: coverage.ZoomLevel(z), X: x * 256, Y: y * 256, Width: 256, Height: 256})
			_, want := read(t, filepath.Join(dir, "expected/warp_tiles", row[0]))
			for band := range got.Bands {
				compareTile(t, band, got, want)
			}
		})
	}
}

func compareTile(t *testing.T, band int, got *raster.Raster, want *ingest.Block) {
	t.Helper()
	same, valid, validity := 0, 0, 0
	for i := range want.Bands[band].Len() {
		v := want.Bands[band].At(i)
		ok := got.Bands[band].IsData(v) && (want.Masks == nil || want.Masks[band] == nil || want.Masks[band][i] != 0)
		if ok != got.Valid(band, i) {
			validity++
		}
		if ok && got.Valid(band, i) {
			valid++
			if got.Bands[band].Pixels.At(i) == v {
				same++
			}
		}
	}
	t.Logf("band %d: %d of %d valid pixels identical (%.3f%%), validity differs in %d", band+1, same, valid, 100*float64(same)/float64(max(1, valid)), validity)
	if valid == 0 || float64(same) < 0.99*float64(valid) {
		t.Errorf("band %d: only %d of %d valid pixels agree with gdalwarp", band+1, same, valid)
	}
	if validity > 65536/200 {
		t.Errorf("band %d: validity differs from gdalwarp in %d pixels", band+1, validity)
	}
}

// Every file that can be parsed has the statistics that GDAL computes, and
// every other file is refused with a reason.
func TestEveryFile(t *testing.T) {
	dir := testdata(t)
	facts := map[string][][]string{}
	for _, row := range table(t, filepath.Join(dir, "expected/gdal_facts.tsv")) {
		facts[row[0]] = append(facts[row[0]], row)
	}
	for _, row := range table(t, filepath.Join(dir, "MANIFEST.tsv")) {
		name, kind := row[0], row[len(row)-2]
		if strings.HasPrefix(name, "corrupt/") || strings.HasPrefix(name, "expected/") || strings.HasPrefix(name, "vector/") ||
			strings.HasPrefix(kind, "sidecar") || strings.HasPrefix(kind, "legend") || row[3] == "MD" {
			continue
		}
		t.Run(name, func(t *testing.T) { everyFile(t, filepath.Join(dir, name), facts[name]) })
	}
}

func everyFile(t *testing.T, path string, facts [][]string) {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() && info.Size() > 1<<21 {
		t.Skip("large, and -short")
	}
	st := open(t)
	layer, err := parser(t, st, gdal.Opener{}).Import(t.Context(), ingest.Request{Source: path}, nil)
	if err != nil {
		t.Logf("refused: %v", err)
		if rasterbase.CodeOf(err) == rasterbase.Internal {
			t.Error("the reason is not one for the user")
		}
		return
	}
	c, err := coverage.OpenLayer(t.Context(), st, layer.ID)
	if err != nil {
		t.Fatal(err)
	}
	rev := c.Revision()
	t.Logf("%s %s zoom %d, %d base, %d pyramid", rev.Datatype, rev.Driver, rev.MaxZoom, rev.BaseTiles, rev.PyramidTiles)
	for i, b := range rev.Bands {
		if i < len(facts) {
			compareFacts(t, i, b, facts[i])
		}
	}
	if ext := filepath.Ext(path); ext == ".zip" || ext == ".gz" || rev.Grid.Width*rev.Grid.Height > 4_000_000 {
		return
	}
	baseIsTheFile(t, c, path)
}

// A damaged file, opened in a child process, ends in an error for the user or
// in a layer, within a time; a failure leaves nothing, and another layer of the
// store is served as before.
func TestCorruptFiles(t *testing.T) {
	dir := testdata(t)
	files, err := os.ReadDir(filepath.Join(dir, "corrupt"))
	if err != nil {
		t.Fatal(err)
	}
	st := open(t)
	p := parser(t, st, gdalchild.Opener{})
	good, err := p.Import(t.Context(), ingest.Request{Source: filepath.Join(dir, "dem/luxembourg_elev.tif")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, st, good.ID)
	stored, err := st.Tiles().Revisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			layer, err := p.Import(ctx, ingest.Request{Source: filepath.Join(dir, "corrupt", f.Name()), Settings: rasterbase.Settings{SRID: 32631}}, nil)
			if ctx.Err() != nil {
				t.Fatal("it takes too long")
			}
			if err == nil {
				r := contents(t, st, layer.ID).rev
				t.Logf("parsed: %d x %d, %d tiles", r.Grid.Width, r.Grid.Height, r.BaseTiles+r.PyramidTiles)
				if err := p.Delete(t.Context(), layer.ID); err != nil {
					t.Fatal(err)
				}
			} else {
				t.Logf("refused: %v", err)
				if rasterbase.CodeOf(err) == rasterbase.Internal || strings.Contains(err.Error(), "rasterbase-source") {
					t.Errorf("the reason is not one for the user: %v", err)
				}
			}
			left, err := st.Tiles().Revisions(t.Context())
			if err != nil || !slices.Equal(left, stored) {
				t.Errorf("stored are %v, %v", left, err)
			}
		})
	}
	if after := contents(t, st, good.ID); !reflect.DeepEqual(before, after) {
		t.Error("the layer that was there before has changed")
	}
}

func compareFacts(t *testing.T, i int, b rasterbase.Band, row []string) {
	t.Helper()
	num := func(k int) float64 {
		v, err := strconv.ParseFloat(row[k], 64)
		if err != nil {
			return math.NaN()
		}
		return v
	}
	if row[14] == "" {
		return
	}
	if n := num(14); float64(b.Count) != n {
		t.Errorf("band %d: %d valid pixels, GDAL counts %v", i+1, b.Count, n)
		return
	}
	for _, f := range []struct {
		name      string
		got, want float64
	}{{"min", b.Min, num(15)}, {"max", b.Max, num(16)}, {"mean", b.Mean, num(17)}, {"std", b.Std, num(18)}} {
		if !math.IsNaN(f.want) && math.Abs(f.got-f.want) > 1e-6*math.Max(1, math.Abs(f.want)) {
			t.Errorf("band %d: %s is %v, GDAL says %v", i+1, f.name, f.got, f.want)
		}
	}
	var n int64
	for _, v := range b.Histogram.Values {
		n += v.Count
	}
	for _, v := range b.Histogram.Bins {
		n += v
	}
	if n != b.Count {
		t.Errorf("band %d: the histogram counts %d pixels of %d", i+1, n, b.Count)
	}
}
