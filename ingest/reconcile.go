package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// reconcileEvery is how often a server looks for what died workers left.
const reconcileEvery = 30 * time.Second

// Reconcile puts in order what workers that died have left: it ends the records
// of parses whose jobs ended without them, and gives up revisions and tiles
// that no parse is writing any more.
func (p *Parser) Reconcile(ctx context.Context) error {
	suspects, err := p.suspects(ctx)
	for _, id := range suspects {
		if e := p.reconcile(ctx, id); e != nil {
			err = errors.Join(err, fmt.Errorf("layer %d: %w", id, e))
		}
	}
	return errors.Join(err, p.dropStrayTiles(ctx))
}

// suspects are the layers with a revision that is being built or a parse that
// has not ended.
func (p *Parser) suspects(ctx context.Context) (ids []rasterbase.LayerID, err error) {
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		ids = nil
		revisions, err := tx.Revisions().List(ctx, 0)
		if err != nil {
			return err
		}
		for _, r := range revisions {
			if r.State == rasterbase.Building {
				ids = append(ids, r.Layer)
			}
		}
		layers, _, err := tx.Layers().Find(ctx, store.LayerFilter{})
		if err != nil {
			return err
		}
		for _, l := range layers {
			latest, err := tx.Parses().Latest(ctx, l.ID)
			if err != nil && !errors.Is(err, store.ErrNotExist) {
				return err
			}
			if err == nil && !latest.Status.Ended() {
				ids = append(ids, l.ID)
			}
		}
		return nil
	})
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// KeepReconciled calls Reconcile now and then until ctx is done, and sees to it
// that [Parser.Collect] runs once an hour, as a job of one of the workers.
func (p *Parser) KeepReconciled(ctx context.Context) {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	var u upkeep
	for {
		if err := p.Reconcile(ctx); err != nil && ctx.Err() == nil {
			p.c.Log.Warn("putting in order what died workers left", "error", err)
		}
		if err := p.collect(ctx, &u); err != nil && ctx.Err() == nil {
			p.c.Log.Warn("collecting garbage", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reconcile does it for one layer: a revision that is being built belongs to
// the latest parse, and that only while it has jobs.
func (p *Parser) reconcile(ctx context.Context, id rasterbase.LayerID) error {
	var stray []rasterbase.RevisionID
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		stray = nil
		owned := rasterbase.RevisionID(0)
		latest, err := tx.Parses().Latest(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotExist):
		case err != nil:
			return err
		case !latest.Status.Ended():
			s, err := jobsOf(ctx, tx, latest.ID)
			switch {
			case err != nil:
				return err
			case s.active != nil && !s.failed:
				owned = latest.Revision
			default:
				if err := p.endRecord(ctx, tx, latest, s); err != nil {
					return err
				}
			}
		}
		revisions, err := tx.Revisions().List(ctx, id)
		if err != nil {
			return err
		}
		for _, r := range revisions {
			if r.State != rasterbase.Building || r.ID == owned {
				continue
			}
			stray = append(stray, r.ID)
			if err := tx.Revisions().Retire(ctx, r.ID); err != nil {
				return err
			}
			if err := enqueueDrop(ctx, tx, id, r.ID, 0); err != nil {
				return err
			}
		}
		return nil
	})
	for _, rev := range stray {
		p.c.Log.Info("gave up a revision that nobody writes", "layer", id, "revision", rev)
	}
	return err
}

// endRecord ends a parse as its jobs ended: cancelled, or by the death of their
// workers.
func (p *Parser) endRecord(ctx context.Context, tx store.Tx, parse *rasterbase.Parse, s parseJobs) error {
	if s.cancelled && !s.failed {
		return p.endParse(ctx, tx, parse, rasterbase.Cancelled, "", 0)
	}
	return p.endParse(ctx, tx, parse, rasterbase.Failed, "the worker died during the last attempt", 0)
}

// dropStrayTiles drops tiles of revisions that the catalog does not know: a
// revision is recorded before its tiles are.
func (p *Parser) dropStrayTiles(ctx context.Context) error {
	stored, err := p.c.Store.Tiles().Revisions(ctx)
	if err != nil {
		return fmt.Errorf("list the stored revisions: %w", err)
	}
	for _, key := range stored {
		known := true
		err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
			_, err := tx.Revisions().Get(ctx, key.Revision)
			known = !errors.Is(err, store.ErrNotExist)
			if known {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if err := p.c.Store.Tiles().Drop(ctx, key); err != nil {
			return fmt.Errorf("drop the tiles of revision %d: %w", key.Revision, err)
		}
		p.c.Log.Info("dropped tiles that belonged to nothing", "layer", key.Layer, "revision", key.Revision)
	}
	return nil
}
