package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase/store"
)

// catalog runs transactions on the database.
type catalog struct{ db *DB }

// tx is one transaction.
type tx struct {
	*sql.Tx
	db *DB
	// statements are those of the connections that only read; nil: none.
	statements *statements
	unprepared []string // queries that were made without a statement
	// added and cancelled tell that workers of this process should look, once
	// the transaction is kept.
	added, cancelled bool
}

// View runs fn on a connection that cannot write.
func (c catalog) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t, err := c.db.readers.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return c.failed(ctx, err, "reading the catalog")
	}
	read := &tx{Tx: t, db: c.db, statements: c.db.statements}
	defer func() {
		_ = t.Rollback() // it has changed nothing
		read.statements.keep(ctx, read.unprepared)
	}()
	return c.failed(ctx, fn(read), "reading the catalog")
}

// Update runs fn on the writing connection. With the context of a job's
// handler it fails once the job belongs to another worker.
func (c catalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.update(ctx, func(t *tx) error {
		if err := t.checkLease(ctx); err != nil {
			return err
		}
		return fn(t)
	})
}

func (c catalog) update(ctx context.Context, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sqlTx, err := c.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return c.failed(ctx, err, "writing the catalog")
	}
	t := &tx{Tx: sqlTx, db: c.db}
	defer func() { _ = sqlTx.Rollback() }() // after a commit there is nothing to roll back
	if err := fn(t); err != nil {
		return c.failed(ctx, err, "writing the catalog")
	}
	if err := sqlTx.Commit(); err != nil {
		return c.failed(ctx, err, "writing the catalog")
	}
	if t.added {
		c.db.queue.added.broadcast()
	}
	if t.cancelled {
		c.db.queue.cancelled.broadcast()
	}
	return nil
}

// failed adds what a caller can act on to errors of the database, and leaves
// those of the caller's function as they are. When the context is done, the
// transaction was ended for that reason, whatever the database says.
func (c catalog) failed(ctx context.Context, err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (errors.Is(err, sql.ErrTxDone) || resultCode(err) != 0):
		return errors.Join(ctx.Err(), err)
	case resultCode(err) != 0, errors.Is(err, sql.ErrTxDone):
		return c.db.storageError(err, "%s", doing)
	}
	return err
}

func (t *tx) Layers() store.Layers       { return layers{t} }
func (t *tx) Revisions() store.Revisions { return revisions{t} }
func (t *tx) Parses() store.Parses       { return parses{t} }
func (t *tx) Legends() store.Legends     { return legends{t} }
func (t *tx) Jobs() store.Jobs           { return jobs{t} }

// QueryContext makes a query with its kept statement, if it has one.
func (t *tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := t.prepared(query); s != nil {
		return t.StmtContext(ctx, s).QueryContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes its statements
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext makes a query for one row with its kept statement, if it has
// one.
func (t *tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := t.prepared(query); s != nil {
		return t.StmtContext(ctx, s).QueryRowContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes its statements
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// prepared gives the kept statement of a query, or notes that it has none.
func (t *tx) prepared(query string) *sql.Stmt {
	if t.statements == nil {
		return nil
	}
	s := t.statements.get(query)
	if s == nil && !slices.Contains(t.unprepared, query) {
		t.unprepared = append(t.unprepared, query)
	}
	return s
}

// scanner is a row, or rows at one of them.
type scanner interface{ Scan(...any) error }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, t *tx, scan func(scanner) (T, error), query string, args ...any) (out []T, err error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// insert runs an INSERT and gives the new row's id.
func (t *tx) insert(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// change runs a statement and gives how many rows it changed.
func (t *tx) change(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// caseless makes texts that differ in case only equal. Upper case first,
// because some letters have several lower-case forms.
func caseless(s string) string { return strings.ToLower(strings.ToUpper(s)) }
