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

// findLayer finds a layer by id, slug or source file name, and asks whether the
// request may read it. How an id or a slug was resolved is remembered: then one
// read tells whether it still holds. File names are looked up each time, since
// another layer may have come to share one.
func (s *Server) findLayer(ctx context.Context, tx store.Tx, ref string) (*rasterbase.Layer, error) {
	if id, ok := s.refs.get(ref); ok {
		l, err := tx.Layers().Get(ctx, id)
		if err == nil && (l.Slug == ref || strconv.FormatInt(int64(l.ID), 10) == ref) {
			return l, nil
		}
		s.refs.drop(ref)
	}
	l, err := store.FindLayer(ctx, tx, ref)
	if err != nil {
		return nil, err
	}
	if l.Slug == ref || strconv.FormatInt(int64(l.ID), 10) == ref {
		s.refs.put(ref, l.ID)
	}
	return l, nil
}

// allowed asks whether the sender of a request may read a layer; nil stands for
// the whole catalog.
func (s *Server) allowed(r *http.Request, l *rasterbase.Layer) error {
	p, err := s.c.Auth.Principal(r)
	if err != nil {
		return err
	}
	return s.c.Auth.May(r.Context(), p, rasterbase.Read, l)
}

// resolve finds a layer that has tiles, with the legend that colours it: the
// one asked for by id or title, or else the layer's own.
func (s *Server) resolve(r *http.Request, ref, legendRef string) (*resolved, error) {
	ctx := r.Context()
	out := &resolved{}
	err := s.view(ctx, func(tx store.Tx) (err error) {
		if out.layer, err = s.findLayer(ctx, tx, ref); err != nil {
			return blame(err, "layer")
		}
		if err = s.allowed(r, out.layer); err != nil {
			return err
		}
		out.legend, err = findLegend(ctx, tx, out.layer, legendRef)
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
