package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// counted is a server that counts its requests.
type counted struct {
	http.Handler
	n *atomic.Int64
}

func (c counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.n.Add(1)
	c.Handler.ServeHTTP(w, r)
}

// nginxConfig has a place for its folder, its address, and the servers behind it.
const nginxConfig = `daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/temp;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	proxy_cache_path %[1]s/cache keys_zone=tiles:1m;
	proxy_set_header Host $http_host;
	proxy_set_header X-Forwarded-Host $http_host;
	proxy_set_header X-Forwarded-Proto $scheme;
	proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
	proxy_http_version 1.1;
	server {
		listen %[2]s;
		location /stripped/ {
			proxy_set_header Host $proxy_host;
			proxy_set_header X-Forwarded-Host $http_host;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Prefix /stripped;
			proxy_pass http://%[3]s/;
		}
		location /kept/ { proxy_pass http://%[4]s; }
		location /public-kept/ { proxy_pass http://%[5]s; }
		location /public-stripped/ { proxy_pass http://%[6]s/; }
		location /wary/ {
			proxy_set_header Host $proxy_host;
			proxy_set_header X-Forwarded-Host $http_host;
			proxy_set_header X-Forwarded-Prefix /wary;
			proxy_pass http://%[7]s/;
		}
		location /cached/ {
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-Host $http_host;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Prefix /cached;
			proxy_pass http://%[3]s/;
			proxy_cache tiles;
			proxy_cache_revalidate on;
			proxy_cache_valid 200 10m;
			add_header X-Cache $upstream_cache_status;
		}
	}
}
`

// startNginx runs nginx before some servers, and gives its address.
func startNginx(t *testing.T, make func(address string) (behind []http.Handler)) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/nginx") // which users have not on their path
	}
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "nginx") {
			t.Fatal("RASTERBASE_TEST_REQUIRE asks for nginx, and there is none")
		}
		t.Skip("nginx is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	args := []any{t.TempDir(), address}
	for _, h := range make(address) {
		web := httptest.NewServer(h)
		t.Cleanup(web.Close)
		args = append(args, web.Listener.Addr().String())
	}
	file := filepath.Join(args[0].(string), "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConfig, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	l.Close()
	cmd := exec.Command(program, "-p", args[0].(string), "-c", file, "-e", "stderr")
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address
		}
		if time.Now().After(end) {
			t.Fatalf("nginx does not answer:\n%s", out.String())
		}
	}
}

// output is what a program wrote.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// fetched is an answer that came through the network.
type fetched struct {
	status int
	header http.Header
	body   []byte
}

func fetch(t *testing.T, url string, header ...string) fetched {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fetched{w.StatusCode, w.Header, body}
}

// firstTile is the address of a tile as a layer's TileJSON gives it.
func firstTile(t *testing.T, layer string, header ...string) string {
	t.Helper()
	a := fetch(t, layer+"/tilejson.json", header...)
	var out struct{ Tiles []string }
	if err := json.Unmarshal(a.body, &out); err != nil || len(out.Tiles) == 0 {
		t.Fatalf("%s: status %d, %v: %.200s", layer, a.status, err, a.body)
	}
	return strings.NewReplacer("{z}", "6", "{x}", "33", "{y}", "22").Replace(out.Tiles[0])
}

// Behind nginx, which takes a prefix of the path off or not, the addresses that
// answers have are answered; conditions and their answers pass; and its cache
// never gives a tile that is outdated.
func TestBehindNginx(t *testing.T) {
	st := newStore(t)
	lg := addLegend(t, st, "Wald.json", forest, water)
	add(t, st, stripes("Land cover", lg))
	hidden := secret(t, st)
	local := prefixes("127.0.0.0/8")
	direct := newServer(t, server.Config{Store: st})
	n := new(atomic.Int64)
	web := startNginx(t, func(address string) []http.Handler {
		mounted := http.NewServeMux()
		mounted.Handle("/kept/", http.StripPrefix("/kept", newServer(t, server.Config{Store: st, TrustedProxies: local})))
		return []http.Handler{
			counted{newServer(t, server.Config{Store: st, Auth: keyAuth{}, TrustedProxies: local}), n},
			mounted,
			newServer(t, server.Config{Store: st, PublicURL: "http://" + address + "/public-kept"}),
			newServer(t, server.Config{Store: st, PublicURL: "http://" + address + "/public-stripped"}),
			newServer(t, server.Config{Store: st, TrustedProxies: prefixes("10.0.0.0/8")}),
		}
	})
	want := get(t, direct, "/tiles/1/6/33/22.png").Body.Bytes()
	for _, prefix := range []string{"/stripped", "/kept", "/public-kept", "/public-stripped", "/cached"} {
		for _, forged := range [][]string{nil, {"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "Forwarded", "host=evil.example"}} {
			tile := firstTile(t, web+prefix+"/layers/1", forged...)
			if !strings.HasPrefix(tile, web+prefix+"/tiles/1/6/33/22.png?") {
				t.Errorf("%s: the tiles are at %s", prefix, tile)
				continue
			}
			a := fetch(t, tile)
			if a.status != 200 || !bytes.Equal(a.body, want) || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: status %d, %q, %d bytes, want %d", prefix, a.status, a.header.Get("Cache-Control"), len(a.body), len(want))
			}
			for _, address := range []string{tile, web + prefix + "/tiles/1/6/33/22.png"} {
				if prefix == "/cached" && address != tile {
					continue // nginx keeps conditions to itself where it has a cache
				}
				if again := fetch(t, address, "If-None-Match", a.header.Get("ETag")); again.status != 304 || len(again.body) != 0 {
					t.Errorf("%s: a condition is answered %d with %d bytes", address, again.status, len(again.body))
				}
			}
		}
	}
	if tile := firstTile(t, web+"/wary/layers/1"); strings.HasPrefix(tile, web) || strings.Contains(tile, "/wary/") {
		t.Errorf("a proxy that is not trusted is believed: %s", tile)
	}
	t.Run("its cache", func(t *testing.T) { nginxCache(t, st, web+"/cached", lg, hidden, n) })
}

// nginxCache wants nginx to keep tiles at addresses with a version, and nothing
// else.
func nginxCache(t *testing.T, st store.Store, web string, lg *rasterbase.Legend, hidden *rasterbase.Layer, n *atomic.Int64) {
	versioned := firstTile(t, web+"/layers/1")
	fetch(t, versioned)
	before := n.Load()
	for range 3 {
		if a := fetch(t, versioned); a.header.Get("X-Cache") != "HIT" {
			t.Errorf("a tile with a version: %s", a.header.Get("X-Cache"))
		}
	}
	if n.Load() != before {
		t.Errorf("%d of 3 requests for a tile with a version came through", n.Load()-before)
	}
	unversioned := web + "/tiles/1/6/33/22.png"
	last := fetch(t, unversioned)
	for i := range 5 {
		lg.Entries[0].Color = rasterbase.Color{R: uint8(10 * i), G: 7, A: 255}
		update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Update(ctx, lg) })
		for _, address := range []string{unversioned, unversioned + "?v=outdated"} {
			a := fetch(t, address, "If-None-Match", last.header.Get("ETag"))
			if a.status != 200 || bytes.Equal(a.body, last.body) || a.header.Get("X-Cache") == "HIT" {
				t.Errorf("%s after change %d: status %d, %s, the same bytes: %v", address, i+1, a.status, a.header.Get("X-Cache"), bytes.Equal(a.body, last.body))
			}
		}
		last = fetch(t, unversioned)
		if now := firstTile(t, web+"/layers/1"); now == versioned {
			t.Errorf("after change %d the version is the same", i+1)
		} else if a := fetch(t, now); !bytes.Equal(a.body, last.body) {
			t.Errorf("after change %d the tile with a version is another one", i+1)
		}
	}
	private := fmt.Sprintf("%s/tiles/%d/6/33/22.png", web, hidden.ID)
	for range 2 {
		if a := fetch(t, private, "Authorization", "key"); a.status != 200 || a.header.Get("X-Cache") == "HIT" {
			t.Errorf("a private tile: status %d, %s", a.status, a.header.Get("X-Cache"))
		}
		if a := fetch(t, private); a.status != 404 {
			t.Errorf("a private tile without credentials: status %d", a.status)
		}
	}
}
