package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// prefix begins every secret, so that people, and programs that look for leaked
// ones, know what it is.
const prefix = "rb_"

// maxSecret is more than the length of any secret, in bytes.
const maxSecret = 200

// NewToken makes a token that may do all that its user may, with a secret of at least 128 random bits. The caller
// stores the token, shows the secret once, and forgets it: only its hash is
// kept. The zero time is no end.
func NewToken(user rasterbase.UserID, name string, expires time.Time) (secret string, t rasterbase.Token) {
	secret = prefix + rand.Text()
	return secret, rasterbase.Token{User: user, Name: name, Hash: Hash(secret), Expires: expires}
}

// Hash is the SHA-256 of a secret as it is kept: 64 hexadecimal digits. A hash
// that is slow to compute, as passwords need one, would add nothing to a secret
// that nobody chose.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Expired tells whether a token is not valid any more.
func Expired(t rasterbase.Token, now time.Time) bool {
	return !t.Expires.IsZero() && !now.Before(t.Expires)
}

// plausible tells whether a secret can be one of ours.
func plausible(secret string) bool {
	return strings.HasPrefix(secret, prefix) && len(secret) <= maxSecret
}
