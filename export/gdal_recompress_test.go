//go:build cgo && !nogdal

package export_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/export"
	"github.com/rasterbase/rasterbase/gdal"
)

// recompress is GDAL's, in builds that have it.
var recompress = gdal.Recompress

// What GDAL packs anew holds the same pixels, masks and overviews.
func TestGDALPacksAnew(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	var all []*exported
	for i, tt := range []struct {
		method string
		pt     rasterbase.PixelType
		format export.Format
	}{
		{"LZMA", rasterbase.Float32, export.GeoTIFF}, {"LZMA", rasterbase.Uint8, export.COG},
		{"CCITTFAX4", rasterbase.Bit1, export.COG}, {"CCITTFAX3", rasterbase.Bit1, export.GeoTIFF}, {"CCITTRLE", rasterbase.Bit1, export.GeoTIFF},
	} {
		s := checkers(tt.method+tt.pt.String()+string(tt.format), 700, 300)
		s.NoPyramid = true
		s.Bands[0].PixelType = tt.pt
		s.Value = func(_, x, y int) (float64, bool) { return float64(x / 9 % 2), (x+y)/40%5 > 0 || i == 3 }
		all = append(all, &exported{name: s.Layer.Name, cov: addLayer(t, st, s), r: export.Request{Format: tt.format, Compression: tt.method}})
	}
	for i, g := range check(t, all) {
		if got := g.Structure["COMPRESSION"]; got != all[i].r.Compression {
			t.Errorf("%s: packed by %s", all[i].name, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to := filepath.Join(t.TempDir(), "to.tif")
	if err := gdal.Recompress(ctx, all[0].path, to, "LZMA"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := gdal.Recompress(t.Context(), filepath.Join(t.TempDir(), "none.tif"), to, "LZMA"); err == nil {
		t.Error("a file that is not there is packed anew")
	}
	_, err := all[0].plan.Make(t.Context(), export.Options{Recompress: func(context.Context, string, string, string) error { return io.ErrShortWrite }})
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a failure of GDAL is %v", err)
	}
}
