// Package coverage reads: a [Coverage] is anything that can be read as a grid
// of pixels, at its own base grid and at every zoom of the XYZ grid. Stored
// layers are coverages, and formulas over layers are: see [Open]. The server, the
// counts, the exports and the commands read through it and see no store.
package coverage

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// Coverage is a grid of pixels. It is fixed to one state of its inputs: what
// it answers does not change when a layer is parsed anew. Then its tiles are
// dropped sooner or later, and reading fails with store.ErrRevisionGone: open
// the coverage again.
type Coverage interface {
	// Describe tells what can be read.
	Describe() Description
	// Version names the state that is read: equal versions mean equal pixels.
	Version() string
	// Window reads a rectangle of pixels of a level. Pixels outside the
	// coverage are invalid. The raster is shared and must not be changed.
	Window(ctx context.Context, r WindowRequest) (*raster.Raster, error)
	// Summaries returns the summary pages of a level that touch a box of
	// pages. The error has code unsupported when the coverage keeps none.
	Summaries(ctx context.Context, q SummaryQuery) ([]store.SummaryPage, error)
}

// Description is what a coverage holds.
type Description struct {
	Name       string
	Datatype   rasterbase.Datatype
	CRS        rasterbase.CRS  // of the base grid
	Grid       rasterbase.Grid // the base grid
	TileSize   int
	HasPyramid bool
	// NoBase says that the base grid is a part of the max zoom's pixels: of the
	// source's own there are none.
	NoBase bool
	// BaseError says why there is no base grid, nil where there is one: reading
	// BaseLevel fails with it, and CRS and Grid are empty. The inputs of a formula
	// can have grids that do not fit together.
	BaseError error
	MaxZoom   int // zooms beyond it are made from it
	Bands     []rasterbase.Band
	Bounds    rasterbase.Bounds
}

// Level is a grid of pixels of a coverage: the base grid, or one zoom of the
// XYZ grid, whose pixels are counted from the upper left of the world, tile
// size times 2^zoom a side.
type Level struct {
	Kind rasterbase.Kind
	Zoom int // 0 for the base grid
}

// BaseLevel is the source's own grid.
var BaseLevel = Level{Kind: rasterbase.Base}

// ZoomLevel is a zoom of the XYZ grid.
func ZoomLevel(z int) Level { return Level{Kind: rasterbase.Pyramid, Zoom: z} }

// WindowRequest is a rectangle of a level, in its pixels. Bands count from 0;
// nil means all.
type WindowRequest struct {
	Level         Level
	X, Y          int
	Width, Height int
	Bands         []int
}

// SummaryQuery selects summary pages of a level.
type SummaryQuery struct {
	Level Level
	Depth int
	Pages *store.PageBox // nil: all pages
}
