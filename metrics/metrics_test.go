package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/metrics"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

func open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{})
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

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// scrape reads the metrics as Prometheus does, and has them linted.
func scrape(t testing.TB, m *metrics.Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	w := get(m.Handler(), "/metrics")
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	text := w.Body.Bytes()
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return all
}

// value is the number of a metric with these labels, NaN-free: -1 when there is
// none. That of a histogram is its count.
func value(all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	family := all[name]
	if family == nil {
		return -1
	}
	for _, m := range family.GetMetric() {
		have := ""
		for _, l := range m.GetLabel() {
			have += l.GetName() + "=" + l.GetValue() + ";"
		}
		if have != strings.Join(append(labels, ""), ";") {
			continue
		}
		switch {
		case m.GetHistogram() != nil:
			return float64(m.GetHistogram().GetSampleCount())
		case m.GetCounter() != nil:
			return m.GetCounter().GetValue()
		}
		return m.GetGauge().GetValue()
	}
	return -1
}

func TestWhatAServerDoesIsCounted(t *testing.T) {
	m := metrics.New(metrics.Options{Version: "1.2.3"})
	m.Request("GET /tiles/{layer}/{z}/{x}/{file}", "GET", 200, 1000, 3*time.Millisecond)
	m.Request("GET /tiles/{layer}/{z}/{x}/{file}", "GET", 304, 0, time.Millisecond)
	m.Request("GET /tiles/{layer}/{z}/{x}/{file}", "GET", 200, 500, time.Millisecond)
	m.Request("/", "GET", 404, 10, time.Millisecond)
	m.Request("", "BREW", 0, -1, time.Millisecond)
	for _, from := range []string{"drawn", "drawn", "cache", "landcover.tif"} {
		m.Tile(from)
	}
	m.Job("parse", 3*time.Second, jobs.Done)
	m.Job("parse", time.Second, jobs.Failed)
	all := scrape(t, m)
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"rasterbase_http_request_duration_seconds", []string{"method=GET", "route=/tiles/{layer}/{z}/{x}/{file}", "status=2xx"}, 2},
		{"rasterbase_http_request_duration_seconds", []string{"method=GET", "route=/tiles/{layer}/{z}/{x}/{file}", "status=3xx"}, 1},
		{"rasterbase_http_request_duration_seconds", []string{"method=GET", "route=unmatched", "status=4xx"}, 1},
		{"rasterbase_http_request_duration_seconds", []string{"method=other", "route=unmatched", "status=other"}, 1},
		{"rasterbase_http_response_bytes_total", []string{"route=/tiles/{layer}/{z}/{x}/{file}"}, 1500},
		{"rasterbase_tiles_answered_total", []string{"from=drawn"}, 2},
		{"rasterbase_tiles_answered_total", []string{"from=cache"}, 1},
		{"rasterbase_tiles_answered_total", []string{"from=other"}, 1},
		{"rasterbase_job_duration_seconds", []string{"kind=parse", "outcome=done"}, 1},
		{"rasterbase_job_duration_seconds", []string{"kind=parse", "outcome=failed"}, 1},
	} {
		if got := value(all, c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, not %v", c.name, c.labels, got, c.want)
		}
	}
	if all["rasterbase_build_info"].GetMetric()[0].GetLabel()[1].GetValue() != "1.2.3" {
		t.Errorf("the version is shown as %v", all["rasterbase_build_info"])
	}
	if all["go_goroutines"] == nil || all["process_start_time_seconds"] == nil && all["process_cpu_seconds_total"] == nil {
		t.Error("nothing is told of the process")
	}
	if all["rasterbase_store_up"] != nil {
		t.Error("there is no store, and it is told of")
	}
}

// Whatever is asked for, there are only so many series.
func TestRoutesAreBounded(t *testing.T) {
	m := metrics.New(metrics.Options{})
	for i := range 1000 {
		m.Request(fmt.Sprintf("GET /made/up/%d", i), fmt.Sprint("M", i), 200+i, 1, time.Millisecond)
	}
	all := scrape(t, m)
	if n := len(all["rasterbase_http_response_bytes_total"].GetMetric()); n > 201 {
		t.Errorf("there are %d series", n)
	}
}

// fill puts one of each into a store.
func fill(t *testing.T, st store.Store) (tiles int64) {
	t.Helper()
	ctx := t.Context()
	l, err := testlayer.Add(ctx, st, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "a"}, Datatype: rasterbase.Categorical, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}},
		TileSize: 64, MaxZoom: 1, Width: 100, Height: 100, Value: testlayer.Constant(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Catalog().Update(ctx, func(tx store.Tx) error {
		b, c := &rasterbase.Layer{Name: "b"}, &rasterbase.Layer{Name: "c"}
		if err := errors.Join(tx.Layers().Create(ctx, b), tx.Layers().Create(ctx, c)); err != nil {
			return err
		}
		waited := time.Now().Add(-time.Hour)
		return errors.Join(
			tx.Parses().Create(ctx, &rasterbase.Parse{Layer: l.ID, Status: rasterbase.Failed}),
			tx.Parses().Create(ctx, &rasterbase.Parse{Layer: l.ID, Status: rasterbase.Finished}),
			tx.Parses().Create(ctx, &rasterbase.Parse{Layer: b.ID, Status: rasterbase.Tiling}),
			tx.Jobs().Enqueue(ctx, &store.Job{Kind: "parse", NotBefore: waited}),
			tx.Jobs().Enqueue(ctx, &store.Job{Kind: "drop", NotBefore: time.Now().Add(time.Hour)}),
			tx.Jobs().Enqueue(ctx, &store.Job{Kind: "drop", NotBefore: time.Now().Add(time.Hour)}),
			tx.Uploads().Create(ctx, &rasterbase.Upload{ID: "u", Source: "s", Name: "x.tif", Size: 4096}))
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := st.Tiles().Bytes(ctx, store.RevisionKey{Layer: l.ID, Revision: l.Published})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatAStoreHolds(t *testing.T) {
	st := open(t)
	bytes := fill(t, st)
	m := metrics.New(metrics.Options{Store: st})
	all := scrape(t, m)
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"rasterbase_store_up", nil, 1},
		{"rasterbase_layers", []string{"status=finished"}, 1},
		{"rasterbase_layers", []string{"status=creating tiles"}, 1},
		{"rasterbase_layers", []string{"status=unparsed"}, 1},
		{"rasterbase_layers", []string{"status=failed"}, 0},
		{"rasterbase_layers_published", nil, 1},
		{"rasterbase_jobs", []string{"kind=parse", "state=waiting"}, 1},
		{"rasterbase_jobs", []string{"kind=drop", "state=waiting"}, 2},
		{"rasterbase_uploads", nil, 1},
		{"rasterbase_uploads_size_bytes", nil, 4096},
		{"rasterbase_revisions_stored", nil, 1},
		{"rasterbase_tiles_size_bytes", nil, float64(bytes)},
	} {
		if got := value(all, c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, not %v", c.name, c.labels, got, c.want)
		}
	}
	if got := value(all, "rasterbase_jobs_oldest_waiting_seconds"); got < 0 || got > 4000 {
		t.Errorf("the oldest job has waited for %v s", got)
	}
	// For some seconds the same is answered, and the store is left alone.
	err := st.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Uploads().Delete(t.Context(), "u") })
	if err != nil {
		t.Fatal(err)
	}
	if got := value(scrape(t, m), "rasterbase_uploads"); got != 1 {
		t.Errorf("there are %v uploads", got)
	}
	m = metrics.New(metrics.Options{Store: st, Every: time.Nanosecond})
	if got := value(scrape(t, m), "rasterbase_uploads"); got != 0 {
		t.Errorf("there are %v uploads", got)
	}
}

// broken is a store whose catalog fails, or does not answer.
type broken struct {
	store.Store
	hangs chan struct{}
}

func (b broken) Catalog() store.Catalog { return b }

func (b broken) View(context.Context, func(store.Tx) error) error {
	if b.hangs != nil {
		<-b.hangs // whatever its context says
	}
	return errors.New("the disk is gone")
}

func (b broken) Update(ctx context.Context, fn func(store.Tx) error) error { return b.View(ctx, fn) }

func (broken) Generation() (uint64, bool) { return 0, false }

func TestAStoreThatDoesNotAnswer(t *testing.T) {
	hangs := make(chan struct{})
	defer close(hangs)
	for name, b := range map[string]broken{"fails": {}, "hangs": {hangs: hangs}} {
		t.Run(name, func(t *testing.T) {
			m := metrics.New(metrics.Options{Store: b, Timeout: 20 * time.Millisecond})
			for range 3 {
				m.Tile("drawn")
				all := scrape(t, m)
				if value(all, "rasterbase_store_up") != 0 || all["rasterbase_layers"] != nil {
					t.Error("the store is not down")
				}
			}
			if got := value(scrape(t, m), "rasterbase_tiles_answered_total", "from=drawn"); got != 3 {
				t.Errorf("%v tiles are counted", got)
			}
		})
	}
}

func TestMux(t *testing.T) {
	st := open(t)
	m := metrics.New(metrics.Options{Store: st, Facts: func() map[string]string {
		return map[string]string{"sandbox": "RLIMIT_DATA", "gdal": "3.6.2"}
	}})
	mux := m.Mux(nil)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\ngdal: 3.6.2\nsandbox: RLIMIT_DATA\n"} {
		if w := get(mux, path); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	if w := get(mux, "/metrics"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "\nrasterbase_store_up 1\n") {
		t.Errorf("/metrics: %d %s", w.Code, w.Body)
	}
	if w := get(mux, "/"); w.Code != http.StatusNotFound {
		t.Errorf("/: %d", w.Code)
	}
	for _, h := range []http.Handler{
		m.Mux(func(context.Context) error { return errors.New("secret reason") }),
		metrics.New(metrics.Options{Store: broken{}}).Mux(nil),
	} {
		w := get(h, "/readyz")
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("/readyz: %d %s", w.Code, w.Body)
		}
	}
}

// Scrapes, counts and changes at the same time.
func TestTogether(t *testing.T) {
	st := open(t)
	m := metrics.New(metrics.Options{Store: st, Every: time.Nanosecond, TilesEvery: time.Nanosecond})
	done := make(chan struct{})
	for range 3 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 20 {
				m.Request(fmt.Sprintf("GET /%d", i), "GET", 200, 1, time.Millisecond)
				m.Tile("cache")
				m.Job("parse", time.Second, jobs.Done)
				_, _ = io.Copy(io.Discard, get(m.Handler(), "/metrics").Body)
			}
		}()
	}
	for range 3 {
		<-done
	}
	if got := value(scrape(t, m), "rasterbase_tiles_answered_total", "from=cache"); got != 60 {
		t.Errorf("%v tiles are counted", got)
	}
}

// ExampleMetrics_Mux shows what a process answers on a port of its own.
func ExampleMetrics_Mux() {
	m := metrics.New(metrics.Options{Version: "1.0"})
	m.Tile("drawn")
	m.Tile("cache")
	for line := range strings.Lines(get(m.Mux(nil), "/metrics").Body.String()) {
		if strings.HasPrefix(line, "rasterbase_tiles") {
			fmt.Print(line)
		}
	}
	fmt.Print(get(m.Mux(nil), "/readyz").Body)
	// Output:
	// rasterbase_tiles_answered_total{from="cache"} 1
	// rasterbase_tiles_answered_total{from="drawn"} 1
	// ready
}
