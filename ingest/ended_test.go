package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// listener is told of parses that have ended. It makes sure that they have.
type listener struct {
	t      *testing.T
	st     store.Store
	mu     sync.Mutex
	events []ingest.Ended
	fail   func(n int) error // of the nth call, from 1
}

func (l *listener) ended(ctx context.Context, e ingest.Ended) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.st.Catalog().View(ctx, func(tx store.Tx) error {
		parse, err := tx.Parses().Get(ctx, e.Parse)
		if errors.Is(err, store.ErrNotExist) {
			return nil // deleted with its layer
		}
		if err != nil || parse.Status != e.Status || parse.Error != e.Error || !parse.Ended.Equal(e.Ended.Truncate(time.Microsecond)) && !parse.Ended.Equal(e.Ended) {
			l.t.Errorf("told %+v of %+v, %v", e, parse, err)
			return err
		}
		layer, err := tx.Layers().Get(ctx, e.Layer)
		if err != nil || e.Status == rasterbase.Finished && layer.Published != e.Revision {
			l.t.Errorf("told %+v of %+v, %v", e, layer, err)
		}
		return err
	})
	if err != nil {
		return err
	}
	l.events = append(l.events, e)
	if l.fail != nil {
		return l.fail(len(l.events))
	}
	return nil
}

func (l *listener) told() (all []ingest.Ended) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(all, l.events...)
}

// However a parse ends, those who want to know are told, and not before.
func TestEndsAreTold(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		st := at(t, place)
		told := &listener{t: t, st: st}
		o := small()
		p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, Ended: told.ended})
		work := func() {
			t.Helper()
			r := jobs.NewRunner(st, nil)
			p.Register(r)
			if err := r.RunDue(t.Context(), "parse ended"); err != nil {
				t.Fatal(err)
			}
			for _, j := range endings(t, st) {
				if j.State != store.JobDone {
					t.Errorf("the job is %s: %s", j.State, j.Error)
				}
			}
		}
		queue := func(name string) rasterbase.Ticket {
			t.Helper()
			ticket, err := p.Create(t.Context(), &rasterbase.Layer{Name: "Mine " + name}, rasterbase.SourceFrom{Upload: upload(t, st, name, "x", 1)})
			if err != nil {
				t.Fatal(err)
			}
			work()
			return ticket
		}
		one := func(ticket rasterbase.Ticket, status rasterbase.Status) ingest.Ended {
			t.Helper()
			work()
			events := told.told()
			told.events = nil
			if len(events) != 1 || events[0].Parse != ticket.Parse || events[0].Layer != ticket.Layer || events[0].Status != status {
				t.Fatalf("told of %+v, want one that is %s of %+v", events, status, ticket)
			}
			return events[0]
		}
		finish := func(ticket rasterbase.Ticket) {
			t.Helper()
			if err := p.Finish(t.Context(), ticket); err != nil {
				t.Fatal(err)
			}
		}

		good := queue("raster.syn")
		finish(good)
		e := one(good, rasterbase.Finished)
		if rev := revisions(t, st, good.Layer)[0]; e.Revision != rev.ID || e.Tiles != rev.BaseTiles+rev.PyramidTiles || e.Slug != "mine-raster-syn" ||
			e.Name != "Mine raster.syn" || e.Error != "" || e.Created.IsZero() || e.Started.IsZero() || e.Ended.Before(e.Started) {
			t.Errorf("%+v", e)
		}

		bad := queue("bad.syn")
		finish(bad)
		if e := one(bad, rasterbase.Failed); !strings.Contains(e.Error, "bad.syn is not a raster") || e.Revision != 0 || e.Tiles != 0 {
			t.Errorf("%+v", e)
		}

		cancelled, err := p.Reparse(t.Context(), good.Layer)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Cancel(t.Context(), good.Layer); err != nil {
			t.Fatal(err)
		}
		if e := one(cancelled, rasterbase.Cancelled); e.Revision != 0 || !e.Started.IsZero() {
			t.Errorf("%+v", e)
		}

		changed, err := p.Reparse(t.Context(), good.Layer)
		if err != nil {
			t.Fatal(err)
		}
		_, next, err := p.Change(t.Context(), good.Layer, nil, func(l *rasterbase.Layer) error { l.Settings.TileSize = 128; return nil })
		if err != nil {
			t.Fatal(err)
		}
		one(changed, rasterbase.Cancelled)
		finish(next)
		one(next, rasterbase.Finished)

		dead, err := p.Reparse(t.Context(), good.Layer)
		if err != nil {
			t.Fatal(err)
		}
		update(t, st, func(tx store.Tx) error { return tx.Jobs().Cancel(t.Context(), jobOf(t, st, dead).ID) })
		if err := p.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		one(dead, rasterbase.Cancelled)

		deleted := queue("raster.syn")
		if err := p.Delete(t.Context(), deleted.Layer); err != nil {
			t.Fatal(err)
		}
		one(deleted, rasterbase.Cancelled)
		if err := p.Delete(t.Context(), good.Layer); err != nil {
			t.Fatal(err)
		}
		work()
		if events := told.told(); len(events) > 0 {
			t.Errorf("told of %+v although nothing was parsed", events)
		}
	})
}

// A listener that fails is told again, ten times at most; one that says that it
// is of no use is not.
func TestListenersThatFail(t *testing.T) {
	no := errors.New("not now")
	for name, c := range map[string]struct {
		fail  func(n int) error
		calls int
		state store.JobState
	}{
		"twice":       {func(n int) error { return map[bool]error{true: no}[n <= 2] }, 3, store.JobDone},
		"always":      {func(int) error { return no }, 10, store.JobFailed},
		"permanently": {func(int) error { return &store.Permanent{Err: no} }, 1, store.JobFailed},
		"in a panic":  {func(n int) error { return map[bool]error{true: nil}[n > 1 || panics()] }, 2, store.JobDone},
	} {
		t.Run(name, func(t *testing.T) {
			st := swift(t)
			told := &listener{t: t, st: st, fail: c.fail}
			p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, Ended: told.ended})
			ticket, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "x", 1)})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Finish(t.Context(), ticket); err != nil {
				t.Fatal(err)
			}
			list := endings(t, st)
			if len(list) != 1 || len(told.told()) != 0 {
				t.Fatalf("%d jobs, told of %+v", len(list), told.told())
			}
			r := jobs.NewRunner(st, nil)
			p.Register(r)
			job, err := r.RunOne(t.Context(), list[0].ID)
			if err != nil || job.State != c.state || len(told.told()) != c.calls {
				t.Errorf("told %d times, the job is %+v, %v", len(told.told()), job, err)
			}
		})
	}
}

func panics() bool { panic("a fault of the listener") }

// endings are the jobs that tell of ended parses.
func endings(t *testing.T, st store.Store) (list []*store.Job) {
	t.Helper()
	err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
		all, err := tx.Jobs().List(t.Context(), nil, 0)
		list = nil
		for _, j := range all {
			if j.Kind == "parse ended" {
				list = append(list, j)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A command tells once, and leaves the rest to a server.
func TestCommandsTellOnce(t *testing.T) {
	st := swift(t)
	told := &listener{t: t, st: st, fail: func(int) error { return errors.New("not now") }}
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, Ended: told.ended})
	for i := range 3 {
		if _, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil); err != nil {
			t.Fatal(err)
		}
		if events := told.told(); len(events) != i+1 {
			t.Fatalf("after %d imports: %d calls", i+1, len(events))
		}
	}
	for _, j := range endings(t, st) {
		if j.State != store.JobWaiting || j.Attempt != 1 {
			t.Errorf("the job is %s after %d attempts", j.State, j.Attempt)
		}
	}
	none := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64})
	if _, err := none.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(endings(t, st)); n != 3 {
		t.Errorf("%d jobs: one is for nobody", n)
	}
}

// What is told is the same in the job as it is for those who are told.
func TestEndedAsJSON(t *testing.T) {
	when := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
	e := ingest.Ended{Layer: 1, Slug: "a", Name: "A", Parse: 2, Revision: 3, Status: rasterbase.Failed, Error: "no", Tiles: 4, Created: when, Started: when, Ended: when}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"layer_id":1,"slug":"a","name":"A","parse_id":2,"revision_id":3,"status":"failed","error":"no","tiles":4,` +
		`"created":"2026-02-03T04:05:06.000007Z","started":"2026-02-03T04:05:06.000007Z","ended":"2026-02-03T04:05:06.000007Z"}`
	var back ingest.Ended
	if err := json.Unmarshal(b, &back); err != nil || string(b) != want || !reflect.DeepEqual(back, e) {
		t.Errorf("%s, %+v, %v", b, back, err)
	}
	if b, err := json.Marshal(ingest.Ended{Layer: 1, Status: rasterbase.Cancelled, Created: when, Ended: when}); err != nil || strings.Contains(string(b), "started") {
		t.Errorf("%s, %v", b, err)
	}
}
