package store

import (
	"context"
	"encoding/json"
	"time"
)

// JobID identifies a job for good.
type JobID int64

// JobState says how far a job is.
type JobState string

// The states of a job.
const (
	JobWaiting   JobState = "waiting" // for a worker, or for its time to try again
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed" // for good
	JobCancelled JobState = "cancelled"
)

// Ended reports whether the job will not run any more.
func (s JobState) Ended() bool { return s == JobDone || s == JobFailed || s == JobCancelled }

// Job is one piece of background work.
type Job struct {
	ID          JobID
	Kind        string
	Args        json.RawMessage
	UniqueKey   string // at most one job that has not ended has it; empty: any number
	Group       string // names the jobs that are parts of one thing; empty: it stands alone
	MaxAttempts int    // 0: 3
	State       JobState
	Attempt     int    // counts from 1 while the job runs for the first time
	Error       string // of the last failed attempt
	NotBefore   time.Time
	Created     time.Time
	Ended       time.Time
}

// Jobs is the part of the queue that is a transaction of the catalog.
type Jobs interface {
	// Enqueue adds a job, sets its ID and what the store decides, and lets it
	// run once the transaction is kept, not before NotBefore, and in the order
	// in which jobs become ready. When a job with the same unique key has not
	// ended, nothing is added and that job's ID is set.
	Enqueue(ctx context.Context, j *Job) error
	Get(ctx context.Context, id JobID) (*Job, error)
	// List returns the newest jobs first; states empty: all; limit 0: all.
	List(ctx context.Context, states []JobState, limit int) ([]*Job, error)
	// ListGroup is List for the jobs of a group.
	ListGroup(ctx context.Context, group string, states []JobState, limit int) ([]*Job, error)
	// Cancel ends a waiting job, and asks the worker of a running one to stop:
	// its context is cancelled with cause ErrCancelled within seconds. The job
	// is cancelled if its handler then returns an error, and done if not.
	// Cancelling a job that has ended is not an error.
	Cancel(ctx context.Context, id JobID) error
	// CancelGroup cancels all jobs of a group that have not ended, but for one,
	// which may be the job that finds it out; 0: no exception. A group without
	// such jobs, or with the empty name, is not an error.
	CancelGroup(ctx context.Context, group string, but JobID) error
}

// Handler runs one attempt of a job. A nil error ends the job; a [Permanent]
// one fails the job; any other error is tried again after a pause that
// grows, until MaxAttempts; a panic is such an error. When ctx is cancelled
// because the worker shuts down, the job goes back to the queue and the attempt
// does not count. When ctx is cancelled with cause [ErrLeaseLost], the job
// belongs to another worker, and what the handler returns is ignored.
type Handler func(ctx context.Context, j *Job) error

// Permanent wraps an error that trying again will not mend.
type Permanent struct{ Err error }

// Error is the error's text.
func (p *Permanent) Error() string { return p.Err.Error() }

// Unwrap gives the error.
func (p *Permanent) Unwrap() error { return p.Err }

// WorkOptions says what a worker does.
type WorkOptions struct {
	Handlers    map[string]Handler // by kind; jobs of other kinds are left alone
	Concurrency int                // jobs at once; 0: 1
	Only        []JobID            // when not empty: no other jobs
	Group       string             // when not empty: only jobs of this group
	// Until, when set, is asked after each job and each wait; work ends when
	// it answers true, or with its error. Jobs that run then are handed back.
	Until func(context.Context) (bool, error)
}

// JobKept is how long a job that has ended can still be looked up.
const JobKept = 7 * 24 * time.Hour

// Queue runs jobs. It removes jobs that ended longer than [JobKept] ago, some at
// a time, when it takes others.
type Queue interface {
	// Work leases jobs and runs them until ctx is done, then waits for the
	// running ones to return and hands back what is not finished. That is not
	// an error; a store that is closed meanwhile is. A worker that dies gives
	// its jobs back within seconds, each with one attempt gone.
	//
	// Work returns an error when it cannot write how a job ended, or cannot
	// look for jobs, although it tries for some seconds: the disk may be full.
	// The jobs that it could not write about are then left as those of a worker
	// that died. It may be called again; a server does so after a pause.
	Work(ctx context.Context, o WorkOptions) error
}
