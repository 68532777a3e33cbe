package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// asEditor is a header of somebody who is told all of an event.
var asEditor = []string{"Authorization", "Bearer editor"}

// event is a server-sent event as a browser reads it.
type event struct{ name, id, data string }

func (e event) String() string { return e.name + " " + e.id }

// stream is a client of events.
type stream struct {
	t    testing.TB
	body io.ReadCloser
	in   *bufio.Reader
}

// hasty is a server over a store whose streams do not wait long.
func hasty(t testing.TB, st store.Store, a rasterbase.Auth) (*server.Server, *httptest.Server) {
	t.Helper()
	if a == nil {
		a = roleAuth{}
	}
	s := newServer(t, server.Config{Store: st, Auth: a})
	s.Hasten()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	t.Cleanup(s.Close) // first: Close of web waits for the streams
	return s, web
}

// listen asks for events; header is name and value pairs.
func listen(t testing.TB, url string, header ...string) *stream {
	t.Helper()
	answer := request(t, url, header...)
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" || !strings.Contains(answer.Header.Get("Cache-Control"), "no-store") {
		t.Fatalf("status %d, header %v", answer.StatusCode, answer.Header)
	}
	return &stream{t, answer.Body, bufio.NewReader(answer.Body)}
}

func request(t testing.TB, url string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// next is the next event; false at the end of the stream.
func (s *stream) next() (e event, ok bool) {
	s.t.Helper()
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return e, false
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e, true
			}
		}
	}
}

// want reads events and compares their names and ids.
func (s *stream) want(events ...string) (last event) {
	s.t.Helper()
	for _, want := range events {
		e, ok := s.next()
		if !ok || e.String() != want {
			s.t.Fatalf("event %q, %v; want %q", e, ok, want)
		}
		last = e
	}
	return last
}

func (s *stream) wantEnd() {
	s.t.Helper()
	if e, ok := s.next(); ok {
		s.t.Fatalf("event %q after the end", e)
	}
}

// change changes a parse and appends a line to its log, in one transaction.
func changeParse(t testing.TB, st store.Store, id rasterbase.ParseID, line string, fn func(*rasterbase.Parse)) {
	t.Helper()
	update(t, st, func(ctx context.Context, tx store.Tx) error {
		p, err := tx.Parses().Get(ctx, id)
		if err != nil {
			return err
		}
		fn(p)
		if err := tx.Parses().Update(ctx, p); err != nil {
			return err
		}
		return tx.Parses().Log(ctx, id, line)
	})
}

func TestEventsOfAParse(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	p := addParse(t, st, l.ID, rasterbase.Queued)
	addLines(t, st, p.ID, "queued")
	s, web := hasty(t, st, nil)
	url := web.URL + "/api/v1/layers/one/events"

	c := listen(t, url, asEditor...)
	c.want("log 1-1")
	var parse struct {
		Status  string
		Percent float64
		Planned int64 `json:"tiles_planned"`
	}
	first := c.want("parse 1-1")
	if err := json.Unmarshal([]byte(first.data), &parse); err != nil || parse.Status != "queued" {
		t.Fatalf("%v: %s", err, first.data)
	}
	changeParse(t, st, p.ID, "zoom 3", func(p *rasterbase.Parse) { p.Status, p.Planned, p.Done = rasterbase.Tiling, 8, 2 })
	c.want("log 1-2")
	if e := c.want("parse 1-2"); json.Unmarshal([]byte(e.data), &parse) != nil || parse.Status != "creating tiles" || parse.Percent != 25 || parse.Planned != 8 {
		t.Errorf("%s", e.data)
	}
	changeParse(t, st, p.ID, "finished", func(p *rasterbase.Parse) {
		p.Status, p.Done, p.Ended = rasterbase.Finished, 8, time.Now()
	})
	line := c.want("log 1-3")
	if !strings.Contains(line.data, `"seq":3`) || !strings.Contains(line.data, `"text":"finished"`) {
		t.Errorf("%s", line.data)
	}
	if e := c.want("parse 1-3", "end 1-end"); !strings.Contains(e.data, `"finished"`) {
		t.Errorf("%s", e.data)
	}
	c.wantEnd()

	// Whoever comes later has all of it at once, or what they do not have yet.
	c = listen(t, url, asEditor...)
	c.want("log 1-1", "log 1-2", "log 1-3", "parse 1-3", "end 1-end")
	c.wantEnd()
	listen(t, url, "Last-Event-ID", "1-2", asEditor[0], asEditor[1]).want("log 1-3", "parse 1-3", "end 1-end")
	listen(t, url+"?after=2", asEditor...).want("log 1-3", "parse 1-3", "end 1-end")
	listen(t, url, "Last-Event-ID", "nonsense", asEditor[0], asEditor[1]).want("log 1-1")
	if answer := request(t, url, "Last-Event-ID", "1-end"); answer.StatusCode != 204 {
		t.Errorf("a client that has all is answered %d", answer.StatusCode)
	}
	// Another parse begins, whose log counts from the start.
	q := addParse(t, st, l.ID, rasterbase.Queued)
	addLines(t, st, q.ID, "queued")
	c = listen(t, url, "Last-Event-ID", "1-end", asEditor[0], asEditor[1])
	c.want("log 2-1", "parse 2-1")
	changeParse(t, st, q.ID, "cancelled", func(p *rasterbase.Parse) { p.Status, p.Ended = rasterbase.Cancelled, time.Now() })
	c.want("log 2-2", "parse 2-2", "end 2-end")
	eventually(t, func() bool { layers, clients := s.Watched(); return layers == 0 && clients == 0 })
}

// A watch that others keep has looked before the newest parse began: whoever comes
// now is not told of the one before it again.
func TestEventsBeginWithTheNewestParse(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	p := addParse(t, st, l.ID, rasterbase.Tiling)
	addLines(t, st, p.ID, "queued")
	s, web := hasty(t, st, nil)
	s.LookEvery(300 * time.Millisecond)
	url := web.URL + "/api/v1/layers/one/events"
	listen(t, url, asEditor...).want("log 1-1", "parse 1-1") // which goes on
	changeParse(t, st, p.ID, "failed", func(p *rasterbase.Parse) { p.Status, p.Ended = rasterbase.Failed, time.Now() })
	addLines(t, st, addParse(t, st, l.ID, rasterbase.Queued).ID, "queued")
	listen(t, url, "Last-Event-ID", "1-end", asEditor[0], asEditor[1]).want("log 2-1", "parse 2-1")
	listen(t, url, asEditor...).want("log 2-1", "parse 2-1")
}

func TestEventsOfALayerWithoutAParse(t *testing.T) {
	st := newStore(t)
	create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	_, web := hasty(t, st, nil)
	c := listen(t, web.URL+"/api/v1/layers/one/events")
	if e := c.want("parse 0-0"); !strings.Contains(e.data, `"unparsed"`) {
		t.Errorf("%s", e.data)
	}
	c.want("end 0-end")
	c.wantEnd()
}

// A log that is longer than what is kept in memory is sent whole.
func TestEventsOfALongLog(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	p := addParse(t, st, l.ID, rasterbase.Tiling)
	_, web := hasty(t, st, nil)
	early := listen(t, web.URL+"/api/v1/layers/one/events", asEditor...)
	early.want("parse 1-0")
	texts := make([]string, 600)
	for i := range texts {
		texts[i] = fmt.Sprint("line ", i+1)
	}
	addLines(t, st, p.ID, texts[:300]...)
	addLines(t, st, p.ID, texts[300:]...)
	for _, c := range []*stream{early, listen(t, web.URL+"/api/v1/layers/one/events", asEditor...)} {
		for i := range texts {
			if e := c.want(fmt.Sprint("log 1-", i+1)); !strings.Contains(e.data, texts[i]+`"`) {
				t.Fatalf("%s", e.data)
			}
		}
	}
}

// shiftingAuth is roleAuth until it is told to let nobody read any more.
type shiftingAuth struct {
	roleAuth
	shut *atomic.Bool
}

func (a shiftingAuth) Principal(r *http.Request) (rasterbase.Principal, error) {
	if a.shut.Load() {
		return rasterbase.Principal{}, rasterbase.Errorf(rasterbase.Unauthorized, "the token was taken back")
	}
	return a.roleAuth.Principal(r)
}

func TestEventsEndWithTheRightToThem(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, st store.Store, id rasterbase.LayerID, shut *atomic.Bool){
		"made private": func(t *testing.T, st store.Store, id rasterbase.LayerID, _ *atomic.Bool) {
			update(t, st, func(ctx context.Context, tx store.Tx) error {
				l, err := tx.Layers().Get(ctx, id)
				if err != nil {
					return err
				}
				l.Visibility = rasterbase.Private
				if err := tx.Layers().Update(ctx, l); err != nil {
					return err
				}
				p, err := tx.Parses().Latest(ctx, id)
				if err != nil {
					return err
				}
				return tx.Parses().Log(ctx, p.ID, "of a private layer")
			})
		},
		"deleted": func(t *testing.T, st store.Store, id rasterbase.LayerID, _ *atomic.Bool) {
			update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Layers().Delete(ctx, id) })
		},
		"signed out": func(_ *testing.T, _ store.Store, _ rasterbase.LayerID, shut *atomic.Bool) { shut.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
			addParse(t, st, l.ID, rasterbase.Tiling)
			var shut atomic.Bool
			_, web := hasty(t, st, shiftingAuth{shut: &shut})
			c := listen(t, web.URL+"/api/v1/layers/one/events")
			c.want("parse 1-0")
			end(t, st, l.ID, &shut)
			if e := c.want("end 1-0"); !strings.Contains(e.data, "gone") {
				t.Errorf("%s", e.data)
			}
			c.wantEnd()
			if answer := request(t, web.URL+"/api/v1/layers/one/events", "Last-Event-ID", "1-0"); answer.StatusCode < 400 {
				t.Errorf("status %d", answer.StatusCode)
			}
		})
	}
}

func eventually(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

// All clients that may follow do, of a few layers, and go away.
func TestManyClientsFollow(t *testing.T) {
	st := newStore(t)
	for _, name := range []string{"one", "two"} {
		l := create(t, st, rasterbase.Layer{Name: name, Visibility: rasterbase.Public})
		addParse(t, st, l.ID, rasterbase.Tiling)
	}
	// At the usual pace: on a busy machine clients would be too slow for a hasty
	// one.
	s := newServer(t, server.Config{Store: st, Auth: crowd{}})
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	t.Cleanup(s.Close) // first: Close of web waits for the streams
	var clients []*stream
	for i := range server.MaxStreams {
		clients = append(clients, listen(t, fmt.Sprintf("%s/api/v1/layers/%d/events", web.URL, i%2+1), "Authorization", fmt.Sprint("Bearer ", i/server.ClientStreams)))
	}
	if layers, n := s.Watched(); layers != 2 || n != server.MaxStreams {
		t.Errorf("%d layers are looked at for %d clients", layers, n)
	}
	full := request(t, web.URL+"/api/v1/layers/1/events")
	if full.StatusCode != 503 || full.Header.Get("Retry-After") == "" || full.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("one too many: status %d, header %v", full.StatusCode, full.Header)
	}
	addLines(t, st, 2, "to all who follow")
	for i, c := range clients {
		if i%2 == 1 {
			for e, ok := c.next(); e.name != "log"; e, ok = c.next() {
				if !ok {
					t.Fatal("the stream ended")
				}
			}
		}
	}
	for _, c := range clients {
		if err := c.body.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, func() bool { layers, clients := s.Watched(); return layers == 0 && clients == 0 })
}

func TestStreamsDoNotKeepAServerFromStopping(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	addParse(t, st, l.ID, rasterbase.Tiling)
	s := newServer(t, server.Config{Store: st, Auth: roleAuth{}})
	srv := &http.Server{Handler: s, ReadTimeout: 50 * time.Millisecond, WriteTimeout: 50 * time.Millisecond, ReadHeaderTimeout: time.Second}
	srv.RegisterOnShutdown(s.Close)
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	c := listen(t, "http://"+lis.Addr().String()+"/api/v1/layers/one/events", asEditor...)
	c.want("parse 1-0")
	time.Sleep(100 * time.Millisecond) // the times of the server for other requests do not end it
	addLines(t, st, 1, "still there")
	c.want("log 1-1")
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	c.wantEnd() // without an event: the client comes back
	wantProblem(t, get(t, s, "/api/v1/layers/one/events"), 503)
}

// A client that reads nothing is dropped.
func TestSlowClientsAreDropped(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	p := addParse(t, st, l.ID, rasterbase.Tiling)
	s, web := hasty(t, st, nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "GET /api/v1/layers/one/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer editor\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { _, clients := s.Watched(); return clients == 1 })
	long := strings.Repeat("x", 100_000)
	for range 8 {
		texts := make([]string, 20)
		for i := range texts {
			texts[i] = long
		}
		addLines(t, st, p.ID, texts...)
	}
	eventually(t, func() bool { _, clients := s.Watched(); return clients == 0 })
}

func TestHeartbeats(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	addParse(t, st, l.ID, rasterbase.Tiling)
	_, web := hasty(t, st, nil)
	c := listen(t, web.URL+"/api/v1/layers/one/events")
	c.want("parse 1-0")
	for range 3 {
		if line, err := c.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, ":") && line != "\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// What is asked for only to look is answered without a stream.
func TestHeadOfEvents(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	addParse(t, st, l.ID, rasterbase.Tiling)
	s := newServer(t, server.Config{Store: st})
	if w := ask(t, s, "HEAD", "/api/v1/layers/one/events"); w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
}
