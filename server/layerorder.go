package server

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// order is what layers are sorted by: its name, with a minus before it for the other
// direction. Layers that are alike in it are ordered by id.
type order string

// orders are the names of orders.
var orders = []string{"id", "name", "status", "size", "created", "updated", "parsed"}

func parseOrder(text string) (order, error) {
	if text == "" || slices.Contains(orders, strings.TrimPrefix(text, "-")) {
		return order(text), nil
	}
	return "", rasterbase.Errorf(rasterbase.Invalid, "layers are not sorted by %.40q", text).
		WithHint("one of %s, with a minus before it for the other direction", strings.Join(orders, ", ")).WithField("sort")
}

// sorted sorts layers, which are ordered by id.
func (s *Server) sorted(ctx context.Context, layers []*rasterbase.Layer, o order) error {
	by, backwards := strings.CutPrefix(string(o), "-")
	less, err := s.comparison(ctx, layers, by)
	if err != nil {
		return err
	}
	slices.SortStableFunc(layers, func(a, b *rasterbase.Layer) int {
		if backwards {
			a, b = b, a
		}
		return cmp.Or(less(a, b), cmp.Compare(a.ID, b.ID))
	})
	return nil
}

// comparison is the order of two layers by what a column shows.
func (s *Server) comparison(ctx context.Context, layers []*rasterbase.Layer, by string) (func(a, b *rasterbase.Layer) int, error) {
	switch by {
	case "name":
		return func(a, b *rasterbase.Layer) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) }, nil
	case "size":
		return func(a, b *rasterbase.Layer) int { return cmp.Compare(a.Source.Size, b.Source.Size) }, nil
	case "created":
		return func(a, b *rasterbase.Layer) int { return a.Created.Compare(b.Created) }, nil
	case "updated":
		return func(a, b *rasterbase.Layer) int { return a.Updated.Compare(b.Updated) }, nil
	case "status":
		of, err := s.statuses(ctx, layers)
		return func(a, b *rasterbase.Layer) int { return cmp.Compare(of[a.ID], of[b.ID]) }, err
	case "parsed":
		of, err := s.published(ctx)
		return func(a, b *rasterbase.Layer) int { return of[a.Published].Compare(of[b.Published]) }, err
	}
	return func(*rasterbase.Layer, *rasterbase.Layer) int { return 0 }, nil
}

// statuses are those of the newest parses of layers.
func (s *Server) statuses(ctx context.Context, layers []*rasterbase.Layer) (of map[rasterbase.LayerID]rasterbase.Status, err error) {
	err = s.view(ctx, func(tx store.Tx) error {
		of = map[rasterbase.LayerID]rasterbase.Status{}
		for _, l := range layers {
			if of[l.ID], err = statusNow(ctx, tx, l); err != nil {
				return err
			}
		}
		return nil
	})
	return of, err
}

// statusNow is the status of a layer's newest parse, or what a formula has in its place.
func statusNow(ctx context.Context, tx store.Tx, l *rasterbase.Layer) (rasterbase.Status, error) {
	if l.Formula != nil {
		_, unread, err := readLayerFormula(ctx, tx, l)
		return known{formula: &formulaJSON{}, unread: unread}.state().Status, err
	}
	p, err := tx.Parses().Latest(ctx, l.ID)
	if errors.Is(err, store.ErrNotExist) {
		return rasterbase.Unparsed, nil
	}
	if err != nil {
		return "", err
	}
	return p.Status, nil
}

// published tells when revisions were published.
func (s *Server) published(ctx context.Context) (at map[rasterbase.RevisionID]time.Time, err error) {
	err = s.view(ctx, func(tx store.Tx) error {
		all, err := tx.Revisions().List(ctx, 0)
		at = map[rasterbase.RevisionID]time.Time{}
		for _, r := range all {
			at[r.ID] = r.PublishedAt
		}
		return err
	})
	return at, err
}

// outdatedOf are those of some layers whose tiles were made with other settings, or from
// another file, than are in force now.
func (s *Server) outdatedOf(ctx context.Context, layers []*rasterbase.Layer) (out []*rasterbase.Layer, err error) {
	var old []*rasterbase.Layer
	err = s.view(ctx, func(tx store.Tx) (err error) {
		old, err = store.Outdated(ctx, tx, s.c.TileSize)
		return err
	})
	for _, l := range layers {
		if slices.ContainsFunc(old, func(o *rasterbase.Layer) bool { return o.ID == l.ID }) {
			out = append(out, l)
		}
	}
	return out, err
}
