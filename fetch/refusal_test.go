package fetch

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
)

func TestAddressesThatAreRefused(t *testing.T) {
	c := newTestClient(t, Limits{}, nil)
	for address, part := range map[string]string{
		"http://127.0.0.1:1/x?key=secret":         "loopback",
		"http://user:secret@127.0.0.1:1/x":        "loopback",
		"http://[::1]:1/":                         "loopback",
		"http://[::ffff:127.0.0.1]:1/":            "loopback",
		"http://[64:ff9b::7f00:1]:1/":             "loopback",
		"http://localhost:1/":                     "loopback",
		"http://10.0.0.1/":                        "private",
		"https://192.168.0.1/":                    "private",
		"http://[fd00::1]/":                       "private",
		"http://100.64.1.1/":                      "carrier",
		"http://169.254.169.254/latest/meta-data": "metadata",
		"http://[fd00:ec2::254]/latest":           "metadata",
		"http://169.254.7.7/":                     "link-local",
		"http://0.0.0.0:1/":                       "unspecified",
		"http://224.0.0.1/":                       "multicast",
		"http://255.255.255.255/":                 "reserved",
	} {
		_, _, _, err := c.Open(t.Context(), address)
		if errors.Is(err, errLeaves) {
			t.Errorf("%s would have been reached", address)
		}
		// A system without IPv6 may fail before it comes to the guard.
		if strings.Contains(address, "[") && rasterbase.CodeOf(err) == rasterbase.Busy {
			continue
		}
		wantError(t, err, rasterbase.Forbidden, address, part)
	}
	for _, address := range []string{"ftp://example.org/x", "file:///etc/passwd", "gopher://127.0.0.1/", "//example.org/x", "example.org"} {
		if _, _, _, err := c.Open(t.Context(), address); rasterbase.CodeOf(err) != rasterbase.Unsupported {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"http://", "http:///x", "http:opaque", "https://user:secret@/x", "http://exa mple/?secret", "http://%zz/secret", "http://h:port/secret?"} {
		_, _, _, err := c.Open(t.Context(), address)
		if rasterbase.CodeOf(err) != rasterbase.Invalid || strings.Contains(err.Error(), "secret?") || strings.Contains(err.Error(), ":secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestRedirectsThatAreRefused(t *testing.T) {
	other, _ := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the other server was reached") })
	for to, part := range map[string]string{
		"http://169.254.169.254/latest/meta-data/?secret": "metadata",
		"http://10.1.2.3/":              "private",
		"http://[::1]:1/":               "loopback",
		other + "/x?secret":             "loopback",
		"http://user:secret@[fe80::1]/": "",
		"file:///etc/passwd":            "file: are not fetched",
		"ftp://example.org/":            "ftp: are not fetched",
		"http://%zz/secret":             "cannot be read",
		"http:///":                      "names no host",
	} {
		address, host := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		})
		c := newTestClient(t, Limits{}, nil, host)
		_, _, _, err := c.Open(t.Context(), address+"/scene.tif?key=secret")
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), address+"/scene.tif redirects") || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestRedirectsAreFew(t *testing.T) {
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case p == "/circle":
			http.Redirect(w, r, "/circle2", http.StatusFound)
		case p == "/circle2":
			http.Redirect(w, r, "/circle", http.StatusMovedPermanently)
		case p == "/none":
			w.WriteHeader(http.StatusFound)
		case p == "/end":
			_, _ = w.Write([]byte("here"))
		default:
			http.Redirect(w, r, strings.TrimPrefix(p, "/x"), http.StatusTemporaryRedirect)
		}
	})
	c := newTestClient(t, Limits{}, nil, host)
	_, _, _, err := c.Open(t.Context(), address+"/circle")
	wantError(t, err, rasterbase.Invalid, address+"/circle", "in a circle")
	_, _, _, err = c.Open(t.Context(), address+"/none")
	wantError(t, err, rasterbase.Invalid, address+"/none", "cannot be read")
	_, _, _, err = c.Open(t.Context(), address+"/x/x/x/x/x/x/end")
	wantError(t, err, rasterbase.Invalid, address+"/x", "more than 5 times")
	if name, b, err := download(t.Context(), c, address+"/x/x/x/x/x/end"); err != nil || string(b) != "here" || name != "end" {
		t.Errorf("%s %q %v", name, b, err)
	}
}

// TestPasswordsStayWithTheirHost: neither they nor the address that led to it
// are told to another host.
func TestPasswordsStayWithTheirHost(t *testing.T) {
	other, otherHost := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("the other host is told %v", r.Header)
		}
		_, _ = w.Write([]byte("data"))
	})
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "secret"})
		if r.URL.Path == "/here" {
			http.Redirect(w, r, "http://"+r.Host+"/there", http.StatusFound)
			return
		}
		http.Redirect(w, r, other+"/file.tif", http.StatusFound)
	})
	c := newTestClient(t, Limits{}, nil, host, otherHost)
	if _, b, err := download(t.Context(), c, strings.Replace(address, "://", "://me:secret@", 1)+"/here?token=secret"); err != nil || string(b) != "data" {
		t.Errorf("%q %v", b, err)
	}
	_, _, _, err := c.Open(t.Context(), address+"/here?token=secret")
	wantError(t, err, rasterbase.Forbidden, address, "401 Unauthorized")
}

// fakeDNS answers names with one address after the other.
type fakeDNS struct {
	mu      sync.Mutex
	answers map[string][]string
}

func (f *fakeDNS) next(name string) (netip.Addr, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.answers[strings.ToLower(name)]
	if len(list) == 0 {
		return netip.Addr{}, false
	}
	if len(list) > 1 {
		f.answers[name] = list[1:]
	}
	return netip.MustParseAddr(list[0]), true
}

// resolver starts a name server on this machine.
func (f *fakeDNS) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(f.answer(b[:n]), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// answer makes a message of RFC 1035 to a question for one name.
func (f *fakeDNS) answer(q []byte) []byte {
	var labels []string
	i := 12
	for q[i] != 0 {
		labels = append(labels, string(q[i+1:i+1+int(q[i])]))
		i += 1 + int(q[i])
	}
	kind := binary.BigEndian.Uint16(q[i+1:])
	question := q[12 : i+5]
	a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if kind == 1 { // A
		if addr, ok := f.next(strings.Join(labels, ".")); ok {
			four := addr.As4()
			a[7] = 1
			a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			a = append(a, four[:]...)
		}
	}
	return a
}

// TestNamesThatChangeTheirAddress: what counts is the address of the very
// connection, and not what the name was resolved to before.
func TestNamesThatChangeTheirAddress(t *testing.T) {
	dns := &fakeDNS{answers: map[string][]string{
		"rebind.test":   {"8.8.8.8", "127.0.0.1"},
		"inside.test":   {"127.0.0.1"},
		"trusted.test":  {"127.0.0.1"},
		"metadata.test": {"169.254.169.254"},
		"a.below.test":  {"127.0.0.1"},
	}}
	reached := map[string]bool{}
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ":")
		reached[name] = true
		if r.URL.Path != "/file.tif" {
			http.Redirect(w, r, "http://"+strings.TrimPrefix(r.URL.Path, "/to/"), http.StatusFound)
		}
	})
	_, port, _ := strings.Cut(host, ":")
	_ = address
	c := newTestClient(t, Limits{}, dns.resolver(t), "trusted.test", "metadata.test", "*.below.test")
	open := func(a string) error {
		_, _, err := download(t.Context(), c, a)
		return err
	}
	if err := open("http://rebind.test:" + port + "/file.tif"); !strings.Contains(err.Error(), errLeaves.Error()) {
		t.Errorf("the public address: %v", err)
	}
	for _, a := range []string{
		"http://rebind.test:" + port + "/file.tif",
		"http://inside.test:" + port + "/file.tif",
		"http://metadata.test/file.tif", // allowed, but not to lead there
	} {
		wantError(t, open(a), rasterbase.Forbidden, a, "which is not fetched from")
	}
	for _, a := range []string{"http://trusted.test:" + port + "/file.tif", "http://A.Below.test:" + port + "/file.tif"} {
		if err := open(a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	a := "http://trusted.test:" + port + "/to/rebind.test:" + port + "/file.tif"
	wantError(t, open(a), rasterbase.Forbidden, a, "redirects: ")
	wantError(t, open("http://nowhere.test/"), rasterbase.NotFound, "http://nowhere.test/", "there is no host nowhere.test")
	if reached["rebind.test"] || reached["inside.test"] || !reached["trusted.test"] {
		t.Errorf("reached: %v", reached)
	}
}
