package server_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// Why a parse failed, and its log, are told to those who may change the layer.
func TestReasonsAreToldToEditors(t *testing.T) {
	const path = "/srv/hidden/x.tif"
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	p := addParse(t, st, l.ID, rasterbase.Downloading)
	changeParse(t, st, p.ID, "copying "+path, func(p *rasterbase.Parse) {
		p.Status, p.Error, p.Ended = rasterbase.Failed, path+" is not there", time.Now()
	})
	s := newAPI(t, st, nil, server.Config{})
	for _, role := range roles {
		told := role == "editor" || role == "administrator"
		for _, address := range []string{"/", "/layers", "/layers/one", "/api/v1/layers", "/api/v1/layers/one", "/api/v1/layers/one/events", "/api/v1/layers/one/log"} {
			w := call(t, s, role, "GET", address, "")
			if got := strings.Contains(w.Body.String(), path); got != told {
				t.Errorf("%s as %q tells %v, want %v: %s", address, role, got, told, w.Body)
			}
			if !strings.HasSuffix(address, "/log") && !strings.Contains(w.Body.String(), "failed") {
				t.Errorf("%s as %q does not tell the status", address, role)
			}
			if cc := w.Header().Get("Cache-Control"); role != "" && w.Code == 200 && cc != "private, no-store" {
				t.Errorf("%s as %q: Cache-Control %q", address, role, cc)
			}
			if role != "" && w.Code == 200 && !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Authorization, Cookie") {
				t.Errorf("%s as %q: Vary %q", address, role, w.Header().Values("Vary"))
			}
			if strings.HasSuffix(address, "/events") && !told && strings.Contains(w.Body.String(), "event: log") {
				t.Errorf("as %q the log is sent", role)
			}
		}
	}
}

// demoted is roleAuth until it is told that nobody edits, or that it cannot tell.
type demoted struct {
	roleAuth
	now *atomic.Bool
	err error
}

func (a demoted) May(ctx context.Context, p rasterbase.Principal, what rasterbase.Action, l *rasterbase.Layer) error {
	switch {
	case !a.now.Load():
	case a.err != nil:
		return a.err
	case what == rasterbase.Edit:
		return rasterbase.Errorf(rasterbase.Forbidden, "no longer")
	}
	return a.roleAuth.May(ctx, p, what, l)
}

func TestEventsTellLessWhenTheRightToEditIsLost(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	p := addParse(t, st, l.ID, rasterbase.Tiling)
	addLines(t, st, p.ID, "first")
	var now atomic.Bool
	_, web := hasty(t, st, demoted{now: &now})
	c := listen(t, web.URL+"/api/v1/layers/one/events", asEditor...)
	c.want("log 1-1", "parse 1-1")
	now.Store(true)
	update(t, st, func(ctx context.Context, tx store.Tx) error { // which has rights asked for at once
		l.Description = "changed"
		return tx.Layers().Update(ctx, l)
	})
	changeParse(t, st, p.ID, "second", func(p *rasterbase.Parse) {
		p.Status, p.Error, p.Ended = rasterbase.Failed, "secret", time.Now()
	})
	c.want("parse 1-1")
	if e := c.want("end 1-end"); strings.Contains(e.data, "secret") {
		t.Error(e.data)
	}
}

// A stream whose rights cannot be asked for ends without an event: the client
// comes back.
func TestEventsBreakOffWhenAuthFails(t *testing.T) {
	for _, failure := range []error{errors.New("the database restarts"), rasterbase.Errorf(rasterbase.TooMany, "later")} {
		st := newStore(t)
		l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
		addParse(t, st, l.ID, rasterbase.Tiling)
		var now atomic.Bool
		_, web := hasty(t, st, demoted{now: &now, err: failure})
		c := listen(t, web.URL+"/api/v1/layers/one/events")
		c.want("parse 1-0")
		now.Store(true)
		c.wantEnd()
	}
}

// crowd takes any credentials for a name, and lets everybody do everything.
type crowd struct{}

func (crowd) Principal(r *http.Request) (rasterbase.Principal, error) {
	return rasterbase.Principal{Name: r.Header.Get("Authorization")}, nil
}

func (crowd) May(context.Context, rasterbase.Principal, rasterbase.Action, *rasterbase.Layer) error {
	return nil
}

func TestNoClientTakesAllStreams(t *testing.T) {
	for name, limit := range map[string]int{"": server.SharingStreams, "anna": server.ClientStreams} {
		st := newStore(t)
		l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
		addParse(t, st, l.ID, rasterbase.Tiling)
		s, web := hasty(t, st, crowd{})
		url := web.URL + "/api/v1/layers/one/events"
		var clients []*stream
		for range limit {
			clients = append(clients, listen(t, url, "Authorization", name))
		}
		more := request(t, url, "Authorization", name)
		if more.StatusCode != 429 || more.Header.Get("Retry-After") == "" || more.Header.Get("X-Accel-Buffering") != "" {
			t.Errorf("%q: status %d, %v", name, more.StatusCode, more.Header)
		}
		listen(t, url, "Authorization", "bert")
		if err := clients[0].body.Close(); err != nil {
			t.Error(err)
		}
		eventually(t, func() bool { _, n := s.Watched(); return n == limit })
		listen(t, url, "Authorization", name)
	}
}

// closing makes a layer private between the two reads of a list.
type closing struct {
	store.Store
	views *atomic.Int32
	hide  func()
}

func (c closing) Catalog() store.Catalog { return closingCatalog{c.Store.Catalog(), c} }

type closingCatalog struct {
	store.Catalog
	c closing
}

func (c closingCatalog) View(ctx context.Context, fn func(store.Tx) error) error {
	if c.c.views.Add(1) == 2 {
		c.c.hide()
	}
	return c.Catalog.View(ctx, fn)
}

func TestALayerMadePrivateMeanwhileIsNotListed(t *testing.T) {
	for _, address := range []string{"/layers", "/api/v1/layers", "/"} {
		st := newStore(t)
		l := create(t, st, rasterbase.Layer{Name: "Hushed", Visibility: rasterbase.Public})
		s := newServer(t, server.Config{Store: closing{st, new(atomic.Int32), func() {
			update(t, st, func(ctx context.Context, tx store.Tx) error {
				l.Visibility = rasterbase.Private
				return tx.Layers().Update(ctx, l)
			})
		}}})
		w := get(t, s, address)
		if wantStatus(t, w, 200); strings.Contains(w.Body.String(), "Hushed") || l.Visibility != rasterbase.Private {
			t.Errorf("%s lists it: %s", address, w.Body)
		}
	}
}
