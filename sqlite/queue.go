package sqlite

import (
	"context"
	"time"

	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// leases is what the queue asks of the database.
type leases struct{ db *DB }

// newQueue makes the queue over the jobs of the catalog.
func newQueue(db *DB) *leasequeue.Queue {
	return leasequeue.New(leases{db}, leasequeue.Options{Logger: db.o.Logger, Clock: db.o.Clock,
		Lease: db.o.Lease, Heartbeat: db.o.Heartbeat, Poll: db.o.Poll, GiveUp: db.o.GiveUp})
}

// Next makes one query, which needs no transaction.
func (l leases) Next(ctx context.Context, w leasequeue.Wanted) (time.Time, error) {
	at, err := l.db.queries.Tx(&conn{on: l.db.readers}).NextJob(ctx, w)
	return at, catalog{l.db}.failed(ctx, err, "reading the catalog")
}

// Take leases a job.
func (l leases) Take(ctx context.Context, w leasequeue.Wanted) (taken *leasequeue.Lease, err error) {
	var died int64
	err = catalog{l.db}.update(ctx, func(t *sqlcatalog.Tx) (err error) {
		taken, died, err = t.TakeJob(ctx, w, l.db.o.Lease)
		return err
	})
	if err != nil {
		return nil, err
	}
	if died > 0 {
		l.db.o.Logger.WarnContext(ctx, "took jobs from workers that died", "jobs", died)
	}
	return taken, nil
}

// Renew prolongs a lease.
func (l leases) Renew(ctx context.Context, held *leasequeue.Lease) (cancel bool, err error) {
	err = catalog{l.db}.update(ctx, func(t *sqlcatalog.Tx) (err error) {
		cancel, err = t.HoldLease(ctx, held, l.db.o.Lease)
		return err
	})
	return cancel, err
}

// Finish records how an attempt ended.
func (l leases) Finish(ctx context.Context, held *leasequeue.Lease, o leasequeue.Outcome) (state store.JobState, err error) {
	err = catalog{l.db}.update(ctx, func(t *sqlcatalog.Tx) (err error) {
		state, err = t.EndJob(ctx, held, o, l.db.o.Backoff)
		return err
	})
	return state, err
}
