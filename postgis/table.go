package postgis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// TableRef names a column of rasters in a table that anybody has made, for
// instance raster2pgsql.
type TableRef struct {
	Schema string // empty: the first of the search path that has the table
	Table  string
	Column string // empty: the only one of type raster
	Bands  []int  // from 1; nil: all
	// Where selects rows: an SQL condition on the columns of the table, which is
	// called t. It is put into the statement as it is, so it must never come
	// from a user.
	Where string
}

// MaxTableTiles is the largest number of tiles that a table is read with: what
// is known of each takes 24 bytes.
const MaxTableTiles = 10_000_000

// MaxTableTileBytes is the largest number of bytes of pixels of one tile.
const MaxTableTileBytes = 512 << 20

// Table is a table of rasters that is read as one raster: tiles of one srid,
// pixel size and pixel type whose pixels lie on one grid. They may have any
// sizes, leave holes, and overlap: then the valid pixels of later rows win, in
// the order of the primary key. Holes are invalid.
//
// It reads one state of the table, in a transaction of its own, which ends with
// [Table.Close]. It belongs to one goroutine.
type Table struct {
	// CRS is that of the tiles' srid, with the WKT of spatial_ref_sys. The SRID
	// is 0 when it is no EPSG code; all is empty when the tiles have no srid, or
	// one that is not there.
	CRS  rasterbase.CRS
	Grid rasterbase.Grid // around all tiles
	// Bands are the type and nodata of the bands that were asked for, without
	// pixels. Nodata is the same for all of them.
	Bands []raster.Band
	// TileSize is the size of the tiles when they are cut from Grid in equal
	// squares, those at the right and lower edge excepted; 0 otherwise.
	TileSize int

	ref     TableRef
	conn    *pgxpool.Conn
	tx      pgx.Tx
	name    string // of the table, quoted
	column  string // quoted
	raster  string // schema of postgis_raster, quoted
	tiles   []tableTile
	regular bool // no two tiles overlap
	outside bool // some pixels are in files

	// the tiles that were read last, by their rows
	kept      map[string]*raster.Raster
	keptBytes int
	// the tiles of the rows that were read last
	near             []tableTile
	nearFrom, nearTo int
}

// tableTile is the place of a tile in the grid and of its row in the table.
type tableTile struct {
	x, y, w, h int32
	block      uint32
	offset     uint16
}

func (t tableTile) rect() raster.Rect {
	return raster.Rect{X: int(t.x), Y: int(t.y), Width: int(t.w), Height: int(t.h)}
}

func (t tableTile) tid() string { return fmt.Sprintf("(%d,%d)", t.block, t.offset) }

// OpenTable reads what is known of the tiles of a table without their pixels.
// The error has code not found when there is no such table, column or row, and
// invalid, with what to do about it, when the tiles do not make one raster.
func OpenTable(ctx context.Context, pool *pgxpool.Pool, ref TableRef) (*Table, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, connectError(err)
	}
	t := &Table{ref: ref, conn: conn}
	if err := t.open(ctx); err != nil {
		t.Close()
		return nil, t.readError(err)
	}
	return t, nil
}

func (t *Table) open(ctx context.Context) (err error) {
	t.tx, err = t.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	if err := t.find(ctx); err != nil {
		return err
	}
	if err := t.scan(ctx); err != nil {
		return err
	}
	return t.findCRS(ctx)
}

// Close ends the transaction.
func (t *Table) Close() {
	if t.conn == nil {
		return
	}
	if t.tx != nil {
		rollback(context.Background(), t.tx)
	}
	t.conn.Release()
	t.conn = nil
}

// Tiles is how many tiles there are.
func (t *Table) Tiles() int { return len(t.tiles) }

// readError says what an error of the database means for a reader of a table.
func (t *Table) readError(err error) error {
	if _, ok := errors.AsType[*rasterbase.Error](err); ok {
		return err
	}
	if sqlState(err) == codePrivilege {
		return rasterbase.Errorf(rasterbase.Forbidden, "reading the table %s: %w", t.ref.title(), err).
			WithHint("GRANT SELECT on the table, and USAGE on its schema, to the role of the address")
	}
	if isConnectionLoss(err) {
		return rasterbase.Errorf(rasterbase.Busy, "reading the table %s: the connection to the database was lost: %w", t.ref.title(), withoutPassword(err))
	}
	return fmt.Errorf("reading the table %s: %w", t.ref.title(), err)
}

// title is the table as people write it.
func (r TableRef) title() string {
	if r.Schema == "" {
		return r.Table
	}
	return r.Schema + "." + r.Table
}

// find finds the table and its column.
func (t *Table) find(ctx context.Context) error {
	var namespace *string
	if err := t.tx.QueryRow(ctx, `SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'postgis_raster'`).
		Scan(&namespace); isNoRows(err) {
		return noExtension("postgis_raster")
	} else if err != nil {
		return err
	}
	t.raster = *namespace
	parts := pgx.Identifier{t.ref.Table}
	if t.ref.Schema != "" {
		parts = pgx.Identifier{t.ref.Schema, t.ref.Table}
	}
	var oid *uint32
	if err := t.tx.QueryRow(ctx, `SELECT to_regclass($1)::oid`, parts.Sanitize()).Scan(&oid); err != nil {
		return err
	}
	if oid == nil {
		return t.noTable(ctx)
	}
	var kind string
	var children bool
	err := t.tx.QueryRow(ctx, `SELECT c.relkind::text, c.relnamespace::regnamespace::text || '.' || quote_ident(c.relname),
			EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = c.oid) FROM pg_class c WHERE c.oid = $1`, *oid).Scan(&kind, &t.name, &children)
	if err != nil {
		return err
	}
	if kind != "r" && kind != "m" || children {
		return rasterbase.Errorf(rasterbase.Unsupported, "%s is a view, or a table in parts", t.ref.title()).
			WithHint("name the table with the rows itself, or make a materialised view: CREATE MATERIALIZED VIEW … AS SELECT * FROM %s", t.name).WithField("table")
	}
	return t.findColumn(ctx, *oid)
}

func (t *Table) noTable(ctx context.Context) error {
	e := rasterbase.Errorf(rasterbase.NotFound, "there is no table %s", t.ref.title()).WithField("table")
	rows, err := t.tx.Query(ctx, `SELECT r_table_schema || '.' || r_table_name FROM `+t.raster+`.raster_columns
		WHERE to_regclass(quote_ident(r_table_schema) || '.`+historyTable+`') IS NULL ORDER BY 1 LIMIT 10`)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return e.WithHint("the database has no table with a raster column; raster2pgsql makes one")
	}
	return e.WithHint("there are %s; a schema is named apart (schema=…), and names are in lower case unless they were quoted", strings.Join(names, ", "))
}

func (t *Table) findColumn(ctx context.Context, oid uint32) error {
	rows, err := t.tx.Query(ctx, `SELECT a.attname::text FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
		WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND y.typname = 'raster' ORDER BY a.attnum`, oid)
	if err != nil {
		return err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	column := t.ref.Column
	switch {
	case len(columns) == 0:
		return rasterbase.Errorf(rasterbase.Invalid, "the table %s has no column of type raster", t.ref.title()).WithField("table")
	case column == "" && len(columns) > 1:
		return rasterbase.Errorf(rasterbase.Invalid, "the table %s has several columns of type raster", t.ref.title()).
			WithHint("name one: column=%s", strings.Join(columns, ", column=")).WithField("column")
	case column == "":
		column = columns[0]
	case !slices.Contains(columns, column):
		return rasterbase.Errorf(rasterbase.NotFound, "the table %s has no column %s of type raster", t.ref.title(), column).
			WithHint("there is %s", strings.Join(columns, ", ")).WithField("column")
	}
	t.column = "t." + pgx.Identifier{column}.Sanitize()
	return nil
}

// findCRS looks the srid up.
func (t *Table) findCRS(ctx context.Context) error {
	if t.CRS.SRID <= 0 {
		t.CRS = rasterbase.CRS{}
		return nil
	}
	var authority, wkt string
	var code int
	err := t.tx.QueryRow(ctx, `SELECT coalesce(auth_name, ''), coalesce(auth_srid, 0), coalesce(srtext, '')
		FROM `+t.spatialRefSys()+` WHERE srid = $1`, t.CRS.SRID).Scan(&authority, &code, &wkt)
	if isNoRows(err) {
		t.CRS = rasterbase.CRS{}
		return nil
	}
	if err != nil {
		return err
	}
	t.CRS = rasterbase.CRS{WKT: wkt}
	if strings.EqualFold(authority, "EPSG") {
		t.CRS.SRID = code
	}
	return nil
}

// spatialRefSys is the table of CRSs, which is where postgis is, and so as a
// rule where postgis_raster is.
func (t *Table) spatialRefSys() string { return t.raster + ".spatial_ref_sys" }

// closeTo is how much two sizes of pixels may differ: over the 65,535 pixels
// that a tile can have, less than a thousandth of a pixel.
const closeTo = 1e-8

func samePixels(a, b rasterbase.Grid) bool {
	size := max(math.Abs(a.ScaleX), math.Abs(a.ScaleY), math.Abs(a.SkewX), math.Abs(a.SkewY))
	near := func(x, y float64) bool { return math.Abs(x-y) <= closeTo*size }
	return near(a.ScaleX, b.ScaleX) && near(a.ScaleY, b.ScaleY) && near(a.SkewX, b.SkewX) && near(a.SkewY, b.SkewY)
}
