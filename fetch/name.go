package fetch

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestName is how many bytes the name of a file may have.
const longestName = 255

// FileName makes the name of a plain file of what someone else calls it, or of
// a path: without folders, without characters that systems reserve or that
// cannot be seen, not beginning with a dot and at most 255 bytes long. It is
// empty when nothing is left.
func FileName(s string) string {
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return -1
		case strings.ContainsRune(`:*?"<>|`, r):
			return '_'
		}
		return r
	}, s)
	s = strings.TrimLeft(s, ". ")
	s = strings.TrimRight(s, ". ")
	if len(s) <= longestName {
		return s
	}
	ending := path.Ext(s)
	if len(ending) > 32 {
		ending = ""
	}
	return strings.ToValidUTF8(s[:longestName-len(ending)], "") + ending
}

// quoted is a text of another host within a message.
func quoted(s string) string { return strconv.Quote(s) }
