package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Limits of event streams.
const (
	maxStreams     = 256
	clientStreams  = 16             // of one client
	sharingStreams = maxStreams / 4 // of an address that many clients may stand behind
	keptLines      = 256            // of a log, in memory
)

// client is whose streams are counted together: somebody signed in, or else the
// network that a connection comes from. The zero client is nobody that can be told
// from others, as over a Unix socket.
type client struct {
	name     string
	net      netip.Prefix
	internal bool // of this machine, or of an internal network
}

// shared reports whether many may stand behind it. Requests of an address of this
// machine or of an internal network are most often a proxy's, whose clients cannot be
// told apart.
func (c client) shared() bool { return c.name == "" && (c.internal || !c.net.IsValid()) }

// clientOf tells whose stream a request asks for. A host with IPv6 has a whole
// network of 64 bits to choose its addresses from.
func clientOf(who rasterbase.Principal, remote string) client {
	if who.Name != "" {
		return client{name: who.Name}
	}
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return client{}
	}
	addr, bits := from.Addr().Unmap().WithZone(""), 32
	if addr.Is6() {
		bits = 64
	}
	net, err := addr.Prefix(bits)
	if err != nil {
		return client{}
	}
	return client{net: net, internal: addr.IsLoopback() || addr.IsPrivate()}
}

// limit is how many streams a client may have at once. Addresses of this machine
// and of internal networks are most often a proxy's, whose clients cannot be told
// apart: they have more together, and never all.
func (c client) limit() int {
	if c.shared() {
		return sharingStreams
	}
	return clientStreams
}

// pace is how often event streams do things.
type pace struct {
	poll   time.Duration // of a layer
	beat   time.Duration // something is sent, so that proxies keep the connection
	rights time.Duration // of a client are looked at
	write  time.Duration // may take so long; slower clients are dropped
}

var usualPace = pace{poll: 500 * time.Millisecond, beat: 15 * time.Second, rights: 5 * time.Second, write: 10 * time.Second}

// watches look at the layers that anybody follows: each layer is read twice a
// second, however many follow it, and not at all when nobody does.
type watches struct {
	ctx     context.Context // ends with the server
	catalog store.Catalog
	log     *slog.Logger
	pace    pace

	mu      sync.Mutex
	streams int
	clients map[client]int // their streams
	byLayer map[rasterbase.LayerID]*watch
}

// watch looks at one layer while anybody follows it.
type watch struct {
	cancel    context.CancelFunc
	followers int

	mu      sync.Mutex
	now     sighting
	changed chan struct{} // closed when now is replaced
}

// sighting is what was seen of a layer at one time. It is shared, and never
// changed.
type sighting struct {
	known bool // false: it was not looked at yet
	layer *rasterbase.Layer
	parse *rasterbase.Parse // the newest; nil: none
	lines []rasterbase.LogLine
	last  int64 // seq of the last line; 0: none
	gone  bool  // the layer was deleted
}

func newWatches(ctx context.Context, catalog store.Catalog, log *slog.Logger) *watches {
	return &watches{ctx: ctx, catalog: catalog, log: log, pace: usualPace, clients: map[client]int{}, byLayer: map[rasterbase.LayerID]*watch{}}
}

// follow joins those who follow a layer; leave is to be called at the end.
func (ws *watches) follow(id rasterbase.LayerID, by client) (w *watch, leave func(), err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.streams >= maxStreams || ws.ctx.Err() != nil {
		return nil, nil, rasterbase.Errorf(rasterbase.Busy, "%d clients follow parses already", ws.streams).WithHint("try again, or read the layer now and then")
	}
	if n := ws.clients[by]; n >= by.limit() {
		return nil, nil, rasterbase.Errorf(rasterbase.TooMany, "you follow %d parses already", n).WithHint("close a stream, or read the layer now and then")
	}
	ws.streams++
	ws.clients[by]++
	w = ws.byLayer[id]
	if w == nil {
		ctx, cancel := context.WithCancel(ws.ctx)
		w = &watch{cancel: cancel, changed: make(chan struct{})}
		ws.byLayer[id] = w
		go ws.look(ctx, id, w)
	}
	w.followers++
	return w, func() { ws.leave(id, w, by) }, nil
}

func (ws *watches) leave(id rasterbase.LayerID, w *watch, by client) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.streams--
	if ws.clients[by]--; ws.clients[by] == 0 {
		delete(ws.clients, by)
	}
	if w.followers--; w.followers == 0 {
		w.cancel()
		delete(ws.byLayer, id)
	}
}

// look reads a layer again and again, until nobody follows it any more.
func (ws *watches) look(ctx context.Context, id rasterbase.LayerID, w *watch) {
	tick := time.NewTicker(ws.pace.poll)
	defer tick.Stop()
	failing := false
	for {
		before, _ := w.see()
		next, err := ws.sight(ctx, id, before)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			ws.log.WarnContext(ctx, "following a parse: the store cannot be read", "layer", id, "error", err)
		case err == nil && next.differs(before):
			w.show(next)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// see gives what is known now, and what tells when there is more.
func (w *watch) see() (sighting, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, w.changed
}

func (w *watch) show(s sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = s
	close(w.changed)
	w.changed = make(chan struct{})
}

// sight reads a layer, its newest parse, and what is new in the log.
func (ws *watches) sight(ctx context.Context, id rasterbase.LayerID, before sighting) (s sighting, err error) {
	err = ws.catalog.View(ctx, func(tx store.Tx) error {
		s = sighting{known: true}
		var err error
		if s.layer, err = tx.Layers().Get(ctx, id); errors.Is(err, store.ErrNotExist) {
			s.gone = true
			return nil
		}
		if err != nil {
			return err
		}
		if s.parse, err = tx.Parses().Latest(ctx, id); errors.Is(err, store.ErrNotExist) {
			s.parse = nil
			return nil
		}
		if err != nil {
			return err
		}
		if before.parse != nil && before.parse.ID == s.parse.ID {
			s.lines, s.last = before.lines, before.last
		}
		more, err := tx.Parses().Lines(ctx, s.parse.ID, s.last)
		if err != nil || len(more) == 0 {
			return err
		}
		all := append(s.lines[:len(s.lines):len(s.lines)], more...) // never into what others hold
		s.lines, s.last = all[max(0, len(all)-keptLines):], more[len(more)-1].Seq
		return nil
	})
	return s, err
}

// differs reports whether there is anything to be told of.
func (s sighting) differs(before sighting) bool {
	switch {
	case s.known != before.known, s.gone != before.gone, s.last != before.last, (s.parse == nil) != (before.parse == nil):
		return true
	case s.layer == nil || before.layer == nil:
		return false
	case s.layer.Visibility != before.layer.Visibility || !s.layer.Updated.Equal(before.layer.Updated):
		return true
	}
	return s.parse != nil && (s.parse.ID != before.parse.ID || differs(s.parse, before.parse))
}

// differs reports whether two states of a parse are not shown alike.
func differs(a, b *rasterbase.Parse) bool {
	return a.Status != b.Status || a.Done != b.Done || a.Planned != b.Planned || a.Error != b.Error ||
		!a.Started.Equal(b.Started) || !a.Ended.Equal(b.Ended)
}

// linesAfter gives the lines of a sighting's parse after a place in its log, from
// the store where they are not kept any more.
func (ws *watches) linesAfter(ctx context.Context, s sighting, after int64) (lines []rasterbase.LogLine, err error) {
	if after >= s.last {
		return nil, nil
	}
	if len(s.lines) > 0 && s.lines[0].Seq <= after+1 {
		lines = s.lines
		for len(lines) > 0 && lines[0].Seq <= after {
			lines = lines[1:]
		}
		return lines, nil
	}
	err = ws.catalog.View(ctx, func(tx store.Tx) (err error) {
		lines, err = tx.Parses().Lines(ctx, s.parse.ID, after)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return nil, nil // deleted a moment ago, as will be seen soon
	}
	if err != nil {
		return nil, fmt.Errorf("read the log of parse %d: %w", s.parse.ID, err)
	}
	return lines, nil
}
