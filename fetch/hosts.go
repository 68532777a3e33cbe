package fetch

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Hosts are hosts that may be reached although their addresses are not public.
// The zero value is none.
type Hosts struct {
	rules []hostRule
}

// hostRule allows a host by its name, or a network.
type hostRule struct {
	name       string       // lower case, without a dot at its end; empty for a network
	subdomains bool         // names below it, and not itself
	network    netip.Prefix // of a network
	port       uint16       // 0: any
}

// ParseHosts reads host names (data.example.org), names of all hosts below a
// domain (*.example.org), addresses (10.1.2.3) and networks (10.0.0.0/8,
// fd00::/8). All but networks may end with a port (localhost:9000,
// [::1]:9000). The error names the first that is none of these.
func ParseHosts(patterns ...string) (Hosts, error) {
	var h Hosts
	for _, p := range patterns {
		rule, err := parseHost(strings.TrimSpace(p))
		if err != nil {
			return Hosts{}, err
		}
		h.rules = append(h.rules, rule)
	}
	return h, nil
}

// And gives the hosts of both.
func (h Hosts) And(other Hosts) Hosts {
	rules := make([]hostRule, 0, len(h.rules)+len(other.rules))
	return Hosts{rules: append(append(rules, h.rules...), other.rules...)}
}

// String lists the hosts as [ParseHosts] reads them, separated by commas.
func (h Hosts) String() string {
	list := make([]string, len(h.rules))
	for i, r := range h.rules {
		list[i] = r.String()
	}
	return strings.Join(list, ",")
}

func (r hostRule) String() string {
	s := r.name
	switch {
	case s == "" && r.network.IsSingleIP():
		if r.port != 0 {
			return netip.AddrPortFrom(r.network.Addr(), r.port).String()
		}
		return r.network.Addr().String()
	case s == "":
		return r.network.String()
	case r.subdomains:
		s = "*." + s
	}
	if r.port != 0 {
		s += ":" + strconv.Itoa(int(r.port))
	}
	return s
}

func parseHost(p string) (r hostRule, err error) {
	if strings.Contains(p, "://") {
		return r, fmt.Errorf("%q is an address: name only its host, such as data.example.org:8080", p)
	}
	if strings.Contains(p, "/") {
		if r.network, err = netip.ParsePrefix(p); err != nil || r.network.Addr().Is4In6() {
			return r, fmt.Errorf("%q is not a network such as 10.0.0.0/8 or fd00::/8", p)
		}
		r.network = r.network.Masked()
		return r, nil
	}
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(p, "["), "]")); err == nil {
		return addressRule(p, a, 0)
	}
	if ap, err := netip.ParseAddrPort(p); err == nil && ap.Port() != 0 {
		return addressRule(p, ap.Addr(), ap.Port())
	}
	name, port, hasPort := strings.Cut(p, ":")
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return r, fmt.Errorf("%q has no port from 1 to 65535 after the colon", p)
		}
		r.port = uint16(n)
	}
	r.name, r.subdomains = strings.CutPrefix(plainName(name), "*.")
	if !isHostName(r.name) {
		return r, fmt.Errorf("%q is not a host such as data.example.org, *.example.org, 10.1.2.3 or 10.0.0.0/8", p)
	}
	return r, nil
}

func addressRule(p string, a netip.Addr, port uint16) (hostRule, error) {
	if a.Zone() != "" {
		return hostRule{}, fmt.Errorf("%q names an interface: leave out what begins with %%", p)
	}
	a = a.Unmap()
	return hostRule{network: netip.PrefixFrom(a, a.BitLen()), port: port}, nil
}

// plainName is a host's name as names are compared.
func plainName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// isHostName tells whether s can be a name of the DNS. One whose last part is
// a number would be read as an address by some systems.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// allowsName tells whether a host is allowed by its name.
func (h Hosts) allowsName(host string, port uint16) bool {
	host = plainName(host)
	for _, r := range h.rules {
		if r.name == "" || r.port != 0 && r.port != port {
			continue
		}
		if host == r.name && !r.subdomains || r.subdomains && strings.HasSuffix(host, "."+r.name) {
			return true
		}
	}
	return false
}

// allowsAddress tells whether an address is allowed as such.
func (h Hosts) allowsAddress(a netip.Addr, port uint16) bool {
	a = a.Unmap().WithZone("")
	for _, r := range h.rules {
		if r.name == "" && (r.port == 0 || r.port == port) && r.network.Contains(a) {
			return true
		}
	}
	return false
}
