package move

import (
	"context"
	"errors"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// parsesAtOnce is how many ids are looked up in one transaction.
const parsesAtOnce = 500

// findParses lists the parses of the source by layer. A catalog lists none but
// the latest, so that every id that was given is looked up.
func (m *mover) findParses(ctx context.Context) error {
	m.parseIDs = map[rasterbase.LayerID][]rasterbase.ParseID{}
	for first := rasterbase.ParseID(1); first <= m.last.parse; first += parsesAtOnce {
		var found []*rasterbase.Parse
		err := m.from.Catalog().View(ctx, func(tx store.Tx) error {
			found = nil
			for id := first; id <= min(first+parsesAtOnce-1, m.last.parse); id++ {
				p, err := tx.Parses().Get(ctx, id)
				switch {
				case err == nil:
					found = append(found, p)
				case !errors.Is(err, store.ErrNotExist):
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("looking for parses: %w", err)
		}
		for _, p := range found {
			m.parseIDs[p.Layer] = append(m.parseIDs[p.Layer], p.ID)
		}
	}
	return nil
}

// parses copies the records and logs of a layer's parses. They have ended, and
// so do not change any more.
func (m *mover) parses(ctx context.Context, layer rasterbase.LayerID) error {
	for _, id := range m.parseIDs[layer] {
		var src *rasterbase.Parse
		var lines []rasterbase.LogLine
		err := m.from.Catalog().View(ctx, func(tx store.Tx) (err error) {
			if src, err = tx.Parses().Get(ctx, id); err != nil {
				return err
			}
			lines, err = tx.Parses().Lines(ctx, id, 0)
			return err
		})
		if err == nil && !src.Status.Ended() {
			continue // it was begun meanwhile, which the end of the move tells
		}
		if err == nil {
			err = m.to.Catalog().Update(ctx, func(tx store.Tx) error { return putParse(ctx, tx, src, lines) })
		}
		if err != nil {
			return fmt.Errorf("parse %d: %w", id, err)
		}
		m.count(func(r *Report) { r.Parses++ })
	}
	return nil
}

// putParse stores a parse with its log, unless they are there.
func putParse(ctx context.Context, tx store.Tx, src *rasterbase.Parse, lines []rasterbase.LogLine) error {
	dst, err := tx.Parses().Get(ctx, src.ID)
	if errors.Is(err, store.ErrNotExist) {
		n := *src
		if err := tx.Parses().Create(ctx, &n); err != nil {
			return err
		}
		if err := tx.Parses().AddLines(ctx, n.ID, lines); err != nil {
			return err
		}
		dst, err = tx.Parses().Get(ctx, src.ID)
	}
	if err != nil {
		return err
	}
	if d := difference(src, dst); d != "" {
		return fmt.Errorf("its %s %w", d, ErrDiffers)
	}
	have, err := tx.Parses().Lines(ctx, src.ID, 0)
	if err != nil {
		return err
	}
	type log struct{ Lines []rasterbase.LogLine }
	if difference(&log{lines}, &log{have}) != "" {
		return fmt.Errorf("its log %w", ErrDiffers)
	}
	return nil
}
