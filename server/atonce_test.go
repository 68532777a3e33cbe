package server_test

import (
	"context"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
)

// busy makes two requests that stay in work until the returned function is
// called. Each of them sends to begun and receives from held.
func busy(t *testing.T, begun, held chan struct{}, ask func() int) (end func(want int)) {
	t.Helper()
	codes := make(chan int, 2)
	for range 2 {
		go func() { codes <- ask() }()
		<-begun
	}
	return func(want int) {
		t.Helper()
		close(held)
		for range 2 {
			if got := <-codes; got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		}
	}
}

func TestFewPreviewsAtATime(t *testing.T) {
	begun, held := make(chan struct{}, 3), make(chan struct{})
	p := &recordParser{during: func() { begun <- struct{}{}; <-held }}
	s := newAPI(t, newStore(t), p, server.Config{})
	preview := func() int {
		return call(t, s, "editor", "POST", "/api/v1/preview", `{"source":{"path":"/a.tif"}}`).Code
	}
	end := busy(t, begun, held, preview)
	w := call(t, s, "editor", "POST", "/api/v1/preview", `{"source":{"path":"/a.tif"}}`)
	if got := wantProblem(t, w, 429); got.Hint == "" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%+v, Retry-After %q", got, w.Header().Get("Retry-After"))
	}
	end(200)
	if got := preview(); got != 200 {
		t.Errorf("after them: status %d", got)
	}
}

func TestFewParsesInRequestsAtATime(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Public", nil))
	begun, held := make(chan struct{}, 9), make(chan struct{})
	p := &recordParser{}
	p.finish = func(ctx context.Context, ticket rasterbase.Ticket) error {
		begun <- struct{}{}
		<-held
		return p.end(ctx, ticket.Layer, rasterbase.Finished, "")
	}
	s := newAPI(t, st, p, server.Config{ParseInRequest: true})
	const source = `{"source":{"path":"/a.tif"}}`
	end := busy(t, begun, held, func() int { return call(t, s, "editor", "POST", "/api/v1/layers", source).Code })
	for _, c := range [][3]string{
		{"POST", "/api/v1/layers", source}, {"PATCH", "/api/v1/layers/public", source}, {"PATCH", "/api/v1/layers/public", `{"settings":null}`},
		{"POST", "/api/v1/layers/public/reparse", ""}, {"POST", "/api/v1/layers/reparse", `{"layers":["public"]}`},
	} {
		if w := call(t, s, "editor", c[0], c[1], c[2]); w.Code != 429 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%v: status %d, Retry-After %q", c, w.Code, w.Header().Get("Retry-After"))
		}
	}
	if got := read[struct{ Total int }](t, call(t, s, "editor", "GET", "/api/v1/layers", ""), 200).Total; got != 3 {
		t.Errorf("%d layers: one was made by a request that was refused", got)
	}
	wantStatus(t, call(t, s, "editor", "PATCH", "/api/v1/layers/public", `{"name":"Other"}`), 200)
	end(201)
	wantStatus(t, call(t, s, "editor", "POST", "/api/v1/layers/public/reparse", ""), 200)
}
