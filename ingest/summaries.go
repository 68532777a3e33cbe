package ingest

import (
	"context"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// level is the summaries of all tiles of a kind and zoom, ordered by y, x.
type level struct {
	kind  rasterbase.Kind
	z     int
	cells []store.SummaryCell
}

// pages groups a level's summaries in pages of 16x16 tiles, those in pages of
// 16x16 pages, and so on until one page holds all.
func (l level) pages() []store.SummaryPage {
	var all []store.SummaryPage
	cells := l.cells
	for depth := 0; len(cells) > 0; depth++ {
		byPage := map[[2]int]*store.SummaryPage{}
		var order [][2]int
		for _, c := range cells {
			k := [2]int{c.X / store.PageSize, c.Y / store.PageSize}
			p := byPage[k]
			if p == nil {
				p = &store.SummaryPage{Kind: l.kind, Z: l.z, Depth: depth, X: k[0], Y: k[1]}
				byPage[k] = p
				order = append(order, k)
			}
			p.Cells = append(p.Cells, c)
		}
		cells = nil
		for _, k := range order {
			p := byPage[k]
			all = append(all, *p)
			up := store.SummaryCell{X: p.X, Y: p.Y}
			for _, c := range p.Cells {
				up.Add(c.Summary)
			}
			cells = append(cells, up)
		}
		if len(order) == 1 && order[0] == [2]int{} {
			break
		}
		sortCells(cells, func(c store.SummaryCell) (int, int) { return c.X, c.Y })
	}
	return all
}

// summarize stores the summaries of all levels, some pages at a time so that
// no transaction is long.
func (r *run) summarize(ctx context.Context) error {
	const atOnce = 64
	for _, l := range append(r.levels, level{kind: rasterbase.Base, cells: r.baseCells}) {
		for pages := l.pages(); len(pages) > 0; {
			n := min(atOnce, len(pages))
			err := r.store().Catalog().Update(ctx, func(tx store.Tx) error {
				return tx.Revisions().PutSummaries(ctx, r.rev.ID, pages[:n])
			})
			if err != nil {
				return fmt.Errorf("write summaries: %w", err)
			}
			pages = pages[n:]
		}
	}
	return nil
}
