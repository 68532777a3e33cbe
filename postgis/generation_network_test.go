package postgis_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/store"
)

// wire stands between a store and the server and does to what passes what poolers
// and broken networks do.
type wire struct {
	net.Listener
	server   string
	swallow  bool // notifications do not come through
	otherPID bool // the client is told another process than the server's

	listens atomic.Int64 // how often LISTEN passed
	mu      sync.Mutex
	open    []*wired
}

type wired struct {
	client, server net.Conn
	silent         atomic.Bool // nothing comes through, and nobody says so
}

func newWire(t *testing.T, server string, w *wire) string {
	t.Helper()
	address, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	w.server = address.Host
	if w.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go w.accept()
	t.Cleanup(func() {
		w.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.open {
			c.client.Close()
			c.server.Close()
		}
	})
	address.Host = w.Addr().String()
	address.RawQuery = "sslmode=disable"
	return address.String()
}

func (w *wire) accept() {
	for {
		client, err := w.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.server)
		if err != nil {
			client.Close()
			continue
		}
		c := &wired{client: client, server: server}
		w.mu.Lock()
		w.open = append(w.open, c)
		w.mu.Unlock()
		go func() { w.forth(c); server.Close() }()
		go func() { w.back(c); client.Close() }()
	}
}

// silence makes the connections that are open say nothing any more.
func (w *wire) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		c.silent.Store(true)
	}
}

// forth passes on what the client sends.
func (w *wire) forth(c *wired) {
	b := make([]byte, 64<<10)
	for {
		n, err := c.client.Read(b)
		if err != nil {
			return
		}
		if bytes.Contains(b[:n], []byte("LISTEN \"")) {
			w.listens.Add(1)
		}
		if !c.silent.Load() {
			if _, err := c.server.Write(b[:n]); err != nil {
				return
			}
		}
	}
}

// back passes on the server's messages: a letter, and a length that counts itself.
func (w *wire) back(c *wired) {
	var head [5]byte
	for {
		if _, err := io.ReadFull(c.server, head[:]); err != nil {
			return
		}
		m := make([]byte, 5+binary.BigEndian.Uint32(head[1:])-4)
		copy(m, head[:])
		if _, err := io.ReadFull(c.server, m[5:]); err != nil {
			return
		}
		switch {
		case c.silent.Load(), w.swallow && m[0] == 'A':
			continue
		case w.otherPID && m[0] == 'K':
			m[8]++
		}
		if _, err := c.client.Write(m); err != nil {
			return
		}
	}
}

// A network that says nothing any more hides no change: the generation is unknown
// a second later, and known again when a new connection was made.
func TestGenerationSilentNetwork(t *testing.T) {
	t.Parallel()
	plain := newDatabase(t, postgis.Options{})
	w := &wire{}
	db := openDatabase(t, plain.url, postgis.Options{ListenURL: newWire(t, plain.url, w)})
	l := newLayer(t, plain)
	before := known(t, db)
	w.silence()
	rename(t, plain, l, "unheard")
	time.Sleep(time.Second)
	if g, ok := db.Catalog().Generation(); ok {
		t.Errorf("the generation %d is told on the word of a connection that says nothing", g)
	}
	if g := known(t, db); g == before {
		t.Errorf("the generation %d is told again", g)
	}
	before = known(t, db)
	rename(t, plain, l, "heard")
	wantSeen(t, db, "a change after that", before)
}

// Where notifications are swallowed, or a pooler stands between, or nobody is to
// listen, changes are looked for.
func TestGenerationWithoutNotifications(t *testing.T) {
	t.Parallel()
	plain := newDatabase(t, postgis.Options{})
	l := newLayer(t, plain)
	for _, test := range []struct {
		name    string
		wire    *wire
		options func(url string) (string, postgis.Options)
		listens bool
	}{
		{"direct", &wire{}, func(url string) (string, postgis.Options) { return url, postgis.Options{} }, true},
		{"swallowed", &wire{swallow: true}, func(url string) (string, postgis.Options) { return url, postgis.Options{} }, true},
		{"a pooler", &wire{otherPID: true}, func(url string) (string, postgis.Options) { return url, postgis.Options{} }, false},
		{"a pooler with a direct address", &wire{otherPID: true}, func(url string) (string, postgis.Options) {
			return url, postgis.Options{ListenURL: plain.url}
		}, false},
		{"an address that is believed", &wire{otherPID: true}, func(url string) (string, postgis.Options) {
			return plain.url, postgis.Options{ListenURL: url}
		}, true},
		{"polling", &wire{}, func(url string) (string, postgis.Options) {
			return url, postgis.Options{ListenURL: postgis.ListenByPolling}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, o := test.options(newWire(t, plain.url, test.wire))
			db := openDatabase(t, url, o)
			before := known(t, db)
			rename(t, plain, l, test.name)
			wantSeen(t, db, "a change", before)
			if got := test.wire.listens.Load() > 0; got != test.listens {
				t.Errorf("it listened through the wire: %v, want %v", got, test.listens)
			}
		})
	}
}

// Behind PgBouncer, which gives a connection to somebody else after each
// transaction, changes are seen.
func TestGenerationBehindPgBouncer(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("pgbouncer")
	if errors.Is(err, exec.ErrNotFound) {
		if required("pgbouncer") {
			t.Fatal("RASTERBASE_TEST_REQUIRE asks for pgbouncer, and there is none")
		}
		t.Skip("pgbouncer is not installed")
	}
	plain := newDatabase(t, postgis.Options{})
	url := startPgBouncer(t, program, plain.url)
	db := openDatabase(t, url+"&default_query_exec_mode=cache_describe", postgis.Options{})
	direct := openDatabase(t, url+"&default_query_exec_mode=cache_describe", postgis.Options{ListenURL: plain.url})
	l := newLayer(t, plain)
	for i := range 4 {
		before, beforeDirect := known(t, db), known(t, direct)
		by := []store.Store{plain, direct}[i%2]
		rename(t, by, l, fmt.Sprint("y", i))
		wantSeen(t, db, "a change", before)
		wantSeen(t, direct, "a change", beforeDirect)
	}
}

// startPgBouncer pools a server's connections by transaction.
func startPgBouncer(t *testing.T, program, server string) string {
	t.Helper()
	address, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir, err := os.MkdirTemp("", "pgbouncer") // its user must be able to read it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(address.Path, "/")
	file := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n%s = host=%s port=%s dbname=%s user=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\n"+
		"unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n", name, address.Hostname(), address.Port(), name, address.User.Username(), port)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{file}
	if os.Getuid() == 0 {
		args = []string{"-u", "nobody", file}
	}
	cmd := exec.Command(program, args...)
	var out lines
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	at := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
			return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", address.User.Username(), at, name)
		}
		if time.Now().After(end) {
			t.Fatalf("pgbouncer does not answer:\n%s", out.String())
		}
	}
}
