package pgxraster

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Names of the types in a connection's map.
const (
	typeName  = "raster"
	arrayName = "_raster"
)

// findType finds the type raster by the function that reads it, in whatever
// schema it lives: the one of the extension before one that somebody made, then
// the one that the search path shows.
const findType = `
SELECT t.oid, t.typarray, t.typdelim::text
FROM pg_catalog.pg_type t
LEFT JOIN (pg_catalog.pg_depend d
	JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.refobjid
		AND e.extname IN ('postgis_raster', 'postgis'))
	ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
WHERE t.typname = 'raster' AND t.typtype = 'b' AND t.typinput::text LIKE '%raster_in'
ORDER BY e.oid IS NULL, NOT pg_catalog.pg_type_is_visible(t.oid), t.oid
LIMIT 1`

// Register teaches a connection the types raster and raster[]. It is made to be
// the AfterConnect of a pool's configuration, or to be called for a connection
// after pgx.Connect; it costs one query. A connection that was made before the
// extension was created, or created anew, has to be registered again, for
// instance by resetting the pool.
//
// The error has code unsupported when the database has no type raster; its hint
// is the SQL that creates it.
func Register(ctx context.Context, conn *pgx.Conn) error {
	var oid, array uint32
	var delimiter string
	// The simple protocol leaves no prepared statement, and works through
	// poolers that keep none.
	err := conn.QueryRow(ctx, findType, pgx.QueryExecModeSimpleProtocol).Scan(&oid, &array, &delimiter)
	if errors.Is(err, pgx.ErrNoRows) {
		return rasterbase.Errorf(rasterbase.Unsupported, "the database %q has no type raster", conn.Config().Database).
			WithHint("as an administrator run in it: CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS postgis_raster;")
	}
	if err != nil {
		return fmt.Errorf("look up the type raster: %w", err)
	}
	element := &pgtype.Type{Name: typeName, OID: oid, Codec: Codec{}}
	m := conn.TypeMap()
	m.RegisterType(element)
	if array != 0 {
		m.RegisterType(&pgtype.Type{Name: arrayName, OID: array, Codec: &pgtype.ArrayCodec{ElementType: element, Delimiter: delimiter[0]}})
		m.RegisterDefaultPgType([]raster.Raster(nil), arrayName)
		m.RegisterDefaultPgType([]*raster.Raster(nil), arrayName)
	}
	m.RegisterDefaultPgType(raster.Raster{}, typeName)
	m.RegisterDefaultPgType((*raster.Raster)(nil), typeName)
	return nil
}
