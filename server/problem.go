package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
)

// problem is a problem document, RFC 9457.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"` // the one at fault
	Hint      string `json:"hint,omitempty"`      // the way out
	// Choices are what the parameter can be, where that is known: the rasters of a file with several.
	Choices []rasterbase.Choice `json:"choices,omitempty"`
	Column  int                 `json:"column,omitempty"` // of the mistake in a formula or expression, in characters from 1
	ID      string              `json:"id"`               // of this failure, as in the log
}

// statusError is an error with a status that its code does not tell.
type statusError struct {
	status int
	error
}

func (e *statusError) Unwrap() error { return e.error }

var statusOf = map[rasterbase.Code]int{
	rasterbase.Invalid:      http.StatusBadRequest,
	rasterbase.NotFound:     http.StatusNotFound,
	rasterbase.Conflict:     http.StatusConflict,
	rasterbase.Unauthorized: http.StatusUnauthorized,
	rasterbase.Forbidden:    http.StatusForbidden,
	rasterbase.TooLarge:     http.StatusRequestEntityTooLarge,
	rasterbase.Busy:         http.StatusServiceUnavailable,
	rasterbase.TooMany:      http.StatusTooManyRequests,
	rasterbase.Unsupported:  http.StatusNotImplemented,
	rasterbase.Internal:     http.StatusInternalServerError,
}

// statusClientGone is logged when the client did not wait for the answer; it
// never reaches anybody.
const statusClientGone = 499

// fail answers a request that failed with a problem document. The cause of a
// failure of ours goes to the log only, under the id that the client gets.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		w.WriteHeader(statusClientGone)
		return
	}
	p := problemOf(err)
	level := slog.LevelInfo
	if p.Status >= 500 {
		level = slog.LevelError
	}
	s.c.Log.Log(r.Context(), level, "request failed",
		"id", p.ID, "method", r.Method, "path", r.URL.Path, "status", p.Status, "error", err)
	if p.Status == http.StatusUnauthorized {
		s.challenge(w.Header(), r)
	}
	writeProblem(w, r, p)
}

// challenge says how credentials are shown. Some programs send those that they
// have only when they are asked for them in HTTP Basic; browsers would open a
// dialogue for a request of a page's script.
func (s *Server) challenge(h http.Header, r *http.Request) {
	h.Set("WWW-Authenticate", s.c.Challenge)
	if mode := r.Header.Get("Sec-Fetch-Mode"); s.c.Challenge == DefaultChallenge && (mode == "" || mode == "navigate") {
		h.Add("WWW-Authenticate", `Basic realm="rasterbase", charset="UTF-8"`)
	}
}

// problemOf says what the client is told.
func problemOf(err error) problem {
	p := problem{Type: "about:blank", ID: fmt.Sprintf("%016x", rand.Uint64())}
	code := rasterbase.CodeOf(err)
	p.Status = statusOf[code]
	if se, ok := errors.AsType[*statusError](err); ok {
		p.Status = se.status
	}
	if p.Status == 0 {
		p.Status = http.StatusInternalServerError
	}
	p.Title = cmp.Or(http.StatusText(p.Status), "Checksum Mismatch") // 460 of the protocol tus is the one without
	e, ok := errors.AsType[*rasterbase.Error](err)
	if !ok || code == rasterbase.Internal {
		p.Detail = "The server could not answer. Its log tells why under this id."
		return p
	}
	p.Detail, p.Hint, p.Parameter, p.Choices = e.Message, e.Hint, e.Field, e.Choices
	if mistake, ok := errors.AsType[*algebra.SyntaxError](err); ok {
		p.Column = mistake.Column
	}
	if p.Detail == "" && e.Err != nil { // then its text is the message
		p.Detail = e.Err.Error()
	}
	return p
}

func writeProblem(w http.ResponseWriter, r *http.Request, p problem) {
	body, err := marshal(p)
	if err != nil { // a struct of strings and a number always marshals
		panic(err)
	}
	h := w.Header()
	for _, name := range []string{"ETag", "Last-Modified", "Content-Encoding"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "3")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "2")
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		send(w, body)
	}
}

// asError is the first error in a chain that a person can act on.
func asError(err error) (*rasterbase.Error, bool) { return errors.AsType[*rasterbase.Error](err) }

// blame names the parameter of this request that an error is about.
func blame(err error, parameter string) error {
	e, ok := errors.AsType[*rasterbase.Error](err)
	if !ok {
		return err
	}
	named := *e
	named.Field = parameter
	return &named
}
