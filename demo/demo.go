// Package demo holds two small real rasters of one place, Storm Lake in the
// mountains of Montana, so that there is something to look at: a categorical
// vegetation map and a continuous elevation model. README.md beside them tells
// where they come from.
package demo

import (
	"embed"

	"github.com/rasterbase/rasterbase"
)

// Raster is a demo raster: its file and what to say of it.
type Raster struct {
	Slug        string // that a layer of this name gets
	Name        string
	Description string
	Attribution string
	License     string
	Datatype    rasterbase.Datatype
	File        string // name of the raster's file
	LegendTitle string
	Tile        string // z/x/y of a map tile in its middle

	legendFile string
}

//go:embed *.tif *.json
var files embed.FS

// Rasters lists the demo rasters, the one to be drawn on top last: the map
// draws newer layers over older ones.
func Rasters() []Raster {
	return []Raster{
		{
			Slug:        "storm-lake-elevation",
			Name:        "Storm Lake elevation",
			Description: "Elevation around Storm Lake, Montana, in metres, at 30 m.",
			Attribution: "LANDFIRE, U.S. Department of Agriculture and U.S. Department of the Interior",
			License:     "CC0-1.0",
			Datatype:    rasterbase.Continuous,
			File:        "storm_lake_elevation.tif",
			LegendTitle: "Elevation in metres, 2400 to 3050",
			Tile:        "12/759/1456",
			legendFile:  "storm_lake_elevation_legend.json",
		},
		{
			Slug:        "storm-lake-vegetation",
			Name:        "Storm Lake vegetation",
			Description: "Types of vegetation around Storm Lake, Montana, in 2020, at 30 m.",
			Attribution: "LANDFIRE, U.S. Department of Agriculture and U.S. Department of the Interior",
			License:     "CC0-1.0",
			Datatype:    rasterbase.Categorical,
			File:        "storm_lake_vegetation.tif",
			LegendTitle: "LANDFIRE existing vegetation type",
			Tile:        "12/759/1456",
			legendFile:  "storm_lake_vegetation_legend.json",
		},
	}
}

// Contents is the raster's file.
func (r Raster) Contents() ([]byte, error) { return files.ReadFile(r.File) }

// Legend is the raster's legend as JSON.
func (r Raster) Legend() ([]byte, error) { return files.ReadFile(r.legendFile) }
