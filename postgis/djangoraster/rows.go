package djangoraster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
)

// Rows are read as JSON, so that columns that a version does not have are just
// not there.

// loose is a text that some versions keep as a number.
type loose string

// UnmarshalJSON reads a string, a number or null.
func (l *loose) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if b[0] == '"' {
		return json.Unmarshal(b, (*string)(l))
	}
	*l = loose(b)
	return nil
}

type layerRow struct {
	ID          int64
	Name        string
	Description string
	Datatype    string
	RasterFile  string `json:"rasterfile"`
	SourceURL   string `json:"source_url"`
	Nodata      loose
	SRID        loose
	MaxZoom     *int   `json:"max_zoom"`
	NextHigher  *bool  `json:"next_higher"`
	LegendID    *int64 `json:"legend_id"`
	ParseLog    string `json:"parse_log"`
}

type metadataRow struct {
	LayerID        int64    `json:"rasterlayer_id"`
	UpperLeftX     *float64 `json:"uperleftx"`
	UpperLeftY     *float64 `json:"uperlefty"`
	Width, Height  *int
	ScaleX, ScaleY *float64
	SkewX, SkewY   *float64
}

// The statuses of a parse in django-raster.
const (
	statusUnparsed = 0
	statusFinished = 5
	statusFailed   = 6
)

type statusRow struct {
	LayerID int64 `json:"rasterlayer_id"`
	Status  int
	Log     string
	Levels  []int `json:"tile_levels"`
}

type legendRow struct {
	ID    int64
	Title string
}

type entryRow struct {
	ID          int64
	LegendID    *int64 `json:"legend_id"`
	SemanticsID int64  `json:"semantics_id"`
	Expression  string
	Color       string
	Code        string
}

// linkRow is an entry's place in a legend, of versions that share entries among
// legends.
type linkRow struct {
	ID       int64
	LegendID int64 `json:"legend_id"`
	EntryID  int64 `json:"legendentry_id"`
	Code     string
}

type semanticsRow struct {
	ID          int64
	Name        string
	Description string
	Keyword     string
}

// database reads one state of the tables.
type database struct {
	conn   *pgxpool.Conn
	tx     pgx.Tx
	schema string
	tables map[string]map[string]bool // columns by table
}

// openDatabase finds the tables of django-raster. The error has code not found
// when there are none.
func openDatabase(ctx context.Context, pool *pgxpool.Pool, schema string) (*database, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database of django-raster: %w", err)
	}
	db := &database{conn: conn, tables: map[string]map[string]bool{}}
	if db.tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err == nil {
		err = db.find(ctx, schema)
	}
	if err != nil {
		db.close(ctx)
		return nil, err
	}
	return db, nil
}

func (db *database) close(ctx context.Context) {
	if db.tx != nil {
		_ = db.tx.Rollback(context.WithoutCancel(ctx)) // it only read
	}
	db.conn.Release()
}

func (db *database) find(ctx context.Context, schema string) error {
	name := pgx.Identifier{"raster_rasterlayer"}
	if schema != "" {
		name = pgx.Identifier{schema, "raster_rasterlayer"}
	}
	err := db.tx.QueryRow(ctx, `SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = to_regclass($1)`, name.Sanitize()).Scan(&db.schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return rasterbase.Errorf(rasterbase.NotFound, "the database has no table raster_rasterlayer").
			WithHint("name the database that the Django application used, and with schema=NAME the schema if it is not public")
	}
	if err != nil {
		return fmt.Errorf("looking for the tables of django-raster: %w", err)
	}
	rows, err := db.tx.Query(ctx, `SELECT c.relname::text, a.attname::text FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE n.nspname = $1 AND c.relname LIKE 'raster\_%' AND a.attnum > 0 AND NOT a.attisdropped`, db.schema)
	if err != nil {
		return fmt.Errorf("looking for the tables of django-raster: %w", err)
	}
	var table, column string
	_, err = pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		if db.tables[table] == nil {
			db.tables[table] = map[string]bool{}
		}
		db.tables[table][column] = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking for the tables of django-raster: %w", err)
	}
	return nil
}

func (db *database) table(name string) string { return pgx.Identifier{db.schema, name}.Sanitize() }

// readRows reads all rows of a table, none when this version has no such table.
func readRows[T any](ctx context.Context, db *database, table string) ([]T, error) {
	if db.tables[table] == nil {
		return nil, nil
	}
	rows, err := db.tx.Query(ctx, `SELECT to_jsonb(t) FROM `+db.table(table)+` t ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", table, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v T, err error) {
		var document []byte
		if err := row.Scan(&document); err != nil {
			return v, err
		}
		return v, json.Unmarshal(document, &v)
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", table, err)
	}
	return list, nil
}

// datatype is that of a layer by django-raster's letters.
func datatype(letters string) rasterbase.Datatype {
	switch strings.TrimSpace(letters) {
	case "ca":
		return rasterbase.Categorical
	case "ma":
		return rasterbase.Mask
	case "ro":
		return rasterbase.RankOrdered
	}
	return rasterbase.Continuous
}
