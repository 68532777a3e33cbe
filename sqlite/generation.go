package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// Generation names the state of what tiles are drawn from. Changes made through
// this DB show at once, those of other processes within half a second. What is
// changed by hand, with another program than rasterbase, does not show.
func (c catalog) Generation() (uint64, bool) { return c.db.generation.Now() }

// countChange counts a transaction that other processes must see. It is the last
// statement of it.
func countChange(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE generation SET n = n + 1`)
	return err
}

// watch looks at the catalog through a connection of its own: SQLite tells a
// connection at little cost whether any other one has written, and only then the
// count is read.
type watch struct {
	db      *sql.DB
	conn    *sql.Conn
	version int64 // of the database, as this connection sees it
	n       int64
}

func (db *DB) watch(ctx context.Context) (_ sqlcatalog.Watch, err error) {
	w := &watch{}
	w.db, err = sql.Open("sqlite", dsn(filepath.Join(db.dir, "rasterbase.db"), "rw", "busy_timeout(1000)", "query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("opening the catalog for watching it: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("opening the catalog for watching it: %w", err)
	}
	// Whatever is written between the two shows as another version later.
	if w.version, err = w.read(ctx, `PRAGMA data_version`); err != nil {
		return nil, err
	}
	w.n, err = w.read(ctx, `SELECT n FROM generation`)
	return w, err
}

func (w *watch) read(ctx context.Context, query string) (n int64, err error) {
	if err := w.conn.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("looking for changes of the catalog: %w", err)
	}
	return n, nil
}

func (w *watch) Look(ctx context.Context) (bool, error) {
	version, err := w.read(ctx, `PRAGMA data_version`)
	if err != nil || version == w.version {
		return false, err
	}
	n, err := w.read(ctx, `SELECT n FROM generation`)
	if err != nil {
		return false, err
	}
	changed := n != w.n
	w.version, w.n = version, n
	return changed, nil
}

// Wait waits for the next look: nobody tells of changes.
func (w *watch) Wait(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (w *watch) Close() error {
	var err error
	if w.conn != nil {
		err = w.conn.Close()
	}
	return errors.Join(err, w.db.Close())
}
