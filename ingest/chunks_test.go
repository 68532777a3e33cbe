package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// reads counts how often each tile's worth of pixels was read.
type reads struct {
	mu    sync.Mutex
	tiles map[[2]int]int
}

func (r *reads) count(tileSize int) func(context.Context, int64, ingest.Window) error {
	r.tiles = map[[2]int]int{}
	return func(_ context.Context, _ int64, w ingest.Window) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for y := w.Y / tileSize; y*tileSize < w.Y+w.Height; y++ {
			for x := w.X / tileSize; x*tileSize < w.X+w.Width; x++ {
				r.tiles[[2]int{x, y}]++
			}
		}
		return nil
	}
}

func (r *reads) more() (again int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.tiles {
		again += n - 1
	}
	return again
}

// fourChunks is chunky about as small as it can be with four chunks of base tiles: no
// more than a few tiles of the last row and column of chunks, and parts of tiles
// at the edges.
func fourChunks() rastertest.Source {
	s := chunky()
	s.Grid.Width, s.Grid.Height = 1100, 1190
	value := wavy(rasterbase.Int16, 1, s.Grid.Width, s.Grid.Height, nil, 40)
	s.Mask = value.Mask
	s.Value = func(band, col, row int) float64 {
		if col > 1000 && row > 1150 {
			return float64(100 + col - 1000)
		}
		return value.Value(band, col, row)
	}
	return s
}

// chunkSources are rasters of several chunks, for tiles of 64 pixels.
func chunkSources() map[string]rastertest.Source {
	few, wide := fourChunks(), fourChunks()
	few.Value = func(_, col, row int) float64 { return float64((col/7*3 + row/5) % 11) }
	wide.BlockWidth = 0
	floats := wavy(rasterbase.Float32, 2, 1090, 690, rasterbase.FloatPtr(-1), 1000)
	floats.BlockWidth = 64
	many := wavy(rasterbase.Uint8, 5, 760, 1040, nil, 5)
	return map[string]rastertest.Source{"few values": few, "many values": fourChunks(), "row by row": wide, "two bands": floats, "five bands": many}
}

// counted counts how often sources are opened and closed.
type counted struct {
	ingest.Opener
	opened, closed atomic.Int64
}

func (c *counted) Open(ctx context.Context, path string, o ingest.OpenOptions) (ingest.Dataset, error) {
	d, err := c.Opener.Open(ctx, path, o)
	if err == nil {
		c.opened.Add(1)
		d = countedSource{d, c}
	}
	return d, err
}

type countedSource struct {
	ingest.Dataset
	of *counted
}

func (s countedSource) Close() error {
	s.of.closed.Add(1)
	return s.Dataset.Close()
}

// However a parse is shared, its result is the same to the last bit, and no
// pixel is read twice.
func TestChunksEqualASingleTask(t *testing.T) {
	for name, s := range chunkSources() {
		t.Run(name, func(t *testing.T) {
			var results []everything
			for _, c := range []ingest.Config{
				{SingleTask: true, Workers: 5}, {Workers: 4, BatchSize: 3},
			} {
				st, o, seen := swift(t), opener(s), reads{}
				o.BeforeRead = seen.count(64)
				once := &counted{Opener: o}
				c.Store, c.Opener, c.TileSize = st, once, 64
				layer, err := ingest.New(c).Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if n := seen.more(); n > 0 {
					t.Errorf("%d tiles were read again", n)
				}
				if opened, closed := once.opened.Load(), once.closed.Load(); opened != 2 || closed != 2 { // for the plan, and for the parse
					t.Errorf("the source was opened %d times and closed %d times", opened, closed)
				}
				results = append(results, contents(t, st, layer.ID))
				chunkJobs := countJobs(t, st, "parse chunk")
				if c.SingleTask != (chunkJobs == 0) {
					t.Errorf("single task %v: %d jobs for chunks", c.SingleTask, chunkJobs)
				}
			}
			for _, r := range results[1:] {
				sameParse(t, results[0], r)
			}
		})
	}
}

// A nodata value that is not a number is equal to itself: the chunks share one
// open source.
func TestChunksWithNodataNaN(t *testing.T) {
	nan := math.NaN()
	once := &counted{Opener: opener(chunkSources()["two bands"])}
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: once, TileSize: 64, Workers: 2})
	_, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn"), Settings: rasterbase.Settings{Nodata: &nan}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if chunks := countJobs(t, st, "parse chunk"); chunks < 3 || once.opened.Load() != 2 || once.closed.Load() != 2 {
		t.Errorf("for %d chunks the source was opened %d times and closed %d times", chunks, once.opened.Load(), once.closed.Load())
	}
}

func countJobs(t *testing.T, st store.Store, kind string) (n int) {
	t.Helper()
	err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
		list, err := tx.Jobs().List(t.Context(), nil, 0)
		n = 0
		for _, j := range list {
			if j.Kind == kind {
				n++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Three workers on one database share a parse: each chunk is made once.
func TestThreeWorkersShareAParse(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		seen, workers, shared := reads{}, atomic.Int64{}, make(chan struct{})
		count := seen.count(64)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		var p *ingest.Parser
		for range 3 {
			o, first := opener(fourChunks()), sync.Once{}
			o.BeforeRead = func(ctx context.Context, n int64, w ingest.Window) error {
				first.Do(func() {
					if workers.Add(1) == 2 {
						close(shared)
					}
				})
				select {
				case <-shared: // however fast one worker is, another gets a share
				case <-ctx.Done():
					return ctx.Err()
				}
				return count(ctx, n, w)
			}
			st := at(t, place)
			p = ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, Workers: 1})
			r := jobs.NewRunner(st, nil)
			p.Register(r)
			running.Go(func() {
				if err := r.Run(ctx, 1); err != nil {
					t.Error(err)
				}
			})
		}
		ticket, err := p.Add(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")})
		if err != nil {
			t.Fatal(err)
		}
		if !ended(t, at(t, place), ticket.Parse, 2*time.Minute) {
			t.Fatalf("the parse does not end; %d workers work on it", workers.Load())
		}
		if n := seen.more(); n > 0 {
			t.Errorf("%d tiles were read again", n)
		}
	})
}

// A worker that stops hands its chunks back, and whoever goes on makes the
// others only; also a parse that is one job.
func TestAParseGoesOnWhereItStopped(t *testing.T) {
	other := swift(t)
	whole := ingest.New(ingest.Config{Store: other, Opener: opener(chunky()), TileSize: 64})
	undisturbed, err := whole.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, other, undisturbed.ID)
	for _, single := range []bool{false, true} {
		t.Run(fmt.Sprintf("single=%v", single), func(t *testing.T) {
			st, o, seen := swift(t), opener(chunky()), reads{}
			count := seen.count(64)
			var cut context.CancelFunc
			at := int64(40)
			o.BeforeRead = func(ctx context.Context, n int64, w ingest.Window) error {
				if n == at {
					cut()
				}
				return count(ctx, n, w)
			}
			p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, Workers: 1, SingleTask: single})
			ticket, err := p.Add(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cut = cancel
			if _, err := p.Run(ctx, ticket, nil); !errors.Is(err, context.Canceled) {
				t.Fatalf("the worker that was stopped: %v", err)
			}
			parse, _ := latest(t, st, ticket.Layer)
			if parse.Done == 0 || parse.Done >= parse.Planned || parse.Status.Ended() {
				t.Fatalf("after the stop the parse is %+v", parse)
			}
			if _, err := p.Run(t.Context(), ticket, nil); err != nil {
				t.Fatal(err)
			}
			if n := seen.more(); n > 2*256 { // two chunks at a time
				t.Errorf("%d tiles were read again", n)
			}
			if revs := revisions(t, st, ticket.Layer); len(revs) != 1 || revs[0].ID != parse.Revision {
				t.Errorf("the revisions are %+v", revs)
			}
			sameParse(t, want, contents(t, st, ticket.Layer))
		})
	}
}

// When the settings have changed, a new attempt gives up what is there; chunks
// that wait as jobs go on with what the parse was begun with.
func TestChangedSettings(t *testing.T) {
	for _, single := range []bool{true, false} {
		t.Run(fmt.Sprintf("single=%v", single), func(t *testing.T) {
			st, o := swift(t), opener(fourChunks())
			ctx, cut := context.WithCancel(t.Context())
			o.BeforeRead = func(_ context.Context, n int64, _ ingest.Window) error {
				if n == 20 {
					cut()
				}
				return nil
			}
			p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, Workers: 1, SingleTask: single})
			ticket, err := p.Add(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Run(ctx, ticket, nil); !errors.Is(err, context.Canceled) {
				t.Fatalf("the worker that was stopped: %v", err)
			}
			before, _ := latest(t, st, ticket.Layer)
			three := 3.0
			update(t, st, func(tx store.Tx) error {
				l, err := tx.Layers().Get(t.Context(), ticket.Layer)
				if err != nil {
					return err
				}
				l.Settings.Nodata = &three
				return tx.Layers().Update(t.Context(), l)
			})
			// The size of tiles by default is asked for at the beginning only.
			p = ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 128, Workers: 1, SingleTask: single})
			if _, err := p.Run(t.Context(), ticket, nil); err != nil {
				t.Fatal(err)
			}
			drain(t, st, p)
			revs := revisions(t, st, ticket.Layer)
			if len(revs) != 1 {
				t.Fatalf("the revisions are %+v", revs)
			}
			r := revs[0]
			if anew := r.ID != before.Revision; anew != single || (r.Bands[0].Nodata != nil) != single || (r.TileSize == 128) != single {
				t.Errorf("the revision is %+v, that of before %d", r, before.Revision)
			}
			if keys, err := st.Tiles().Revisions(t.Context()); err != nil || len(keys) != 1 {
				t.Errorf("stored are %v, %v", keys, err)
			}
		})
	}
}

// A chunk that fails for good fails the parse and stops the others; one that
// fails once is made again.
func TestFailingChunks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		times int
		ok    bool
	}{{"once", errPlain, 1, true}, {"again and again", errPlain, 1 << 30, false}, {"a damaged file", errInvalid, 1 << 30, false}} {
		t.Run(tt.name, func(t *testing.T) {
			st, o := swift(t), opener(fourChunks())
			var failed atomic.Int64
			o.BeforeRead = func(_ context.Context, _ int64, w ingest.Window) error {
				if w.X >= 1024 && w.Y >= 1100 && w.Y < 1164 && failed.Add(1) <= int64(tt.times) {
					return tt.err
				}
				return nil
			}
			p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, Workers: 2})
			layer, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
			if tt.ok {
				if err != nil {
					t.Fatal(err)
				}
				parse, lines := latest(t, st, layer.ID)
				if parse.Status != rasterbase.Finished || !logged(lines, "attempt failed") || !logged(lines, "attempt 2 of base tiles") {
					t.Errorf("the parse is %+v, its log %v", parse, lines)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err.Error()) {
				t.Fatalf("the error is %v", err)
			}
			drain(t, st, p)
			noJobLeft(t, st)
			nothingStored(t, st)
			if parse, _ := latest(t, st, layer.ID); parse.Status != rasterbase.Failed {
				t.Errorf("the parse is %+v", parse)
			}
			if revs := revisions(t, st, layer.ID); len(revs) > 0 {
				t.Errorf("revisions are left: %+v", revs[0])
			}
		})
	}
}

func logged(lines []rasterbase.LogLine, text string) bool {
	for _, l := range lines {
		if strings.Contains(l.Text, text) {
			return true
		}
	}
	return false
}

// Cancel and Delete leave nothing of a parse that several jobs work on.
func TestCancelAndDeleteChunks(t *testing.T) {
	o := opener(chunky())
	o.BeforeRead = func(context.Context, int64, ingest.Window) error { time.Sleep(2 * time.Millisecond); return nil }
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 8 {
		wait, remove := time.Duration(r.Int64N(int64(1500*time.Millisecond))), i%2 == 0
		t.Run(fmt.Sprintf("delete=%v/%d", remove, i), func(t *testing.T) { interrupt(t, o, wait, remove) })
	}
}

// A parse whose chunk died for the last time has failed, also when the worker
// could not say so.
func TestReconcileAfterTheDeathOfAChunk(t *testing.T) {
	st, o := swift(t), opener(chunky())
	p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, Workers: 1})
	ticket, err := p.Add(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.BeforeRead = func(_ context.Context, n int64, _ ingest.Window) error {
		if n == 20 {
			cancel()
		}
		return nil
	}
	if _, err := p.Run(ctx, ticket, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("the worker that was stopped: %v", err)
	}
	if err := p.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if parse, _ := latest(t, st, ticket.Layer); parse.Status.Ended() {
		t.Fatalf("with jobs that wait the parse is %+v", parse)
	}
	// One job of it fails as that of a dead worker does: without a word.
	r := jobs.NewRunner(st, nil)
	var dead atomic.Int32
	jobs.Handle(r, "parse chunk", func(context.Context, struct{}, *store.Job) error {
		dead.Add(1)
		return &store.Permanent{Err: errors.New("died")}
	})
	err = r.RunGroup(t.Context(), fmt.Sprintf("parse:%d", ticket.Parse), 1, func(context.Context) (bool, error) { return dead.Load() > 0, nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	drain(t, st, p)
	if parse, lines := latest(t, st, ticket.Layer); parse.Status != rasterbase.Failed || !logged(lines, "failed: the worker died") {
		t.Errorf("the parse is %+v, its log %v", parse, lines)
	}
	nothingStored(t, st)
	noJobLeft(t, st)
}
