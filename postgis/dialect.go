package postgis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// dialect is how the catalog's queries are written here.
func (db *DB) dialect() sqlcatalog.Dialect {
	return sqlcatalog.Dialect{
		Table:       db.table,
		Placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
		Time: func(t time.Time) any {
			if t.IsZero() {
				return nil
			}
			return t
		},
		Now:        func() time.Time { return db.o.Clock().UTC().Truncate(time.Microsecond) },
		IsUnique:   func(err error) bool { code := sqlState(err); return code == codeUnique || code == codeExclusion },
		IsNoRows:   isNoRows,
		InTexts:    func(column string) string { return column + ` IN (SELECT jsonb_array_elements_text(?::jsonb))` },
		InIDs:      func(column string) string { return column + ` IN (SELECT jsonb_array_elements(?::jsonb)::bigint)` },
		Position:   "strpos",
		ForUpdate:  " FOR UPDATE",
		SkipLocked: " FOR UPDATE SKIP LOCKED",
		PlainText:  true,
		IDGiven:    db.idGiven,
		SRIDTaken:  db.sridTaken,
		CRSAdded:   db.crsAdded,
	}
}

// idGiven moves the identity of a table past an id that the caller chose.
func (db *DB) idGiven(ctx context.Context, c sqlcatalog.Conn, table string, id int64) error {
	_, err := c.Exec(ctx, `SELECT setval(s, $2::bigint) FROM (SELECT pg_get_serial_sequence($1, 'id')::regclass AS s) AS own
		WHERE $2::bigint > coalesce(pg_sequence_last_value(s), 0)`, db.table(table), id)
	if err != nil {
		return fmt.Errorf("counting on from id %d of %s: %w", id, table, err)
	}
	return nil
}

// sridTaken reports whether spatial_ref_sys has another CRS under the srid.
func (db *DB) sridTaken(ctx context.Context, c sqlcatalog.Conn, srid int, wkt string) (bool, error) {
	var taken bool
	err := c.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+db.spatial+`.spatial_ref_sys WHERE srid = $1 AND srtext IS DISTINCT FROM $2)`,
		srid, shortened(wkt)).Scan(&taken)
	return taken, err
}

// longestText is what spatial_ref_sys has room for.
const longestText = 2048

func shortened(wkt string) string {
	if r := []rune(wkt); len(r) > longestText {
		return string(r[:longestText])
	}
	return wkt
}

// crsAdded tells PostGIS of a CRS without an EPSG code, so that its functions,
// GDAL and QGIS know what the srid means.
func (db *DB) crsAdded(ctx context.Context, c sqlcatalog.Conn, crs rasterbase.CRS) error {
	if len([]rune(crs.WKT)) > longestText {
		db.o.Logger.WarnContext(ctx, "a CRS is too long for spatial_ref_sys and was left out", "srid", crs.SRID, "name", crs.Name)
		return nil
	}
	var allowed bool
	if err := c.QueryRow(ctx, `SELECT has_table_privilege($1, 'INSERT')`, db.spatial+".spatial_ref_sys").Scan(&allowed); err != nil {
		return fmt.Errorf("looking at spatial_ref_sys: %w", err)
	}
	if !allowed {
		db.o.Logger.ErrorContext(ctx, "SQL, GDAL and QGIS will not know a CRS: this role may not add it. GRANT INSERT ON "+db.spatial+
			".spatial_ref_sys TO this role; the next command adds it then", "srid", crs.SRID, "name", crs.Name)
		return nil
	}
	_, err := c.Exec(ctx, `INSERT INTO `+db.spatial+`.spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)
		VALUES ($1, 'rasterbase', $1, $2, '') ON CONFLICT (srid) DO NOTHING`, crs.SRID, crs.WKT)
	if err != nil {
		return fmt.Errorf("adding srid %d to spatial_ref_sys: %w", crs.SRID, err)
	}
	return nil
}

// addMissingCRSs tells PostGIS of CRSs that could not be added when they came,
// if the role may by now.
func (db *DB) addMissingCRSs(ctx context.Context) error {
	missing := ` FROM ` + db.table("custom_crs") + ` c WHERE length(c.wkt) <= $1
		AND NOT EXISTS (SELECT 1 FROM ` + db.spatial + `.spatial_ref_sys s WHERE s.srid = c.srid)`
	var add bool
	err := db.pool.QueryRow(ctx, `SELECT has_table_privilege($2, 'INSERT') AND EXISTS (SELECT 1`+missing+`)`,
		longestText, db.spatial+".spatial_ref_sys").Scan(&add)
	if err == nil && add {
		_, err = db.pool.Exec(ctx, `INSERT INTO `+db.spatial+`.spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)
			SELECT c.srid, 'rasterbase', c.srid, c.wkt, ''`+missing+` ON CONFLICT (srid) DO NOTHING`, longestText)
	}
	return db.storageError(err, "adding CRSs to spatial_ref_sys")
}
