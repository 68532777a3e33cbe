package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// FindLayer gives the layer that a person or a URL names: by its id (all
// digits), its slug, or the file name of its source with or without .zip. The
// error is that of [NoLayer] when there is none, and that of [Ambiguous] when
// several layers share the file name.
func FindLayer(ctx context.Context, tx Tx, ref string) (*rasterbase.Layer, error) {
	found, err := FindLayers(ctx, tx, ref)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, NoLayer(ref)
	case len(found) > 1:
		return nil, Ambiguous(ref, found)
	}
	return found[0], nil
}

// FindLayers gives the layers that ref can mean, as [FindLayer] reads it: at
// most one by id or slug, or else all whose source has this file name, ordered
// by id. That there is none is not an error. Whoever may not see all layers is
// to be told of those that are left without the others.
func FindLayers(ctx context.Context, tx Tx, ref string) ([]*rasterbase.Layer, error) {
	if ref == "" {
		return nil, nil
	}
	if strings.Trim(ref, "0123456789") == "" {
		id, err := strconv.ParseInt(ref, 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			id = 0 // no id is so large, and none is 0
		}
		l, err := tx.Layers().Get(ctx, rasterbase.LayerID(id))
		switch {
		case errors.Is(err, ErrNotExist):
			return nil, nil
		case err != nil:
			return nil, err
		}
		return []*rasterbase.Layer{l}, nil
	}
	for _, f := range []LayerFilter{{Slug: ref}, {FileName: ref}} {
		found, _, err := tx.Layers().Find(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("looking for layer %q: %w", ref, err)
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// NoLayer makes the error for a layer that nothing is called by: it matches
// [ErrNotExist] and has code not found.
func NoLayer(ref string) error {
	e := rasterbase.Errorf(rasterbase.NotFound, "there is no layer %q", ref)
	e.Err = ErrNotExist
	return e.WithHint("`rasterbase layers list` shows what there is").WithField("layer")
}

// Ambiguous makes the error for a file name that several layers share: it has
// code conflict and lists them.
func Ambiguous(ref string, layers []*rasterbase.Layer) error {
	list := make([]string, len(layers))
	for i, l := range layers {
		list[i] = fmt.Sprintf("%d (%s)", l.ID, l.Name)
	}
	return rasterbase.Errorf(rasterbase.Conflict, "%d layers come from %q: %s", len(layers), ref, strings.Join(list, ", ")).
		WithHint("name one by its id").WithField("layer")
}

// StillRead is the error, with code conflict, of deleting a layer that formulas read:
// those of the layers named by readers.
func StillRead(id rasterbase.LayerID, readers string) error {
	return rasterbase.Errorf(rasterbase.Conflict, "layer %d is read by the formulas of %s", id, readers).
		WithHint("delete these layers first, or give them another formula")
}

// FindLegend gives the legend that a person or a URL names: by its id (all
// digits) or its title in any case. A title of digits alone is found when no
// legend has it as its id. The error matches [ErrNotExist] when there is none.
func FindLegend(ctx context.Context, tx Tx, ref string) (*rasterbase.Legend, error) {
	if id, err := strconv.ParseInt(ref, 10, 64); err == nil && strings.Trim(ref, "0123456789") == "" {
		l, err := tx.Legends().Get(ctx, rasterbase.LegendID(id))
		if err == nil || !errors.Is(err, ErrNotExist) {
			return l, err
		}
	}
	l, err := tx.Legends().FindTitle(ctx, ref)
	if errors.Is(err, ErrNotExist) {
		e := rasterbase.Errorf(rasterbase.NotFound, "there is no legend %q", ref)
		e.Err = ErrNotExist
		return nil, e.WithHint("name a legend by its id or its title").WithField("legend")
	}
	return l, err
}
