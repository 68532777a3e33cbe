package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func (s *Server) jobOperations(a *api) {
	register(a, operation{
		id: "list-jobs", method: http.MethodGet, path: "/jobs", tag: tagServer, summary: "List jobs",
		detail: "The newest first. Jobs that have ended are kept for a week.", access: manager,
		answers: map[int]response{200: {text: "Jobs", kind: jobsJSON{}}}, errors: []int{400},
	}, s.apiJobs)
	register(a, operation{
		id: "get-job", method: http.MethodGet, path: "/jobs/{id}", tag: tagServer, summary: "Show a job", access: manager,
		answers: map[int]response{200: {text: "The job", kind: jobJSON{}}}, errors: []int{400},
	}, s.apiJob)
	register(a, operation{
		id: "cancel-job", method: http.MethodPost, path: "/jobs/{id}/cancel", tag: tagServer, summary: "Cancel a job",
		detail: "A worker that runs it takes some seconds to stop. The parse that a job belongs to is cancelled as a whole. Where a job has ended, nothing happens.",
		access: manager, parses: true, answers: map[int]response{200: {text: "The job as it is", kind: jobJSON{}}}, errors: []int{400},
	}, s.apiCancelJob)
	register(a, operation{
		id: "get-me", method: http.MethodGet, path: "/me", tag: tagServer, summary: "Tell whose credentials these are", access: member,
		answers: map[int]response{200: {text: "Who asks", kind: meJSON{}}},
	}, s.apiMe)
}

// jobJSON is a job without its arguments, which may hold secrets.
type jobJSON struct {
	ID          store.JobID        `json:"id"`
	Kind        string             `json:"kind"`
	State       store.JobState     `json:"state"`
	Attempt     int                `json:"attempt"`
	MaxAttempts int                `json:"max_attempts"`
	Error       string             `json:"error,omitempty"` // of the last failed attempt
	Group       string             `json:"group,omitempty"`
	Layer       rasterbase.LayerID `json:"layer,omitempty"`
	Parse       rasterbase.ParseID `json:"parse,omitempty"`
	NotBefore   *time.Time         `json:"not_before,omitempty"`
	Created     *time.Time         `json:"created,omitempty"`
	Ended       *time.Time         `json:"ended,omitempty"`
}

type jobsJSON struct {
	Items []jobJSON `json:"items"`
}

func jobDocument(j *store.Job) jobJSON {
	out := jobJSON{
		ID: j.ID, Kind: j.Kind, State: j.State, Attempt: j.Attempt, MaxAttempts: j.MaxAttempts, Error: j.Error,
		Group: j.Group, NotBefore: stamp(j.NotBefore), Created: stamp(j.Created), Ended: stamp(j.Ended),
	}
	var about struct {
		Layer rasterbase.LayerID `json:"layer"`
		Parse rasterbase.ParseID `json:"parse"`
	}
	if json.Unmarshal(j.Args, &about) == nil { // other kinds have other arguments
		out.Layer, out.Parse = about.Layer, about.Parse
	}
	return out
}

type jobsInput struct {
	State string `query:"state" enum:"waiting,running,done,failed,cancelled"`
	Kind  string `query:"kind" doc:"Such as parse"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (s *Server) apiJobs(w http.ResponseWriter, r *http.Request, in *jobsInput) error {
	var states []store.JobState
	if in.State != "" {
		states = []store.JobState{store.JobState(in.State)}
	}
	most := in.Limit
	if in.Kind != "" {
		most = 0 // the store does not choose by kind
	}
	var found []*store.Job
	err := s.view(r.Context(), func(tx store.Tx) (err error) {
		found, err = tx.Jobs().List(r.Context(), states, most)
		return err
	})
	if err != nil {
		return err
	}
	out := jobsJSON{Items: []jobJSON{}}
	for _, j := range found {
		if (in.Kind == "" || j.Kind == in.Kind) && len(out.Items) < in.Limit {
			out.Items = append(out.Items, jobDocument(j))
		}
	}
	return writeJSON(w, r, out, true)
}

type jobInput struct {
	ID int64 `path:"id" minimum:"1"`
}

func (s *Server) apiJob(w http.ResponseWriter, r *http.Request, in *jobInput) error {
	var j *store.Job
	err := s.view(r.Context(), func(tx store.Tx) (err error) {
		j, err = tx.Jobs().Get(r.Context(), store.JobID(in.ID))
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return rasterbase.Errorf(rasterbase.NotFound, "there is no job %d", in.ID).WithField("id")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, r, jobDocument(j), true)
}

func (s *Server) apiCancelJob(w http.ResponseWriter, r *http.Request, in *jobInput) error {
	if err := s.c.Parser.CancelJob(r.Context(), store.JobID(in.ID)); err != nil && !errors.Is(err, store.ErrNotExist) {
		return err
	}
	return s.apiJob(w, r, in) // which tells when there is none
}

// meJSON is who asks.
type meJSON struct {
	Name string          `json:"name"`
	Role rasterbase.Role `json:"role,omitempty"` // absent where there are no roles
	// Scope is there for a token that has one.
	Scope rasterbase.Role `json:"scope,omitempty" doc:"The most that the token may do, whatever its user may"`
}

func (s *Server) apiMe(w http.ResponseWriter, r *http.Request, _ *struct{}) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	return writeJSON(w, r, meJSON{who.Name, who.Role, who.Scope}, true)
}
