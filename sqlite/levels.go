package sqlite

import (
	"context"
	"errors"

	"github.com/rasterbase/rasterbase/store"
)

// Levels counts by the index, without reading a tile; what a level takes is not known.
func (t *tiles) Levels(ctx context.Context, k store.RevisionKey) (out []store.Level, err error) {
	err = t.with(ctx, k, "counting the tiles of", func(f *tileFile) (err error) {
		out = nil
		rows, err := f.read.QueryContext(ctx, `SELECT kind, z, count(*) FROM tiles GROUP BY kind, z ORDER BY kind, z`)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var l store.Level
			if err := rows.Scan(&l.Kind, &l.Z, &l.Tiles); err != nil {
				return err
			}
			out = append(out, l)
		}
		return rows.Err()
	})
	return out, err
}
