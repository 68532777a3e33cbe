package jobs_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// Each attempt is told of, with how it ended.
func TestObserveIsToldOfEachAttempt(t *testing.T) {
	st := open(t)
	r := jobs.NewRunner(st, nil)
	var mu sync.Mutex
	seen := map[string]int{}
	r.Observe(func(kind string, took time.Duration, outcome string) {
		mu.Lock()
		defer mu.Unlock()
		seen[kind+" "+outcome]++
		if took < 0 {
			t.Errorf("%s took %v", kind, took)
		}
	})
	do := func(kind string, fn func(ctx context.Context, j *store.Job) error) {
		t.Helper()
		jobs.Handle(r, kind, func(ctx context.Context, _ args, j *store.Job) error { return fn(ctx, j) })
		if _, err := r.RunOne(t.Context(), enqueue(t, st, kind, args{})); err != nil {
			t.Fatal(err)
		}
	}
	do("good", func(context.Context, *store.Job) error { return nil })
	do("bad", func(context.Context, *store.Job) error { return errors.New("no") })
	do("hopeless", func(context.Context, *store.Job) error { return &store.Permanent{Err: errors.New("never")} })
	do("panics once", func(_ context.Context, j *store.Job) error {
		if j.Attempt == 1 {
			panic("oh")
		}
		return nil
	})
	do("cancelled", func(ctx context.Context, j *store.Job) error {
		err := st.Catalog().Update(context.Background(), func(tx store.Tx) error { return tx.Jobs().Cancel(context.Background(), j.ID) })
		if err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	jobs.Handle(r, "stopped", func(ctx context.Context, _ args, _ *store.Job) error { <-ctx.Done(); return ctx.Err() })
	enqueue(t, st, "stopped", args{})
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- r.Run(ctx, 1) }()
	for running := false; !running; time.Sleep(time.Millisecond) {
		err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
			list, err := tx.Jobs().List(t.Context(), []store.JobState{store.JobRunning}, 0)
			running = len(list) == 1
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"good done": 1, "bad retried": 2, "bad failed": 1, "hopeless failed": 1,
		"panics once retried": 1, "panics once done": 1, "cancelled cancelled": 1, "stopped handed back": 1}
	mu.Lock()
	defer mu.Unlock()
	if !maps.Equal(seen, want) {
		t.Errorf("told of %v", seen)
	}
}
