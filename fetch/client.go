// Package fetch downloads files from addresses that users give. Its one client
// reaches public hosts only, or those that the operator allowed, follows few
// redirects, keeps to limits of bytes and time, and takes up a download that
// breaks off.
package fetch

import (
	"net"
	"net/http"
	"time"
)

// Options are what a [Client] works with. The zero value reaches public hosts
// only and has the default limits.
type Options struct {
	// Allow are hosts that may be reached although their addresses are
	// loopback, private or otherwise not public. Public hosts always may.
	Allow    Hosts
	Limits   Limits
	Resolver *net.Resolver // nil: the system's
}

// Limits are what a download may take. Zero fields take the defaults.
type Limits struct {
	Bytes     int64         // of the file; 100 GiB
	Time      time.Duration // from the first request to the last byte; 6 hours
	Idle      time.Duration // without a byte or an answer; 1 minute
	Header    int64         // bytes of an answer's header; 64 KiB
	Redirects int           // 5
	Resumes   int           // after a connection broke, in a row without getting on; 4
}

// Client downloads files, and sends requests for other packages. It is safe
// for concurrent use. No proxy of the environment is used: it would hide the
// addresses that are reached.
type Client struct {
	limits    Limits
	transport *http.Transport
	pause     time.Duration // before the first attempt to resume
}

// New makes a client.
func New(o Options) *Client {
	orDefault(&o.Limits.Bytes, 100<<30)
	orDefault(&o.Limits.Time, 6*time.Hour)
	orDefault(&o.Limits.Idle, time.Minute)
	orDefault(&o.Limits.Header, 64<<10)
	orDefault(&o.Limits.Redirects, 5)
	orDefault(&o.Limits.Resumes, 4)
	return newClient(o.Limits, &guard{allow: o.Allow, resolver: o.Resolver, timeout: min(o.Limits.Idle, 30*time.Second)})
}

func newClient(l Limits, g *guard) *Client {
	return &Client{
		limits: l,
		pause:  500 * time.Millisecond,
		transport: &http.Transport{
			DialContext:            g.dial,
			TLSHandshakeTimeout:    g.timeout,
			ResponseHeaderTimeout:  l.Idle,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: l.Header,
			DisableCompression:     true, // what is small on the wire may be endless unpacked
			DisableKeepAlives:      true, // a file is one request
		},
	}
}

func orDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Transport sends requests under the client's guard, for clients of other
// protocols over HTTP. It follows no redirects and unpacks nothing.
func (c *Client) Transport() http.RoundTripper { return c.transport }

// Do sends one request under the client's guard, follows no redirect and
// limits neither the answer's body nor its time. A user and password of the
// address are sent. Errors can be shown: they name no user, password or query
// of the address. The caller closes the body.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if u := r.URL.User; u != nil && r.Header.Get("Authorization") == "" {
		r = r.Clone(r.Context())
		password, _ := u.Password()
		r.SetBasicAuth(u.Username(), password)
	}
	// The standard client would read the Location of a redirect, and show it
	// in errors.
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, explain(Redact(r.URL), err)
	}
	return resp, nil
}
