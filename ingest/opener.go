package ingest

import (
	"context"
	"errors"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Opener opens raster files. The gdal package has one that works in this
// process, gdalchild one that works in a child process of its own.
type Opener interface {
	// Open opens the raster at a path. The error has code invalid when the
	// file cannot be read as a raster, or when it holds several and none was
	// named: then it is a *SeveralRasters.
	Open(ctx context.Context, path string, o OpenOptions) (Dataset, error)
}

// OpenOptions says how a source is opened.
type OpenOptions struct {
	// Subdataset names one raster of a file that holds several, as it stands
	// in Info.Subdatasets.
	Subdataset string
	// SRID replaces the file's CRS when not 0.
	SRID int
	// Parallel is how many requests the dataset answers at once; 0: 1.
	Parallel int
	// Oversized opens also files that cannot be read as they are, since their
	// blocks are too large: Info.Oversized says so, and the dataset is a [Tiler].
	Oversized bool
}

// SeveralRasters is the error of opening a file that holds several rasters
// when none was named.
type SeveralRasters struct {
	Path    string
	Rasters []Subdataset
}

// Subdataset is one raster of a file that holds several.
type Subdataset struct {
	Name        string `json:"name"` // what the user names it by: a variable, a table, a file in a zip
	Description string `json:"description"`
}

// Dataset is an open raster. Its methods can be called by several goroutines.
type Dataset interface {
	Info() Info
	// Read reads a window of the source's own pixels, of the bands asked for:
	// indices into Info.Bands, in any order; nil: all. The error has code
	// invalid when there is no such window or band, too large when it is more
	// than the dataset reads at once.
	Read(ctx context.Context, w Window, bands []int) (*Block, error)
	// ToMercator turns places in pixel space (column, row from the upper left
	// corner of the raster) into EPSG:3857 metres, in place, and FromMercator
	// the other way round. A place that has no counterpart becomes NaN, NaN.
	ToMercator(ctx context.Context, places []Place) error
	FromMercator(ctx context.Context, places []Place) error
	Close() error
}

// Place is a place in pixel space or in metres.
type Place struct{ X, Y float64 }

// Window is a part of a raster, in pixels.
type Window struct{ X, Y, Width, Height int }

// Block is the pixels of a window, as they are in the file.
type Block struct {
	Window
	// Bands has the pixels of each band that was asked for, in that order, row
	// by row.
	Bands []raster.Pixels
	// Masks has for each of Bands what the file's mask or alpha band says: a
	// byte a pixel, 0 for invalid. Nil when the file has neither, or all are
	// valid. Nodata values are not considered here. Bands may share a mask.
	Masks [][]uint8
}

// Info is what a file says of itself. Bands that hold alpha are not among
// Bands; they count as a mask.
type Info struct {
	Driver string // GDAL's short name: GTiff
	Grid   rasterbase.Grid
	// CRS has SRID 0 when there is no EPSG code for it; the WKT is kept then.
	CRS rasterbase.CRS
	// GroundControl is true when the file has only ground control points: Grid
	// and pixels are then those of GDAL's suggested warp of them.
	GroundControl bool
	Bands         []BandInfo
	// HasMask is true when Block.Masks can be set.
	HasMask bool
	// Block is the size of the blocks that the file is stored in.
	BlockWidth, BlockHeight int
	// Sequential is true when a window that lies before another one takes as long
	// as all rows before it, or each window as long as a block of many: the file
	// is best read once, in order.
	Sequential bool
	// Oversized is true when no window can be read before the dataset, which is a
	// [Tiler], has made a tiled copy.
	Oversized bool
	Warnings  []string // of GDAL, on opening
}

// BandInfo is what a file says of a band.
type BandInfo struct {
	PixelType   rasterbase.PixelType
	Nodata      *rasterbase.Float
	Description string
	ColorInterp string // GDAL's name in lower case: gray, palette, red, undefined
	Unit        string
	Scale       float64
	Offset      float64
	// Classes is the colour table joined with the attribute table and the
	// class names, by value. Entries that say nothing are left out.
	Classes                                         []rasterbase.Class
	HasColorTable, HasAttributeTable, HasClassNames bool
}

// Select gives the indices of the bands that a call of Dataset.Read asks for:
// all when it names none with nil. The error, for a list that is empty, longer
// than there are bands, or names a band that the raster has not, has code
// invalid.
func (i Info) Select(bands []int) ([]int, error) {
	if bands == nil {
		all := make([]int, len(i.Bands))
		for k := range all {
			all[k] = k
		}
		return all, nil
	}
	if len(bands) == 0 || len(bands) > len(i.Bands) {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%d bands are asked for of a raster of %d", len(bands), len(i.Bands))
	}
	for _, b := range bands {
		if b < 0 || b >= len(i.Bands) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "band %d is asked for of a raster of %d bands", b+1, len(i.Bands))
		}
	}
	return bands, nil
}

// Error lists the rasters and says how to name one.
func (e *SeveralRasters) Error() string {
	s := "the file holds several rasters; name one of them with --subdataset:"
	for _, r := range e.Rasters {
		s += "\n  " + r.Name
		if r.Description != "" {
			s += "  " + r.Description
		}
	}
	return s
}

// Unwrap gives the error as one with code invalid.
func (e *SeveralRasters) Unwrap() error {
	several := rasterbase.Errorf(rasterbase.Invalid, "the file holds several rasters").WithField("subdataset")
	for _, r := range e.Rasters {
		several.Choices = append(several.Choices, rasterbase.Choice{Name: r.Name, Description: r.Description})
	}
	return several
}

// ErrCrashed is matched by the error of an opener whose process died of a fault
// while it read a file. The file may be at fault or not: it is tried again.
var ErrCrashed = errors.New("the GDAL process crashed")
