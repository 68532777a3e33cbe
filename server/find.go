package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// find finds the layer that a name means to the sender of the request, by id,
// slug or source file name, and reads what is wanted of it in the transaction
// that found it. One that they may not read is answered as if it did not exist,
// and does not make a name ambiguous, so that nobody learns of it.
//
// Auth is asked between transactions: a host's may need a connection to the same
// database, of which there are only so many.
func (s *Server) find(r *http.Request, ref string, wanted func(store.Tx, *rasterbase.Layer) error) (*rasterbase.Layer, error) {
	who, err := s.principal(r)
	if err != nil {
		return nil, err
	}
	l, _, err := s.read(r, who, ref, wanted)
	return l, err
}

// read is find for somebody. It also gives all layers that the name can mean,
// whoever asks.
func (s *Server) read(r *http.Request, who rasterbase.Principal, ref string, wanted func(store.Tx, *rasterbase.Layer) error) (
	l *rasterbase.Layer, all []*rasterbase.Layer, err error) {
	ctx := r.Context()
	var readErr error // is told only to those who may read the layer
	err = s.view(ctx, func(tx store.Tx) (err error) {
		if all, err = s.candidates(ctx, tx, ref); err == nil && len(all) == 1 {
			readErr = wanted(tx, all[0])
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	l, err = s.choose(ctx, who, ref, all)
	switch {
	case err != nil:
		return nil, nil, err
	case len(all) == 1 && l == all[0]:
		return l, all, readErr
	}
	return l, all, s.view(ctx, func(tx store.Tx) error { return wanted(tx, l) })
}

// candidates are the layers that a name can mean. How an id or a slug was
// resolved is remembered: then one read tells whether it still holds. File names
// are looked up each time, since another layer may have come to share one.
func (s *Server) candidates(ctx context.Context, tx store.Tx, ref string) ([]*rasterbase.Layer, error) {
	if id, ok := s.refs.get(ref); ok {
		l, err := tx.Layers().Get(ctx, id)
		switch {
		case err == nil && named(l, ref):
			return []*rasterbase.Layer{l}, nil
		case err != nil && !errors.Is(err, store.ErrNotExist):
			return nil, err
		}
		s.refs.drop(ref)
	}
	return store.FindLayers(ctx, tx, ref)
}

// choose gives the one layer among those that a name can mean which the
// principal may read. A file name counts if the layer with this slug is hidden.
func (s *Server) choose(ctx context.Context, who rasterbase.Principal, ref string, all []*rasterbase.Layer) (*rasterbase.Layer, error) {
	found, err := s.visible(ctx, who, all)
	if err == nil && len(found) == 0 && len(all) == 1 && all[0].Slug == ref {
		err = s.view(ctx, func(tx store.Tx) (err error) {
			all, _, err = tx.Layers().Find(ctx, store.LayerFilter{FileName: ref})
			return err
		})
		if err == nil {
			found, err = s.visible(ctx, who, all)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, rasterbase.Errorf(rasterbase.NotFound, "there is no layer %.200q", ref).
			WithHint("/layers lists those that you may read").WithField("layer")
	case len(found) > 1:
		return nil, blame(store.Ambiguous(ref, found), "layer")
	}
	if named(found[0], ref) {
		s.refs.put(strings.Clone(ref), found[0].ID) // not with the address that it is a part of
	}
	return found[0], nil
}

// visible are the layers that a principal may read.
func (s *Server) visible(ctx context.Context, who rasterbase.Principal, layers []*rasterbase.Layer) ([]*rasterbase.Layer, error) {
	var out []*rasterbase.Layer
	for _, l := range layers {
		err := s.c.Auth.May(ctx, who, rasterbase.Read, l)
		switch code := rasterbase.CodeOf(err); {
		case err == nil:
			out = append(out, l)
		case code != rasterbase.Unauthorized && code != rasterbase.Forbidden:
			return nil, err
		}
	}
	return out, nil
}

// named reports whether a name is a layer's id or slug.
func named(l *rasterbase.Layer, ref string) bool {
	return l.Slug == ref || strconv.FormatInt(int64(l.ID), 10) == ref
}
