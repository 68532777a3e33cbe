// Package metrics counts what a server and its workers do, reads how full a
// store is, and answers both in the text format of Prometheus:
//
//	m := metrics.New(metrics.Options{Store: st, Version: version})
//	runner.Observe(m.Job)                           // of package jobs
//	server.New(server.Config{Observer: m, Metrics: m.Handler()})
//	http.Serve(listener, m.Mux(nil))                // a port of its own
//
// Labels have few values, whatever is asked for: routes are patterns and not
// paths, and no layer, user or address is named.
package metrics

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rasterbase/rasterbase/store"
)

// Options says what is measured. All fields may be left out.
type Options struct {
	// Store is read at a scrape; nil: what is counted is all.
	Store store.Store
	// Version of the program.
	Version string
	// Log takes failures of scrapes; nil discards them.
	Log *slog.Logger
	// Facts are shown by /readyz of [Metrics.Mux], each on a line.
	Facts func() map[string]string
	// Every is how long what was read of the store is answered again; 0: 10 s.
	Every time.Duration
	// TilesEvery is the same for the bytes of tiles, which take longer to be
	// measured; 0: 5 minutes.
	TilesEvery time.Duration
	// Timeout is how long the store may take; 0: 5 s. Then
	// rasterbase_store_up is 0, and what the store holds is left out.
	Timeout time.Duration
}

// Metrics counts and measures. Any number of goroutines may use it.
type Metrics struct {
	o        Options
	registry *prometheus.Registry

	requests  *prometheus.HistogramVec
	responses *prometheus.CounterVec
	tiles     *prometheus.CounterVec
	jobs      *prometheus.HistogramVec

	mu     sync.Mutex
	routes map[string]bool
}

// maxRoutes bounds the values of the label route, should somebody give what is
// no pattern.
const maxRoutes = 200

// The buckets: a tile takes less than a millisecond, a parse hours.
var (
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	jobBuckets     = []float64{.01, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600}
)

// New makes metrics of their own: nothing is kept globally.
func New(o Options) *Metrics {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Every = cmp.Or(o.Every, 10*time.Second)
	o.TilesEvery = cmp.Or(o.TilesEvery, 5*time.Minute)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	m := &Metrics{o: o, registry: prometheus.NewRegistry(), routes: map[string]bool{}}
	m.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "rasterbase_http_request_duration_seconds",
		Help: "Time until a request was answered, by the pattern of its route, method and class of status.", Buckets: requestBuckets,
	}, []string{"route", "method", "status"})
	m.responses = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rasterbase_http_response_bytes_total",
		Help: "Bytes of the bodies that requests were answered with, by the pattern of their route.",
	}, []string{"route"})
	m.tiles = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rasterbase_tiles_answered_total",
		Help: "Map tiles answered, by where each came from: drawn, cache, shared with a request at the same time, client (which had it), empty.",
	}, []string{"from"})
	m.jobs = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "rasterbase_job_duration_seconds",
		Help: "Time that an attempt at a job took in this process, by kind and outcome.", Buckets: jobBuckets,
	}, []string{"kind", "outcome"})
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rasterbase_build_info", Help: "1, labelled with the versions of the program.",
		ConstLabels: prometheus.Labels{"version": o.Version, "goversion": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.responses, m.tiles, m.jobs, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if o.Store != nil {
		m.registry.MustRegister(newStored(o))
	}
	return m
}

// Request counts a request that was answered: the pattern of its route, as
// http.ServeMux knows it, the method, the status, the bytes of the body, and the
// time it took.
func (m *Metrics) Request(pattern, method string, status int, bytes int64, took time.Duration) {
	route := m.route(pattern)
	m.requests.WithLabelValues(route, methodLabel(method), statusLabel(status)).Observe(took.Seconds())
	m.responses.WithLabelValues(route).Add(float64(max(0, bytes)))
}

// Where tiles come from.
var origins = []string{"drawn", "cache", "shared", "client", "empty"}

// Tile counts a map tile that was answered: drawn for it, or from the cache of
// encoded tiles, or shared with a request at the same time; client when the
// client had it, empty when nothing is stored there.
func (m *Metrics) Tile(from string) {
	if !slices.Contains(origins, from) {
		from = "other"
	}
	m.tiles.WithLabelValues(from).Inc()
}

// Job counts an attempt at a job; it is what Observe of a runner of package jobs
// takes.
func (m *Metrics) Job(kind string, took time.Duration, outcome string) {
	m.jobs.WithLabelValues(kind, outcome).Observe(took.Seconds())
}

// route is the label of a pattern: without its method, and bounded in number.
func (m *Metrics) route(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = strings.TrimLeft(path, " ")
	}
	if pattern == "" || pattern == "/" {
		return "unmatched"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.routes[pattern] {
		if len(m.routes) >= maxRoutes {
			return "other"
		}
		m.routes[pattern] = true
	}
	return pattern
}

// methodLabel leaves out methods that somebody made up.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// statusLabel is the class of a status.
func statusLabel(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return string(rune('0'+status/100)) + "xx"
}

// scrapesAtOnce bounds how many scrapes are answered at a time.
const scrapesAtOnce = 4

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.o.Log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
	})
}

// Ready asks the store whether it can be read.
func (m *Metrics) Ready(ctx context.Context) error {
	if m.o.Store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	return m.o.Store.Catalog().View(ctx, func(tx store.Tx) error {
		_, _, err := tx.Layers().Find(ctx, store.LayerFilter{Limit: 1})
		return err
	})
}
