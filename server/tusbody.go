package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rasterbase/rasterbase"
)

// defaultUploadIdle is how long a client may send nothing.
const defaultUploadIdle = 30 * time.Second

// arriving is the body of a request. The time limit of the connection is moved
// on while bytes come, and so is the time when the upload expires.
type arriving struct {
	body    io.Reader
	control *http.ResponseController
	idle    time.Duration
	moveAt  time.Time // when the limit is moved next
	extend  func()
	due     time.Time // when extend is called next
	every   time.Duration
	left    chan struct{} // closed when the request has ended

	mu      sync.Mutex
	stopped error // why it is to end; nil: it is not
	whole   bool  // all of the body was read
}

func (s *Server) arriving(w http.ResponseWriter, r *http.Request, u *rasterbase.Upload) *arriving {
	a := &arriving{body: r.Body, control: http.NewResponseController(w), left: make(chan struct{}),
		idle: cmp.Or(s.c.UploadIdle, defaultUploadIdle), every: cmp.Or(s.c.UploadExpiry, DefaultUploadExpiry) / 4}
	a.due = time.Now().Add(a.every)
	a.extend = func() {
		if err := s.extend(r.Context(), u); err != nil {
			s.c.Log.WarnContext(r.Context(), "an upload under way may expire", "error", err)
		}
	}
	return a
}

// bodyError is an error of the client or of its connection.
type bodyError struct{ error }

func (e bodyError) Unwrap() error { return e.error }

// Why a request is ended that still sends.
var (
	errTakenOver = errors.New("another request goes on with the upload")
	errStopping  = errors.New("the server stops")
)

func (a *arriving) Read(b []byte) (int, error) {
	now := time.Now()
	if err := a.moveOn(now); err != nil {
		return 0, err
	}
	if !now.Before(a.due) {
		a.due = now.Add(a.every)
		a.extend()
	}
	n, err := a.body.Read(b)
	switch {
	case errors.Is(err, io.EOF):
		a.mu.Lock()
		defer a.mu.Unlock()
		a.whole = true
	case err != nil:
		err = bodyError{err}
	}
	return n, err
}

// moveOn moves the time limit on, every now and then.
func (a *arriving) moveOn(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped != nil {
		return bodyError{a.stopped}
	}
	if !now.Before(a.moveAt) {
		a.moveAt = now.Add(a.idle / 30)
		// Without a connection of its own the request has no limit to move.
		_ = a.control.SetReadDeadline(now.Add(a.idle))
	}
	return nil
}

// stop ends the reading, also one that waits for bytes. A piece that has arrived
// as a whole is kept as such: net/http goes on to read from the connection, and
// would take the limit for the client's end.
func (a *arriving) stop(why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.left: // the connection is another request's
		return
	default:
	}
	if !a.whole {
		a.stopped = why
		_ = a.control.SetReadDeadline(time.Now()) // as above
	}
}

func (a *arriving) whyStopped() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped
}

// answered gives the answer time: the limit for it has been running since the
// request began.
func (a *arriving) answered() { _ = a.control.SetWriteDeadline(time.Now().Add(a.idle)) }

// failed is the error of a piece that could not be taken.
func (a *arriving) failed(err error) error {
	const hint = "ask with HEAD where to go on"
	_, ofBody := errors.AsType[bodyError](err)
	switch {
	case ofBody && a.whyStopped() == errStopping: //nolint:errorlint // it is this very value
		return rasterbase.Errorf(rasterbase.Busy, "%w", errStopping).WithHint(hint)
	case ofBody && a.whyStopped() != nil:
		return &statusError{http.StatusLocked, rasterbase.Errorf(rasterbase.Conflict, "%w", errTakenOver).WithHint(hint)}
	case ofBody && errors.Is(err, os.ErrDeadlineExceeded):
		return &statusError{http.StatusRequestTimeout, rasterbase.Errorf(rasterbase.Invalid, "no bytes came for %v", a.idle).WithHint(hint)}
	case ofBody:
		return rasterbase.Errorf(rasterbase.Invalid, "the piece broke off: %w", err).WithHint(hint)
	case errors.Is(err, syscall.ENOSPC):
		return &statusError{http.StatusInsufficientStorage, rasterbase.Errorf(rasterbase.TooLarge, "the server's temporary folder is full: %w", err)}
	}
	return err
}

// uploading are the pieces that arrive at this server, by their uploads. A
// client whose connection broke begins anew while the server may still wait for
// bytes on the old one: the newer request ends the older one, so that it need
// not wait until that is given up. Nothing depends on it: those at other servers
// are told apart by the store.
type uploading struct {
	mu      sync.Mutex
	now     map[string]*arriving
	stopped bool // no more pieces are taken
}

// stop ends all pieces that still arrive, when the server stops. What came of
// them stays, and their clients go on later.
func (p *uploading) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	for _, a := range p.now {
		a.stop(errStopping)
	}
}

// enter makes a piece the one that arrives for an upload, after the one before
// has ended.
func (p *uploading) enter(ctx context.Context, id string, a *arriving) error {
	ctx, cancel := context.WithTimeout(ctx, cleanUpTime)
	defer cancel()
	for {
		p.mu.Lock()
		if p.stopped {
			p.mu.Unlock()
			return rasterbase.Errorf(rasterbase.Busy, "%w", errStopping).WithHint("try again")
		}
		before := p.now[id]
		if before == nil {
			if p.now == nil {
				p.now = map[string]*arriving{}
			}
			p.now[id] = a
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
		before.stop(errTakenOver)
		select {
		case <-before.left:
		case <-ctx.Done():
			return &statusError{http.StatusLocked, rasterbase.Errorf(rasterbase.Conflict, "another request is adding to the upload").
				WithHint("try again")}
		}
	}
}

// leave tells that a piece does not arrive any more.
func (p *uploading) leave(id string, a *arriving) {
	p.mu.Lock()
	delete(p.now, id)
	p.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.left)
}
