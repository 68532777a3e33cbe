package server_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/xyz"
)

// tileFiles reads pixels of GeoTIFF tiles, each of which is asked for once.
type tileFiles struct {
	t      *testing.T
	s      http.Handler
	blocks map[string]*tileFile
}

type tileFile struct {
	*ingest.Block
	nodata *rasterbase.Float
}

// at is a pixel of a tile.
func (f *tileFiles) at(path string, x, y int) (value float64, valid bool) {
	f.t.Helper()
	b := f.blocks[path]
	if b == nil {
		w := get(f.t, f.s, path)
		wantStatus(f.t, w, 200)
		name := filepath.Join(f.t.TempDir(), "tile.tif")
		if err := os.WriteFile(name, w.Body.Bytes(), 0o600); err != nil {
			f.t.Fatal(err)
		}
		ds, err := gdal.Opener{}.Open(f.t.Context(), name, ingest.OpenOptions{})
		if err != nil {
			f.t.Fatalf("%s: %v", path, err)
		}
		defer ds.Close()
		b = &tileFile{nodata: ds.Info().Bands[0].Nodata}
		if b.Block, err = ds.Read(f.t.Context(), ingest.Window{Width: 256, Height: 256}, []int{0}); err != nil {
			f.t.Fatal(err)
		}
		f.blocks[path] = b
	}
	i := y*256 + x
	value = b.Bands[0].At(i)
	masked := b.Masks != nil && b.Masks[0] != nil && b.Masks[0][i] == 0
	return value, !masked && !math.IsNaN(value) && (b.nodata == nil || value != float64(*b.nodata))
}

// A pixel of a zoom is that of the tile there.
func TestPixelAgreesWithTiles(t *testing.T) {
	if !gdal.Available {
		t.Skip("this build has no GDAL to read tiles with")
	}
	_, s := pixels(t)
	tiles := &tileFiles{t: t, s: s, blocks: map[string]*tileFile{}}
	rapid.Check(t, func(rt *rapid.T) {
		z := rapid.IntRange(0, 8).Draw(rt, "zoom")
		// A place near the layers.
		px, py := xyz.PixelGrid(6, 256).World(rapid.Float64Range(32*256-20, 35*256).Draw(rt, "x"), rapid.Float64Range(22*256-20, 24*256).Draw(rt, "y"))
		col, row := xyz.PixelGrid(z, 256).Pixel(px, py)
		x, y := int(col), int(row)
		c := rapid.SampledFrom([]struct{ query, tile string }{
			{"layers=a=1", "/tiles/1/%d/%d/%d.tif"},
			{"layers=a=2", "/tiles/2/%d/%d/%d.tif"},
			{"layers=a=2,b=3&formula=b/(a%2B1)", "/algebra/%d/%d/%d.tif?layers=a=2,b=3&formula=b/(a%%2B1)"},
			{"layers=a=2,b=4&formula=a>b", "/algebra/%d/%d/%d.tif?layers=a=2,b=4&formula=a>b"},
		}).Draw(rt, "what")
		doc := decode[pixelDoc](t, get(t, s, fmt.Sprintf("/pixel/%v/%v?%s&zoom=%d", px, py, c.query, z)))
		want, valid := tiles.at(fmt.Sprintf(c.tile, z, x/256, y/256), x%256, y%256)
		if doc.Valid != valid || valid && *doc.Value != want {
			rt.Fatalf("%s at zoom %d: %s, and in the tile %v (%v)", c.query, z, doc.value(), want, valid)
		}
	})
}
