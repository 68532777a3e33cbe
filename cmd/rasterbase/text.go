package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase"
)

// misleads tells whether a character could change what a terminal shows beside
// itself: control characters, line and paragraph separators, and marks that
// turn the direction of text.
func misleads(r rune) bool { return rasterbase.Misleads(r) }

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
	return wrongUsage(rasterbase.CheckLine(what, s))
}

// wrongUsage makes an error one of how the program was called.
func wrongUsage(err error) error {
	if err != nil {
		return usageError{err}
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
