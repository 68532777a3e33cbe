package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/rasterbase/rasterbase/store"
)

// How an attempt at a job can end.
const (
	Done       = "done"
	Failed     = "failed"      // for good
	Retried    = "retried"     // it failed and will be tried again
	Cancelled  = "cancelled"   // on request
	HandedBack = "handed back" // the worker stopped; another one goes on
	Lost       = "lost"        // another worker has taken the job over
)

// Observe has fn told of each attempt at a job in this process: its kind, how
// long it took, and how it ended, one of the constants of this package. fn is
// called by many goroutines, at the end of an attempt and before that is
// recorded. It is set before Run is called; nil: nobody is told.
func (r *Runner) Observe(fn func(kind string, took time.Duration, outcome string)) { r.observe = fn }

// errPanicked stands for the error of a handler that has panicked; the queue
// makes the one that is kept.
var errPanicked = errors.New("panic")

// observed tells of each attempt, also of one that panics.
func (r *Runner) observed(kind string, h store.Handler) store.Handler {
	return func(ctx context.Context, j *store.Job) error {
		start, err := time.Now(), errPanicked
		defer func() {
			if r.observe != nil {
				r.observe(kind, time.Since(start), outcome(ctx, j, err))
			}
		}()
		err = h(ctx, j)
		return err
	}
}

// outcome tells how an attempt ended that returned err.
func outcome(ctx context.Context, j *store.Job, err error) string {
	cause := context.Cause(ctx)
	_, permanent := errors.AsType[*store.Permanent](err)
	switch {
	case errors.Is(cause, store.ErrLeaseLost) || errors.Is(err, store.ErrLeaseLost):
		return Lost
	case err == nil:
		return Done
	case errors.Is(cause, store.ErrCancelled):
		return Cancelled
	case ctx.Err() != nil:
		return HandedBack
	case permanent, j.Attempt >= j.MaxAttempts:
		return Failed
	}
	return Retried
}
