package sqlcatalog

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
)

// noLease is the end of the lease of a job that nobody has.
var noLease = time.Unix(0, 0).UTC()

// wanted gives the condition of jobs that a worker takes, and its arguments.
func (t *Tx) wanted(w leasequeue.Wanted) (where string, args []any, err error) {
	if w.Kinds == nil {
		w.Kinds = []string{} // none, and not null
	}
	kinds, err := t.list(w.Kinds)
	if err != nil {
		return "", nil, err
	}
	where, args = `state = 'waiting' AND `+t.c.d.InTexts(`kind`), []any{kinds}
	if len(w.Only) > 0 {
		only, err := t.list(w.Only)
		if err != nil {
			return "", nil, err
		}
		where, args = where+` AND `+t.c.d.InIDs(`id`), append(args, only)
	}
	if w.Group != "" {
		where, args = where+` AND group_key = ?`, append(args, w.Group)
	}
	return where, args, nil
}

// NextJob tells when there will be something to do, as leasequeue.Backend
// explains. It only reads.
func (t *Tx) NextJob(ctx context.Context, w leasequeue.Wanted) (at time.Time, err error) {
	where, args, err := t.wanted(w)
	if err != nil {
		return at, err
	}
	err = t.row(ctx, `SELECT min(t) FROM (
		SELECT min(not_before) AS t FROM @jobs WHERE `+where+`
		UNION ALL SELECT min(lease_until) FROM @jobs WHERE state = 'running') AS soon`, args...).Scan((*Time)(&at))
	return at, err
}

// TakeJob gives the jobs of dead workers back, whose number is died, removes
// old ones, and leases the next wanted job, nil when there is none. READ
// COMMITTED is enough for its transaction.
func (t *Tx) TakeJob(ctx context.Context, w leasequeue.Wanted, lease time.Duration) (l *leasequeue.Lease, died int64, err error) {
	if died, err = t.reap(ctx); err != nil {
		return nil, 0, fmt.Errorf("taking jobs from workers that died: %w", err)
	}
	if err := t.purge(ctx); err != nil {
		return nil, 0, fmt.Errorf("removing old jobs: %w", err)
	}
	where, args, err := t.wanted(w)
	if err != nil {
		return nil, 0, err
	}
	token, now := rand.Text(), t.now()
	args = append([]any{token, now.Add(lease)}, append(args, now)...)
	j, err := scanJob(t.row(ctx, `UPDATE @jobs
		SET state = 'running', attempt = attempt + 1, lease = ?, lease_until = ?
		WHERE id = (SELECT id FROM @jobs WHERE `+where+` AND not_before <= ? ORDER BY not_before, id LIMIT 1`+t.c.d.SkipLocked+`)
		RETURNING `+jobColumns, args...))
	if err != nil && t.c.d.IsNoRows(err) {
		return nil, died, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("taking a job: %w", err)
	}
	return &leasequeue.Lease{Job: j, Token: token}, died, nil
}

// reap ends the leases whose workers gave no sign of life.
func (t *Tx) reap(ctx context.Context) (int64, error) {
	now := t.now()
	n, err := t.exec(ctx, `UPDATE @jobs SET
			state = CASE WHEN cancel THEN 'cancelled' WHEN attempt >= max_attempts THEN 'failed' ELSE 'waiting' END,
			ended = CASE WHEN cancel OR attempt >= max_attempts THEN ? ELSE ended END,
			error = CASE WHEN cancel THEN error ELSE 'the worker of attempt ' || attempt || ' died' END,
			not_before = ?, lease = '', lease_until = ?
		WHERE id IN (SELECT id FROM @jobs WHERE state = 'running' AND lease_until <= ?`+t.c.d.SkipLocked+`)`, now, now, noLease, now)
	t.added = t.added || n > 0
	return n, err
}

// PurgedAtOnce bounds how many old jobs [Tx.TakeJob] removes. It is more than
// what is added in the time between: one job.
const PurgedAtOnce = 50

// purge removes jobs that ended long ago, the oldest first.
func (t *Tx) purge(ctx context.Context) error {
	_, err := t.exec(ctx, `DELETE FROM @jobs WHERE id IN (SELECT id FROM @jobs WHERE ended < ? ORDER BY ended LIMIT ?`+t.c.d.SkipLocked+`)`,
		t.now().Add(-store.JobKept), PurgedAtOnce)
	return err
}

// HoldLease prolongs a lease and tells whether the job is to be cancelled. The
// error matches store.ErrLeaseLost when the job belongs to somebody else.
//
// It is a worker's sign of life, and what a transaction of its handler begins
// with: nobody else can take the job until that transaction has ended, and a
// long one, which keeps the heartbeat from writing, prolongs the lease itself.
func (t *Tx) HoldLease(ctx context.Context, l *leasequeue.Lease, lease time.Duration) (cancel bool, err error) {
	err = t.row(ctx, `UPDATE @jobs SET lease_until = ? WHERE id = ? AND lease = ? AND state = 'running' RETURNING cancel`,
		t.now().Add(lease), l.Job.ID, l.Token).Scan(&cancel)
	if err != nil && t.c.d.IsNoRows(err) {
		return false, lost(l)
	}
	if err != nil {
		return false, fmt.Errorf("checking the lease of job %d: %w", l.Job.ID, err)
	}
	return cancel, nil
}

func lost(l *leasequeue.Lease) error { return fmt.Errorf("job %d: %w", l.Job.ID, store.ErrLeaseLost) }

// EndJob stores how an attempt ended, and gives the state that the job has
// then; backoff is the pause before a second attempt. The error matches
// store.ErrLeaseLost when the job belongs to somebody else.
func (t *Tx) EndJob(ctx context.Context, l *leasequeue.Lease, o leasequeue.Outcome, backoff time.Duration) (store.JobState, error) {
	var cancel bool
	err := t.row(ctx, `SELECT cancel FROM @jobs WHERE id = ? AND lease = ? AND state = 'running'`+t.c.d.ForUpdate,
		l.Job.ID, l.Token).Scan(&cancel)
	if err != nil && t.c.d.IsNoRows(err) {
		return "", lost(l)
	}
	if err != nil {
		return "", fmt.Errorf("looking at job %d: %w", l.Job.ID, err)
	}
	e := o.End(l.Job, cancel, t.now(), backoff)
	_, err = t.exec(ctx, `UPDATE @jobs SET state = ?, attempt = ?, error = ?, not_before = ?, ended = ?, lease = '', lease_until = ?
		WHERE id = ?`, e.State, e.Attempt, e.Error, e.NotBefore, e.Ended, noLease, l.Job.ID)
	if err != nil {
		return "", fmt.Errorf("storing the end of job %d: %w", l.Job.ID, err)
	}
	t.added = true // a worker may have to look earlier than it thinks
	return e.State, nil
}
