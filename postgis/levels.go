package postgis

import (
	"context"
	"errors"

	"github.com/rasterbase/rasterbase/store"
)

// Levels counts the rows of each level's tables, and measures these with their indices.
func (t *tiles) Levels(ctx context.Context, k store.RevisionKey) ([]store.Level, error) {
	err := t.exists(ctx, k)
	var tables []tileTable
	if err == nil {
		tables, err = t.levels(ctx, t.db.pool, k)
	}
	var out []store.Level
	for _, l := range tables {
		if err != nil {
			break
		}
		name := t.tileTable(l.TileKey)
		var n, bytes int64
		err = t.db.pool.QueryRow(ctx, `SELECT count(*), pg_total_relation_size($1::text::regclass) FROM `+name, name).Scan(&n, &bytes)
		switch last := len(out) - 1; {
		case err != nil && isTableGone(err):
			err = errors.Join(goneError(k), err)
		case n == 0:
		case last >= 0 && out[last].Kind == l.Kind && out[last].Z == l.Z: // another band set
			out[last].Tiles += n
			out[last].Bytes += bytes
		default:
			out = append(out, store.Level{Kind: l.Kind, Z: l.Z, Tiles: n, Bytes: bytes})
		}
	}
	if err != nil {
		return nil, t.failed(ctx, err, k, "counting the tiles of")
	}
	return out, nil
}
