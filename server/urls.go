package server

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// root is the absolute address of the place where the server is mounted, with
// no slash at its end: the configured public URL, or else what this request
// tells, and the trusted proxies that it came through.
func (s *Server) root(r *http.Request) string {
	if s.base != nil {
		return s.base.String()
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	told, _ := r.Context().Value(seenKey{}).(seen)
	u := url.URL{Scheme: cmp.Or(told.scheme, scheme), Host: r.Host}
	return u.String() + told.prefix + prefix(r)
}

// Secure tells whether the client sent a request over TLS, to this server or to a proxy
// that is trusted.
func Secure(r *http.Request) bool {
	told, _ := r.Context().Value(seenKey{}).(seen)
	return r.TLS != nil && told.scheme == "" || told.scheme == "https"
}

// prefix is the part of the path that http.StripPrefix took off before the
// request came here: what the path that was asked for has and ours has not.
func prefix(r *http.Request) string {
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	if _, rest, ok := strings.Cut(asked, "://"); ok { // the absolute form, as proxies send it
		_, path, _ := strings.Cut(rest, "/")
		asked = "/" + path
	}
	own := r.URL.EscapedPath()
	before, ok := strings.CutSuffix(asked, own)
	if !ok || !strings.HasPrefix(before, "/") {
		return ""
	}
	return before
}

// layerPath is a layer's address below the root. It has the id, since that is
// never given to another layer.
func layerPath(id rasterbase.LayerID) string { return fmt.Sprintf("layers/%d", id) }

// tilePath is the address of a layer's tiles below the root, with the braces
// that map libraries fill in.
func tilePath(id rasterbase.LayerID, ext string, query url.Values) string {
	p := fmt.Sprintf("tiles/%d/{z}/{x}/{y}.%s", id, ext)
	if len(query) > 0 {
		p += "?" + query.Encode()
	}
	return p
}

func legendPath(id rasterbase.LegendID) string { return fmt.Sprintf("legend/%d", id) }
