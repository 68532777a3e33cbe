package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// Run works on a queued parse until it has ended, and returns the layer. When
// ctx ends first, the parse stays in the queue for another worker.
func (p *Parser) Run(ctx context.Context, t rasterbase.Ticket, progress Progress) (*rasterbase.Layer, error) {
	parse, layer, err := p.work(ctx, t, progress)
	if err != nil {
		return nil, err
	}
	p.tidy(ctx)
	p.tell(ctx)
	if progress != nil && parse.ID != 0 {
		progress(*parse)
	}
	switch parse.Status {
	case rasterbase.Finished:
		return layer, nil
	case rasterbase.Cancelled:
		return layer, rasterbase.Errorf(rasterbase.Conflict, "the parse of layer %d was cancelled", t.Layer)
	}
	return layer, rasterbase.Errorf(rasterbase.Invalid, "the parse of layer %d failed: %s", t.Layer, parse.Error)
}

// Finish works on a queued parse in this process until it has ended, however
// that is: its record tells. When ctx ends first, the parse stays in the queue,
// and the error is that of ctx.
func (p *Parser) Finish(ctx context.Context, t rasterbase.Ticket) error {
	_, _, err := p.work(ctx, t, nil)
	if errors.Is(err, store.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err == nil {
		p.tidy(ctx)
	}
	return err
}

// work works on a parse until it has ended, and reads what came of it. A ticket
// for no parse is taken for one that has finished.
func (p *Parser) work(ctx context.Context, t rasterbase.Ticket, progress Progress) (parse *rasterbase.Parse, layer *rasterbase.Layer, err error) {
	if t.Parse != 0 {
		if err := p.workGroup(ctx, t, progress); err != nil {
			return nil, nil, err
		}
	}
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
		parse = &rasterbase.Parse{Layer: t.Layer, Status: rasterbase.Finished}
		if t.Parse != 0 {
			if parse, err = tx.Parses().Get(ctx, t.Parse); err != nil {
				return err
			}
		}
		layer, err = tx.Layers().Get(ctx, t.Layer)
		return err
	})
	return parse, layer, err
}

func (p *Parser) workGroup(ctx context.Context, t rasterbase.Ticket, progress Progress) error {
	runner := jobs.NewRunner(p.c.Store, p.c.Log)
	p.registerParses(runner)
	watched := make(chan struct{})
	watching, stop := context.WithCancel(ctx)
	go func() {
		defer close(watched)
		p.watch(watching, t.Parse, progress)
	}()
	err := runner.RunGroup(ctx, groupOf(t.Parse), p.overlap(), p.untilOver(t.Parse))
	stop()
	<-watched
	p.closeParse(t.Parse)
	if err == nil {
		err = p.reconcile(ctx, t.Layer)
	}
	return err
}

// lookingFor is how long Run goes on when it cannot read how far a parse is.
const lookingFor = 5 * time.Second

// untilOver asks whether a parse is over. It bears with a store that cannot
// tell for a while: its workers do too.
func (p *Parser) untilOver(id rasterbase.ParseID) func(context.Context) (bool, error) {
	var failing time.Time
	return func(ctx context.Context) (bool, error) {
		over, err := p.over(ctx, id)
		switch {
		case err == nil:
			failing = time.Time{}
			return over, nil
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > lookingFor:
			return false, err
		}
		return false, nil
	}
}

// over reports whether a parse has ended, or no job will end it any more.
func (p *Parser) over(ctx context.Context, id rasterbase.ParseID) (over bool, err error) {
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		parse, err := tx.Parses().Get(ctx, id)
		if errors.Is(err, store.ErrNotExist) || err == nil && parse.Status.Ended() {
			over = true
			return nil
		}
		if err != nil {
			return err
		}
		s, err := jobsOf(ctx, tx, id)
		over = s.active == nil || s.failed
		return err
	})
	return over, err
}

// watch reports a parse five times a second until ctx is done.
func (p *Parser) watch(ctx context.Context, id rasterbase.ParseID, progress Progress) {
	if progress == nil {
		return
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	shown := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var parse *rasterbase.Parse
		err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
			parse, err = tx.Parses().Get(ctx, id)
			return err
		})
		if err == nil {
			// What is made of a chunk that is made again was shown before.
			shown = max(shown, min(parse.Planned, parse.Done+p.unrecorded(id)))
			parse.Done = shown
			progress(*parse)
		}
	}
}
