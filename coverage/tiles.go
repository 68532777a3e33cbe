package coverage

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// TileQuery selects tiles of a level by a geometry: a point, a line, a
// polygon, a box (orb.Bound, or [footprint.BoxGeometry] for one that may cross the
// antimeridian), several of these, or a collection.
//
// A tile is selected when its rectangle, edges included, has a place in common
// with the geometry; a place within a millionth of a pixel of an edge lies on
// it. Base tiles at the right and lower edge of the raster end with it. Holes
// of polygons are respected, whichever way rings turn; rings need not be
// closed. The geometry's edges are straight in its own CRS, and followed within
// a hundredth of a pixel in the level's. What has no place in the level's CRS
// selects nothing.
type TileQuery struct {
	Level       Level           // the base grid, or a zoom up to the max zoom
	Geometry    orb.Geometry    // nil: all tiles
	CRS         rasterbase.CRS  // of the geometry
	Transformer crs.Transformer // nil: closed forms only
	Bands       []int           // of rasters, from 0; nil: all
}

// TileAddress is the place of a tile in its level.
type TileAddress struct{ X, Y int }

// TileRaster is a tile with its pixels.
type TileRaster struct {
	TileAddress
	Raster *raster.Raster // shared and read-only
}

// Tiles yields the addresses of the stored tiles that intersect a geometry,
// ordered by Y and X. A tile is stored when it has a valid pixel in any band.
// No pixels are read: the summaries tell what is stored, and only those pages of
// them are read that the geometry touches. The error has code invalid for a zoom
// beyond the max zoom, not found when there is no pyramid, and unsupported when
// the geometry cannot be transformed; it matches store.ErrRevisionGone when
// the revision was dropped. After an error there are no more tiles. For the base
// level of a layer without base tiles they are those of the max zoom.
func (c *Layer) Tiles(ctx context.Context, q TileQuery) iter.Seq2[TileAddress, error] {
	return func(yield func(TileAddress, error) bool) {
		q.Level = c.storedLevel(q.Level)
		s, err := c.search(ctx, q)
		if err == nil {
			err = s.run(ctx, func(at TileAddress) bool { return yield(at, nil) })
		}
		if err != nil {
			yield(TileAddress{}, fmt.Errorf("find tiles of layer %d: %w", c.layer.ID, err))
		}
	}
}

// search finds the tiles of a level that a footprint touches.
type search struct {
	c     *Layer
	level Level
	cells *footprint.Cells
	yield func(TileAddress) bool
}

func (c *Layer) search(ctx context.Context, q TileQuery) (*search, error) {
	if err := c.checkTiles(q); err != nil {
		return nil, err
	}
	o, err := placed(ctx, c.Describe().LevelGrid(q.Level), q.Geometry, q.CRS, q.Transformer)
	if err != nil {
		return nil, err
	}
	return &search{c: c, level: q.Level, cells: o.Cells()}, nil
}

// placed places one geometry in the pixels of a grid.
func placed(ctx context.Context, grid footprint.Grid, g orb.Geometry, in rasterbase.CRS, t crs.Transformer) (*footprint.Outline, error) {
	if g == nil {
		in = grid.CRS // all of the grid, wherever it is
	}
	p, err := footprint.NewPlacer(ctx, grid, footprint.Options{CRS: in, Transformer: t, Lenient: true})
	if err != nil {
		return nil, err
	}
	return p.Place(ctx, g)
}

// checkTiles tells whether there are tiles of a level.
func (c *Layer) checkTiles(q TileQuery) error {
	r := WindowRequest{Level: q.Level, Width: 1, Height: 1, Bands: q.Bands}
	if _, err := c.check(&r); err != nil {
		return err
	}
	if q.Level.Zoom > c.rev.MaxZoom {
		return rasterbase.Errorf(rasterbase.Invalid, "layer %d has no tiles of zoom %d: its zooms go from 0 to %d", c.layer.ID, q.Level.Zoom, c.rev.MaxZoom).
			WithHint("tiles beyond the max zoom are made from its tiles and not stored")
	}
	return nil
}

// pages is the box of the summary pages of a depth that hold the cells the
// geometry's box touches.
func pages(c *footprint.Cells, depth int) (b store.PageBox, empty bool) {
	x1, y1, x2, y2, empty := c.Box()
	if empty {
		return b, true
	}
	width, height := c.Extent()
	side := math.Pow(store.PageSize, float64(depth+1))
	first := func(v float64) int { return max(0, int(math.Ceil(v/side))-1) }
	last := func(v, most float64) int { return int(min(math.Floor(v/side), math.Ceil(most/side)-1)) }
	return store.PageBox{MinX: first(x1), MinY: first(y1), MaxX: last(x2, width), MaxY: last(y2, height)}, false
}

// holds reports whether a cell is in one of the spans.
func holds(spans []footprint.Span, x int) bool {
	i, _ := slices.BinarySearchFunc(spans, x, func(s footprint.Span, x int) int { return cmp.Compare(s.To, x) })
	return i < len(spans) && spans[i].From <= x
}

// startPages is how many pages the search begins with at most, unless one page
// holds the whole level; pagesAtOnce is how many it reads in one transaction
// before it goes on with what they hold, so that memory does not grow with the
// selection.
const (
	startPages  = 64
	pagesAtOnce = 256
)

// run begins at the lowest depth at which the geometry's box has few pages.
// Summaries end at the depth at which one page holds all cells, so pages that
// are not there are looked for one depth further down.
func (s *search) run(ctx context.Context, yield func(TileAddress) bool) error {
	s.yield = yield
	for depth := s.cells.Top(); depth >= 0; depth-- {
		box, empty := pages(s.cells, depth)
		if empty {
			return nil
		}
		if below, _ := pages(s.cells, max(depth-1, 0)); depth > 0 && area64(below) <= startPages {
			continue
		}
		cells, found, err := s.read(ctx, depth, []store.PageBox{box})
		if err != nil {
			return err
		}
		if found {
			_, err := s.descend(ctx, depth, cells)
			return err
		}
	}
	return nil
}

// area64 is the number of pages in a box.
func area64(b store.PageBox) int64 {
	if b.MaxX < b.MinX || b.MaxY < b.MinY {
		return 0
	}
	return int64(b.MaxX-b.MinX+1) * int64(b.MaxY-b.MinY+1)
}

// descend yields the tiles in cells of a depth that are in order.
func (s *search) descend(ctx context.Context, depth int, cells []TileAddress) (more bool, err error) {
	if depth == 0 {
		for _, at := range cells {
			if !s.yield(at) {
				return false, nil
			}
		}
		return true, nil
	}
	for len(cells) > 0 {
		n := wholeRows(cells)
		found, _, err := s.read(ctx, depth-1, PageBoxes(cells[:n]))
		if err != nil {
			return false, err
		}
		cells = cells[n:]
		if more, err := s.descend(ctx, depth-1, found); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// wholeRows is how many of the first pages are read at once: whole rows, since
// tiles are yielded row by row.
func wholeRows(pages []TileAddress) int {
	n := min(len(pages), pagesAtOnce)
	// Back to the end of a row, or on to the end of the only one.
	for n < len(pages) && n > 0 && pages[n].Y == pages[n-1].Y {
		n--
	}
	for n == 0 || n < len(pages) && pages[n].Y == pages[n-1].Y {
		n = max(n, 1)
		for n < len(pages) && pages[n].Y == pages[n-1].Y {
			n++
		}
	}
	return n
}

// PageBoxes gives boxes that hold pages of summaries, which are in order, by Y and then
// X, and not many others: a single one when it is filled well, or else runs of each row.
func PageBoxes(pages []TileAddress) (out []store.PageBox) {
	whole := store.PageBox{MinX: pages[0].X, MaxX: pages[0].X, MinY: pages[0].Y, MaxY: pages[len(pages)-1].Y}
	for _, p := range pages {
		whole.MinX, whole.MaxX = min(whole.MinX, p.X), max(whole.MaxX, p.X)
	}
	if area64(whole) <= 2*int64(len(pages)) {
		return []store.PageBox{whole}
	}
	const gap = 2 // so few pages too many are read sooner than asked for apart
	for _, p := range pages {
		if n := len(out); n > 0 && out[n-1].MinY == p.Y && p.X-out[n-1].MaxX <= gap {
			out[n-1].MaxX = p.X
			continue
		}
		out = append(out, store.PageBox{MinX: p.X, MinY: p.Y, MaxX: p.X, MaxY: p.Y})
	}
	return out
}

// read gives the cells of pages that the geometry touches, in order, and
// whether there are any pages.
func (s *search) read(ctx context.Context, depth int, boxes []store.PageBox) (cells []TileAddress, found bool, err error) {
	err = s.c.st.Catalog().View(ctx, func(tx store.Tx) error {
		cells, found = nil, false
		for i := range boxes {
			row := pageRow{cells: s.cells, depth: depth, y: -1}
			q := store.SummaryQuery{Revision: s.c.rev.ID, Kind: s.level.Kind, Z: s.level.Zoom, Depth: depth, Pages: &boxes[i]}
			for p, err := range tx.Revisions().Summaries(ctx, q) {
				if err != nil {
					return err
				}
				found = true
				for _, cell := range p.Cells {
					if !cell.Empty() && holds(row.spans(p.Y, cell.Y), cell.X) {
						cells = append(cells, TileAddress{cell.X, cell.Y})
					}
				}
			}
		}
		return nil
	})
	slices.SortFunc(cells, compareRows)
	return cells, found, err
}

// pageRow keeps the spans of the rows of cells in a row of pages, which are
// read page by page.
type pageRow struct {
	cells *footprint.Cells
	depth int
	y     int // of the pages
	known [store.PageSize]bool
	rows  [store.PageSize][]footprint.Span
}

func (r *pageRow) spans(page, y int) []footprint.Span {
	if page != r.y {
		r.y, r.known = page, [store.PageSize]bool{}
	}
	i := y - page*store.PageSize
	if !r.known[i] {
		r.known[i], r.rows[i] = true, r.cells.Spans(r.depth, y)
	}
	return r.rows[i]
}
