package server

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// What follows walks through JSON that is known to be valid, and copies nothing of it:
// what it gives are parts of the body. It needs no memory however deep and long that
// is.

const (
	// maxMembers is how many members an object has at most whose members are told
	// apart.
	maxMembers = 1000
	// maxName is how long the name of such a member is at most, and a type, in bytes.
	maxName = 1000
	// maxDepth is how deep lists and objects stand in one another at most.
	maxDepth = 100
)

// jsonMember is a member of a JSON object.
type jsonMember struct {
	name string // without quotation marks and escapes
	raw  []byte
}

// tooDeep tells whether lists and objects stand too deep in one another. The text need
// not be valid.
func tooDeep(b []byte) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = textEnd(b, i) - 1
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// textEnd is where the text ends that begins with a quotation mark at i.
func textEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// valueEnd is where the value ends that begins at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = textEnd(b, i); depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // of what a number stands in
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// nextOf is where the next begins that is not space and not c, from i on.
func nextOf(b []byte, i int, c byte) int {
	for i < len(b) && (b[i] == c || b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// elementsOf gives the elements of a list; there are none of what is no list.
func elementsOf(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(raw) == 0 || raw[0] != '[' {
			return
		}
		for i := nextOf(raw, 1, ','); i < len(raw) && raw[i] != ']'; i = nextOf(raw, i, ',') {
			end := valueEnd(raw, i)
			if !yield(raw[i:end]) {
				return
			}
			i = end
		}
	}
}

// membersOf gives the names of an object's members, as they came, quotation marks and
// all, and the values; there are none of what is no object.
func membersOf(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		if len(raw) == 0 || raw[0] != '{' {
			return
		}
		for i := nextOf(raw, 1, ','); i < len(raw) && raw[i] != '}'; i = nextOf(raw, i, ',') {
			keyEnd := textEnd(raw, i)
			from := nextOf(raw, keyEnd, ':')
			end := valueEnd(raw, from)
			if !yield(raw[i:keyEnd], raw[from:end]) {
				return
			}
			i = end
		}
	}
}

// textOf reads a text. ok is false when it is none.
func textOf(raw []byte) (text string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	plain := raw[1 : len(raw)-1]
	if !slices.ContainsFunc(plain, func(c byte) bool { return c == '\\' || c >= 0x80 }) {
		return string(plain), true
	}
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// keyIs tells whether a name, as it came, is this one.
func keyIs(key []byte, name string) bool {
	if bytes.IndexByte(key, '\\') >= 0 {
		text, _ := textOf(key)
		return text == name
	}
	return len(key) == len(name)+2 && string(key[1:len(key)-1]) == name
}

// uniqueMembers are the members of an object, in the order of their names, of which
// none is there twice: one would be read, and both written. They are put into a slice
// that need not be used any more.
func uniqueMembers(raw []byte, into []jsonMember) ([]jsonMember, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, badPoints("an object was expected")
	}
	all := into[:0]
	for key, value := range membersOf(raw) {
		if len(all) == maxMembers {
			return nil, badPoints("an object has more than %d members", maxMembers).WithHint("send only what is needed, or put it below properties")
		}
		if len(key) > maxName {
			return nil, badPoints("an object has a member with a name of %d bytes", len(key)).WithHint("at most %d", maxName)
		}
		name, _ := textOf(key)
		all = append(all, jsonMember{name, value})
	}
	slices.SortFunc(all, func(a, b jsonMember) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(all); i++ {
		if all[i].name == all[i-1].name {
			return nil, badPoints("%.40q is there twice", all[i].name)
		}
	}
	return all, nil
}

// find gives a member of an object, nil when there is none.
func find(all []jsonMember, name string) json.RawMessage {
	for _, m := range all {
		if m.name == name {
			return m.raw
		}
	}
	return nil
}

func badPoints(format string, args ...any) *rasterbase.Error {
	return rasterbase.Errorf(rasterbase.Invalid, "the GeoJSON cannot be read: "+format, args...).WithHint("%s", pointsForms)
}
