package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase"
)

// maxHeader is the longest Authorization header that is read, in bytes.
const maxHeader = 4096

// credentials are what a request shows; the zero value is nothing.
type credentials struct {
	named  bool   // HTTP Basic: the secret is to be that of the user of this name
	name   string //
	secret string
}

// key names the credentials in memory without holding them.
func (c credentials) key() [sha256.Size]byte {
	scheme := "bearer"
	if c.named {
		scheme = "basic"
	}
	return sha256.Sum256([]byte(scheme + "\x00" + c.name + "\x00" + c.secret))
}

// parseHeader reads the Authorization headers of a request: RFC 9110, 11.4, with
// the schemes of RFC 6750 and RFC 7617. None is not an error.
func parseHeader(values []string) (credentials, error) {
	switch len(values) {
	case 0:
		return credentials{}, nil
	case 1:
	default:
		return credentials{}, malformed("there are %d Authorization headers", len(values))
	}
	if len(values[0]) > maxHeader {
		return credentials{}, malformed("the Authorization header has %d bytes", len(values[0]))
	}
	scheme, rest, _ := strings.Cut(strings.Trim(values[0], " \t"), " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return parseBearer(rest)
	case strings.EqualFold(scheme, "Basic"):
		return parseBasic(rest)
	case scheme == "":
		return credentials{}, malformed("the Authorization header is empty")
	}
	return credentials{}, malformed("the Authorization header has another scheme than Bearer and Basic")
}

func parseBearer(s string) (credentials, error) {
	if s == "" {
		return credentials{}, malformed("the Authorization header has no token after Bearer")
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !tokenChar(r) }); i >= 0 {
		return credentials{}, malformed("the token in the Authorization header has characters that no token has")
	}
	return credentials{secret: s}, nil
}

// tokenChar tells whether a character may be in a token68 of RFC 9110.
func tokenChar(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~+/=", r)
}

func parseBasic(s string) (credentials, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return credentials{}, malformed("what follows Basic in the Authorization header is not base64")
	}
	name, secret, ok := strings.Cut(string(b), ":")
	switch {
	case !ok:
		return credentials{}, malformed("the Authorization header has no colon between name and password")
	case name == "":
		return credentials{}, malformed("the Authorization header has no user's name")
	case secret == "":
		return credentials{}, malformed("the Authorization header has no password; it is a token of the user")
	case !utf8.Valid(b) || strings.ContainsFunc(string(b), unicode.IsControl):
		return credentials{}, malformed("the name and password in the Authorization header are not plain text in UTF-8")
	}
	return credentials{named: true, name: name, secret: secret}, nil
}

func malformed(format string, args ...any) error {
	return rasterbase.Errorf(rasterbase.Unauthorized, format, args...).WithHint(hintToken)
}
