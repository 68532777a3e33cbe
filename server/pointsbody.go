package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
)

const (
	// maxPointsBody is the longest body of POST /pixel, in bytes, however many places
	// it may hold.
	maxPointsBody = 32 << 20
	// A body has room for so much of its own, and for so much with each place: a
	// feature with a few properties.
	pointsBodyBase    = 1 << 20
	pointsBodyByPlace = 160

	// bodiesMemory bounds what the bodies of all requests take at once, in bytes, and
	// clientBodies those of one client.
	bodiesMemory = 128 << 20
	clientBodies = bodiesMemory / 2
	// firstPiece is how much is taken for a body before any of it has come. What a
	// client announces counts for nothing until it sends it.
	firstPiece = 16 << 10

	// bodyRate is how many bytes a second a body has to come with, after a while
	// that is given to each; answerRate is that of an answer being taken.
	bodyRate   = 64 << 10
	answerRate = 16 << 10
)

// pointsBodyLimit is the longest body, in bytes, where so many places are allowed.
func pointsBodyLimit(places int) int64 {
	return pointsBodyBase + min(int64(places), (maxPointsBody-pointsBodyBase)/pointsBodyByPlace)*pointsBodyByPlace
}

// bodyMemory counts the memory that bodies take until their requests are answered.
// Any number of goroutines may use it.
type bodyMemory struct {
	all, each int64 // bytes for all, and for each client
	wait      time.Duration

	mu      sync.Mutex
	taken   int64
	clients map[client]int64 // who has none is not in it
	freed   chan struct{}    // closed when some is given back; nil: nobody waits
}

func newBodyMemory() *bodyMemory {
	return &bodyMemory{all: bodiesMemory, each: clientBodies, wait: longestWait, clients: map[client]int64{}}
}

// take takes n bytes for a client, and waits for them some seconds. The error has code
// too many when it is the client itself that has too much, and busy when it is all.
func (m *bodyMemory) take(ctx context.Context, c client, n int64) error {
	freed, err := m.try(c, n)
	if err == nil {
		return nil
	}
	timer := time.NewTimer(m.wait)
	defer timer.Stop()
	for {
		select {
		case <-freed:
		case <-timer.C:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if freed, err = m.try(c, n); err == nil {
			return nil
		}
	}
}

// try takes n bytes, or tells why not and what to wait for.
func (m *bodyMemory) try(c client, n int64) (freed chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.taken+n > m.all:
		err = rasterbase.Errorf(rasterbase.Busy, "the bodies of other requests take all memory that there is for bodies").
			WithHint("send it again in a while")
	case m.clients[c]+n > m.limit(c):
		err = rasterbase.Errorf(rasterbase.TooMany, "the bodies of other requests of yours take more than %d bytes", m.limit(c)-n).
			WithHint("send it again when some have been answered")
	default:
		m.taken += n
		m.clients[c] += n
		return nil, nil
	}
	if m.freed == nil {
		m.freed = make(chan struct{})
	}
	return m.freed, err
}

// limit is how much a client has. An address that many may stand behind has all.
func (m *bodyMemory) limit(c client) int64 {
	if c.shared() {
		return m.all
	}
	return m.each
}

// give gives n bytes back.
func (m *bodyMemory) give(c client, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken -= n
	if m.clients[c] -= n; m.clients[c] <= 0 {
		delete(m.clients, c)
	}
	if m.freed != nil {
		close(m.freed)
		m.freed = nil
	}
}

// receiving is a body that arrives.
type receiving struct {
	body     io.Reader
	control  *http.ResponseController
	memory   *bodyMemory
	client   client
	from     time.Time     // when it began, later by what was waited for memory
	patience time.Duration // given to each body
	length   int64         // that was announced; negative: none was
	most     int64

	b     []byte
	taken int64
}

// receive reads a body of bounded length, as its bytes come. The memory that it takes
// is counted until release is called, also after an error.
//
// It is called before a request takes a place among those that are worked on: a client
// that sends slowly keeps nobody from working, and is given up after a while.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, who rasterbase.Principal, most int64) (b []byte, release func(), err error) {
	if r.ContentLength > most {
		return nil, func() {}, bodyTooLong(most)
	}
	a := &receiving{
		body: http.MaxBytesReader(w, r.Body, most), control: http.NewResponseController(w),
		memory: s.bodies, client: clientOf(who, r.RemoteAddr),
		from: time.Now(), patience: cmp.Or(s.c.UploadIdle, defaultUploadIdle), length: r.ContentLength, most: most,
	}
	if err = a.read(r.Context()); err == nil {
		_ = a.control.SetReadDeadline(time.Time{}) // not all can
	} else { // nothing more is waited for, which net/http would do before it answers
		w.Header().Set("Connection", "close")
		_ = a.control.SetReadDeadline(time.Now())
	}
	// The time that went by with the body is not the answer's.
	_ = a.control.SetWriteDeadline(time.Now().Add(sendIdle))
	return a.b, sync.OnceFunc(func() { a.memory.give(a.client, a.taken) }), err
}

// read reads the whole body.
func (a *receiving) read(ctx context.Context) error {
	for {
		if len(a.b) == cap(a.b) {
			if err := a.grow(ctx); err != nil {
				return err
			}
		}
		came := time.Duration(len(a.b)) * time.Second / bodyRate
		_ = a.control.SetReadDeadline(a.from.Add(a.patience + came)) // not all can
		n, err := a.body.Read(a.b[len(a.b):cap(a.b)])
		a.b = a.b[:len(a.b)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return a.failed(err)
		}
	}
}

// grow makes room for more, twice as much at most as has come.
func (a *receiving) grow(ctx context.Context) error {
	size := max(firstPiece, 2*int64(cap(a.b)))
	if a.length >= int64(len(a.b)) {
		size = min(size, a.length+1) // the end is seen with one byte to spare
	}
	size = min(size, a.most+1)
	more := size - int64(cap(a.b))
	began := time.Now()
	if err := a.memory.take(ctx, a.client, more); err != nil {
		return err
	}
	a.from = a.from.Add(time.Since(began))
	a.taken += more
	a.b = append(make([]byte, 0, size), a.b...)
	return nil
}

func (a *receiving) failed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &statusError{http.StatusRequestTimeout, rasterbase.Errorf(rasterbase.Invalid, "the body came too slowly: %d bytes until now", len(a.b)).
			WithHint("send it faster than %d bytes a second, or in parts", bodyRate)}
	}
	return unreadBody(err, a.most)
}

// readBody reads a short body of bounded length.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return nil, unreadBody(err, most)
	}
	return b, nil
}

func unreadBody(err error, most int64) error {
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return bodyTooLong(most)
	}
	return rasterbase.Errorf(rasterbase.Invalid, "the body cannot be read: %w", err)
}

func bodyTooLong(most int64) error {
	return rasterbase.Errorf(rasterbase.TooLarge, "the body is too long").WithHint("at most %d bytes are read; send it in parts", most)
}

// taking lets an answer take as long as its client takes it at some rate: what it is
// made from is kept meanwhile.
type taking struct {
	http.ResponseWriter
	control *http.ResponseController
	from    time.Time
	sent    int64
}

func (w *taking) Write(p []byte) (int, error) {
	due := w.from.Add(sendIdle + time.Duration(w.sent)*time.Second/answerRate)
	if soon := time.Now().Add(sendIdle); soon.Before(due) {
		due = soon
	}
	_ = w.control.SetWriteDeadline(due) // not all can
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}
