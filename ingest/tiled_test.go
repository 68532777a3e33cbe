//go:build cgo && !nogdal

package ingest_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/ingest"
)

// A source whose strips are too large for the GDAL child goes through a tiled
// copy, and comes out as the tiled file that gdal_translate makes of it.
func TestOversizedStrips(t *testing.T) {
	nodata := -9.5
	tests := []struct {
		name   string
		f      geotiff
		create []string // options of gdal_translate
	}{
		{"whole numbers of unknown meaning, a CRS of its own", geotiff{grid: grid(-7500, 6000, 100, 700, 1900), wkt: customWKT(46.2), kind: rasterbase.Uint16,
			value: func(_, col, row int) float64 { return float64((col/7 + row/5) % 40) }}, []string{"-co", "COMPRESS=DEFLATE"}},
		{"two bands with nodata, texts, scale and offset", geotiff{grid: grid(600_000, 5_600_000, 100, 700, 1900), srid: 32632, bands: 2, kind: rasterbase.Float32,
			value: func(band, col, row int) float64 {
				if hash(band, col/9, row/9)%4 == 0 {
					return nodata
				}
				return float64(col*row%977) / 8
			}}, []string{"-co", "COMPRESS=LZW", "-co", "PREDICTOR=3", "-co", "INTERLEAVE=PIXEL", "-a_nodata", "-9.5", "-a_scale", "0.5", "-a_offset", "3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plain := tt.f.write(t)
			path := translated(t, plain, append(tt.create, "-co", "BLOCKYSIZE=1000")...)
			tiles := translated(t, path, "-co", "TILED=YES")
			st := swift(t)
			work := t.TempDir()
			o := gdalchild.Opener{TempDir: work, Limits: gdal.Limits{BlockBytes: 1 << 20}, FileSizeLimit: 1 << 20}
			p := ingest.New(ingest.Config{Store: st, Opener: o, WorkDir: work, Workers: 2, Compress: "JPEG"})
			l, err := p.Import(t.Context(), ingest.Request{Source: path}, nil)
			if err != nil {
				t.Fatal(err)
			}
			p.Close()
			if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
				t.Errorf("temporary files are left: %v %v", left, err)
			}
			_, lines := latest(t, st, l.ID)
			told := false
			for _, line := range lines {
				told = told || strings.Contains(line.Text, "(LZW, since JPEG cannot keep these pixels as they are)")
			}
			if !told {
				t.Errorf("the log does not tell of the copy: %v", lines)
			}
			want, err := ingest.New(ingest.Config{Store: st, Opener: gdal.Opener{}, WorkDir: work}).Import(t.Context(), ingest.Request{Source: tiles}, nil)
			if err != nil {
				t.Fatal(err)
			}
			sameContents(t, contents(t, st, l.ID), contents(t, st, want.ID))
		})
	}
}

// sameContents compares revisions of two layers whose files differ in form only.
func sameContents(t *testing.T, a, b everything) {
	t.Helper()
	ra, rb := a.rev, b.rev
	ra.ID, ra.Layer, ra.Created, ra.PublishedAt, ra.SourceChecksum = rb.ID, rb.Layer, rb.Created, rb.PublishedAt, rb.SourceChecksum
	if !reflect.DeepEqual(ra, rb) {
		t.Errorf("the revisions differ:\n%+v\n%+v", ra, rb)
	}
	if !reflect.DeepEqual(a.pages, b.pages) {
		t.Error("the summaries differ")
	}
	if len(a.tiles) != len(b.tiles) {
		t.Fatalf("%d tiles and %d", len(a.tiles), len(b.tiles))
	}
	for i := range a.tiles {
		x, y := a.tiles[i], b.tiles[i]
		x.RevisionKey = y.RevisionKey
		if !reflect.DeepEqual(x, y) {
			t.Fatalf("tile %v differs", x.TileKey)
		}
	}
}

// Without room for the copy the parse is refused, and nothing is left.
func TestNoRoomForATiledCopy(t *testing.T) {
	f := geotiff{grid: grid(600_000, 5_600_000, 100, 700, 1900), srid: 32632, kind: rasterbase.Uint16,
		value: func(_, col, row int) float64 { return float64(hash(0, col, row) % 60000) }}
	path := translated(t, f.write(t), "-co", "BLOCKYSIZE=1900", "-co", "COMPRESS=LZW")
	work, st := t.TempDir(), swift(t)
	o := gdalchild.Opener{TempDir: work, Limits: gdal.Limits{BlockBytes: 1 << 20}}
	p := ingest.New(ingest.Config{Store: st, Opener: o, WorkDir: work})
	p.SetWorkDisk(func(dir string) (int64, error) {
		if dir != work {
			t.Errorf("asked for the disk of %q", dir)
		}
		return 256<<20 + 1000, nil
	})
	plan, err := p.Plan(t.Context(), ingest.Request{Source: path})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Warnings) == 0 || !strings.Contains(plan.Warnings[len(plan.Warnings)-1], "temporary files may take up to") {
		t.Errorf("the plan warns of %q", plan.Warnings)
	}
	_, err = p.Import(t.Context(), ingest.Request{Source: path}, nil)
	if err == nil || !strings.Contains(err.Error(), "no room for temporary files") || strings.Contains(err.Error(), filepath.Base(work)) {
		t.Errorf("the error is %v", err)
	}
	p.Close()
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
	nothingStored(t, st)
}
