package ingest

import (
	"context"
	"fmt"
	"sync"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// pagesAtOnce is how many pages of summaries are written in one transaction.
const pagesAtOnce = 16

// pager collects the summaries of a level's tiles and stores them in pages of
// 16x16. A page is stored as soon as all of its tiles were noted, so that the
// memory does not grow with the raster; only one summary of each page stays,
// for the pages of pages above.
type pager struct {
	*run
	kind rasterbase.Kind
	z    int
	// expect is how many notes there will be for a page.
	expect func(x, y int) int

	mu    sync.Mutex
	open  map[[2]int]*openPage
	ready []store.SummaryPage
	hold  bool                // pages stay ready, since counts may yet be dropped
	bare  bool                // without counts by value
	up    []store.SummaryCell // of the pages that are ready or stored
	tiles int64               // noted that are not empty
}

type openPage struct {
	cells map[[2]int]*store.SummaryCell
	left  int
}

func (r *run) pager(kind rasterbase.Kind, z int, expect func(x, y int) int) *pager {
	return &pager{run: r, kind: kind, z: z, expect: expect, open: map[[2]int]*openPage{}}
}

// note adds the summary of a tile, or of some bands of it.
func (p *pager) note(ctx context.Context, x, y int, s rasterbase.Summary) error {
	p.mu.Lock()
	k := [2]int{x / store.PageSize, y / store.PageSize}
	o := p.open[k]
	if o == nil {
		o = &openPage{cells: map[[2]int]*store.SummaryCell{}, left: p.expect(k[0], k[1])}
		p.open[k] = o
	}
	if !s.Empty() {
		if p.bare {
			dropCounts(&s)
		}
		c := o.cells[[2]int{x, y}]
		if c == nil {
			c = &store.SummaryCell{X: x, Y: y}
			o.cells[[2]int{x, y}] = c
			p.tiles++
		}
		c.Add(s)
	}
	if o.left--; o.left == 0 {
		p.close(k, o)
	}
	pages := p.take(pagesAtOnce)
	p.mu.Unlock()
	return p.put(ctx, pages)
}

// close makes a page of what was noted for it.
func (p *pager) close(k [2]int, o *openPage) {
	delete(p.open, k)
	if len(o.cells) == 0 {
		return
	}
	page := store.SummaryPage{Kind: p.kind, Z: p.z, X: k[0], Y: k[1]}
	for _, c := range o.cells {
		page.Cells = append(page.Cells, *c)
	}
	sortCells(page.Cells)
	p.ready = append(p.ready, page)
	p.up = append(p.up, pageCell(page))
}

// take hands out the pages that are ready when there are enough of them.
func (p *pager) take(enough int) []store.SummaryPage {
	if p.hold || len(p.ready) < enough {
		return nil
	}
	pages := p.ready
	p.ready = nil
	return pages
}

// withoutCounts drops the counts by value of all that was noted, and of all
// that will be.
func (p *pager) withoutCounts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bare, p.hold = true, false
	for _, o := range p.open {
		for _, c := range o.cells {
			dropCounts(&c.Summary)
		}
	}
	for _, page := range p.ready {
		for i := range page.Cells {
			dropCounts(&page.Cells[i].Summary)
		}
	}
	for i := range p.up {
		dropCounts(&p.up[i].Summary)
	}
}

// finish stores what is left and the pages of pages, and gives the summary of
// the whole level.
func (p *pager) finish(ctx context.Context) (total rasterbase.Summary, err error) {
	p.hold = false
	for k, o := range p.open {
		p.close(k, o)
	}
	cells := p.up
	for depth := 1; len(cells) > 0; depth++ {
		sortCells(cells)
		last := len(cells) == 1 && cells[0].X == 0 && cells[0].Y == 0
		if last {
			total = cells[0].Summary
			break
		}
		cells = p.join(depth, cells)
	}
	if total.Bands == nil {
		total.Bands = make([]rasterbase.BandSummary, len(p.rev.Bands))
	}
	return total, p.put(ctx, p.take(0))
}

// join makes the pages of a depth from the cells of the pages below, and gives
// a cell for each of them.
func (p *pager) join(depth int, cells []store.SummaryCell) (up []store.SummaryCell) {
	byPage := map[[2]int]int{}
	var pages []store.SummaryPage
	for _, c := range cells {
		k := [2]int{c.X / store.PageSize, c.Y / store.PageSize}
		i, ok := byPage[k]
		if !ok {
			i = len(pages)
			byPage[k] = i
			pages = append(pages, store.SummaryPage{Kind: p.kind, Z: p.z, Depth: depth, X: k[0], Y: k[1]})
		}
		pages[i].Cells = append(pages[i].Cells, c)
	}
	for _, page := range pages {
		up = append(up, pageCell(page))
	}
	p.ready = append(p.ready, pages...)
	return up
}

// pageCell is the cell that a page is for the page above it.
func pageCell(page store.SummaryPage) store.SummaryCell {
	up := store.SummaryCell{X: page.X, Y: page.Y}
	for _, c := range page.Cells {
		up.Add(c.Summary)
	}
	return up
}

func (p *pager) put(ctx context.Context, pages []store.SummaryPage) error {
	for len(pages) > 0 {
		n := min(pagesAtOnce, len(pages))
		err := p.store().Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Revisions().PutSummaries(ctx, p.rev.ID, pages[:n])
		})
		if err != nil {
			return fmt.Errorf("write summaries: %w", err)
		}
		pages = pages[n:]
	}
	return nil
}

func dropCounts(s *rasterbase.Summary) {
	for i := range s.Bands {
		s.Bands[i].Counts = nil
	}
}

// tileSet tells which base tiles of a band set are stored.
type tileSet struct {
	cols int
	bits []uint64
}

func newTileSet(cols, rows int) *tileSet {
	return &tileSet{cols: cols, bits: make([]uint64, (cols*rows+63)/64)}
}

func (t *tileSet) add(x, y int) {
	i := y*t.cols + x
	t.bits[i/64] |= 1 << (i % 64)
}

func (t *tileSet) has(x, y int) bool {
	i := y*t.cols + x
	return t.bits[i/64]&(1<<(i%64)) != 0
}
