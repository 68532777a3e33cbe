package zonal

import (
	"cmp"
	"context"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// gathering is one pass over a batch of zones: first what the summaries know, then the
// tiles that have to be read.
type gathering struct {
	*count
	from, zones int
	plans       [][]*tallyPlan // of each band: one for all zones, or one for each
	parts       []part         // zone by zone, band by band
	made        []Made
	areas       *ground                            // nil: none are gathered
	pagesRead   int                                // pages of summaries so far
	lastPage    []int                              // of each zone, the last of them that was read for it
	top         int                                // the depth at which one page has all cells
	pages       []map[coverage.TileAddress]*page   // that are to be looked at, by depth
	tiles       map[coverage.TileAddress]*tileWork // that are to be read
}

// page is what is asked of a page of summaries.
type page struct {
	inside []rowSpan
	edges  []zoneTile // of depth 0
}

// rowSpan is a run of cells of a page that lie inside a zone.
type rowSpan struct {
	zone, row int
	span
}

// zoneTile is a tile that an edge of a zone passes through.
type zoneTile struct{ zone, x, y int }

// tileWork is a tile that is to be read, for the zones that have pixels in it.
type tileWork struct {
	at       coverage.TileAddress
	rect     raster.Rect // its pixels
	complete bool        // all of them are valid, in all bands
	zones    []zoneUse
}

type zoneUse struct {
	zone   int
	inside bool // the zone has all of the tile
}

func newGathering(c *count, from, to int, plans [][]*tallyPlan) *gathering {
	return &gathering{
		count: c, from: from, zones: to - from, plans: plans, parts: make([]part, (to-from)*len(plans)),
		made: make([]Made, to-from), lastPage: make([]int, to-from), areas: c.ground, tiles: map[coverage.TileAddress]*tileWork{},
	}
}

// plan is that of a band of a zone.
func (g *gathering) plan(zone, band int) *tallyPlan {
	if len(g.plans[band]) == 1 {
		return g.plans[band][0]
	}
	return g.plans[band][zone]
}

func (g *gathering) outline(zone int) *footprint.Outline { return g.z.outlines[g.from+zone] }

// join adds what was found of a band of a zone.
func (g *gathering) join(zone, band int, o *part) error {
	t, p := &g.parts[zone*len(g.plans)+band], g.plan(zone, band)
	t.join(p, o)
	if err := t.err(p); err != nil {
		return &ZoneError{g.from + zone, err}
	}
	return nil
}

// summarize gathers what the summaries know, and gives the tiles that are still to be
// read.
func (g *gathering) summarize(ctx context.Context) ([]*tileWork, error) {
	summaries, err := g.findTop(ctx)
	if err != nil {
		return nil, err
	}
	if err := g.sort(ctx, summaries); err != nil {
		return nil, err
	}
	for depth := g.top; depth >= 0 && summaries; depth-- {
		if err := g.lookAt(ctx, depth); err != nil {
			return nil, err
		}
	}
	return g.toRead()
}

// run gathers all.
func (g *gathering) run(ctx context.Context) error {
	tiles, err := g.summarize(ctx)
	if err != nil {
		return err
	}
	return g.readTiles(ctx, tiles, g.bands, func() tileCounter { return newPartCounter(g) })
}

// findTop finds the depth at which one page of summaries has all cells, and reports
// whether there are any summaries.
func (g *gathering) findTop(ctx context.Context) (bool, error) {
	width, height := g.tilesAcross(0)
	top := 0
	for w, h := width, height; w > store.PageSize || h > store.PageSize; top++ {
		w, h = above(w), above(h)
	}
	if _, err := g.cov.Summaries(ctx, coverage.SummaryQuery{Level: g.z.level, Pages: &noPages}); err != nil {
		if rasterbase.CodeOf(err) == rasterbase.Unsupported {
			return false, nil
		}
		return false, err
	}
	if g.z.level == coverage.BaseLevel { // whose summaries go up to there
		g.setTop(top)
		g.askWhole(store.SummaryPage{})
		return true, nil
	}
	for ; ; top-- {
		pages, err := g.cov.Summaries(ctx, coverage.SummaryQuery{Level: g.z.level, Depth: top})
		if err != nil {
			return false, err
		}
		if len(pages) > 0 || top == 0 {
			g.setTop(top)
			for _, p := range pages {
				g.askWhole(p)
			}
			return true, nil
		}
	}
}

// noPages is a box without pages.
var noPages = store.PageBox{MinX: 1, MinY: 1}

func (g *gathering) setTop(depth int) {
	g.top = depth
	g.pages = make([]map[coverage.TileAddress]*page, depth+1)
	for i := range g.pages {
		g.pages[i] = map[coverage.TileAddress]*page{}
	}
}

// askWhole asks for all cells of a page of the top, for zones that are the whole
// coverage.
func (g *gathering) askWhole(p store.SummaryPage) {
	for zone := range g.zones {
		if !g.z.whole[g.from+zone] {
			continue
		}
		width, height := g.tilesAcross(g.top)
		x := span{p.X * store.PageSize, min((p.X+1)*store.PageSize, width)}
		for y := p.Y * store.PageSize; y < min((p.Y+1)*store.PageSize, height); y++ {
			g.ask(g.top, zone, y, x)
		}
	}
}

// tilesAcross is how many cells of a depth the level has in each direction.
func (c *count) tilesAcross(depth int) (width, height int) {
	ts := c.z.grid.TileSize
	width, height = (c.z.grid.Width+ts-1)/ts, (c.z.grid.Height+ts-1)/ts
	for range depth {
		width, height = above(width), above(height)
	}
	return width, height
}

// above is how many cells of the next depth hold so many cells.
func above(n int) int { return (n + store.PageSize - 1) / store.PageSize }

// sort notes of each zone which cells lie inside, and which tiles its edges pass
// through.
func (g *gathering) sort(ctx context.Context, summaries bool) error {
	for zone := range g.zones {
		if err := ctx.Err(); err != nil {
			return err
		}
		if g.z.whole[g.from+zone] {
			if summaries {
				continue
			}
			if err := g.readWhole(ctx, zone); err != nil {
				return err
			}
			continue
		}
		inside := tilesOf(g.outline(zone), g.z.rule, func(x, y int) {
			if summaries {
				p := g.page(0, x, y)
				p.edges = append(p.edges, zoneTile{zone, x, y})
			} else {
				g.read(x, y, zoneUse{zone, false}, false)
			}
		})
		for depth := 0; len(inside) > 0; depth++ {
			width, height := g.tilesAcross(depth)
			var next cells
			if summaries && depth < g.top {
				next = inside.fold(width, height)
			}
			for _, row := range inside.rows() {
				for _, s := range inside[row] {
					if summaries {
						g.ask(depth, zone, row, s)
						continue
					}
					for x := s.from; x < s.to; x++ {
						g.read(x, row, zoneUse{zone, true}, false)
					}
					if err := cmp.Or(ctx.Err(), g.affordable()); err != nil {
						return err
					}
				}
			}
			inside = next
		}
		if err := g.affordable(); err != nil {
			return err
		}
	}
	return nil
}

// page is what is asked of the page that a cell is in.
func (g *gathering) page(depth, x, y int) *page {
	at := coverage.TileAddress{X: x / store.PageSize, Y: y / store.PageSize}
	p := g.pages[depth][at]
	if p == nil {
		p = &page{}
		g.pages[depth][at] = p
	}
	return p
}

// ask asks for a run of cells of a depth.
func (g *gathering) ask(depth, zone, row int, s span) {
	for s.from < s.to {
		end := min(s.to, (s.from/store.PageSize+1)*store.PageSize)
		p := g.page(depth, s.from, row)
		p.inside = append(p.inside, rowSpan{zone, row, span{s.from, end}})
		s.from = end
	}
}

// read notes a tile to be read for a zone.
func (g *gathering) read(x, y int, use zoneUse, complete bool) {
	at := coverage.TileAddress{X: x, Y: y}
	t := g.tiles[at]
	if t == nil {
		t = &tileWork{at: at, rect: g.rect(0, x, y), complete: complete}
		g.tiles[at] = t
	}
	t.zones = append(t.zones, use)
}

// rect is the pixels of a cell of a depth, which ends where the level does.
func (g *gathering) rect(depth, x, y int) raster.Rect {
	side := g.z.grid.TileSize << (4 * depth)
	return raster.Rect{X: x * side, Y: y * side, Width: min(side, g.z.grid.Width-x*side), Height: min(side, g.z.grid.Height-y*side)}
}

// affordable fails when more pixels are to be read than may be, those with them that
// this call of Count has read or will have.
func (g *gathering) affordable() error {
	if g.q.MaxPixels <= 0 {
		return nil
	}
	pixels := g.count.read
	if int64(len(g.tiles))*int64(g.z.grid.TileSize)*int64(g.z.grid.TileSize)+pixels <= g.q.MaxPixels {
		return nil
	}
	for _, t := range g.tiles {
		pixels += int64(t.rect.Width) * int64(t.rect.Height)
	}
	if pixels <= g.q.MaxPixels {
		return nil
	}
	return rasterbase.Errorf(rasterbase.TooLarge, "%d pixels would have to be read for this, and %d may be", pixels, g.q.MaxPixels).
		WithHint("a smaller geometry, or the coarser pixels of a zoom; counts by value, and count, sum, mean, min, max and std, read only those along its edge").
		WithField("geom")
}

// toRead gives the tiles that are to be read, page by page.
func (g *gathering) toRead() ([]*tileWork, error) {
	if err := g.affordable(); err != nil {
		return nil, err
	}
	out := make([]*tileWork, 0, len(g.tiles))
	for _, t := range g.tiles {
		out = append(out, t)
		g.count.read += int64(t.rect.Width) * int64(t.rect.Height)
	}
	slices.SortFunc(out, func(a, b *tileWork) int {
		return cmp.Or(
			cmp.Compare(a.at.Y/store.PageSize, b.at.Y/store.PageSize), cmp.Compare(a.at.X/store.PageSize, b.at.X/store.PageSize),
			cmp.Compare(a.at.Y, b.at.Y), cmp.Compare(a.at.X, b.at.X))
	})
	return out, nil
}
