//go:build cgo && !nogdal

package gdal

// #include "shim.h"
import "C"

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

// georeference finds out where the pixels lie, warps ground control points, and
// makes the transformation to EPSG:3857.
func (r recipe) georeference(h handle, s *source) error {
	var g C.rb_geo
	if C.rb_georeference(h.c, C.int(r.srid), &g) == C.RB_NO_SUCH_CRS {
		return rasterbase.Errorf(rasterbase.Invalid, "there is no EPSG code %d", r.srid).WithField("srid")
	}
	if err := r.checkGeoreference(&g); err != nil {
		return err
	}
	s.info.CRS = rasterbase.CRS{SRID: int(g.srid), Name: clean(g.name), WKT: clean(g.wkt)}
	if r.srid != 0 {
		s.info.CRS.SRID = r.srid
	}
	if g.has_geotransform == 0 {
		if err := r.warpGroundControl(h, s); err != nil {
			return err
		}
	}
	if err := r.setGrid(h, s); err != nil {
		return err
	}
	if C.rb_make_transformer(h.c) != C.RB_OK {
		return r.invalid("its CRS, %q, cannot be put on the map in EPSG:3857: %s", s.info.CRS.Name, h.said()).
			WithField("srid").WithHint("give the EPSG code of its coordinates with --srid")
	}
	return nil
}

func (r recipe) checkGeoreference(g *C.rb_geo) error {
	if g.has_geotransform == 0 && g.gcps == 0 {
		what := "the file does not say where its pixels lie (no georeference)"
		switch {
		case g.rpc != 0:
			what = "the file has only rational polynomial coefficients (RPC), which are not supported"
		case g.geolocation != 0:
			what = "the file has only geolocation arrays, which are not supported"
		}
		return r.invalid("%s", what).WithHint("warp it first with gdalwarp, or put a world file beside it")
	}
	what := ""
	switch {
	case g.crs == C.RB_CRS_USABLE:
		return nil
	case g.crs == C.RB_CRS_NONE:
		what = "the file has no CRS"
	case g.crs == C.RB_CRS_GEOCENTRIC:
		what = "the file's CRS, " + clean(g.name) + ", is geocentric"
	default:
		what = "the file's CRS, " + clean(g.name) + ", is a local one that says nothing of a place on Earth"
	}
	return r.invalid("%s", what).WithField("srid").WithHint("give the EPSG code of its coordinates with --srid")
}

// warpGroundControl replaces the data set by GDAL's suggested warp. When every
// band has nodata that marks what is not covered, otherwise an alpha band does.
func (r recipe) warpGroundControl(h handle, s *source) error {
	alpha := s.layout.alpha == 0
	if alpha {
		alpha = false
		for _, b := range s.info.Bands {
			alpha = alpha || b.Nodata == nil
		}
	}
	var withAlpha C.int
	if alpha {
		withAlpha = 1
	}
	if C.rb_warp_gcps(h.c, withAlpha) != C.RB_OK {
		return r.invalid("its ground control points cannot be used: %s", h.said())
	}
	size := h.size()
	if err := r.checkSize(size); err != nil {
		return err
	}
	s.info.GroundControl = true
	for i := range s.layout.bands {
		s.layout.bands[i].maskBand = false
	}
	if alpha {
		s.layout.alpha = int(size.bands)
	}
	s.info.HasMask = s.layout.alpha != 0
	var b C.rb_band
	C.rb_get_band(h.c, 1, &b)
	s.info.BlockWidth, s.info.BlockHeight = int(b.block_width), int(b.block_height)
	return nil
}

func (r recipe) setGrid(h handle, s *source) error {
	size := h.size()
	var g C.rb_grid
	C.rb_get_grid(h.c, &g)
	t := g.geotransform
	grid := rasterbase.Grid{
		Width: int(size.width), Height: int(size.height),
		OriginX: float64(t[0]), ScaleX: float64(t[1]), SkewX: float64(t[2]),
		OriginY: float64(t[3]), SkewY: float64(t[4]), ScaleY: float64(t[5]),
	}
	det := grid.ScaleX*grid.ScaleY - grid.SkewX*grid.SkewY
	sum := grid.OriginX + grid.OriginY + math.Abs(grid.ScaleX) + math.Abs(grid.SkewX) + math.Abs(grid.ScaleY) + math.Abs(grid.SkewY)
	if det == 0 || math.IsNaN(det) || math.IsInf(det, 0) || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return r.invalid("its georeference (geotransform %v) cannot be inverted", t)
	}
	s.info.Grid = grid
	return nil
}
