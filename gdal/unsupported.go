//go:build !cgo || nogdal

package gdal

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
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

// Transformer is a crs.Transformer that this build cannot offer.
type Transformer struct{}

// Between returns an error with code unsupported in this build.
func (Transformer) Between(from, to rasterbase.CRS) (crs.Transform, error) { return nil, without() }
