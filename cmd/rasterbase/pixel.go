package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
)

type pixelCmd struct {
	Layer   string  `arg:"" help:"Id, slug or file name of a layer; or variables of a formula and their layers: a=1,b:2=dem, where a number after : is a band counted from 0."`
	X       *number `arg:"" optional:"" help:"Easting or longitude."`
	Y       *number `arg:"" optional:"" help:"Northing or latitude."`
	Formula string  `help:"Compute this. Over one layer its variables are its bands, b1, b2 and so on." placeholder:"FORMULA"`
	Grid    string  `help:"The variable whose own pixels are looked at, where the layers have different ones; the others are looked up at the centre of these." placeholder:"NAME"`
	Points  string  `help:"Look up many places: a CSV file, or - for standard input, with columns x and y, or lon and lat." placeholder:"FILE"`
	SRID    *whole  `name:"srid" help:"EPSG code of the coordinates: 3857 is web mercator metres, 4326 longitude and latitude. 3857 unless given, or 4326 for columns lon and lat." placeholder:"N"`
	Zoom    *whole  `help:"Look at the map tiles of this zoom, not at the source's own pixels." placeholder:"Z"`
	JSON    bool    `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "pixel --help".
func (*pixelCmd) Help() string {
	return `Prints a line for each band: its number and its value, or "no data". Where the file has a scale or an offset, the real value stands beside the stored one.

A formula has one value. --formula over a single layer reads its bands as b1, b2 and so on; over several, the names that they are given. docs/guides/formulas.md is the language.

With --points the rows of a CSV file are printed as they came, with a column for each band after them: band_1, band_2 and so on, or value for a formula, empty where there is no data or no raster. A first line of numbers is taken for a place; the first two columns are its coordinates then.

Examples:

  rasterbase pixel dem -113.0 37.3 --srid 4326
  rasterbase pixel dem --points stations.csv > heights.csv
  rasterbase pixel sentinel 500000 5200000 --srid 32632 --formula "(b4-b3)/(b4+b3)"
  rasterbase pixel a=before,b=after 8.5 47.4 --srid 4326 --formula "b - a"`
}

// pixelDoc is what --json prints.
type pixelDoc struct {
	Layer   rasterbase.LayerID   `json:"layer,omitempty"`  // absent of several
	Layers  []rasterbase.LayerID `json:"layers,omitempty"` // of several, in the order of their variables
	Formula string               `json:"formula,omitempty"`
	X       float64              `json:"x"`
	Y       float64              `json:"y"`
	SRID    whole                `json:"srid"`
	Zoom    *whole               `json:"zoom,omitempty"`
	Column  int                  `json:"column"`
	Row     int                  `json:"row"`
	Values  []pixelValueDoc      `json:"values"` // one, of band 1, of a formula
}

type pixelValueDoc struct {
	Band  int      `json:"band"`  // from 1
	Value *float64 `json:"value"` // as stored; null: no data
	// Scaled is the real value, Value*scale + offset, where the file has them.
	Scaled *float64 `json:"scaled_value,omitempty"`
	Unit   string   `json:"unit,omitempty"`  // of the real value
	Class  string   `json:"class,omitempty"` // name of a categorical value
}

// Run prints the values at a place.
func (c *pixelCmd) Run(ctx context.Context, a *app) (err error) {
	if err := c.checkPlaces(); err != nil {
		return err
	}
	_, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	source, err := (&exportCmd{Layers: c.Layer, Formula: c.Formula, Grid: c.Grid}).open(ctx, st)
	if err != nil {
		return err
	}
	if c.Points != "" {
		return c.runPoints(ctx, a, source)
	}
	cov := source.coverage
	level, err := c.level(cov.Describe())
	if err != nil {
		return err
	}
	x, y, srid := float64(*c.X), float64(*c.Y), c.srid(false)
	px, err := coverage.At(ctx, cov, coverage.PointRequest{
		Point: crs.Point{X: x, Y: y}, CRS: rasterbase.CRS{SRID: int(srid)}, Level: level, Bands: source.only(nil),
		Transformer: transformer(),
	})
	if err != nil {
		return err
	}
	if !px.Inside {
		return rasterbase.Errorf(rasterbase.NotFound, "%s %s in EPSG:%d is outside of %s", decimal(x), decimal(y), srid, c.what(source)).
			WithHint("--srid says what the coordinates are: 3857 (web mercator metres) unless given, 4326 for longitude and latitude")
	}
	doc := pixelDoc{
		Layer: source.single(), Layers: source.several(), Formula: c.Formula, X: x, Y: y, SRID: srid, Zoom: c.Zoom,
		Column: px.Col, Row: px.Row, Values: []pixelValueDoc{},
	}
	for _, v := range px.Values {
		doc.Values = append(doc.Values, newPixelValueDoc(v, cov.Describe().Bands[v.Band]))
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	t := newTable(a.stdout, "", "")
	for _, v := range doc.Values {
		name := "band " + strconv.Itoa(v.Band)
		if c.Formula != "" {
			name = "value"
		}
		t.row(name, v.String())
	}
	t.flush()
	return nil
}

// what names what is looked at.
func (c *pixelCmd) what(source *exportSource) string {
	if c.Formula != "" {
		return "the formula's layers"
	}
	return fmt.Sprintf("layer %d, %s", source.layer.ID, source.layer.Name)
}

// single is the only layer that is read, 0 of several.
func (s *exportSource) single() rasterbase.LayerID {
	if s.layer == nil {
		return 0
	}
	return s.layer.ID
}

// several are the layers that are read, none of a single one.
func (s *exportSource) several() (ids []rasterbase.LayerID) {
	if s.layer != nil {
		return nil
	}
	for _, in := range s.inputs {
		ids = append(ids, in.Layer)
	}
	return ids
}

// checkPlaces sees to it that there is one place or a file of them.
func (c *pixelCmd) checkPlaces() error {
	switch one := c.X != nil && c.Y != nil; {
	case c.Points == "" && !one:
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "no place is given").
			WithHint("give X and Y, or --points FILE for many places").WithField("x")}
	case c.Points != "" && c.X != nil:
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "a place and --points are given").
			WithHint("give one of them").WithField("points")}
	}
	return nil
}

// srid is the CRS of the coordinates.
func (c *pixelCmd) srid(lonLat bool) whole {
	switch {
	case c.SRID != nil:
		return *c.SRID
	case lonLat:
		return 4326
	}
	return 3857
}

// level is the grid to look at.
func (c *pixelCmd) level(d coverage.Description) (coverage.Level, error) {
	switch {
	case c.Zoom == nil:
		return coverage.BaseLevel, nil
	case !d.HasPyramid:
		return coverage.Level{}, rasterbase.Errorf(rasterbase.Invalid, "the layer has no map tiles").
			WithHint("leave --zoom out to look at the source's own pixels").WithField("zoom")
	case *c.Zoom < 0 || int(*c.Zoom) > d.MaxZoom:
		return coverage.Level{}, rasterbase.Errorf(rasterbase.Invalid, "the layer's zooms go from 0 to %d", d.MaxZoom).WithField("zoom")
	}
	return coverage.ZoomLevel(int(*c.Zoom)), nil
}

func newPixelValueDoc(v coverage.PixelValue, b rasterbase.Band) pixelValueDoc {
	doc := pixelValueDoc{Band: v.Band + 1, Unit: b.Unit}
	if !v.Valid {
		return doc
	}
	doc.Value = &v.Value
	if scaled(b) {
		real := v.Value*b.Scale + b.Offset
		doc.Scaled = &real
	}
	for _, class := range b.Classes {
		if class.Value == v.Value {
			doc.Class = class.Name
		}
	}
	return doc
}

// scaled tells whether a band stores other numbers than it means.
func scaled(b rasterbase.Band) bool { return b.Scale != 0 && (b.Scale != 1 || b.Offset != 0) }

// String is the value as people read it.
func (v pixelValueDoc) String() string {
	switch {
	case v.Value == nil:
		return "no data"
	case v.Class != "":
		return fmt.Sprintf("%s (%s)", decimal(*v.Value), v.Class)
	case v.Scaled != nil:
		// Twelve digits leave out the noise of the multiplication.
		real := strings.TrimSpace(strconv.FormatFloat(*v.Scaled, 'g', 12, 64) + " " + v.Unit)
		return fmt.Sprintf("%s (%s)", decimal(*v.Value), real)
	case v.Unit != "":
		return decimal(*v.Value) + " " + v.Unit
	}
	return decimal(*v.Value)
}
