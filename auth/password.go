package auth

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/rasterbase/rasterbase"
)

// MinPassword is the shortest password, in characters.
const MinPassword = 10

// maxPassword is the longest one, in bytes: hashing takes no longer for it.
const maxPassword = 1000

// hashing is what a hash of a password costs: the second choice of OWASP's "Password
// Storage Cheat Sheet" for argon2id, 19 MiB and some hundredths of a second.
var hashing = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hashedAtOnce bounds the memory of the passwords that are looked at together.
const hashedAtOnce = 4

// CheckPassword refuses passwords that are easy to guess. The error has code invalid
// and never repeats the password.
func CheckPassword(user, password string) error {
	wrong := ""
	switch {
	case !utf8.ValidString(password):
		wrong = "is not UTF-8"
	case utf8.RuneCountInString(password) < MinPassword:
		wrong = "is too short"
	case len(password) > maxPassword:
		wrong = "is too long"
	case strings.EqualFold(password, user):
		wrong = "is the user's name"
	case strings.Count(password, password[:1]) == len(password):
		wrong = "is one character again and again"
	default:
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid, "the password %s", wrong).
		WithHint("take at least %d characters: several words that nobody would put together", MinPassword).WithField("password")
}

// HashPassword gives what is kept of a password: its argon2id hash with the salt and
// the parameters, in PHC's text form.
func HashPassword(password string) (string, error) {
	return argon2id.CreateHash(password, hashing)
}

// nobodysHash is compared with where there is no password, so that the time of an
// answer does not tell which users there are.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXRoaW5nIGVsc2UhIQ$Zm9yIG5vYm9keSwgYW5kIG9mIG5vIHVzZSBhdCBhbGw"

// hashOf is what is kept of a user's new password; empty for none.
func (a *Auth) hashOf(ctx context.Context, user, password string) (string, error) {
	if password == "" {
		return "", nil
	}
	if err := CheckPassword(user, password); err != nil {
		return "", err
	}
	done, err := a.hashes(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return HashPassword(password)
}

// hashes waits until one more password may be hashed.
func (a *Auth) hashes(ctx context.Context) (done func(), err error) {
	select {
	case a.hashed <- struct{}{}:
		return func() { <-a.hashed }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// matches tells whether a password has a hash. Only some are looked at together.
func (a *Auth) matches(ctx context.Context, password, hash string) (bool, error) {
	done, err := a.hashes(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	if hash == "" {
		_, err := argon2id.ComparePasswordAndHash(password, nobodysHash)
		return false, err
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}
