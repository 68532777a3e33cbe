// Package testlayer writes small published layers straight into a store, for
// tests that read: no raster file and no parser is needed.
package testlayer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// Spec says what a layer holds: a rectangle of pixels of the XYZ grid's max
// zoom, which is its base grid too (in EPSG:3857).
type Spec struct {
	Layer    rasterbase.Layer // its settings
	Datatype rasterbase.Datatype
	Bands    []rasterbase.Band // pixel type, nodata and what the file says; statistics are computed
	TileSize int               // 0: 256
	MaxZoom  int
	// The rectangle, in pixels of the max zoom.
	X, Y, Width, Height int
	// Value is a pixel counted from the rectangle's upper left.
	Value     func(band, x, y int) (v float64, valid bool)
	NoPyramid bool
}

// Add stores a new layer and publishes a revision of it.
func Add(ctx context.Context, st store.Store, s Spec) (*rasterbase.Layer, error) {
	l := s.Layer
	err := st.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Create(ctx, &l) })
	if err != nil {
		return nil, fmt.Errorf("create layer %q: %w", l.Name, err)
	}
	if _, err := Publish(ctx, st, l.ID, s); err != nil {
		return nil, err
	}
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		got, err := tx.Layers().Get(ctx, l.ID)
		if err == nil {
			l = *got
		}
		return err
	})
	return &l, err
}

// Publish writes a new revision of a layer and publishes it. The revision
// before is retired; its tiles stay until they are dropped.
func Publish(ctx context.Context, st store.Store, id rasterbase.LayerID, s Spec) (*rasterbase.Revision, error) {
	b := builder{s: s, id: id}
	b.s.TileSize = cmp.Or(s.TileSize, 256)
	b.revision()
	base, baseCells := b.baseTiles()
	all := [][]store.Tile{base}
	pages := pagesOf(rasterbase.Base, 0, baseCells)
	for z := s.MaxZoom; z >= 0 && !s.NoPyramid; z-- {
		tiles, cells := b.pyramidTiles(z)
		all = append(all, tiles)
		pages = append(pages, pagesOf(rasterbase.Pyramid, z, cells)...)
		b.rev.PyramidTiles += int64(len(tiles))
	}
	b.statistics(baseCells)
	b.rev.BaseTiles = int64(len(base))
	if err := b.write(ctx, st, slices.Concat(all...), pages); err != nil {
		return nil, fmt.Errorf("publish layer %d: %w", id, err)
	}
	return &b.rev, nil
}

type builder struct {
	s   Spec
	id  rasterbase.LayerID
	rev rasterbase.Revision
}

func (b *builder) revision() {
	s := b.s
	g := xyz.PixelGrid(s.MaxZoom, s.TileSize)
	g.OriginX, g.OriginY = g.World(float64(s.X), float64(s.Y))
	g.Width, g.Height = s.Width, s.Height
	east, south := g.World(float64(s.Width), float64(s.Height))
	b.rev = rasterbase.Revision{
		Layer: b.id, Datatype: s.Datatype, DatatypeReason: "given", CRS: rasterbase.CRS{SRID: 3857, Name: "WGS 84 / Pseudo-Mercator"},
		Grid: g, TileSize: s.TileSize, HasPyramid: !s.NoPyramid, MaxZoom: s.MaxZoom, Resampling: rasterbase.Nearest,
		Bands: slices.Clone(s.Bands), Settings: s.Layer.Settings, Driver: "MEM",
	}
	b.rev.Bounds.West, b.rev.Bounds.North = xyz.ToLonLat(g.OriginX, g.OriginY)
	b.rev.Bounds.East, b.rev.Bounds.South = xyz.ToLonLat(east, south)
	for _, band := range s.Bands {
		if band.Nodata == nil {
			b.rev.BaseValidity, b.rev.PyramidValidity = true, true
		}
	}
}

func (b *builder) baseTiles() (tiles []store.Tile, cells []store.SummaryCell) {
	ts := b.s.TileSize
	for y := 0; y*ts < b.s.Height; y++ {
		for x := 0; x*ts < b.s.Width; x++ {
			g := b.rev.Grid
			g.OriginX, g.OriginY = g.World(float64(x*ts), float64(y*ts))
			g.Width, g.Height = min(ts, b.s.Width-x*ts), min(ts, b.s.Height-y*ts)
			key := store.TileKey{Kind: rasterbase.Base, X: x, Y: y}
			b.tile(key, g, func(col, row int) (int, int, bool) { return x*ts + col, y*ts + row, true }, &tiles, &cells)
		}
	}
	return tiles, cells
}

// pyramidTiles makes a zoom's tiles: a pixel takes the value in the middle of
// what it covers of the rectangle.
func (b *builder) pyramidTiles(z int) (tiles []store.Tile, cells []store.SummaryCell) {
	s := b.s
	up := s.MaxZoom - z
	first := func(v int) int { return v >> up / s.TileSize }
	for y := first(s.Y); y <= first(s.Y+s.Height-1); y++ {
		for x := first(s.X); x <= first(s.X+s.Width-1); x++ {
			key := store.TileKey{Kind: rasterbase.Pyramid, Z: z, X: x, Y: y}
			g := xyz.TileGrid(xyz.Tile{Z: z, X: x, Y: y}, s.TileSize)
			b.tile(key, g, func(col, row int) (int, int, bool) {
				px, okX := middle((x*s.TileSize+col)<<up-s.X, 1<<up, s.Width)
				py, okY := middle((y*s.TileSize+row)<<up-s.Y, 1<<up, s.Height)
				return px, py, okX && okY
			}, &tiles, &cells)
		}
	}
	return tiles, cells
}

// middle is the place in the middle of what from..from+n and 0..size share.
func middle(from, n, size int) (int, bool) {
	lo, hi := max(from, 0), min(from+n, size)
	return (lo + hi) / 2, lo < hi
}

// tile makes the rasters of a tile, one for each band set, unless it is empty.
func (b *builder) tile(key store.TileKey, g rasterbase.Grid, at func(col, row int) (int, int, bool), tiles *[]store.Tile, cells *[]store.SummaryCell) {
	key.Layer = b.id
	cell := store.SummaryCell{X: key.X, Y: key.Y}
	cell.Bands = make([]rasterbase.BandSummary, len(b.rev.Bands))
	var made []store.Tile
	for set := range b.rev.BandSets() {
		key.BandSet = set
		r := b.raster(g, b.rev.BandSet(set), at)
		for place, band := range b.rev.BandSet(set) {
			cell.Bands[band] = raster.Summarize(r, place, b.s.Datatype.Discrete())
		}
		made = append(made, store.Tile{TileKey: key, Raster: r})
	}
	if !cell.Empty() {
		*tiles = append(*tiles, made...)
		*cells = append(*cells, cell)
	}
}

func (b *builder) raster(g rasterbase.Grid, bands []int, at func(col, row int) (int, int, bool)) *raster.Raster {
	n := g.Width * g.Height
	r := &raster.Raster{Grid: g, SRID: 3857}
	if b.rev.PyramidValidity {
		r.Validity = make([]uint8, n)
	}
	for place, band := range bands {
		rb := raster.BandOf(b.rev.Bands[band])
		rb.Pixels = raster.NewPixels(rb.Type, n)
		for i := range n {
			x, y, inside := at(i%g.Width, i/g.Width)
			v, valid := 0.0, false
			if inside {
				v, valid = b.s.Value(band, x, y)
			}
			switch {
			case valid:
				rb.Pixels.Set(i, v)
				if r.Validity != nil && place == 0 {
					r.Validity[i] = 255
				}
			case rb.HasNodata:
				rb.Pixels.Set(i, rb.Nodata)
			}
		}
		r.Bands = append(r.Bands, rb)
	}
	return r
}

// statistics computes the bands' from the base tiles.
func (b *builder) statistics(cells []store.SummaryCell) {
	for i := range b.rev.Bands {
		var sum rasterbase.BandSummary
		for _, c := range cells {
			sum.Add(c.Bands[i])
		}
		band := &b.rev.Bands[i]
		band.Scale = cmp.Or(band.Scale, 1)
		band.Count, band.Min, band.Max, band.Mean, band.Std = sum.Valid, sum.Min, sum.Max, sum.Mean, sum.Std()
		band.Histogram = rasterbase.Histogram{Min: sum.Min, Max: sum.Max, Values: sum.Counts}
		if !b.s.Datatype.Discrete() && sum.Valid > 0 {
			band.Histogram.Bins = b.bins(i, sum.Min, sum.Max)
		}
	}
}

// bins counts a band's valid pixels in 256 bins of equal width.
func (b *builder) bins(band int, least, most float64) []int64 {
	bins := make([]int64, 256)
	for i := range b.s.Width * b.s.Height {
		v, valid := b.s.Value(band, i%b.s.Width, i/b.s.Width)
		if valid && least < most {
			bins[min(255, max(0, int(256*(v-least)/(most-least))))]++
		} else if valid {
			bins[0]++
		}
	}
	return bins
}

func (b *builder) write(ctx context.Context, st store.Store, tiles []store.Tile, pages []store.SummaryPage) error {
	err := st.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Revisions().Create(ctx, &b.rev) })
	if err != nil {
		return err
	}
	if err := st.Tiles().Create(ctx, &b.rev); err != nil {
		return err
	}
	for i := range tiles {
		tiles[i].Revision = b.rev.ID
	}
	if len(tiles) > 0 {
		if err := st.Tiles().Put(ctx, tiles); err != nil {
			return err
		}
	}
	if err := st.Tiles().Seal(ctx, store.RevisionKey{Layer: b.id, Revision: b.rev.ID}); err != nil {
		return err
	}
	return st.Catalog().Update(ctx, func(tx store.Tx) error {
		if err := tx.Revisions().PutSummaries(ctx, b.rev.ID, pages); err != nil {
			return err
		}
		_, err := tx.Revisions().Publish(ctx, b.rev.ID)
		return err
	})
}

// pagesOf groups a level's cells, ordered by y and x, in pages, those in pages
// of pages, and so on up to a single one.
func pagesOf(kind rasterbase.Kind, z int, cells []store.SummaryCell) (all []store.SummaryPage) {
	for depth := 0; len(cells) > 0; depth++ {
		at := map[[2]int]*store.SummaryPage{}
		var order []*store.SummaryPage
		for _, c := range cells {
			k := [2]int{c.Y / store.PageSize, c.X / store.PageSize}
			if at[k] == nil {
				at[k] = &store.SummaryPage{Kind: kind, Z: z, Depth: depth, X: k[1], Y: k[0]}
				order = append(order, at[k])
			}
			at[k].Cells = append(at[k].Cells, c)
		}
		slices.SortFunc(order, func(a, b *store.SummaryPage) int { return cmp.Or(a.Y-b.Y, a.X-b.X) })
		cells = nil
		for _, p := range order {
			all = append(all, *p)
			up := store.SummaryCell{X: p.X, Y: p.Y}
			for _, c := range p.Cells {
				up.Add(c.Summary)
			}
			cells = append(cells, up)
		}
		if len(order) == 1 {
			break
		}
	}
	return all
}

// Constant is a Value that is the same everywhere.
func Constant(v float64) func(band, x, y int) (float64, bool) {
	return func(int, int, int) (float64, bool) { return v, true }
}
