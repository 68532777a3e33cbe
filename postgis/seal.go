package postgis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Seal ends the writing of a revision's tiles: each table gets its spatial
// index and the constraints that tell PostGIS what is in it, and all become
// partitions of the table of all tiles. It goes on where an interrupted one
// stopped.
func (t *tiles) Seal(ctx context.Context, k store.RevisionKey) error {
	defer t.known.forget(k)
	done, levels, err := t.beginSeal(ctx, k)
	for _, l := range levels {
		if err == nil && !l.sealed {
			err = t.sealTable(ctx, l, levels)
		}
	}
	if err == nil && !done {
		err = t.inTx(ctx, func(tx pgx.Tx) error { return t.attach(ctx, tx, k) })
	}
	return t.failed(ctx, err, k, "sealing")
}

// beginSeal waits for those who write, lets nobody write any more, and lists
// the tables. It is done already when the revision was sealed.
func (t *tiles) beginSeal(ctx context.Context, k store.RevisionKey) (done bool, levels []tileTable, err error) {
	err = t.inTx(ctx, func(tx pgx.Tx) error {
		var state string
		err := tx.QueryRow(ctx, `UPDATE `+t.db.table("tile_revisions")+` SET state = CASE state WHEN 'open' THEN 'sealing' ELSE state END
			WHERE layer = $1 AND revision = $2 RETURNING state`, int64(k.Layer), int64(k.Revision)).Scan(&state)
		switch {
		case isNoRows(err) || err == nil && state == "gone":
			return goneError(k)
		case err != nil:
			return err
		case state == "sealed":
			done = true
			return nil
		}
		levels, err = t.levels(ctx, tx, k)
		return err
	})
	return done, levels, err
}

// sealTable finishes one table.
func (t *tiles) sealTable(ctx context.Context, l tileTable, all []tileTable) error {
	name := t.tileTable(l.TileKey)
	return t.inTx(ctx, func(tx pgx.Tx) error {
		if l.uniform {
			add, err := t.constraints(ctx, tx, l, all)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `ALTER TABLE `+name+` `+strings.Join(add, ",\n")); err != nil {
				return err
			}
		}
		// A small sample tells the planner enough, and tiles are large.
		_, err := tx.Exec(ctx, fmt.Sprintf(`CREATE INDEX ON %s USING gist (%s.ST_ConvexHull(rast));
			SET LOCAL default_statistics_target = 10; ANALYZE %[1]s`, name, t.db.raster))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE `+t.db.table("tile_tables")+` SET sealed = true WHERE `+ofLevel, levelArgs(l.TileKey)...)
		return err
	})
}

// attach makes the tables partitions of the table of all tiles.
func (t *tiles) attach(ctx context.Context, tx pgx.Tx, k store.RevisionKey) error {
	var state string
	if err := tx.QueryRow(ctx, `SELECT state FROM `+t.db.table("tile_revisions")+` WHERE layer = $1 AND revision = $2 FOR UPDATE`,
		int64(k.Layer), int64(k.Revision)).Scan(&state); err != nil {
		return err
	}
	switch state {
	case "sealed": // another one was quicker
		return nil
	case "gone":
		return goneError(k)
	}
	// Names are looked up as they are written, for the generated column too.
	if _, err := tx.Exec(ctx, fmt.Sprintf(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d, %d) TO (%[3]d, %[5]d)`,
		t.db.table("tiles"), t.db.table(revisionName(k)), k.Layer, k.Revision, k.Revision+1)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE `+t.db.table("tile_revisions")+` SET state = 'sealed' WHERE layer = $1 AND revision = $2`,
		int64(k.Layer), int64(k.Revision))
	return err
}

// constraints are those that PostGIS's AddRasterConstraints would make, and by
// which raster_columns knows a table. The tiles were checked when they were
// written. So most are marked NOT VALID, which spares the server to unpack every
// tile once for each; the form in which raster_columns reads those of the srid
// and the number of bands does not allow it, but they need a tile's head only.
func (t *tiles) constraints(ctx context.Context, tx pgx.Tx, l tileTable, all []tileTable) ([]string, error) {
	var widths, heights []int
	var extent, sample, types, nodata, outside string
	f := t.db.raster + "."
	err := tx.QueryRow(ctx, fmt.Sprintf(`WITH one AS (SELECT rast FROM %[1]s LIMIT 1)
		SELECT array_agg(DISTINCT %[2]sST_Width(rast)), array_agg(DISTINCT %[2]sST_Height(rast)),
			%[3]s.ST_AsHexEWKB(%[3]s.ST_SetSRID(%[3]s.ST_Extent(%[2]sST_Envelope(rast))::%[3]s.geometry, %[4]d)),
			(SELECT %[2]sST_MakeEmptyRaster(1, 1, m.upperleftx, m.upperlefty, m.scalex, m.scaley, m.skewx, m.skewy, m.srid)::text
				FROM one, %[2]sST_MetaData(one.rast) AS m),
			(SELECT %[2]s_raster_constraint_pixel_types(rast)::text FROM one),
			(SELECT %[2]s_raster_constraint_nodata_values(rast)::numeric[]::text FROM one),
			(SELECT %[2]s_raster_constraint_out_db(rast)::text FROM one)
		FROM %[1]s`, t.tileTable(l.TileKey), f, t.db.spatial, l.profile.SRID)).
		Scan(&widths, &heights, &extent, &sample, &types, &nodata, &outside)
	if err != nil {
		return nil, fmt.Errorf("looking at the tiles of %s: %w", tableName(l.TileKey), err)
	}
	p := l.profile
	list := []string{
		check("srid", `%sST_SRID(rast) = %d`, f, p.SRID),
		check("num_bands", `%sST_NumBands(rast) = %d`, f, len(p.Types)),
		check("scalex", `%sST_ScaleX(rast) = '%v'::float8`, f, p.Grid.ScaleX) + notValid,
		check("scaley", `%sST_ScaleY(rast) = '%v'::float8`, f, p.Grid.ScaleY) + notValid,
		// The first size is the one that raster_columns tells.
		check("width", `%sST_Width(rast) = ANY (ARRAY[%s])`, f, descending(widths)) + notValid,
		check("height", `%sST_Height(rast) = ANY (ARRAY[%s])`, f, descending(heights)) + notValid,
		check("same_alignment", `%sST_SameAlignment(rast, '%s'::%sraster)`, f, sample, f) + notValid,
		check("pixel_types", `%s_raster_constraint_pixel_types(rast) = '%s'::text[]`, f, types) + notValid,
		check("nodata_values", `%s_raster_constraint_nodata_values(rast)::numeric[] = '%s'::numeric[]`, f, nodata) + notValid,
		check("out_db", `%s_raster_constraint_out_db(rast) = '%s'::boolean[]`, f, outside) + notValid,
		check("max_extent", `%sST_Envelope(rast) OPERATOR(%s.@) '%s'::%[3]s.geometry`, f, t.db.spatial, extent) + notValid,
	}
	overview, err := t.overview(ctx, tx, l, all)
	if err == nil && overview != "" {
		list = append(list, overview)
	}
	return list, err
}

// overview is the constraint that relates a zoom to the max zoom. Those at
// which the layer is smaller than a pixel are left out: GDAL takes them for
// errors.
func (t *tiles) overview(ctx context.Context, tx pgx.Tx, l tileTable, all []tileTable) (string, error) {
	top := l.TileKey
	top.Z = topZoom(l, all)
	if l.Kind != rasterbase.Pyramid || top.Z == l.Z || top.Z-l.Z > 30 {
		return "", nil
	}
	factor := 1 << (top.Z - l.Z)
	var columns, rows int
	err := tx.QueryRow(ctx, `SELECT max(tilex) - min(tilex) + 1, max(tiley) - min(tiley) + 1 FROM `+t.tileTable(top)).Scan(&columns, &rows)
	if err != nil || min(columns*l.profile.Grid.Width, rows*l.profile.Grid.Height) < factor {
		return "", err
	}
	return check("overview", `%s._overview_constraint(rast, %d, '%s', '%s', 'rast')`,
		t.db.raster, factor, t.db.o.Schema, tableName(top)) + notValid, nil
}

const notValid = " NOT VALID"

func check(name, condition string, args ...any) string {
	return fmt.Sprintf(`ADD CONSTRAINT enforce_%s_rast CHECK (`+condition+`)`, append([]any{name}, args...)...)
}

func descending(sizes []int) string {
	slices.Sort(sizes)
	slices.Reverse(sizes)
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(sizes), " ", ", "), "[]")
}

// topZoom is the highest zoom of the tables with the same band set.
func topZoom(l tileTable, all []tileTable) int {
	top := l.Z
	for _, o := range all {
		if o.Kind == rasterbase.Pyramid && o.BandSet == l.BandSet {
			top = max(top, o.Z)
		}
	}
	return top
}
