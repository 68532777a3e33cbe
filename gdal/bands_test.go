//go:build cgo && !nogdal

package gdal_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// TestBands reads some bands of a raster and compares them with what reading
// all gives.
func TestBands(t *testing.T) {
	ctx := context.Background()
	r := raster.New(utm, 26711, rasterbase.Int16, rasterbase.Int16, rasterbase.Int16)
	r.Validity = make([]uint8, utm.Width*utm.Height)
	for i := range r.Validity {
		for k, b := range r.Bands {
			b.Pixels.Set(i, float64(1000*k+i))
		}
		r.Validity[i] = uint8(i % 3 * 127)
	}
	d := open(t, write(t, r, gdal.WriteOptions{}), ingest.OpenOptions{})
	w := ingest.Window{X: 2, Y: 3, Width: 11, Height: 7}
	all, err := d.Read(ctx, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, bands := range [][]int{{0}, {2}, {2, 0}, {1, 2, 0}} {
		b, err := d.Read(ctx, w, bands)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Bands) != len(bands) || len(b.Masks) != len(bands) || b.Window != w {
			t.Fatalf("bands %v: %d bands and %d masks", bands, len(b.Bands), len(b.Masks))
		}
		for k, i := range bands {
			if !bytes.Equal(b.Bands[k].Bytes(), all.Bands[i].Bytes()) || !bytes.Equal(b.Masks[k], all.Masks[i]) {
				t.Errorf("bands %v: number %d is not band %d", bands, k, i)
			}
		}
	}
	for _, bands := range [][]int{{}, {3}, {-1}, {0, 1, 2, 0}} {
		if _, err := d.Read(ctx, w, bands); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("bands %v of three: %v", bands, err)
		}
	}
}

// TestBandsWithinLimit reads one band of a raster whose bands together are too
// much for one read.
func TestBandsWithinLimit(t *testing.T) {
	path := write(t, raster.New(utm, 26711, rasterbase.Uint8, rasterbase.Uint8), gdal.WriteOptions{})
	pixels := int64(utm.Width * utm.Height)
	d, err := gdal.Opener{Limits: gdal.Limits{ReadBytes: 2 * pixels}}.Open(context.Background(), path, ingest.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	w := ingest.Window{Width: utm.Width, Height: utm.Height}
	if _, err := d.Read(context.Background(), w, nil); rasterbase.CodeOf(err) != rasterbase.TooLarge {
		t.Errorf("both bands: %v", err)
	}
	if _, err := d.Read(context.Background(), w, []int{1}); err != nil {
		t.Errorf("one band: %v", err)
	}
}

// TestNoFolders opens what is no raster, and looks for its folder in what is
// said.
func TestNoFolders(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.tif": "II*\x00\x08\x00\x00\x00\x00\x00", "b.txt": "text", "c.png": "\x89PNG\r\n\x1a\n", "d.jp2": "\x00\x00\x00\x0cjP  \r\n\x87\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.tif", "b.txt", "c.png", "d.jp2", "none.tif", "."} {
		_, err := gdal.Opener{}.Open(context.Background(), filepath.Join(dir, name), ingest.OpenOptions{})
		if err == nil || strings.Contains(err.Error(), dir+"/") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
