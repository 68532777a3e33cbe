package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/fetch"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// get is a Fetcher for addresses on this machine, of a worker that is killed.
func get(ctx context.Context, address string) (string, int64, io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", 0, nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", 0, nil, err
	}
	return "raster.syn", resp.ContentLength, resp.Body, nil
}

// A worker that is killed during a download leaves a parse that another one
// takes up from the start, one that is killed after it a parse whose source is
// not downloaded again.
func TestKilledDuringTheFetch(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		var asked atomic.Int64
		half := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "200000")
			if asked.Add(1) > 1 {
				_, _ = io.WriteString(w, strings.Repeat("x", 200_000))
				return
			}
			_, _ = io.WriteString(w, strings.Repeat("y", 100_000))
			w.(http.Flusher).Flush()
			close(half)
			<-r.Context().Done()
		}))
		defer s.Close()
		st := at(t, place)
		p := ingest.New(ingest.Config{Store: st, Opener: opener(chunky()), TileSize: 64, Fetcher: fetched(get)})
		ticket, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Address: s.URL + "/raster.syn?secret"})
		if err != nil {
			t.Fatal(err)
		}
		first := startWorker(t, place, 1)
		<-half
		if s := parseOf(t, st, ticket.Parse).Status; s != rasterbase.Downloading {
			t.Errorf("it is %s", s)
		}
		first.kill(t)
		second := startWorker(t, place, 2)
		for parseOf(t, st, ticket.Parse).Status != rasterbase.Tiling {
			time.Sleep(5 * time.Millisecond)
		}
		second.kill(t)
		if parse := parseOf(t, st, ticket.Parse); parse.Fetch != "" {
			t.Errorf("it is to be fetched again: %+v", parse)
		}
		startWorker(t, place, 3)
		for deadline := time.Now().Add(2 * time.Minute); !ended(t, st, ticket.Parse, time.Second); {
			if time.Now().After(deadline) {
				t.Fatal("the parse does not end")
			}
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("it was downloaded %d times", n)
		}
		layer := layerOf(t, st, ticket.Layer)
		b, err := io.ReadAll(opened(t, st, layer.Source.ID))
		if err != nil || string(b) != strings.Repeat("x", 200_000) || layer.Source.Size != 200_000 {
			t.Errorf("%d bytes are kept, %v: %+v", len(b), err, layer.Source)
		}
	})
}

// A worker that stops hands the parse back, with what is to be fetched.
func TestStoppedDuringTheFetch(t *testing.T) {
	st := swift(t)
	fetching, calls := make(chan struct{}), 0
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, Fetcher: fetched(func(ctx context.Context, _ string) (string, int64, io.ReadCloser, error) {
		if calls++; calls == 1 {
			close(fetching)
			<-ctx.Done()
			return "", 0, nil, ctx.Err()
		}
		return "raster.syn", -1, io.NopCloser(strings.NewReader("x")), nil
	})})
	ticket, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Address: secretAddress})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-fetching; cancel() }()
	if err := p.Finish(ctx, ticket); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if parse := parseOf(t, st, ticket.Parse); parse.Status != rasterbase.Queued || parse.Fetch != secretAddress {
		t.Errorf("%+v", parse)
	}
	noSources(t, st)
	if _, err := p.Run(t.Context(), ticket, nil); err != nil {
		t.Error(err)
	}
	if log := logOf(t, st, ticket.Parse); !strings.Contains(log, "handed back") || !strings.Contains(log, "of unknown size") {
		t.Error(log)
	}
}

// client is the program's own, which may reach a server of this machine.
func client(t *testing.T, address string) *fetch.Client {
	t.Helper()
	hosts, err := fetch.ParseHosts(strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return fetch.New(fetch.Options{Allow: hosts, Limits: fetch.Limits{Idle: 100 * time.Millisecond, Resumes: 1}})
}

// Servers that stall, lie or refuse end the parse with the reason, as often
// tried as that makes sense, and leave nothing of the file.
func TestServersThatMisbehave(t *testing.T) {
	write := func(w io.Writer, s string) { _, _ = io.WriteString(w, s) }
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		asked  int64
		part   string
	}{
		"stalls": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			write(w, "begin")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 3, "nothing came for 100ms, after 5 bytes"},
		"announces more than it sends": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			write(w, "short")
			w.(http.Flusher).Flush()
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.(*net.TCPConn).CloseWrite()
				_ = c.Close()
			}
		}, 3, "broke off after 5 of 1000 bytes"},
		"is out of order": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", http.StatusBadGateway) }, 3, "502"},
		"denies access":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", http.StatusForbidden) }, 1, "access is denied"},
		"has no file":     {func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, 1, "404"},
		"has none of it":  {func(http.ResponseWriter, *http.Request) {}, 1, "is empty"},
		"sends too much":  {func(w http.ResponseWriter, _ *http.Request) { write(w, strings.Repeat("x", 5000)) }, 1, "more than the 4000 bytes allowed"},
		"goes elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://user:secret@10.1.2.3/?secret", http.StatusFound)
		}, 1, "RASTER_ALLOWED_HOSTS"},
		"sends no raster": {func(w http.ResponseWriter, _ *http.Request) { write(w, "<html>") }, 1, "is not a raster"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, password, _ := r.BasicAuth(); password != "secret" {
					t.Errorf("the password is %q", password)
				}
				asked.Add(1)
				c.answer(w, r)
			}))
			defer s.Close()
			st := swift(t)
			p := ingest.New(ingest.Config{Store: st, Opener: small(), Fetcher: client(t, s.URL), Limits: ingest.Limits{SourceBytes: 4000}})
			ticket, err := p.Create(t.Context(), &rasterbase.Layer{},
				rasterbase.SourceFrom{Address: strings.Replace(s.URL, "http://", "http://user:secret@", 1) + "/dem.tif?secret"})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Finish(t.Context(), ticket); err != nil {
				t.Fatal(err)
			}
			parse := parseOf(t, st, ticket.Parse)
			if parse.Status != rasterbase.Failed || !strings.Contains(parse.Error, c.part) || parse.Fetch != "" || asked.Load() != c.asked {
				t.Errorf("asked %d times: %+v", asked.Load(), parse)
			}
			if log := logOf(t, st, ticket.Parse); !strings.Contains(log, "failed: "+parse.Error) || strings.Contains(log+parse.Error, "secret") {
				t.Error(log)
			}
			if name != "sends no raster" {
				noSources(t, st)
			}
		})
	}
}

// talkative is a Fetcher whose errors tell all, as those of the standard library
// do.
func talkative(string) fetched {
	return func(_ context.Context, address string) (string, int64, io.ReadCloser, error) {
		return "", 0, nil, fmt.Errorf("Get %q: user:s3cr3t-pass, token=s3cr3t-token: no", address)
	}
}

// No secret of an address is seen anywhere, not even when a Fetcher tells it.
func TestSecretsOfAddresses(t *testing.T) {
	const address = "https://user:s3cr3t-pass@example.org/dem.tif?token=s3cr3t-token#s3cr3t"
	for name, f := range map[string]ingest.Fetcher{
		"told": talkative(address), "kept": always("raster.syn", "x"), "broken": fetched(func(context.Context, string) (string, int64, io.ReadCloser, error) {
			return "raster.syn", -1, io.NopCloser(readerFunc(func([]byte) (int, error) { return 0, fmt.Errorf("reading %s", address) })), nil
		}),
	} {
		t.Run(name, func(t *testing.T) {
			var seen lockedText
			st := swift(t)
			var events []ingest.Ended
			p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, Fetcher: f, Log: slog.New(slog.NewTextHandler(&seen, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Ended: func(_ context.Context, e ingest.Ended) error { events = append(events, e); return nil }})
			l := &rasterbase.Layer{}
			ticket, err := p.Create(t.Context(), l, rasterbase.SourceFrom{Address: address})
			if err != nil {
				t.Fatal(err)
			}
			made, err := p.Run(t.Context(), ticket, func(parse rasterbase.Parse) {
				if parse.Status.Ended() && parse.Fetch != "" {
					t.Error("what was to be fetched is kept")
				}
			})
			fmt.Fprintln(&seen, err, l, made, parseOf(t, st, ticket.Parse), logOf(t, st, ticket.Parse), events)
			_, err = p.Preview(t.Context(), rasterbase.SourceFrom{Address: address}, rasterbase.Settings{})
			fmt.Fprintln(&seen, err)
			err = st.Catalog().View(t.Context(), func(tx store.Tx) error {
				list, err := tx.Jobs().List(t.Context(), nil, 0)
				for _, j := range list {
					fmt.Fprintln(&seen, j.Kind, string(j.Args), j.Error, j.UniqueKey)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if text := seen.String(); strings.Contains(text, "s3cr3t") || !strings.Contains(text, "https://example.org/dem.tif") {
				t.Error(text)
			}
		})
	}
}

// What a library makes of an address has its secrets too: it may hide the
// password only, and write it otherwise.
func TestSecretsInOtherWords(t *testing.T) {
	for address, told := range map[string]string{
		"https://s3cr3t@example.org/dem.tif":            "Get https://s3cr3t@example.org/dem.tif: no",
		"https://s3cr3t:x-oauth@example.org/dem.tif":    "Get https://s3cr3t:***@example.org/dem.tif: no",
		"https://user:s3cr3t%2fpass@example.org/?a=b@c": "Get https://user:***@example.org/: s3cr3t%2fpass, s3cr3t%2Fpass and s3cr3t/pass are wrong",
		"https://org:s3cr3t@example.org/org.tif":        "Get https://org:***@example.org/org.tif: s3cr3t",
	} {
		p := ingest.New(ingest.Config{Store: swift(t), Opener: small(), Fetcher: fetched(func(context.Context, string) (string, int64, io.ReadCloser, error) {
			return "", 0, nil, errors.New(told)
		})})
		_, err := p.Preview(t.Context(), rasterbase.SourceFrom{Address: address}, rasterbase.Settings{})
		if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "example.org/") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// lockedText collects what several goroutines write.
type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A new source takes the place of the one before when it is there, and not
// before that.
func TestReplacedSource(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		st, dir := at(t, place), synFolder(t)
		fail := true
		p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, AllowedPaths: []string{dir},
			Fetcher: fetched(func(context.Context, string) (string, int64, io.ReadCloser, error) {
				if fail {
					return "", 0, nil, rasterbase.Errorf(rasterbase.NotFound, "gone")
				}
				return "raster.syn", -1, io.NopCloser(strings.NewReader("the new one")), nil
			})})
		l := &rasterbase.Layer{Name: "Mine"}
		ticket, err := p.Create(t.Context(), l, rasterbase.SourceFrom{Path: dir + "/raster.syn"})
		if err != nil {
			t.Fatal(err)
		}
		first, err := p.Run(t.Context(), ticket, nil)
		if err != nil {
			t.Fatal(err)
		}
		replace := func(from rasterbase.SourceFrom) rasterbase.Ticket {
			changed, ticket, err := p.Change(t.Context(), l.ID, &from, nil)
			if err != nil || ticket.Parse == 0 || changed.Name != "Mine" {
				t.Fatalf("%+v, %+v, %v", changed, ticket, err)
			}
			return ticket
		}
		address := rasterbase.SourceFrom{Address: "https://example.org/new.tif"}
		ticket = replace(address)
		if now := layerOf(t, st, l.ID); now.Source != first.Source {
			t.Errorf("before it is fetched: %+v", now.Source)
		}
		if _, err := p.Run(t.Context(), ticket, nil); err == nil {
			t.Error("what is gone was fetched")
		}
		if now := layerOf(t, st, l.ID); now.Source != first.Source || now.Published != first.Published {
			t.Errorf("after the fetch failed: %+v", now)
		}
		if ids := sources(t, st); len(ids) != 1 || ids[0] != first.Source.ID {
			t.Errorf("kept are %q", ids)
		}
		fail = false
		second, err := p.Run(t.Context(), replace(address), nil)
		if err != nil || second.Source.ID == first.Source.ID || second.Source.Origin != "https://example.org/new.tif" || second.Published == first.Published {
			t.Errorf("%+v, %v", second, err)
		}
		if ids := sources(t, st); len(ids) != 1 || ids[0] != second.Source.ID {
			t.Errorf("kept are %q", ids)
		}
		third := replace(rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "uploaded", 8)})
		now := layerOf(t, st, l.ID)
		if now.Source.ID == second.Source.ID || now.Source.Size != 8 || now.Published != second.Published || len(uploads(t, st)) != 0 {
			t.Errorf("%+v", now)
		}
		if ids := sources(t, st); len(ids) != 1 || ids[0] != now.Source.ID {
			t.Errorf("kept are %q", ids)
		}
		if last, err := p.Run(t.Context(), third, nil); err != nil || last.Source.Checksum == "" || last.Published == second.Published {
			t.Errorf("%+v, %v", last, err)
		}
	})
}

// A source that could not be kept is fetched again, as long as that needs no
// secret.
func TestReparseFetchesWhatIsNotKept(t *testing.T) {
	st, dir := swift(t), synFolder(t)
	fail := rasterbase.Errorf(rasterbase.NotFound, "gone")
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, AllowedPaths: []string{dir},
		Fetcher: fetched(func(context.Context, string) (string, int64, io.ReadCloser, error) {
			if fail != nil {
				return "", 0, nil, fail
			}
			return "raster.syn", -1, io.NopCloser(strings.NewReader("x")), nil
		})})
	failed := func(from rasterbase.SourceFrom) rasterbase.LayerID {
		ticket, err := p.Create(t.Context(), &rasterbase.Layer{}, from)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := p.Reparse(t.Context(), ticket.Layer); err != nil || again != ticket {
			t.Errorf("a queued parse is not returned: %+v, %v", again, err)
		}
		if _, err := p.Run(t.Context(), ticket, nil); err == nil {
			t.Fatal("it was parsed")
		}
		return ticket.Layer
	}
	id := failed(rasterbase.SourceFrom{Address: "https://example.org/dem.tif?token=secret"})
	fail = nil
	ticket, err := p.Reparse(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if f := parseOf(t, st, ticket.Parse).Fetch; f != "https://example.org/dem.tif" {
		t.Errorf("it is fetched from %q", f)
	}
	if _, err := p.Run(t.Context(), ticket, nil); err != nil {
		t.Error(err)
	}
	fail = rasterbase.Errorf(rasterbase.NotFound, "gone")
	id = failed(rasterbase.SourceFrom{Address: "https://example.org/wrong.tif"})
	_, ticket, err = p.Change(t.Context(), id, &rasterbase.SourceFrom{Address: "https://example.org/right.tif"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), ticket, nil); err == nil {
		t.Fatal("it was parsed")
	}
	if ticket, err = p.Reparse(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if f := parseOf(t, st, ticket.Parse).Fetch; f != "https://example.org/right.tif" {
		t.Errorf("it is fetched from %q", f)
	}
	bare := &rasterbase.Layer{Name: "bare", Source: rasterbase.Source{Origin: "/data/x.tif"}, Visibility: rasterbase.Public}
	update(t, st, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), bare) })
	if _, err := p.Reparse(t.Context(), bare.ID); rasterbase.CodeOf(err) != rasterbase.Conflict || !strings.Contains(err.Error(), "no source file") {
		t.Errorf("%v", err)
	}
}

// A parse whose jobs are gone is ended when another one takes its place, and
// what it was to fetch is fetched.
func TestReparseAfterADeadParse(t *testing.T) {
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, Fetcher: always("raster.syn", "x")})
	dead, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Address: secretAddress})
	if err != nil {
		t.Fatal(err)
	}
	update(t, st, func(tx store.Tx) error {
		return tx.Jobs().CancelGroup(t.Context(), fmt.Sprintf("parse:%d", dead.Parse), 0)
	})
	ticket, err := p.Reparse(t.Context(), dead.Layer)
	if err != nil || ticket.Parse == dead.Parse {
		t.Fatalf("%+v, %v", ticket, err)
	}
	if before, now := parseOf(t, st, dead.Parse), parseOf(t, st, ticket.Parse); before.Status != rasterbase.Cancelled || before.Fetch != "" || now.Fetch != secretAddress {
		t.Errorf("%+v, %+v", before, now)
	}
	if _, err := p.Run(t.Context(), ticket, nil); err != nil {
		t.Error(err)
	}
}

// A fetch that is cancelled stops, and leaves nothing.
func TestCancelDuringTheFetch(t *testing.T) {
	st := swift(t)
	fetching := make(chan struct{})
	p := ingest.New(ingest.Config{Store: st, Opener: small(), Fetcher: fetched(func(ctx context.Context, _ string) (string, int64, io.ReadCloser, error) {
		return "raster.syn", -1, io.NopCloser(readerFunc(func([]byte) (int, error) {
			close(fetching)
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})), nil
	})})
	ticket, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Address: secretAddress})
	if err != nil {
		t.Fatal(err)
	}
	r := jobs.NewRunner(st, nil)
	p.Register(r)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx, 1) }()
	<-fetching
	if err := p.Cancel(t.Context(), ticket.Layer); err != nil {
		t.Fatal(err)
	}
	if parse := parseOf(t, st, ticket.Parse); parse.Status != rasterbase.Cancelled || parse.Fetch != "" {
		t.Errorf("%+v", parse)
	}
	for jobOf(t, st, ticket).State == store.JobRunning {
		time.Sleep(time.Millisecond)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		list, err := st.Sources().List(t.Context())
		if err == nil && len(list) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("sources %v are left, %v", list, err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
