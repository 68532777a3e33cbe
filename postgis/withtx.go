package postgis

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase/store"
)

// WithTx gives the store with a catalog that reads and writes in a host's
// transaction: a layer and the host's own rows are kept together, or not at
// all. The host commits. Tiles and source files are written beside it.
//
// The catalog is for one goroutine at a time, as the transaction is. An update
// that fails is undone alone, by a savepoint; one that meets a key which another
// transaction has just taken is repeated, and finds it. Otherwise the host
// repeats its own transaction when another one gets in its way. Two updates of the
// same thing at once are told apart only as well as the transaction's isolation
// level does; serializable is what [DB.Catalog] uses. Ids that were set in
// callers' values stay there when the host rolls back. Other readers learn of what
// was changed when the host has committed: the Generation of [DB.Catalog] is another
// one within a second then. That of the transaction's own catalog is not known.
func (db *DB) WithTx(tx pgx.Tx) store.Store { return txStore{db, tx} }

type txStore struct {
	*DB
	tx pgx.Tx
}

// Catalog is that of the transaction.
func (s txStore) Catalog() store.Catalog { return txCatalog{catalog{s.DB}, s.tx} }

// Close does nothing: the store is the host's.
func (s txStore) Close() error { return nil }

type txCatalog struct {
	catalog
	tx pgx.Tx
}

// View reads what the transaction sees.
func (c txCatalog) View(ctx context.Context, fn func(store.Tx) error) error {
	return c.failed(ctx, fn(c.db.catalog.Tx(conn{c.tx})), "reading the catalog")
}

// keyTries is how often an update is tried whose keys others take.
const keyTries = 5

// Update writes within a savepoint. Workers find jobs that were added when they
// look the next time after the host's commit.
func (c txCatalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	for try := 1; ; try++ {
		err := c.updateOnce(ctx, fn)
		if code := sqlState(err); try == keyTries || code != codeUnique && code != codeExclusion {
			return err
		}
	}
}

func (c txCatalog) updateOnce(ctx context.Context, fn func(store.Tx) error) error {
	point, err := c.tx.Begin(ctx)
	if err != nil {
		return c.failed(ctx, err, "writing the catalog")
	}
	defer rollback(ctx, point)
	t := c.db.catalog.Tx(conn{point})
	if err = c.fenced(ctx, t, fn); err == nil {
		err = point.Commit(ctx)
	}
	if err != nil {
		t.TakeBack()
	}
	return c.failed(ctx, err, "writing the catalog")
}
