package postgis

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// backend is the table of jobs as the queue uses it. Its transactions touch
// single rows, which they lock: they need not be serializable, and so do not
// get in the way of those that are.
type backend struct{ db *DB }

func (b backend) Next(ctx context.Context, w leasequeue.Wanted) (at time.Time, err error) {
	err = catalog(b).View(ctx, func(tx store.Tx) error {
		at, err = tx.(*sqlcatalog.Tx).NextJob(ctx, w)
		return err
	})
	return at, err
}

func (b backend) Take(ctx context.Context, w leasequeue.Wanted) (l *leasequeue.Lease, err error) {
	var died int64
	err = catalog(b).update(ctx, pgx.ReadCommitted, func(t *sqlcatalog.Tx) (err error) {
		l, died, err = t.TakeJob(ctx, w, b.db.o.Queue.Lease)
		return err
	})
	if err == nil && died > 0 {
		b.db.o.Logger.WarnContext(ctx, "took jobs from workers that died", "jobs", died)
	}
	return l, err
}

func (b backend) Renew(ctx context.Context, l *leasequeue.Lease) (cancel bool, err error) {
	err = catalog(b).update(ctx, pgx.ReadCommitted, func(t *sqlcatalog.Tx) (err error) {
		cancel, err = t.HoldLease(ctx, l, b.db.o.Queue.Lease)
		return err
	})
	return cancel, err
}

func (b backend) Finish(ctx context.Context, l *leasequeue.Lease, o leasequeue.Outcome) (state store.JobState, err error) {
	err = catalog(b).update(ctx, pgx.ReadCommitted, func(t *sqlcatalog.Tx) (err error) {
		state, err = t.EndJob(ctx, l, o, b.db.o.Queue.Backoff)
		return err
	})
	return state, err
}
