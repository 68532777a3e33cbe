package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

const (
	// maxExportRequest is the longest request of an export that is kept, in bytes. It is
	// read whenever the export is looked at.
	maxExportRequest = 1 << 20
	// maxKeptExports is how many exports are kept for one owner until they expire.
	maxKeptExports = 200
)

// queueExport makes the record and its job in one transaction.
func (s *Server) queueExport(ctx context.Context, p *exportPlan) (e *rasterbase.Export, err error) {
	request, err := json.Marshal(p.kept())
	if err != nil {
		return nil, fmt.Errorf("write the request of an export: %w", err)
	}
	if len(request) > maxExportRequest {
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "the request is too long for an export in the background").
			WithHint("at most %d bytes are kept: give the polygon fewer vertices, or its bbox; counts take it as zones", maxExportRequest).WithField("geom")
	}
	source, err := s.keepZones(ctx, p)
	if err != nil {
		return nil, err
	}
	err = s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		kept, busy, err := s.settleAll(ctx, tx, p.owner)
		if err != nil {
			return err
		}
		if kept >= maxKeptExports {
			return rasterbase.Errorf(rasterbase.TooMany, "%d exports of yours are kept", kept).
				WithHint("delete some; they go by themselves when they expire")
		}
		if most := cmp.Or(s.c.ExportsPerOwner, DefaultExportsPerOwner); busy >= most {
			return rasterbase.Errorf(rasterbase.TooMany, "%d exports of yours wait or are being made", busy).
				WithHint("ask again when one of them has ended, or delete one")
		}
		e = &rasterbase.Export{Owner: p.owner, Request: request, Layers: p.layers, Status: rasterbase.Queued, Planned: p.planned, Source: source}
		if err := tx.Exports().Create(ctx, e); err != nil {
			return err
		}
		args, err := json.Marshal(exportArgs{Export: e.ID, URL: p.url})
		if err != nil {
			return err
		}
		group := exportGroup(e.ID)
		return tx.Jobs().Enqueue(ctx, &store.Job{Kind: ExportKind, Args: args, Group: group, UniqueKey: group})
	})
	if err != nil && source != "" {
		s.dropZones(ctx, source)
	}
	return e, err
}

// exportsOf lists somebody's exports as they are, everybody's for the empty name.
func (s *Server) exportsOf(ctx context.Context, owner string) (all []*rasterbase.Export, err error) {
	stale := false
	err = s.view(ctx, func(tx store.Tx) error {
		stale = false
		if all, err = tx.Exports().List(ctx, owner); err != nil {
			return err
		}
		for _, e := range all {
			changed, err := s.settle(ctx, tx, e)
			if err != nil {
				return err
			}
			stale = stale || changed
		}
		return nil
	})
	if err == nil && stale {
		err = s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
			_, _, err := s.settleAll(ctx, tx, owner)
			return err
		})
	}
	return all, err
}

// settleAll writes what has become of somebody's exports, and counts them and those
// that wait or run.
func (s *Server) settleAll(ctx context.Context, tx store.Tx, owner string) (kept, busy int, err error) {
	all, err := tx.Exports().List(ctx, owner)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range all {
		changed, err := s.settle(ctx, tx, e)
		if err == nil && changed {
			err = tx.Exports().Update(ctx, e)
		}
		if err != nil {
			return 0, 0, err
		}
		if !exportEnded(e) {
			busy++
		}
	}
	return len(all), busy, nil
}

// settle sets in e what has become of an export whose job ended without a note: it was
// cancelled while it waited, or its workers died.
func (s *Server) settle(ctx context.Context, tx store.Tx, e *rasterbase.Export) (changed bool, err error) {
	if exportEnded(e) {
		return false, nil
	}
	found, err := tx.Jobs().ListGroup(ctx, exportGroup(e.ID), nil, 1)
	if err != nil || len(found) > 0 && !found[0].State.Ended() {
		return false, err
	}
	if len(found) > 0 && found[0].State == store.JobCancelled {
		s.endExport(e, rasterbase.Cancelled, "")
	} else {
		s.endExport(e, rasterbase.Failed, "The file could not be made: its workers ended. Ask for it again.")
	}
	return true, nil
}
