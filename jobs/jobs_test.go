package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

func open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{
		Heartbeat: 20 * time.Millisecond, Poll: 20 * time.Millisecond, Backoff: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

type args struct {
	Name  string         `json:"name"`
	Parts map[string]int `json:"parts"`
}

func enqueue[A any](t testing.TB, st store.Store, kind string, a A) store.JobID {
	t.Helper()
	j, err := jobs.New(kind, a)
	if err != nil {
		t.Fatal(err)
	}
	err = st.Catalog().Update(context.Background(), func(tx store.Tx) error { return tx.Jobs().Enqueue(context.Background(), j) })
	if err != nil {
		t.Fatal(err)
	}
	return j.ID
}

func TestArgumentsArriveAsTheyWereGiven(t *testing.T) {
	st := open(t)
	r := jobs.NewRunner(st, nil)
	var got args
	jobs.Handle(r, "copy", func(_ context.Context, a args, j *store.Job) error {
		got = a
		if j.Attempt != 1 || j.Kind != "copy" {
			t.Errorf("the job is %+v", j)
		}
		return nil
	})
	want := args{"Größe \x00 <&>", map[string]int{"a": 1, "b": -2}}
	j, err := r.RunOne(t.Context(), enqueue(t, st, "copy", want))
	if err != nil || j.State != store.JobDone {
		t.Fatalf("the job ended as %+v, %v", j, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestArgumentsThatCannotBeWritten(t *testing.T) {
	if _, err := jobs.New("copy", make(chan int)); err == nil {
		t.Error("a channel was written")
	}
}

func TestHowAJobEnds(t *testing.T) {
	tests := []struct {
		name     string
		fn       func(attempt int) error
		state    store.JobState
		attempts int32
	}{
		{"at once", func(int) error { return nil }, store.JobDone, 1},
		{"at the second attempt", func(n int) error {
			if n == 1 {
				return errors.New("not yet")
			}
			return nil
		}, store.JobDone, 2},
		{"never", func(int) error { return errors.New("no") }, store.JobFailed, 3},
		{"permanently", func(int) error { return &store.Permanent{Err: errors.New("no")} }, store.JobFailed, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := open(t)
			r := jobs.NewRunner(st, nil)
			var n atomic.Int32
			jobs.Handle(r, "try", func(_ context.Context, _ args, j *store.Job) error { n.Add(1); return tt.fn(j.Attempt) })
			id := enqueue(t, st, "try", args{})
			other := enqueue(t, st, "try", args{})
			j, err := r.RunOne(t.Context(), id)
			if err != nil || j.State != tt.state || n.Load() != tt.attempts {
				t.Errorf("ended as %+v after %d attempts, %v", j, n.Load(), err)
			}
			if j, err := jobs.Get(t.Context(), st, other); err != nil || j.State != store.JobWaiting {
				t.Errorf("the other job is %+v, %v", j, err)
			}
		})
	}
}

// Arguments that cannot be read do not become readable by trying again.
func TestUnknownArgumentsFailForGood(t *testing.T) {
	st := open(t)
	r := jobs.NewRunner(st, nil)
	jobs.Handle(r, "copy", func(context.Context, args, *store.Job) error { t.Error("it ran"); return nil })
	j, err := r.RunOne(t.Context(), enqueue(t, st, "copy", []int{1, 2}))
	if err != nil || j.State != store.JobFailed || j.Attempt != 1 {
		t.Errorf("ended as %+v, %v", j, err)
	}
}

func TestRunOneWaitsForAnotherWorker(t *testing.T) {
	st := open(t)
	id := enqueue(t, st, "long", args{})
	began, release := make(chan struct{}), make(chan struct{})
	worker := jobs.NewRunner(st, nil)
	jobs.Handle(worker, "long", func(context.Context, args, *store.Job) error { close(began); <-release; return nil })
	ctx, stop := context.WithCancel(t.Context())
	worked := make(chan error)
	go func() { worked <- worker.Run(ctx, 2) }()
	<-began
	waiting := jobs.NewRunner(st, nil)
	jobs.Handle(waiting, "long", func(context.Context, args, *store.Job) error { t.Error("it ran twice"); return nil })
	ended := make(chan *store.Job)
	go func() {
		j, err := waiting.RunOne(t.Context(), id)
		if err != nil {
			t.Error(err)
		}
		ended <- j
	}()
	close(release)
	if j := <-ended; j.State != store.JobDone {
		t.Errorf("the job is %+v", j)
	}
	stop()
	if err := <-worked; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRunOneEndsWithItsContext(t *testing.T) {
	st := open(t)
	id := enqueue(t, st, "long", args{})
	r := jobs.NewRunner(st, nil)
	ctx, stop := context.WithCancel(t.Context())
	jobs.Handle(r, "long", func(ctx context.Context, _ args, _ *store.Job) error { stop(); <-ctx.Done(); return ctx.Err() })
	if _, err := r.RunOne(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if j, err := jobs.Get(t.Context(), st, id); err != nil || j.State != store.JobWaiting {
		t.Errorf("the job is %+v, %v: it was not handed back", j, err)
	}
}

func TestGetUnknown(t *testing.T) {
	if _, err := jobs.Get(t.Context(), open(t), 77); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "jobs-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	st, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()

	type greeting struct{ Name string }
	runner := jobs.NewRunner(st, nil)
	jobs.Handle(runner, "greet", func(_ context.Context, g greeting, _ *store.Job) error {
		fmt.Println("hello,", g.Name)
		return nil
	})

	job, err := jobs.New("greet", greeting{"world"})
	if err == nil {
		err = st.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Jobs().Enqueue(ctx, job) })
	}
	if err == nil {
		job, err = runner.RunOne(ctx, job.ID)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.State)
	// Output:
	// hello, world
	// done
}

// A job that takes longer than the pauses between looks is not handed back.
func TestRunDueLetsJobsEnd(t *testing.T) {
	st := open(t)
	r := jobs.NewRunner(st, nil)
	var calls, cut atomic.Int32
	jobs.Handle(r, "slow", func(ctx context.Context, _ args, _ *store.Job) error {
		calls.Add(1)
		select {
		case <-ctx.Done():
			cut.Add(1)
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
			return nil
		}
	})
	ids := []store.JobID{enqueue(t, st, "slow", args{}), enqueue(t, st, "slow", args{})}
	if err := r.RunDue(t.Context(), "slow"); err != nil {
		t.Fatal(err)
	}
	only := enqueue(t, st, "slow", args{})
	other := enqueue(t, st, "slow", args{})
	err := r.RunOnly(t.Context(), []store.JobID{only}, func(context.Context) (bool, error) { return calls.Load() == 3, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range append(ids, only) {
		if j, err := jobs.Get(t.Context(), st, id); err != nil || j.State != store.JobDone {
			t.Errorf("the job is %+v, %v", j, err)
		}
	}
	if j, err := jobs.Get(t.Context(), st, other); err != nil || j.State != store.JobWaiting || calls.Load() != 3 || cut.Load() != 0 {
		t.Errorf("the other job is %+v, %v; %d calls, %d cut short", j, err, calls.Load(), cut.Load())
	}
}
