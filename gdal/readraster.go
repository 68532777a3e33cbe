package gdal

import (
	"bytes"
	"context"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// ReadRaster reads a whole data set, its own pixels untouched, as a raster:
// what the inverse of [OpenRaster] is, and the way from a file to a PostGIS
// column. Masks and alpha become Validity. A CRS without an EPSG code leaves
// the srid 0.
//
// The error has code too large for more bytes than the data set's limit for one
// read, which is 256 MiB by default, and code unsupported when the bands have
// masks that differ.
func ReadRaster(ctx context.Context, d ingest.Dataset) (*raster.Raster, error) {
	info := d.Info()
	b, err := d.Read(ctx, ingest.Window{Width: info.Grid.Width, Height: info.Grid.Height}, nil)
	if err != nil {
		return nil, fmt.Errorf("read the raster: %w", err)
	}
	r := &raster.Raster{Grid: info.Grid, SRID: info.CRS.SRID, Bands: make([]raster.Band, len(b.Bands))}
	for i, p := range b.Bands {
		r.Bands[i] = raster.Band{Type: info.Bands[i].PixelType, Pixels: p}
		if n := info.Bands[i].Nodata; n != nil {
			r.Bands[i].HasNodata, r.Bands[i].Nodata = true, float64(*n)
		}
	}
	for i, m := range b.Masks {
		if i == 0 {
			r.Validity = m
		} else if !bytes.Equal(m, r.Validity) {
			return nil, rasterbase.Errorf(rasterbase.Unsupported, "the bands have masks that differ, and a raster has one validity for all of its bands").
				WithHint("read band by band")
		}
	}
	return r, nil
}
