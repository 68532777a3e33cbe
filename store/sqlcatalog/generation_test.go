package sqlcatalog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a Watch whose looks a test answers.
type fake struct {
	mu              sync.Mutex
	begun, closed   int
	looks           int
	changed         bool
	beginErr, fails error
	stuck           chan struct{} // a look waits for it; nil: it does not
}

func (f *fake) begin(context.Context) (Watch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun++
	return f, f.beginErr
}

func (f *fake) Look(ctx context.Context) (bool, error) {
	f.mu.Lock()
	stuck := f.stuck
	f.mu.Unlock()
	if stuck != nil {
		select {
		case <-stuck:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	changed := f.changed
	f.changed = false
	return changed, f.fails
}

func (f *fake) Wait(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	return nil
}

// set changes the fake.
func (f *fake) set(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

// until waits for something that a fake or a generation does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

func tells(t *testing.T, g *Generation) (n uint64) {
	t.Helper()
	until(t, "a generation", func() (ok bool) { n, ok = g.Now(); return ok })
	return n
}

func newFake(t *testing.T, f *fake) (*Generation, *output) {
	var out output
	g := NewGeneration(slog.New(slog.NewTextHandler(&out, nil)), f.begin)
	t.Cleanup(g.Close)
	return g, &out
}

// output is a log that can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) count(text string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Count(o.b.String(), text)
}

func TestGenerationMoves(t *testing.T) {
	f := &fake{}
	g, _ := newFake(t, f)
	if _, ok := g.Now(); ok {
		t.Error("a generation is told before anybody looked")
	}
	first := tells(t, g)
	g.Moved()
	if n, ok := g.Now(); ok && n == first {
		t.Errorf("generation %d is told after a change", n)
	}
	second := tells(t, g)
	f.set(func() { f.changed = true })
	until(t, "another generation", func() bool { n, ok := g.Now(); return ok && n != second })
}

// Nobody is watched for whom nobody asks, and what happened meanwhile counts as a
// change.
func TestGenerationUnasked(t *testing.T) {
	f := &fake{}
	g, _ := newFake(t, f)
	g.quiet = 50 * time.Millisecond
	time.Sleep(10 * time.Millisecond)
	if f.set(func() {}); f.begun != 0 {
		t.Error("it is watched although nobody asked")
	}
	before := tells(t, g)
	until(t, "the end of the watch", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.closed == 1 })
	until(t, "no generation", func() bool { return time.Since(g.zero)-time.Duration(g.looked.Load()) >= freshFor })
	if n, ok := g.Now(); ok {
		t.Errorf("generation %d is told after the watch ended", n)
	}
	if after := tells(t, g); after == before {
		t.Errorf("generation %d is told again", after)
	}
}

// A look that does not come back, or fails, makes the generation unknown, and the
// next watch makes another one. That is logged once.
func TestGenerationUnknown(t *testing.T) {
	f := &fake{}
	g, log := newFake(t, f)
	for name, fail := range map[string]func(){
		"stuck":    func() { f.stuck = make(chan struct{}) },
		"failing":  func() { f.fails = errors.New("the server is away") },
		"no watch": func() { f.fails, f.beginErr = errors.New("the server is away"), errors.New("nobody is there") },
	} {
		before, warned := tells(t, g), log.count("WARN")
		f.set(fail)
		until(t, name+": an unknown generation", func() bool { _, ok := g.Now(); return !ok })
		until(t, name+": a warning", func() bool { _, _ = g.Now(); return name == "stuck" || log.count("WARN") == warned+1 })
		f.set(func() {
			if f.stuck != nil {
				close(f.stuck)
			}
			f.stuck, f.fails, f.beginErr = nil, nil, nil
		})
		after := tells(t, g)
		if after == before && name != "stuck" { // which saw all changes when it came back
			t.Errorf("%s: generation %d is told again", name, after)
		}
		if got := log.count("WARN"); name != "stuck" && got != warned+1 {
			t.Errorf("%s: %d warnings", name, got-warned)
		}
	}
}

func TestGenerationCloses(t *testing.T) {
	f := &fake{}
	g, _ := newFake(t, f)
	tells(t, g)
	g.Close()
	if n, ok := g.Now(); ok {
		t.Errorf("generation %d is told after the end", n)
	}
	if f.closed != f.begun {
		t.Errorf("%d of %d watches were closed", f.closed, f.begun)
	}
	never := NewGeneration(slog.New(slog.DiscardHandler), f.begin)
	never.Close() // nobody ever asked
	if _, ok := never.Now(); ok || f.begun != f.closed {
		t.Error("it is watched after its end")
	}
}

// Which statements change what tiles are drawn from.
func TestShownStatements(t *testing.T) {
	for query, want := range map[string]bool{
		`INSERT INTO @layers (slug) VALUES (?)`:                    true,
		`UPDATE @layers SET published = ? WHERE id = ?`:            true,
		`DELETE FROM @layers WHERE id = ?`:                         true,
		`INSERT INTO @semantics AS s (name) VALUES (?)`:            true,
		`DELETE FROM @legend_entries WHERE legend_id = ?`:          true,
		`UPDATE @entries SET color = ?`:                            true,
		`INSERT INTO @colormaps (owner) VALUES (?)`:                true,
		`UPDATE @revisions SET state = ?, published_at = ?`:        true,
		`DELETE FROM @revisions WHERE id = ?`:                      true,
		`UPDATE @revisions SET datatype = ?, document = ?`:         false,
		`INSERT INTO @revisions (layer_id) VALUES (?)`:             false,
		`SELECT id FROM @layers WHERE id = ? FOR UPDATE`:           false,
		`INSERT INTO @summaries (revision_id) VALUES (?)`:          false,
		`UPDATE @parses SET status = ? WHERE id = ?`:               false,
		`UPDATE @jobs SET state = 'running' WHERE id = (SELECT 1)`: false,
		`UPDATE @tokens SET used = ? WHERE id = ?`:                 false,
	} {
		if got := shown.MatchString(query); got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}
