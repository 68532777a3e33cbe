package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// known is what the catalog tells of a layer, for somebody.
type known struct {
	layer  *rasterbase.Layer
	rev    *rasterbase.Revision // nil: never parsed
	about  *rasterbase.Revision // what is drawn: rev, or what stands for it of a formula; nil: nothing is
	parse  *rasterbase.Parse    // the newest; nil: none
	legend *rasterbase.Legend   // nil: none
	edits  bool                 // whoever it is told to may change the layer
	// private says that no cache may keep it: the layer is private, or one that its
	// formula reads.
	private bool
	// formula is told of a layer that has one, and unread why it cannot be read.
	formula *formulaJSON
	unread  error
	// outdated says that rev was made with other settings than are in force now.
	outdated bool
}

// read gathers what the catalog tells of a layer, in one transaction.
func read(ctx context.Context, tx store.Tx, l *rasterbase.Layer) (k known, err error) {
	k.layer, k.private = l, l.Visibility == rasterbase.Private
	if l.Published != 0 {
		if k.rev, err = tx.Revisions().Get(ctx, l.Published); err != nil {
			return k, fmt.Errorf("read the revision of layer %d: %w", l.ID, internal(err))
		}
		k.about = k.rev
	}
	k.parse, err = tx.Parses().Latest(ctx, l.ID)
	if errors.Is(err, store.ErrNotExist) {
		k.parse, err = nil, nil
	}
	if err != nil {
		return k, fmt.Errorf("read the parse of layer %d: %w", l.ID, internal(err))
	}
	if k.formula, k.unread, err = readLayerFormula(ctx, tx, l); err != nil {
		return k, err
	}
	below, err := layersBelow(ctx, tx, l)
	if err != nil {
		return k, err
	}
	for _, in := range below {
		k.private = k.private || in.Visibility == rasterbase.Private
	}
	k.legend, err = findLegend(ctx, tx, l, "")
	return k, err
}

// complete adds what is drawn of a formula, with statistics if they are wanted. What
// keeps it from being read is its state, and no error.
func (s *Server) complete(r *http.Request, k *known, statistics bool) error {
	k.outdated = k.rev != nil && store.IsOutdated(k.layer, k.rev, s.c.TileSize)
	if k.formula == nil {
		return nil
	}
	if k.unread == nil {
		k.about, k.unread = s.computed(r, k, statistics)
	}
	gone := r.Context().Err()
	if code := rasterbase.CodeOf(k.unread); gone != nil || code == rasterbase.Busy || code == rasterbase.TooMany {
		return cmp.Or(gone, k.unread)
	}
	return nil
}

// computed is what stands for a revision of a formula.
func (s *Server) computed(r *http.Request, k *known, statistics bool) (*rasterbase.Revision, error) {
	sub, err := s.openedFor(r, k.layer)
	if err != nil {
		return nil, err
	}
	k.private = k.private || sub.private
	if statistics && sub.rev.HasPyramid && sub.affordable(samplePixels) == nil {
		return s.statistics(r, sub)
	}
	return sub.rev, nil
}

// state is how far the newest parse is.
func (k known) state() parseJSON {
	if k.formula != nil {
		return k.formulaState()
	}
	if k.parse == nil {
		return parseJSON{Status: rasterbase.Unparsed}
	}
	return parseDocument(k.parse, k.edits)
}

// parseDocument tells how far a parse is. Why it failed is told only to those who
// may change the layer: that can name a path of the server's, or an address.
func parseDocument(p *rasterbase.Parse, edits bool) parseJSON {
	out := parseJSON{
		ID: p.ID, Status: p.Status, Percent: p.Percent(), TilesPlanned: p.Planned, TilesDone: p.Done,
		Created: stamp(p.Created), Started: stamp(p.Started), Ended: stamp(p.Ended),
	}
	if edits {
		out.Error = p.Error
	}
	if left, ok := p.Left(time.Now()); ok {
		seconds := int64(left.Seconds())
		out.SecondsLeft = &seconds
	}
	return out
}

// layerJSON is a layer in the list.
type layerJSON struct {
	ID          rasterbase.LayerID    `json:"id"`
	Slug        string                `json:"slug"`
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Attribution string                `json:"attribution"`
	License     string                `json:"license"`
	Visibility  rasterbase.Visibility `json:"visibility"`
	FileName    string                `json:"file_name"`
	Datatype    rasterbase.Datatype   `json:"datatype,omitempty"` // absent before the first parse
	Status      rasterbase.Status     `json:"status"`
	Percent     float64               `json:"percent"`
	Error       string                `json:"error,omitempty"`  // told as the source's origin is
	Bounds      *[4]float64           `json:"bounds,omitempty"` // west, south, east, north
	MinZoom     *int                  `json:"min_zoom,omitempty"`
	MaxZoom     *int                  `json:"max_zoom,omitempty"`
	TileSize    int                   `json:"tile_size,omitempty"`
	Size        int64                 `json:"size,omitempty"`     // bytes of the source
	Parsed      *time.Time            `json:"parsed,omitempty"`   // when the tiles that are served were made
	Outdated    bool                  `json:"outdated,omitempty"` // they were made with other settings, or from another file, than are in force now
	URLs        urlsJSON              `json:"urls"`
}

// urlsJSON are the absolute addresses of what belongs to a layer.
type urlsJSON struct {
	Self     string `json:"self"`
	TileJSON string `json:"tilejson,omitempty"`
	Tiles    string `json:"tiles,omitempty"`
	Legend   string `json:"legend,omitempty"`
}

// parseJSON is how far a parse is.
type parseJSON struct {
	ID           rasterbase.ParseID `json:"id,omitempty"` // absent when there was none
	Status       rasterbase.Status  `json:"status"`
	Percent      float64            `json:"percent"`
	SecondsLeft  *int64             `json:"seconds_left,omitempty"` // estimated from the pace so far
	Error        string             `json:"error,omitempty"`        // told as the source's origin is
	TilesPlanned int64              `json:"tiles_planned"`
	TilesDone    int64              `json:"tiles_done"`
	Created      *time.Time         `json:"created,omitempty"`
	Started      *time.Time         `json:"started,omitempty"`
	Ended        *time.Time         `json:"ended,omitempty"`
}

// metadataJSON is all that is told of one layer.
type metadataJSON struct {
	layerJSON
	Created  *time.Time    `json:"created,omitempty"`
	Updated  *time.Time    `json:"updated,omitempty"`
	Settings settingsJSON  `json:"settings"`
	Source   sourceJSON    `json:"source"`
	Formula  *formulaJSON  `json:"formula,omitempty"`  // of a layer that is made of others
	Computed *computedJSON `json:"computed,omitempty"` // of a formula, in place of a revision
	Parse    parseJSON     `json:"parse"`
	Revision *revisionJSON `json:"revision,omitempty"`
	Legend   *legendJSON   `json:"legend,omitempty"`
}

// settingsJSON are settings whose nodata may be NaN.
type settingsJSON struct {
	rasterbase.Settings
	Nodata *rasterbase.Float `json:"nodata,omitempty"`
}

func settingsDocument(s rasterbase.Settings) settingsJSON {
	return settingsJSON{s, (*rasterbase.Float)(s.Nodata)}
}

// sourceJSON is the file a layer was parsed from. Where it came from is told
// only to those who may change the layer: it may be a path of the server's.
type sourceJSON struct {
	Name     string `json:"name"`
	Origin   string `json:"origin,omitempty"`
	Size     int64  `json:"size"`
	Checksum string `json:"checksum"`
}

// revisionJSON is what the last successful parse made.
type revisionJSON struct {
	ID             rasterbase.RevisionID `json:"id"`
	Driver         string                `json:"driver"`
	CRS            rasterbase.CRS        `json:"crs"`
	Grid           rasterbase.Grid       `json:"grid"`
	DatatypeReason string                `json:"datatype_reason"`
	Resampling     rasterbase.Resampling `json:"resampling"`
	HasPyramid     bool                  `json:"has_pyramid"`
	BaseTiles      int64                 `json:"base_tiles"`
	PyramidTiles   int64                 `json:"pyramid_tiles"`
	SourceChecksum string                `json:"source_checksum"`
	Published      *time.Time            `json:"published,omitempty"`
	Bands          []rasterbase.Band     `json:"bands"`
}

// legendJSON is a legend with its title, its entries or its gradient in the form
// that /legend answers.
type legendJSON struct {
	ID       rasterbase.LegendID `json:"id"`
	Title    string              `json:"title"`
	Entries  json.RawMessage     `json:"entries"`
	Gradient json.RawMessage     `json:"gradient,omitempty"`
}

// item describes a layer for the list.
func (k known) item(root string) layerJSON {
	l, state := k.layer, k.state()
	out := layerJSON{
		ID: l.ID, Slug: l.Slug, Name: l.Name, Description: l.Description, Attribution: l.Attribution,
		License: l.License, Visibility: l.Visibility, FileName: l.Source.Name,
		Status: state.Status, Percent: state.Percent, Error: state.Error,
		URLs: urlsJSON{Self: root + "/" + layerPath(l.ID)},
	}
	if k.legend != nil {
		out.URLs.Legend = root + "/" + legendPath(k.legend.ID)
	}
	out.Size, out.Outdated = l.Source.Size, k.outdated
	if k.rev != nil {
		out.Parsed = stamp(k.rev.PublishedAt)
	}
	if k.about == nil {
		return out
	}
	out.Datatype = k.about.Datatype
	b := k.about.Bounds
	out.Bounds = &[4]float64{b.West, b.South, b.East, b.North}
	if k.about.HasPyramid {
		out.MinZoom, out.MaxZoom, out.TileSize = new(int), &k.about.MaxZoom, k.about.TileSize
		out.URLs.TileJSON = out.URLs.Self + "/tilejson.json"
		out.URLs.Tiles = root + "/" + tilePath(l.ID, "png", nil)
	}
	return out
}

// metadata describes a layer in full.
func (k known) metadata(root string) (metadataJSON, error) {
	l := k.layer
	out := metadataJSON{
		layerJSON: k.item(root), Created: stamp(l.Created), Updated: stamp(l.Updated), Settings: settingsDocument(l.Settings),
		Source: sourceJSON{Name: l.Source.Name, Size: l.Source.Size, Checksum: l.Source.Checksum},
		Parse:  k.state(), Formula: k.formula,
	}
	if k.legend != nil {
		colors, err := legend.MarshalJSON(k.legend)
		if err != nil {
			return out, fmt.Errorf("write legend %d: %w", k.legend.ID, err)
		}
		out.Legend = &legendJSON{ID: k.legend.ID, Title: k.legend.Title, Entries: colors}
		if k.legend.Gradient != nil {
			out.Legend.Entries, out.Legend.Gradient = json.RawMessage("[]"), colors
		}
	}
	if r := k.about; r != nil && k.rev == nil {
		out.Computed = &computedJSON{HasPyramid: r.HasPyramid, Bands: r.Bands}
		if r.Grid.Width > 0 {
			out.Computed.CRS, out.Computed.Grid = &r.CRS, &r.Grid
		}
	}
	if r := k.rev; r != nil {
		out.Revision = &revisionJSON{
			ID: r.ID, Driver: r.Driver, CRS: r.CRS, Grid: r.Grid, DatatypeReason: r.DatatypeReason,
			Resampling: r.Resampling, HasPyramid: r.HasPyramid, BaseTiles: r.BaseTiles, PyramidTiles: r.PyramidTiles,
			SourceChecksum: r.SourceChecksum, Published: stamp(r.PublishedAt), Bands: r.Bands,
		}
	}
	return out, nil
}

// computedJSON is what is drawn of a layer that is made of a formula.
type computedJSON struct {
	// CRS and Grid are those of its pixels where no zoom is asked for; absent where it
	// can be read at zooms only.
	CRS        *rasterbase.CRS  `json:"crs,omitempty"`
	Grid       *rasterbase.Grid `json:"grid,omitempty"`
	HasPyramid bool             `json:"has_pyramid"`
	// Bands have statistics that are estimated from one overview of the whole extent:
	// count is of its pixels.
	Bands []rasterbase.Band `json:"estimated_bands"`
}

// stamp is nil for the zero time, which JSON would write as the year 1.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
