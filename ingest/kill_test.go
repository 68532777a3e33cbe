package ingest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// workerPlace is the variable that makes this program a worker on a store: a
// folder or the address of a database.
const workerPlace = "RASTERBASE_TEST_WORKER"

// The times of queues in these tests: a death is noticed after a second.
const (
	testLease     = time.Second
	testHeartbeat = 100 * time.Millisecond
	testPoll      = 20 * time.Millisecond
)

// openPlace opens a store as another process would.
func openPlace(ctx context.Context, place string, log *slog.Logger) (store.Store, error) {
	if strings.HasPrefix(place, "postgres://") {
		return postgis.Open(ctx, place, postgis.Options{Logger: log,
			Queue: postgis.QueueOptions{Lease: testLease, Heartbeat: testHeartbeat, Poll: testPoll, Backoff: time.Millisecond}})
	}
	return sqlite.Open(ctx, place, sqlite.Options{Logger: log,
		Lease: testLease, Heartbeat: testHeartbeat, Poll: testPoll, Backoff: time.Millisecond})
}

// places gives an empty place of each backend.
func places(t *testing.T, test func(t *testing.T, place string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, t.TempDir()) })
	t.Run("postgis", func(t *testing.T) {
		url := pgtest.Database(t)
		pool, err := pgxpool.New(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		err = postgis.Migrate(t.Context(), pool, postgis.Options{})
		pool.Close()
		if err != nil {
			t.Fatal(err)
		}
		test(t, url)
	})
}

// at opens a store for the time of a test.
func at(t *testing.T, place string) store.Store {
	t.Helper()
	st, err := openPlace(context.Background(), place, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// chunky is a source of several pages of base tiles and of pyramid tiles, with
// tiles of 64 pixels. Its values show late that they are no classes.
func chunky() rastertest.Source {
	s := wavy(rasterbase.Int16, 1, 1500, 1900, nil, 40)
	value := s.Value
	s.Value = func(band, col, row int) float64 {
		if col > 1400 && row > 1800 {
			return float64(100 + col - 1400)
		}
		return value(band, col, row)
	}
	s.BlockWidth = 256
	return s
}

// workUntilKilled is a worker process.
func workUntilKilled(place string) int {
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	st, err := openPlace(context.Background(), place, log)
	if err != nil {
		log.Error("opening the store", "error", err)
		return 1
	}
	o := opener(chunky())
	o.BeforeRead = func(context.Context, int64, ingest.Window) error { time.Sleep(5 * time.Millisecond); return nil }
	p := ingest.New(ingest.Config{Store: st, Opener: o, Log: log, TileSize: 64, Workers: 2, BatchSize: 10, Fetcher: fetched(get)})
	r := jobs.NewRunner(st, log)
	p.Register(r)
	for {
		if err := r.Run(context.Background(), 2); err != nil {
			log.Error("working", "error", err)
		}
		time.Sleep(testPoll)
	}
}

// worker is a worker process, with what it logs in a file.
type worker struct {
	*exec.Cmd
	log string
}

func startWorker(t *testing.T, place string, n int) *worker {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{exec.Command(self), filepath.Join(t.TempDir(), fmt.Sprintf("%d.log", n))}
	out, err := os.Create(w.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w.Env = append(os.Environ(), workerPlace+"="+place)
	w.Stderr = out
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.kill(t) })
	return w
}

// kill is kill -9.
func (w *worker) kill(t *testing.T) {
	if w.ProcessState != nil {
		return
	}
	if err := w.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = w.Wait() // killed
}

// event is a line of a worker's log about a chunk.
type event struct {
	Msg                 string
	Parse, Stage, Chunk int
	Took                int64
}

func (w *worker) events(t *testing.T) (all []event) {
	t.Helper()
	f, err := os.Open(w.log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil && strings.HasPrefix(e.Msg, "chunk ") {
			all = append(all, e)
		}
	}
	return all
}

// kills is how many workers are killed on each backend.
func kills(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("RASTERBASE_TEST_KILLS"))
	if err != nil {
		return 6
	}
	return n
}

// Workers that are killed at random moments leave a parse that others take up:
// the result is that of an undisturbed one, and only the chunks that a killed
// worker had in its hands are made again.
func TestKilledWorkers(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	places(t, func(t *testing.T, place string) {
		st := at(t, place)
		p := ingest.New(ingest.Config{Store: st, Opener: opener(chunky()), TileSize: 64})
		layer, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := contents(t, st, layer.ID)
		workers, killed := []*worker{startWorker(t, place, 0), startWorker(t, place, 1)}, 0
		var gone []*worker
		for killed < kills(t) {
			ticket, err := p.Reparse(t.Context(), layer.ID)
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(3 * time.Minute); ; {
				wait := time.Duration(100+r.IntN(600)) * time.Millisecond
				if ended(t, st, ticket.Parse, wait) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the parse does not end")
				}
				if killed < kills(t) {
					i := r.IntN(len(workers))
					workers[i].kill(t)
					gone = append(gone, workers[i])
					killed++
					workers[i] = startWorker(t, place, killed+1)
				}
			}
			sameParse(t, want, contents(t, st, layer.ID))
		}
		onlyChunksInFlightRanAgain(t, gone, workers)
	})
}

// ended waits for so long whether a parse ends, which has to finish.
func ended(t *testing.T, st store.Store, id rasterbase.ParseID, wait time.Duration) bool {
	t.Helper()
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		var parse *rasterbase.Parse
		err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
			parse, err = tx.Parses().Get(t.Context(), id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if parse.Status.Ended() {
			if parse.Status != rasterbase.Finished || parse.Done != parse.Planned {
				t.Fatalf("the parse is %s: %s, %d of %d tiles", parse.Status, parse.Error, parse.Done, parse.Planned)
			}
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// onlyChunksInFlightRanAgain looks at the logs: a chunk is begun again only if
// whoever began it before did not get to its end.
func onlyChunksInFlightRanAgain(t *testing.T, gone, alive []*worker) {
	t.Helper()
	type chunk struct{ parse, stage, number int }
	begun, done, lost := map[chunk]int{}, map[chunk]int{}, map[chunk]int{}
	count := func(w *worker, killed bool) (open int) {
		running := map[chunk]int{}
		for _, e := range w.events(t) {
			c := chunk{e.Parse, e.Stage, e.Chunk}
			switch e.Msg {
			case "chunk begun":
				begun[c]++
				running[c]++
			case "chunk done":
				done[c]++
				running[c]--
			case "chunk not done": // its lease was lost, or the parse had ended
				lost[c]++
				running[c]--
			}
		}
		for c, n := range running {
			if n > 0 && killed {
				lost[c] += n
				open += n
			}
		}
		return open
	}
	most := 0
	for _, w := range gone {
		if open := count(w, true); open > 3 { // two jobs, one of which may begin several chunks
			t.Errorf("a killed worker had %d chunks in its hands", open)
		}
	}
	for _, w := range alive {
		count(w, false)
	}
	again := 0
	for c, n := range begun {
		again += n - 1
		if done[c] > 1 || n > 1+lost[c] {
			t.Errorf("chunk %+v was begun %d times, done %d times, and interrupted %d times", c, n, done[c], lost[c])
		}
		most = max(most, n)
	}
	t.Logf("%d chunks, %d kills, %d chunks made again, one at most %d times", len(begun), len(gone), again, most)
}
