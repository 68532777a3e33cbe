package sqlcatalog

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func (x revisions) PutSummaries(ctx context.Context, id rasterbase.RevisionID, pages []store.SummaryPage) error {
	if _, _, err := x.building(ctx, id); err != nil {
		return err
	}
	for i := range pages {
		p := &pages[i]
		b, err := p.AppendCells(nil)
		if err != nil {
			return rasterbase.Errorf(rasterbase.Invalid, "storing summaries of revision %d: %w", id, err)
		}
		if _, err := x.exec(ctx, `INSERT INTO @summaries (revision_id, kind, z, depth, y, x, page) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (revision_id, kind, z, depth, y, x) DO UPDATE SET page = excluded.page`,
			id, p.Kind, p.Z, p.Depth, p.Y, p.X, b); err != nil {
			return fmt.Errorf("storing summaries of revision %d: %w", id, err)
		}
	}
	return nil
}

// summaryChunk is how many pages are read at a time, so that a caller may use
// the transaction between two of them.
const summaryChunk = 16

func (x revisions) Summaries(ctx context.Context, q store.SummaryQuery) iter.Seq2[store.SummaryPage, error] {
	return func(yield func(store.SummaryPage, error) bool) {
		box := pageBox(q.Pages)
		lastY, lastX := box.MinY, math.MinInt32
		for first := true; ; first = false {
			pages, err := x.summaryChunk(ctx, q, box, lastY, lastX)
			if err == nil && first && len(pages) == 0 { // only then it may not exist
				err = x.known(ctx, q.Revision)
			}
			if err != nil {
				yield(store.SummaryPage{}, fmt.Errorf("reading summaries of revision %d: %w", q.Revision, err))
				return
			}
			for _, p := range pages {
				if !yield(p, nil) {
					return
				}
			}
			if len(pages) < summaryChunk {
				return
			}
			lastY, lastX = pages[len(pages)-1].Y, pages[len(pages)-1].X
		}
	}
}

// known gives an error for a revision that is not there.
func (x revisions) known(ctx context.Context, id rasterbase.RevisionID) error {
	exists, err := x.exists(ctx, `SELECT 1 FROM @revisions WHERE id = ?`, id)
	if err == nil && !exists {
		err = noRevision(id)
	}
	return err
}

// pageBox is a box with numbers of 32 bits; nil: all pages.
func pageBox(b *store.PageBox) store.PageBox {
	if b == nil {
		b = &store.PageBox{MinX: math.MinInt32, MinY: math.MinInt32, MaxX: math.MaxInt32, MaxY: math.MaxInt32}
	}
	fit := func(v int) int { return min(max(v, math.MinInt32), math.MaxInt32) }
	return store.PageBox{MinX: fit(b.MinX), MinY: fit(b.MinY), MaxX: fit(b.MaxX), MaxY: fit(b.MaxY)}
}

// summaryChunk reads the pages of a box that follow a place.
func (x revisions) summaryChunk(ctx context.Context, q store.SummaryQuery, box store.PageBox, afterY, afterX int) ([]store.SummaryPage, error) {
	scan := func(row Row) (store.SummaryPage, error) {
		p := store.SummaryPage{Kind: q.Kind, Z: q.Z, Depth: q.Depth}
		var b []byte
		if err := row.Scan(&p.Y, &p.X, &b); err != nil {
			return p, err
		}
		return p, p.ReadCells(b)
	}
	return collect(ctx, x.Tx, scan, `SELECT y, x, page FROM @summaries
		WHERE revision_id = ? AND kind = ? AND z = ? AND depth = ? AND (y, x) > (?, ?) AND y <= ? AND x BETWEEN ? AND ?
		ORDER BY y, x LIMIT ?`,
		q.Revision, q.Kind, q.Z, q.Depth, afterY, afterX, box.MaxY, box.MinX, box.MaxX, summaryChunk)
}
