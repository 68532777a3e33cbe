package postgis_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/raster"
)

// connection is GDAL's name of a table: all of its rows are one raster.
func connection(t testing.TB, address, table string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("PG:host=%s port=%s user=%s dbname=%s schema=rasterbase table=%s column=rast mode=2",
		u.Hostname(), u.Port(), u.User.Username(), strings.TrimPrefix(u.Path, "/"), table)
}

// gdalInfo is what gdalinfo says.
type gdalInfo struct {
	Size             []int
	GeoTransform     []float64
	CoordinateSystem struct{ WKT string }
	Bands            []struct {
		Type        string
		NoDataValue *rasterbase.Float
		Overviews   []struct{ Size []int }
		ComputedMin *float64
	}
}

// gdalReadsTheSame reads a layer's base table and its views through GDAL's
// PostGISRaster driver.
func gdalReadsTheSame(t *testing.T, address string, l imported, views []postgis.View) {
	var source gdalInfo
	decodeJSON(t, gdalTool(t, "gdalinfo", "-json", l.path), &source)
	want := l.raster()
	for _, v := range views {
		if v.Kind != rasterbase.Base {
			gdalReadsPyramid(t, address, l, v)
			continue
		}
		set := bandSetOf(t, v)
		if set > 0 && set < l.rev.BandSets()-1 { // as those before and after
			continue
		}
		for _, name := range []string{v.Table, v.Name} {
			var got gdalInfo
			decodeJSON(t, gdalTool(t, "gdalinfo", "-json", connection(t, address, name)), &got)
			compareInfo(t, name, got, source, l.rev.BandSet(set))
		}
		// GDAL's gdal_translate without options believes a table with
		// constraints to be empty; gdalwarp copies the pixels.
		samePixels(t, "gdalwarp of "+v.Table, fileMade(t, "gdalwarp", "-q", connection(t, address, v.Table)), want, l.rev.BandSet(set))
		samePixels(t, "gdal_translate of "+v.Name, fileMade(t, "gdal_translate", "-q", connection(t, address, v.Name)), want, l.rev.BandSet(set))
		if l.nodata != nil {
			samePixels(t, "gdal_translate of "+v.Table, fileMade(t, "gdal_translate", "-q", "-a_nodata", fmt.Sprint(*l.nodata),
				connection(t, address, v.Table)), want, l.rev.BandSet(set))
		}
	}
}

// gdalReadsPyramid reads the tiles of the max zoom, whose overviews are the
// zooms below.
func gdalReadsPyramid(t *testing.T, address string, l imported, v postgis.View) {
	t.Helper()
	var got gdalInfo
	decodeJSON(t, gdalTool(t, "gdalinfo", "-json", connection(t, address, v.Table)), &got)
	if !strings.Contains(got.CoordinateSystem.WKT, `ID["EPSG",3857]`) {
		t.Errorf("%s is in %s", v.Table, got.CoordinateSystem.WKT)
	}
	if scale := 2 * 20037508.342789244 / float64(l.settings.TileSize<<l.rev.MaxZoom); !near(got.GeoTransform[1], scale, 1e-9) {
		t.Errorf("%s has pixels of %v, want %v", v.Table, got.GeoTransform[1], scale)
	}
	if len(got.Bands[0].Overviews) < 3 {
		t.Errorf("%s has the overviews %v", v.Table, got.Bands[0].Overviews)
	}
}

func compareInfo(t *testing.T, name string, got, source gdalInfo, bands []int) {
	t.Helper()
	for i, v := range source.GeoTransform {
		if !near(got.GeoTransform[i], v, 1e-9) {
			t.Errorf("%s has the geotransform %v, the file %v", name, got.GeoTransform, source.GeoTransform)
			break
		}
	}
	if got.Size[0] != source.Size[0] || got.Size[1] != source.Size[1] {
		t.Errorf("%s has size %v, the file %v", name, got.Size, source.Size)
	}
	if a, b := epsg(got.CoordinateSystem.WKT), epsg(source.CoordinateSystem.WKT); a != b || a == "" {
		t.Errorf("%s is in %q, the file in %q", name, a, b)
	}
	if len(got.Bands) != len(bands) {
		t.Fatalf("%s has %d bands, want %d", name, len(got.Bands), len(bands))
	}
	for i, b := range bands {
		g, w := got.Bands[i], source.Bands[b]
		if g.Type != w.Type || (g.NoDataValue == nil) != (w.NoDataValue == nil) || g.NoDataValue != nil && *g.NoDataValue != *w.NoDataValue {
			t.Errorf("%s: band %d is %s with nodata %v, the file's %s with %v", name, i+1, g.Type, g.NoDataValue, w.Type, w.NoDataValue)
		}
	}
}

// epsg is the code at the end of a WKT.
func epsg(wkt string) string {
	i := strings.LastIndex(wkt, `ID["EPSG",`)
	if i < 0 {
		return ""
	}
	return strings.TrimRight(wkt[i:], "] \n")
}

func decodeJSON(t *testing.T, text []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// fileMade runs a program that writes a GeoTIFF, named last, and reads that.
func fileMade(t *testing.T, program string, args ...string) *raster.Raster {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.tif")
	gdalTool(t, program, append(args, path)...)
	d, err := gdal.Opener{}.Open(t.Context(), path, ingest.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, err := gdal.ReadRaster(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
