package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// runParse is one attempt of a parse's job, from a stage on.
func (p *Parser) runParse(ctx context.Context, a parseArgs, j *store.Job) error {
	r, err := p.load(ctx, a.Layer, a.Parse)
	if r == nil || err != nil {
		return err
	}
	if err = r.work(ctx, a, j); err == nil {
		return nil
	}
	return r.failed(ctx, err, j, false)
}

// failed writes what became of a job that did not finish. How a parse ends
// otherwise than by publishing, by cancelling, or by the death of its workers,
// is written here.
func (r *run) failed(ctx context.Context, err error, j *store.Job, ofChunk bool) error {
	cause := context.Cause(ctx)
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	switch {
	case errors.Is(cause, store.ErrLeaseLost):
		return cause // another worker has the job
	case errors.Is(err, errEnded):
		return err // whoever has ended the parse has cancelled its jobs
	case errors.Is(cause, store.ErrCancelled):
		return errors.Join(store.ErrCancelled, r.stop(after, j, rasterbase.Cancelled, ""))
	case ctx.Err() != nil && ofChunk:
		return err // it is handed back, and others go on
	case ctx.Err() != nil:
		return errors.Join(err, r.again(after, "", "handed back: the worker stopped", ofChunk))
	case final(err) || j.Attempt >= attemptsFor(err, j):
		if e := r.stop(after, j, rasterbase.Failed, message(err)); e != nil {
			// The job is tried again, so that the parse does not seem to go on
			// for ever.
			return errors.Join(err, e)
		}
		return &store.Permanent{Err: err}
	}
	return errors.Join(err, r.again(after, message(err), "attempt failed, will be tried again: "+message(err), ofChunk))
}

// again notes that a job will be tried again.
func (r *run) again(ctx context.Context, reason, line string, ofChunk bool) error {
	return r.unlessEnded(r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		parse, err := r.current(ctx, tx)
		if err != nil {
			return err
		}
		if !ofChunk {
			parse.Status, parse.Error = rasterbase.Queued, reason
			if err := tx.Parses().Update(ctx, parse); err != nil {
				return err
			}
		}
		return tx.Parses().Log(ctx, parse.ID, line)
	}))
}

// stop ends the parse, and the jobs of it that others have.
func (r *run) stop(ctx context.Context, j *store.Job, s rasterbase.Status, reason string) error {
	end := func() error {
		return r.store().Catalog().Update(ctx, func(tx store.Tx) error {
			parse, err := r.current(ctx, tx)
			if err != nil {
				return err
			}
			return r.p.endParse(ctx, tx, parse, s, reason, j.ID)
		})
	}
	err := end()
	if err != nil && r.rev != nil && rasterbase.CodeOf(err) == rasterbase.TooLarge {
		// The disk is full. The revision cannot be published without this job,
		// so that its tiles can make room before the catalog knows.
		if r.store().Tiles().Drop(ctx, r.revisionKey()) == nil {
			err = end()
		}
	}
	if err == nil && r.rev != nil {
		if err := r.p.drop(ctx, dropArgs{Layer: r.layer.ID, Revision: r.rev.ID}); err != nil {
			r.p.c.Log.Warn("giving up an unfinished revision", "layer", r.layer.ID, "revision", r.rev.ID, "error", err)
		}
	}
	return r.unlessEnded(err)
}

// unlessEnded takes it for done when somebody else has ended the parse.
func (r *run) unlessEnded(err error) error {
	if errors.Is(err, errEnded) || errors.Is(err, store.ErrNotExist) {
		return nil
	}
	return err
}

// endParse writes how a parse ended without a result, gives up its revision,
// and cancels its jobs but for one.
func (p *Parser) endParse(ctx context.Context, tx store.Tx, parse *rasterbase.Parse, s rasterbase.Status, reason string, but store.JobID) error {
	line := "cancelled"
	if s == rasterbase.Failed {
		line = "failed: " + reason
	}
	if err := tx.Jobs().CancelGroup(ctx, groupOf(parse.ID), but); err != nil {
		return err
	}
	if err := giveUp(ctx, tx, parse); err != nil {
		return err
	}
	parse.Status, parse.Error, parse.Fetch, parse.Ended = s, reason, "", time.Now()
	if err := tx.Parses().Update(ctx, parse); err != nil {
		return err
	}
	if err := tx.Parses().Log(ctx, parse.ID, line); err != nil {
		return err
	}
	return p.announce(ctx, tx, parse, nil)
}

// attemptsFor is how often a job is tried that fails so. While the store is away
// neither the file nor the work is at fault: that counts like deaths of workers.
func attemptsFor(err error, j *store.Job) int {
	if e, ok := errors.AsType[*rasterbase.Error](err); ok && e.Code == rasterbase.Busy && e.Field == "" {
		return j.MaxAttempts
	}
	return min(failAttempts, j.MaxAttempts)
}

// final reports whether trying again cannot help: the file or the request is
// at fault.
func final(err error) bool {
	if errors.Is(err, ErrCrashed) {
		return false
	}
	switch rasterbase.CodeOf(err) {
	case rasterbase.Invalid, rasterbase.TooLarge, rasterbase.Unsupported, rasterbase.NotFound, rasterbase.Conflict,
		rasterbase.Unauthorized, rasterbase.Forbidden:
		return true
	}
	return false
}
