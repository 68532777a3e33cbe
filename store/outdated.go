package store

import (
	"cmp"
	"context"
	"math"
	"reflect"

	"github.com/rasterbase/rasterbase"
)

// Outdated gives the layers, ordered by id, whose published revision was made
// with other settings, or from another file, than they have now, and which have
// a source to be parsed from. A layer that asks for no tile size takes tileSize.
func Outdated(ctx context.Context, tx Tx, tileSize int) (old []*rasterbase.Layer, err error) {
	layers, _, err := tx.Layers().Find(ctx, LayerFilter{})
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		if l.Published == 0 || l.Source.ID == "" || l.Formula != nil { // without reading the revision
			continue
		}
		r, err := tx.Revisions().Get(ctx, l.Published)
		if err != nil {
			return nil, err
		}
		if IsOutdated(l, r, tileSize) {
			old = append(old, l)
		}
	}
	return old, nil
}

// IsOutdated tells whether a layer's published revision is, as [Outdated] says.
func IsOutdated(l *rasterbase.Layer, r *rasterbase.Revision, tileSize int) bool {
	return l.Source.ID != "" && l.Formula == nil && outdated(l, r, tileSize)
}

func outdated(l *rasterbase.Layer, r *rasterbase.Revision, tileSize int) bool {
	was, is := r.Settings, l.Settings
	was.TileSize, is.TileSize = r.TileSize, cmp.Or(l.Settings.TileSize, tileSize)
	if isNaN(was.Nodata) && isNaN(is.Nodata) {
		was.Nodata, is.Nodata = nil, nil // which differs from itself
	}
	return !reflect.DeepEqual(was, is) || r.SourceChecksum != l.Source.Checksum
}

func isNaN(v *float64) bool { return v != nil && math.IsNaN(*v) }
