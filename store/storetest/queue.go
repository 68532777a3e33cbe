package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Queue tests the contracts of store.Jobs and store.Queue.
func Queue(t *testing.T, open func(t *testing.T) store.Store) {
	suite(t, open, map[string]func(*testing.T, store.Store){
		"Enqueue": queueEnqueue, "RolledBack": queueRolledBack, "UniqueKey": queueUnique, "List": queueList,
		"RunsOnce": queueRunsOnce, "Retry": queueRetry, "GivesUp": queueGivesUp, "Permanent": queuePermanent,
		"Panic": queuePanic, "CancelWaiting": queueCancelWaiting, "CancelRunning": queueCancelRunning,
		"HandBack": queueHandBack, "OtherKinds": queueOtherKinds, "OnlyAndUntil": queueOnlyAndUntil, "Group": queueGroup, "CancelGroup": queueCancelGroup,
		"UntilFails": queueUntilFails, "NotBefore": queueNotBefore, "Concurrency": queueConcurrency,
		"DeadWorker": queueDeadWorker, "OtherProcess": queueOtherProcess,
	})
}

func enqueue(t *testing.T, s store.Store, j store.Job) store.JobID {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Jobs().Enqueue(t.Context(), &j) })
	return j.ID
}

func getJob(t *testing.T, s store.Store, id store.JobID) (j *store.Job) {
	t.Helper()
	view(t, s, func(tx store.Tx) (err error) {
		j, err = tx.Jobs().Get(t.Context(), id)
		return err
	})
	return j
}

func cancelJob(t *testing.T, s store.Store, id store.JobID) {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Jobs().Cancel(t.Context(), id) })
}

// work starts a worker. stop ends it and waits for its end; it is called at
// the end of the test at the latest.
func work(t *testing.T, s store.Store, o store.WorkOptions) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Queue().Work(ctx, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := receive(t, "the worker's end", ended); err != nil {
			t.Errorf("the worker: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// handle makes the options of a worker for jobs of kind "k".
func handle(h store.Handler) store.WorkOptions {
	return store.WorkOptions{Handlers: map[string]store.Handler{"k": h}}
}

func waitState(t *testing.T, s store.Store, id store.JobID, want store.JobState) *store.Job {
	t.Helper()
	var j *store.Job
	eventually(t, fmt.Sprintf("job %d %s", id, want), func() bool {
		j = getJob(t, s, id)
		return j.State == want
	})
	return j
}

func queueEnqueue(t *testing.T, s store.Store) {
	before := time.Now().Add(-time.Second)
	id := enqueue(t, s, store.Job{Kind: "k", Args: []byte(`{"layer":5}`), UniqueKey: "parse-5", MaxAttempts: 7})
	j := getJob(t, s, id)
	if id == 0 || j.ID != id || j.Kind != "k" || string(j.Args) != `{"layer":5}` || j.UniqueKey != "parse-5" ||
		j.MaxAttempts != 7 || j.State != store.JobWaiting || j.Attempt != 0 || j.Created.Before(before) || !j.Ended.IsZero() {
		t.Errorf("the job is %+v", j)
	}
	wantEqual(t, "MaxAttempts by default", getJob(t, s, enqueue(t, s, store.Job{Kind: "k"})).MaxAttempts, 3)
	got := make(chan *store.Job, 2)
	work(t, s, handle(func(_ context.Context, j *store.Job) error { got <- j; return nil }))
	ran := receive(t, "the job", got)
	if ran.ID != id || string(ran.Args) != `{"layer":5}` || ran.Attempt != 1 || ran.State != store.JobRunning {
		t.Errorf("the handler got %+v", ran)
	}
	if j := waitState(t, s, id, store.JobDone); j.Ended.Before(before) || j.Error != "" || j.Attempt != 1 {
		t.Errorf("the job that is done is %+v", j)
	}
	err := s.Catalog().View(t.Context(), func(tx store.Tx) error { _, err := tx.Jobs().Get(t.Context(), id+1000); return err })
	wantNotExist(t, err)
	err = s.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Jobs().Cancel(t.Context(), id+1000) })
	wantNotExist(t, err)
	wantCode(t, s.Queue().Work(t.Context(), store.WorkOptions{}), rasterbase.Invalid)
}

func queueRolledBack(t *testing.T, s store.Store) {
	ran := make(chan string, 2)
	work(t, s, handle(func(_ context.Context, j *store.Job) error { ran <- string(j.Args); return nil }))
	failed := errors.New("changed my mind")
	err := s.Catalog().Update(t.Context(), func(tx store.Tx) error {
		if err := tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "lost"}); err != nil {
			return err
		}
		if err := tx.Jobs().Enqueue(t.Context(), &store.Job{Kind: "k", Args: []byte(`"lost"`)}); err != nil {
			return err
		}
		return failed
	})
	wantIs(t, err, failed)
	enqueue(t, s, store.Job{Kind: "k", Args: []byte(`"kept"`)})
	wantEqual(t, "the job that ran", receive(t, "a job", ran), `"kept"`)
	view(t, s, func(tx store.Tx) error {
		layers, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		if len(layers) != 0 || n != 0 {
			t.Errorf("a layer outlived its transaction")
		}
		return err
	})
}

func queueUnique(t *testing.T, s store.Store) {
	first := enqueue(t, s, store.Job{Kind: "k", UniqueKey: "u"})
	wantEqual(t, "the id for the key of a waiting job", enqueue(t, s, store.Job{Kind: "k", UniqueKey: "u"}), first)
	if enqueue(t, s, store.Job{Kind: "k", UniqueKey: "v"}) == first || enqueue(t, s, store.Job{Kind: "k"}) == enqueue(t, s, store.Job{Kind: "k"}) {
		t.Error("jobs with other keys, or none, are taken for one")
	}
	running, end := make(chan store.JobID, 10), make(chan struct{})
	work(t, s, store.WorkOptions{Only: []store.JobID{first}, Handlers: map[string]store.Handler{"k": func(ctx context.Context, j *store.Job) error {
		running <- j.ID
		<-end
		return nil
	}}})
	receive(t, "the job", running)
	wantEqual(t, "the id for the key of a running job", enqueue(t, s, store.Job{Kind: "k", UniqueKey: "u"}), first)
	close(end)
	waitState(t, s, first, store.JobDone)
	second := enqueue(t, s, store.Job{Kind: "k", UniqueKey: "u"})
	if second == first {
		t.Error("the key of a job that ended is still taken")
	}
	cancelJob(t, s, second)
	if enqueue(t, s, store.Job{Kind: "k", UniqueKey: "u"}) == second {
		t.Error("the key of a cancelled job is still taken")
	}
}

func queueList(t *testing.T, s store.Store) {
	var ids []store.JobID
	for range 4 {
		ids = append(ids, enqueue(t, s, store.Job{Kind: "k"}))
	}
	cancelJob(t, s, ids[1])
	for _, c := range []struct {
		states []store.JobState
		limit  int
		want   []store.JobID
	}{
		{nil, 0, []store.JobID{ids[3], ids[2], ids[1], ids[0]}},
		{nil, 2, []store.JobID{ids[3], ids[2]}},
		{[]store.JobState{store.JobCancelled}, 0, []store.JobID{ids[1]}},
		{[]store.JobState{store.JobWaiting, store.JobCancelled}, 3, []store.JobID{ids[3], ids[2], ids[1]}},
		{[]store.JobState{store.JobRunning}, 0, nil},
	} {
		view(t, s, func(tx store.Tx) error {
			jobs, err := tx.Jobs().List(t.Context(), c.states, c.limit)
			var got []store.JobID
			for _, j := range jobs {
				got = append(got, j.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, limit %d: %v, not %v", c.states, c.limit, got, c.want)
			}
			return err
		})
	}
}

// queueRunsOnce lets workers race for jobs.
func queueRunsOnce(t *testing.T, s store.Store) {
	stores := []store.Store{s, s}
	if a, ok := s.(Again); ok {
		stores = append(stores, a.Again(t))
	}
	const n = 40
	var ids []store.JobID
	for range n {
		ids = append(ids, enqueue(t, s, store.Job{Kind: "k"}))
	}
	var mu sync.Mutex
	ran := map[store.JobID]int{}
	for _, s := range stores {
		o := handle(func(_ context.Context, j *store.Job) error {
			mu.Lock()
			defer mu.Unlock()
			ran[j.ID]++
			return nil
		})
		o.Concurrency = 3
		work(t, s, o)
	}
	for _, id := range ids {
		waitState(t, s, id, store.JobDone)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, id := range ids {
		wantEqual(t, fmt.Sprintf("runs of job %d", id), ran[id], 1)
	}
}

func queueRetry(t *testing.T, s store.Store) {
	id := enqueue(t, s, store.Job{Kind: "k"})
	failed := make(chan time.Time, 1)
	again := make(chan *store.Job, 1)
	work(t, s, handle(func(_ context.Context, j *store.Job) error {
		if j.Attempt == 1 {
			failed <- time.Now()
			return errors.New("no luck")
		}
		again <- j
		return nil
	}))
	at := receive(t, "the first attempt", failed)
	eventually(t, "the job waits again", func() bool { return getJob(t, s, id).State == store.JobWaiting })
	j := getJob(t, s, id)
	if j.Error != "no luck" || j.Attempt != 1 || !j.NotBefore.After(at) {
		t.Errorf("between attempts the job is %+v", j)
	}
	wantEqual(t, "Attempt", receive(t, "the second attempt", again).Attempt, 2)
	waitState(t, s, id, store.JobDone)
}

func queueGivesUp(t *testing.T, s store.Store) {
	id := enqueue(t, s, store.Job{Kind: "k", MaxAttempts: 2})
	var runs atomic.Int32
	work(t, s, handle(func(_ context.Context, j *store.Job) error {
		runs.Add(1)
		return fmt.Errorf("failure %d", j.Attempt)
	}))
	j := waitState(t, s, id, store.JobFailed)
	if j.Error != "failure 2" || j.Attempt != 2 || j.Ended.IsZero() || runs.Load() != 2 {
		t.Errorf("after %d runs the job is %+v", runs.Load(), j)
	}
}

func queuePermanent(t *testing.T, s store.Store) {
	id := enqueue(t, s, store.Job{Kind: "k"})
	work(t, s, handle(func(context.Context, *store.Job) error {
		return fmt.Errorf("parsing: %w", &store.Permanent{Err: errors.New("not a raster")})
	}))
	if j := waitState(t, s, id, store.JobFailed); j.Attempt != 1 || j.Error != "parsing: not a raster" {
		t.Errorf("the job is %+v", j)
	}
}

func queuePanic(t *testing.T, s store.Store) {
	id := enqueue(t, s, store.Job{Kind: "k", MaxAttempts: 1})
	next := enqueue(t, s, store.Job{Kind: "fine"})
	o := handle(func(context.Context, *store.Job) error { panic("out of range") })
	o.Handlers["fine"] = func(context.Context, *store.Job) error { return nil }
	work(t, s, o)
	if j := waitState(t, s, id, store.JobFailed); j.Error == "" {
		t.Errorf("the job is %+v", j)
	}
	waitState(t, s, next, store.JobDone)
}

func queueCancelWaiting(t *testing.T, s store.Store) {
	id := enqueue(t, s, store.Job{Kind: "k"})
	cancelJob(t, s, id)
	if j := getJob(t, s, id); j.State != store.JobCancelled || j.Ended.IsZero() {
		t.Errorf("the job is %+v", j)
	}
	cancelJob(t, s, id) // again
	ran := make(chan store.JobID, 2)
	work(t, s, handle(func(_ context.Context, j *store.Job) error { ran <- j.ID; return nil }))
	other := enqueue(t, s, store.Job{Kind: "k"})
	wantEqual(t, "the job that ran", receive(t, "a job", ran), other)
}

func queueCancelRunning(t *testing.T, s store.Store) {
	stores := map[string]store.Store{"this": s}
	if a, ok := s.(Again); ok {
		stores["other"] = a.Again(t)
	}
	started, causes := make(chan struct{}), make(chan error)
	work(t, s, handle(func(ctx context.Context, _ *store.Job) error {
		started <- struct{}{}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	}))
	for name, by := range stores {
		id := enqueue(t, s, store.Job{Kind: "k"})
		receive(t, "the start", started)
		cancelJob(t, by, id)
		wantIs(t, receive(t, "the cause, by "+name, causes), store.ErrCancelled)
		if j := waitState(t, s, id, store.JobCancelled); j.Ended.IsZero() {
			t.Errorf("the job is %+v", j)
		}
	}
}

func queueHandBack(t *testing.T, s store.Store) {
	id := enqueue(t, s, store.Job{Kind: "k", MaxAttempts: 1})
	started := make(chan struct{}, 1)
	stop := work(t, s, handle(func(ctx context.Context, _ *store.Job) error {
		started <- struct{}{}
		<-ctx.Done()
		return fmt.Errorf("stopped: %w", ctx.Err())
	}))
	receive(t, "the start", started)
	stop()
	if j := getJob(t, s, id); j.State != store.JobWaiting || j.Attempt != 0 {
		t.Errorf("the job that was handed back is %+v", j)
	}
	work(t, s, handle(func(_ context.Context, j *store.Job) error {
		wantEqual(t, "Attempt", j.Attempt, 1)
		return nil
	}))
	waitState(t, s, id, store.JobDone)
}

func queueOtherKinds(t *testing.T, s store.Store) {
	strange := enqueue(t, s, store.Job{Kind: "strange"})
	id := enqueue(t, s, store.Job{Kind: "k"})
	stop := work(t, s, handle(func(context.Context, *store.Job) error { return nil }))
	waitState(t, s, id, store.JobDone)
	stop()
	wantEqual(t, "the state of a job of another kind", getJob(t, s, strange).State, store.JobWaiting)
}

func queueOnlyAndUntil(t *testing.T, s store.Store) {
	other, mine := enqueue(t, s, store.Job{Kind: "k"}), enqueue(t, s, store.Job{Kind: "k"})
	o := handle(func(context.Context, *store.Job) error { return nil })
	o.Only = []store.JobID{mine}
	o.Until = func(ctx context.Context) (done bool, err error) {
		err = s.Catalog().View(ctx, func(tx store.Tx) error {
			j, err := tx.Jobs().Get(ctx, mine)
			done = err == nil && j.State.Ended()
			return err
		})
		return done, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	must(t, s.Queue().Work(ctx, o))
	must(t, ctx.Err())
	wantEqual(t, "the state of the job", getJob(t, s, mine).State, store.JobDone)
	wantEqual(t, "the state of the other job", getJob(t, s, other).State, store.JobWaiting)
}

func queueUntilFails(t *testing.T, s store.Store) {
	broken := errors.New("cannot tell")
	o := handle(func(context.Context, *store.Job) error { return nil })
	o.Until = func(context.Context) (bool, error) { return false, broken }
	wantIs(t, s.Queue().Work(t.Context(), o), broken)
}

func queueNotBefore(t *testing.T, s store.Store) {
	at := time.Now().Add(700 * time.Millisecond)
	id := enqueue(t, s, store.Job{Kind: "k", NotBefore: at})
	ran := make(chan time.Time, 1)
	work(t, s, handle(func(context.Context, *store.Job) error { ran <- time.Now(); return nil }))
	if got := receive(t, "the job", ran); got.Before(at.Truncate(time.Millisecond)) {
		t.Errorf("it ran %v too early", at.Sub(got))
	}
	waitState(t, s, id, store.JobDone)
}

func queueConcurrency(t *testing.T, s store.Store) {
	const slots = 3
	var now, most atomic.Int32
	full, end := make(chan struct{}), make(chan struct{})
	isFull := sync.OnceFunc(func() { close(full) })
	o := handle(func(context.Context, *store.Job) error {
		n := now.Add(1)
		defer now.Add(-1)
		if n > most.Load() {
			most.Store(n)
		}
		if n == slots {
			isFull()
		}
		<-end
		return nil
	})
	o.Concurrency = slots
	var ids []store.JobID
	for range slots + 3 {
		ids = append(ids, enqueue(t, s, store.Job{Kind: "k"}))
	}
	work(t, s, o)
	receive(t, "all slots in use", full)
	waiting := 0
	for _, id := range ids {
		if getJob(t, s, id).State == store.JobWaiting {
			waiting++
		}
	}
	wantEqual(t, "jobs that wait", waiting, 3)
	end <- struct{}{} // one slot is free, and the next job takes it
	eventually(t, "the fourth job starts", func() bool {
		waiting = 0
		for _, id := range ids {
			if getJob(t, s, id).State == store.JobWaiting {
				waiting++
			}
		}
		return waiting == 2
	})
	close(end)
	for _, id := range ids {
		waitState(t, s, id, store.JobDone)
	}
	if most.Load() > slots {
		t.Errorf("%d jobs ran at once", most.Load())
	}
}

// queueDeadWorker cuts a worker off from the store while its handler goes on.
func queueDeadWorker(t *testing.T, s store.Store) {
	dying := again(t, s)
	lost := make(chan error, 1)
	id := enqueue(t, s, store.Job{Kind: "k"})
	last := enqueue(t, s, store.Job{Kind: "once", MaxAttempts: 1})
	started, goOn := make(chan struct{}, 2), make(chan struct{})
	block := func(ctx context.Context, _ *store.Job) error {
		started <- struct{}{}
		<-ctx.Done()
		lost <- context.Cause(ctx)
		<-goOn
		return nil
	}
	ended := make(chan error, 1)
	go func() {
		ended <- dying.Queue().Work(context.Background(), store.WorkOptions{Concurrency: 2,
			Handlers: map[string]store.Handler{"k": block, "once": block}})
	}()
	receive(t, "the start", started)
	receive(t, "the start", started)
	must(t, dying.Close())
	wantIs(t, receive(t, "the cause", lost), store.ErrLeaseLost)

	took := make(chan *store.Job, 1)
	finish := make(chan struct{})
	work(t, s, store.WorkOptions{Concurrency: 2, Handlers: map[string]store.Handler{
		"k": func(_ context.Context, j *store.Job) error {
			took <- j
			<-finish
			return nil
		},
		"once": func(context.Context, *store.Job) error {
			t.Error("a job ran more often than it may")
			return nil
		},
	}})
	wantEqual(t, "the attempt after a worker's death", receive(t, "the job", took).Attempt, 2)
	close(goOn) // the dead worker's handler returns without an error
	receive(t, "the end of the dead worker", ended)
	wantEqual(t, "the state of the job that was taken over", getJob(t, s, id).State, store.JobRunning)
	close(finish)
	waitState(t, s, id, store.JobDone)
	if j := waitState(t, s, last, store.JobFailed); j.Error == "" || j.Attempt != 1 {
		t.Errorf("the job whose only attempt died is %+v", j)
	}
}

func queueOtherProcess(t *testing.T, s store.Store) {
	other := again(t, s)
	work(t, s, handle(func(ctx context.Context, _ *store.Job) error {
		return s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Layers().Create(ctx, &rasterbase.Layer{Name: "made by a job"})
		})
	}))
	id := enqueue(t, other, store.Job{Kind: "k"})
	waitState(t, other, id, store.JobDone)
	view(t, other, func(tx store.Tx) error {
		_, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{Slug: "made-by-a-job"})
		wantEqual(t, "number of layers", n, 1)
		return err
	})
}
