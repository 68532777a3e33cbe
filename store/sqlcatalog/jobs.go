package sqlcatalog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type jobs struct{ *Tx }

const defaultAttempts = 3

const jobColumns = `id, kind, args, unique_key, group_key, max_attempts, state, attempt, error, not_before, created, ended`

func scanJob(row Row) (*store.Job, error) {
	var j store.Job
	var args []byte
	err := row.Scan(&j.ID, &j.Kind, &args, &j.UniqueKey, &j.Group, &j.MaxAttempts, &j.State, &j.Attempt, &j.Error,
		(*Time)(&j.NotBefore), (*Time)(&j.Created), (*Time)(&j.Ended))
	if len(args) > 0 {
		j.Args = args
	}
	return &j, err
}

func (x jobs) Enqueue(ctx context.Context, j *store.Job) error {
	if j.Kind == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "a job needs a kind")
	}
	if len(j.Args) > 0 && !json.Valid(j.Args) {
		return rasterbase.Errorf(rasterbase.Invalid, "the arguments of a %s job are not JSON", j.Kind)
	}
	if j.UniqueKey != "" {
		err := x.row(ctx, `SELECT id FROM @jobs WHERE unique_key = ? AND state IN ('waiting', 'running')`, j.UniqueKey).Scan(&j.ID)
		if err == nil {
			return nil
		}
		if !x.c.d.IsNoRows(err) {
			return fmt.Errorf("looking for job %q: %w", j.UniqueKey, err)
		}
	}
	n := *j
	n.Created = x.now()
	n.State, n.Attempt, n.Error = store.JobWaiting, 0, ""
	if n.MaxAttempts <= 0 {
		n.MaxAttempts = defaultAttempts
	}
	if n.NotBefore.IsZero() {
		n.NotBefore = n.Created
	}
	args := []byte(n.Args)
	if args == nil {
		args = []byte{}
	}
	id, err := x.insert(ctx, "jobs", `kind, args, unique_key, group_key, max_attempts, state, attempt, error, not_before, created,
		lease, lease_until, cancel`, 0, []any{n.Kind, args, n.UniqueKey, n.Group, n.MaxAttempts, n.State, n.Attempt, n.Error, n.NotBefore,
		n.Created, "", noLease, false})
	if err != nil {
		return fmt.Errorf("adding a %s job: %w", j.Kind, err)
	}
	n.ID = store.JobID(id)
	set(x.Tx, j, n)
	x.added = true
	return nil
}

func (x jobs) Get(ctx context.Context, id store.JobID) (*store.Job, error) {
	j, err := scanJob(x.row(ctx, `SELECT `+jobColumns+` FROM @jobs WHERE id = ?`, id))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, store.NotFound("there is no job %d", id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading job %d: %w", id, err)
	}
	return j, nil
}

func (x jobs) List(ctx context.Context, states []store.JobState, limit int) ([]*store.Job, error) {
	return x.listWhere(ctx, ``, nil, states, limit)
}

func (x jobs) ListGroup(ctx context.Context, group string, states []store.JobState, limit int) ([]*store.Job, error) {
	return x.listWhere(ctx, ` WHERE group_key = ? AND group_key <> ''`, []any{group}, states, limit)
}

// listWhere lists the jobs that match a condition and have one of some states.
func (x jobs) listWhere(ctx context.Context, where string, args []any, states []store.JobState, limit int) ([]*store.Job, error) {
	if len(states) > 0 {
		wanted, err := x.list(states)
		if err != nil {
			return nil, err
		}
		if where == `` {
			where = ` WHERE `
		} else {
			where += ` AND `
		}
		where, args = where+x.c.d.InTexts(`state`), append(args, wanted)
	}
	out, err := collect(ctx, x.Tx, scanJob, `SELECT `+jobColumns+` FROM @jobs`+where+` ORDER BY id DESC LIMIT ?`,
		append(args, limited(limit))...)
	if err != nil {
		return nil, fmt.Errorf("listing jobs: %w", err)
	}
	return out, nil
}

func (x jobs) Cancel(ctx context.Context, id store.JobID) error {
	if _, err := x.Get(ctx, id); err != nil {
		return err
	}
	_, err := x.exec(ctx, `UPDATE @jobs SET cancel = TRUE, state = 'cancelled', ended = ? WHERE id = ? AND state = 'waiting'`, x.now(), id)
	if err == nil {
		_, err = x.exec(ctx, `UPDATE @jobs SET cancel = TRUE WHERE id = ? AND state = 'running'`, id)
	}
	if err != nil {
		return fmt.Errorf("cancelling job %d: %w", id, err)
	}
	x.cancelled = true
	return nil
}

func (x jobs) CancelGroup(ctx context.Context, group string, but store.JobID) error {
	if group == "" {
		return nil
	}
	n, err := x.exec(ctx, `UPDATE @jobs SET cancel = TRUE, ended = CASE state WHEN 'waiting' THEN ? ELSE ended END,
			state = CASE state WHEN 'waiting' THEN 'cancelled' ELSE state END
		WHERE group_key = ? AND group_key <> '' AND state IN ('waiting', 'running') AND id <> ?`, x.now(), group, but)
	if err != nil {
		return fmt.Errorf("cancelling the jobs of %s: %w", group, err)
	}
	x.cancelled = x.cancelled || n > 0
	return nil
}
