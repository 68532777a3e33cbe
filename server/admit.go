package server

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
)

// DefaultPerClient is how many requests that compute are worked on at once for one
// client.
const DefaultPerClient = 16

const (
	// queuePerPlace is how many requests of a client may wait for each that is worked
	// on: a map that fills a large screen asks for some hundred tiles at once.
	queuePerPlace = 8
	// longestWait is how long they wait.
	longestWait = 10 * time.Second
	// sharingPlaces is how many times as many places an address has that many clients
	// may stand behind.
	sharingPlaces = 4
)

// admission bounds how much of what is computed is worked on at once for each client:
// tiles of formulas, many points, profiles, exports, counts. It knows clients as long as
// something of theirs is worked on or waits. Any number of goroutines may use it.
type admission struct {
	places int // for each client; negative: any number
	wait   time.Duration

	mu      sync.Mutex
	clients map[client]*admitted
}

// admitted is what of a client is worked on, and what waits.
type admitted struct {
	working int
	waiting []chan struct{} // the first to come is the first; closed when it may begin
}

func newAdmission(places int) *admission {
	if places == 0 {
		places = DefaultPerClient
	}
	return &admission{places: places, wait: longestWait, clients: map[client]*admitted{}}
}

// admitWork takes one of its client's places for a request, until release is called. When
// all are taken it waits for some seconds. The error has code too many when that was
// not enough, and when too many wait already. A request takes one place at most: it
// could wait for itself.
func (s *Server) admitWork(r *http.Request) (release func(), err error) {
	if s.admission.places < 0 {
		return func() {}, nil
	}
	who, err := s.principal(r)
	if err != nil {
		return nil, err
	}
	return s.admission.begin(r.Context(), clientOf(who, r.RemoteAddr))
}

// begin takes a place for a client.
func (a *admission) begin(ctx context.Context, client client) (release func(), err error) {
	turn, err := a.enter(client)
	if err != nil {
		return nil, err
	}
	if turn == nil {
		return a.releaseOnce(client), nil
	}
	timer := time.NewTimer(a.wait)
	defer timer.Stop()
	select {
	case <-turn:
		return a.releaseOnce(client), nil
	case <-timer.C:
		err = tooManyOf(a.limit(client))
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if a.leave(client, turn) {
		return nil, err
	}
	if ctx.Err() != nil { // its turn came at the same moment
		a.release(client)
		return nil, err
	}
	return a.releaseOnce(client), nil
}

// limit is how many places a client has.
func (a *admission) limit(c client) int {
	if c.shared() {
		return sharingPlaces * a.places
	}
	return a.places
}

// enter gives a request a place, or else a turn to wait for.
func (a *admission) enter(client client) (turn chan struct{}, err error) {
	places := a.limit(client)
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[client]
	if c == nil {
		c = &admitted{}
		a.clients[client] = c
	}
	switch {
	case c.working < places:
		c.working++
		return nil, nil
	case len(c.waiting) >= queuePerPlace*places:
		return nil, tooManyOf(places)
	}
	turn = make(chan struct{})
	c.waiting = append(c.waiting, turn)
	return turn, nil
}

// leave takes a turn back, unless it has come.
func (a *admission) leave(client client, turn chan struct{}) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[client]
	if c == nil {
		return false
	}
	i := slices.Index(c.waiting, turn)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	return true
}

// releaseOnce gives a place back, however often it is called.
func (a *admission) releaseOnce(client client) func() {
	return sync.OnceFunc(func() { a.release(client) })
}

// release hands a place on to who waits longest.
func (a *admission) release(client client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[client]
	if len(c.waiting) > 0 {
		close(c.waiting[0])
		c.waiting = slices.Delete(c.waiting, 0, 1)
		return
	}
	if c.working--; c.working == 0 {
		delete(a.clients, client)
	}
}

func tooManyOf(places int) error {
	return rasterbase.Errorf(rasterbase.TooMany, "%d requests of yours that compute are being worked on, and others wait", places).
		WithHint("ask again when some have been answered; max_per_client says how many there may be")
}
