package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
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
	l, _, err := s.read(r.Context(), who, ref, wanted)
	return l, err
}

// read is find for somebody. It also gives all layers that the name can mean,
// whoever asks.
func (s *Server) read(ctx context.Context, who rasterbase.Principal, ref string, wanted func(store.Tx, *rasterbase.Layer) error) (
	l *rasterbase.Layer, all []*rasterbase.Layer, err error) {
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

// findAs finds the layer that a name means to somebody.
func (s *Server) findAs(ctx context.Context, who rasterbase.Principal, ref string) (*rasterbase.Layer, error) {
	l, _, err := s.read(ctx, who, ref, func(store.Tx, *rasterbase.Layer) error { return nil })
	return l, err
}

// visible are the layers that a principal may read: of a formula, that is all layers
// below it too.
func (s *Server) visible(ctx context.Context, who rasterbase.Principal, layers []*rasterbase.Layer) ([]*rasterbase.Layer, error) {
	var out []*rasterbase.Layer
	for _, l := range layers {
		sees, err := s.sees(ctx, who, l)
		if err == nil && sees && l.Formula != nil {
			sees, err = s.seesInputs(ctx, who, l)
		}
		if err != nil {
			return nil, err
		}
		if sees {
			out = append(out, l)
		}
	}
	return out, nil
}

// sees asks whether a principal may read a layer, whatever is below it.
func (s *Server) sees(ctx context.Context, who rasterbase.Principal, l *rasterbase.Layer) (bool, error) {
	err := s.c.Auth.May(ctx, who, rasterbase.Read, l)
	switch code := rasterbase.CodeOf(err); {
	case err == nil:
		return true, nil
	case code != rasterbase.Unauthorized && code != rasterbase.Forbidden:
		return false, err
	}
	return false, nil
}

// seesInputs asks whether a principal may read all that a formula stands on.
func (s *Server) seesInputs(ctx context.Context, who rasterbase.Principal, l *rasterbase.Layer) (bool, error) {
	inputs, err := s.inputsOf(ctx, l)
	if err != nil {
		return false, err
	}
	for _, in := range inputs {
		if sees, err := s.sees(ctx, who, in); err != nil || !sees {
			return false, err
		}
	}
	return true, nil
}

// isPrivate reports whether a layer, or one that its formula stands on, is private.
func (s *Server) isPrivate(ctx context.Context, l *rasterbase.Layer) (bool, error) {
	inputs := []*rasterbase.Layer{l}
	if l.Formula != nil {
		below, err := s.inputsOf(ctx, l)
		if err != nil {
			return false, err
		}
		inputs = append(inputs, below...)
	}
	return slices.ContainsFunc(inputs, func(l *rasterbase.Layer) bool { return l.Visibility == rasterbase.Private }), nil
}

// keptInputs are the layers below a formula in a generation of the catalog.
type keptInputs struct {
	generation uint64
	layers     []*rasterbase.Layer
}

// inputsOf gives all layers that a formula stands on, remembered while nothing in the
// catalog changes.
func (s *Server) inputsOf(ctx context.Context, l *rasterbase.Layer) ([]*rasterbase.Layer, error) {
	now, known := s.memory.generation()
	if kept, ok := s.inputs.get(l.ID); ok && known && kept.generation == now {
		return kept.layers, nil
	}
	var layers []*rasterbase.Layer
	err := s.view(ctx, func(tx store.Tx) (err error) {
		layers, err = layersBelow(ctx, tx, l)
		return err
	})
	if err == nil && known {
		s.inputs.put(l.ID, &keptInputs{now, layers})
	}
	return layers, err
}

// layersBelow reads all layers that a formula stands on, each once.
func layersBelow(ctx context.Context, tx store.Tx, l *rasterbase.Layer) ([]*rasterbase.Layer, error) {
	if l.Formula == nil {
		return nil, nil
	}
	read := map[rasterbase.LayerID]*rasterbase.Layer{}
	for _, in := range l.Formula.Inputs {
		if _, err := readInput(ctx, tx, in.Layer, read); err != nil {
			return nil, fmt.Errorf("read the inputs of layer %d: %w", l.ID, internal(err))
		}
	}
	return slices.Collect(maps.Values(read)), nil
}

// named reports whether a name is a layer's id or slug.
func named(l *rasterbase.Layer, ref string) bool {
	return l.Slug == ref || strconv.FormatInt(int64(l.ID), 10) == ref
}
