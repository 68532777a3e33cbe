package server

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// readyWithin is how long the store may take to answer.
const readyWithin = 3 * time.Second

// healthy answers that the process runs.
func (s *Server) healthy(w http.ResponseWriter, r *http.Request) error { return plain(w, r, "ok\n") }

// ready answers whether the store can be read.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	err := s.view(ctx, func(tx store.Tx) error {
		_, _, err := tx.Layers().Find(ctx, store.LayerFilter{Limit: 1})
		return err
	})
	if err != nil {
		s.c.Log.ErrorContext(r.Context(), "not ready", "error", err)
		return rasterbase.Errorf(rasterbase.Busy, "the store cannot be read").WithHint("the server's log tells why")
	}
	text := "ready\n"
	if s.c.Facts != nil {
		facts := s.c.Facts()
		for _, name := range slices.Sorted(maps.Keys(facts)) {
			text += name + ": " + facts[name] + "\n"
		}
	}
	return plain(w, r, text)
}

func plain(w http.ResponseWriter, r *http.Request, text string) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.Method != http.MethodHead {
		send(w, []byte(text))
	}
	return nil
}
