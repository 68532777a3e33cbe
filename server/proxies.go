package server

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// seenKey is where a request's context holds what trusted proxies say of it.
type seenKey struct{}

// seen is where the client sees the server, as trusted proxies tell it. What they
// do not tell is empty.
type seen struct {
	scheme string // http or https
	prefix string // of the path, that a proxy took off; escaped, without a slash at its end
}

// proxied believes the headers of trusted proxies: the request's Host and
// RemoteAddr become those of the client, for whatever looks at them. From anybody
// else the headers count for nothing, since clients can send them too.
func (s *Server) proxied(next http.Handler) http.Handler {
	if len(s.c.TrustedProxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !s.trusted(from.Addr()) {
			next.ServeHTTP(w, r)
			return
		}
		told := s.forwarded(r.Header)
		r = r.WithContext(context.WithValue(r.Context(), seenKey{}, seen{scheme: told.scheme, prefix: told.prefix}))
		if told.host != "" {
			r.Host = told.host
		}
		if told.client.IsValid() {
			r.RemoteAddr = told.client.String()
		}
		next.ServeHTTP(w, r)
	})
}

// trusted reports whether an address is that of a proxy which is believed.
func (s *Server) trusted(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(s.c.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// forwarding is what the headers of trusted proxies tell; what is missing or
// malformed is zero.
type forwarding struct {
	client               netip.AddrPort
	scheme, host, prefix string
}

// forwarded reads the headers of a request that a trusted proxy sent. Where there
// are X-Forwarded headers the standard one does not count: proxies that write the
// former pass on whatever clients send as the latter.
//
// Each proxy adds at the end of a header what it knows. The client is the last
// address that is not a trusted proxy's; what stands before was added by nobody
// who is believed.
func (s *Server) forwarded(h http.Header) forwarding {
	x := func(name string) []string { return listOf(h.Values("X-Forwarded-" + name)) }
	hops, protos, hosts, prefixes := x("For"), x("Proto"), x("Host"), x("Prefix")
	if len(hops)+len(protos)+len(hosts)+len(prefixes) > 0 {
		client, passed := s.client(hops)
		return forwarding{
			client: client,
			scheme: schemeOf(atHop(protos, passed)),
			host:   hostOf(atHop(hosts, passed)),
			prefix: prefixOf(prefixes[max(0, len(prefixes)-passed):]),
		}
	}
	elements := parseForwarded(strings.Join(h.Values("Forwarded"), ","))
	for _, e := range elements {
		hops = append(hops, e["for"])
	}
	client, passed := s.client(hops)
	out := forwarding{client: client}
	for _, e := range slices.Backward(elements[max(0, len(elements)-passed):]) { // the outermost has the last word
		if scheme := schemeOf(e["proto"]); scheme != "" {
			out.scheme = scheme
		}
		if host := hostOf(e["host"]); host != "" {
			out.host = host
		}
	}
	return out
}

// listOf splits headers that are lists.
func listOf(values []string) (out []string) {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			out = append(out, strings.TrimSpace(one))
		}
	}
	return out
}

// client finds the client among the addresses that proxies wrote, the last of
// which the nearest one saw, and tells how many trusted proxies a request passed.
// It is invalid when the nearest proxy does not tell.
func (s *Server) client(hops []string) (client netip.AddrPort, passed int) {
	passed = 1 // that which sent the request
	for _, hop := range slices.Backward(hops) {
		a := addressOf(hop)
		if !a.IsValid() {
			return client, passed
		}
		client = a
		if !s.trusted(a.Addr()) {
			return client, passed
		}
		passed++
	}
	return client, passed
}

// atHop is the value of a list that the outermost trusted proxy wrote. Most
// proxies replace what they get, so that there is one value, however many they are.
func atHop(list []string, passed int) string {
	if len(list) == 0 {
		return ""
	}
	return list[max(0, len(list)-passed)]
}

// addressOf reads an address with or without a port, IPv6 in brackets or not; it
// is invalid if the text is anything else.
func addressOf(text string) netip.AddrPort {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text, ok = strings.CutSuffix(inner, "]")
		if !ok || !strings.Contains(text, ":") {
			return netip.AddrPort{}
		}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.WithZone(""), 0)
}

// schemeOf gives the scheme of a web address, empty if it is none.
func schemeOf(text string) string {
	if text = strings.ToLower(text); text == "http" || text == "https" {
		return text
	}
	return ""
}

// hostPattern is a name or an address, with or without a port.
var hostPattern = regexp.MustCompile(`^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$`)

func hostOf(text string) string {
	if !hostPattern.MatchString(text) {
		return ""
	}
	return text
}

// prefixOf joins the paths that proxies took off, the outermost first. One that is
// no path makes the whole empty.
func prefixOf(list []string) string {
	out := ""
	for _, text := range list {
		p, err := url.PathUnescape(text)
		if p = strings.TrimSuffix(p, "/"); err == nil && p == "" {
			continue
		}
		if err != nil || p[0] != '/' || path.Clean(p) != p || strings.ContainsAny(text, "?#") ||
			strings.ContainsFunc(p, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) {
			return ""
		}
		out += (&url.URL{Path: p}).EscapedPath()
	}
	return out
}

// forwardedPair is a parameter at the start of a Forwarded header, as RFC 7239 and
// RFC 9110 write it, with what ends it.
var forwardedPair = regexp.MustCompile(`^[ \t]*(?:([!#$%&'*+.^_` + "`" + `|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_` + "`" + `|~0-9A-Za-z:\[\]-]+)|"((?:[^"\\]|\\.)*)"))?[ \t]*([;,]|$)`)

// parseForwarded reads the elements of a Forwarded header, by the names of their
// parameters in lower case; none if it is malformed. Addresses with colons and
// brackets are read without quotes too, as some proxies write them.
func parseForwarded(text string) (out []map[string]string) {
	element := map[string]string{}
	for len(text) > 0 {
		m := forwardedPair.FindStringSubmatch(text)
		if m == nil {
			return nil
		}
		if m[1] != "" {
			value := m[2]
			if value == "" {
				value = unquoted(m[3])
			}
			name := strings.ToLower(m[1])
			if _, twice := element[name]; twice {
				return nil
			}
			element[name] = value
		}
		text = text[len(m[0]):]
		if m[4] != ";" && len(element) > 0 {
			out = append(out, element)
			element = map[string]string{}
		}
	}
	if len(element) > 0 {
		out = append(out, element)
	}
	return out
}

// unquoted takes the backslashes out of a quoted string.
func unquoted(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// prefixed takes the path of the public URL off, for proxies that pass it on. A
// path that is a route as it stands is left alone: of such proxies as take the
// prefix off.
func (s *Server) prefixed(next http.Handler) http.Handler {
	if s.base == nil || s.base.Path == "" {
		return next
	}
	within := http.StripPrefix(s.base.Path, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, s.base.Path)
		if ok && (rest == "" || rest[0] == '/') && len(s.methods(r.URL.Path)) <= 1 {
			within.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
