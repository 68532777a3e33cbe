package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// layerDoc is a layer as the commands print it.
type layerDoc struct {
	ID          rasterbase.LayerID    `json:"id"`
	Slug        string                `json:"slug"`
	Name        string                `json:"name"`
	Description string                `json:"description,omitempty"`
	Attribution string                `json:"attribution,omitempty"`
	License     string                `json:"license,omitempty"`
	File        string                `json:"file_name"`
	Origin      string                `json:"origin,omitempty"`
	Bytes       int64                 `json:"bytes"` // of the source
	Checksum    string                `json:"checksum,omitempty"`
	NoSource    bool                  `json:"no_source,omitempty"` // the file is not kept
	Visibility  rasterbase.Visibility `json:"visibility"`
	Legend      string                `json:"legend,omitempty"`   // title
	Formula     *formulaDoc           `json:"formula,omitempty"`  // of a layer that is made of others
	Datatype    rasterbase.Datatype   `json:"datatype,omitempty"` // of a formula; others have it in revision
	Settings    rasterbase.Settings   `json:"settings"`
	Status      rasterbase.Status     `json:"status"` // of the latest parse
	Percent     float64               `json:"percent"`
	Error       string                `json:"error,omitempty"`
	Revision    *revisionDoc          `json:"revision,omitempty"` // the published one
	Created     time.Time             `json:"created"`
	Updated     time.Time             `json:"updated"`
}

// revisionDoc is a published revision as the commands print it.
type revisionDoc struct {
	ID             rasterbase.RevisionID `json:"id"`
	Datatype       rasterbase.Datatype   `json:"datatype"`
	DatatypeReason string                `json:"datatype_reason"`
	Driver         string                `json:"driver"`
	CRS            rasterbase.CRS        `json:"crs"`
	Grid           rasterbase.Grid       `json:"grid"`
	Bounds         [4]float64            `json:"bounds"` // west, south, east, north
	TileSize       int                   `json:"tile_size"`
	HasPyramid     bool                  `json:"has_pyramid"`
	NoBase         bool                  `json:"no_base,omitempty"` // counts and lookups are at the max zoom
	MaxZoom        int                   `json:"max_zoom"`
	Resampling     rasterbase.Resampling `json:"resampling"`
	BaseTiles      int64                 `json:"base_tiles"`
	PyramidTiles   int64                 `json:"pyramid_tiles"`
	Bands          []rasterbase.Band     `json:"bands"`
	Published      time.Time             `json:"published"`
}

// readLayer reads a layer with what a person wants to know of it.
func readLayer(ctx context.Context, st store.Store, id rasterbase.LayerID) (doc *layerDoc, err error) {
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		doc, err = newLayerDoc(ctx, tx, l)
		return err
	})
	return doc, err
}

func newLayerDoc(ctx context.Context, tx store.Tx, l *rasterbase.Layer) (*layerDoc, error) {
	d := &layerDoc{
		ID: l.ID, Slug: l.Slug, Name: l.Name, Description: l.Description, Attribution: l.Attribution,
		License: l.License, File: l.Source.Name, Origin: l.Source.Origin, Bytes: l.Source.Size,
		Checksum: l.Source.Checksum, NoSource: l.Source.ID == "", Visibility: l.Visibility, Settings: l.Settings,
		Status: rasterbase.Unparsed, Created: l.Created, Updated: l.Updated,
	}
	if l.Legend != 0 {
		leg, err := tx.Legends().Get(ctx, l.Legend)
		if err != nil {
			return nil, err
		}
		d.Legend = leg.Title
	}
	if l.Formula != nil {
		return d, d.addFormula(ctx, tx, l.Formula)
	}
	p, err := tx.Parses().Latest(ctx, l.ID)
	switch {
	case err == nil:
		d.Status, d.Percent, d.Error = p.Status, p.Percent(), p.Error
	case !errors.Is(err, store.ErrNotExist):
		return nil, err
	}
	if l.Published == 0 {
		return d, nil
	}
	r, err := tx.Revisions().Get(ctx, l.Published)
	if err != nil {
		return nil, err
	}
	d.Revision = newRevisionDoc(r)
	return d, nil
}

func newRevisionDoc(r *rasterbase.Revision) *revisionDoc {
	b := r.Bounds
	return &revisionDoc{
		ID: r.ID, Datatype: r.Datatype, DatatypeReason: r.DatatypeReason, Driver: r.Driver, CRS: r.CRS, Grid: r.Grid,
		Bounds: [4]float64{b.West, b.South, b.East, b.North}, TileSize: r.TileSize, HasPyramid: r.HasPyramid, NoBase: r.NoBase,
		MaxZoom: r.MaxZoom, Resampling: r.Resampling, BaseTiles: r.BaseTiles, PyramidTiles: r.PyramidTiles,
		Bands: r.Bands, Published: r.PublishedAt,
	}
}

// printLayer prints what there is to know of a layer.
func (a *app) printLayer(d *layerDoc) {
	t := newTable(a.stdout, "", "")
	t.optional("id", strconv.FormatInt(int64(d.ID), 10))
	t.optional("slug", d.Slug)
	t.optional("name", d.Name)
	t.optional("description", d.Description)
	t.optional("attribution", d.Attribution)
	t.optional("licence", d.License)
	if f := d.Formula; f != nil {
		t.row("formula", f.Text)
		t.row("layers", f.inputs())
		t.optional("grid", f.Grid)
		t.row("datatype", string(d.Datatype))
	} else {
		t.optional("file", d.fileText())
	}
	t.optional("subdataset", d.Settings.Subdataset)
	t.row("legend", cmp.Or(d.Legend, "none"))
	t.optional("visibility", string(d.Visibility))
	t.optional("status", d.statusText())
	t.optional("error", d.Error)
	if r := d.Revision; r != nil {
		t.row("datatype", fmt.Sprintf("%s (%s)", r.Datatype, r.DatatypeReason))
		t.row("format", r.Driver)
		t.row("size", fmt.Sprintf("%d x %d pixels", r.Grid.Width, r.Grid.Height))
		t.row("coordinates", crsName(r.CRS))
		t.row("bounds", fmt.Sprintf("%.5f %.5f to %.5f %.5f", r.Bounds[0], r.Bounds[1], r.Bounds[2], r.Bounds[3]))
		t.row("pyramid", zooms(r))
		if r.NoBase {
			t.row("base tiles", fmt.Sprintf("none: it is counted at zoom %d until it is parsed again", r.MaxZoom))
		}
		t.optional("resampling", string(r.Resampling))
		t.row("tiles", fmt.Sprintf("%d base, %d pyramid, %d pixels wide", r.BaseTiles, r.PyramidTiles, r.TileSize))
	}
	t.flush()
	if d.Revision != nil {
		fmt.Fprintln(a.stdout)
		a.printBands(d.Revision.Bands)
	}
}

// fileText tells the source file, and whether it is kept.
func (d *layerDoc) fileText() string {
	if d.NoSource {
		return strings.TrimSpace(d.File + " (not kept: the layer cannot be parsed again)")
	}
	return fmt.Sprintf("%s (%s)", d.File, humanBytes(d.Bytes))
}

// statusText is the latest parse's status as people read it: a layer whose
// parse failed or was cancelled is served all the same, if it was parsed before.
func (d *layerDoc) statusText() string {
	switch {
	case d.Revision != nil && (d.Status == rasterbase.Failed || d.Status == rasterbase.Cancelled):
		return fmt.Sprintf("%s (re-parse %s)", rasterbase.Finished, d.Status)
	case !d.Status.Ended() && d.Percent > 0:
		return fmt.Sprintf("%s %.0f%%", d.Status, d.Percent)
	}
	return string(d.Status)
}

// printBands prints a line for each band. What bands mean beside their numbers
// is said when the file says it of any.
func (a *app) printBands(bands []rasterbase.Band) {
	headings := []string{"BAND", "TYPE", "NODATA", "VALID PIXELS", "MIN", "MAX", "MEAN", "STD"}
	real := slices.ContainsFunc(bands, scaled)
	units := slices.ContainsFunc(bands, func(b rasterbase.Band) bool { return b.Unit != "" })
	if real {
		headings = append(headings, "SCALE", "OFFSET")
	}
	if units {
		headings = append(headings, "UNIT")
	}
	t := newTable(a.stdout, headings...)
	for i, b := range bands {
		nodata := "-"
		if b.Nodata != nil {
			nodata = decimal(float64(*b.Nodata))
		}
		row := []string{strconv.Itoa(i + 1), b.PixelType.String(), nodata, strconv.FormatInt(b.Count, 10),
			decimal(b.Min), decimal(b.Max), fmt.Sprintf("%.6g", b.Mean), fmt.Sprintf("%.6g", b.Std)}
		if real {
			row = append(row, decimal(b.Scale), decimal(b.Offset))
		}
		if units {
			row = append(row, cmp.Or(b.Unit, "-"))
		}
		t.row(row...)
	}
	t.flush()
}

// optional prints a row, unless there is nothing to say.
func (t table) optional(name, value string) {
	if value != "" {
		t.row(name, value)
	}
}

func zooms(r *revisionDoc) string {
	if !r.HasPyramid {
		return "no pyramid"
	}
	return fmt.Sprintf("zooms 0 to %d", r.MaxZoom)
}

func crsName(c rasterbase.CRS) string {
	code := fmt.Sprintf("EPSG:%d", c.SRID)
	switch {
	case c.SRID == 0:
		code = "no EPSG code"
	case c.SRID >= rasterbase.FirstCustomSRID:
		code = fmt.Sprintf("srid %d", c.SRID)
	}
	if c.Name == "" {
		return code
	}
	return fmt.Sprintf("%s (%s)", c.Name, code)
}

// decimal is a number with all of its digits and no more.
func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
