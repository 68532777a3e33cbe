package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"github.com/rasterbase/rasterbase"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema of the catalog to the newest version. Only one
// process does so at a time; others wait for it.
func migrate(ctx context.Context, dir string, writer *sql.DB) (err error) {
	unlock, err := lockForMigration(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, writer, files,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	have, newest, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema version: %w", err)
	}
	if have > newest {
		return rasterbase.Errorf(rasterbase.Unsupported,
			"the store in %s has schema version %d, and this rasterbase knows versions up to %d", dir, have, newest).
			WithHint("use the newer rasterbase that wrote it, or another folder")
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the catalog: %w", err)
	}
	return nil
}

// lockForMigration takes a lock that works between processes on every system
// that SQLite works on: an exclusive transaction of an empty database.
func lockForMigration(ctx context.Context, dir string) (unlock func() error, err error) {
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, "migrate.lock"), "rwc", "busy_timeout(60000)")+"&_txlock=exclusive")
	if err != nil {
		return nil, fmt.Errorf("opening the migration lock: %w", err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for another process to migrate %s: %w", dir, err), db.Close())
	}
	return func() error { return errors.Join(tx.Rollback(), db.Close()) }, nil
}
