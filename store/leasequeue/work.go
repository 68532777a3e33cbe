package leasequeue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// errShutdown is the cause of the handlers' contexts when their worker ends.
var errShutdown = errors.New("the worker shuts down")

// Work runs jobs until ctx is done, which is not an error.
func (q *Queue) Work(ctx context.Context, o store.WorkOptions) (err error) {
	if len(o.Handlers) == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "a worker needs handlers")
	}
	w := Wanted{Kinds: slices.Sorted(maps.Keys(o.Handlers)), Only: o.Only, Group: o.Group}
	slots := max(1, o.Concurrency)
	finished := make(chan error, slots) // of each job: why its end could not be recorded
	handlers, shutdown := context.WithCancelCause(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer func() {
		shutdown(errShutdown)
		running.Wait()
		close(finished)
		for e := range finished {
			if err == nil {
				err = e
			}
		}
	}()
	start := func(l *Lease) {
		running.Go(func() { finished <- q.run(handlers, l, o.Handlers[l.Job.Kind]) })
	}
	free := slots
	var looking patience
	for {
		wake := q.added.wait() // before looking, so that nothing is missed
		pause := q.o.Poll
		if free > 0 {
			pause, err = q.fill(ctx, w, &free, start)
			if err != nil && looking.since.IsZero() { // once, until it works again
				q.o.Logger.ErrorContext(ctx, "looking for jobs", "error", err)
			}
			if err = looking.tried(err, q.o.GiveUp); err != nil {
				return err
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-q.done:
			timer.Stop()
			shutdown(store.ErrLeaseLost)
			return errClosed
		case err := <-finished:
			if err != nil {
				timer.Stop()
				return err
			}
			free++
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
		if o.Until != nil {
			if done, err := o.Until(ctx); err != nil || done {
				return err
			}
		}
	}
}

// fill starts jobs while there are some and slots are free, and gives the
// pause until it is worth looking again.
func (q *Queue) fill(ctx context.Context, w Wanted, free *int, start func(*Lease)) (time.Duration, error) {
	poll := q.o.Poll
	for *free > 0 && ctx.Err() == nil {
		if q.ending.Load() > 0 {
			return poll, nil // the next one might be the job whose end is still to be recorded
		}
		at, err := q.next(ctx, w)
		if err == nil {
			if at.IsZero() {
				return poll, nil
			}
			if wait := at.Sub(q.o.Clock()); wait > 0 {
				return min(poll, wait+time.Millisecond), nil
			}
			var l *Lease
			if l, err = q.take(ctx, w); err == nil && l != nil {
				*free--
				start(l)
				continue
			}
		}
		if err != nil && ctx.Err() == nil {
			return poll, fmt.Errorf("looking for jobs: %w", err)
		}
		return poll, nil
	}
	return poll, nil
}

// answerTime is how long a backend may take to answer.
const answerTime = 30 * time.Second

// next and take give up on a backend that does not answer.
func (q *Queue) next(ctx context.Context, w Wanted) (time.Time, error) {
	ctx, done := context.WithTimeout(ctx, answerTime)
	defer done()
	return q.backend.Next(ctx, w)
}

func (q *Queue) take(ctx context.Context, w Wanted) (*Lease, error) {
	ctx, done := context.WithTimeout(ctx, answerTime)
	defer done()
	return q.backend.Take(ctx, w)
}
