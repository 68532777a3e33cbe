package server

import (
	"testing"

	"github.com/rasterbase/rasterbase"
)

func TestWhoseStreamsAreCountedTogether(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
		limit      int
	}{
		{"", "203.0.113.7:1", "203.0.113.7:2", true, clientStreams},
		{"", "203.0.113.7:1", "203.0.113.8:1", false, clientStreams},
		{"", "203.0.113.7:1", "[::ffff:203.0.113.7]:2", true, clientStreams},
		{"", "[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::9]:1", true, clientStreams},
		{"", "[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", false, clientStreams},
		{"", "127.0.0.1:1", "127.0.0.1:2", true, sharingStreams},
		{"", "[::1]:1", "[::1]:2", true, sharingStreams},
		{"", "10.1.2.3:1", "10.1.2.4:1", false, sharingStreams},
		{"", "[fd00::1]:1", "[fd00::2]:1", true, sharingStreams},
		{"", "@", "", true, sharingStreams},
		{"anna", "10.1.2.3:1", "203.0.113.8:1", true, clientStreams},
	} {
		a, b := clientOf(rasterbase.Principal{Name: c.name}, c.a), clientOf(rasterbase.Principal{Name: c.name}, c.b)
		if (a == b) != c.same || a.limit() != c.limit {
			t.Errorf("%q %s, %s: %v and %v, limit %d", c.name, c.a, c.b, a, b, a.limit())
		}
	}
}
