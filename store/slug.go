package store

import (
	"strings"
	"unicode"
)

// maxSlug is the length of a slug in characters, without the number that makes
// it unique.
const maxSlug = 80

// Slug makes a slug from a name: lower-case letters and digits of any script,
// with a dash for each run of anything else. It is never empty and never all
// digits, because a number names a layer by its id.
func Slug(name string) string {
	var b strings.Builder
	n, dash, letters := 0, false, false
	for _, r := range strings.ToLower(name) {
		switch {
		case unicode.IsLetter(r), unicode.IsMark(r) && n > 0 && !dash:
			letters = true
		case unicode.IsDigit(r):
		default:
			dash = n > 0
			continue
		}
		if n >= maxSlug {
			break
		}
		if dash {
			b.WriteByte('-')
			dash = false
			letters = true // a dash keeps it from being a number
		}
		b.WriteRune(r)
		n++
	}
	switch s := b.String(); {
	case s == "":
		return "layer"
	case !letters:
		return "layer-" + s
	default:
		return s
	}
}
