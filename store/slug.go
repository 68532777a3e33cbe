package store

import (
	"strings"
	"unicode"
)

// maxSlug is the length in letters and digits of a slug that is made from a
// name; maxUnique has room for the number that makes it unique.
const (
	maxSlug   = 80
	maxUnique = maxSlug + 20
)

// Slug makes a slug from a name: lower-case letters and digits of any script,
// with a dash for each run of anything else. It is never empty and never all
// digits, because a number names a layer by its id.
func Slug(name string) string {
	if s := slugOf(name, maxUnique); s == name {
		return s // it is one already
	}
	return slugOf(name, maxSlug)
}

func slugOf(name string, most int) string {
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
		if n >= most {
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
