package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// queue runs the jobs of the catalog.
type queue struct {
	db        *DB
	added     signal // a job of this process may be ready
	cancelled signal // a job was cancelled by this process
	done      chan struct{}
	closeOnce sync.Once
}

func newQueue(db *DB) *queue {
	q := &queue{db: db, done: make(chan struct{})}
	q.added.broadcast()
	q.cancelled.broadcast()
	return q
}

func (q *queue) close() { q.closeOnce.Do(func() { close(q.done) }) }

// signal wakes all who wait. It is made ready by its first broadcast.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

func (s *signal) broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
	}
	s.ch = make(chan struct{})
}

// errShutdown is the cause of the handlers' contexts when their worker ends.
var errShutdown = errors.New("the worker shuts down")

// Work runs jobs until ctx is done, which is not an error.
func (q *queue) Work(ctx context.Context, o store.WorkOptions) (err error) {
	if len(o.Handlers) == 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "a worker needs handlers")
	}
	w, err := newWanted(o)
	if err != nil {
		return err
	}
	slots := max(1, o.Concurrency)
	finished := make(chan struct{}, slots)
	handlers, shutdown := context.WithCancelCause(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer func() {
		shutdown(errShutdown)
		running.Wait()
	}()
	free := slots
	for {
		wake := q.added.wait() // before looking, so that nothing is missed
		pause := q.db.o.Poll
		if free > 0 {
			pause = q.fill(ctx, w, &free, func(l *lease) {
				running.Go(func() {
					defer func() { finished <- struct{}{} }()
					q.run(handlers, l, o.Handlers[l.job.Kind])
				})
			})
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
		case <-finished:
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
func (q *queue) fill(ctx context.Context, w wanted, free *int, start func(*lease)) time.Duration {
	poll := q.db.o.Poll
	for *free > 0 && ctx.Err() == nil {
		at, err := q.next(ctx, w)
		if err == nil {
			if at.IsZero() {
				return poll
			}
			if wait := at.Sub(q.db.o.Clock()); wait >= 0 {
				return min(poll, wait+time.Millisecond)
			}
			var l *lease
			if l, err = q.take(ctx, w); err == nil && l != nil {
				*free--
				start(l)
				continue
			}
		}
		if err != nil && ctx.Err() == nil {
			q.db.o.Logger.ErrorContext(ctx, "looking for jobs", "error", err)
		}
		return poll
	}
	return poll
}

// run runs one attempt with a heartbeat beside it.
func (q *queue) run(ctx context.Context, l *lease, h store.Handler) {
	log := q.db.o.Logger.With("job", l.job.ID, "kind", l.job.Kind, "attempt", l.job.Attempt)
	jobCtx, cancel := context.WithCancelCause(context.WithValue(ctx, leaseKey{q.db}, l))
	defer cancel(nil)
	var beat sync.WaitGroup
	stop := make(chan struct{})
	beat.Go(func() { q.heartbeat(jobCtx, l, stop, cancel) })

	err := q.handle(jobCtx, l, h)
	cause := context.Cause(jobCtx)
	close(stop)
	beat.Wait()
	if errors.Is(cause, store.ErrLeaseLost) {
		log.WarnContext(ctx, "lost the lease of a job")
		return
	}
	// The end is recorded although the worker may be shutting down.
	plain, done := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer done()
	state, finishErr := q.finish(plain, l, outcome{err, errors.Is(cause, errShutdown)})
	switch {
	case finishErr != nil:
		log.WarnContext(ctx, "could not record the end of a job", "error", finishErr)
	case err != nil:
		log.WarnContext(ctx, "a job did not finish", "state", state, "error", err)
	default:
		log.DebugContext(ctx, "a job is done")
	}
}

// handle calls the handler; a panic is an error.
func (q *queue) handle(ctx context.Context, l *lease, h store.Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			q.db.o.Logger.ErrorContext(ctx, "a job panicked", "job", l.job.ID, "kind", l.job.Kind,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	job := *l.job // the handler may change its copy
	return h(ctx, &job)
}

// heartbeat renews the lease until stop is closed, and cancels the handler's
// context when the job is cancelled or the lease is lost.
func (q *queue) heartbeat(ctx context.Context, l *lease, stop <-chan struct{}, cancel context.CancelCauseFunc) {
	plain := context.WithoutCancel(ctx)
	tick := time.NewTicker(q.db.o.Heartbeat)
	defer tick.Stop()
	renewed := time.Now() // real time, as the ticker's
	for {
		select {
		case <-stop:
			return
		case <-q.done:
			cancel(store.ErrLeaseLost)
			return
		case <-q.cancelled.wait():
		case <-tick.C:
		}
		cancelled, err := q.renew(plain, l)
		switch {
		case errors.Is(err, store.ErrLeaseLost), err != nil && time.Since(renewed) > q.db.o.Lease:
			cancel(store.ErrLeaseLost)
			return
		case err == nil:
			renewed = time.Now()
			if cancelled {
				cancel(store.ErrCancelled)
			}
		}
	}
}
