package move

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Pages of summaries are written so many in a transaction, or fewer when they
// count many values.
const (
	pagesAtOnce = 32
	countsBytes = 8 << 20
)

// copySummaries copies all pages of a revision.
func (m *mover) copySummaries(ctx context.Context, src, dst *rasterbase.Revision) error {
	for _, v := range levels(src) {
		for depth, more := 0, true; more; depth++ {
			q := store.SummaryQuery{Revision: src.ID, Kind: v.kind, Z: v.z, Depth: depth}
			err := m.from.Catalog().View(ctx, func(tx store.Tx) (err error) {
				more, err = m.copyPages(ctx, tx.Revisions().Summaries(ctx, q), dst)
				return err
			})
			if err != nil {
				return fmt.Errorf("copying the summaries of %v: %w", v, err)
			}
		}
	}
	return nil
}

// copyPages stores pages and tells whether there were any. What it stores may
// be stored again.
func (m *mover) copyPages(ctx context.Context, pages iter.Seq2[store.SummaryPage, error], dst *rasterbase.Revision) (found bool, err error) {
	var batch []store.SummaryPage
	size := 0
	put := func() error {
		err := m.to.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Revisions().PutSummaries(ctx, dst.ID, batch) })
		batch, size = nil, 0
		return err
	}
	for p, err := range pages {
		if err != nil {
			return found, atSource(err)
		}
		found = true
		batch, size = append(batch, p), size+pageBytes(p)
		if len(batch) >= pagesAtOnce || size >= countsBytes {
			if err := put(); err != nil {
				return found, err
			}
		}
	}
	if len(batch) == 0 {
		return found, nil
	}
	return found, put()
}

func pageBytes(p store.SummaryPage) (n int) {
	for _, c := range p.Cells {
		for _, b := range c.Bands {
			n += 16 * len(b.Counts)
		}
	}
	return n
}

// compareSummaries compares all pages of a revision as they are encoded, bit
// by bit, and gives how many there are.
func (m *mover) compareSummaries(ctx context.Context, src, dst *rasterbase.Revision) (all int64, err error) {
	for _, v := range levels(src) {
		for depth, pages := 0, int64(1); pages > 0; depth++ {
			q := store.SummaryQuery{Kind: v.kind, Z: v.z, Depth: depth}
			err := m.from.Catalog().View(ctx, func(a store.Tx) error {
				return m.to.Catalog().View(ctx, func(b store.Tx) (err error) {
					of, as := q, q
					of.Revision, as.Revision = src.ID, dst.ID
					pages, err = comparePages(a.Revisions().Summaries(ctx, of), b.Revisions().Summaries(ctx, as))
					return err
				})
			})
			if err != nil {
				return all, fmt.Errorf("comparing the summaries of %v: %w", v, err)
			}
			all += pages
		}
	}
	return all, nil
}

func comparePages(wants, gots iter.Seq2[store.SummaryPage, error]) (n int64, err error) {
	next, stop := iter.Pull2(gots)
	defer stop()
	for want, err := range wants {
		if err != nil {
			return n, atSource(err)
		}
		got, err, ok := next()
		if err != nil {
			return n, err
		}
		if !ok || got.X != want.X || got.Y != want.Y {
			return n, fmt.Errorf("the list of pages %w: no page %d, %d of depth %d", ErrDiffers, want.X, want.Y, want.Depth)
		}
		a, err := want.AppendCells(nil)
		if err != nil {
			return n, err
		}
		b, err := got.AppendCells(nil)
		if err != nil {
			return n, err
		}
		if !bytes.Equal(a, b) {
			return n, fmt.Errorf("page %d, %d of depth %d %w", want.X, want.Y, want.Depth, ErrDiffers)
		}
		n++
	}
	_, err, more := next()
	if more && err == nil {
		err = fmt.Errorf("the list of pages %w: there are more", ErrDiffers)
	}
	return n, err
}
