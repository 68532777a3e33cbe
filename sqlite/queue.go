package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
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
	ending    atomic.Int32 // jobs whose end could not be recorded yet
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
	start := func(l *lease) {
		running.Go(func() { finished <- q.run(handlers, l, o.Handlers[l.job.Kind]) })
	}
	free := slots
	var looking patience
	for {
		wake := q.added.wait() // before looking, so that nothing is missed
		pause := q.db.o.Poll
		if free > 0 {
			pause, err = q.fill(ctx, w, &free, start)
			if err = looking.tried(err, q.db.o.GiveUp); err != nil {
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

// patience is the time since which something has been failing; zero: it works.
// It is real time, whatever the store's clock says.
type patience struct{ since time.Time }

// tried takes the outcome of an attempt. It gives an error back only when
// attempts have failed for so long.
func (p *patience) tried(err error, limit time.Duration) error {
	switch {
	case err == nil:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = time.Now()
	case time.Since(p.since) >= limit:
		return err
	}
	return nil
}

// fill starts jobs while there are some and slots are free, and gives the
// pause until it is worth looking again.
func (q *queue) fill(ctx context.Context, w wanted, free *int, start func(*lease)) (time.Duration, error) {
	poll := q.db.o.Poll
	for *free > 0 && ctx.Err() == nil {
		if q.ending.Load() > 0 {
			return poll, nil // the next one might be the job whose end is still to be recorded
		}
		at, err := q.next(ctx, w)
		if err == nil {
			if at.IsZero() {
				return poll, nil
			}
			if wait := at.Sub(q.db.o.Clock()); wait >= 0 {
				return min(poll, wait+time.Millisecond), nil
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
			return poll, fmt.Errorf("looking for jobs: %w", err)
		}
		return poll, nil
	}
	return poll, nil
}

// run runs one attempt with a heartbeat beside it. The error tells why its end
// could not be recorded.
func (q *queue) run(ctx context.Context, l *lease, h store.Handler) error {
	log := q.db.o.Logger.With("job", l.job.ID, "kind", l.job.Kind, "attempt", l.job.Attempt)
	jobCtx, cancel := context.WithCancelCause(context.WithValue(ctx, leaseKey{q.db}, l))
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
	state, endErr := q.end(context.WithoutCancel(ctx), l, outcome{err, errors.Is(cause, errShutdown)})
	switch {
	case errors.Is(endErr, store.ErrLeaseLost):
		log.WarnContext(ctx, "lost the lease of a job")
	case endErr != nil:
		log.ErrorContext(ctx, "could not record the end of a job", "error", endErr)
		return fmt.Errorf("recording the end of job %d: %w", l.job.ID, endErr)
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
func (q *queue) end(ctx context.Context, l *lease, o outcome) (store.JobState, error) {
	var writing patience
	for {
		try, done := context.WithTimeout(ctx, 30*time.Second)
		state, err := q.finish(try, l, o)
		done()
		if err == nil || errors.Is(err, store.ErrLeaseLost) {
			return state, err
		}
		if writing.since.IsZero() {
			q.ending.Add(1)
			defer q.ending.Add(-1)
			q.db.o.Logger.WarnContext(ctx, "trying again to record the end of a job", "job", l.job.ID, "error", err)
		}
		if err := writing.tried(err, q.db.o.GiveUp); err != nil {
			return state, err
		}
		pause := time.NewTimer(min(endPause, q.db.o.GiveUp))
		select {
		case <-q.done:
			pause.Stop()
			return state, err
		case <-pause.C:
		}
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
// context when the job is cancelled or the lease is lost. The error tells why
// the lease could not be renewed for so long that it may be lost.
func (q *queue) heartbeat(ctx context.Context, l *lease, stop <-chan struct{}, cancel context.CancelCauseFunc) error {
	plain := context.WithoutCancel(ctx)
	tick := time.NewTicker(q.db.o.Heartbeat)
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
		cancelled, err := q.renew(plain, l)
		switch {
		case errors.Is(err, store.ErrLeaseLost):
			cancel(store.ErrLeaseLost)
			return nil
		case err != nil && time.Since(renewed) > q.db.o.Lease:
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
