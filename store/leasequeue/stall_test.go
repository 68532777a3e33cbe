package leasequeue_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
)

// stalled has one job, and does not answer any more once that is taken.
type stalled struct{ taken bool }

func (s *stalled) Next(ctx context.Context, _ leasequeue.Wanted) (time.Time, error) {
	if s.taken {
		return time.Time{}, s.wait(ctx)
	}
	return time.Now().Add(-time.Second), nil
}

func (s *stalled) Take(context.Context, leasequeue.Wanted) (*leasequeue.Lease, error) {
	s.taken = true
	return &leasequeue.Lease{Job: &store.Job{ID: 1, Kind: "k", MaxAttempts: 1, Attempt: 1}, Token: "t"}, nil
}

func (s *stalled) Renew(ctx context.Context, _ *leasequeue.Lease) (bool, error) {
	return false, s.wait(ctx)
}

func (s *stalled) Finish(ctx context.Context, _ *leasequeue.Lease, _ leasequeue.Outcome) (store.JobState, error) {
	return "", s.wait(ctx)
}

func (*stalled) wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// A database that does not answer, and does not say that it is gone, is given
// up: the handler learns that its lease may be lost, and Work comes back.
func TestABackendThatStallsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := leasequeue.New(&stalled{}, leasequeue.Options{})
		var cause error
		begun := time.Now()
		err := q.Work(t.Context(), store.WorkOptions{Concurrency: 1, Handlers: map[string]store.Handler{
			"k": func(ctx context.Context, _ *store.Job) error {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return cause
			},
		}})
		if err == nil || !errors.Is(cause, store.ErrLeaseLost) {
			t.Errorf("Work ended with %v, the handler with %v", err, cause)
		}
		if took := time.Since(begun); took > 3*time.Minute {
			t.Errorf("that took %v", took)
		}
	})
}
