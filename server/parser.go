package server

import (
	"context"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Parser is what the server asks of whoever parses: package ingest implements
// it. Errors match [store.ErrNotExist] for a layer, an upload or a job that is
// not there.
type Parser interface {
	// Create saves a new layer with the texts, settings, legend and visibility
	// of l, and queues its parse, in one transaction. It sets what the store
	// decides in l. The source is fetched by the parse; what is known to be wrong
	// before, such as a path that is not allowed, is an error here. A layer with a
	// formula has no source and no parse: the ticket has none.
	Create(ctx context.Context, l *rasterbase.Layer, from rasterbase.SourceFrom) (rasterbase.Ticket, error)
	// Change changes a layer, and parses it anew when its settings become
	// others or from is not nil; a parse under way is cancelled for that. fn may
	// be run more than once, each time on the layer as it is stored; it changes
	// texts, settings, legend, slug and visibility, and the formula of a layer
	// that has one, only.
	Change(ctx context.Context, id rasterbase.LayerID, from *rasterbase.SourceFrom, fn func(*rasterbase.Layer) error) (*rasterbase.Layer, rasterbase.Ticket, error)
	// Reparse queues a new parse of a layer; one that is queued or running
	// already is returned instead.
	Reparse(ctx context.Context, id rasterbase.LayerID) (rasterbase.Ticket, error)
	// Cancel stops a layer's queued or running parse; it is not an error when
	// there is none.
	Cancel(ctx context.Context, id rasterbase.LayerID) error
	// CancelJob cancels a job, and with it the parse under way that it belongs
	// to, in one transaction. Nothing happens to a job that has ended.
	CancelJob(ctx context.Context, id store.JobID) error
	// Delete removes a layer with its tiles and its source. The error has code
	// conflict, and names some of the layers, when formulas read it.
	Delete(ctx context.Context, id rasterbase.LayerID) error
	// Preview says what a parse would make, without storing anything.
	Preview(ctx context.Context, from rasterbase.SourceFrom, s rasterbase.Settings) (*rasterbase.Plan, error)
	// Finish works on a queued parse in this process until it has ended. How it
	// ended, its record tells: only what kept it from ending is an error.
	Finish(ctx context.Context, t rasterbase.Ticket) error
}
