package fetch

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestAddressClasses(t *testing.T) {
	for text, want := range map[string]class{
		"127.0.0.1": loopback, "127.255.255.254": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback,
		"10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.1.1": private,
		"fc00::1": private, "fd12:3456::1": private, "fec0::1": private,
		"100.64.0.1": shared, "100.127.255.255": shared,
		"169.254.1.1": linkLocal, "fe80::1%eth0": linkLocal,
		"169.254.169.254": metadata, "::ffff:169.254.169.254": metadata, "64:ff9b::a9fe:a9fe": metadata,
		"2002:a9fe:a9fe::1": metadata, "100.100.100.200": metadata, "168.63.129.16": metadata, "fd00:ec2::254": metadata,
		"224.0.0.1": multicast, "239.255.255.255": multicast, "ff02::1": multicast,
		"0.0.0.0": unspecified, "0.1.2.3": unspecified, "::": unspecified,
		"255.255.255.255": reserved, "240.0.0.1": reserved, "192.0.2.1": reserved, "198.18.0.1": reserved,
		"2001::1": reserved, "2001:db8::1": reserved, "::7f00:1": reserved,
		"64:ff9b::7f00:1": loopback, "2002:7f00:1::": loopback, "2002:a00:1::": private,
		"8.8.8.8": public, "172.15.255.255": public, "172.32.0.0": public, "100.63.255.255": public, "100.128.0.0": public,
		"192.167.255.255": public, "169.253.255.255": public, "223.255.255.255": public,
		"2606:4700::1111": public, "64:ff9b::808:808": public, "2002:808:808::1": public, "::ffff:8.8.8.8": public,
	} {
		if got := classify(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	if classify(netip.Addr{}) == public {
		t.Error("no address is public")
	}
}

// TestNoInternalAddressIsPublic takes the standard library as the oracle, and
// every way to write an IPv4 address within an IPv6 one.
func TestNoInternalAddressIsPublic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a netip.Addr
		if rapid.Bool().Draw(t, "v4") {
			a = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
			c, b := classify(a), a.As4()
			for _, in := range []netip.Addr{
				netip.AddrFrom16(a.As16()),
				netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}),
				netip.AddrFrom16([16]byte{0x20, 2, b[0], b[1], b[2], b[3], 15: rapid.Byte().Draw(t, "host")}),
			} {
				if got := classify(in); got != c {
					t.Fatalf("%s is %q, and within %s %q", a, c, in, got)
				}
			}
		} else {
			a = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")))
		}
		a = a.Unmap()
		internal := a.IsLoopback() || a.IsPrivate() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || !a.IsValid()
		if internal && classify(a) == public {
			t.Fatalf("%s is public", a)
		}
	})
}

// TestEveryNetworkOfTheTableIsRefusedThroughout draws addresses of each one.
func TestEveryNetworkOfTheTableIsRefusedThroughout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom(classes).Draw(t, "network").net
		b := n.Addr().AsSlice()
		for i := range b {
			random := rapid.Byte().Draw(t, "byte")
			kept := max(0, min(8, n.Bits()-8*i))
			mask := byte(0xff) >> kept
			b[i] = b[i]&^mask | random&mask
		}
		a, _ := netip.AddrFromSlice(b)
		if !n.Contains(a) {
			t.Fatalf("%s is not in %s", a, n)
		}
		if classify(a) == public {
			t.Fatalf("%s of %s is public", a, n)
		}
	})
}
