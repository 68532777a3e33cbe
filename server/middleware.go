package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logged writes a line for each request, at debug level, and tells the Observer.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		if s.c.Observer != nil {
			s.c.Observer.Request(r.Pattern, r.Method, cmp.Or(rec.status, http.StatusOK), rec.bytes, time.Since(start))
		}
		if s.c.Log.Enabled(r.Context(), slog.LevelDebug) {
			s.c.Log.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "client", r.RemoteAddr,
				"status", rec.status, "bytes", rec.bytes, "took", time.Since(start).Round(time.Microsecond))
		}
	})
}

// recovered turns a panic into a failure of this one request.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // the handler's way to break off an answer
			}
			s.c.Log.ErrorContext(r.Context(), "panic", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
			s.fail(w, r, fmt.Errorf("panic: %v", p))
		}()
		next.ServeHTTP(w, r)
	})
}

// secured sets the headers that every answer carries.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// shared lets pages of other origins read, and answers their preflights.
func (s *Server) shared(next http.Handler) http.Handler {
	all := slices.Contains(s.c.CORSOrigins, "*")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		origin := r.Header.Get("Origin")
		switch {
		case all:
			h.Set("Access-Control-Allow-Origin", "*")
		case len(s.c.CORSOrigins) > 0:
			h.Add("Vary", "Origin")
			if slices.Contains(s.c.CORSOrigins, origin) {
				h.Set("Access-Control-Allow-Origin", origin)
			}
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Expose-Headers", "Preference-Applied, ETag, Location, Retry-After, Aggregation, Accept-Ranges, Content-Range, Content-Length")
		}
		if r.Method == http.MethodOptions {
			methods := strings.Join(s.methods(r.URL.Path), ", ")
			h.Set("Allow", methods)
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, If-None-Match, If-Range, Last-Event-ID, Prefer, Range")
			h.Set("Access-Control-Max-Age", "86400")
			if isUploadPath(r.URL.Path) {
				s.uploadOptions(h)
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// mounted keeps ServeMux from redirecting: it would send clients to a path
// without the prefix that the server is mounted under.
func (s *Server) mounted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		if p == "" {
			// The mount point without its slash: the page's links need it.
			asked, query, _ := strings.Cut(r.RequestURI, "?")
			to := path.Base(asked) + "/"
			if query != "" {
				to += "?" + query
			}
			w.Header().Set("Location", "./"+to)
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
		clean := path.Clean(p)
		if strings.HasSuffix(p, "/") && clean != "/" {
			clean += "/"
		}
		if p[0] != '/' || clean != p {
			s.fail(w, r, rasterbase.Errorf(rasterbase.NotFound, "there is nothing at %s", p))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses changes that a page of another origin makes a browser send
// with what the browser adds by itself: cookies, and the name and password of
// HTTP Basic that somebody once typed. A token in a header of its own is added by
// nobody but whoever has it.
func (s *Server) sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if r.Header.Get("Cookie") != "" || !strings.EqualFold(scheme, "Bearer") {
			if err := s.crossOrigin.Check(r); err != nil {
				s.fail(w, r, rasterbase.Errorf(rasterbase.Forbidden, "a page of another origin may not do this with what your browser remembers").
					WithHint("send a token as `Authorization: Bearer TOKEN`"))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
