package postgis

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/rasterbase/rasterbase"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// historyTable keeps which migrations were run. Its name is our own, so that a
// host's migrations can live in the same schema.
const historyTable = "rasterbase_migrations"

// migration is one step of the schema. Its statements name no schema: they are
// run with the search path of [setPath].
type migration struct {
	version int64
	name    string
	sql     string
}

// readMigrations reads the embedded files, which are named by their version.
func readMigrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	var all []migration
	for _, name := range names { // sorted
		text, err := fs.ReadFile(migrationFiles, name)
		if err != nil {
			return nil, fmt.Errorf("reading the migrations: %w", err)
		}
		number, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading the migrations: %w", err)
		}
		all = append(all, migration{version, path.Base(name), string(text)})
	}
	return all, nil
}

// Migrate makes the extensions, the schema and its tables, or brings them up to
// date, under a lock. The error says what an administrator must run when the
// role may not do so, and has code unsupported when a newer version of
// rasterbase made the schema.
func Migrate(ctx context.Context, pool *pgxpool.Pool, o Options) error {
	db, err := reach(ctx, pool, o)
	if err != nil {
		return err
	}
	for _, e := range []string{"postgis", "postgis_raster"} {
		if err := db.ensureExtension(ctx, e); err != nil {
			return err
		}
	}
	if err := db.ensureSchema(ctx); err != nil {
		return err
	}
	have, newest, err := db.versions(ctx)
	if err != nil {
		return err
	}
	if have > newest {
		return db.tooNew(have, newest)
	}
	return db.up(ctx)
}

// schemaName is what a schema may be called: it stands in statements without
// quotes.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// reach makes a store that knows nothing of its schema yet.
func reach(ctx context.Context, pool *pgxpool.Pool, o Options) (*DB, error) {
	db := &DB{pool: pool, o: o.withDefaults()}
	if !schemaName.MatchString(db.o.Schema) || strings.HasPrefix(db.o.Schema, "pg_") {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%q cannot be the name of the schema", db.o.Schema).
			WithHint("use lower-case letters, digits and underscores, 63 at most").WithField("schema")
	}
	db.schema = pgx.Identifier{db.o.Schema}.Sanitize()
	var reserved bool
	err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_get_keywords() WHERE word = $1 AND catcode IN ('R', 'T'))`, db.o.Schema).Scan(&reserved)
	switch {
	case err != nil:
		return nil, connectError(err)
	case reserved:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%q is a word of SQL and cannot be the name of the schema", db.o.Schema).WithField("schema")
	}
	return db, nil
}

// up runs the migrations that were not run yet.
func (db *DB) up(ctx context.Context) (err error) {
	conn := stdlib.OpenDBFromPool(db.pool)
	defer func() { err = errors.Join(err, conn.Close()) }()
	p, err := db.provider(ctx, conn)
	if err != nil {
		return err
	}
	done, err := p.Up(ctx)
	if err != nil {
		return db.storageError(err, "migrating the schema %s", db.o.Schema)
	}
	for _, r := range done {
		db.o.Logger.InfoContext(ctx, "migrated the schema", "schema", db.o.Schema, "version", r.Source.Version)
	}
	return nil
}

// provider makes the library's runner of our migrations.
func (db *DB) provider(ctx context.Context, conn *sql.DB) (*goose.Provider, error) {
	steps, err := readMigrations()
	if err != nil {
		return nil, err
	}
	searchPath, err := db.setPath(ctx)
	if err != nil {
		return nil, err
	}
	var migrations []*goose.Migration
	for _, m := range steps {
		migrations = append(migrations, goose.NewGoMigration(m.version, &goose.GoFunc{
			RunTx: func(ctx context.Context, tx *sql.Tx) error {
				for _, text := range []string{searchPath, m.sql} {
					if _, err := tx.ExecContext(ctx, text); err != nil {
						return fmt.Errorf("%s: %w", m.name, err)
					}
				}
				return nil
			},
		}, nil))
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, fmt.Errorf("making the lock of migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, conn, nil, goose.WithGoMigrations(migrations...),
		goose.WithTableName(db.o.Schema+"."+historyTable), goose.WithSessionLocker(locker),
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return p, nil
}

// setPath is the statement that makes a migration find our tables and those of
// the extensions, for its transaction.
func (db *DB) setPath(ctx context.Context) (string, error) {
	schemas := []string{db.schema}
	err := db.collect(ctx, &schemas, `SELECT DISTINCT extnamespace::regnamespace::text FROM pg_extension
		WHERE extname IN ('postgis', 'postgis_raster') ORDER BY 1`)
	if err != nil {
		return "", db.storageError(err, "looking for the extensions")
	}
	if len(schemas) == 1 { // where an administrator is about to make them
		schemas = append(schemas, "public")
	}
	return "SET LOCAL search_path TO " + strings.Join(schemas, ", ") + ";\n", nil
}

// collect appends the values of a query's only column.
func (db *DB) collect(ctx context.Context, out *[]string, query string, args ...any) error {
	rows, err := db.pool.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	*out, err = pgx.AppendRows(*out, rows, pgx.RowTo[string])
	return err
}

// MigrationSQL is what [Migrate] would run on this database, for an operator
// who wants to read it or run it by hand: empty when nothing is to be done.
func MigrationSQL(ctx context.Context, pool *pgxpool.Pool, o Options) (string, error) {
	db, err := reach(ctx, pool, o)
	if err != nil {
		return "", err
	}
	have, newest, err := db.versions(ctx)
	if err != nil {
		return "", err
	}
	if have > newest {
		return "", db.tooNew(have, newest)
	}
	steps, err := readMigrations()
	if err != nil {
		return "", err
	}
	path, err := db.setPath(ctx)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	for _, m := range steps {
		if m.version <= have {
			continue
		}
		if b.Len() == 0 && have == 0 {
			if err := db.writePreamble(ctx, &b); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(&b, "\n-- %s\nBEGIN;\n%s%s\nINSERT INTO %s (version_id, is_applied) VALUES (%d, true);\nCOMMIT;\n",
			m.name, path, strings.TrimSpace(m.sql), db.table(historyTable), m.version)
	}
	return b.String(), nil
}

// writePreamble writes what is made before the first migration, as far as it is
// not there: not every role may make it. The history is the table that goose
// makes.
func (db *DB) writePreamble(ctx context.Context, b *bytes.Buffer) error {
	for _, e := range []string{"postgis", "postgis_raster"} {
		exists, err := db.hasExtension(ctx, e)
		if err != nil {
			return err
		}
		if !exists {
			fmt.Fprintf(b, "CREATE EXTENSION IF NOT EXISTS %s;\n", e)
		}
	}
	exists, err := db.hasSchema(ctx)
	if err != nil {
		return err
	}
	if !exists {
		fmt.Fprintf(b, "CREATE SCHEMA IF NOT EXISTS %s;\n", db.schema)
	}
	fmt.Fprintf(b, `CREATE TABLE IF NOT EXISTS %s (
    id         integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp     timestamp NOT NULL DEFAULT now()
);
INSERT INTO %[1]s (version_id, is_applied) SELECT 0, true WHERE NOT EXISTS (SELECT 1 FROM %[1]s);
`, db.table(historyTable))
	return nil
}

func (db *DB) hasExtension(ctx context.Context, name string) (exists bool, err error) {
	err = db.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = $1)`, name).Scan(&exists)
	return exists, db.storageError(err, "looking for the extension %s", name)
}

func (db *DB) hasSchema(ctx context.Context) (exists bool, err error) {
	err = db.pool.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, db.schema).Scan(&exists)
	return exists, db.storageError(err, "looking for the schema %s", db.o.Schema)
}

// versions gives the schema's version, 0 when there is none, and the newest
// that this program knows.
func (db *DB) versions(ctx context.Context) (have, newest int64, err error) {
	steps, err := readMigrations()
	if err != nil {
		return 0, 0, err
	}
	newest = steps[len(steps)-1].version
	var exists bool
	if err := db.pool.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, db.table(historyTable)).Scan(&exists); err != nil {
		return 0, 0, db.storageError(err, "reading the schema version")
	}
	if !exists {
		return 0, newest, nil
	}
	err = db.pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+db.table(historyTable)+` WHERE is_applied`).Scan(&have)
	return have, newest, db.storageError(err, "reading the schema version")
}

// checkVersion refuses a schema that is not of this version.
func (db *DB) checkVersion(ctx context.Context) error {
	have, newest, err := db.versions(ctx)
	switch {
	case err != nil:
		return err
	case have > newest:
		return db.tooNew(have, newest)
	case have == 0:
		return rasterbase.Errorf(rasterbase.Unsupported, "the database has no schema %s of rasterbase yet", db.schema).
			WithHint("run `rasterbase migrate` with the same settings to make it")
	case have < newest:
		return rasterbase.Errorf(rasterbase.Unsupported, "the schema %s has version %d, and this rasterbase needs version %d",
			db.schema, have, newest).WithHint("run `rasterbase migrate` with the same settings to bring it up to date")
	}
	return nil
}

func (db *DB) tooNew(have, newest int64) error {
	return rasterbase.Errorf(rasterbase.Unsupported, "the schema %s has version %d, and this rasterbase knows versions up to %d",
		db.schema, have, newest).WithHint("run the newer rasterbase that made it: `rasterbase version` tells which one this is")
}

// ensureExtension makes an extension if it is not there.
func (db *DB) ensureExtension(ctx context.Context, name string) error {
	exists, err := db.hasExtension(ctx, name)
	if err != nil || exists {
		return err
	}
	_, err = db.pool.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS `+pgx.Identifier{name}.Sanitize())
	switch code := sqlState(err); {
	case code == codePrivilege:
		e := noExtension(name)
		e.Message += ", and this role may not make it"
		e.Err = err
		return e
	case code == codeUnique || code == "42710": // another process was quicker
		return nil
	case err != nil:
		return rasterbase.Errorf(rasterbase.Unsupported, "making the extension %s: %w", name, err).
			WithHint("install PostGIS with its raster part on the database server")
	}
	return nil
}

// ensureSchema makes our schema if it is not there.
func (db *DB) ensureSchema(ctx context.Context) error {
	exists, err := db.hasSchema(ctx)
	if err != nil || exists {
		return err
	}
	_, err = db.pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+db.schema)
	switch code := sqlState(err); {
	case code == codePrivilege:
		return rasterbase.Errorf(rasterbase.Forbidden, "this role may not make the schema %s: %w", db.schema, err).
			WithHint("as an administrator run: CREATE SCHEMA %s AUTHORIZATION the_role; or name another one with RASTER_SCHEMA", db.schema)
	case code == codeUnique || code == "42P06": // another process was quicker
		return nil
	}
	return db.storageError(err, "making the schema %s", db.o.Schema)
}
