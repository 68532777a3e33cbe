package ingest

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Change makes the prepared source that of a layer, and parses the layer anew,
// as [Parser.Change] does. When it fails nothing is changed, and the caller calls
// Discard.
func (q *Prepared) Change(ctx context.Context, id rasterbase.LayerID, fn func(*rasterbase.Layer) error) (*rasterbase.Layer, rasterbase.Ticket, error) {
	var l *rasterbase.Layer
	var t rasterbase.Ticket
	err := q.p.c.Store.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		l, t, err = q.p.change(ctx, tx, id, &supply{source: q.source}, fn)
		return err
	})
	if err != nil {
		return nil, rasterbase.Ticket{}, err
	}
	return l, t, nil
}
