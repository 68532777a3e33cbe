// Package leasequeue runs the jobs of a store: it is [store.Queue] over any
// backend that can lease jobs.
//
// A worker leases a job for some seconds and renews the lease while the job's
// handler runs. When it dies, its leases end, and others take its jobs. What it
// still writes, if it was only thought dead, is refused: each transaction of a
// handler begins with a look at the lease, see [Queue.Held].
package leasequeue

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rasterbase/rasterbase/store"
)

// Lease is the right to run a job. Its token is new each time a job is taken,
// so that whoever had the job before is recognised.
type Lease struct {
	Job   *store.Job
	Token string
}

// Wanted selects the jobs that a worker takes.
type Wanted struct {
	Kinds []string      // of any other kind: none
	Only  []store.JobID // when not empty: no other jobs
	Group string        // when not empty: only jobs of this group
}

// Backend keeps the jobs. Each method is one transaction; any number of
// goroutines may call them.
type Backend interface {
	// Next tells when there will be something to do: a wanted job, or the end
	// of the lease of a dead worker. It only reads, since it is asked often.
	// The zero time: nothing in sight.
	Next(ctx context.Context, w Wanted) (time.Time, error)
	// Take gives dead workers' jobs back, and leases the next wanted job, nil
	// when there is none.
	Take(ctx context.Context, w Wanted) (*Lease, error)
	// Renew prolongs a lease and tells whether the job is to be cancelled. The
	// error matches store.ErrLeaseLost when the job belongs to somebody else.
	Renew(ctx context.Context, l *Lease) (cancel bool, err error)
	// Finish stores what [Outcome.End] decides. The error matches
	// store.ErrLeaseLost when the job belongs to somebody else.
	Finish(ctx context.Context, l *Lease, o Outcome) (store.JobState, error)
}

// Options adjusts a queue. The zero value is right for most.
type Options struct {
	Logger *slog.Logger     // nil: nothing is logged
	Clock  func() time.Time // that of the backend's times; nil: time.Now
	// Lease is how long a running job belongs to a worker that gives no sign
	// of life, as the backend writes it; 0: 5 s. Heartbeat is the pause between
	// such signs; 0: 1 s.
	Lease, Heartbeat time.Duration
	// Poll is the pause between two looks for jobs that another process added;
	// 0: 500 ms.
	Poll time.Duration
	// GiveUp is how long a worker goes on trying when it cannot write how a job
	// ended, or cannot look for jobs, before it returns the error; 0: 5 s.
	GiveUp time.Duration
}

// Queue runs the jobs of a backend. It implements [store.Queue]; any number of
// goroutines may use it.
type Queue struct {
	backend   Backend
	o         Options
	added     signal // a job of this process may be ready
	cancelled signal // a job was cancelled by this process
	done      chan struct{}
	closeOnce sync.Once
	ending    atomic.Int32 // jobs whose end could not be recorded yet
}

var _ store.Queue = (*Queue)(nil)

// New makes the queue of a backend. A process needs one for each store.
func New(b Backend, o Options) *Queue {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.Lease = cmp.Or(o.Lease, 5*time.Second)
	o.Heartbeat = cmp.Or(o.Heartbeat, time.Second)
	o.Poll = cmp.Or(o.Poll, 500*time.Millisecond)
	o.GiveUp = cmp.Or(o.GiveUp, 5*time.Second)
	q := &Queue{backend: b, o: o, done: make(chan struct{})}
	q.added.broadcast()
	q.cancelled.broadcast()
	return q
}

// Added wakes the workers of this process: a job may be ready. It is called
// once the transaction that added it is kept.
func (q *Queue) Added() { q.added.broadcast() }

// Cancelled lets the workers of this process look at once whether their jobs
// are to be cancelled, and not only at their next heartbeat.
func (q *Queue) Cancelled() { q.cancelled.broadcast() }

// Close ends all workers with an error, and does not wait for them. Jobs that
// run lose their lease, as if the process had ended.
func (q *Queue) Close() { q.closeOnce.Do(func() { close(q.done) }) }

var errClosed = errors.New("the store is closed")

// leaseKey finds the lease of a handler's context.
type leaseKey struct{ q *Queue }

// Held gives the lease of a handler's context, or of one made from it. A
// backend holds on to it at the start of each transaction that writes with such
// a context, and refuses the transaction when the lease is lost.
func (q *Queue) Held(ctx context.Context) (*Lease, bool) {
	l, ok := ctx.Value(leaseKey{q}).(*Lease)
	return l, ok
}

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
