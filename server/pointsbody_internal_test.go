package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
)

// OccupyBodies takes all memory for bodies, or with an address what its client has of
// it, until release is called. Nobody waits for any.
func (s *Server) OccupyBodies(address string) (release func()) {
	m, c := s.bodies, client{name: "somebody else"}
	m.wait = time.Millisecond
	n := m.all
	if address != "" {
		c = clientOf(rasterbase.Principal{}, address)
		n = m.limit(c)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken += n
	m.clients[c] += n
	return func() { m.give(c, n) }
}

// BodiesTaken is how much memory bodies take.
func (s *Server) BodiesTaken() int64 {
	s.bodies.mu.Lock()
	defer s.bodies.mu.Unlock()
	return s.bodies.taken
}

// Working is how many requests of clients at internal addresses are worked on.
func (s *Server) Working() (n int) {
	s.admission.mu.Lock()
	defer s.admission.mu.Unlock()
	for _, c := range s.admission.clients {
		n += c.working
	}
	return n
}

// PointsBodyLimit is the longest body where so many places are allowed.
func PointsBodyLimit(places int) int64 { return pointsBodyLimit(places) }

func TestPointsBodyLimit(t *testing.T) {
	for places, want := range map[int]int64{1: 1<<20 + 160, 100_000: 1<<20 + 16_000_000, 10_000_000: 32 << 20, 1 << 62: 32 << 20} {
		if got := pointsBodyLimit(places); got > want || got < want-pointsBodyByPlace {
			t.Errorf("%d bytes for %d places, want %d", got, places, want)
		}
	}
}

// What is read here is shorter than bodies may be, for the sake of the time.
const (
	readBytes  = 6 << 20
	readPlaces = 30_000
)

// filled repeats a text between two others.
func filled(begin, one, end string) []byte {
	n := (readBytes - len(begin) - len(end)) / len(one)
	return []byte(begin + strings.Repeat(one, n) + end)
}

// Whatever a body holds, reading it takes little memory beside the body.
func TestPointsMemory(t *testing.T) {
	var names strings.Builder
	for i := 0; names.Len() < readBytes; i++ {
		fmt.Fprintf(&names, `,"%x":0`, i)
	}
	members := names.String()
	const empty = `{"type":"Feature","geometry":{"type":"MultiPoint","coordinates":[]}},`
	many := strings.Repeat(empty, readPlaces-1) + `{"type":"Feature","geometry":null}`
	for name, c := range map[string]struct {
		body []byte
		says string // empty: it is read
	}{
		"commas":             {filled("", ",", ""), "columns"},
		"commas after names": {filled("x,y\n", ",", ""), "columns"},
		"tabs":               {filled("1\t2", "\t", "\n"), "columns"},
		"one cell":           {filled("x,y\n1,", "1", ""), "longer"},
		"one text":           {filled("x,y,n\n1,2,\"", "\n,,,,", "\""), "longer"},
		"marks":              {filled("x,y,n\n1,2,\"", `""`, "\""), "longer"},
		"many columns":       {filled("x,y"+strings.Repeat(",", 998)+"\n", strings.Repeat(",", 999)+"\n", ""), ""},
		"rows":               {filled("x,y\n", ",\n", ""), "points"},
		"empty lines":        {filled("x,y\n", "\n", ""), ""},
		"members":            {[]byte(`{"type":"Feature","geometry":null` + members + `}`), "members"},
		"properties":         {[]byte(`{"type":"Feature","geometry":null,"properties":{"a":0` + members + `}}`), ""},
		"of a geometry":      {[]byte(`{"type":"Feature","geometry":{"type":"Point"` + members + `}}`), "members"},
		"features":           {filled(`{"type":"FeatureCollection","features":[`, empty, `{"type":"Feature"}]}`), "features"},
		"small features":     {filled(`{"type":"FeatureCollection","features":[`, `{},`, `{}]}`), "features"},
		"as many as may be":  {[]byte(`{"type":"FeatureCollection","features":[` + many + `]}`), ""},
		"empty places":       {filled(`{"type":"MultiPoint","coordinates":[`, `[],`, `[]]}`), "two numbers"},
		"places":             {filled(`{"type":"MultiPoint","coordinates":[`, `[1,2],`, `[1,2]]}`), "points"},
		"a long place":       {filled(`{"type":"Point","coordinates":[1`, `,1`, `]}`), ""},
		"a long number":      {filled(`{"type":"Point","coordinates":[1`, `1`, `]}`), "numbers"},
		"a long type":        {filled(`{"type":"`, `\n`, `"}`), "no type"},
		"a long name":        {filled(`{"type":"Feature","`, `\n`, `":0}`), "name"},
		"nested":             {filled("", "[", ""), "deep"},
		"nested below":       {filled(`{"type":"Feature","properties":{"a":`, `{"a":`, ""), "deep"},
		"no end":             {filled(`{"type":"MultiPoint","coordinates":[`, `[1,2],`, ``), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			peak := peakOf(func() {
				p, err := readPoints(c.body, readPlaces)
				switch {
				case err == nil && c.says == "":
					runtime.KeepAlive(p)
				case err == nil || c.says == "" || !strings.Contains(err.Error(), c.says):
					t.Errorf("%.200v, want %q", err, c.says)
				case rasterbase.CodeOf(err) != rasterbase.Invalid && rasterbase.CodeOf(err) != rasterbase.TooLarge:
					t.Errorf("it has code %v", rasterbase.CodeOf(err))
				}
			})
			if most := int64(3 * readBytes); peak > most {
				t.Errorf("%d MiB are read with %d MiB", len(c.body)>>20, peak>>20)
			}
			t.Logf("%d MiB are read with %d MiB", len(c.body)>>20, peak>>20)
		})
	}
}

// peakOf is how much memory work takes that is in use at one time, roughly: what was
// allocated while the collector began anew with each few MiB.
func peakOf(work func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, peak := int64(m.HeapAlloc), int64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, int64(m.HeapAlloc)-before)
	}
	go func() {
		defer close(done)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				look()
			}
		}
	}()
	work()
	close(stop)
	<-done
	look()
	return peak
}

func TestBodyMemoryOfClients(t *testing.T) {
	m := newBodyMemory()
	m.wait = time.Millisecond
	me, other, proxy := somebody("192.0.2.1/32"), somebody("192.0.2.2/32"), client{}
	for _, c := range []struct {
		of   client
		n    int64
		code rasterbase.Code
	}{
		{me, clientBodies, ""},
		{me, 1, rasterbase.TooMany},
		{other, bodiesMemory - clientBodies, ""},
		{proxy, 1, rasterbase.Busy},
	} {
		if err := m.take(t.Context(), c.of, c.n); c.code == "" && err != nil || c.code != "" && rasterbase.CodeOf(err) != c.code {
			t.Errorf("%d for %v: %v, want %q", c.n, c.of, err, c.code)
		}
	}
	m.give(me, clientBodies)
	m.give(other, bodiesMemory-clientBodies)
	if err := m.take(t.Context(), proxy, bodiesMemory); err != nil {
		t.Errorf("an address that many stand behind: %v", err)
	}
	m.give(proxy, bodiesMemory)
	if m.taken != 0 || len(m.clients) != 0 {
		t.Errorf("%d are taken by %v", m.taken, m.clients)
	}
}

func TestBodyMemoryIsWaitedFor(t *testing.T) {
	m := newBodyMemory()
	m.wait = time.Hour
	me := somebody("192.0.2.1/32")
	if err := m.take(t.Context(), me, clientBodies); err != nil {
		t.Fatal(err)
	}
	waits := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.freed != nil
	}
	got := make(chan error)
	go func() { got <- m.take(context.Background(), me, 10) }()
	waitFor(t, waits)
	m.give(me, 5) // too little
	waitFor(t, waits)
	m.give(me, 5)
	if err := <-got; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { got <- m.take(ctx, me, 1) }()
	waitFor(t, waits)
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, and its client is gone", err)
	}
}

// Rows within the bounds come through as they are, and no row comes beyond them.
func TestBoundedRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text, row bytes.Buffer
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			row.Reset()
			columns := rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(maxColumns-1, maxColumns+1)).Draw(t, "columns")
			for i := range columns {
				if i > 0 {
					row.WriteByte(';')
				}
				if i < 5 {
					row.WriteString(rapid.SampledFrom([]string{"", "1", `";;;"`, "\"a\n;\"\"b\"", strings.Repeat("1;", 5), `"` + strings.Repeat(";\n", 2000) + `"`}).Draw(t, "cell"))
				}
			}
			text.WriteString(row.String() + "\n")
			if over := columnsOf(row.String()) > maxColumns; over {
				out, err := readBounded(text.Bytes())
				if rasterbase.CodeOf(err) != rasterbase.Invalid || !bytes.HasPrefix(text.Bytes(), out) || len(out) >= text.Len() {
					t.Fatalf("%d of %d bytes came: %v", len(out), text.Len(), err)
				}
				return
			}
		}
		if out, err := readBounded(text.Bytes()); err != nil || !bytes.Equal(out, text.Bytes()) {
			t.Fatalf("%d of %d bytes came: %v", len(out), text.Len(), err)
		}
	})
}

func readBounded(text []byte) ([]byte, error) {
	var out bytes.Buffer
	_, err := out.ReadFrom(&boundedRows{from: bytes.NewReader(text), comma: ';', line: 1})
	return out.Bytes(), err
}

// columnsOf counts the columns of a row that is well formed.
func columnsOf(row string) int {
	n := 1
	for i, part := range strings.Split(row, `"`) {
		if i%2 == 0 {
			n += strings.Count(part, ";")
		}
	}
	return n
}
