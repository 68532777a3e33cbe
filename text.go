package rasterbase

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The most characters of a layer's texts.
const (
	MaxLineLength = 500    // of a name, an attribution, a licence
	MaxTextLength = 20_000 // of a description
)

// Misleads tells whether a character could change what is shown beside itself:
// control characters, line and paragraph separators, and marks that turn the
// direction of text.
func Misleads(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// CheckLine refuses a text that cannot stand in a line of a page or a table: not
// UTF-8, with characters that mislead, or longer than [MaxLineLength]. What
// names it for the person who gave it. The error has code invalid.
func CheckLine(what, s string) error { return checkText(what, s, s, MaxLineLength) }

// CheckText is [CheckLine] for a text that may have several lines, and be as
// long as [MaxTextLength].
func CheckText(what, s string) error {
	return checkText(what, s, strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(s), MaxTextLength)
}

func checkText(what, s, line string, most int) error {
	switch {
	case !utf8.ValidString(s):
		return Errorf(Invalid, "%s is not UTF-8: %s", what, shortened(s))
	case utf8.RuneCountInString(s) > most:
		return Errorf(Invalid, "%s has %d characters, more than the %d allowed", what, utf8.RuneCountInString(s), most)
	case strings.ContainsFunc(line, Misleads):
		return Errorf(Invalid, "%s has control characters: %s", what, shortened(s)).WithHint("give it on one line, without them")
	}
	return nil
}

// shortened is a text as it can stand in an error.
func shortened(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return strconv.Quote(s)
}

// CheckTexts refuses texts of a layer that cannot be shown: those that differ
// from what it had before, since what is stored may be older than the rule. Nil:
// all are new. The error names the field: name, description, attribution or
// license.
func (l *Layer) CheckTexts(before *Layer) error {
	if before == nil {
		before = &Layer{}
	}
	for _, t := range []struct {
		field, is, was string
		check          func(what, s string) error
	}{
		{"name", l.Name, before.Name, CheckLine},
		{"description", l.Description, before.Description, CheckText},
		{"attribution", l.Attribution, before.Attribution, CheckLine},
		{"license", l.License, before.License, CheckLine},
	} {
		if t.is == t.was {
			continue
		}
		if err := t.check("the "+t.field, t.is); err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				return e.WithField(t.field)
			}
			return err
		}
	}
	return nil
}
