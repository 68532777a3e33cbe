package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// Ready is a raster whose tiles were made by somebody else.
type Ready struct {
	// Revision says what the tiles are: Layer, Datatype, TileSize, Bands with
	// their types and nodata, and with base tiles CRS, Grid and Bounds. With
	// HasPyramid also MaxZoom. What pixels tell is found out: statistics, counts
	// of tiles, and, without base tiles, CRS, Grid and Bounds.
	Revision rasterbase.Revision
	// Base calls keep for each block of Grid, row by row; nil: there are no base
	// tiles. Pixels are made the caller's no more.
	Base func(ctx context.Context, keep func(x, y int, r *raster.Raster) error) error
	// Addresses lists the tiles of a zoom, and Pyramid calls keep for each of
	// them. Those that are missing below the max zoom are made.
	Addresses func(ctx context.Context, z int) ([]xyz.Tile, error)
	Pyramid   func(ctx context.Context, z int, keep func(t xyz.Tile, r *raster.Raster) error) error
	Log       []rasterbase.LogLine // of the work that made the tiles
}

// KeepSource copies a file and its side-cars into the store, as [Parser.Add]
// does, for a layer that is saved by other means.
func (p *Parser) KeepSource(ctx context.Context, path string) (rasterbase.Source, error) {
	return p.keepSource(ctx, path)
}

// Adopt makes tiles that are there already a layer's revision and publishes it,
// without a source. It keeps summaries and statistics as a parse does. Tiles of
// the pyramid that are missing are reduced from the zoom below them, which the
// max zoom must not be for.
//
// No server may reconcile the store meanwhile: to it, the revision is what a
// dead worker has left. When Adopt fails, nothing is left but the record of a
// failed parse.
func (p *Parser) Adopt(ctx context.Context, rd Ready) (*rasterbase.Revision, error) {
	a := &adoption{run: &run{p: p, plan: &Plan{}}, ready: rd}
	if err := a.begin(ctx); err != nil {
		return nil, fmt.Errorf("begin a revision: %w", err)
	}
	err := a.work(ctx)
	if err == nil {
		return a.rev, nil
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return nil, errors.Join(err, a.stop(after, &store.Job{}, rasterbase.Failed, message(err)))
}

// adoption is the work on one revision. It belongs to one goroutine.
type adoption struct {
	*run
	ready Ready
	out   *writer
	made  int64 // tiles, empty or not
	hist  []*histogram
	data  raster.Rect // of the max zoom's pixels that are valid
}

func (a *adoption) begin(ctx context.Context) error {
	rev := a.ready.Revision
	rev.NoBase = a.ready.Base == nil
	// Invalid pixels of whole numbers without nodata need a band to say so.
	for _, b := range rev.Bands {
		if b.Nodata == nil && !b.PixelType.IsFloat() {
			rev.BaseValidity, rev.PyramidValidity = true, true
		}
		a.hist = append(a.hist, newHistogram(b.PixelType))
	}
	if rev.NoBase {
		rev.CRS = rasterbase.CRS{SRID: 3857, Name: "WGS 84 / Pseudo-Mercator"}
	}
	err := a.store().Catalog().Update(ctx, func(tx store.Tx) (err error) {
		if a.layer, err = tx.Layers().Get(ctx, rev.Layer); err != nil {
			return err
		}
		made := rev
		if made.CRS.SRID == 0 {
			if made.CRS.SRID, err = tx.Revisions().CustomSRID(ctx, made.CRS); err != nil {
				return err
			}
		}
		if err := tx.Revisions().Create(ctx, &made); err != nil {
			return err
		}
		parse := rasterbase.Parse{Layer: made.Layer, Revision: made.ID, Status: rasterbase.Tiling, Started: time.Now()}
		if err := tx.Parses().Create(ctx, &parse); err != nil {
			return err
		}
		a.rev, a.parse = &made, &parse
		return tx.Parses().AddLines(ctx, parse.ID, a.ready.Log)
	})
	if err != nil {
		return err
	}
	return a.store().Tiles().Create(ctx, a.rev)
}

func (a *adoption) work(ctx context.Context) error {
	a.out = a.writer()
	if !a.rev.NoBase {
		if err := a.base(ctx); err != nil {
			return err
		}
	}
	if a.rev.HasPyramid {
		if err := a.pyramid(ctx); err != nil {
			return err
		}
	}
	if err := a.store().Tiles().Seal(ctx, a.revisionKey()); err != nil {
		return fmt.Errorf("make the tiles durable: %w", err)
	}
	if err := a.change(ctx, func(p *rasterbase.Parse) { p.Planned = a.made }); err != nil {
		return err
	}
	return a.publish(ctx)
}

func (a *adoption) base(ctx context.Context) error {
	ts := a.rev.TileSize
	cols, rows := (a.rev.Grid.Width+ts-1)/ts, (a.rev.Grid.Height+ts-1)/ts
	pages := newPager(a.run, rasterbase.Base, 0, func(x, y int) int {
		return min(store.PageSize, cols-x*store.PageSize) * min(store.PageSize, rows-y*store.PageSize)
	})
	err := a.ready.Base(ctx, func(x, y int, r *raster.Raster) error {
		sum, err := a.keepTile(ctx, keyOf(a.rev, rasterbase.Base, 0, x, y, 0), r, true)
		if err != nil {
			return err
		}
		return pages.note(ctx, x, y, sum)
	})
	if err == nil {
		err = a.out.flush(ctx)
	}
	if err != nil {
		return err
	}
	total, tiles, err := pages.finish(ctx)
	if err != nil {
		return err
	}
	a.rev.BaseTiles = tiles
	a.statistics(total)
	return nil
}

func (a *adoption) statistics(total rasterbase.Summary) {
	for i := range a.rev.Bands {
		bandStatistics(&a.rev.Bands[i], total.Bands[i], a.hist[i], a.rev.Datatype.Discrete())
	}
}

// keepTile stores a raster, band set by band set, in the form that stored tiles
// have, unless it is empty.
func (a *adoption) keepTile(ctx context.Context, k store.TileKey, r *raster.Raster, count bool) (rasterbase.Summary, error) {
	sum := rasterbase.Summary{Bands: make([]rasterbase.BandSummary, len(a.rev.Bands))}
	if len(r.Bands) != len(a.rev.Bands) {
		return sum, fmt.Errorf("a tile has %d bands, and not %d", len(r.Bands), len(a.rev.Bands))
	}
	for set := range a.rev.BandSets() {
		t := &raster.Raster{Grid: r.Grid, SRID: r.SRID, Validity: r.Validity}
		empty := true
		for place, band := range a.rev.BandSet(set) {
			b := raster.BandOf(a.rev.Bands[band])
			b.Pixels = r.Bands[band].Pixels
			normalize(b, r.Validity)
			t.Bands = append(t.Bands, b)
			s := raster.Summarize(t, place, a.rev.Datatype.Discrete())
			if s.Valid > 0 {
				empty = false
				if count {
					a.hist[band].addPixels(t, place, s.Counts)
				}
			}
			sum.Bands[band] = s
		}
		if empty {
			continue
		}
		k.BandSet = set
		if err := a.out.put(ctx, store.Tile{TileKey: k, Raster: t}); err != nil {
			return sum, err
		}
	}
	a.made++
	return sum, nil
}

// pyramid stores level by level, from the max zoom to zoom 0.
func (a *adoption) pyramid(ctx context.Context) error {
	a.data = raster.Rect{X: math.MaxInt, Y: math.MaxInt}
	var below map[xyz.Tile]bool // the tiles of the zoom before that are stored
	for z := a.rev.MaxZoom; z >= 0; z-- {
		stored, total, err := a.level(ctx, z, below)
		if err != nil {
			return fmt.Errorf("zoom %d: %w", z, err)
		}
		if z == a.rev.MaxZoom && a.rev.NoBase {
			if a.data.Width == 0 {
				return rasterbase.Errorf(rasterbase.Invalid, "the tiles of zoom %d, the max zoom, hold no valid pixel", z)
			}
			a.statistics(total)
			a.placeData()
		}
		a.rev.PyramidTiles += int64(len(stored))
		below = stored
	}
	return nil
}

// level stores the tiles of a zoom, and makes those that are missing above the
// tiles of the next zoom.
func (a *adoption) level(ctx context.Context, z int, below map[xyz.Tile]bool) (stored map[xyz.Tile]bool, total rasterbase.Summary, err error) {
	there, err := a.ready.Addresses(ctx, z)
	if err != nil {
		return nil, total, err
	}
	missing := map[xyz.Tile]bool{}
	for t := range below {
		missing[t.Parent()] = true
	}
	inPage := map[[2]int]int{}
	add := func(t xyz.Tile) { inPage[[2]int{t.X / store.PageSize, t.Y / store.PageSize}]++ }
	for _, t := range there {
		add(t)
		delete(missing, t)
	}
	for t := range missing {
		add(t)
	}
	pages := newPager(a.run, rasterbase.Pyramid, z, func(x, y int) int { return inPage[[2]int{x, y}] })
	stored = map[xyz.Tile]bool{}
	keep := func(t xyz.Tile, r *raster.Raster) error {
		r.Grid, r.SRID = xyz.TileGrid(t, a.rev.TileSize), 3857
		top := z == a.rev.MaxZoom && a.rev.NoBase
		sum, err := a.keepTile(ctx, keyOf(a.rev, rasterbase.Pyramid, z, t.X, t.Y, 0), r, top)
		if err != nil {
			return err
		}
		if !sum.Empty() {
			stored[t] = true
			if top {
				a.noteData(t, r)
			}
		}
		return pages.note(ctx, t.X, t.Y, sum)
	}
	if err := a.ready.Pyramid(ctx, z, keep); err != nil {
		return nil, total, err
	}
	for t := range missing {
		r, err := a.reduced(ctx, t, below)
		if err != nil {
			return nil, total, err
		}
		if err := keep(t, r); err != nil {
			return nil, total, err
		}
	}
	if err := a.out.flush(ctx); err != nil {
		return nil, total, err
	}
	total, _, err = pages.finish(ctx)
	return stored, total, err
}

// reduced makes a tile from its children.
func (a *adoption) reduced(ctx context.Context, t xyz.Tile, below map[xyz.Tile]bool) (*raster.Raster, error) {
	if a.rev.TileSize%2 != 0 {
		return nil, rasterbase.Errorf(rasterbase.Unsupported, "zoom %d lacks tiles, and tiles of %d pixels, an odd number, cannot be halved to make them", t.Z, a.rev.TileSize)
	}
	var out *raster.Raster
	for set := range a.rev.BandSets() {
		var keys []store.TileKey
		for _, c := range t.Children() {
			keys = append(keys, keyOf(a.rev, rasterbase.Pyramid, c.Z, c.X, c.Y, set))
		}
		got, err := a.store().Tiles().GetMany(ctx, keys)
		if err != nil {
			return nil, err
		}
		r := resample.Reduce([4]*raster.Raster(got), resample.RuleFor(a.rev.Datatype))
		if r == nil { // only this band set is empty
			r = a.blank(set)
		}
		if out == nil {
			out = r
			continue
		}
		out.Bands = append(out.Bands, r.Bands...)
		out.Validity = andMask(out.Validity, r.Validity)
	}
	return out, nil
}

// blank is a tile of invalid pixels.
func (a *adoption) blank(set int) *raster.Raster {
	var bands []raster.Band
	for _, band := range a.rev.BandSet(set) {
		bands = append(bands, raster.BandOf(a.rev.Bands[band]))
	}
	return raster.NewInvalid(rasterbase.Grid{Width: a.rev.TileSize, Height: a.rev.TileSize}, 0, bands...)
}

// noteData widens the rectangle of valid pixels by those of a tile.
func (a *adoption) noteData(t xyz.Tile, r *raster.Raster) {
	ts := a.rev.TileSize
	for band := range r.Bands {
		b := *r
		b.Bands = []raster.Band{raster.BandOf(a.rev.Bands[band])}
		b.Bands[0].Pixels = r.Bands[band].Pixels
		mask := b.ValidMask(0)
		if mask == nil {
			a.data = around(a.data, raster.Rect{X: t.X * ts, Y: t.Y * ts, Width: ts, Height: ts})
			continue
		}
		for i, v := range mask {
			if v != 0 {
				a.data = around(a.data, raster.Rect{X: t.X*ts + i%ts, Y: t.Y*ts + i/ts, Width: 1, Height: 1})
			}
		}
	}
}

// around is the smallest rectangle around two, of which the first may be empty.
func around(a, b raster.Rect) raster.Rect {
	if a.Width == 0 {
		return b
	}
	x, y := min(a.X, b.X), min(a.Y, b.Y)
	return raster.Rect{X: x, Y: y, Width: max(a.X+a.Width, b.X+b.Width) - x, Height: max(a.Y+a.Height, b.Y+b.Height) - y}
}

// placeData makes the rectangle of valid pixels the revision's grid.
func (a *adoption) placeData() {
	g := xyz.PixelGrid(a.rev.MaxZoom, a.rev.TileSize)
	x, y := g.World(float64(a.data.X), float64(a.data.Y))
	right, bottom := g.World(float64(a.data.X+a.data.Width), float64(a.data.Y+a.data.Height))
	g.OriginX, g.OriginY, g.Width, g.Height = x, y, a.data.Width, a.data.Height
	a.rev.Grid = g
	a.rev.Bounds = xyz.Box{MinX: x, MinY: bottom, MaxX: right, MaxY: y}.LonLat()
}
