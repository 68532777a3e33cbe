package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type jobsCmd struct {
	List   jobsListCmd   `cmd:"" default:"withargs" help:"List the jobs, the newest first."`
	Show   jobsShowCmd   `cmd:"" help:"Print what is known of a job."`
	Cancel jobsCancelCmd `cmd:"" help:"Stop a job that waits or runs."`
}

// Help is the longer text of "jobs --help".
func (*jobsCmd) Help() string {
	return fmt.Sprintf(`Jobs are the work that servers and workers do in the background: parses and parts of them, and the deletion of what is not needed any more. Those that have ended are listed for %d days. "rasterbase layers" tells how far the parse of a layer is, "rasterbase layers log" what happened in it.

Examples:

  rasterbase jobs
  rasterbase jobs list --state waiting,running
  rasterbase jobs cancel 12`, int(store.JobKept.Hours()/24))
}

// jobStates are the states of jobs, as people name them.
var jobStates = []store.JobState{store.JobWaiting, store.JobRunning, store.JobDone, store.JobFailed, store.JobCancelled}

// jobDoc is a job as the commands print it. Its arguments may hold secrets of
// addresses and are left out, but for the layer.
type jobDoc struct {
	ID          store.JobID        `json:"id"`
	Kind        string             `json:"kind"`
	State       store.JobState     `json:"state"`
	Attempt     int                `json:"attempt"`
	MaxAttempts int                `json:"max_attempts"`
	Layer       rasterbase.LayerID `json:"layer,omitempty"`
	Parse       rasterbase.ParseID `json:"parse,omitempty"`
	Error       string             `json:"error,omitempty"`
	Created     time.Time          `json:"created"`
	NotBefore   *time.Time         `json:"not_before,omitempty"` // of one that waits for its time
	Ended       *time.Time         `json:"ended"`
}

func newJobDoc(j *store.Job, now time.Time) jobDoc {
	about := jobArgs(j)
	d := jobDoc{
		ID: j.ID, Kind: j.Kind, State: j.State, Attempt: j.Attempt, MaxAttempts: j.MaxAttempts,
		Layer: about.Layer, Parse: about.Parse, Error: j.Error, Created: j.Created, Ended: moment(j.Ended),
	}
	if j.State == store.JobWaiting && j.NotBefore.After(now) {
		d.NotBefore = moment(j.NotBefore)
	}
	return d
}

// jobAbout is what a job works on.
type jobAbout struct {
	Layer rasterbase.LayerID `json:"layer"`
	Parse rasterbase.ParseID `json:"parse"`
}

// jobArgs reads the layer and the parse from a job's arguments. A kind that has
// others is about neither.
func jobArgs(j *store.Job) (about jobAbout) {
	if json.Unmarshal(j.Args, &about) != nil {
		return jobAbout{}
	}
	return about
}

type jobsListCmd struct {
	State []string `sep:"," help:"Only jobs in these states: waiting, running, done, failed, cancelled." placeholder:"STATE,..."`
	Limit int      `default:"50" help:"At most so many; 0 lists all. Default: ${default}." placeholder:"N"`
	JSON  bool     `name:"json" help:"Print one JSON document."`
}

// Run lists the jobs.
func (c *jobsListCmd) Run(ctx context.Context, a *app) error {
	states, err := readStates(c.State)
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return usageError{fmt.Errorf("--limit is 0 or more, not %d", c.Limit)}
	}
	most := 0
	if c.Limit > 0 {
		most = c.Limit + 1 // one more tells that there are more
	}
	var jobs []*store.Job
	err = a.view(ctx, func(tx store.Tx) error {
		jobs, err = tx.Jobs().List(ctx, states, most)
		return err
	})
	if err != nil {
		return err
	}
	more := c.Limit > 0 && len(jobs) > c.Limit
	if more {
		jobs = jobs[:c.Limit]
	}
	docs := []jobDoc{}
	for _, j := range jobs {
		docs = append(docs, newJobDoc(j, time.Now()))
	}
	if c.JSON {
		return a.printJSON(map[string]any{"jobs": docs, "more": more})
	}
	if len(docs) == 0 {
		fmt.Fprintln(a.stderr, "no such jobs")
		return nil
	}
	t := newTable(a.stdout, "ID", "KIND", "STATE", "ATTEMPT", "LAYER", "CREATED", "ENDED", "ERROR")
	for _, d := range docs {
		t.row(strconv.FormatInt(int64(d.ID), 10), d.Kind, string(d.State), d.attempts(), d.layer(),
			second(d.Created), endedText(d.Ended), shortened(d.Error))
	}
	t.flush()
	if more {
		fmt.Fprintf(a.stderr, "these are the newest %d; --limit 0 lists all\n", c.Limit)
	}
	return nil
}

// readStates reads names of states.
func readStates(names []string) (states []store.JobState, err error) {
	for _, s := range names {
		state := store.JobState(strings.ToLower(strings.TrimSpace(s)))
		if !slices.Contains(jobStates, state) {
			return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "unknown state %q", s).
				WithHint("one of waiting, running, done, failed, cancelled").WithField("state")}
		}
		states = append(states, state)
	}
	return states, nil
}

func (d jobDoc) attempts() string {
	if d.MaxAttempts == 0 {
		return strconv.Itoa(d.Attempt)
	}
	return fmt.Sprintf("%d of %d", d.Attempt, d.MaxAttempts)
}

func (d jobDoc) layer() string {
	if d.Layer == 0 {
		return "-"
	}
	return strconv.FormatInt(int64(d.Layer), 10)
}

// second is a time as lists of what happens show it.
func second(t time.Time) string { return t.UTC().Format(time.DateTime) }

func endedText(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return second(*t)
}

// shortened is as much of a text as a list has room for.
func shortened(s string) string {
	const most = 80
	line, _, _ := strings.Cut(s, "\n")
	if r := []rune(line); len(r) > most {
		line = string(r[:most-3]) + "..."
	}
	return line
}

type jobsShowCmd struct {
	ID   int64 `arg:"" name:"id" help:"Id of the job."`
	JSON bool  `name:"json" help:"Print one JSON document."`
}

// Run prints a job.
func (c *jobsShowCmd) Run(ctx context.Context, a *app) error {
	var doc jobDoc
	err := a.view(ctx, func(tx store.Tx) error {
		j, err := findJob(ctx, tx, c.ID)
		if err == nil {
			doc = newJobDoc(j, time.Now())
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	t := newTable(a.stdout, "", "")
	t.row("id", strconv.FormatInt(int64(doc.ID), 10))
	t.row("kind", doc.Kind)
	t.row("state", string(doc.State))
	t.row("attempt", doc.attempts())
	t.row("layer", doc.layer())
	if doc.Parse != 0 {
		t.row("parse", strconv.FormatInt(int64(doc.Parse), 10))
	}
	t.row("created", second(doc.Created))
	if doc.NotBefore != nil {
		t.row("not before", second(*doc.NotBefore))
	}
	t.row("ended", endedText(doc.Ended))
	t.optional("error", doc.Error)
	t.flush()
	return nil
}

func findJob(ctx context.Context, tx store.Tx, id int64) (*store.Job, error) {
	j, err := tx.Jobs().Get(ctx, store.JobID(id))
	if errors.Is(err, store.ErrNotExist) {
		return nil, noJob(id)
	}
	return j, err
}

func noJob(id int64) error {
	return rasterbase.Errorf(rasterbase.NotFound, "there is no job %d", id).
		WithHint("`rasterbase jobs` lists the jobs").WithField("id")
}

type jobsCancelCmd struct {
	ID   int64 `arg:"" name:"id" help:"Id of the job."`
	JSON bool  `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "jobs cancel --help".
func (*jobsCancelCmd) Help() string {
	return `A job that is part of a parse goes with the whole parse: the layer is served as it was. A job that runs stops within seconds. Nothing happens to one that has ended.

Example:

  rasterbase jobs cancel 12`
}

// Run cancels a job, and the parse that it is part of.
func (c *jobsCancelCmd) Run(ctx context.Context, a *app) error {
	return a.withParser(ctx, 1, func(p *parsing) error {
		err := p.parser.CancelJob(ctx, store.JobID(c.ID))
		if errors.Is(err, store.ErrNotExist) {
			return noJob(c.ID)
		}
		if err != nil {
			return err
		}
		var doc jobDoc
		whole := false
		err = p.store.Catalog().View(ctx, func(tx store.Tx) error {
			j, err := findJob(ctx, tx, c.ID)
			if err != nil {
				return err
			}
			doc = newJobDoc(j, time.Now())
			whole, err = parseCancelled(ctx, tx, doc.Parse)
			return err
		})
		if err != nil {
			return err
		}
		switch {
		case c.JSON:
			return a.printJSON(doc)
		case doc.State == store.JobDone || doc.State == store.JobFailed:
			fmt.Fprintf(a.stdout, "job %d has ended: %s\n", c.ID, doc.State)
		case whole:
			fmt.Fprintf(a.stdout, "cancelled job %d and the parse of layer %d\n", c.ID, doc.Layer)
		default:
			fmt.Fprintf(a.stdout, "cancelled job %d\n", c.ID)
		}
		return nil
	})
}

// parseCancelled tells whether a parse, if there is one, was cancelled.
func parseCancelled(ctx context.Context, tx store.Tx, id rasterbase.ParseID) (bool, error) {
	if id == 0 {
		return false, nil
	}
	parse, err := tx.Parses().Get(ctx, id)
	if errors.Is(err, store.ErrNotExist) {
		return false, nil
	}
	return err == nil && parse.Status == rasterbase.Cancelled, err
}
