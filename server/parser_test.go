package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// recordParser is a Parser that keeps records and reads no file.
type recordParser struct {
	st     store.Store
	err    error                                                // what all of it answers
	finish func(ctx context.Context, t rasterbase.Ticket) error // nil: the parse finishes
	during func()                                               // a preview is made; nil: nothing
	from   rasterbase.SourceFrom                                // the last one

	cancelled []store.JobID
}

func (p *recordParser) queue(ctx context.Context, tx store.Tx, id rasterbase.LayerID) (rasterbase.Ticket, error) {
	parse := rasterbase.Parse{Layer: id, Status: rasterbase.Queued}
	err := tx.Parses().Create(ctx, &parse)
	return rasterbase.Ticket{Layer: id, Parse: parse.ID}, err
}

func (p *recordParser) Create(ctx context.Context, l *rasterbase.Layer, from rasterbase.SourceFrom) (t rasterbase.Ticket, err error) {
	if p.err != nil {
		return t, p.err
	}
	p.from = from
	err = p.st.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		l.Source.Name = path.Base(from.Address + from.Path + from.Upload)
		l.Source.Origin = from.Address + from.Path
		if l.Name == "" {
			l.Name = l.Source.Name
		}
		if l.Visibility == "" {
			l.Visibility = rasterbase.Public
		}
		if err := tx.Layers().Create(ctx, l); err != nil {
			return err
		}
		t, err = p.queue(ctx, tx, l.ID)
		return err
	})
	return t, err
}

func (p *recordParser) Change(ctx context.Context, id rasterbase.LayerID, from *rasterbase.SourceFrom, fn func(*rasterbase.Layer) error) (l *rasterbase.Layer, t rasterbase.Ticket, err error) {
	if p.err != nil {
		return nil, t, p.err
	}
	err = p.st.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		if l, err = tx.Layers().Get(ctx, id); err != nil {
			return err
		}
		before, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		if err := fn(l); err != nil {
			return err
		}
		if err := tx.Layers().Update(ctx, l); err != nil {
			return err
		}
		if from != nil {
			p.from = *from
		}
		if from == nil && reflect.DeepEqual(before.Settings, l.Settings) {
			return nil
		}
		t, err = p.queue(ctx, tx, id)
		return err
	})
	return l, t, err
}

func (p *recordParser) Reparse(ctx context.Context, id rasterbase.LayerID) (t rasterbase.Ticket, err error) {
	if p.err != nil {
		return t, p.err
	}
	err = p.st.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		t, err = p.queue(ctx, tx, id)
		return err
	})
	return t, err
}

func (p *recordParser) Cancel(ctx context.Context, id rasterbase.LayerID) error {
	return p.end(ctx, id, rasterbase.Cancelled, "")
}

func (p *recordParser) CancelJob(ctx context.Context, id store.JobID) error {
	return p.st.Catalog().Update(ctx, func(tx store.Tx) error {
		j, err := tx.Jobs().Get(ctx, id)
		if err != nil || j.State.Ended() {
			return err
		}
		p.cancelled = append(p.cancelled, id)
		return tx.Jobs().Cancel(ctx, id)
	})
}

func (p *recordParser) end(ctx context.Context, id rasterbase.LayerID, s rasterbase.Status, reason string) error {
	return p.st.Catalog().Update(ctx, func(tx store.Tx) error {
		parse, err := tx.Parses().Latest(ctx, id)
		if err != nil {
			return err
		}
		parse.Status, parse.Error, parse.Ended = s, reason, time.Now()
		return tx.Parses().Update(ctx, parse)
	})
}

func (p *recordParser) Delete(ctx context.Context, id rasterbase.LayerID) error {
	return p.st.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Delete(ctx, id) })
}

func (p *recordParser) Preview(_ context.Context, from rasterbase.SourceFrom, s rasterbase.Settings) (*rasterbase.Plan, error) {
	if p.during != nil {
		p.during()
		return &rasterbase.Plan{}, nil
	}
	p.from = from
	if p.err != nil {
		return nil, p.err
	}
	return &rasterbase.Plan{Driver: "GTiff", CRS: rasterbase.CRS{SRID: s.SRID}, HasPyramid: true, MaxZoom: 7,
		Bounds: rasterbase.Bounds{West: 1, South: 2, East: 3, North: 4}}, nil
}

func (p *recordParser) Finish(ctx context.Context, t rasterbase.Ticket) error {
	if p.finish != nil {
		return p.finish(ctx, t)
	}
	return p.end(ctx, t.Layer, rasterbase.Finished, "")
}

// roleAuth has the rules of package auth, and takes a role for credentials.
type roleAuth struct{ *auth.Auth }

func (roleAuth) Principal(r *http.Request) (rasterbase.Principal, error) {
	_, role, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch role {
	case "":
		return rasterbase.Principal{}, nil
	case "wrong":
		return rasterbase.Principal{}, rasterbase.Errorf(rasterbase.Unauthorized, "the credentials are wrong")
	}
	return rasterbase.Principal{Name: "the " + role, Role: rasterbase.Role(role)}, nil
}

// newAPI is a server with a parser and roles over a store.
func newAPI(t testing.TB, st store.Store, p *recordParser, c server.Config) *server.Server {
	t.Helper()
	users := auth.New(st.Catalog(), auth.Options{})
	c.Store, c.Auth, c.Accounts = st, roleAuth{users}, users
	if p != nil {
		p.st = st
		c.Parser = p
	}
	s := newServer(t, c)
	t.Cleanup(s.Close)
	return s
}

// call asks as somebody of a role; empty: nobody. The body, if not empty, is
// JSON. Header is name and value pairs.
func call(t testing.TB, h http.Handler, role, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+role)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// read decodes the body of an answer.
func read[T any](t testing.TB, w *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	wantStatus(t, w, status)
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %.300s", err, w.Body)
	}
	return v
}

// document is a layer as the API answers it.
type document struct {
	ID                                                        rasterbase.LayerID
	Name, Slug, Description, Attribution, License, Visibility string
	Settings                                                  map[string]any
	Source                                                    struct{ Name, Origin string }
	Legend                                                    *struct{ Title string }
	Parse                                                     struct {
		ID          int64
		Status      string
		Error       string
		SecondsLeft *int64 `json:"seconds_left"`
	}
}
