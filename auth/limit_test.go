package auth

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNetworksOfAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":           "192.0.2.1",
		"::ffff:192.0.2.1":    "192.0.2.1",
		"2001:db8:1:2:3:4::1": "2001:db8:1:2::/64",
		"2001:db8:1:2::9":     "2001:db8:1:2::/64",
		"fe80::1%eth0":        "fe80::/64",
		"@":                   "@",
		"":                    "",
	} {
		if got := network(address); got != want {
			t.Errorf("%s is of %s, want %s", address, got, want)
		}
	}
}

// However failures come, no address has more of them looked up than its bucket
// held and what flowed into it since.
func TestFailuresAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, now := newLimiter(), time.Unix(1e9, 0)
		begun := map[string]time.Time{}
		looked := map[string]int{}
		for i := range rapid.IntRange(1, 300).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "pause")))
			address := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "address")
			if begun[address].IsZero() {
				begun[address] = now
			}
			key := credentials{secret: strconv.Itoa(i)}.key()
			if l.ask(address, key, now) != answerLook {
				continue
			}
			l.wrong(address, key, now)
			looked[address]++
			most := failures + int(now.Sub(begun[address])/failureEvery) + 1
			if looked[address] > most {
				t.Fatalf("%d failures from %s after %s, at most %d", looked[address], address, now.Sub(begun[address]), most)
			}
		}
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	r := newRecent[int, int](3)
	for i := range 100 {
		r.put(i, i)
		r.put(0, i)
		if len(r.at) > 3 || r.order.Len() != len(r.at) {
			t.Fatalf("%d values are remembered, in order %d", len(r.at), r.order.Len())
		}
	}
	for key, want := range map[int]bool{0: true, 99: true, 98: true, 97: false, 1: false} {
		if _, ok := r.get(key); ok != want {
			t.Errorf("%d is remembered: %v, want %v", key, ok, want)
		}
	}
	if v, _ := r.get(0); v != 99 {
		t.Errorf("0 has the value %d, want the last one, 99", v)
	}
	r.drop(0)
	r.drop(0)
	if _, ok := r.get(0); ok || len(r.at) != 2 {
		t.Error("0 was dropped and is remembered")
	}
}
