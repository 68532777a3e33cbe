package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type eventsInput struct {
	Layer       string `path:"layer" doc:"Id, slug, or source file name of a layer"`
	LastEventID string `header:"Last-Event-ID" doc:"Id of the last event that the client has"`
	After       int64  `query:"after" minimum:"0" default:"0" doc:"Lines of the log after this seq, for the first time"`
}

// eventPlace says how far a client has the events of a layer's parses.
type eventPlace struct {
	parse rasterbase.ParseID
	line  int64 // the last one of the log that it has
	end   bool  // it knows that the parse has ended
}

// String is the id of an event.
func (p eventPlace) String() string {
	if p.end {
		return fmt.Sprintf("%d-end", p.parse)
	}
	return fmt.Sprintf("%d-%d", p.parse, p.line)
}

// parsePlace reads the id of an event; it is false for others.
func parsePlace(id string) (p eventPlace, ok bool) {
	parse, line, ok := strings.Cut(id, "-")
	n, err := strconv.ParseInt(parse, 10, 64)
	if !ok || err != nil || n < 0 {
		return eventPlace{}, false
	}
	p.parse = rasterbase.ParseID(n)
	if line == "end" {
		p.end = true
		return p, true
	}
	p.line, err = strconv.ParseInt(line, 10, 64)
	if err != nil || p.line < 0 {
		return eventPlace{}, false
	}
	return p, true
}

// apiEvents sends what happens to a layer's newest parse while it happens.
func (s *Server) apiEvents(w http.ResponseWriter, r *http.Request, in *eventsInput) error {
	var latest rasterbase.Parse
	l, err := s.find(r, in.Layer, func(tx store.Tx, l *rasterbase.Layer) error {
		k, err := read(r.Context(), tx, l)
		if latest = (rasterbase.Parse{}); k.parse != nil {
			latest = *k.parse
		}
		return err
	})
	if err == nil {
		err = neverParsed(l)
	}
	if err != nil {
		return err
	}
	at, returns := parsePlace(in.LastEventID)
	if !returns {
		at = eventPlace{parse: latest.ID, line: in.After}
	}
	h := w.Header()
	if at.end && at.parse == latest.ID {
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent) // which ends a browser's EventSource
		return nil
	}
	at.end = false
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy must pass events on at once
	private(h)
	if r.Method == http.MethodHead {
		return nil
	}
	who, err := s.principal(r)
	if err != nil {
		return err
	}
	watch, leave, err := s.watches.follow(l.ID, clientOf(who, r.RemoteAddr))
	if err != nil {
		h.Del("X-Accel-Buffering")
		return err
	}
	defer leave()
	e := &eventStream{s: s, w: w, r: r, out: http.NewResponseController(w), at: at, newest: latest.ID}
	_ = e.out.SetReadDeadline(time.Time{}) // not all can
	w.WriteHeader(http.StatusOK)
	e.send(": the parse of a layer, as it goes on\nretry: 3000\n\n")
	e.follow(watch)
	return nil
}

// eventStream is one client that follows a layer. What a client does not take is
// not kept for it: it is dropped, and may come back with Last-Event-ID.
type eventStream struct {
	s   *Server
	w   http.ResponseWriter
	r   *http.Request
	out *http.ResponseController
	at  eventPlace
	// newest is the parse that the request has found. A watch that others keep may
	// have looked before it began, and would tell of the one before it.
	newest rasterbase.ParseID
	shown  *rasterbase.Parse // as the client knows it
	asked  time.Time         // when the client's rights were looked at
	layer  *rasterbase.Layer // as it was then
	edits  bool              // the client may change the layer, and is told all
	err    error             // of the connection
}

// follow sends events until the parse has ended, the layer is gone, the client
// is, or the server is closed.
func (e *eventStream) follow(w *watch) {
	beat := time.NewTicker(e.s.watches.pace.beat)
	defer beat.Stop()
	ask := time.NewTicker(e.s.watches.pace.rights)
	defer ask.Stop()
	for {
		now, changed := w.see()
		if now.known && e.tell(now) || e.err != nil {
			return
		}
		select {
		case <-changed:
		case <-ask.C:
		case <-beat.C:
			e.send(":\n\n")
		case <-e.r.Context().Done():
			return
		case <-e.s.running.Done():
			return
		}
	}
}

// tell sends what the client does not know yet, and reports whether that was
// all there will be.
func (e *eventStream) tell(now sighting) (done bool) {
	ctx := e.r.Context()
	allowed, err := !now.gone, error(nil)
	if allowed {
		allowed, err = e.allowed(ctx, now.layer)
	}
	if err != nil {
		e.s.c.Log.WarnContext(ctx, "following a parse: rights cannot be asked for", "error", err)
		return true // the client comes back
	}
	if !allowed {
		e.event("end", struct {
			Reason string `json:"reason"`
		}{"gone"})
		return true
	}
	p := now.parse
	if p == nil {
		p = &rasterbase.Parse{Status: rasterbase.Unparsed}
	}
	if p.ID < e.newest {
		return false
	}
	if p.ID != e.at.parse {
		e.at = eventPlace{parse: p.ID}
	}
	if e.edits && !e.tellLines(ctx, now) {
		return true // the client comes back
	}
	if e.shown == nil || e.shown.ID != p.ID || differs(e.shown, p) {
		e.shown = p
		e.event("parse", parseDocument(p, e.edits))
	}
	if !p.Status.Ended() && p.ID != 0 {
		return false
	}
	e.at.end = true
	e.event("end", parseDocument(p, e.edits))
	return true
}

// tellLines sends the lines of the log that the client does not have, and reports
// whether they could be read.
func (e *eventStream) tellLines(ctx context.Context, now sighting) bool {
	lines, err := e.s.watches.linesAfter(ctx, now, e.at.line)
	if err != nil {
		e.s.c.Log.WarnContext(ctx, "following a parse", "error", err)
		return false
	}
	for _, line := range lines {
		e.at.line = line.Seq
		e.event("log", lineDocument(line))
	}
	return true
}

// allowed reports whether the client may still follow, and notes whether it is
// told all. That is asked when the layer was changed, and every few seconds. An
// error says that Auth could not tell.
func (e *eventStream) allowed(ctx context.Context, l *rasterbase.Layer) (bool, error) {
	same := e.layer != nil && e.layer.Visibility == l.Visibility && e.layer.Updated.Equal(l.Updated)
	if same && time.Since(e.asked) < e.s.watches.pace.rights {
		return true, nil
	}
	who, err := e.s.c.Auth.Principal(e.r) // anew: a token may have been taken back
	if err == nil {
		err = e.s.c.Auth.May(ctx, who, rasterbase.Read, l)
	}
	switch rasterbase.CodeOf(err) {
	case rasterbase.Unauthorized, rasterbase.Forbidden, rasterbase.NotFound:
		return false, nil
	}
	if err == nil {
		e.edits, err = e.s.mayEdit(ctx, who, l)
	}
	e.layer, e.asked = l, time.Now()
	return err == nil, err
}

// event sends one event.
func (e *eventStream) event(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil { // texts, numbers and times always marshal
		panic(err)
	}
	e.send(fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", name, e.at, data))
}

// send writes to the client at once. After an error nothing more is sent.
func (e *eventStream) send(text string) {
	if e.err != nil {
		return
	}
	_ = e.out.SetWriteDeadline(time.Now().Add(e.s.watches.pace.write)) // not all can
	if _, e.err = e.w.Write([]byte(text)); e.err == nil {
		e.err = e.out.Flush()
	}
}
