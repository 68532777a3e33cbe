package server

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase/store"
)

// Setting is a setting in force, as [Config.Settings] tells it.
type Setting struct {
	Key     string `json:"key"`
	Env     string `json:"env"`
	Value   string `json:"value" doc:"Without its secrets"`
	From    string `json:"from" doc:"default, or the flag, the variable of the environment or the file that gives it"`
	Default string `json:"default"`
	Help    string `json:"help"`
}

// measuredWithin is how long the tiles of all layers may take to be measured for one
// answer.
const measuredWithin = 2 * time.Second

func (s *Server) statusOperations(a *api) {
	register(a, operation{
		id: "get-status", method: http.MethodGet, path: "/status", tag: tagServer, summary: "Tell how the server is",
		detail: "What /readyz tells, disk and store, the queue, and where tiles were taken from since this process began.", access: manager,
		answers: map[int]response{200: {text: "How it is now", kind: statusJSON{}}},
	}, s.apiStatus)
	register(a, operation{
		id: "list-settings", method: http.MethodGet, path: "/settings", tag: tagServer, summary: "List the settings in force",
		detail: "As `rasterbase config` does: those of this process, without secrets.", access: manager,
		answers: map[int]response{200: {text: "The settings", kind: inForceJSON{}}},
	}, s.apiSettings)
}

type inForceJSON struct {
	Items []Setting `json:"items"`
}

func (s *Server) apiSettings(w http.ResponseWriter, r *http.Request, _ *struct{}) error {
	out := inForceJSON{Items: []Setting{}}
	if s.c.Settings != nil {
		out.Items = s.c.Settings()
	}
	return writeJSON(w, r, out, true)
}

// statusJSON is how a server is.
type statusJSON struct {
	Version    string            `json:"version"`
	Started    time.Time         `json:"started"`
	Ready      bool              `json:"ready"`
	Problem    string            `json:"problem,omitempty" doc:"Why it is not ready"`
	Facts      map[string]string `json:"facts" doc:"Such as what confines the processes that open files"`
	FreeDisk   *int64            `json:"free_disk,omitempty" doc:"Bytes, where source files are kept; absent: they are in the database"`
	MinFree    int64             `json:"min_free_disk" doc:"Bytes that source files leave free"`
	TileBytes  *int64            `json:"tile_bytes,omitempty" doc:"Bytes that tiles take in the store; absent: measuring them took too long"`
	Revisions  int               `json:"revisions" doc:"How many have tiles in the store, published or not"`
	Layers     int               `json:"layers"`
	Jobs       map[string]int    `json:"jobs" doc:"How many wait, run, and have failed of late"`
	Tiles      map[string]int64  `json:"tiles" doc:"Since the process began, by where they were taken from: drawn, cache (of encoded tiles), shared (with a request at the same time), client (which had it), empty"`
	CacheBytes int64             `json:"cache_bytes" doc:"The most that encoded tiles in memory may take"`
	Memory     uint64            `json:"memory" doc:"Bytes that the process has from the system, without the processes that open files"`
}

func (s *Server) apiStatus(w http.ResponseWriter, r *http.Request, _ *struct{}) error {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	out := statusJSON{
		Version: s.c.Version, Started: s.started, Ready: true, Facts: map[string]string{}, MinFree: s.c.MinFreeDisk,
		Jobs: map[string]int{}, Tiles: s.origins.counts(), CacheBytes: s.c.TileCache, Memory: mem.Sys - mem.HeapReleased,
	}
	if s.c.Facts != nil {
		out.Facts = s.c.Facts()
	}
	if s.c.FreeDisk != nil {
		if n, err := s.c.FreeDisk(); err == nil {
			out.FreeDisk = &n
		}
	}
	if err := s.statusOfStore(r.Context(), &out); err != nil {
		s.c.Log.ErrorContext(r.Context(), "the store cannot be read for its status", "error", err)
		out.Ready, out.Problem = false, "the store cannot be read; the server's log tells why"
	}
	return writeJSON(w, r, out, true)
}

// statusOfStore adds what the store tells.
func (s *Server) statusOfStore(ctx context.Context, out *statusJSON) error {
	short, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	err := s.view(short, func(tx store.Tx) error {
		_, total, err := tx.Layers().Find(short, store.LayerFilter{Limit: 1})
		if err != nil {
			return err
		}
		out.Layers = total
		jobs, err := tx.Jobs().List(short, []store.JobState{store.JobWaiting, store.JobRunning, store.JobFailed}, 0)
		clear(out.Jobs)
		for _, j := range jobs {
			out.Jobs[string(j.State)]++
		}
		return err
	})
	if err != nil {
		return err
	}
	bytes, revisions, err := s.tileBytes(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	out.TileBytes, out.Revisions = &bytes, revisions
	return err
}

// tileBytes measures the tiles of all revisions.
func (s *Server) tileBytes(ctx context.Context) (bytes int64, revisions int, err error) {
	ctx, cancel := context.WithTimeout(ctx, measuredWithin)
	defer cancel()
	keys, err := s.c.Store.Tiles().Revisions(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, k := range keys {
		n, err := s.c.Store.Tiles().Bytes(ctx, k)
		if errors.Is(err, store.ErrRevisionGone) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		revisions++
		bytes += n
	}
	return bytes, revisions, nil
}

// tileOrigins counts where tiles were taken from.
type tileOrigins struct {
	mu sync.Mutex
	n  map[string]int64
}

func (o *tileOrigins) add(from string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == nil {
		o.n = map[string]int64{}
	}
	o.n[from]++
}

func (o *tileOrigins) counts() map[string]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]int64{}
	maps.Copy(out, o.n)
	return out
}
