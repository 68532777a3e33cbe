package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// wantAppended adds to a file and checks how long it is then.
func wantAppended(t *testing.T, s store.Store, id, name string, offset int64, data string) {
	t.Helper()
	size, err := s.Sources().Append(t.Context(), id, name, offset, strings.NewReader(data))
	must(t, err)
	wantEqual(t, "size", size, offset+int64(len(data)))
}

// mixed is n bytes of which no two parts are alike.
func mixed(n int) []byte {
	b := make([]byte, n)
	state := uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}

// Pieces of any size, read in parts of any size, make the file.
func appendsAnySize(t *testing.T, s store.Store) {
	id := newSource(t, s)
	whole := mixed(5 << 20)
	rng := rand.New(rand.NewPCG(20, 26))
	for n := range 60 {
		name := strconv.Itoa(n) + ".tif"
		var at int64
		for range 1 + rng.IntN(6) {
			sizes := []int{rng.IntN(100), 1<<20 - 1 + rng.IntN(3), rng.IntN(2 << 20)}
			part := whole[at:min(int(at)+sizes[rng.IntN(len(sizes))], len(whole))]
			size, err := s.Sources().Append(t.Context(), id, name, at, halves{bytes.NewReader(part)})
			must(t, err)
			at += int64(len(part))
			wantEqual(t, "size", size, at)
			if rng.IntN(3) == 0 && readSource(t, s, id, name) != string(whole[:at]) {
				t.Fatalf("file %d differs after %d bytes", n, at)
			}
		}
		if readSource(t, s, id, name) != string(whole[:at]) {
			t.Fatalf("file %d differs", n)
		}
	}
}

// halves reads no more than half of what it is asked for.
type halves struct{ r io.Reader }

func (h halves) Read(b []byte) (int, error) { return h.r.Read(b[:(len(b)+1)/2]) }

func appendsConflict(t *testing.T, s store.Store) {
	id := newSource(t, s)
	for _, offset := range []int64{1, -1, 1 << 40} { // there is none yet
		_, err := s.Sources().Append(t.Context(), id, "a.tif", offset, strings.NewReader("x"))
		wantCode(t, err, rasterbase.Conflict)
	}
	names, err := s.Sources().Files(t.Context(), id)
	must(t, err)
	wantEqual(t, "number of files", len(names), 0)
	wantAppended(t, s, id, "a.tif", 0, "")
	wantEqual(t, "a file without bytes", readSource(t, s, id, "a.tif"), "")
	wantAppended(t, s, id, "a.tif", 0, "four")
	for _, offset := range []int64{0, 3, 5, -1, 1 << 40} {
		size, err := s.Sources().Append(t.Context(), id, "a.tif", offset, strings.NewReader("x"))
		wantCode(t, err, rasterbase.Conflict)
		wantEqual(t, "size", size, 4)
	}
	wantEqual(t, "the file", readSource(t, s, id, "a.tif"), "four")
	must(t, s.Sources().Delete(t.Context(), id))
	_, err = s.Sources().Append(t.Context(), id, "a.tif", 4, strings.NewReader("x"))
	wantNotExist(t, err)
}

// What was read stays, however the reading ends.
func appendsBroken(t *testing.T, s store.Store) {
	id := newSource(t, s)
	for _, cause := range []error{errors.New("the connection broke"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 1, 1 << 20, 3<<20 + 5} {
			name := strings.Repeat("n", n>>20) + cause.Error()[:5]
			must(t, ignoreSize(s.Sources().Put(t.Context(), id, name, strings.NewReader("begin"))))
			part := mixed(n)
			size, err := s.Sources().Append(t.Context(), id, name, 5, io.MultiReader(bytes.NewReader(part), failing{cause}))
			wantIs(t, err, cause)
			wantEqual(t, "size", size, int64(5+n))
			if readSource(t, s, id, name) != "begin"+string(part) {
				t.Errorf("of %d bytes, the file differs", n)
			}
			wantAppended(t, s, id, name, size, "and the end")
		}
	}
	must(t, ignoreSize(s.Sources().Append(t.Context(), id, "c.tif", 0, strings.NewReader("c"))))
	if _, err := s.Sources().Append(cancelledContext(t), id, "c.tif", 1, strings.NewReader("x")); err == nil {
		t.Error("a file was written with a context that is done")
	}
	wantEqual(t, "the file", readSource(t, s, id, "c.tif"), "c")
}

func ignoreSize(_ int64, err error) error { return err }

// The context of a request ends together with its body.
func appendsCancelled(t *testing.T, s store.Store) {
	id := newSource(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body, send := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := s.Sources().Append(ctx, id, "a.tif", 0, body)
		done <- err
	}()
	_, err := send.Write([]byte("received"))
	must(t, err)
	cancel()
	must(t, send.CloseWithError(errors.New("the client is gone")))
	if err := receive(t, "the end", done); err == nil {
		t.Error("an upload that broke off is no error")
	}
	wantEqual(t, "the file", readSource(t, s, id, "a.tif"), "received")
}

// Several who add to one file at once, in this process and in another one,
// make one sequence of what they were told to have added.
func appendsAtOnce(t *testing.T, s store.Store) {
	id := newSource(t, s)
	stores := []store.Store{s, again(t, s), s}
	const target = 6 << 20
	type part struct {
		at   int64
		data []byte
	}
	var mu sync.Mutex
	var added []part
	var all sync.WaitGroup
	for i, st := range stores {
		all.Go(func() {
			var at int64
			for round := 0; at < target; round++ {
				data := bytes.Repeat([]byte{byte(1 + i + len(stores)*(round%50))}, 200_000+i*431_000)
				size, err := st.Sources().Append(t.Context(), id, "a.tif", at, bytes.NewReader(data))
				switch {
				case err == nil && size != at+int64(len(data)):
					t.Errorf("%d bytes were added at %d and the file has %d", len(data), at, size)
				case err != nil && rasterbase.CodeOf(err) != rasterbase.Conflict:
					t.Error(err)
					return
				}
				if size > at && err == nil {
					mu.Lock()
					added = append(added, part{at, data})
					mu.Unlock()
				}
				if f, err := st.Sources().Open(t.Context(), id, "a.tif"); err == nil {
					at = f.Size()
					_ = f.Close()
				}
			}
		})
	}
	all.Wait()
	got := readSource(t, s, id, "a.tif")
	slices.SortFunc(added, func(a, b part) int { return int(a.at - b.at) })
	end := int64(0)
	for _, p := range added {
		if p.at < end {
			t.Fatalf("two have added at %d, and the one before up to %d", p.at, end)
		}
		end = p.at + int64(len(p.data))
		if end > int64(len(got)) || got[p.at:end] != string(p.data) {
			t.Fatalf("what was added at %d is not there", p.at)
		}
	}
}

// An appender that waits for its bytes does not keep the file from growing
// twice: one of the two is told of a conflict.
func appendsSlowAndFast(t *testing.T, s store.Store) {
	id := newSource(t, s)
	wantAppended(t, s, id, "a.tif", 0, "begin ")
	body, send := io.Pipe()
	slow := make(chan error, 1)
	go func() {
		_, err := s.Sources().Append(t.Context(), id, "a.tif", 6, body)
		slow <- err
	}()
	_, err := send.Write([]byte("slow"))
	must(t, err)
	_, fast := s.Sources().Append(t.Context(), id, "a.tif", 6, strings.NewReader("fast"))
	must(t, send.Close())
	lost := receive(t, "the slow one", slow)
	if fast == nil {
		fast, lost = lost, fast
	}
	must(t, lost)
	wantCode(t, fast, rasterbase.Conflict)
	if got := readSource(t, s, id, "a.tif"); got != "begin slow" && got != "begin fast" {
		t.Errorf("the file is %q", got)
	}
}

func appendsOtherProcess(t *testing.T, s store.Store) {
	id, other := newSource(t, s), again(t, s)
	wantAppended(t, s, id, "a.tif", 0, "one ")
	wantAppended(t, other, id, "a.tif", 4, "two ")
	wantAppended(t, s, id, "a.tif", 8, "three")
	wantEqual(t, "the file", readSource(t, other, id, "a.tif"), "one two three")
}

func appendsSeen(t *testing.T, s store.Store) {
	ctx := t.Context()
	id := newSource(t, s)
	wantAppended(t, s, id, "a.tif", 0, "half")
	f, err := s.Sources().Open(ctx, id, "a.tif")
	must(t, err)
	names, err := s.Sources().Files(ctx, id)
	must(t, err)
	if !slices.Equal(names, []string{"a.tif"}) {
		t.Errorf("files %q", names)
	}
	dir, release, err := s.Sources().Local(ctx, id)
	must(t, err)
	local, err := os.ReadFile(filepath.Join(dir, "a.tif"))
	must(t, err)
	wantEqual(t, "the local file", string(local), "half")
	release()
	wantAppended(t, s, id, "a.tif", 4, " and half")
	wantEqual(t, "size of the one opened before", f.Size(), 4)
	begin := make([]byte, 4)
	_, err = f.ReadAt(begin, 0)
	must(t, err)
	wantEqual(t, "what was opened before", string(begin), "half")
	must(t, f.Close())

	must(t, ignoreSize(s.Sources().Put(ctx, id, "a.tif", strings.NewReader("new"))))
	wantEqual(t, "what replaced it", readSource(t, s, id, "a.tif"), "new")
	wantAppended(t, s, id, "a.tif", 3, "er")
	wantEqual(t, "what replaced it, later", readSource(t, s, id, "a.tif"), "newer")
}

// A file that is replaced or deleted while it grows is not said to have grown.
func appendsReplaced(t *testing.T, s store.Store) {
	for what, c := range map[string]struct {
		do   func(id string) error
		code rasterbase.Code
	}{
		"replaced": {func(id string) error {
			return ignoreSize(s.Sources().Put(t.Context(), id, "a.tif", strings.NewReader("another")))
		}, rasterbase.Conflict},
		"deleted": {func(id string) error { return s.Sources().Delete(t.Context(), id) }, rasterbase.NotFound},
	} {
		id := newSource(t, s)
		body, send := io.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := s.Sources().Append(t.Context(), id, "a.tif", 0, body)
			done <- err
		}()
		_, err := send.Write([]byte("some"))
		must(t, err)
		must(t, c.do(id))
		must(t, send.Close())
		if err := receive(t, "the end", done); rasterbase.CodeOf(err) != c.code {
			t.Errorf("%s while it grew: %v", what, err)
		}
		if what == "replaced" {
			wantEqual(t, "the file", readSource(t, s, id, "a.tif"), "another")
		}
	}
}

// When a source was changed tells the collector of garbage whether somebody is
// still writing to it.
func sourcesChanged(t *testing.T, s store.Store) {
	ctx := t.Context()
	id, other := newSource(t, s), newSource(t, s)
	before := changedAt(t, s, id)
	if age := time.Since(before); age < -time.Minute || age > time.Hour {
		t.Errorf("a new source was changed at %v", before)
	}
	still := changedAt(t, s, other)
	later := func(what string, do func() error) {
		t.Helper()
		// Clocks of files are coarse.
		eventually(t, what+" changes the source", func() bool {
			must(t, do())
			return changedAt(t, s, id).After(before)
		})
		before = changedAt(t, s, id)
	}
	later("Put", func() error { return ignoreSize(s.Sources().Put(ctx, id, "a.tif", strings.NewReader("a"))) })
	size := int64(0)
	later("Append", func() (err error) {
		size, err = s.Sources().Append(ctx, id, "b.tif", size, strings.NewReader("bytes"))
		return err
	})
	body, send := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- ignoreSize(s.Sources().Put(ctx, id, "c.tif", body)) }()
	later("a Put that goes on", func() error { _, err := send.Write(make([]byte, 1<<20)); return err })
	must(t, send.Close())
	must(t, receive(t, "Put", done))
	if now := changedAt(t, s, other); !now.Equal(still) {
		t.Errorf("another source was changed at %v, and is said to be at %v", still, now)
	}
}

func changedAt(t *testing.T, s store.Store, id string) time.Time {
	t.Helper()
	list, err := s.Sources().List(t.Context())
	must(t, err)
	for _, l := range list {
		if l.ID == id {
			return l.Changed
		}
	}
	t.Fatalf("source %s is not listed", id)
	return time.Time{}
}
