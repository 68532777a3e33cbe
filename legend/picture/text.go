package picture

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"

	"github.com/rasterbase/rasterbase"
)

// fontSize is the height of text in pixels at scale 1.
const fontSize = 13

// fonts measure and draw text. They are of one goroutine.
type fonts struct {
	regular, bold face
	any           bool // characters that the fonts lack are drawn by others
}

type face struct {
	font   *sfnt.Font
	face   font.Face // at scale 1
	buffer *sfnt.Buffer
}

// newFonts reads the fonts; anyScript: the text is drawn by programs that have
// fonts for what these lack.
func newFonts(anyScript bool) (*fonts, error) {
	f := &fonts{any: anyScript}
	for _, one := range []struct {
		to   *face
		data []byte
	}{{&f.regular, goregular.TTF}, {&f.bold, gobold.TTF}} {
		parsed, err := opentype.Parse(one.data)
		if err != nil {
			return nil, fmt.Errorf("read the fonts of legends: %w", err)
		}
		*one.to = face{font: parsed, buffer: &sfnt.Buffer{}}
		if one.to.face, err = one.to.at(1); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// at is the face at a scale.
func (f face) at(scale float64) (font.Face, error) {
	out, err := opentype.NewFace(f.font, &opentype.FaceOptions{Size: fontSize * scale, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("size the fonts of legends: %w", err)
	}
	return out, nil
}

// has reports whether the font has a character.
func (f face) has(r rune) bool {
	i, err := f.font.GlyphIndex(f.buffer, r)
	return err == nil && i != 0
}

func (f *fonts) face(bold bool) face {
	if bold {
		return f.bold
	}
	return f.regular
}

// width is that of a text in pixels at scale 1. Characters that the font lacks
// are taken to be as wide as a square where their script is written in squares.
func (f *fonts) width(s string, bold bool) float64 {
	w, own := 0.0, f.face(bold)
	for _, r := range s {
		switch advance, ok := own.face.GlyphAdvance(r); {
		case ok && own.has(r):
			w += pixels(advance)
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.So):
			w += fontSize
		default:
			w += 0.62 * fontSize
		}
	}
	switch {
	case f.any && bold:
		w *= otherBold
	case f.any:
		w *= otherRegular
	}
	return w
}

// How much wider than ours the fonts may be that an SVG is shown in: as DejaVu
// Sans, the widest of those that are common.
const (
	otherRegular = 1.13
	otherBold    = 1.27
)

func pixels(v fixed.Int26_6) float64 { return float64(v) / 64 }

// drawable is a text as it can be drawn: on one line, and without what the fonts
// lack. It is other when nothing is left of it that says anything.
func (f *fonts) drawable(s, other string, bold bool) string {
	s = strings.Map(func(r rune) rune {
		if rasterbase.Misleads(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	words := strings.Fields(norm.NFC.String(strings.ToValidUTF8(s, "")))
	if f.any {
		return strings.Join(words, " ")
	}
	kept, own := words[:0], f.face(bold)
	lost, letters := false, false
	for _, word := range words {
		whole := strings.Map(func(r rune) rune {
			if !own.has(r) && !unicode.IsLetter(r) {
				return -1 // a mark, a symbol or a sign that is not seen
			}
			return r
		}, word)
		if strings.ContainsFunc(whole, func(r rune) bool { return !own.has(r) }) {
			lost = true
			continue
		}
		lost = lost || whole == ""
		if whole != "" {
			kept = append(kept, whole)
			letters = letters || strings.ContainsFunc(whole, unicode.IsLetter)
		}
	}
	if lost && !letters {
		if other == "" || other == s {
			return ""
		}
		return f.drawable(other, "", bold)
	}
	return strings.Join(kept, " ")
}

// lines breaks a text into at most two lines of a width, at words where it can;
// what does not fit is cut with an ellipsis.
func (f *fonts) lines(s string, width float64, bold bool) []string {
	if s == "" {
		return nil
	}
	if f.width(s, bold) <= width {
		return []string{s}
	}
	words := strings.Split(s, " ")
	first := words[0]
	n := 1
	for n < len(words) && f.width(first+" "+words[n], bold) <= width {
		first += " " + words[n]
		n++
	}
	if n == len(words) || f.width(first, bold) > width {
		head, tail := f.split(s, width, bold)
		return []string{head, f.cut(strings.TrimSpace(tail), width, bold)}
	}
	return []string{first, f.cut(strings.Join(words[n:], " "), width, bold)}
}

// split cuts a text where the width ends.
func (f *fonts) split(s string, width float64, bold bool) (head, tail string) {
	w := 0.0
	for i, r := range s {
		if w += f.width(string(r), bold); w > width && i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// cut shortens a text to a width.
func (f *fonts) cut(s string, width float64, bold bool) string {
	if f.width(s, bold) <= width {
		return s
	}
	head, _ := f.split(s, width-f.width("…", bold), bold)
	return strings.TrimRight(head, " ,.;:-–(") + "…"
}
