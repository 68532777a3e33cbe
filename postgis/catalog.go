package postgis

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// catalog runs transactions on the database.
type catalog struct{ db *DB }

// View runs fn in a transaction that sees one state and cannot write.
func (c catalog) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := c.db.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return c.failed(ctx, err, "reading the catalog")
	}
	defer rollback(ctx, tx)
	return c.failed(ctx, fn(c.db.catalog.Tx(conn{tx})), "reading the catalog")
}

// Update runs fn in a transaction that is as if it ran alone; when another one
// got in its way, it is run again. With the context of a job's handler it fails
// once the job belongs to another worker.
func (c catalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.update(ctx, pgx.Serializable, func(t *sqlcatalog.Tx) error { return c.fenced(ctx, t, fn) })
}

// fenced runs fn unless the context is that of a job's handler which lost its
// lease.
func (c catalog) fenced(ctx context.Context, t *sqlcatalog.Tx, fn func(store.Tx) error) error {
	if l, ok := c.db.queue.Held(ctx); ok {
		if _, err := t.HoldLease(ctx, l, c.db.o.Queue.Lease); err != nil {
			return err
		}
	}
	return fn(t)
}

// repeatFor is how long a transaction is tried again that others get in the way
// of. Most succeed at the second attempt.
const repeatFor = 15 * time.Second

func (c catalog) update(ctx context.Context, level pgx.TxIsoLevel, fn func(*sqlcatalog.Tx) error) error {
	end := time.Now().Add(repeatFor)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := c.updateOnce(ctx, level, fn)
		if err == nil || ctx.Err() != nil || !isContention(err) || time.Now().After(end) {
			return c.failed(ctx, err, "writing the catalog")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(pause) + pause/2):
		}
	}
}

// isContention reports whether a transaction failed because of another one at
// the same time. A key that exists is such a case: whoever looks for it the
// next time finds it.
func isContention(err error) bool {
	switch sqlState(err) {
	case codeSerialization, codeDeadlock, codeUnique, codeExclusion:
		return true
	}
	return false
}

func (c catalog) updateOnce(ctx context.Context, level pgx.TxIsoLevel, fn func(*sqlcatalog.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := c.db.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: level})
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	t := c.db.catalog.Tx(conn{tx})
	err = fn(t)
	if err == nil {
		err = tx.Commit(ctx)
		if t.Changed() {
			c.db.generation.Moved() // also if nobody knows whether it was kept
		}
	}
	if err != nil {
		t.TakeBack()
		return err
	}
	c.wake(t)
	return nil
}

// wake tells the workers of this process what a kept transaction has for them.
func (c catalog) wake(t *sqlcatalog.Tx) {
	if t.JobsAdded() {
		c.db.queue.Added()
	}
	if t.JobsCancelled() {
		c.db.queue.Cancelled()
	}
}

// rollback ends a transaction that was not committed. It must reach the server
// although the context is done, so that the connection can be used again.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = tx.Rollback(ctx) // after a commit there is nothing to roll back
}

// failed adds what a caller can act on to errors of the database, and leaves
// those of the caller's function as they are. When the context is done, the
// transaction was ended for that reason, whatever the database says.
func (c catalog) failed(ctx context.Context, err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (sqlState(err) != "" || isConnectionLoss(err) || errors.Is(err, pgx.ErrTxClosed)):
		return errors.Join(ctx.Err(), err)
	case sqlState(err) != "", isConnectionLoss(err):
		return c.db.storageError(err, "%s", doing)
	}
	return err
}

// conn is a transaction as the catalog's queries use it.
type conn struct{ tx pgx.Tx }

func (c conn) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := c.tx.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (c conn) Query(ctx context.Context, query string, args ...any) (sqlcatalog.Rows, error) {
	r, err := c.tx.Query(ctx, query, args...)
	return rows{r}, err
}

func (c conn) QueryRow(ctx context.Context, query string, args ...any) sqlcatalog.Row {
	return c.tx.QueryRow(ctx, query, args...)
}

type rows struct{ pgx.Rows }

func (r rows) Close() error {
	r.Rows.Close()
	return nil
}
