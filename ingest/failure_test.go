package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

var (
	errPlain   = errors.New("the cable was pulled")
	errInvalid = rasterbase.Errorf(rasterbase.Invalid, "block 7 is damaged")
)

// A read that fails ends the parse with the reason and leaves nothing, however
// far the parse was; what may pass is tried again, what cannot is not.
func TestFailingReads(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		from, to int64 // the calls that fail
		attempts int64
		ok       bool
	}{
		{"at the first read, once", errPlain, 1, 1, 2, true},
		{"in the middle, once", errPlain, 3, 3, 2, true},
		{"at the last read, once", errPlain, 5, 5, 2, true},
		{"always", errPlain, 1, 1 << 40, 3, false},
		{"from the middle on", errPlain, 3, 1 << 40, 3, false},
		{"a damaged file", errInvalid, 3, 1 << 40, 1, false},
		{"a file that is gone", fmt.Errorf("open it again: %w", os.ErrNotExist), 2, 1 << 40, 3, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := opener(wavy(rasterbase.Uint8, 1, 120, 310, nil, 200))
			o.BeforeRead = func(_ context.Context, n int64, _ ingest.Window) error {
				if n >= tt.from && n <= tt.to {
					return tt.err
				}
				return nil
			}
			var opened atomic.Int64
			o.BeforeOpen = func(context.Context, int64, string) error { opened.Add(1); return nil }
			st := swift(t)
			p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, Workers: 1})
			layer, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
			if n := opened.Load() - 1; n != tt.attempts { // one more to make the plan
				t.Errorf("%d attempts, want %d", n, tt.attempts)
			}
			if tt.ok {
				if err != nil {
					t.Fatal(err)
				}
				if revs := revisions(t, st, layer.ID); len(revs) != 1 || revs[0].State != rasterbase.Published {
					t.Errorf("the revisions are %+v", revs)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err.Error()) {
				t.Fatalf("the error is %v", err)
			}
			parse, lines := latest(t, st, layer.ID)
			if parse.Status != rasterbase.Failed || !strings.Contains(parse.Error, tt.err.Error()) || parse.Ended.IsZero() {
				t.Errorf("the parse is %+v", parse)
			}
			if len(lines) == 0 || !strings.Contains(lines[len(lines)-1].Text, tt.err.Error()) {
				t.Errorf("the log is %v", lines)
			}
			nothingStored(t, st)
			if revs := revisions(t, st, layer.ID); len(revs) > 0 {
				t.Errorf("revisions are left: %+v", revs[0])
			}
			drain(t, st, p)
			noJobLeft(t, st)
		})
	}
}

func noJobLeft(t *testing.T, st store.Store) {
	t.Helper()
	err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
		list, err := tx.Jobs().List(t.Context(), []store.JobState{store.JobWaiting, store.JobRunning}, 0)
		for _, j := range list {
			t.Errorf("job %d (%s) is %s", j.ID, j.Kind, j.State)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A failed re-parse changes nothing for readers.
func TestFailedReparseLeavesTheLayerServed(t *testing.T) {
	o := opener(wavy(rasterbase.Int16, 2, 150, 130, rasterbase.FloatPtr(-1), 300))
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64})
	layer, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, st, layer.ID)
	good := o.Reads()
	o.BeforeRead = func(_ context.Context, n int64, _ ingest.Window) error {
		if n > good+1 {
			return errInvalid
		}
		return nil
	}
	ticket, err := p.Reparse(t.Context(), layer.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), ticket, nil); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Fatalf("the error is %v", err)
	}
	if after := contents(t, st, layer.ID); !reflect.DeepEqual(before, after) {
		t.Error("what is served has changed")
	}
	keys, err := st.Tiles().Revisions(t.Context())
	if err != nil || len(keys) != 1 || keys[0].Revision != before.rev.ID {
		t.Errorf("stored are %v, %v", keys, err)
	}
	o.BeforeRead = nil
	if ticket, err = p.Reparse(t.Context(), layer.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), ticket, nil); err != nil {
		t.Fatal(err)
	}
	after := contents(t, st, layer.ID)
	if after.rev.ID == before.rev.ID {
		t.Error("the new revision is not the published one")
	}
	sameParse(t, before, after)
}

// sameParse compares what two parses made, but for what names them.
func sameParse(t *testing.T, a, b everything) {
	t.Helper()
	if !reflect.DeepEqual(a.rev.Bands, b.rev.Bands) || a.rev.BaseTiles != b.rev.BaseTiles || a.rev.PyramidTiles != b.rev.PyramidTiles {
		t.Error("the statistics differ")
	}
	if !reflect.DeepEqual(a.pages, b.pages) {
		t.Error("the summaries differ")
	}
	if len(a.tiles) != len(b.tiles) {
		t.Fatalf("%d tiles and %d", len(a.tiles), len(b.tiles))
	}
	for i := range a.tiles {
		x, y := a.tiles[i], b.tiles[i]
		x.RevisionKey = y.RevisionKey
		if x.TileKey != y.TileKey || !raster.Equal(x.Raster, y.Raster) {
			t.Fatalf("tile %+v differs", y.TileKey)
		}
	}
}

// Cancel and Delete, whenever they come, leave either a finished layer or
// nothing.
func TestCancelAndDeleteAtAnyMoment(t *testing.T) {
	o := opener(wavy(rasterbase.Float32, 1, 200, 400, nil, 300))
	o.BeforeRead = func(context.Context, int64, ingest.Window) error { time.Sleep(time.Millisecond); return nil }
	start := time.Now()
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, BatchSize: 3})
	if _, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(start)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 16 {
		wait, remove := time.Duration(r.Int64N(int64(whole))), i%2 == 0
		t.Run(fmt.Sprintf("delete=%v/%d", remove, i), func(t *testing.T) { interrupt(t, o, wait, remove) })
	}
}

func interrupt(t *testing.T, o ingest.Opener, wait time.Duration, remove bool) {
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, BatchSize: 3})
	ticket, err := p.Add(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := p.Run(t.Context(), ticket, nil)
		ended <- err
	}()
	time.Sleep(wait)
	stop := p.Cancel
	if remove {
		stop = p.Delete
	}
	if err := stop(t.Context(), ticket.Layer); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	drain(t, st, p)
	noJobLeft(t, st)
	if remove {
		nothingStored(t, st)
		if ids, err := st.Sources().List(t.Context()); err != nil || len(ids) > 0 {
			t.Errorf("sources are left: %v, %v", ids, err)
		}
		if revs := revisions(t, st, ticket.Layer); len(revs) > 0 {
			t.Errorf("revisions are left: %+v", revs[0])
		}
		return
	}
	parse, _ := latest(t, st, ticket.Layer)
	switch {
	case parse.Status == rasterbase.Finished && err == nil:
		contents(t, st, ticket.Layer)
	case parse.Status == rasterbase.Cancelled && rasterbase.CodeOf(err) == rasterbase.Conflict:
		nothingStored(t, st)
		if revs := revisions(t, st, ticket.Layer); len(revs) > 0 {
			t.Errorf("revisions are left: %+v", revs[0])
		}
	default:
		t.Errorf("the parse is %s (%s), the error %v", parse.Status, parse.Error, err)
	}
}

func TestTwoImportsOfOneFileAtOnce(t *testing.T) {
	o := opener(wavy(rasterbase.Uint8, 1, 100, 100, nil, 5))
	st := swift(t)
	path := fileNamed(t, "raster.syn")
	var layers [2]*rasterbase.Layer
	var wg sync.WaitGroup
	for i := range layers {
		wg.Go(func() {
			p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64})
			l, err := p.Import(t.Context(), ingest.Request{Source: path}, nil)
			if err != nil {
				t.Error(err)
			}
			layers[i] = l
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	if layers[0].ID == layers[1].ID || layers[0].Slug == layers[1].Slug {
		t.Errorf("the layers are %+v and %+v", layers[0], layers[1])
	}
	sameParse(t, contents(t, st, layers[0].ID), contents(t, st, layers[1].ID))
}

// wrapped is a store whose parts can be wrapped.
type wrapped struct {
	store.Store
	queue   store.Queue
	catalog store.Catalog
}

func (w wrapped) Queue() store.Queue {
	if w.queue != nil {
		return w.queue
	}
	return w.Store.Queue()
}

func (w wrapped) Catalog() store.Catalog {
	if w.catalog != nil {
		return w.catalog
	}
	return w.Store.Catalog()
}

// twice runs each job again after it went well, as happens to a worker that
// dies before it can say so.
type twice struct{ store.Queue }

func (q twice) Work(ctx context.Context, o store.WorkOptions) error {
	handlers := map[string]store.Handler{}
	for kind, h := range o.Handlers {
		handlers[kind] = func(ctx context.Context, j *store.Job) error {
			if err := h(ctx, j); err != nil {
				return err
			}
			return h(ctx, j)
		}
	}
	o.Handlers = handlers
	return q.Queue.Work(ctx, o)
}

func TestAParseThatRunsAgainAfterPublishingChangesNothing(t *testing.T) {
	o := opener(wavy(rasterbase.Uint8, 1, 100, 100, nil, 5))
	db := swift(t)
	st := wrapped{Store: db, queue: twice{db.Queue()}}
	p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64})
	layer, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	drain(t, st, p)
	if all := contents(t, st, layer.ID); len(all.tiles) == 0 {
		t.Error("the tiles are gone")
	}
	if revs := revisions(t, st, layer.ID); len(revs) != 1 {
		t.Errorf("%d revisions", len(revs))
	}
}

// What a killed worker left is cleared also when the next attempt cannot even
// open the file.
func TestWhatAKilledWorkerLeftIsCleared(t *testing.T) {
	o := opener(wavy(rasterbase.Uint8, 1, 100, 100, nil, 5))
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64})
	ticket, err := p.Add(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")})
	if err != nil {
		t.Fatal(err)
	}
	rev := &rasterbase.Revision{Layer: ticket.Layer, TileSize: 64, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}}
	err = st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		if err := tx.Revisions().Create(t.Context(), rev); err != nil {
			return err
		}
		parse, err := tx.Parses().Get(t.Context(), ticket.Parse)
		if err != nil {
			return err
		}
		parse.Status, parse.Revision = rasterbase.Tiling, rev.ID
		return tx.Parses().Update(t.Context(), parse)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Tiles().Create(t.Context(), rev); err != nil {
		t.Fatal(err)
	}
	o.BeforeOpen = func(context.Context, int64, string) error { return errInvalid }
	if _, err := p.Run(t.Context(), ticket, nil); err == nil {
		t.Fatal("the parse has not failed")
	}
	nothingStored(t, st)
	if revs := revisions(t, st, ticket.Layer); len(revs) > 0 {
		t.Errorf("revisions are left: %+v", revs[0])
	}
}

// watched is a catalog that tells of a publication: within its transaction,
// and after each transaction.
type watched struct {
	store.Catalog
	publishing, after func()
}

func (c watched) Update(ctx context.Context, fn func(store.Tx) error) error {
	err := c.Catalog.Update(ctx, func(tx store.Tx) error { return fn(watchedTx{tx, c.publishing}) })
	c.after()
	return err
}

type watchedTx struct {
	store.Tx
	publishing func()
}

func (t watchedTx) Revisions() store.Revisions {
	return watchedRevisions{t.Tx.Revisions(), t.publishing}
}

type watchedRevisions struct {
	store.Revisions
	publishing func()
}

func (r watchedRevisions) Publish(ctx context.Context, id rasterbase.RevisionID) (rasterbase.RevisionID, error) {
	r.publishing()
	return r.Revisions.Publish(ctx, id)
}

// The transaction that publishes and the one that notes progress do not wait
// for each other.
func TestProgressAndPublishingDoNotBlockEachOther(t *testing.T) {
	o := opener(wavy(rasterbase.Uint8, 1, 100, 100, nil, 5))
	db := swift(t)
	// Longer than the pause between two notes of progress.
	catalog := watched{db.Catalog(), func() { time.Sleep(700 * time.Millisecond) }, func() {}}
	p := ingest.New(ingest.Config{Store: wrapped{Store: db, catalog: catalog}, Opener: o, TileSize: 64})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := p.Import(ctx, ingest.Request{Source: fileNamed(t, "raster.syn")}, nil); err != nil {
		t.Fatal(err)
	}
}

// A request to stop that comes when the layer is published already is too late.
func TestCancelAfterPublishing(t *testing.T) {
	o := opener(wavy(rasterbase.Uint8, 1, 100, 100, nil, 5))
	db := swift(t)
	var p *ingest.Parser
	var ticket rasterbase.Ticket
	var once sync.Once
	catalog := watched{Catalog: db.Catalog(), publishing: func() {}}
	catalog.after = func() {
		if revs := revisions(t, db, ticket.Layer); ticket.Layer == 0 || len(revs) == 0 || revs[0].State != rasterbase.Published {
			return
		}
		once.Do(func() {
			q := ingest.New(ingest.Config{Store: db, Opener: o})
			if err := q.Cancel(t.Context(), ticket.Layer); err != nil {
				t.Error(err)
			}
			time.Sleep(200 * time.Millisecond) // the worker hears of it
		})
	}
	p = ingest.New(ingest.Config{Store: wrapped{Store: db, catalog: catalog}, Opener: o, TileSize: 64})
	var err error
	if ticket, err = p.Add(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), ticket, nil); err != nil {
		t.Errorf("the error is %v", err)
	}
	parse, lines := latest(t, db, ticket.Layer)
	if parse.Status != rasterbase.Finished || len(lines) == 0 || !strings.HasPrefix(lines[len(lines)-1].Text, "finished") {
		t.Errorf("the parse is %s, its log %v", parse.Status, lines)
	}
	if _, err := coverage.OpenLayer(t.Context(), db, ticket.Layer); err != nil {
		t.Error(err)
	}
}
