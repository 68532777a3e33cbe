package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type jobs struct{ *tx }

const defaultAttempts = 3

const jobColumns = `id, kind, args, unique_key, max_attempts, state, attempt, error, not_before, created, ended`

func scanJob(row scanner) (*store.Job, error) {
	var j store.Job
	var args []byte
	var notBefore, created, ended sql.NullInt64
	err := row.Scan(&j.ID, &j.Kind, &args, &j.UniqueKey, &j.MaxAttempts, &j.State, &j.Attempt, &j.Error, &notBefore, &created, &ended)
	if len(args) > 0 {
		j.Args = args
	}
	j.NotBefore, j.Created, j.Ended = timeOf(notBefore), timeOf(created), timeOf(ended)
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
		err := x.QueryRowContext(ctx, `SELECT id FROM jobs WHERE unique_key = ? AND state IN ('waiting', 'running')`,
			j.UniqueKey).Scan(&j.ID)
		if err == nil {
			return nil
		}
		if !isNoRows(err) {
			return fmt.Errorf("looking for job %q: %w", j.UniqueKey, err)
		}
	}
	n := *j
	n.Created = x.db.now()
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
	id, err := x.insert(ctx, `INSERT INTO jobs (kind, args, unique_key, max_attempts, state, attempt, error, not_before, created,
		lease, lease_until, cancel) VALUES (?, ?, ?, ?, ?, 0, '', ?, ?, '', 0, 0)`,
		n.Kind, args, n.UniqueKey, n.MaxAttempts, string(n.State), n.NotBefore.UnixMicro(), n.Created.UnixMicro())
	if err != nil {
		return fmt.Errorf("adding a %s job: %w", j.Kind, err)
	}
	n.ID = store.JobID(id)
	*j = n
	x.added = true
	return nil
}

func (x jobs) Get(ctx context.Context, id store.JobID) (*store.Job, error) {
	j, err := scanJob(x.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs WHERE id = ?`, id))
	if isNoRows(err) {
		return nil, store.NotFound("there is no job %d", id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading job %d: %w", id, err)
	}
	return j, nil
}

func (x jobs) List(ctx context.Context, states []store.JobState, limit int) ([]*store.Job, error) {
	if limit <= 0 {
		limit = -1
	}
	wanted, err := jsonList(states)
	if err != nil {
		return nil, err
	}
	out, err := collect(ctx, x.tx, scanJob, `SELECT `+jobColumns+` FROM jobs
		WHERE ?1 = '[]' OR state IN (SELECT value FROM json_each(?1)) ORDER BY id DESC LIMIT ?2`, wanted, limit)
	if err != nil {
		return nil, fmt.Errorf("listing jobs: %w", err)
	}
	return out, nil
}

// jsonList is a list that a query takes as one parameter.
func jsonList[T any](v []T) (string, error) {
	if len(v) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding a list: %w", err)
	}
	return string(b), nil
}

func (x jobs) Cancel(ctx context.Context, id store.JobID) error {
	if _, err := x.Get(ctx, id); err != nil {
		return err
	}
	_, err := x.change(ctx, `UPDATE jobs SET
			cancel = 1,
			ended  = iif(state = 'waiting', ?, ended),
			state  = iif(state = 'waiting', 'cancelled', state)
		WHERE id = ? AND state IN ('waiting', 'running')`, x.db.now().UnixMicro(), id)
	if err != nil {
		return fmt.Errorf("cancelling job %d: %w", id, err)
	}
	x.cancelled = true
	return nil
}
