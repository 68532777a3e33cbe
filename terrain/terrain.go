// Package terrain makes pictures of heights: a hillshade, the slope, and heights
// written as colours, as maps in three dimensions read them.
//
// Hillshade and slope look at the 3x3 pixels around each, so they take a raster
// with one pixel more at each side than the result has. When these are the
// pixels that the neighbouring tiles have, tiles show no seams.
package terrain

import (
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Heights says how the heights of a raster are read.
type Heights struct {
	Band int // from 0
	// Factor is the metres in a unit of height, times how much heights are to be
	// exaggerated: 0.3048 for feet. 0 counts as 1.
	Factor float64
}

// factor is the Factor in force.
func (h Heights) factor() float64 {
	if h.Factor == 0 {
		return 1
	}
	return h.Factor
}

func (h Heights) check(r *raster.Raster) error {
	if h.Band < 0 || h.Band >= len(r.Bands) {
		return rasterbase.Errorf(rasterbase.Invalid, "there is no band %d: the raster has %d", h.Band+1, len(r.Bands)).WithField("band")
	}
	if f := h.factor(); !(math.Abs(f) <= math.MaxFloat64) {
		return rasterbase.Errorf(rasterbase.Invalid, "a factor of heights of %v", f).WithHint("1 for metres, 0.3048 for feet").WithField("factor")
	}
	return nil
}

// window is a raster with a margin of one pixel whose heights are looked at.
type window struct {
	r      *raster.Raster
	band   int
	factor float64
	ground Ground
}

func newWindow(r *raster.Raster, g Ground, h Heights) (*window, error) {
	if err := h.check(r); err != nil {
		return nil, err
	}
	if r.Width < 3 || r.Height < 3 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a raster of %dx%d pixels has nothing within a margin of one", r.Width, r.Height)
	}
	if err := g.check(r.Height); err != nil {
		return nil, err
	}
	return &window{r, h.Band, h.factor(), g}, nil
}

// result is a raster of one band that lies within the margin.
func (w *window) result(b raster.Band) *raster.Raster {
	out := &raster.Raster{Grid: w.r.Grid, SRID: w.r.SRID}
	out.OriginX, out.OriginY = w.r.World(1, 1)
	out.Width, out.Height = w.r.Width-2, w.r.Height-2
	b.Pixels = raster.NewPixels(b.Type, out.Width*out.Height)
	out.Bands = []raster.Band{b}
	return out
}
