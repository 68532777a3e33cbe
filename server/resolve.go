package server

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
)

// resolved is a layer as one request sees it: its row, the revision that is
// published now, and how it is coloured.
type resolved struct {
	layer   *rasterbase.Layer
	cov     *coverage.Layer
	legend  *rasterbase.Legend // nil: none
	style   *style
	version string // the v= of its addresses: changes with pixels and colours
}

// find finds the layer that a name means to the sender of the request, by id,
// slug or source file name, and reads what is wanted of it in the transaction
// that found it. One that they may not read is answered as if it did not exist,
// and does not make a name ambiguous, so that nobody learns of it.
//
// Auth is asked between transactions: a host's may need a connection to the same
// database, of which there are only so many.
func (s *Server) find(r *http.Request, ref string, wanted func(store.Tx, *rasterbase.Layer) error) (*rasterbase.Layer, error) {
	ctx := r.Context()
	who, err := s.principal(r)
	if err != nil {
		return nil, err
	}
	var all []*rasterbase.Layer
	var readErr error // is told only to those who may read the layer
	err = s.view(ctx, func(tx store.Tx) (err error) {
		if all, err = s.candidates(ctx, tx, ref); err == nil && len(all) == 1 {
			readErr = wanted(tx, all[0])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	l, err := s.choose(ctx, who, ref, all)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 1 && l == all[0]:
		return l, readErr
	}
	return l, s.view(ctx, func(tx store.Tx) error { return wanted(tx, l) })
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
		s.refs.put(ref, found[0].ID)
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

// resolve finds a layer that has tiles, with the legend that colours it: the
// one asked for by id or title, or else the layer's own.
func (s *Server) resolve(r *http.Request, ref, legendRef string) (*resolved, error) {
	ctx := r.Context()
	out := &resolved{}
	var err error
	out.layer, err = s.find(r, ref, func(tx store.Tx, l *rasterbase.Layer) (err error) {
		if l.Published == 0 {
			return blame(coverage.Unpublished(ctx, tx, l), "layer")
		}
		out.legend, err = findLegend(ctx, tx, l, legendRef)
		return err
	})
	if err != nil {
		return nil, err
	}
	if out.cov, err = s.open(ctx, out.layer); err != nil {
		return nil, err
	}
	if out.style, err = s.styleOf(out.cov.Revision(), out.legend); err != nil {
		if legendRef != "" {
			return nil, blame(err, "legend")
		}
		return nil, fmt.Errorf("the legend of layer %d: %w", out.layer.ID, internal(err))
	}
	out.version = s.version(out.cov, out.style)
	return out, nil
}

// open gives the coverage of the layer's published revision.
func (s *Server) open(ctx context.Context, l *rasterbase.Layer) (*coverage.Layer, error) {
	if cov, ok := s.coverages.get(l.Published); ok && l.Published != 0 {
		return cov, nil
	}
	cov, err := coverage.Open(ctx, s.c.Store, l.ID)
	if err != nil {
		return nil, err
	}
	s.coverages.put(cov.Revision().ID, cov)
	return cov, nil
}

// findLegend gives the legend asked for, or the layer's own, which may be none.
func findLegend(ctx context.Context, tx store.Tx, l *rasterbase.Layer, ref string) (*rasterbase.Legend, error) {
	if ref != "" {
		lg, err := store.FindLegend(ctx, tx, ref)
		return lg, blame(err, "legend")
	}
	if l.Legend == 0 {
		return nil, nil
	}
	lg, err := tx.Legends().Get(ctx, l.Legend)
	if errors.Is(err, store.ErrNotExist) {
		return nil, nil // deleted a moment ago: grey until the layer says so
	}
	return lg, err
}

// version names a state of a layer's pictures in few characters.
func (s *Server) version(cov coverage.Coverage, st *style) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s|%s|%s", cov.Version(), st.key, s.c.Version)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// internal makes an error one of ours whatever its code says: a tile that the
// store lost is no fault of the client's address.
func internal(err error) error {
	return &rasterbase.Error{Code: rasterbase.Internal, Err: err}
}
