package ingest

import (
	"context"
	"fmt"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// pagesAtOnce is how many pages of summaries are written in one transaction.
const pagesAtOnce = 16

// pagesOf puts the summaries of tiles of one level into pages of 16x16. Empty
// tiles are left out.
func pagesOf(kind rasterbase.Kind, z int, cells []store.SummaryCell) []store.SummaryPage {
	byPage := map[[2]int]int{}
	var pages []store.SummaryPage
	sortCells(cells)
	for _, c := range cells {
		if c.Empty() {
			continue
		}
		k := [2]int{c.X / store.PageSize, c.Y / store.PageSize}
		i, ok := byPage[k]
		if !ok {
			i = len(pages)
			byPage[k] = i
			pages = append(pages, store.SummaryPage{Kind: kind, Z: z, X: k[0], Y: k[1]})
		}
		pages[i].Cells = append(pages[i].Cells, c)
	}
	return pages
}

// putPages stores what a chunk knows of some pages. Cells that other chunks
// have put there stay.
func putPages(ctx context.Context, tx store.Tx, rev rasterbase.RevisionID, pages []store.SummaryPage) error {
	whole := slices.Clone(pages)
	for i, p := range whole {
		q := store.SummaryQuery{Revision: rev, Kind: p.Kind, Z: p.Z, Pages: &store.PageBox{MinX: p.X, MinY: p.Y, MaxX: p.X, MaxY: p.Y}}
		for old, err := range tx.Revisions().Summaries(ctx, q) {
			if err != nil {
				return err
			}
			whole[i].Cells = joinCells(old.Cells, p.Cells)
		}
	}
	return tx.Revisions().PutSummaries(ctx, rev, whole)
}

// joinCells adds the newer cells of a page to those that it has.
func joinCells(old, newer []store.SummaryCell) []store.SummaryCell {
	at := make(map[[2]int]bool, len(newer))
	for _, c := range newer {
		at[[2]int{c.X, c.Y}] = true
	}
	all := slices.Clone(newer)
	for _, c := range old {
		if !at[[2]int{c.X, c.Y}] {
			all = append(all, c)
		}
	}
	sortCells(all)
	return all
}

// level joins the summaries of a level whose tiles are all there: it stores the
// pages of pages, and gives the summary of the whole and how many tiles are not
// empty. Cells are joined in their order, so that the result does not depend on
// who made them when.
func (r *run) level(ctx context.Context, kind rasterbase.Kind, z int) (total rasterbase.Summary, tiles int64, err error) {
	var cells []store.SummaryCell
	err = r.store().Catalog().View(ctx, func(tx store.Tx) error {
		cells, tiles = nil, 0
		for page, err := range tx.Revisions().Summaries(ctx, store.SummaryQuery{Revision: r.rev.ID, Kind: kind, Z: z}) {
			if err != nil {
				return err
			}
			tiles += int64(len(page.Cells))
			cells = append(cells, pageCell(page))
		}
		return nil
	})
	if err != nil {
		return total, 0, fmt.Errorf("read summaries: %w", err)
	}
	var upper []store.SummaryPage
	for depth := 1; len(cells) > 0; depth++ {
		sortCells(cells)
		if len(cells) == 1 && cells[0].X == 0 && cells[0].Y == 0 {
			total = cells[0].Summary
			break
		}
		pages := pagesOf(kind, z, cells)
		cells = nil
		for i := range pages {
			pages[i].Depth = depth
			cells = append(cells, pageCell(pages[i]))
		}
		upper = append(upper, pages...)
	}
	if total.Bands == nil {
		total.Bands = make([]rasterbase.BandSummary, len(r.rev.Bands))
	}
	return total, tiles, r.putSummaries(ctx, upper)
}

// pageCell is the cell that a page is for the page above it.
func pageCell(page store.SummaryPage) store.SummaryCell {
	up := store.SummaryCell{X: page.X, Y: page.Y}
	for _, c := range page.Cells {
		up.Add(c.Summary)
	}
	return up
}

func (r *run) putSummaries(ctx context.Context, pages []store.SummaryPage) error {
	for some := range slices.Chunk(pages, pagesAtOnce) {
		err := r.store().Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Revisions().PutSummaries(ctx, r.rev.ID, some)
		})
		if err != nil {
			return fmt.Errorf("write summaries: %w", err)
		}
	}
	return nil
}

// withoutCounts drops the counts by value from the summaries of the base tiles,
// row of pages by row.
func (r *run) withoutCounts(ctx context.Context) error {
	_, rows := r.plan.baseGrid()
	for y := 0; y*store.PageSize < rows; y++ {
		var pages []store.SummaryPage
		err := r.store().Catalog().View(ctx, func(tx store.Tx) error {
			pages = nil
			q := store.SummaryQuery{Revision: r.rev.ID, Kind: rasterbase.Base,
				Pages: &store.PageBox{MinY: y, MaxY: y, MaxX: r.plan.Grid.Width}}
			for page, err := range tx.Revisions().Summaries(ctx, q) {
				if err != nil {
					return err
				}
				if dropCounts(page.Cells) {
					pages = append(pages, page)
				}
			}
			return nil
		})
		if err == nil {
			err = r.putSummaries(ctx, pages)
		}
		if err != nil {
			return fmt.Errorf("leave out counts by value: %w", err)
		}
	}
	return nil
}

// dropCounts drops the counts by value of cells, and tells whether there were
// any.
func dropCounts(cells []store.SummaryCell) (some bool) {
	for _, c := range cells {
		for i := range c.Bands {
			some = some || c.Bands[i].Counts != nil
			c.Bands[i].Counts = nil
		}
	}
	return some
}
