//go:build cgo && !nogdal

package gdal_test

import (
	"math"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/raster/pgxraster"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// postgis is a connection whose PostGIS may use GDAL for GeoTIFF.
func postgis(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	if err := pgxraster.Register(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `SELECT ST_GDALDrivers(); SET postgis.gdal_enabled_drivers = 'GTiff'`); err != nil {
		t.Fatal(err)
	}
	return conn
}

// shared are the types that a byte of GDAL's and one of PostGIS's are the same
// for: PostGIS takes signed and narrow pixels for plain bytes.
var shared = []rasterbase.PixelType{
	rasterbase.Uint8, rasterbase.Int16, rasterbase.Uint16, rasterbase.Int32, rasterbase.Uint32, rasterbase.Float32, rasterbase.Float64,
}

// The GeoTIFF that we make of a raster and the one that PostGIS makes of it are
// the same raster, read by either.
func TestGeoTIFFOfPostGIS(t *testing.T) {
	conn := postgis(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawBands(t, shared)
		for i := range r.Bands {
			if math.IsInf(r.Bands[i].Nodata, 0) { // PostGIS makes finite nodata of it
				r.Bands[i].HasNodata, r.Bands[i].Nodata = false, 0
			}
		}
		ours, err := gdal.EncodeGeoTIFF(t.Context(), r, gdal.WriteOptions{Compression: "DEFLATE"})
		if err != nil {
			t.Fatal(err)
		}
		var read raster.Raster
		var theirs []byte
		if err := conn.QueryRow(t.Context(), `SELECT ST_FromGDALRaster($1), ST_AsGDALRaster($2, 'GTiff', ARRAY['ALPHA=NO'])`, ours, r).Scan(&read, &theirs); err != nil {
			t.Fatal(err)
		}
		if !raster.Equal(&read, r) {
			t.Fatalf("PostGIS read %+v\nwe wrote %+v", read, r)
		}
		got, err := gdal.DecodeGeoTIFF(t.Context(), theirs)
		if err != nil {
			t.Fatal(err)
		}
		if !raster.Equal(got, r) {
			t.Fatalf("we read %+v\nPostGIS wrote %+v", got, r)
		}
	})
}
