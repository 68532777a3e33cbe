package ingest

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// pager puts the summaries of a level into pages where its tiles come in any
// order. A page is stored as soon as all of its tiles were noted, so that the
// memory does not grow with the raster. It belongs to one goroutine.
type pager struct {
	*run
	kind   rasterbase.Kind
	z      int
	expect func(x, y int) int // how many notes there will be for a page
	open   map[[2]int]*openPage
	ready  []store.SummaryPage
}

type openPage struct {
	cells []store.SummaryCell
	left  int
}

func newPager(r *run, kind rasterbase.Kind, z int, expect func(x, y int) int) *pager {
	return &pager{run: r, kind: kind, z: z, expect: expect, open: map[[2]int]*openPage{}}
}

// note adds the summary of a tile.
func (p *pager) note(ctx context.Context, x, y int, s rasterbase.Summary) error {
	k := [2]int{x / store.PageSize, y / store.PageSize}
	o := p.open[k]
	if o == nil {
		o = &openPage{left: p.expect(k[0], k[1])}
		p.open[k] = o
	}
	o.cells = append(o.cells, store.SummaryCell{X: x, Y: y, Summary: s})
	if o.left--; o.left > 0 {
		return nil
	}
	p.close(k)
	if len(p.ready) < pagesAtOnce {
		return nil
	}
	return p.put(ctx)
}

// close makes a page of what was noted for it.
func (p *pager) close(k [2]int) {
	p.ready = append(p.ready, pagesOf(p.kind, p.z, p.open[k].cells)...)
	delete(p.open, k)
}

func (p *pager) put(ctx context.Context) error {
	pages := p.ready
	p.ready = nil
	return p.putSummaries(ctx, pages)
}

// finish stores what is left and the pages of pages, and gives the summary of
// the whole level and how many of its tiles are not empty.
func (p *pager) finish(ctx context.Context) (total rasterbase.Summary, tiles int64, err error) {
	for k := range p.open {
		p.close(k)
	}
	if err := p.put(ctx); err != nil {
		return total, 0, err
	}
	return p.level(ctx, p.kind, p.z)
}
