//go:build !cgo || nogdal

package gdal

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/vector"
)

// Available reports whether this build has GDAL.
const Available = false

func without() error {
	return rasterbase.Errorf(rasterbase.Unsupported, "this build has no GDAL").
		WithHint("build with cgo and libgdal, without the tag nogdal")
}

// Version is the version of libgdal; empty in this build, which has none.
func Version() string { return "" }

// Open returns an error with code unsupported in this build.
func (Opener) Open(context.Context, string, ingest.OpenOptions) (ingest.Dataset, error) {
	return nil, without()
}

// Write returns an error with code unsupported in this build.
func Write(context.Context, string, *raster.Raster, WriteOptions) error { return without() }

// Recompress returns an error with code unsupported in this build.
func Recompress(context.Context, string, string, string) error { return without() }

// Writer writes a GeoTIFF part by part, which this build cannot.
type Writer struct{}

// Create returns an error with code unsupported in this build.
func Create(context.Context, string, *raster.Raster, WriteOptions) (*Writer, error) {
	return nil, without()
}

// Write returns an error with code unsupported in this build.
func (*Writer) Write(context.Context, int, int, *raster.Raster) error { return without() }

// Close returns an error with code unsupported in this build.
func (*Writer) Close() error { return without() }

// EncodeGeoTIFF returns an error with code unsupported in this build.
func EncodeGeoTIFF(context.Context, *raster.Raster, WriteOptions) ([]byte, error) {
	return nil, without()
}

// DecodeGeoTIFF returns an error with code unsupported in this build.
func DecodeGeoTIFF(context.Context, []byte) (*raster.Raster, error) { return nil, without() }

// OpenRaster returns an error with code unsupported in this build.
func OpenRaster(context.Context, *raster.Raster, WriteOptions) (ingest.Dataset, error) {
	return nil, without()
}

// Transformer is a crs.Transformer that this build cannot offer.
type Transformer struct{}

// Between returns an error with code unsupported in this build.
func (Transformer) Between(from, to rasterbase.CRS) (crs.Transform, error) { return nil, without() }

// OpenVector returns an error with code unsupported in this build.
func (Opener) OpenVector(context.Context, string, vector.Options) (vector.Source, error) {
	return nil, without()
}

// VectorWriter writes a GeoPackage, which this build cannot.
type VectorWriter struct{}

// CreateGeoPackage returns an error with code unsupported in this build.
func CreateGeoPackage(context.Context, string, VectorLayer) (*VectorWriter, error) {
	return nil, without()
}

// Write returns an error with code unsupported in this build.
func (*VectorWriter) Write(context.Context, []vector.Feature) error { return without() }

// Close returns an error with code unsupported in this build.
func (*VectorWriter) Close() error { return without() }
