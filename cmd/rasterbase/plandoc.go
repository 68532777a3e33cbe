package main

import (
	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// planDoc is a plan as --dry-run --json prints it: what is known before the
// pixels are read.
type planDoc struct {
	Driver         string                `json:"driver"`
	CRS            rasterbase.CRS        `json:"crs"`
	Grid           rasterbase.Grid       `json:"grid"`
	Bounds         [4]float64            `json:"bounds"` // west, south, east, north
	Datatype       rasterbase.Datatype   `json:"datatype,omitempty"`
	DatatypeReason string                `json:"datatype_reason"`
	Resampling     rasterbase.Resampling `json:"resampling,omitempty"`
	TileSize       int                   `json:"tile_size"`
	HasPyramid     bool                  `json:"has_pyramid"`
	MaxZoom        *int                  `json:"max_zoom,omitempty"` // nil: no pyramid
	BaseTiles      int64                 `json:"base_tiles"`         // at most
	PyramidTiles   int64                 `json:"pyramid_tiles"`      // at most
	Bytes          int64                 `json:"bytes"`
	Disk           int64                 `json:"disk"` // that is needed, at most
	Bands          []plannedBandDoc      `json:"bands"`
	Warnings       []string              `json:"warnings,omitempty"`
}

// plannedBandDoc is a band without what only its pixels tell.
type plannedBandDoc struct {
	PixelType   rasterbase.PixelType `json:"pixel_type"`
	Nodata      *rasterbase.Float    `json:"nodata,omitempty"`
	Description string               `json:"description,omitempty"`
	ColorInterp string               `json:"color_interpretation,omitempty"`
	Unit        string               `json:"unit,omitempty"`
	Scale       float64              `json:"scale"`
	Offset      float64              `json:"offset"`
	Classes     []rasterbase.Class   `json:"classes,omitempty"`
}

func newPlanDoc(p *ingest.Plan) planDoc {
	b := p.Bounds
	d := planDoc{
		Driver: p.Driver, CRS: p.CRS, Grid: p.Grid, Bounds: [4]float64{b.West, b.South, b.East, b.North},
		Datatype: p.Datatype, DatatypeReason: p.DatatypeReason, Resampling: p.Resampling,
		TileSize: p.TileSize, HasPyramid: p.HasPyramid, BaseTiles: p.BaseTiles, PyramidTiles: p.PyramidTiles,
		Bytes: p.Bytes, Disk: p.Disk, Bands: []plannedBandDoc{}, Warnings: p.Warnings,
	}
	if p.HasPyramid {
		d.MaxZoom = &p.MaxZoom
	}
	for _, b := range p.Bands {
		d.Bands = append(d.Bands, plannedBandDoc{
			PixelType: b.PixelType, Nodata: b.Nodata, Description: b.Description, ColorInterp: b.ColorInterp,
			Unit: b.Unit, Scale: b.Scale, Offset: b.Offset, Classes: b.Classes,
		})
	}
	return d
}
