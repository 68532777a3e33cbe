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
// error matches [ErrNotExist] when there is none, and has code conflict when
// several layers share the file name; it lists them then.
func FindLayer(ctx context.Context, tx Tx, ref string) (*rasterbase.Layer, error) {
	if ref != "" && strings.Trim(ref, "0123456789") == "" {
		if id, err := strconv.ParseInt(ref, 10, 64); err == nil {
			l, err := tx.Layers().Get(ctx, rasterbase.LayerID(id))
			if err == nil || !errors.Is(err, ErrNotExist) {
				return l, err
			}
		}
		return nil, noLayer(ref)
	}
	if ref == "" {
		return nil, noLayer(ref)
	}
	for _, f := range []LayerFilter{{Slug: ref}, {FileName: ref}} {
		found, _, err := tx.Layers().Find(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("looking for layer %q: %w", ref, err)
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return nil, severalLayers(ref, found)
		}
	}
	return nil, noLayer(ref)
}

func noLayer(ref string) error {
	e := rasterbase.Errorf(rasterbase.NotFound, "there is no layer %q", ref)
	e.Err = ErrNotExist
	return e.WithHint("`rasterbase layers list` shows what there is").WithField("layer")
}

func severalLayers(ref string, found []*rasterbase.Layer) error {
	list := make([]string, len(found))
	for i, l := range found {
		list[i] = fmt.Sprintf("%d (%s)", l.ID, l.Name)
	}
	return rasterbase.Errorf(rasterbase.Conflict, "%d layers come from %q: %s", len(found), ref, strings.Join(list, ", ")).
		WithHint("name one by its id").WithField("layer")
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
