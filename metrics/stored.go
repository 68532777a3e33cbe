package metrics

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// statuses are those that the latest parse of a layer can have.
var statuses = []rasterbase.Status{
	rasterbase.Unparsed, rasterbase.Queued, rasterbase.Downloading, rasterbase.Inspecting, rasterbase.Tiling,
	rasterbase.Pyramiding, rasterbase.Publishing, rasterbase.Finished, rasterbase.Failed, rasterbase.Cancelled,
}

// jobStates are those that jobs are counted in. What was done is counted as it
// happens.
var jobStates = []store.JobState{store.JobWaiting, store.JobRunning, store.JobFailed}

// stored reads a store when it is scraped. It is a prometheus.Collector.
type stored struct {
	o Options

	up, took, layers, published, jobs, oldest, uploads, uploadBytes, revisions, bytes *prometheus.Desc

	asking chan struct{} // holds one while the store is read

	mu       sync.Mutex // of what follows
	last     *holding
	measured *measure
}

// holding is what was read of a store.
type holding struct {
	at          time.Time
	took        time.Duration
	err         error
	layers      map[rasterbase.Status]int
	published   int
	jobs        map[jobKey]int
	oldest      time.Duration
	uploads     int
	uploadBytes int64
}

type jobKey struct {
	kind  string
	state store.JobState
}

// measure is the size of the tiles of a store.
type measure struct {
	at        time.Time
	revisions int
	bytes     int64
}

func newStored(o Options) *stored {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("rasterbase_"+name, help, labels, nil)
	}
	return &stored{
		o: o, asking: make(chan struct{}, 1),
		up:          desc("store_up", "1 when the store could be read, 0 when not."),
		took:        desc("store_read_duration_seconds", "Time that reading the store for these metrics took."),
		layers:      desc("layers", "Layers by the status of their latest parse.", "status"),
		published:   desc("layers_published", "Layers with a published revision, which can be served."),
		jobs:        desc("jobs", "Jobs of the store by kind and state; failed ones are kept for some days.", "kind", "state"),
		oldest:      desc("jobs_oldest_waiting_seconds", "For how long the job that waits the longest could have run; 0 when none waits."),
		uploads:     desc("uploads", "Files that are being sent, or were and are not the source of a layer yet."),
		uploadBytes: desc("uploads_size_bytes", "What the files that are being sent come to when they are whole."),
		revisions:   desc("revisions_stored", "Revisions that have tiles in the store, published or not."),
		bytes:       desc("tiles_size_bytes", "What the tiles of all revisions take in the store."),
	}
}

// Describe names the metrics.
func (s *stored) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.up, s.took, s.layers, s.published, s.jobs, s.oldest, s.uploads, s.uploadBytes, s.revisions, s.bytes} {
		to <- d
	}
}

// Collect gives what the store holds, as it was some seconds ago at most. When
// the store does not answer in time, up is 0, and numbers that would be old are
// left out.
func (s *stored) Collect(to chan<- prometheus.Metric) {
	h, m := s.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(s.took, h.took.Seconds())
	if m != nil {
		gauge(s.revisions, float64(m.revisions))
		gauge(s.bytes, float64(m.bytes))
	}
	if h.err != nil {
		gauge(s.up, 0)
		return
	}
	gauge(s.up, 1)
	for _, status := range statuses {
		gauge(s.layers, float64(h.layers[status]), string(status))
	}
	gauge(s.published, float64(h.published))
	for k, n := range h.jobs {
		gauge(s.jobs, float64(n), k.kind, string(k.state))
	}
	gauge(s.oldest, h.oldest.Seconds())
	gauge(s.uploads, float64(h.uploads))
	gauge(s.uploadBytes, float64(h.uploadBytes))
}

// errSlow says that the store did not answer in time.
var errSlow = errors.New("the store has not answered in time")

// read gives what is known, and asks the store when that is too old. However
// long the store takes, and whether or not it minds its context, the answer is
// there in time; only one question is under way.
func (s *stored) read() (holding, *measure) {
	s.mu.Lock()
	last, measured := s.last, s.measured
	s.mu.Unlock()
	if last != nil && time.Since(last.at) < s.o.Every {
		return *last, measured
	}
	start := time.Now()
	wait := time.NewTimer(s.o.Timeout)
	defer wait.Stop()
	select {
	case s.asking <- struct{}{}:
	case <-wait.C:
		return holding{took: time.Since(start), err: errSlow}, measured
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { <-s.asking }()
		s.ask(start)
	}()
	select {
	case <-done:
		s.mu.Lock()
		defer s.mu.Unlock()
		return *s.last, s.measured
	case <-wait.C:
		return holding{took: time.Since(start), err: errSlow}, measured
	}
}

// ask reads the store, unless somebody else has done so just now.
func (s *stored) ask(start time.Time) {
	s.mu.Lock()
	fresh := s.last != nil && time.Since(s.last.at) < s.o.Every
	stale := s.measured == nil || time.Since(s.measured.at) >= s.o.TilesEvery
	s.mu.Unlock()
	if fresh {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Timeout)
	defer cancel()
	h := readHolding(ctx, s.o.Store)
	h.at, h.took = time.Now(), time.Since(start)
	if h.err != nil {
		s.o.Log.Warn("the store cannot be read for metrics", "error", h.err)
	}
	s.mu.Lock()
	s.last = h
	s.mu.Unlock()
	if !stale || h.err != nil {
		return
	}
	m, err := readMeasure(ctx, s.o.Store)
	if err != nil {
		s.o.Log.Warn("the tiles cannot be measured for metrics", "error", err)
		return
	}
	s.mu.Lock()
	s.measured = m
	s.mu.Unlock()
}

func readHolding(ctx context.Context, st store.Store) *holding {
	var h *holding
	err := st.Catalog().View(ctx, func(tx store.Tx) error {
		h = &holding{layers: map[rasterbase.Status]int{}, jobs: map[jobKey]int{}}
		return errors.Join(h.readLayers(ctx, tx), h.readJobs(ctx, tx), h.readUploads(ctx, tx))
	})
	if err != nil {
		return &holding{err: err}
	}
	return h
}

func (h *holding) readLayers(ctx context.Context, tx store.Tx) error {
	layers, _, err := tx.Layers().Find(ctx, store.LayerFilter{})
	if err != nil {
		return err
	}
	for _, l := range layers {
		if l.Published != 0 {
			h.published++
		}
		latest, err := tx.Parses().Latest(ctx, l.ID)
		switch {
		case errors.Is(err, store.ErrNotExist):
			h.layers[rasterbase.Unparsed]++
		case err != nil:
			return err
		default:
			h.layers[latest.Status]++
		}
	}
	return nil
}

func (h *holding) readJobs(ctx context.Context, tx store.Tx) error {
	list, err := tx.Jobs().List(ctx, jobStates, 0)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, j := range list {
		h.jobs[jobKey{j.Kind, j.State}]++
		since := j.Created
		if j.NotBefore.After(since) {
			since = j.NotBefore
		}
		if j.State == store.JobWaiting {
			h.oldest = max(h.oldest, now.Sub(since))
		}
	}
	return nil
}

func (h *holding) readUploads(ctx context.Context, tx store.Tx) error {
	list, err := tx.Uploads().List(ctx)
	for _, u := range list {
		h.uploadBytes += u.Size
	}
	h.uploads = len(list)
	return err
}

func readMeasure(ctx context.Context, st store.Store) (*measure, error) {
	keys, err := st.Tiles().Revisions(ctx)
	if err != nil {
		return nil, err
	}
	m := &measure{at: time.Now()}
	for _, k := range keys {
		n, err := st.Tiles().Bytes(ctx, k)
		if errors.Is(err, store.ErrRevisionGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m.revisions++
		m.bytes += n
	}
	return m, nil
}
