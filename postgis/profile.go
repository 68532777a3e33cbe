package postgis

import (
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// profile is what the tiles of a table have in common.
type profile struct {
	SRID   int                `json:"srid"`
	Grid   rasterbase.Grid    `json:"grid"` // of the first tile
	Types  []string           `json:"types"`
	Nodata []rasterbase.Float `json:"nodata"` // 0 where there is none
	Has    []bool             `json:"has_nodata"`
}

// profileOf is the profile of a tile as it is stored.
func profileOf(r *raster.Raster, withValidity bool) profile {
	p := profile{SRID: r.SRID, Grid: r.Grid}
	band := func(t rasterbase.PixelType, has bool, nodata float64) {
		if !has {
			nodata = 0
		}
		p.Types, p.Has = append(p.Types, t.PostGIS()), append(p.Has, has)
		p.Nodata = append(p.Nodata, rasterbase.Float(nodata))
	}
	for _, b := range r.Bands {
		band(b.Type, b.HasNodata, b.Nodata)
	}
	if r.Validity != nil || withValidity {
		band(rasterbase.Uint8, false, 0)
	}
	return p
}

// equal reports whether tiles of both can be told by the same constraints: one
// srid, one size and place of pixels, the same bands.
func (p profile) equal(q profile) bool {
	sameNodata := func(a, b rasterbase.Float) bool {
		return a == b || math.IsNaN(float64(a)) && math.IsNaN(float64(b))
	}
	return p.SRID == q.SRID && p.Grid.ScaleX == q.Grid.ScaleX && p.Grid.ScaleY == q.Grid.ScaleY &&
		p.Grid.SkewX == q.Grid.SkewX && p.Grid.SkewY == q.Grid.SkewY &&
		slices.Equal(p.Types, q.Types) && slices.Equal(p.Has, q.Has) &&
		slices.EqualFunc(p.Nodata, q.Nodata, sameNodata) && aligned(p.Grid, q.Grid)
}

// alignment is how far a pixel may lie from where another grid has one, in
// pixels. Origins are rounded.
const alignment = 1e-3

// aligned reports whether the pixels of both grids lie on one another.
func aligned(a, b rasterbase.Grid) bool {
	if a.OriginX == b.OriginX && a.OriginY == b.OriginY {
		return true
	}
	col, row := a.Pixel(b.OriginX, b.OriginY)
	return math.Abs(col-math.Round(col)) < alignment && math.Abs(row-math.Round(row)) < alignment
}
