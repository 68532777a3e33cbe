package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase/store"
)

// lease is the right to run a job. Its token is new each time a job is taken,
// so that whoever had the job before is recognised.
type lease struct {
	job   *store.Job
	token string
}

// leaseKey finds the lease of a handler's context.
type leaseKey struct{ db *DB }

// checkLease refuses what a handler writes after its job was taken over.
func (t *tx) checkLease(ctx context.Context) error {
	l, ok := ctx.Value(leaseKey{t.db}).(*lease)
	if !ok {
		return nil
	}
	// The lease is renewed on the way: a long transaction keeps the heartbeat
	// from writing.
	n, err := t.change(ctx, `UPDATE jobs SET lease_until = ? WHERE id = ? AND lease = ? AND state = 'running'`,
		t.db.leaseEnd(), l.job.ID, l.token)
	if err != nil {
		return fmt.Errorf("checking the lease of job %d: %w", l.job.ID, err)
	}
	if n == 0 {
		return fmt.Errorf("job %d: %w", l.job.ID, store.ErrLeaseLost)
	}
	return nil
}

func (db *DB) leaseEnd() int64 { return db.now().Add(db.o.Lease).UnixMicro() }

// wanted selects the jobs that a worker takes, as parameters of queries.
type wanted struct{ kinds, only string }

func newWanted(o store.WorkOptions) (w wanted, err error) {
	kinds := make([]string, 0, len(o.Handlers))
	for k := range o.Handlers {
		kinds = append(kinds, k)
	}
	if w.kinds, err = jsonList(kinds); err != nil {
		return w, err
	}
	w.only, err = jsonList(o.Only)
	return w, err
}

const isWanted = `state = 'waiting' AND kind IN (SELECT value FROM json_each(?1))
	AND (?2 = '[]' OR id IN (SELECT value FROM json_each(?2)))`

// next tells when there will be something to do: a wanted job, or the end of
// the lease of a dead worker. It only reads. The zero time: nothing in sight.
func (q *queue) next(ctx context.Context, w wanted) (time.Time, error) {
	var at *int64
	err := q.db.readers.QueryRowContext(ctx, `SELECT min(t) FROM (
		SELECT min(not_before) AS t FROM jobs WHERE `+isWanted+`
		UNION ALL SELECT min(lease_until) FROM jobs WHERE state = 'running')`, w.kinds, w.only).Scan(&at)
	if err != nil || at == nil {
		return time.Time{}, catalog{q.db}.failed(ctx, err, "reading the catalog")
	}
	return time.UnixMicro(*at), nil
}

// take gives dead workers' jobs back, removes old ones and leases the next wanted job, nil when
// there is none.
func (q *queue) take(ctx context.Context, w wanted) (l *lease, err error) {
	err = catalog{q.db}.update(ctx, func(t *tx) error {
		l = nil
		if err := q.reap(ctx, t); err != nil {
			return err
		}
		if err := q.purge(ctx, t); err != nil {
			return err
		}
		token := rand.Text()
		j, err := scanJob(t.QueryRowContext(ctx, `UPDATE jobs
			SET state = 'running', attempt = attempt + 1, lease = ?3, lease_until = ?4
			WHERE id = (SELECT id FROM jobs WHERE `+isWanted+` AND not_before <= ?5 ORDER BY not_before, id LIMIT 1)
			RETURNING `+jobColumns, w.kinds, w.only, token, q.db.leaseEnd(), q.db.now().UnixMicro()))
		if isNoRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		l = &lease{job: j, token: token}
		return nil
	})
	return l, err
}

// reap ends the leases whose workers gave no sign of life.
func (q *queue) reap(ctx context.Context, t *tx) error {
	n, err := t.change(ctx, `UPDATE jobs SET
			state = CASE WHEN cancel THEN 'cancelled' WHEN attempt >= max_attempts THEN 'failed' ELSE 'waiting' END,
			ended = iif(cancel OR attempt >= max_attempts, ?1, NULL),
			error = iif(cancel, error, 'the worker of attempt ' || attempt || ' died'),
			not_before = ?1, lease = '', lease_until = 0
		WHERE state = 'running' AND lease_until < ?1`, q.db.now().UnixMicro())
	if err != nil {
		return err
	}
	if n > 0 {
		t.added = true
		q.db.o.Logger.WarnContext(ctx, "took jobs from workers that died", "jobs", n)
	}
	return nil
}

// purgeChunk bounds what is purged at a time. It is more than what is added in
// that time: one job.
const purgeChunk = 50

// purge removes jobs that ended long ago, the oldest first.
func (q *queue) purge(ctx context.Context, t *tx) error {
	_, err := t.ExecContext(ctx, purgeJobs, q.db.now().Add(-store.JobKept).UnixMicro(), purgeChunk)
	return err
}

const purgeJobs = `DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE ended < ? ORDER BY ended LIMIT ?)`

// renew prolongs a lease and tells whether the job is to be cancelled. The
// error matches ErrLeaseLost when the job belongs to somebody else.
func (q *queue) renew(ctx context.Context, l *lease) (cancel bool, err error) {
	err = catalog{q.db}.update(ctx, func(t *tx) error {
		err := t.QueryRowContext(ctx, `UPDATE jobs SET lease_until = ? WHERE id = ? AND lease = ? AND state = 'running' RETURNING cancel`,
			q.db.leaseEnd(), l.job.ID, l.token).Scan(&cancel)
		if isNoRows(err) {
			return store.ErrLeaseLost
		}
		return err
	})
	return cancel, err
}

// outcome is how an attempt ended.
type outcome struct {
	err      error
	handBack bool // the worker shuts down: the attempt does not count
}

// finish records how an attempt ended. The error matches ErrLeaseLost when the
// job belongs to somebody else.
func (q *queue) finish(ctx context.Context, l *lease, o outcome) (state store.JobState, err error) {
	err = catalog{q.db}.update(ctx, func(t *tx) error {
		var cancel bool
		err := t.QueryRowContext(ctx, `SELECT cancel FROM jobs WHERE id = ? AND lease = ? AND state = 'running'`,
			l.job.ID, l.token).Scan(&cancel)
		if isNoRows(err) {
			return store.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		now := q.db.now()
		notBefore, ended, attempt, text := now, any(nil), l.job.Attempt, l.job.Error
		var permanent *store.Permanent
		switch {
		case o.err == nil:
			state, text = store.JobDone, ""
		case cancel:
			state = store.JobCancelled
		case o.handBack && !errors.As(o.err, &permanent):
			state, attempt = store.JobWaiting, attempt-1
		case errors.As(o.err, &permanent), attempt >= l.job.MaxAttempts:
			state, text = store.JobFailed, o.err.Error()
		default:
			state, text = store.JobWaiting, o.err.Error()
			notBefore = now.Add(q.backoff(attempt))
		}
		if state.Ended() {
			ended = now.UnixMicro()
		}
		t.added = true // a worker may have to look earlier than it thinks
		_, err = t.change(ctx, `UPDATE jobs SET state = ?, attempt = ?, error = ?, not_before = ?, ended = ?, lease = '', lease_until = 0
			WHERE id = ?`, string(state), attempt, text, notBefore.UnixMicro(), ended, l.job.ID)
		return err
	})
	return state, err
}

// maxBackoff ends the growth of the pause between attempts.
const maxBackoff = time.Hour

// backoff is the pause after a failed attempt.
func (q *queue) backoff(attempt int) time.Duration {
	d := q.db.o.Backoff
	for range attempt - 1 {
		if d *= 2; d >= maxBackoff {
			return maxBackoff
		}
	}
	return d
}
