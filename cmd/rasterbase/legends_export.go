package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

type legendsExportCmd struct {
	Legend string `arg:"" help:"Title or id."`
	Output string `short:"o" help:"File to write, .json, .csv, .clr, .txt or .qml; standard output as JSON otherwise." placeholder:"FILE"`
}

// Help is the longer text of "legends export --help".
func (*legendsExportCmd) Help() string {
	return `The name of the file says in which form: .json and .csv hold all of a legend, .clr is for gdaldem and ArcGIS, .txt and .qml for QGIS. What a form cannot hold is an error.

Examples:

  rasterbase legends export "Land cover" -o landcover.qml
  rasterbase legends export Elevation -o elevation.clr
  gdaldem color-relief -alpha dem.tif elevation.clr shaded.tif`
}

// Run writes a legend in the form that the file's name asks for.
func (c *legendsExportCmd) Run(ctx context.Context, a *app) error {
	name := c.Output
	if name == "" || name == "-" {
		name = "legend.json"
	}
	if ext := filepath.Ext(name); !slices.Contains([]string{".json", ".csv", ".clr", ".txt", ".qml"}, strings.ToLower(ext)) {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "%s: legends are not written as %q", c.Output, ext).
			WithHint("end the name in .json, .csv, .clr, .txt or .qml").WithField("output")}
	}
	l, err := a.legend(ctx, c.Legend)
	if err != nil {
		return err
	}
	b, err := legend.WriteFile(name, l)
	if err != nil {
		return err
	}
	if err := a.writeOutput(c.Output, b); err != nil {
		return fmt.Errorf("write the legend: %w", err)
	}
	return nil
}
