package fetch

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
)

// errLeaves keeps tests from sending anything to other machines.
var errLeaves = errors.New("this would leave the machine")

// newTestClient makes a client that may reach the hosts given, and this machine
// only.
func newTestClient(t *testing.T, l Limits, resolver *net.Resolver, hosts ...string) *Client {
	t.Helper()
	allow, err := ParseHosts(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{Allow: allow, Limits: l})
	c = newClient(c.limits, &guard{
		allow: allow, resolver: resolver, timeout: 30 * time.Second,
		permitted: func(a netip.AddrPort) error {
			if a.Addr().IsLoopback() {
				return nil
			}
			return errLeaves
		},
	})
	c.pause = time.Millisecond
	return c
}

// serve starts a server on this machine. Its host and port can be allowed.
func serve(t *testing.T, h http.HandlerFunc) (address, host string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return s.URL, u.Host
}

// serveRaw starts a server that answers each connection as it likes, after the
// request's header.
func serveRaw(t *testing.T, answer func(c net.Conn)) (address, host string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 0, 4096)
				for !strings.Contains(string(b), "\r\n\r\n") && len(b) < cap(b) {
					n, err := c.Read(b[len(b):cap(b)])
					if err != nil {
						return
					}
					b = b[:len(b)+n]
				}
				answer(c)
			}()
		}
	}()
	return "http://" + l.Addr().String(), l.Addr().String()
}

// download reads a whole file.
func download(ctx context.Context, c *Client, address string) (name string, b []byte, err error) {
	name, _, body, err := c.Open(ctx, address)
	if err != nil {
		return "", nil, err
	}
	defer body.Close()
	b, err = io.ReadAll(body)
	return name, b, err
}

// wantError checks the code and a part of the text of an error that must begin
// with the address, without its secrets.
func wantError(t *testing.T, err error, code rasterbase.Code, address, part string) {
	t.Helper()
	u, parseErr := url.Parse(address)
	if parseErr != nil {
		t.Fatal(parseErr)
	}
	switch {
	case rasterbase.CodeOf(err) != code:
		t.Errorf("the code is %q, want %q: %v", rasterbase.CodeOf(err), code, err)
	case !strings.Contains(err.Error(), part):
		t.Errorf("%q is not in: %v", part, err)
	case !strings.HasPrefix(err.Error(), Redact(u)):
		t.Errorf("the address is not named first: %v", err)
	case strings.Contains(err.Error(), "secret"):
		t.Errorf("a secret is shown: %v", err)
	}
}
