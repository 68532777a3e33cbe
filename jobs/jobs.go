// Package jobs runs background work of kinds that others register, over a
// store's queue. It knows none of the kinds.
package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rasterbase/rasterbase/store"
)

// Runner hands jobs to the functions registered for their kinds.
type Runner struct {
	store    store.Store
	log      *slog.Logger
	handlers map[string]store.Handler
	observe  func(kind string, took time.Duration, outcome string)
}

// NewRunner makes a runner over a store's queue. A nil logger discards.
func NewRunner(st store.Store, log *slog.Logger) *Runner {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Runner{store: st, log: log, handlers: map[string]store.Handler{}}
}

// Handle registers the function that runs jobs of a kind. All kinds are
// registered before Run is called.
func Handle[A any](r *Runner, kind string, fn func(ctx context.Context, args A, j *store.Job) error) {
	r.handlers[kind] = r.observed(kind, func(ctx context.Context, j *store.Job) error {
		var args A
		if err := json.Unmarshal(j.Args, &args); err != nil {
			return &store.Permanent{Err: fmt.Errorf("read the arguments of job %d: %w", j.ID, err)}
		}
		start := time.Now()
		err := fn(ctx, args, j)
		attrs := []any{"job", j.ID, "kind", kind, "attempt", j.Attempt, "took", time.Since(start).Round(time.Millisecond)}
		if err != nil {
			r.log.Warn("job did not finish", append(attrs, "error", err)...)
		} else {
			r.log.Debug("job done", attrs...)
		}
		return err
	})
}

// New makes a job of a kind, to be enqueued.
func New[A any](kind string, args A) (*store.Job, error) {
	b, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("write the arguments of a %s job: %w", kind, err)
	}
	return &store.Job{Kind: kind, Args: b}, nil
}

// Run takes jobs of all registered kinds, so many at once, until ctx is done;
// then it hands back what is not finished.
func (r *Runner) Run(ctx context.Context, concurrency int) error {
	return r.store.Queue().Work(ctx, store.WorkOptions{Handlers: r.handlers, Concurrency: concurrency})
}

// keepPause is the pause before jobs are tried again that could not be run.
const keepPause = 15 * time.Second

// Keep is [Runner.Run] for a server: when jobs cannot be run, because the disk is
// full or the database is away, it logs that and tries again after a pause. It
// returns when ctx is done.
func (r *Runner) Keep(ctx context.Context, concurrency int) {
	for ctx.Err() == nil {
		if err := r.Run(ctx, concurrency); err != nil {
			r.log.Error("jobs cannot be run", "error", err, "again_in", keepPause)
		}
		select {
		case <-ctx.Done():
		case <-time.After(keepPause):
		}
	}
}

// RunOne works on one job until it has ended, whoever else runs it meanwhile,
// and returns it as it ended.
func (r *Runner) RunOne(ctx context.Context, id store.JobID) (*store.Job, error) {
	var last *store.Job
	err := r.store.Queue().Work(ctx, store.WorkOptions{
		Handlers: r.handlers,
		Only:     []store.JobID{id},
		Until: func(ctx context.Context) (bool, error) {
			j, err := Get(ctx, r.store, id)
			last = j
			return err == nil && j.State.Ended(), err
		},
	})
	if err != nil {
		return nil, err
	}
	if last == nil || !last.State.Ended() {
		return last, context.Cause(ctx)
	}
	return last, nil
}

// RunOnly works on some jobs, one after the other, until done answers true; it
// is asked between jobs. The error is that of ctx when that ends before.
func (r *Runner) RunOnly(ctx context.Context, ids []store.JobID, done func(context.Context) (bool, error)) error {
	over := false
	handlers, until := betweenJobs(r.handlers, func(ctx context.Context) (_ bool, err error) {
		over, err = done(ctx)
		return over, err
	})
	err := r.store.Queue().Work(ctx, store.WorkOptions{Handlers: handlers, Only: ids, Until: until})
	if err == nil && !over {
		err = context.Cause(ctx)
	}
	return err
}

// RunGroup works on the jobs of a group, so many at once, until done answers
// true; it is asked after each job and each wait. The error is that of ctx when
// that ends before.
func (r *Runner) RunGroup(ctx context.Context, group string, concurrency int, done func(context.Context) (bool, error)) error {
	over := false
	err := r.store.Queue().Work(ctx, store.WorkOptions{
		Handlers: r.handlers, Group: group, Concurrency: concurrency,
		Until: func(ctx context.Context) (_ bool, err error) {
			over, err = done(ctx)
			return over, err
		},
	})
	if err == nil && !over {
		err = context.Cause(ctx)
	}
	return err
}

// RunDue runs the jobs of some kinds that are due now, and returns when none is
// left.
func (r *Runner) RunDue(ctx context.Context, kinds ...string) error {
	handlers := map[string]store.Handler{}
	for _, k := range kinds {
		if h, ok := r.handlers[k]; ok {
			handlers[k] = h
		}
	}
	none := func(ctx context.Context) (bool, error) {
		due, err := r.due(ctx, handlers)
		return !due, err
	}
	if done, err := none(ctx); done || err != nil {
		return err
	}
	handlers, until := betweenJobs(handlers, none)
	return r.store.Queue().Work(ctx, store.WorkOptions{Handlers: handlers, Until: until})
}

// betweenJobs makes handlers and a question that is not asked while one of them
// runs: a job that runs when the answer is yes would be handed back.
func betweenJobs(handlers map[string]store.Handler, until func(context.Context) (bool, error)) (map[string]store.Handler, func(context.Context) (bool, error)) {
	var running atomic.Int64
	counted := make(map[string]store.Handler, len(handlers))
	for kind, h := range handlers {
		counted[kind] = func(ctx context.Context, j *store.Job) error {
			running.Add(1)
			defer running.Add(-1)
			return h(ctx, j)
		}
	}
	return counted, func(ctx context.Context) (bool, error) {
		if running.Load() > 0 {
			return false, nil
		}
		return until(ctx)
	}
}

func (r *Runner) due(ctx context.Context, handlers map[string]store.Handler) (due bool, err error) {
	err = r.store.Catalog().View(ctx, func(tx store.Tx) error {
		list, err := tx.Jobs().List(ctx, []store.JobState{store.JobWaiting}, 0)
		if err != nil {
			return err
		}
		due = false
		for _, j := range list {
			// Times are the store's, whose clock may be a little ahead of this one.
			ready := !j.NotBefore.After(time.Now()) || j.NotBefore.Equal(j.Created)
			due = due || handlers[j.Kind] != nil && ready
		}
		return nil
	})
	return due, err
}

// Get reads a job.
func Get(ctx context.Context, st store.Store, id store.JobID) (j *store.Job, err error) {
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		j, err = tx.Jobs().Get(ctx, id)
		return err
	})
	return j, err
}
