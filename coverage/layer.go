package coverage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// Layer is the published revision of a stored layer as a [Coverage].
type Layer struct {
	st    store.Store
	layer *rasterbase.Layer
	rev   *rasterbase.Revision
}

// OpenLayer fixes a coverage to the revision of a stored layer that is published
// now. A layer that has none yet is an error with code not found that tells how
// far its parse is; one that is made of a formula is an error with code unsupported,
// and opened by [Open].
func OpenLayer(ctx context.Context, st store.Store, id rasterbase.LayerID) (*Layer, error) {
	c := &Layer{st: st}
	err := st.Catalog().View(ctx, func(tx store.Tx) (err error) {
		if c.layer, err = tx.Layers().Get(ctx, id); err != nil {
			return err
		}
		if c.layer.Formula != nil {
			return rasterbase.Errorf(rasterbase.Unsupported, "layer %d (%s) is made of a formula, and has no tiles of its own", id, c.layer.Name).
				WithHint("ask for the layers that it reads")
		}
		if c.layer.Published == 0 {
			return Unpublished(ctx, tx, c.layer)
		}
		c.rev, err = tx.Revisions().Get(ctx, c.layer.Published)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Unpublished is the error, with code not found, of reading a layer that has no
// published revision: it tells why.
func Unpublished(ctx context.Context, tx store.Tx, l *rasterbase.Layer) error {
	p, err := tx.Parses().Latest(ctx, l.ID)
	because := ""
	switch {
	case errors.Is(err, store.ErrNotExist):
		because = "it was never parsed"
	case err != nil:
		return fmt.Errorf("read the parse of layer %d: %w", l.ID, err)
	case p.Status == rasterbase.Failed && p.Error != "":
		because = "its parse failed: " + p.Error
	case p.Status == rasterbase.Failed:
		because = "its parse failed"
	case p.Status == rasterbase.Cancelled:
		because = "its parse was cancelled"
	case p.Status == rasterbase.Finished:
		because = "what its parse made was withdrawn"
	default:
		because = fmt.Sprintf("its parse is %s, at %.0f %%", p.Status, p.Percent())
	}
	return rasterbase.Errorf(rasterbase.NotFound, "layer %d (%s) has no tiles: %s", l.ID, l.Name, because)
}

// Revision is the revision that is read.
func (c *Layer) Revision() *rasterbase.Revision { return c.rev }

// Layer is the layer as it was when the coverage was opened.
func (c *Layer) Layer() *rasterbase.Layer { return c.layer }

// Describe tells what can be read.
func (c *Layer) Describe() Description {
	r := c.rev
	return Description{
		Name: c.layer.Name, Datatype: r.Datatype, CRS: r.CRS, Grid: r.Grid, TileSize: r.TileSize,
		HasPyramid: r.HasPyramid, NoBase: r.NoBase, MaxZoom: r.MaxZoom, Bands: r.Bands, Bounds: r.Bounds,
	}
}

// Version names the revision by its id and the time at which it was made: a store
// gives no id again, but one that was restored from a backup goes on with those
// that were given since.
func (c *Layer) Version() string {
	return fmt.Sprintf("r%d-%s", c.rev.ID, strconv.FormatInt(c.rev.Created.UnixNano(), 36))
}

// Summaries returns the stored summary pages.
func (c *Layer) Summaries(ctx context.Context, q SummaryQuery) ([]store.SummaryPage, error) {
	if q.Level == BaseLevel && c.rev.NoBase {
		return nil, rasterbase.Errorf(rasterbase.Unsupported, "layer %d (%s) has no base tiles, and so no summaries of them", c.layer.ID, c.layer.Name).
			WithHint("those of zoom %d, its max zoom, are there", c.rev.MaxZoom)
	}
	if b := q.Pages; b != nil && (b.MaxX < b.MinX || b.MaxY < b.MinY) {
		return nil, nil
	}
	var pages []store.SummaryPage
	err := c.st.Catalog().View(ctx, func(tx store.Tx) error {
		pages = nil
		for p, err := range tx.Revisions().Summaries(ctx, store.SummaryQuery{
			Revision: c.rev.ID, Kind: q.Level.Kind, Z: q.Level.Zoom, Depth: q.Depth, Pages: q.Pages,
		}) {
			if err != nil {
				return err
			}
			pages = append(pages, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read summaries of layer %d: %w", c.layer.ID, err)
	}
	return pages, nil
}

// maxWindow is the most pixels along a side of a window: callers that want more
// read in parts.
const maxWindow = 1 << 14

// Window reads a rectangle of a level. A rectangle that is one stored tile, in
// bands of one set, comes back as it is stored, without a copy of its pixels.
func (c *Layer) Window(ctx context.Context, r WindowRequest) (*raster.Raster, error) {
	bands, err := c.check(&r)
	if err != nil {
		return nil, err
	}
	if r.Level == BaseLevel && c.rev.NoBase {
		r = c.finest(r)
	}
	if r.Level.Kind == rasterbase.Pyramid && r.Level.Zoom > c.rev.MaxZoom {
		return c.overzoom(ctx, r)
	}
	if sets := c.sets(bands); len(sets) == 1 && c.isTile(r) {
		whole := r
		whole.Bands = c.rev.BandSet(sets[0])
		t, err := c.tile(ctx, whole, sets[0])
		if err != nil || sameInts(bands, whole.Bands) {
			return t, err
		}
		return c.some(t, r), nil
	}
	return c.assemble(ctx, r, bands)
}

// some is a raster of some bands of a set, whose pixels are shared. It has a validity
// if one of them needs it.
func (c *Layer) some(set *raster.Raster, r WindowRequest) *raster.Raster {
	out := raster.Raster{Grid: c.grid(r), SRID: set.SRID, Validity: set.Validity, Bands: make([]raster.Band, len(r.Bands))}
	for i, b := range r.Bands {
		_, place := c.rev.SetOf(b)
		out.Bands[i] = set.Bands[place]
	}
	needed := slices.ContainsFunc(out.Bands, func(b raster.Band) bool { return !b.HasNodata })
	if !needed || bytes.IndexByte(out.Validity, 0) < 0 {
		out.Validity = nil
	}
	return &out // as it is where tiles are assembled
}

// storedLevel is the level whose tiles are there for one that was asked for.
func (c *Layer) storedLevel(l Level) Level {
	if l == BaseLevel && c.rev.NoBase {
		return ZoomLevel(c.rev.MaxZoom)
	}
	return l
}

// finest is the window of the max zoom that a window of the base grid is, where
// there are no base tiles.
func (c *Layer) finest(r WindowRequest) WindowRequest {
	x, y := worldGrid(c.rev.MaxZoom, c.rev.TileSize).Pixel(c.rev.Grid.OriginX, c.rev.Grid.OriginY)
	r.Level = ZoomLevel(c.rev.MaxZoom)
	r.X, r.Y = r.X+int(math.Round(x)), r.Y+int(math.Round(y))
	return r
}

func (c *Layer) check(r *WindowRequest) (bands []int, err error) {
	switch {
	case r.Width <= 0 || r.Height <= 0 || r.Width > maxWindow || r.Height > maxWindow:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a window of %dx%d pixels cannot be read", r.Width, r.Height)
	case r.Level.Kind == rasterbase.Pyramid && !c.rev.HasPyramid:
		return nil, rasterbase.Errorf(rasterbase.NotFound, "layer %d (%s) was parsed without a pyramid", c.layer.ID, c.layer.Name).
			WithHint("parse it again with a pyramid to see it on a map")
	case r.Level.Zoom < 0 || r.Level.Kind == rasterbase.Base && r.Level.Zoom != 0:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "there is no zoom %d", r.Level.Zoom)
	}
	if r.Bands == nil {
		r.Bands = make([]int, len(c.rev.Bands))
		for i := range r.Bands {
			r.Bands[i] = i
		}
	}
	if len(r.Bands) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "no band asked for")
	}
	for _, b := range r.Bands {
		if b < 0 || b >= len(c.rev.Bands) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "layer %d has no band %d: it has %d", c.layer.ID, b+1, len(c.rev.Bands))
		}
	}
	return r.Bands, nil
}

// isTile reports whether the window is the rectangle of one tile.
func (c *Layer) isTile(r WindowRequest) bool {
	ts := c.rev.TileSize
	if r.X < 0 || r.Y < 0 || r.X%ts != 0 || r.Y%ts != 0 {
		return false
	}
	w, h := c.tileSize(r.Level, r.X/ts, r.Y/ts)
	return r.Width == w && r.Height == h
}

// tileSize is the size of a tile: base tiles at the right and lower edge are
// cropped. It is not positive outside the grid.
func (c *Layer) tileSize(l Level, x, y int) (w, h int) {
	ts := c.rev.TileSize
	if l.Kind == rasterbase.Pyramid {
		if n := xyz.Side(l.Zoom); x >= n || y >= n {
			return 0, 0
		}
		return ts, ts
	}
	return min(ts, c.rev.Grid.Width-x*ts), min(ts, c.rev.Grid.Height-y*ts)
}

func (c *Layer) key(l Level, x, y, set int) store.TileKey {
	return store.TileKey{
		RevisionKey: store.RevisionKey{Layer: c.layer.ID, Revision: c.rev.ID},
		Kind:        l.Kind, Z: l.Zoom, X: x, Y: y, BandSet: set,
	}
}

func (c *Layer) tile(ctx context.Context, r WindowRequest, set int) (*raster.Raster, error) {
	ts := c.rev.TileSize
	key := c.key(r.Level, r.X/ts, r.Y/ts, set)
	t, err := c.st.Tiles().Get(ctx, key)
	if err == nil {
		return t, nil
	}
	if !errors.Is(err, store.ErrNotExist) {
		return nil, err
	}
	if err := c.mayBeMissing(ctx, key); err != nil {
		return nil, err
	}
	return c.empty(r, r.Bands), nil
}

// mayBeMissing tells a tile that was empty, and so not stored, from one that
// was lost: the summaries know which tiles there are.
func (c *Layer) mayBeMissing(ctx context.Context, k store.TileKey) error {
	if k.X < 0 || k.Y < 0 {
		return nil
	}
	page := TileAddress{k.X / store.PageSize, k.Y / store.PageSize}
	return c.mayAllBeMissing(ctx, map[TileAddress][]store.TileKey{page: {k}})
}

func lost(k store.TileKey) error {
	return fmt.Errorf("%s tile %d/%d/%d of layer %d is missing from the store", k.Kind, k.Z, k.X, k.Y, k.Layer)
}

func (c *Layer) hasSet(s rasterbase.Summary, set int) bool {
	for _, b := range c.rev.BandSet(set) {
		if b < len(s.Bands) && s.Bands[b].Valid > 0 {
			return true
		}
	}
	return false
}

// assemble copies the parts of the tiles that a window touches.
func (c *Layer) assemble(ctx context.Context, r WindowRequest, bands []int) (*raster.Raster, error) {
	out := c.empty(r, bands)
	ts := c.rev.TileSize
	x0, x1 := max(0, floorDiv(r.X, ts)), floorDiv(r.X+r.Width-1, ts)
	y0, y1 := max(0, floorDiv(r.Y, ts)), floorDiv(r.Y+r.Height-1, ts)
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			w, h := c.tileSize(r.Level, x, y)
			if w <= 0 || h <= 0 {
				continue
			}
			if err := c.copyTile(ctx, out, r, raster.Rect{X: x * ts, Y: y * ts, Width: w, Height: h}); err != nil {
				return nil, err
			}
		}
	}
	if out.Validity != nil && bytes.IndexByte(out.Validity, 0) < 0 {
		out.Validity = nil
	}
	return out, nil
}

// copyTile copies what a window and a tile have in common, band set by band
// set. A pixel of several sets is valid only if all of them say so.
func (c *Layer) copyTile(ctx context.Context, out *raster.Raster, r WindowRequest, tile raster.Rect) error {
	window := raster.Rect{X: r.X, Y: r.Y, Width: r.Width, Height: r.Height}
	got := map[int]*raster.Raster{}
	first := true
	for i, band := range r.Bands {
		set, place := c.rev.SetOf(band)
		src, ok := got[set]
		if !ok {
			var err error
			src, err = c.tile(ctx, WindowRequest{
				Level: r.Level, X: tile.X, Y: tile.Y, Width: tile.Width, Height: tile.Height, Bands: c.rev.BandSet(set),
			}, set)
			if err != nil {
				return err
			}
			got[set] = src
			if out.Validity != nil {
				mergeValidity(out, src, window, tile, first)
				first = false
			}
		}
		from := src.Bands[place]
		raster.CopyRect(out.Bands[i].Pixels.Bytes(), window, from.Pixels.Bytes(), tile, from.Type.Size())
	}
	return nil
}

// mergeValidity writes the validity of a tile into that of the window; of the
// second set on, a pixel stays valid only if it is valid there as well.
func mergeValidity(out, src *raster.Raster, window, tile raster.Rect, first bool) {
	part := window.Intersect(tile)
	for y := part.Y; y < part.Y+part.Height; y++ {
		row := out.Validity[(y-window.Y)*window.Width+part.X-window.X:]
		for i := range part.Width {
			v := uint8(255)
			if src.Validity != nil {
				v = src.Validity[(y-tile.Y)*tile.Width+part.X+i-tile.X]
			}
			if !first {
				v &= row[i]
			}
			row[i] = v
		}
	}
}

// empty makes a raster of invalid pixels with the bands' types and nodata.
func (c *Layer) empty(r WindowRequest, bands []int) *raster.Raster {
	stored := make([]raster.Band, len(bands))
	for i, b := range bands {
		stored[i] = raster.BandOf(c.rev.Bands[b])
	}
	return raster.NewInvalid(c.grid(r), c.srid(r.Level), stored...)
}

// grid places a window in its level's CRS.
func (c *Layer) grid(r WindowRequest) rasterbase.Grid {
	g := c.rev.Grid
	if r.Level.Kind == rasterbase.Pyramid {
		g = worldGrid(r.Level.Zoom, c.rev.TileSize)
	}
	g.OriginX, g.OriginY = g.World(float64(r.X), float64(r.Y))
	g.Width, g.Height = r.Width, r.Height
	return g
}

func (c *Layer) srid(l Level) int {
	if l.Kind == rasterbase.Pyramid {
		return 3857
	}
	return c.rev.CRS.SRID
}
