package server

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
)

// somebody is a client that an address tells.
func somebody(text string) client { return client{net: netip.MustParsePrefix(text)} }

func TestAdmissionOfOneClient(t *testing.T) {
	a := newAdmission(2)
	me, other := somebody("192.0.2.1/32"), somebody("192.0.2.2/32")
	var releases []func()
	for range 2 {
		release, err := a.begin(t.Context(), me)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	// Another client's places are its own.
	release, err := a.begin(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	release()
	// The third waits until one is done, and whoever waits longest is first.
	order := make(chan int, 2)
	for i := range 2 {
		go func() {
			release, err := a.begin(context.Background(), me)
			if err != nil {
				t.Error(err)
				return
			}
			order <- i
			release()
		}()
		waitFor(t, func() bool { return waiting(a, me) == i+1 })
	}
	releases[0]()
	releases[0]() // again is nothing
	if first, second := <-order, <-order; first != 0 || second != 1 {
		t.Errorf("%d came before %d", first, second)
	}
	releases[1]()
	waitFor(t, func() bool { return len(knownClients(a)) == 0 })
}

func TestAdmissionRefuses(t *testing.T) {
	a := newAdmission(1)
	a.wait = time.Hour
	me := somebody("2001:db8::/64")
	if _, err := a.begin(t.Context(), me); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range queuePerPlace {
		wg.Go(func() {
			if _, err := a.begin(ctx, me); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, and its client is gone", err)
			}
		})
		waitFor(t, func() bool { return waiting(a, me) == i+1 })
	}
	if _, err := a.begin(ctx, me); rasterbase.CodeOf(err) != rasterbase.TooMany {
		t.Errorf("%v of one more than may wait", err)
	}
	cancel()
	wg.Wait()
	if n := waiting(a, me); n != 0 {
		t.Errorf("%d wait that are gone", n)
	}
	a.wait = time.Nanosecond
	if _, err := a.begin(t.Context(), me); rasterbase.CodeOf(err) != rasterbase.TooMany {
		t.Errorf("%v of one that waited too long", err)
	}
}

// Whatever comes and goes, a client never has more than its places, and nothing is
// known of those who have none.
func TestAdmissionKeepsCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := newAdmission(rapid.IntRange(1, 3).Draw(t, "places"))
		a.wait = time.Nanosecond
		clients := []client{{name: "a"}, {}, somebody("192.0.2.1/32")}
		held := map[client][]func(){}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c := rapid.SampledFrom(clients).Draw(t, "client")
			if rapid.Bool().Draw(t, "begins") {
				release, err := a.begin(context.Background(), c)
				if full := len(held[c]) == a.limit(c); (err != nil) != full {
					t.Fatalf("%d of %d are worked on: %v", len(held[c]), a.limit(c), err)
				}
				if err == nil {
					held[c] = append(held[c], release)
				}
			} else if n := len(held[c]); n > 0 {
				held[c][n-1]()
				held[c] = held[c][:n-1]
			}
			known := 0
			for _, h := range held {
				if len(h) > 0 {
					known++
				}
			}
			if got := len(a.clients); got != known {
				t.Fatalf("%d clients are known, %d have places", got, known)
			}
		}
	})
}

func TestAdmissionKnowsWhoAsks(t *testing.T) {
	s := &Server{c: Config{Auth: rasterbase.ReadPublic{}}, admission: newAdmission(1)}
	s.admission.wait = time.Nanosecond
	from := func(address string) error {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = address
		_, err := s.admitWork(r)
		return err
	}
	for _, c := range []struct {
		address string
		refused bool
	}{
		{"192.0.2.1:1000", false}, {"192.0.2.1:2000", true}, {"192.0.2.2:1000", false},
		{"[2001:db8::1]:1", false}, {"[2001:db8::2]:1", true}, {"[2001:db8:0:1::1]:1", false},
		{"127.0.0.1:1", false}, {"127.0.0.1:2", false}, {"@", false}, {"@", false},
	} {
		if err := from(c.address); (err != nil) != c.refused {
			t.Errorf("%s: %v", c.address, err)
		}
	}
	s.admission = newAdmission(-1)
	for range 100 {
		if err := from("192.0.2.1:1000"); err != nil {
			t.Fatal(err)
		}
	}
}

func waiting(a *admission, c client) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clients[c] == nil {
		return 0
	}
	return len(a.clients[c].waiting)
}

func knownClients(a *admission) (all []client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.clients {
		all = append(all, c)
	}
	return all
}

// waitFor waits until something is so.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come about")
		}
	}
}
