package auth

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// The limit on wrong credentials from one address.
const (
	failures     = 20               // at once
	failureEvery = time.Minute / 20 // one more each
	rightFor     = 10 * time.Minute // credentials that were right are not held up
	wrongFor     = time.Minute      // credentials that were wrong are not looked up again
)

// limiter keeps wrong credentials from loading the catalog. Guessing is hopeless
// without it, since secrets are random, so it is made to disturb as few as
// possible of those who share an address with the one who fails, as all do
// behind a proxy:
//
//   - Only failures count, and only those that were looked up. Each address has
//     a bucket of them, which fills again by and by.
//   - Credentials that were right in the last ten minutes are looked up however
//     many others fail, so that whoever works goes on working.
//   - Credentials that were wrong are answered from memory for a minute and do not
//     count again, so that one program with an expired token, asking for tile
//     after tile, does not use up the bucket of its neighbours.
//
// So only new credentials have to wait, and only while somebody at the same
// address tries one wrong secret after another. What is remembered is bounded.
type limiter struct {
	mu      sync.Mutex
	buckets *recent[string, bucket]
	good    *recent[[sha256.Size]byte, time.Time]
	bad     *recent[[sha256.Size]byte, time.Time]
}

// bucket is how many failures an address may still have at a time; one that is
// not there is full.
type bucket struct {
	left float64
	at   time.Time
}

// answer is what the limiter says of credentials before they are looked up.
type answer int

const (
	answerLook  answer = iota // look them up
	answerWrong               // they are wrong, and were looked up before
	answerWait                // others were wrong too often
)

func newLimiter() *limiter {
	return &limiter{
		buckets: newRecent[string, bucket](remembered),
		good:    newRecent[[sha256.Size]byte, time.Time](remembered),
		bad:     newRecent[[sha256.Size]byte, time.Time](remembered),
	}
}

func (l *limiter) ask(address string, key [sha256.Size]byte, now time.Time) answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.good.get(key); ok && now.Sub(at) < rightFor {
		return answerLook
	}
	if at, ok := l.bad.get(key); ok && now.Sub(at) < wrongFor {
		return answerWrong
	}
	if l.level(address, now) < 1 {
		return answerWait
	}
	return answerLook
}

// level is what is left in an address's bucket.
func (l *limiter) level(address string, now time.Time) float64 {
	b, ok := l.buckets.get(address)
	if !ok {
		return failures
	}
	return min(failures, b.left+max(0, now.Sub(b.at).Seconds())/failureEvery.Seconds())
}

// wrong notes a failure and tells whether it was the one that empties the
// bucket. Of requests that are looked up side by side more may fail than the
// bucket has left; then there is nothing in it, not less.
func (l *limiter) wrong(address string, key [sha256.Size]byte, now time.Time) (emptied bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.good.drop(key)
	l.bad.put(key, now)
	before := l.level(address, now)
	after := max(0, before-1)
	l.buckets.put(address, bucket{after, now})
	return before >= 1 && after < 1
}

func (l *limiter) right(key [sha256.Size]byte, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad.drop(key)
	l.good.put(key, now)
}

// network is what an address counts as: whoever has one of IPv6 has the other
// 2^64 of its network, too.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil { // 64 is a length that every address of IPv6 has
		return address
	}
	return p.String()
}
