package leasequeue

import (
	"errors"
	"time"

	"github.com/rasterbase/rasterbase/store"
)

// Outcome is how an attempt ended.
type Outcome struct {
	Err      error // what the handler returned
	HandBack bool  // the worker shuts down: the attempt does not count
}

// End is what is stored of a job after an attempt.
type End struct {
	State     store.JobState
	Attempt   int
	Error     string
	NotBefore time.Time
	Ended     time.Time // zero: it has not ended
}

// End decides what becomes of a job, which is as it was when its lease was
// taken. Cancelled says that the job is to be cancelled, and backoff is the
// pause before its second attempt; the pause doubles each time, up to an hour.
func (o Outcome) End(j *store.Job, cancelled bool, now time.Time, backoff time.Duration) End {
	e := End{Attempt: j.Attempt, Error: j.Error, NotBefore: now}
	var permanent *store.Permanent
	switch {
	case o.Err == nil:
		e.State, e.Error = store.JobDone, ""
	case cancelled:
		e.State = store.JobCancelled
	case o.HandBack && !errors.As(o.Err, &permanent):
		e.State, e.Attempt = store.JobWaiting, j.Attempt-1
	case errors.As(o.Err, &permanent), j.Attempt >= j.MaxAttempts:
		e.State, e.Error = store.JobFailed, o.Err.Error()
	default:
		e.State, e.Error = store.JobWaiting, o.Err.Error()
		e.NotBefore = now.Add(pause(backoff, j.Attempt))
	}
	if e.State.Ended() {
		e.Ended = now
	}
	return e
}

// maxPause ends the growth of the pause between attempts.
const maxPause = time.Hour

// pause is the pause after a failed attempt.
func pause(first time.Duration, attempt int) time.Duration {
	d := first
	for range attempt - 1 {
		if d *= 2; d >= maxPause {
			return maxPause
		}
	}
	return d
}
