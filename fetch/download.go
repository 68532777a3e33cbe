package fetch

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// Open downloads a file from an http or https address, which may hold a user
// and a password. It gives the name that the file is known by, its size, -1
// when the host does not say, and the bytes. Redirects are followed; a password
// goes to the host it was given for and no other. Errors have a code and name
// the address without user, password and query.
func (c *Client) Open(ctx context.Context, address string) (name string, size int64, body io.ReadCloser, err error) {
	u, err := parseAddress(address)
	if err != nil {
		return "", 0, nil, err
	}
	w := &web{c: c, address: u, label: Redact(u)}
	d, err := c.Stream(ctx, w.label, w.open)
	if err != nil {
		return "", 0, nil, err
	}
	return w.name, d.Size(), d, nil
}

// parseAddress reads an address. Errors of url.Parse have its whole text, and
// so are not shown.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the address cannot be read").
			WithHint("it is like https://example.org/scene.tif; special characters are written as %%XX").WithField("source")
	}
	return u, checkAddress(u)
}

func checkAddress(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return rasterbase.Errorf(rasterbase.Unsupported, "%s: addresses that begin with %s: are not fetched", Redact(u), u.Scheme).
			WithHint("http and https addresses are").WithField("source")
	}
	if u.Hostname() == "" || u.Opaque != "" {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: the address names no host", Redact(u)).WithField("source")
	}
	return nil
}

// web is a file behind an http or https address.
type web struct {
	c       *Client
	address *url.URL
	label   string
	name    string // of the file, known once it is open
}

// open is an Opener.
func (w *web) open(ctx context.Context, from int64, tag string) (*Part, error) {
	h := http.Header{"Accept-Encoding": {"identity"}, "User-Agent": {"rasterbase"}}
	if from > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-", from))
		h.Set("If-Range", tag)
	}
	resp, at, err := w.follow(ctx, h)
	if err != nil {
		return nil, err
	}
	part, err := w.part(resp, from, tag)
	if err != nil {
		_ = resp.Body.Close() // it is of no use
		return nil, err
	}
	if w.name == "" {
		w.name = nameOf(resp.Header, w.address, at)
	}
	return part, nil
}

// follow asks for the file and follows redirects. It gives the answer and
// where it came from.
func (w *web) follow(ctx context.Context, h http.Header) (*http.Response, *url.URL, error) {
	at := w.address
	passed := []string{at.String()}
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return nil, nil, explain(w.label, err)
		}
		r.Header = h.Clone()
		resp, err := w.c.Do(r)
		if err != nil {
			return nil, nil, w.via(at, err)
		}
		if !isRedirect(resp.StatusCode) {
			return resp, at, nil
		}
		_ = resp.Body.Close() // a redirect says nothing there
		if at, err = redirected(at, resp.Header.Get("Location")); err != nil {
			return nil, nil, w.via(at, err)
		}
		if slices.Contains(passed, at.String()) {
			return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "%s redirects in a circle, back to %s", w.label, Redact(at)).WithField("source")
		}
		if len(passed) > w.c.limits.Redirects {
			return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "%s redirects more than %d times", w.label, w.c.limits.Redirects).WithField("source")
		}
		passed = append(passed, at.String())
	}
}

// via says which address led to the one that an error names.
func (w *web) via(at *url.URL, err error) error {
	e, ok := err.(*rasterbase.Error) //nolint:errorlint // an error within another has its context already
	if at == w.address || at == nil || !ok {
		return err
	}
	e.Message = w.label + " redirects: " + e.Message
	return e
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirected is the address that a redirect leads to. User and password go
// along within one origin only.
func redirected(from *url.URL, location string) (*url.URL, error) {
	ref, err := url.Parse(location)
	if err != nil || location == "" {
		return from, rasterbase.Errorf(rasterbase.Invalid, "%s redirects to an address that cannot be read", Redact(from)).WithField("source")
	}
	to := from.ResolveReference(ref)
	if to.User == nil && to.Scheme == from.Scheme && to.Host == from.Host {
		to.User = from.User
	}
	return to, checkAddress(to)
}

// part looks at the header of an answer.
func (w *web) part(resp *http.Response, from int64, tag string) (*Part, error) {
	if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s: the host packs the file as %s, which it was asked not to do", w.label, quoted(e)).
			WithHint("download the file and import it").WithField("source")
	}
	p := &Part{Body: resp.Body, Size: resp.ContentLength, Tag: tagOf(resp.Header)}
	switch {
	case from == 0 && resp.StatusCode == http.StatusOK:
		return p, nil
	case from > 0 && resp.StatusCode == http.StatusPartialContent:
		start, size, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || start != from || p.Tag != "" && p.Tag != tag {
			return nil, changed(w.label)
		}
		p.Size, p.Tag = size, tag
		return p, nil
	case from > 0 && resp.StatusCode == http.StatusOK && p.Tag == tag:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s: the download broke off after %d bytes, and the host cannot go on from there", w.label, from).
			WithHint("try again").WithField("source")
	case from > 0 && (resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		return nil, changed(w.label)
	}
	return nil, statusError(w.label, resp)
}

// tagOf is what If-Range takes: a strong entity tag, else the time of the last
// change; empty when there is neither, or the host gives no parts (RFC 9110,
// sections 13.1.5 and 14.3).
func tagOf(h http.Header) string {
	if strings.EqualFold(h.Get("Accept-Ranges"), "none") {
		return ""
	}
	if e := h.Get("ETag"); strings.HasPrefix(e, `"`) {
		return e
	}
	return h.Get("Last-Modified")
}

// contentRange reads "bytes 100-199/1000"; size is -1 for "bytes 100-199/*".
func contentRange(s string) (start, size int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	span, whole, ok2 := strings.Cut(rest, "/")
	first, last, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	if err != nil || err2 != nil || start < 0 || end < start {
		return 0, 0, false
	}
	if whole == "*" {
		return start, -1, true
	}
	size, err = strconv.ParseInt(whole, 10, 64)
	return start, size, err == nil && size > 0 && size-1 == end
}

// nameOf is the name of a downloaded file: the one that the host gives it, or
// the last part of the address's path, or of the one that it redirects to.
func nameOf(h http.Header, asked, at *url.URL) string {
	var names []string
	if _, params, err := mime.ParseMediaType(h.Get("Content-Disposition")); err == nil {
		if name := FileName(params["filename"]); name != "" {
			return withEnding(name, h)
		}
	}
	for _, u := range []*url.URL{asked, at} {
		name := FileName(u.Path)
		if path.Ext(name) != "" {
			return name
		}
		names = append(names, name)
	}
	for _, name := range append(names, "download") {
		if name != "" {
			return withEnding(name, h)
		}
	}
	return ""
}

// withEnding adds the ending of the type that a host names, when the name has
// none.
func withEnding(name string, h http.Header) string {
	if path.Ext(name) != "" {
		return name
	}
	t, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // without one there is no ending
	if e := endings[t]; e != "" {
		return FileName(name + e)
	}
	return name
}

var endings = map[string]string{
	"image/tiff": ".tif", "image/geotiff": ".tif", "image/png": ".png", "image/jpeg": ".jpg", "image/jp2": ".jp2",
	"application/zip": ".zip", "application/x-zip-compressed": ".zip",
	"application/x-netcdf": ".nc", "application/netcdf": ".nc",
}
