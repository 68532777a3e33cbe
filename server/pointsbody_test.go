package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase/server"
)

// pointsServer is a server at an address with a layer of heights.
func pointsServer(t *testing.T, c server.Config, limit time.Duration) (*server.Server, *httptest.Server) {
	t.Helper()
	c.Store = newStore(t)
	add(t, c.Store, ramp("DEM"))
	s := newServer(t, c)
	web := httptest.NewUnstartedServer(s)
	web.Config.ReadTimeout, web.Config.WriteTimeout = limit, limit
	web.Start()
	t.Cleanup(web.Close)
	return s, web
}

// sendPart sends the beginning of a body of so many bytes.
func sendPart(t *testing.T, web *httptest.Server, length int, part string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := fmt.Fprintf(c, "POST /pixel?layers=a=1&f=csv HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", length, part); err != nil {
		t.Fatal(err)
	}
	return c
}

// Clients that send slowly keep nobody from being worked on, and what they have
// announced takes no memory.
func TestSlowBodiesTakeNoPlaces(t *testing.T) {
	s, web := pointsServer(t, server.Config{MaxPerClient: 1}, 0)
	const slow, length = 12, 1 << 20
	var conns []net.Conn
	for range slow {
		conns = append(conns, sendPart(t, web, length, "x,y\n0,0\n"))
	}
	for end := time.Now().Add(10 * time.Second); s.BodiesTaken() < slow*16<<10; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are taken", s.BodiesTaken())
		}
	}
	if n, taken := s.Working(), s.BodiesTaken(); n != 0 || taken != slow*16<<10 {
		t.Errorf("%d have places, and %d bytes are taken", n, taken)
	}
	r, err := http.Post(web.URL+"/pixel?layers=a=1&f=csv", "text/csv", strings.NewReader("x,y\n0,0\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if got, _ := io.ReadAll(r.Body); string(got) != "x,y,value\n0,0,\n" {
		t.Errorf("%d %s", r.StatusCode, got)
	}
	if _, err := io.WriteString(conns[0], strings.Repeat("\n", length-8)); err != nil {
		t.Fatal(err)
	}
	if got := answerOn(t, conns[0]); got != http.StatusOK {
		t.Errorf("the slow one is answered %d", got)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	for end := time.Now().Add(10 * time.Second); s.BodiesTaken() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes stay taken", s.BodiesTaken())
		}
	}
}

// A client that stops sending is given up.
func TestABodyStalls(t *testing.T) {
	s, web := pointsServer(t, server.Config{UploadIdle: 50 * time.Millisecond}, 0)
	if got := answerOn(t, sendPart(t, web, 100, "x,y\n")); got != http.StatusRequestTimeout {
		t.Errorf("status %d", got)
	}
	if n := s.BodiesTaken(); n != 0 {
		t.Errorf("%d bytes stay taken", n)
	}
}

// The server's time limits for whole requests do not hold for a body that keeps coming.
func TestASlowBodyIsNotCutOff(t *testing.T) {
	_, web := pointsServer(t, server.Config{}, 200*time.Millisecond)
	c := sendPart(t, web, 24, "x,y\n")
	for range 5 {
		time.Sleep(100 * time.Millisecond)
		if _, err := io.WriteString(c, "0,0\n"); err != nil {
			t.Fatal(err)
		}
	}
	if got := answerOn(t, c); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
}

func TestBodiesAreBoundedTogether(t *testing.T) {
	s := newStoreOf(t)
	for address, want := range map[string]int{"": http.StatusServiceUnavailable, "192.0.2.1:1234": http.StatusTooManyRequests} {
		release := s.OccupyBodies(address)
		w := postTo(t, s, "/pixel?layers=a=1", "x,y\n0,0\n")
		if p := wantProblem(t, w, want); w.Header().Get("Retry-After") == "" || !strings.Contains(p.Detail, "bodies") {
			t.Errorf("%+v, %v", p, w.Header())
		}
		release()
		wantStatus(t, postTo(t, s, "/pixel?layers=a=1", "x,y\n0,0\n"), http.StatusOK)
		if n := s.BodiesTaken(); n != 0 {
			t.Errorf("%d bytes stay taken", n)
		}
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("it is read")
	return 0, io.EOF
}

func TestBodiesThatAreTooLong(t *testing.T) {
	s := newStoreOf(t)
	limit := server.PointsBodyLimit(server.DefaultMaxPoints)
	announced := httptest.NewRequest(http.MethodPost, "/pixel?layers=a=1", unread{t})
	announced.ContentLength = limit + 1
	streamed := httptest.NewRequest(http.MethodPost, "/pixel?layers=a=1", strings.NewReader("x,y\n"+strings.Repeat("\n", int(limit)-3)))
	streamed.ContentLength = -1
	for _, r := range []*http.Request{announced, streamed} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if p := wantProblem(t, w, http.StatusRequestEntityTooLarge); !strings.Contains(p.Hint, fmt.Sprint(limit)) {
			t.Errorf("%+v", p)
		}
	}
	longest := httptest.NewRequest(http.MethodPost, "/pixel?layers=a=1&f=csv", strings.NewReader("x,y\n"+strings.Repeat("\n", int(limit)-4)))
	longest.ContentLength = -1
	w := httptest.NewRecorder()
	s.ServeHTTP(w, longest)
	if w.Body.String() != "x,y,value\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := s.BodiesTaken(); n != 0 {
		t.Errorf("%d bytes stay taken", n)
	}
}
