package metrics

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Mux answers GET /metrics, /healthz and /readyz, for an address of their own
// that only operators reach: none of them asks who it is. ready tells whether the
// process can do its work; nil: [Metrics.Ready].
func (m *Metrics) Mux(ready func(context.Context) error) http.Handler {
	if ready == nil {
		ready = m.Ready
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			m.o.Log.ErrorContext(r.Context(), "not ready", "error", err)
			answer(w, http.StatusServiceUnavailable, "not ready: the log tells why\n")
			return
		}
		answer(w, http.StatusOK, "ready\n"+m.facts())
	})
	return mux
}

// facts are the lines below the answer.
func (m *Metrics) facts() string {
	if m.o.Facts == nil {
		return ""
	}
	var b strings.Builder
	all := m.o.Facts()
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s: %s\n", k, all[k])
	}
	return b.String()
}

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client has gone if that fails
}
