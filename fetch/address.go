package fetch

import (
	"encoding/binary"
	"net/netip"
)

// class says what kind of network an address belongs to that is not the public
// one; empty: the public one.
type class string

const (
	public      class = ""
	unspecified class = "unspecified"
	loopback    class = "loopback"
	private     class = "private"
	shared      class = "of a carrier's own network"
	linkLocal   class = "link-local"
	multicast   class = "multicast"
	metadata    class = "of a cloud's metadata"
	reserved    class = "reserved"
)

// byName tells whether a host that the operator allowed by its name may have
// an address of this class. The others must be allowed as addresses, because
// who answers for a name could point it at them.
func (c class) byName() bool { return c == loopback || c == private || c == shared }

// classes are the networks that are not public, of the special-purpose address
// registries of IANA (RFC 6890 and its updates), the first that matches
// counting. Metadata addresses come before the networks that they lie in.
var classes = []struct {
	net   netip.Prefix
	class class
}{
	{netip.MustParsePrefix("169.254.169.254/32"), metadata}, // most clouds
	{netip.MustParsePrefix("169.254.170.0/24"), metadata},   // credentials of containers
	{netip.MustParsePrefix("100.100.100.200/32"), metadata},
	{netip.MustParsePrefix("168.63.129.16/32"), metadata}, // looks public
	{netip.MustParsePrefix("192.0.0.192/32"), metadata},
	{netip.MustParsePrefix("fd00:ec2::/32"), metadata},
	{netip.MustParsePrefix("fd20:ce::254/128"), metadata},

	{netip.MustParsePrefix("0.0.0.0/8"), unspecified}, // reaches this machine on some systems
	{netip.MustParsePrefix("10.0.0.0/8"), private},
	{netip.MustParsePrefix("100.64.0.0/10"), shared},
	{netip.MustParsePrefix("127.0.0.0/8"), loopback},
	{netip.MustParsePrefix("169.254.0.0/16"), linkLocal},
	{netip.MustParsePrefix("172.16.0.0/12"), private},
	{netip.MustParsePrefix("192.0.0.0/24"), reserved},
	{netip.MustParsePrefix("192.0.2.0/24"), reserved},
	{netip.MustParsePrefix("192.88.99.0/24"), reserved},
	{netip.MustParsePrefix("192.168.0.0/16"), private},
	{netip.MustParsePrefix("198.18.0.0/15"), reserved},
	{netip.MustParsePrefix("198.51.100.0/24"), reserved},
	{netip.MustParsePrefix("203.0.113.0/24"), reserved},
	{netip.MustParsePrefix("224.0.0.0/4"), multicast},
	{netip.MustParsePrefix("240.0.0.0/4"), reserved}, // the broadcast address too

	{netip.MustParsePrefix("::/128"), unspecified},
	{netip.MustParsePrefix("::1/128"), loopback},
	{netip.MustParsePrefix("::/96"), reserved},
	{netip.MustParsePrefix("64:ff9b:1::/48"), private}, // a translator's own network
	{netip.MustParsePrefix("100::/64"), reserved},
	{netip.MustParsePrefix("2001::/23"), reserved}, // Teredo among others
	{netip.MustParsePrefix("2001:db8::/32"), reserved},
	{netip.MustParsePrefix("3fff::/20"), reserved},
	{netip.MustParsePrefix("5f00::/16"), reserved},
	{netip.MustParsePrefix("fc00::/7"), private},
	{netip.MustParsePrefix("fe80::/10"), linkLocal},
	{netip.MustParsePrefix("fec0::/10"), private},
	{netip.MustParsePrefix("ff00::/8"), multicast},
}

// Networks whose addresses hold an IPv4 address that packets end up at.
var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: the last four bytes
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056: the four bytes after the prefix
)

// classify says what kind of network an address belongs to. An IPv4 address
// within an IPv6 one is what counts.
func classify(a netip.Addr) class {
	a = embedded(a.Unmap().WithZone(""))
	for _, c := range classes {
		if c.net.Contains(a) {
			return c.class
		}
	}
	if !a.IsValid() {
		return reserved
	}
	return public
}

// embedded is the IPv4 address that an IPv6 address stands for, or a.
func embedded(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	b := a.As16()
	var four [4]byte
	switch {
	case nat64.Contains(a):
		binary.BigEndian.PutUint32(four[:], binary.BigEndian.Uint32(b[12:]))
	case sixToFour.Contains(a):
		binary.BigEndian.PutUint32(four[:], binary.BigEndian.Uint32(b[2:]))
	default:
		return a
	}
	return netip.AddrFrom4(four)
}
