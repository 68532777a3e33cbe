package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

func TestJobs(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	p := addParse(t, st, l.ID, rasterbase.Queued)
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		args := fmt.Sprintf(`{"layer":%d,"parse":%d,"secret":"hunter2"}`, l.ID, p.ID)
		return errors.Join(
			tx.Jobs().Enqueue(ctx, &store.Job{Kind: "parse", Args: json.RawMessage(args), Group: "parse-1"}),
			tx.Jobs().Enqueue(ctx, &store.Job{Kind: "collect", Args: json.RawMessage(`[1]`)}),
		)
	})
	parser := &recordParser{}
	s := newAPI(t, st, parser, server.Config{})
	type job struct {
		ID                 int
		Kind, State, Group string
		Layer, Parse       int64
		MaxAttempts        int `json:"max_attempts"`
	}
	type jobs struct{ Items []job }
	w := call(t, s, "administrator", "GET", "/api/v1/jobs", "")
	all := read[jobs](t, w, 200).Items
	if len(all) != 2 || all[0].Kind != "collect" || all[1].Layer != int64(l.ID) || all[1].Parse != int64(p.ID) || all[1].Group != "parse-1" || all[1].MaxAttempts == 0 {
		t.Errorf("%+v", all)
	}
	if strings.Contains(w.Body.String(), "hunter2") {
		t.Error("arguments are told")
	}
	for query, want := range map[string]int{"state=waiting": 2, "state=done": 0, "kind=parse": 1, "limit=1": 1} {
		if got := read[jobs](t, call(t, s, "administrator", "GET", "/api/v1/jobs?"+query, ""), 200).Items; len(got) != want {
			t.Errorf("%s: %+v", query, got)
		}
	}
	if got := read[job](t, call(t, s, "administrator", "POST", "/api/v1/jobs/2/cancel", ""), 200); got.State != "cancelled" {
		t.Errorf("%+v", got)
	}
	// One that has ended is no error, and the answer tells how it did.
	if got := read[job](t, call(t, s, "administrator", "POST", "/api/v1/jobs/2/cancel", ""), 200); got.State != "cancelled" || !slices.Equal(parser.cancelled, []store.JobID{2}) {
		t.Errorf("%+v, cancelled are %d", got, parser.cancelled)
	}
	wantProblem(t, call(t, s, "administrator", "POST", "/api/v1/jobs/99/cancel", ""), 404)
	wantProblem(t, call(t, s, "administrator", "GET", "/api/v1/jobs/99", ""), 404)
}

func TestMe(t *testing.T) {
	s := newAPI(t, newStore(t), nil, server.Config{})
	if got := read[map[string]string](t, call(t, s, "editor", "GET", "/api/v1/me", ""), 200); got["name"] != "the editor" || got["role"] != "editor" {
		t.Errorf("%v", got)
	}
	wantProblem(t, call(t, s, "wrong", "GET", "/api/v1/layers", ""), 401)
}

func TestTheLog(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	s := newAPI(t, st, nil, server.Config{})
	if w := call(t, s, "editor", "GET", "/api/v1/layers/one/log", ""); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("of a layer without a parse: %d %s", w.Code, w.Body)
	}
	p := addParse(t, st, l.ID, rasterbase.Tiling)
	addLines(t, st, p.ID, "queued", "inspecting", "zoom 3: 12 tiles")
	for query, want := range map[string]int{"": 3, "?after=2": 1, "?after=3": 0} {
		w := call(t, s, "editor", "GET", "/api/v1/layers/one/log"+query, "")
		wantStatus(t, w, 200)
		if got := bytes.Count(w.Body.Bytes(), []byte("\n")); got != want || w.Header().Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s: %d lines: %s", query, got, w.Body)
		}
	}
	line := read[struct {
		Seq  int64
		Time time.Time
		Text string
	}](t, call(t, s, "editor", "GET", "/api/v1/layers/one/log?after=2", ""), 200)
	if line.Seq != 3 || line.Text != "zoom 3: 12 tiles" || line.Time.IsZero() {
		t.Errorf("%+v", line)
	}
}

func addLines(t testing.TB, st store.Store, id rasterbase.ParseID, texts ...string) {
	t.Helper()
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		for _, text := range texts {
			if err := tx.Parses().Log(ctx, id, text); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestReadinessShowsFacts(t *testing.T) {
	s := newServer(t, server.Config{Store: newStore(t), Facts: func() map[string]string { return map[string]string{"b": "2", "a": "1"} }})
	if got := get(t, s, "/readyz").Body.String(); got != "ready\na: 1\nb: 2\n" {
		t.Errorf("%q", got)
	}
}

// observed notes what it is told.
type observed struct {
	requests []string
	tiles    []string
}

func (o *observed) Request(pattern, method string, status int, bytes int64, took time.Duration) {
	o.requests = append(o.requests, fmt.Sprint(pattern, " ", method, " ", status, " ", bytes > 0, " ", took > 0))
}
func (o *observed) Tile(from string) { o.tiles = append(o.tiles, from) }

func TestTheObserverIsTold(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Public", nil))
	o := &observed{}
	s := newServer(t, server.Config{Store: st, Observer: o})
	w := get(t, s, "/tiles/public/6/33/22.png")
	get(t, s, "/tiles/public/6/33/22.png")
	get(t, s, "/tiles/public/6/33/22.png", "If-None-Match", w.Header().Get("ETag"))
	if got := strings.Join(o.tiles, " "); got != "drawn cache client" {
		t.Errorf("tiles %s", got)
	}
	get(t, s, "/api/v1/layers/none")
	want := "GET /tiles/{layer}/{z}/{x}/{file} GET 200 true true"
	if len(o.requests) != 4 || o.requests[0] != want || o.requests[3] != "GET /api/v1/layers/{layer} GET 404 true true" {
		t.Errorf("%q", o.requests)
	}
}
