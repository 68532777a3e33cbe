package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// dialect is how SQLite takes the queries of the catalog. One transaction
// writes at a time, and so no row needs a lock; ids that are stored move those
// that are made on by themselves.
func (db *DB) dialect() sqlcatalog.Dialect {
	in := func(column string) string { return column + ` IN (SELECT value FROM json_each(?))` }
	return sqlcatalog.Dialect{
		Time: micros, Now: db.o.Clock, IsUnique: isUnique, IsNoRows: isNoRows,
		InTexts: in, InIDs: in, Position: "instr",
	}
}

// micros is how a time is stored; the zero time is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// catalog runs transactions on the database.
type catalog struct{ db *DB }

// View runs fn on a connection that cannot write.
func (c catalog) View(ctx context.Context, fn func(store.Tx) error) error {
	return c.view(ctx, func(conn *conn) error { return fn(c.db.queries.Tx(conn)) })
}

func (c catalog) view(ctx context.Context, fn func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t, err := c.db.readers.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return c.failed(ctx, err, "reading the catalog")
	}
	read := &conn{on: t, tx: t, statements: c.db.statements}
	defer func() {
		_ = t.Rollback() // it has changed nothing
		read.statements.keep(ctx, read.unprepared)
	}()
	return c.failed(ctx, fn(read), "reading the catalog")
}

// Update runs fn on the writing connection. With the context of a job's
// handler it fails once the job belongs to another worker.
func (c catalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.update(ctx, func(t *sqlcatalog.Tx) error {
		if l, ok := c.db.queue.Held(ctx); ok {
			if _, err := t.HoldLease(ctx, l, c.db.o.Lease); err != nil {
				return err
			}
		}
		return fn(t)
	})
}

func (c catalog) update(ctx context.Context, fn func(*sqlcatalog.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sqlTx, err := c.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return c.failed(ctx, err, "writing the catalog")
	}
	t, kept := c.db.queries.Tx(&conn{on: sqlTx}), false
	defer func() {
		if !kept {
			_ = sqlTx.Rollback() // after a commit that failed there may be nothing to roll back
			t.TakeBack()
		}
	}()
	if err := fn(t); err != nil {
		return c.failed(ctx, err, "writing the catalog")
	}
	if t.Changed() {
		if err := countChange(ctx, sqlTx); err != nil {
			return c.failed(ctx, err, "writing the catalog")
		}
		defer c.db.generation.Moved() // also if nobody knows whether it was kept
	}
	if err := sqlTx.Commit(); err != nil {
		return c.failed(ctx, err, "writing the catalog")
	}
	kept = true
	if t.JobsAdded() {
		c.db.queue.Added()
	}
	if t.JobsCancelled() {
		c.db.queue.Cancelled()
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

// conn runs the catalog's statements.
type conn struct {
	on interface { // a transaction, or the readers
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	tx *sql.Tx // of those that only read
	// statements are those of the connections that only read; nil: none.
	statements *statements
	unprepared []string // queries that were made without a statement
}

// Exec runs a statement.
func (c *conn) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := c.on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Query makes a query with its kept statement, if it has one.
func (c *conn) Query(ctx context.Context, query string, args ...any) (sqlcatalog.Rows, error) {
	if s := c.prepared(query); s != nil {
		return c.tx.StmtContext(ctx, s).QueryContext(ctx, args...) //nolint:sqlclosecheck,rowserrcheck // the transaction closes its statements; rows are the caller's
	}
	return c.on.QueryContext(ctx, query, args...) //nolint:rowserrcheck // rows are the caller's
}

// QueryRow makes a query for one row with its kept statement, if it has one.
func (c *conn) QueryRow(ctx context.Context, query string, args ...any) sqlcatalog.Row {
	if s := c.prepared(query); s != nil {
		return c.tx.StmtContext(ctx, s).QueryRowContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes its statements
	}
	return c.on.QueryRowContext(ctx, query, args...)
}

// prepared gives the kept statement of a query, or notes that it has none.
func (c *conn) prepared(query string) *sql.Stmt {
	if c.statements == nil {
		return nil
	}
	s := c.statements.get(query)
	if s == nil && !slices.Contains(c.unprepared, query) {
		c.unprepared = append(c.unprepared, query)
	}
	return s
}
