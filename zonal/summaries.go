package zonal

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// pagesAtOnce is how many pages of summaries are in memory at once.
const pagesAtOnce = 64

// lookAt answers what is asked of the pages of a depth. What they do not know is asked
// of the depth below, or read.
func (g *gathering) lookAt(ctx context.Context, depth int) error {
	asked := g.pages[depth]
	at := slices.SortedFunc(maps.Keys(asked), compareRows)
	for len(at) > 0 {
		some := at[:min(len(at), pagesAtOnce)]
		at = at[len(some):]
		known := map[coverage.TileAddress]*store.SummaryPage{}
		for _, box := range coverage.PageBoxes(some) {
			pages, err := g.cov.Summaries(ctx, coverage.SummaryQuery{Level: g.z.level, Depth: depth, Pages: &box})
			if err != nil {
				return err
			}
			for i := range pages {
				known[coverage.TileAddress{X: pages[i].X, Y: pages[i].Y}] = &pages[i]
			}
		}
		for _, a := range some {
			if err := g.answer(ctx, depth, asked[a], known[a]); err != nil {
				return err
			}
			delete(asked, a)
		}
	}
	return nil
}

func compareRows(a, b coverage.TileAddress) int {
	return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
}

// answer answers what is asked of one page; nil is a page without a valid pixel.
func (g *gathering) answer(ctx context.Context, depth int, asked *page, known *store.SummaryPage) error {
	var summaries [store.PageSize * store.PageSize]*rasterbase.Summary
	if known != nil {
		for i := range known.Cells {
			c := &known.Cells[i]
			summaries[placeIn(c.X, c.Y)] = &c.Summary
		}
	}
	g.pagesRead++
	read := func(zone int) { // counts the page once for each zone
		if g.lastPage[zone] != g.pagesRead {
			g.lastPage[zone] = g.pagesRead
			g.made[zone].SummaryPages++
		}
	}
	for _, s := range asked.inside {
		read(s.zone)
		for x := s.from; x < s.to; x++ {
			if err := g.inside(ctx, depth, s.zone, x, s.row, summaries[placeIn(x, s.row)]); err != nil {
				return err
			}
		}
	}
	for _, e := range asked.edges {
		read(e.zone)
		if err := g.edge(ctx, e, summaries[placeIn(e.x, e.y)]); err != nil {
			return err
		}
	}
	return g.affordable()
}

func placeIn(x, y int) int { return y%store.PageSize*store.PageSize + x%store.PageSize }

// inside answers a cell that lies inside a zone.
func (g *gathering) inside(ctx context.Context, depth, zone, x, y int, s *rasterbase.Summary) error {
	r := g.rect(depth, x, y)
	pixels := float64(r.Width) * float64(r.Height)
	area, uniform := 0.0, true
	if s != nil && g.areas != nil {
		var err error
		if area, uniform, err = g.areas.uniform(ctx, r); err != nil {
			return err
		}
	}
	if s != nil && (!uniform || g.mustRead(zone, s)) {
		g.descend(depth, zone, x, y, s)
		return nil
	}
	g.made[zone].SummaryTiles += g.tilesIn(r)
	for k := range g.plans {
		p := g.plan(zone, k)
		found := part{nodata: pixels}
		if s != nil {
			found = p.ofSummary(&s.Bands[p.band], pixels, area)
		}
		if err := g.join(zone, k, &found); err != nil {
			return err
		}
	}
	return nil
}

// mustRead reports whether a summary does not know what is asked.
func (g *gathering) mustRead(zone int, s *rasterbase.Summary) bool {
	for k := range g.plans {
		if p := g.plan(zone, k); p.readsPixels(&s.Bands[p.band]) {
			return true
		}
	}
	return false
}

// descend asks for the cells of the depth below, or for the tile's pixels.
func (g *gathering) descend(depth, zone, x, y int, s *rasterbase.Summary) {
	if depth == 0 {
		g.read(x, y, zoneUse{zone, true}, g.complete(s, g.rect(0, x, y)))
		return
	}
	width, height := g.tilesAcross(depth - 1)
	for row := y * store.PageSize; row < min((y+1)*store.PageSize, height); row++ {
		g.ask(depth-1, zone, row, span{x * store.PageSize, min((x+1)*store.PageSize, width)})
	}
}

// tilesIn is how many tiles a rectangle of them has.
func (g *gathering) tilesIn(r raster.Rect) int64 {
	ts := g.z.grid.TileSize
	return int64((r.Width+ts-1)/ts) * int64((r.Height+ts-1)/ts)
}

// complete reports whether all pixels of a tile are valid in all bands.
func (g *gathering) complete(s *rasterbase.Summary, r raster.Rect) bool {
	for _, b := range g.bands {
		if s.Bands[b].Valid != int64(r.Width)*int64(r.Height) {
			return false
		}
	}
	return true
}

// edge answers a tile that an edge passes through where all its pixels are alike, and
// has it read else.
func (g *gathering) edge(ctx context.Context, e zoneTile, s *rasterbase.Summary) error {
	r := g.rect(0, e.x, e.y)
	complete := s != nil && g.complete(s, r)
	alike := s == nil || complete
	for _, b := range g.bands {
		alike = alike && (s == nil || s.Bands[b].Min == s.Bands[b].Max)
	}
	area := 0.0
	if alike && s != nil && g.areas != nil {
		var err error
		if area, alike, err = g.areas.uniform(ctx, r); err != nil {
			return err
		}
	}
	if !alike {
		g.read(e.x, e.y, zoneUse{e.zone, false}, complete)
		return nil
	}
	for k := range g.plans {
		if s != nil && g.plan(e.zone, k).sampled {
			g.read(e.x, e.y, zoneUse{e.zone, false}, complete)
			return nil
		}
	}
	pixels := 0.0
	g.outline(e.zone).Spans(g.z.rule, r, func(_, from, to int, weight float64) { pixels += float64(to-from) * weight })
	g.made[e.zone].SummaryTiles++
	for k := range g.plans {
		p := g.plan(e.zone, k)
		found := part{nodata: pixels}
		if s != nil {
			found = p.ofConstant(s.Bands[p.band].Min, pixels, area)
		}
		if err := g.join(e.zone, k, &found); err != nil {
			return err
		}
	}
	return nil
}
