// Package export writes what a coverage holds into files that other programs
// open: a GeoTIFF, a GeoTIFF with overviews that is read over HTTP part by part
// (a cloud optimized GeoTIFF), or a zip with the file, what it is made of and its
// colours. The pixels are those of the coverage, at a zoom or at its base grid.
//
//	plan, err := export.NewPlan(ctx, cov, export.Request{Area: polygon, AreaCRS: rasterbase.CRS{SRID: 4326}})
//	…
//	err = export.Write(ctx, file, plan, export.Options{})
//
// Memory is bounded whatever the size of the file: see [Plan.Make].
package export

import (
	"context"
	"io"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
)

// Format is what a file is laid out for.
type Format string

// The formats. Both are GeoTIFFs, tiled, with all that says what they are before
// the pixels, so that they can be read while they come.
const (
	GeoTIFF Format = "tif" // the pixels alone
	COG     Format = "cog" // with overviews: a cloud optimized GeoTIFF
)

// Request says what of a coverage is exported. The zero value is all of it, at its
// base grid, as a GeoTIFF without compression.
type Request struct {
	Format Format // empty: GeoTIFF
	// Zoom is a zoom of the XYZ grid, in EPSG:3857; nil is the base grid: the
	// source's own pixels and projection. Zooms beyond the max zoom repeat pixels.
	Zoom *int
	// Area limits the export. Of an orb.Bound, or an orb.Collection of them as
	// footprint.BoxGeometry makes it, all pixels are exported that it has a part in.
	// Of a polygon or several, those whose centre lies inside; the others of the
	// rectangle around them become invalid. Nil is everything.
	Area    orb.Geometry
	AreaCRS rasterbase.CRS // of Area
	Bands   []int          // from 0, in the order of the file; nil: all
	// Transformer brings the area into the coverage's CRS; nil: closed forms only.
	Transformer crs.Transformer
	// MaxPixels is how many pixels, width times height, are exported at most; 0: no
	// limit.
	MaxPixels int64
	// Compression is a name as RASTER_COMPRESS_METHOD has them, in any case; empty
	// or "none" for none. LZMA and the three of CCITT need Options.Recompress.
	Compression string
	Quality     int // of JPEG, 1 to 100; 0 is 85
	// Colors becomes the colour table of the file where that has one band of whole
	// numbers of at most 8 bits; nil: none.
	Colors *rasterbase.Colormap
}

// Options say how a file is made.
type Options struct {
	// TempDir is the folder for the one temporary file, which takes as many bytes as
	// what is made and is gone after [File.Close]; empty: the system's.
	TempDir string
	Workers int // blocks made at a time; 0: as many as there are cores
	// Progress is told how many of Plan.Pixels are done, by one goroutine at a time;
	// nil: nobody is.
	Progress func(done int64)
	// Recompress writes the GeoTIFF at the path from, with its overviews and masks,
	// to the path to with a compression that only GDAL has. Nil: such
	// plans fail with code unsupported.
	Recompress func(ctx context.Context, from, to, compression string) error
}

// Write makes the file of a plan and writes it. Nothing is written before the file
// is complete, so that an error of the reading never leaves a part of it.
func Write(ctx context.Context, w io.Writer, p *Plan, o Options) error {
	f, err := p.Make(ctx, o)
	if err != nil {
		return err
	}
	_, err = f.WriteTo(w)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
