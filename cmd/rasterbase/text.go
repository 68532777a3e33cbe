package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase"
)

// misleads tells whether a character could change what a terminal shows beside
// itself: control characters, line and paragraph separators, and marks that
// turn the direction of text.
func misleads(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// visible is a text that can be printed on a line of its own or in a table:
// quoted when it has characters that mislead or is not UTF-8.
func visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, misleads) {
		return s
	}
	return strconv.Quote(s)
}

// harmless writes the characters of a message that mislead as escapes. Lines
// stay lines.
func harmless(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r != '\n' && r != '\t' && misleads(r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// checkText refuses a text that cannot stand in a line of a page or a table.
// What names it for the person who gave it.
func checkText(what, s string) error {
	if !utf8.ValidString(s) {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "%s is not UTF-8: %s", what, strconv.Quote(s))}
	}
	if strings.ContainsFunc(s, misleads) {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "%s has control characters: %s", what, strconv.Quote(s)).
			WithHint("give it on one line, without them")}
	}
	return nil
}

// checkTitle refuses what a legend cannot be called: it would be taken for an
// id, or could not be shown.
func checkTitle(title string) error {
	if title != "" && strings.Trim(title, "0123456789") == "" {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "the legend's title %s would be taken for an id", title).
			WithHint("give it a title with a letter in it")}
	}
	return checkText("the legend's title", title)
}
