package fetch

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestHosts(t *testing.T) {
	h, err := ParseHosts("data.example.org", " *.Internal.example.org. ", "localhost:9000", "10.1.0.0/16", "192.168.7.1", "[fd00::1]:80", "::1")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.String(), "data.example.org,*.internal.example.org,localhost:9000,10.1.0.0/16,192.168.7.1,[fd00::1]:80,::1"; got != want {
		t.Errorf("%s", got)
	}
	for _, c := range []struct {
		name string
		port uint16
		want bool
	}{
		{"data.example.org", 80, true}, {"DATA.example.org.", 8443, true}, {"xdata.example.org", 80, false}, {"example.org", 80, false},
		{"data.example.org.evil.org", 80, false}, {"a.data.example.org", 80, false},
		{"a.internal.example.org", 80, true}, {"a.b.internal.example.org", 80, true}, {"internal.example.org", 80, false}, {"ainternal.example.org", 80, false},
		{"localhost", 9000, true}, {"localhost", 9001, false}, {"", 80, false},
	} {
		if got := h.allowsName(c.name, c.port); got != c.want {
			t.Errorf("%s:%d: %v", c.name, c.port, got)
		}
	}
	for _, c := range []struct {
		address string
		want    bool
	}{
		{"10.1.2.3:80", true}, {"10.2.0.1:80", false}, {"192.168.7.1:22", true}, {"192.168.7.2:22", false}, {"[::ffff:10.1.2.3]:80", true},
		{"[fd00::1]:80", true}, {"[fd00::1]:81", false}, {"[::1]:5", true}, {"127.0.0.1:5", false},
	} {
		a := netip.MustParseAddrPort(c.address)
		if got := h.allowsAddress(a.Addr(), a.Port()); got != c.want {
			t.Errorf("%s: %v", c.address, got)
		}
	}
}

func TestHostsThatAreRefused(t *testing.T) {
	for _, p := range []string{
		"", " ", "*", "*.", "*.*.org", "a*.org", "https://example.org", "example.org/path", "10.0.0.0/33", "10.0.0.256", "10.1",
		"example.org:", "example.org:0", "example.org:70000", "example.org:http", "a..b", ".example.org", "exa mple.org", "bücher.example", "fe80::1%eth0", "::ffff:10.0.0.0/104",
		"user@example.org", strings.Repeat("a.", 150) + "org",
	} {
		if h, err := ParseHosts(p); err == nil {
			t.Errorf("%q is read as %s", p, h)
		}
	}
}

// TestPatternsAllowWhatTheySay builds names and patterns from the same labels.
func TestPatternsAllowWhatTheySay(t *testing.T) {
	label := rapid.StringMatching(`[a-z][a-z0-9-]{0,5}`)
	rapid.Check(t, func(t *rapid.T) {
		domain := rapid.SliceOfN(label, 1, 3).Draw(t, "domain")
		below := rapid.SliceOfN(label, 0, 2).Draw(t, "below")
		name := strings.Join(append(append([]string{}, below...), domain...), ".")
		exact, err := ParseHosts(strings.Join(domain, "."))
		if err != nil {
			t.Fatal(err)
		}
		under, err := ParseHosts("*." + strings.Join(domain, "."))
		if err != nil {
			t.Fatal(err)
		}
		if exact.allowsName(name, 1) != (len(below) == 0) || under.allowsName(name, 1) != (len(below) > 0) {
			t.Fatalf("%s by %s: %v, by %s: %v", name, exact, exact.allowsName(name, 1), under, under.allowsName(name, 1))
		}
	})
}

func FuzzParseHosts(f *testing.F) {
	for _, s := range []string{"data.example.org:80", "*.example.org", "10.0.0.0/8", "[::1]:9000", "fd00::/8", "*.", ":", "1.2.3.4:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHosts(s)
		if err != nil {
			return
		}
		again, err := ParseHosts(h.String())
		if err != nil || again.String() != h.String() {
			t.Fatalf("%q is %q, and that is %q, %v", s, h, again, err)
		}
		if h.allowsName("metadata.internal.test", 80) && !strings.Contains(strings.ToLower(s), "test") {
			t.Fatalf("%q allows another name", s)
		}
	})
}
