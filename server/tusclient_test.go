package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// uploadByNode uploads a file with tus-js-client and gives the upload's
// address, and what the client said.
func uploadByNode(t *testing.T, endpoint, file string, chunk int) (address, said string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("web", "node_modules", "tus-js-client"))
	}
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "node") {
			t.Fatalf("%v, and RASTERBASE_TEST_REQUIRE asks for node: install it, then run `make assets`", err)
		}
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("web", "test", "upload.mjs"), endpoint, file, fmt.Sprint(chunk), "alice")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("tus-js-client: %v\n%s", err, errs.String())
	}
	return strings.TrimSpace(out.String()), errs.String()
}

// generated is a file of n bytes that repeat nowhere.
func generated(t *testing.T, n int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, n)
	source := rand.NewChaCha8([32]byte{1})
	if _, err := source.Read(content); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "größe 土地.tif")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// cutter is a proxy before a server whose connections each break after some
// bytes from the client.
type cutter struct {
	net.Listener
	to  string
	mu  sync.Mutex
	rng *rand.Rand
	cut atomic.Int64 // how many connections broke
	all sync.WaitGroup
}

func newCutter(t *testing.T, to string, seed uint64) *cutter {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: strings.TrimPrefix(to, "http://"), rng: rand.New(rand.NewPCG(seed, 2))}
	t.Logf("the connections break as by seed %d", seed)
	ctx, cancel := context.WithCancel(context.Background())
	c.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.all.Go(func() { c.pass(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		c.all.Wait()
	})
	return c
}

func (c *cutter) pass(ctx context.Context, client net.Conn) {
	defer client.Close()
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { _ = client.Close(); _ = server.Close() })
	defer stop()
	c.mu.Lock()
	// Small enough to break each large file, large enough for what comes first.
	budget := int64(100_000 + c.rng.IntN(3_000_000))
	c.mu.Unlock()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.Copy(client, server) // either side may be gone
		_ = client.Close()
	}()
	if n, _ := io.CopyN(server, client, budget); n == budget {
		c.cut.Add(1)
	}
	_ = client.Close()
	_ = server.Close()
	<-answered
}

const (
	sentBytes = 20<<20 + 12345
	sentChunk = 3<<20 + 7
)

// The protocol's reference client gets a large file through a connection that
// breaks all the time.
func TestTusJSClient(t *testing.T) {
	st := newStore(t)
	web := httptest.NewServer(newServer(t, server.Config{Store: st, Auth: named{}}))
	defer web.Close()
	path, content := generated(t, sentBytes)
	proxy := newCutter(t, web.URL, rand.Uint64())
	address, said := uploadByNode(t, "http://"+proxy.Addr().String()+"/api/v1/uploads", path, sentChunk)
	if n := proxy.cut.Load(); n < 5 {
		t.Errorf("the connection broke %d times only; the client said\n%s", n, said)
	}
	wantBytes(t, st, address, content)
}

// Pieces that go to two servers by turns, which share a database and no disk,
// make one file.
func TestTusJSClientAndTwoServers(t *testing.T) {
	url := pgtest.Prepared(t, "migrated", func(url string) error {
		pool, err := pgxpool.New(t.Context(), url)
		if err != nil {
			return err
		}
		defer pool.Close()
		return postgis.Migrate(t.Context(), pool, postgis.Options{})
	})
	var stores []store.Store
	var servers []http.Handler
	for range 2 {
		st, err := postgis.Open(t.Context(), url, postgis.Options{WorkDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		stores = append(stores, st)
		servers = append(servers, newServer(t, server.Config{Store: st, Auth: named{}, WorkDir: t.TempDir()}))
	}
	var pieces, others atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn := &others
		if r.Method == http.MethodPatch {
			turn = &pieces
		}
		servers[turn.Add(1)%2].ServeHTTP(w, r)
	}))
	defer web.Close()
	path, content := generated(t, sentBytes)
	for name, endpoint := range map[string]string{
		"undisturbed": web.URL,
		"breaking":    "http://" + newCutter(t, web.URL, rand.Uint64()).Addr().String(),
	} {
		pieces.Store(0)
		address, said := uploadByNode(t, endpoint+"/api/v1/uploads", path, sentChunk)
		if n := pieces.Load(); n < 7 {
			t.Errorf("%s: %d pieces only; the client said\n%s", name, n, said)
		}
		for _, st := range stores {
			wantBytes(t, st, address, content)
		}
	}
}
