package leasequeue_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/leasequeue"
)

// What is stored of a job whose first attempt of three failed.
func ExampleOutcome_End() {
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	job := &store.Job{Attempt: 1, MaxAttempts: 3}
	end := leasequeue.Outcome{Err: errors.New("no luck")}.End(job, false, now, time.Second)
	fmt.Println(end.State, end.Error, end.NotBefore.Sub(now))
	// Output: waiting no luck 1s
}

func TestOutcome(t *testing.T) {
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	failed, permanent := errors.New("failed"), fmt.Errorf("parsing: %w", &store.Permanent{Err: errors.New("broken")})
	first, last := store.Job{Attempt: 1, MaxAttempts: 3, Error: "before"}, store.Job{Attempt: 3, MaxAttempts: 3, Error: "before"}
	for name, c := range map[string]struct {
		o         leasequeue.Outcome
		job       store.Job
		cancelled bool
		want      leasequeue.End
	}{
		"done":                   {leasequeue.Outcome{}, first, false, leasequeue.End{State: store.JobDone, Attempt: 1, NotBefore: now, Ended: now}},
		"done though cancelled":  {leasequeue.Outcome{}, first, true, leasequeue.End{State: store.JobDone, Attempt: 1, NotBefore: now, Ended: now}},
		"done while handed back": {leasequeue.Outcome{HandBack: true}, first, false, leasequeue.End{State: store.JobDone, Attempt: 1, NotBefore: now, Ended: now}},
		"cancelled": {leasequeue.Outcome{Err: failed}, first, true,
			leasequeue.End{State: store.JobCancelled, Attempt: 1, Error: "before", NotBefore: now, Ended: now}},
		"cancelled while handed back": {leasequeue.Outcome{Err: failed, HandBack: true}, first, true,
			leasequeue.End{State: store.JobCancelled, Attempt: 1, Error: "before", NotBefore: now, Ended: now}},
		"handed back": {leasequeue.Outcome{Err: failed, HandBack: true}, last, false,
			leasequeue.End{State: store.JobWaiting, Attempt: 2, Error: "before", NotBefore: now}},
		"permanent while handed back": {leasequeue.Outcome{Err: permanent, HandBack: true}, first, false,
			leasequeue.End{State: store.JobFailed, Attempt: 1, Error: "parsing: broken", NotBefore: now, Ended: now}},
		"permanent": {leasequeue.Outcome{Err: permanent}, first, false,
			leasequeue.End{State: store.JobFailed, Attempt: 1, Error: "parsing: broken", NotBefore: now, Ended: now}},
		"failed": {leasequeue.Outcome{Err: failed}, first, false,
			leasequeue.End{State: store.JobWaiting, Attempt: 1, Error: "failed", NotBefore: now.Add(2 * time.Second)}},
		"failed for the last time": {leasequeue.Outcome{Err: failed}, last, false,
			leasequeue.End{State: store.JobFailed, Attempt: 3, Error: "failed", NotBefore: now, Ended: now}},
	} {
		if got := c.o.End(&c.job, c.cancelled, now, 2*time.Second); got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
}

func TestPausesGrow(t *testing.T) {
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 13: time.Hour, 1000: time.Hour} {
		end := leasequeue.Outcome{Err: errors.New("failed")}.End(&store.Job{Attempt: attempt, MaxAttempts: 2000}, false, now, time.Second)
		if got := end.NotBefore.Sub(now); got != want {
			t.Errorf("after attempt %d: %v, not %v", attempt, got, want)
		}
	}
}
