package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

func addJob(t *testing.T, db *DB, j store.Job) *store.Job {
	t.Helper()
	if err := db.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Jobs().Enqueue(t.Context(), &j) }); err != nil {
		t.Fatal(err)
	}
	return &j
}

func jobOf(t *testing.T, db *DB, id store.JobID) (j *store.Job) {
	t.Helper()
	err := db.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
		j, err = tx.Jobs().Get(t.Context(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// workUntilEnd works on one job of kind "k" until it has ended.
func workUntilEnd(t *testing.T, db *DB, id store.JobID, h store.Handler) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := db.Queue().Work(ctx, store.WorkOptions{Handlers: map[string]store.Handler{"k": h}, Only: []store.JobID{id},
		Until: func(ctx context.Context) (done bool, err error) {
			err = db.Catalog().View(ctx, func(tx store.Tx) error {
				j, err := tx.Jobs().Get(ctx, id)
				done = err == nil && j.State.Ended()
				return err
			})
			return done, err
		}})
	return errors.Join(err, ctx.Err())
}

func pragma(t *testing.T, db *DB, p string) {
	t.Helper()
	if _, err := db.writer.ExecContext(context.Background(), "PRAGMA "+p); err != nil {
		t.Error(err)
	}
}

// long does not fit into a catalog that cannot grow.
var long = &store.Permanent{Err: errors.New(strings.Repeat("x", 1<<20))}

// A full disk on which the end of a job cannot be written ends the worker with
// an error that names it. The job is that of a dead worker.
func TestEndCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	db := openTest(t, dir, Options{GiveUp: 10 * time.Millisecond, Lease: 200 * time.Millisecond,
		Heartbeat: 10 * time.Millisecond, Poll: 10 * time.Millisecond})
	job, runs := addJob(t, db, store.Job{Kind: "k"}), 0
	full := func(context.Context, *store.Job) error {
		runs++
		pragma(t, db, "max_page_count = 1")
		return long
	}
	err := workUntilEnd(t, db, job.ID, full)
	if rasterbase.CodeOf(err) != rasterbase.TooLarge || !strings.Contains(err.Error(), dir) || runs != 1 {
		t.Errorf("after %d runs: %v", runs, err)
	}
	if j := jobOf(t, db, job.ID); j.State != store.JobRunning {
		t.Errorf("the job is %s", j.State)
	}
	pragma(t, db, "max_page_count = 1000000")
	if err := workUntilEnd(t, db, job.ID, func(context.Context, *store.Job) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if j := jobOf(t, db, job.ID); j.State != store.JobDone || j.Attempt != 2 {
		t.Errorf("the job is %s after attempt %d", j.State, j.Attempt)
	}
}

// A worker that is told to stop says too what it could not write.
func TestEndCannotBeWrittenAtShutdown(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{GiveUp: 10 * time.Millisecond})
	addJob(t, db, store.Job{Kind: "k"})
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Queue().Work(ctx, store.WorkOptions{Handlers: map[string]store.Handler{"k": func(ctx context.Context, _ *store.Job) error {
		pragma(t, db, "max_page_count = 1")
		cancel()
		<-ctx.Done()
		return long
	}}})
	if rasterbase.CodeOf(err) != rasterbase.TooLarge {
		t.Errorf("the error is %v", err)
	}
}

// hearing calls fn when a message is logged for the first time.
type hearing struct {
	slog.Handler
	message string
	once    *sync.Once
	fn      func()
}

func (h hearing) Enabled(context.Context, slog.Level) bool { return true }

func (h hearing) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h hearing) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.message) {
		h.once.Do(h.fn)
	}
	return nil
}

// Room that comes back while the worker still tries is used: the job ran once.
func TestEndIsWrittenWhenThereIsRoom(t *testing.T) {
	var db *DB
	log := slog.New(hearing{slog.DiscardHandler, "trying again to record the end", new(sync.Once),
		func() { pragma(t, db, "max_page_count = 1000000") }})
	// The lease runs out meanwhile, and yet nobody of this process takes the job.
	db = openTest(t, t.TempDir(), Options{GiveUp: time.Minute, Logger: log, Lease: time.Millisecond, Heartbeat: time.Hour, Poll: time.Millisecond})
	job, runs := addJob(t, db, store.Job{Kind: "k"}), 0
	err := workUntilEnd(t, db, job.ID, func(context.Context, *store.Job) error {
		runs++
		pragma(t, db, "max_page_count = 1")
		return long
	})
	if err != nil {
		t.Fatal(err)
	}
	if j := jobOf(t, db, job.ID); j.State != store.JobFailed || j.Error != long.Error() || runs != 1 {
		t.Errorf("the job is %s after %d runs", j.State, runs)
	}
}

// A catalog that cannot be written to ends the worker also when it is the lease
// that cannot be renewed, or when no job can be taken.
func TestLeaseCannotBeRenewed(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{GiveUp: 10 * time.Millisecond, Lease: 50 * time.Millisecond,
		Heartbeat: 10 * time.Millisecond, Poll: 10 * time.Millisecond, Backoff: time.Millisecond})
	job := addJob(t, db, store.Job{Kind: "k"})
	err := workUntilEnd(t, db, job.ID, func(ctx context.Context, _ *store.Job) error {
		pragma(t, db, "query_only = 1")
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), store.ErrLeaseLost) {
			t.Errorf("the cause is %v", context.Cause(ctx))
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "recording the end of job") {
		t.Errorf("the error is %v", err)
	}
	err = workUntilEnd(t, db, job.ID, func(context.Context, *store.Job) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "looking for jobs") {
		t.Errorf("the error is %v", err)
	}
	pragma(t, db, "query_only = 0")
	if err := workUntilEnd(t, db, job.ID, func(context.Context, *store.Job) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if j := jobOf(t, db, job.ID); j.State != store.JobDone {
		t.Errorf("the job is %s", j.State)
	}
}

// Jobs that ended long ago are removed when others are taken, some at a time;
// those that have not ended stay, however old.
func TestOldJobsArePurged(t *testing.T) {
	now := time.Now().Truncate(time.Microsecond) // as it is stored: a job is due at the very time it was added
	db := openTest(t, t.TempDir(), Options{Clock: func() time.Time { return now }})
	nothing := func(context.Context, *store.Job) error { return nil }
	cancelled := func() store.JobID {
		t.Helper()
		j := addJob(t, db, store.Job{Kind: "other"})
		if err := db.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Jobs().Cancel(t.Context(), j.ID) }); err != nil {
			t.Fatal(err)
		}
		return j.ID
	}
	run := func() store.JobID {
		t.Helper()
		j := addJob(t, db, store.Job{Kind: "k"})
		if err := workUntilEnd(t, db, j.ID, nothing); err != nil {
			t.Fatal(err)
		}
		return j.ID
	}
	left := func() map[store.JobID]bool {
		t.Helper()
		ids := map[store.JobID]bool{}
		err := db.Catalog().View(t.Context(), func(tx store.Tx) error {
			all, err := tx.Jobs().List(t.Context(), nil, 0)
			for _, j := range all {
				ids[j.ID] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	waiting := addJob(t, db, store.Job{Kind: "other"}).ID
	old := run()
	for range sqlcatalog.PurgedAtOnce {
		cancelled()
	}
	now = now.Add(store.JobKept - time.Hour)
	recent := cancelled()
	run()
	if ids := left(); !ids[old] || len(ids) != sqlcatalog.PurgedAtOnce+4 {
		t.Errorf("before their time %d jobs are left", len(ids))
	}
	now = now.Add(2 * time.Hour)
	run()
	if ids := left(); ids[old] || len(ids) != 5 {
		t.Errorf("after the first purge %d jobs are left", len(ids))
	}
	run()
	if ids := left(); !ids[waiting] || !ids[recent] || len(ids) != 5 {
		t.Errorf("after the second purge the jobs %v are left", ids)
	}
}

// recorded keeps the statements of a transaction.
type recorded struct {
	sqlcatalog.Conn
	made map[string][]any
}

func (r recorded) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	r.made[query] = args
	return r.Conn.Exec(ctx, query, args...)
}

func (r recorded) QueryRow(ctx context.Context, query string, args ...any) sqlcatalog.Row {
	r.made[query] = args
	return r.Conn.QueryRow(ctx, query, args...)
}

// However many jobs there are, purging looks at the old ones only, and taking
// one looks at those that run or wait.
func TestTakingUsesIndices(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	conn := recorded{&conn{on: db.writer}, map[string][]any{}}
	l, _, err := db.queries.Tx(conn).TakeJob(t.Context(), leasequeue.Wanted{Kinds: []string{"k"}}, time.Second)
	if l != nil || err != nil {
		t.Fatal(l, err)
	}
	purges := 0
	for query, args := range conn.made {
		plan := planOf(t, db, query, args)
		if strings.Contains(plan, "SCAN jobs") {
			t.Errorf("the plan of %s is %s", query, plan)
		}
		if strings.HasPrefix(query, "DELETE") {
			purges++
			if !strings.Contains(plan, "jobs_ended (ended<?)") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("the plan of %s is %s", query, plan)
			}
		}
	}
	if purges != 1 || len(conn.made) != 3 {
		t.Errorf("the statements are %v", conn.made)
	}
}

func planOf(t *testing.T, db *DB, query string, args []any) string {
	t.Helper()
	rows, err := db.writer.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
	return strings.Join(plan, "; ")
}
