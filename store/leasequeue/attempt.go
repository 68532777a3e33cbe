package leasequeue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase/store"
)

// run runs one attempt with a heartbeat beside it. The error tells why its end
// could not be recorded.
func (q *Queue) run(ctx context.Context, l *Lease, h store.Handler) error {
	log := q.o.Logger.With("job", l.Job.ID, "kind", l.Job.Kind, "attempt", l.Job.Attempt)
	jobCtx, cancel := context.WithCancelCause(context.WithValue(ctx, leaseKey{q}, l))
	defer cancel(nil)
	var beat sync.WaitGroup
	var notRenewed error
	stop := make(chan struct{})
	beat.Go(func() { notRenewed = q.heartbeat(jobCtx, l, stop, cancel) })

	err := q.handle(jobCtx, l, h)
	cause := context.Cause(jobCtx)
	close(stop)
	beat.Wait()
	if errors.Is(cause, store.ErrLeaseLost) {
		if notRenewed == nil {
			log.WarnContext(ctx, "lost the lease of a job")
			return nil
		}
		// The job may still be this worker's. Then it is for this worker to
		// say that the attempt failed, or that even this cannot be written.
		err = fmt.Errorf("the lease could not be renewed: %w", notRenewed)
	}
	// The end is recorded although the worker may be shutting down.
	state, endErr := q.end(context.WithoutCancel(ctx), l, Outcome{err, errors.Is(cause, errShutdown)})
	switch {
	case errors.Is(endErr, store.ErrLeaseLost):
		log.WarnContext(ctx, "lost the lease of a job")
	case endErr != nil:
		log.ErrorContext(ctx, "could not record the end of a job", "error", endErr)
		return fmt.Errorf("recording the end of job %d: %w", l.Job.ID, endErr)
	case err != nil:
		log.WarnContext(ctx, "a job did not finish", "state", state, "error", err)
	default:
		log.DebugContext(ctx, "a job is done")
	}
	return nil
}

// endPause is the pause before the end of a job is written again.
const endPause = 100 * time.Millisecond

// end records how an attempt ended, and tries again for a while when that
// fails. No job is taken meanwhile.
func (q *Queue) end(ctx context.Context, l *Lease, o Outcome) (store.JobState, error) {
	var writing patience
	for {
		try, done := context.WithTimeout(ctx, answerTime)
		state, err := q.backend.Finish(try, l, o)
		done()
		if err == nil || errors.Is(err, store.ErrLeaseLost) {
			return state, err
		}
		if writing.since.IsZero() {
			q.ending.Add(1)
			defer q.ending.Add(-1)
			q.o.Logger.WarnContext(ctx, "trying again to record the end of a job", "job", l.Job.ID, "error", err)
		}
		if err := writing.tried(err, q.o.GiveUp); err != nil {
			return state, err
		}
		pause := time.NewTimer(min(endPause, q.o.GiveUp))
		select {
		case <-q.done:
			pause.Stop()
			return state, err
		case <-pause.C:
		}
	}
}

// handle calls the handler; a panic is an error.
func (q *Queue) handle(ctx context.Context, l *Lease, h store.Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			q.o.Logger.ErrorContext(ctx, "a job panicked", "job", l.Job.ID, "kind", l.Job.Kind,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	job := *l.Job // the handler may change its copy
	return h(ctx, &job)
}

// heartbeat renews the lease until stop is closed, and cancels the handler's
// context when the job is cancelled or the lease is lost. The error tells why
// the lease could not be renewed for so long that it may be lost.
func (q *Queue) heartbeat(ctx context.Context, l *Lease, stop <-chan struct{}, cancel context.CancelCauseFunc) error {
	plain := context.WithoutCancel(ctx)
	tick := time.NewTicker(q.o.Heartbeat)
	defer tick.Stop()
	renewed := time.Now() // real time, as the ticker's
	for {
		select {
		case <-stop:
			return nil
		case <-q.done:
			cancel(store.ErrLeaseLost)
			return nil
		case <-q.cancelled.wait():
		case <-tick.C:
		}
		// A backend that does not answer at all is as bad as one that is gone;
		// one that is busy writing may take longer than the lease.
		try, done := context.WithTimeout(plain, answerTime)
		cancelled, err := q.backend.Renew(try, l)
		done()
		switch {
		case errors.Is(err, store.ErrLeaseLost):
			cancel(store.ErrLeaseLost)
			return nil
		case err != nil && time.Since(renewed) > q.o.Lease:
			cancel(store.ErrLeaseLost)
			return err
		case err == nil:
			renewed = time.Now()
			if cancelled {
				cancel(store.ErrCancelled)
			}
		}
	}
}
