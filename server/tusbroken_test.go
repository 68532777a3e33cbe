package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// patience is how long something may take that happens by itself.
const patience = 30 * time.Second

// raw sends the head of a request to add length bytes and the first of them,
// over a connection that the caller has in hand.
func (s sender) raw(address, offset string, length int, data string, header ...string) net.Conn {
	s.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		s.t.Fatal(err)
	}
	var d net.Dialer
	c, err := d.DialContext(s.t.Context(), "tcp", u.Host)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() }) // most tests have closed it
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "PATCH %s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nAuthorization: Bearer %s\r\n", u.Path, u.Host, s.who)
	fmt.Fprintf(&b, "Content-Type: application/offset+octet-stream\r\nUpload-Offset: %s\r\nContent-Length: %d\r\n", offset, length)
	for i := 0; i+1 < len(header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", header[i], header[i+1])
	}
	if _, err := io.WriteString(c, b.String()+"\r\n"+data); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// answer reads what a connection is answered.
func answerOn(t *testing.T, c net.Conn) int {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.StatusCode
}

// eventually waits until an upload has so many bytes.
func (s sender) eventually(address, offset string) {
	s.t.Helper()
	for end := time.Now().Add(patience); s.offset(address) != offset; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("the offset is %s and does not become %s", s.offset(address), offset)
		}
	}
}

// What a connection brought before it broke stays, and the upload goes on.
func TestAConnectionBreaks(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "10")
	if err := s.raw(address, "0", 10, "0123").Close(); err != nil {
		t.Fatal(err)
	}
	s.eventually(address, "4")
	s.send(address, "4", "456789").want(t, http.StatusNoContent)
	wantBytes(t, st, address, []byte("0123456789"))
}

// Of a piece with a checksum that breaks off nothing stays: nobody can tell
// whether it is right.
func TestAConnectionBreaksInACheckedPiece(t *testing.T) {
	st, work := newStore(t), t.TempDir()
	s := newSender(t, server.Config{Store: st, WorkDir: work, UploadIdle: 50 * time.Millisecond})
	address := s.begin("a.tif", "10")
	c := s.raw(address, "0", 10, "0123", "Upload-Checksum", "sha1 "+sums("0123")["sha1"])
	if got := answerOn(t, c); got != http.StatusRequestTimeout {
		t.Errorf("status %d", got)
	}
	if got := s.offset(address); got != "0" {
		t.Errorf("the offset is %s", got)
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// A server that stops does not wait for pieces that still arrive, and takes no
// others; what came of them stays.
func TestAServerStopsWhileAPieceArrives(t *testing.T) {
	st := newStore(t)
	handler := newServer(t, server.Config{Store: st, Auth: named{}})
	web := httptest.NewServer(handler)
	defer web.Close()
	s := sender{t, web.URL, "alice"}
	address := s.begin("a.tif", "10")
	c := s.raw(address, "0", 10, "0123")
	for end := time.Now().Add(patience); handler.Arriving() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the piece does not arrive")
		}
	}
	handler.Close()
	if got := answerOn(t, c); got != http.StatusServiceUnavailable {
		t.Errorf("status %d", got)
	}
	s.send(address, s.offset(address), "x").want(t, http.StatusServiceUnavailable)
	other := newSender(t, server.Config{Store: st})
	at := strings.Replace(address, s.web, other.web, 1)
	if got := other.offset(at); got != "4" && got != "0" {
		t.Errorf("the offset is %s", got)
	}
}

// A client that stops sending is cut off; what it sent stays.
func TestAClientStalls(t *testing.T) {
	s := newSender(t, server.Config{Store: newStore(t), UploadIdle: 50 * time.Millisecond})
	address := s.begin("a.tif", "10")
	if got := answerOn(t, s.raw(address, "0", 10, "0123")); got != http.StatusRequestTimeout {
		t.Errorf("status %d", got)
	}
	if got := s.offset(address); got != "4" {
		t.Errorf("the offset is %s", got)
	}
}

// The server's time limits for whole requests do not hold for pieces that keep
// coming.
func TestASlowClientIsNotCutOff(t *testing.T) {
	st := newStore(t)
	web := httptest.NewUnstartedServer(newServer(t, server.Config{Store: st, Auth: named{}}))
	web.Config.ReadTimeout, web.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	web.Start()
	defer web.Close()
	s := sender{t, web.URL, "alice"}
	address := s.begin("a.tif", "10")
	c := s.raw(address, "0", 10, "")
	for _, one := range "0123456789" {
		time.Sleep(100 * time.Millisecond)
		if _, err := io.WriteString(c, string(one)); err != nil {
			t.Fatal(err)
		}
	}
	if got := answerOn(t, c); got != http.StatusNoContent {
		t.Errorf("status %d", got)
	}
	wantBytes(t, st, address, []byte("0123456789"))
}

// A client that comes back goes on at once, though the server still waits for
// bytes on its old connection.
func TestAClientComesBack(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "10")
	old := s.raw(address, "0", 10, "0123")
	s.eventually(address, "4")
	s.send(address, "4", "456789").want(t, http.StatusNoContent)
	if got := answerOn(t, old); got != http.StatusLocked {
		t.Errorf("the old connection is answered %d", got)
	}
	wantBytes(t, st, address, []byte("0123456789"))
}

// slow is a store that takes its time to keep what it is given.
type slow struct{ store.Store }

func (s slow) Sources() store.Sources { return slowSources{s.Store.Sources()} }

type slowSources struct{ store.Sources }

func (s slowSources) Append(ctx context.Context, id, name string, offset int64, r io.Reader) (int64, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return offset, err
	}
	select {
	case <-ctx.Done():
		return offset, ctx.Err()
	case <-time.After(500 * time.Millisecond):
	}
	return s.Sources.Append(ctx, id, name, offset, bytes.NewReader(data))
}

// The limit for clients that stop sending is not one for the store.
func TestASlowStoreIsNotAStalledClient(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: slow{st}, UploadIdle: 100 * time.Millisecond})
	address := s.begin("a.tif", "10")
	s.send(address, "0", "0123").want(t, http.StatusNoContent)
	s.send(address, "4", "456789", "Upload-Checksum", "sha1 "+sums("456789")["sha1"]).want(t, http.StatusNoContent)
	wantBytes(t, st, address, []byte("0123456789"))
}

// While somebody is adding to an upload at one server nobody else is at another
// one.
func TestTwoClientsOfOneUpload(t *testing.T) {
	st := newStore(t)
	s, other := newSender(t, server.Config{Store: st}), newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "10")
	c := s.raw(address, "0", 10, "0123")
	s.eventually(address, "4") // it is being written to
	other.send(strings.Replace(address, s.web, other.web, 1), "4", "other!").want(t, http.StatusLocked)
	if _, err := io.WriteString(c, "456789"); err != nil {
		t.Fatal(err)
	}
	if got := answerOn(t, c); got != http.StatusNoContent {
		t.Errorf("status %d", got)
	}
	wantBytes(t, st, address, []byte("0123456789"))
}

// An upload that is ended while a piece arrives is gone with it.
func TestAnUploadEndsWhileAPieceArrives(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "10")
	c := s.raw(address, "0", 10, "0123")
	s.eventually(address, "4")
	s.do(http.MethodDelete, address, nil).want(t, http.StatusNoContent)
	if _, err := io.WriteString(c, "456789"); err != nil {
		t.Fatal(err)
	}
	if got := answerOn(t, c); got != http.StatusGone {
		t.Errorf("status %d", got)
	}
	nothingUploaded(t, st)
}

// A piece that takes longer than an upload stays keeps it from expiring.
func TestALongPieceKeepsItsUpload(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st, UploadExpiry: time.Hour})
	address := s.begin("a.tif", "10")
	short := newSender(t, server.Config{Store: st, UploadExpiry: 400 * time.Millisecond})
	there := strings.Replace(address, s.web, short.web, 1)
	c := short.raw(there, "0", 10, "")
	for _, one := range "0123456789" {
		time.Sleep(100 * time.Millisecond)
		if _, err := io.WriteString(c, string(one)); err != nil {
			t.Fatal(err)
		}
	}
	if got := answerOn(t, c); got != http.StatusNoContent {
		t.Fatalf("status %d", got)
	}
	var began, expires time.Time
	change(t, st, address, func(_ store.Tx, u *rasterbase.Upload) error { began, expires = u.Created, u.Expires; return nil })
	if expires.Sub(began) < time.Second {
		t.Errorf("it expires %v after it began", expires.Sub(began))
	}
}

// However long a piece is, little of it is in memory.
func TestMemoryOfALargePiece(t *testing.T) {
	const size = 64 << 20
	st := newStore(t)
	s := newServer(t, server.Config{Store: st, Auth: named{}})
	web := httptest.NewServer(s)
	defer web.Close()
	address := sender{t, web.URL, "alice"}.begin("a.tif", fmt.Sprint(size))
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPatch, address, io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = size
	for name, value := range map[string]string{"Tus-Resumable": "1.0.0", "Authorization": "Bearer alice", "Upload-Offset": "0",
		"Content-Type": "application/offset+octet-stream"} {
		r.Header.Set(name, value)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	runtime.ReadMemStats(&after)
	if w.StatusCode != http.StatusNoContent || w.Header.Get("Upload-Offset") != fmt.Sprint(size) {
		t.Fatalf("status %d, %v", w.StatusCode, w.Header)
	}
	// All that was allocated meanwhile, by the client as well.
	if used := after.TotalAlloc - before.TotalAlloc; used > size/8 {
		t.Errorf("%d bytes were allocated for %d", used, size)
	}
}

// zeros is a file without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
