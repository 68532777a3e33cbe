package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// reconcileEvery is how often a server looks for parses that nobody runs.
const reconcileEvery = 30 * time.Second

// Reconcile ends the records of parses whose jobs have ended without them: the
// worker died during the last attempt, so that nothing of it could write how
// the parse ended. What such a parse wrote is dropped.
func (p *Parser) Reconcile(ctx context.Context) error {
	var layers []*rasterbase.Layer
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
		layers, _, err = tx.Layers().Find(ctx, store.LayerFilter{})
		return err
	})
	for _, l := range layers {
		if e := p.reconcile(ctx, l.ID); e != nil {
			err = errors.Join(err, fmt.Errorf("layer %d: %w", l.ID, e))
		}
	}
	return err
}

// KeepReconciled calls Reconcile now and then until ctx is done.
func (p *Parser) KeepReconciled(ctx context.Context) {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		if err := p.Reconcile(ctx); err != nil && ctx.Err() == nil {
			p.c.Log.Warn("looking for parses that nobody runs", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Parser) reconcile(ctx context.Context, id rasterbase.LayerID) error {
	dead, err := p.deadParse(ctx, id)
	if err != nil || dead == nil {
		return err
	}
	err = p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		const reason = "the worker died during the last attempt"
		dead.Status, dead.Error, dead.Ended = rasterbase.Failed, reason, time.Now()
		if err := tx.Parses().Update(ctx, dead); err != nil {
			return err
		}
		return tx.Parses().Log(ctx, dead.ID, "failed: "+reason)
	})
	if err != nil {
		return err
	}
	r := &run{p: p, layer: &rasterbase.Layer{ID: id}, progress: &tracker{store: p.c.Store, parse: *dead}}
	r.abandon(ctx)
	return nil
}

// deadParse is a layer's latest parse if it has not ended but its job has.
func (p *Parser) deadParse(ctx context.Context, id rasterbase.LayerID) (dead *rasterbase.Parse, err error) {
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		latest, err := tx.Parses().Latest(ctx, id)
		if errors.Is(err, store.ErrNotExist) {
			return nil
		}
		if err != nil || latest.Status.Ended() {
			return err
		}
		if job, err := parseJob(ctx, tx, id); err != nil || job != nil {
			return err
		}
		dead = latest
		return nil
	})
	return dead, err
}
