package server_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
)

// noting is an Auth that notes where requests come from.
type noting struct {
	rasterbase.ReadPublic
	from *string
}

func (n noting) Principal(r *http.Request) (rasterbase.Principal, error) {
	*n.from = r.RemoteAddr
	return rasterbase.Principal{}, nil
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// What the headers of proxies mean: for the addresses in answers, and for who the
// client is. Requests come from 192.0.2.1.
func TestForwardedHeaders(t *testing.T) {
	st := newStore(t)
	add(t, st, ramp("Elevation"))
	trusting, wary := prefixes("192.0.2.0/24", "10.0.0.0/8", "fd00::/8"), prefixes("10.0.0.0/8")
	const unbelieved = "http://example.com"
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
		headers []string
		root    string
		client  string
	}{
		{"none", trusting, nil, unbelieved, "192.0.2.1:1234"},
		{"of an untrusted sender", wary, []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "/evil", "X-Forwarded-For", "1.1.1.1", "Forwarded", "for=1.1.1.1;host=evil.example"}, unbelieved, "192.0.2.1:1234"},
		{"of nobody who is trusted", nil, []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-For", "1.1.1.1"}, unbelieved, "192.0.2.1:1234"},
		{"all", trusting, []string{"X-Forwarded-Host", "maps.example.org", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "/r/", "X-Forwarded-For", "203.0.113.9"}, "https://maps.example.org/r", "203.0.113.9:0"},
		{"a port", trusting, []string{"X-Forwarded-Host", "maps.example.org:8443", "X-Forwarded-Proto", "HTTPS", "X-Forwarded-For", "203.0.113.9:55"}, "https://maps.example.org:8443", "203.0.113.9:55"},
		{"IPv6", trusting, []string{"X-Forwarded-Host", "[2001:db8::1]:80", "X-Forwarded-For", "2001:db8::7"}, "http://[2001:db8::1]:80", "[2001:db8::7]:0"},
		{"IPv6 in brackets", trusting, []string{"X-Forwarded-For", "[2001:db8::7]:99"}, unbelieved, "[2001:db8::7]:99"},
		{"what the client wrote before", trusting, []string{"X-Forwarded-For", "6.6.6.6, 203.0.113.9", "X-Forwarded-Host", "evil.example, maps.example.org", "X-Forwarded-Proto", "http, https", "X-Forwarded-Prefix", "/evil, /r"}, "https://maps.example.org/r", "203.0.113.9:0"},
		{"two proxies", trusting, []string{"X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.1.2.3", "X-Forwarded-Host", "evil.example, maps.example.org, inner", "X-Forwarded-Proto", "https, http", "X-Forwarded-Prefix", "/evil, /out, /in"}, "https://maps.example.org/out/in", "203.0.113.9:0"},
		{"two proxies, one value", trusting, []string{"X-Forwarded-For", "203.0.113.9, fd00::1", "X-Forwarded-Host", "maps.example.org", "X-Forwarded-Proto", "https"}, "https://maps.example.org", "203.0.113.9:0"},
		{"only proxies", trusting, []string{"X-Forwarded-For", "10.0.0.9, 10.0.0.8"}, unbelieved, "10.0.0.9:0"},
		{"an address that is none", trusting, []string{"X-Forwarded-For", "203.0.113.9, unknown"}, unbelieved, "192.0.2.1:1234"},
		{"an address that is none, further out", trusting, []string{"X-Forwarded-For", "203.0.113.9, _x, 10.0.0.8"}, unbelieved, "10.0.0.8:0"},
		{"a scheme that is none", trusting, []string{"X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "maps.example.org"}, "http://maps.example.org", "192.0.2.1:1234"},
		{"hosts that are none", trusting, []string{"X-Forwarded-Host", "evil.example/path"}, unbelieved, "192.0.2.1:1234"},
		{"a host with a user", trusting, []string{"X-Forwarded-Host", "a@evil.example"}, unbelieved, "192.0.2.1:1234"},
		{"a prefix that is an address", trusting, []string{"X-Forwarded-Prefix", "//evil.example"}, unbelieved, "192.0.2.1:1234"},
		{"a prefix with dots", trusting, []string{"X-Forwarded-Prefix", "/a/../b"}, unbelieved, "192.0.2.1:1234"},
		{"a prefix with a query", trusting, []string{"X-Forwarded-Prefix", "/a?b"}, unbelieved, "192.0.2.1:1234"},
		{"a prefix with a backslash", trusting, []string{"X-Forwarded-Prefix", `/\evil.example`}, unbelieved, "192.0.2.1:1234"},
		{"a prefix without a slash", trusting, []string{"X-Forwarded-Prefix", "maps"}, unbelieved, "192.0.2.1:1234"},
		{"a prefix that is the root", trusting, []string{"X-Forwarded-Prefix", "/"}, unbelieved, "192.0.2.1:1234"},
		{"a prefix with letters", trusting, []string{"X-Forwarded-Prefix", "/größe/a%20b"}, unbelieved + "/gr%C3%B6%C3%9Fe/a%20b", "192.0.2.1:1234"},
		{"the standard header", trusting, []string{"Forwarded", `for=203.0.113.9;proto=https;host=maps.example.org`}, "https://maps.example.org", "203.0.113.9:0"},
		{"quoted", trusting, []string{"Forwarded", `For="[2001:db8::7]:4711"; Proto=https ;host="maps.example.org:8443";by=_x`}, "https://maps.example.org:8443", "[2001:db8::7]:4711"},
		{"the standard header of two", trusting, []string{"Forwarded", `for=6.6.6.6;host=evil.example, for=203.0.113.9;host=maps.example.org;proto=https, for=10.0.0.1;host=inner`}, "https://maps.example.org", "203.0.113.9:0"},
		{"the standard header, broken", trusting, []string{"Forwarded", `for=203.0.113.9;host="maps.example.org`}, unbelieved, "192.0.2.1:1234"},
		{"the standard header, twice the same", trusting, []string{"Forwarded", `for=203.0.113.9;for=6.6.6.6`}, unbelieved, "192.0.2.1:1234"},
		{"the standard header beside others", trusting, []string{"Forwarded", `for=6.6.6.6;host=evil.example`, "X-Forwarded-For", "203.0.113.9"}, unbelieved, "203.0.113.9:0"},
	} {
		var from string
		log, written := captured()
		s := newServer(t, server.Config{Store: st, Auth: noting{from: &from}, TrustedProxies: c.trusted, Log: debugging(log, written)})
		w := get(t, s, "/layers", c.headers...)
		if got := decode[list](t, w).Items[0].URLs["self"]; got != c.root+"/layers/1" {
			t.Errorf("%s: the layer is at %s, want it below %s", c.name, got, c.root)
		}
		if from != c.client {
			t.Errorf("%s: the client is %s, want %s", c.name, from, c.client)
		}
		if !strings.Contains(written.String(), "client="+c.client) {
			t.Errorf("%s: the log is %s", c.name, written)
		}
		public := newServer(t, server.Config{Store: st, PublicURL: "https://public.example/p", TrustedProxies: c.trusted})
		if got := decode[list](t, get(t, public, "/layers", c.headers...)).Items[0].URLs["self"]; got != "https://public.example/p/layers/1" {
			t.Errorf("%s: with a public URL the layer is at %s", c.name, got)
		}
	}
}

// debugging is a logger of everything, to where another one writes.
func debugging(_ *slog.Logger, to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// A proxy that tells who its clients are does not make them share its limit of
// event streams.
func TestClientsBehindATrustedProxy(t *testing.T) {
	st := newStore(t)
	l := create(t, st, rasterbase.Layer{Name: "One", Visibility: rasterbase.Public})
	addParse(t, st, l.ID, rasterbase.Tiling)
	h := newServer(t, server.Config{Store: st, TrustedProxies: prefixes("127.0.0.0/8")})
	web := httptest.NewServer(h)
	t.Cleanup(func() { h.Close(); web.Close() })
	open := func(client string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+"/api/v1/layers/one/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", client)
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Body.Close() })
		return w.StatusCode
	}
	for i := range 17 {
		want := 200
		if i == 16 {
			want = 429
		}
		if got := open("203.0.113.9"); got != want {
			t.Errorf("stream %d of a client: status %d, want %d", i+1, got, want)
		}
	}
	if got := open("203.0.113.10"); got != 200 {
		t.Errorf("a stream of another client: status %d", got)
	}
}

// A page of the origin that a trusted proxy tells may change things with what the
// browser remembers; one of another origin may not.
func TestOriginsBehindATrustedProxy(t *testing.T) {
	s := newServer(t, server.Config{Store: newStore(t), TrustedProxies: prefixes("192.0.2.0/24")})
	for origin, refused := range map[string]bool{"https://maps.example.org": false, "https://evil.example": true, "http://example.com": true} {
		w := ask(t, s, http.MethodDelete, "/api/v1/layers/1", "Origin", origin, "X-Forwarded-Host", "maps.example.org", "X-Forwarded-Proto", "https")
		if got := w.Code == 403; got != refused {
			t.Errorf("%s: status %d", origin, w.Code)
		}
	}
}

// The path of the public URL is taken off where a proxy passes it on, and routes
// of the same name stay what they are.
func TestThePathOfThePublicURL(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	for public, paths := range map[string]map[string]int{
		"https://maps.example.org/a/raster": {"/a/raster/tiles/1/6/33/22.png": 200, "/tiles/1/6/33/22.png": 200, "/a/raster/layers/1": 200, "/a/raster": 308,
			"/a/rasters/layers": 404, "/a/raster/a/raster/layers": 404, "/a/raster/": 200},
		"https://maps.example.org/layers": {"/layers": 200, "/layers/1": 200, "/layers/layers/1": 200, "/layers/tiles/1/6/33/22.png": 200},
		"https://maps.example.org":        {"/layers": 200, "/a/layers": 404},
	} {
		s := newServer(t, server.Config{Store: st, PublicURL: public})
		for path, want := range paths {
			if got := get(t, s, path).Code; got != want {
				t.Errorf("%s: status %d at %s, want %d", public, got, path, want)
			}
		}
	}
}

// Pages of other origins may read what they need of an answer, and ask for parts.
func TestHeadersForOtherOrigins(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newServer(t, server.Config{Store: st})
	exposed := get(t, s, "/tiles/1/6/33/22.png", "Origin", "https://a.example").Header().Get("Access-Control-Expose-Headers")
	for _, name := range []string{"ETag", "Aggregation", "Retry-After", "Location", "Content-Range", "Accept-Ranges", "Content-Length"} {
		if !slices.Contains(strings.Split(exposed, ", "), name) {
			t.Errorf("%s is not exposed: %s", name, exposed)
		}
	}
	pre := ask(t, s, http.MethodOptions, "/tiles/1/6/33/22.png", "Origin", "https://a.example", "Access-Control-Request-Method", "GET")
	for _, name := range []string{"If-None-Match", "Range", "If-Range", "Authorization", "Prefer"} {
		if got := pre.Header().Get("Access-Control-Allow-Headers"); !slices.Contains(strings.Split(got, ", "), name) {
			t.Errorf("%s may not be sent: %s", name, got)
		}
	}
}

// FuzzForwardedHeaders: whatever a trusted proxy passes on, addresses in answers
// stay addresses of a web server.
func FuzzForwardedHeaders(f *testing.F) {
	for _, seed := range [][5]string{
		{"203.0.113.9, 10.0.0.1", "https", "maps.example.org", "/r", ""},
		{"", "", "", "", `for="[2001:db8::7]:4711";proto=https;host="a\"b", for=10.0.0.1`},
		{"[::1", "https,,", "a:b:c", "/%2e%2e/", `;;,=`}, {",", ",", ",", ",", ","},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	st := newStore(f)
	add(f, st, ramp("Elevation"))
	var from string
	s := newServer(f, server.Config{Store: st, Auth: noting{from: &from}, TrustedProxies: prefixes("192.0.2.0/24", "10.0.0.0/8")})
	f.Fuzz(func(t *testing.T, client, proto, host, prefix, standard string) {
		r := httptest.NewRequest(http.MethodGet, "/layers/1", nil)
		for name, value := range map[string]string{"X-Forwarded-For": client, "X-Forwarded-Proto": proto, "X-Forwarded-Host": host, "X-Forwarded-Prefix": prefix, "Forwarded": standard} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var out struct{ URLs map[string]string }
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
			t.Fatalf("status %d: %v", w.Code, err)
		}
		u, err := http.NewRequestWithContext(t.Context(), http.MethodGet, out.URLs["self"], nil)
		if err != nil || u.URL.Scheme != "http" && u.URL.Scheme != "https" || u.URL.Host == "" || u.URL.User != nil || u.URL.RawQuery != "" || u.URL.Fragment != "" ||
			!strings.HasSuffix(u.URL.Path, "/layers/1") || strings.Contains(u.URL.Path, "..") {
			t.Errorf("the layer is at %q: %v", out.URLs["self"], err)
		}
		if _, err := netip.ParseAddrPort(from); err != nil {
			t.Errorf("the client is %q", from)
		}
	})
}
