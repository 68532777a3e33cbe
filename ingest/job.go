package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// runParse is one attempt of a parse's job. How it ends is written to the
// parse's record here, and only here.
func (p *Parser) runParse(ctx context.Context, a parseArgs, j *store.Job) error {
	r := &run{p: p, progress: &tracker{store: p.c.Store}}
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		parse, err := tx.Parses().Get(ctx, a.Parse)
		if err != nil {
			return err
		}
		r.progress.parse = *parse
		r.layer, err = tx.Layers().Get(ctx, a.Layer)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return &store.Permanent{Err: err} // deleted meanwhile
	}
	if err != nil || r.progress.parse.Status.Ended() {
		return err
	}
	if j.Attempt > 1 {
		if err := r.progress.logf(ctx, "attempt %d begins from the start", j.Attempt); err != nil {
			return err
		}
	}
	if err = r.parse(ctx); err == nil {
		return nil
	}
	return r.ended(ctx, r.file.clean(err), j)
}

// ended writes what became of a parse that did not finish.
func (r *run) ended(ctx context.Context, err error, j *store.Job) error {
	cause := context.Cause(ctx)
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	switch {
	case errors.Is(cause, store.ErrCancelled):
		return errors.Join(store.ErrCancelled, r.record(after, rasterbase.Cancelled, "", "cancelled"))
	case errors.Is(cause, store.ErrLeaseLost):
		return cause // another worker has the parse, and its record
	case ctx.Err() != nil:
		return errors.Join(err, r.record(after, rasterbase.Queued, "", "handed back: the worker stopped"))
	case final(err) || j.Attempt >= attempts(j):
		return &store.Permanent{Err: errors.Join(err, r.record(after, rasterbase.Failed, message(err), "failed: "+message(err)))}
	}
	return errors.Join(err, r.record(after, rasterbase.Queued, message(err), "attempt failed, will be tried again: "+message(err)))
}

// record stores a status and a line of the log.
func (r *run) record(ctx context.Context, s rasterbase.Status, reason, line string) error {
	if !s.Ended() {
		r.progress.done.Store(0) // the next attempt begins from the start
	}
	err := r.progress.change(ctx, func(p *rasterbase.Parse) {
		p.Status, p.Error = s, reason
		if s.Ended() {
			p.Ended = time.Now()
		}
	})
	return errors.Join(err, r.progress.logf(ctx, "%s", line))
}

func attempts(j *store.Job) int {
	if j.MaxAttempts == 0 {
		return 3
	}
	return j.MaxAttempts
}

// final reports whether trying again cannot help: the file or the request is
// at fault.
func final(err error) bool {
	switch rasterbase.CodeOf(err) {
	case rasterbase.Invalid, rasterbase.TooLarge, rasterbase.Unsupported, rasterbase.NotFound, rasterbase.Conflict:
		return true
	}
	return false
}
