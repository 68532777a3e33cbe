package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

type countCmd struct {
	Layers []string `arg:"" help:"Ids, slugs or file names of layers, each of which is counted; or variables of a formula and their layers: a=1,b:2=dem, where a number after : is a band counted from 0."`

	Zones      string `help:"Count inside each feature of a file: GeoJSON, GeoPackage, shapefile (in a zip too) or FlatGeobuf." placeholder:"FILE" group:"Where"`
	ID         string `name:"id" help:"The field that names a zone in the results. Without it that is what the file numbers it by, or its place in the file." placeholder:"FIELD" group:"Where"`
	ZonesLayer string `help:"Of a file with several layers, the one with the zones." placeholder:"NAME" group:"Where"`
	Geom       string `help:"Count inside one geometry: WKT, EWKT, GeoJSON, a box as west,south,east,north, or a file with one of these." placeholder:"FILE|WKT" group:"Where"`
	SRID       *whole `name:"srid" help:"EPSG code of the coordinates of --zones and --geom, whatever the file says: unless given, what it says, and 4326 (longitude and latitude) where nothing is said." placeholder:"N" group:"Where"`
	Coverage   string `help:"Which pixels are inside: center (whose centre is), touched (all that the geometry has a place in), or fraction (these, by the share of each that is covered)." default:"center" placeholder:"RULE" group:"Where"`
	AllTouched bool   `help:"The same as --coverage touched." group:"Where"`
	NoDensify  bool   `help:"Leave edges straight in the layer's CRS, as PostGIS does, where they are straight in the zones' own." group:"Where"`
	Zoom       *whole `help:"Count the map's pixels of this zoom, not the source's own." placeholder:"Z" group:"Where"`

	Formula     string `help:"Count the values of this. Over one layer its variables are its bands, b1, b2 and so on." placeholder:"FORMULA" group:"What"`
	Grid        string `help:"The variable whose own pixels are counted, where the layers have different ones." placeholder:"NAME" group:"What"`
	Band        *whole `help:"The band to count, from 1: the first unless given, and for statistics alone all of them." placeholder:"N" group:"What"`
	Group       string `help:"What is counted together: value, legend (a legend's entries), semantics (entries that mean the same), histogram (bins of equal width), none (statistics alone), or auto: histogram for continuous layers, else value." default:"auto" placeholder:"NAME" group:"What"`
	Legend      string `help:"The legend of --group legend and semantics, in place of the layer's." placeholder:"TITLE" group:"What"`
	Bins        *whole `help:"How many bins: 10 unless given." placeholder:"N" group:"What"`
	Range       string `help:"Where bins begin and end; unless given, at the least and the greatest value." placeholder:"A,B" group:"What"`
	Area        string `help:"Tell the ground area too, in m2, ha, km2 or acres." placeholder:"UNIT" group:"What"`
	Stats       string `help:"Tell statistics: some of count, sum, mean, min, max, std, variance, median, majority, minority, unique, or all." placeholder:"LIST" group:"What"`
	Percentiles string `help:"Tell percentiles, from 0 to 100: 5,50,95." placeholder:"LIST" group:"What"`
	Crosstab    bool   `help:"Count pairs of values of two layers: how many pixels have one value in the first and another in the second." group:"What"`

	Output    string `short:"o" help:"File to write: .csv (a line for each count, or with --wide for each zone), .ndjson (a document for each zone), .json (one document) or .gpkg (the zones with their fields, and a column for each count). Without it a table is printed." placeholder:"FILE" group:"Results"`
	Wide      bool   `help:"A line for each zone with a column for each value, in place of a line for each value." group:"Results"`
	JSON      bool   `name:"json" help:"Print one JSON document." group:"Results"`
	MaxPixels *whole `help:"Fail rather than read more pixels than this: of the zones that are counted together, up to 1,000." placeholder:"N" group:"Results"`
}

// Help is the longer text of "count --help".
func (*countCmd) Help() string {
	return `Counts the pixels of layers by value, and computes statistics: of a whole layer, inside a geometry, or inside each zone of a file. Pixels are those of the source's own file and grid, unless --zoom is given. Nothing is approximated: what lies inside whole is known from summaries, and pixels are read at the edge, or wherever what is asked for needs them. docs/guides/counts.md tells more.

Several layers are counted one after the other, and where they have the same grid the zones are placed in it once. Each row tells its zone, its layer, the layer's revision, the checksum of its source, and the zone's valid pixels, those without a value, and those outside of the layer. A zone without a geometry has no pixels, and a row all the same.

A file appears when it is complete; one of that name is replaced.

Examples:

  rasterbase count landcover
  rasterbase count landcover --geom park.geojson --group legend --area ha
  rasterbase count landcover --zones counties.gpkg --id name -o counties.csv
  rasterbase count forest-2000 forest-2010 --zones parks.shp --id code --wide -o parks.csv
  rasterbase count dem --zones basins.zip --stats mean,min,max --percentiles 5,95 --group none -o basins.gpkg
  rasterbase count a=before,b=after --formula "(a == 1) & (b != 1)" --zones regions.gpkg
  rasterbase count landcover-2000 landcover-2010 --crosstab --geom "POLYGON((8 47, 9 47, 9 48, 8 47))"`
}

// countFormats are the endings of files of results.
var countFormats = []string{".csv", ".ndjson", ".json", ".gpkg"}

// format is the ending of the file that is written; empty: none is.
func (c *countCmd) format() string { return strings.ToLower(filepath.Ext(c.Output)) }

// check finds what is wrong with the command line before anything is opened.
func (c *countCmd) check() error {
	wrong := func(field, hint, format string, args ...any) error {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, format, args...).WithHint("%s", hint).WithField(field)}
	}
	switch {
	case c.Zones != "" && c.Geom != "":
		return wrong("geom", "give one of --zones and --geom", "zones and a geometry are given")
	case c.Zones == "" && c.ID != "":
		return wrong("id", "give the file with --zones FILE", "a field of zones is given, and no zones")
	case c.Zones == "" && c.ZonesLayer != "":
		return wrong("zones-layer", "give the file with --zones FILE", "a layer of zones is given, and no zones")
	case c.AllTouched && c.Coverage != "center" && c.Coverage != "touched":
		return wrong("coverage", "give one of them", "--all-touched and --coverage %s are given", c.Coverage)
	case c.Output != "" && !slices.Contains(countFormats, c.format()):
		return wrong("output", "end the name in .csv, .ndjson, .json or .gpkg", "%s: the name does not tell what the file is to be", c.Output)
	case c.Output != "" && c.JSON:
		return wrong("json", "give --output FILE.json, or --json alone", "a file and --json are given")
	case c.Wide && (c.JSON || c.Output != "" && c.format() != ".csv" && c.format() != ".gpkg"):
		return wrong("wide", "leave it out: documents have a form of their own", "--wide is for tables")
	case c.format() == ".gpkg" && c.Zones == "":
		return wrong("output", "give the zones with --zones FILE, or write .csv", "a GeoPackage holds zones, and none are given")
	case strings.EqualFold(c.Group, "none") && c.Stats == "" && c.Percentiles == "":
		return wrong("group", "name some with --stats or --percentiles", "--group none counts nothing, and no statistics are asked for")
	case c.Crosstab:
		return c.checkCrosstab(wrong)
	}
	return nil
}

// checkCrosstab finds what is asked for that a table of pairs has not.
func (c *countCmd) checkCrosstab(wrong func(field, hint, format string, args ...any) error) error {
	n := len(c.Layers)
	if n == 1 {
		n = len(strings.Split(c.Layers[0], ","))
	}
	switch {
	case n != 2:
		return wrong("crosstab", "name two layers: rasterbase count before after --crosstab", "pairs of values need two layers")
	case c.Formula != "":
		return wrong("formula", "leave --formula out, or make a layer of it", "pairs of values are those of layers, not of a formula")
	case c.Stats != "" || c.Percentiles != "":
		return wrong("stats", "count each layer by itself for statistics", "pairs of values have no statistics")
	case c.Bins != nil || c.Range != "" || c.Group != "auto" && c.Group != "value":
		return wrong("group", "leave --group, --bins and --range out", "pairs are counted by value")
	case c.Wide && c.format() != ".csv" && c.Output != "":
		return wrong("wide", "write .csv", "--wide is for tables")
	}
	return nil
}

// Run counts.
func (c *countCmd) Run(ctx context.Context, a *app) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	conf, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	err = c.run(ctx, &counting{cmd: c, app: a, conf: conf, store: st, query: q})
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		if c.Output != "" {
			return errors.New("interrupted; there is no file")
		}
		return errors.New("interrupted")
	}
	return err
}
