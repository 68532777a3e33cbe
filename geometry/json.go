package geometry

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// The functions here walk through JSON that is known to be valid, in one pass and
// without taking it apart further than is asked for.

// walkObject gives the members of an object. What is no object has none.
func walkObject(b []byte, each func(name []byte, value json.RawMessage) error) error {
	i := spaceEnd(b, 0)
	if i == len(b) || b[i] != '{' {
		return nil
	}
	for i = spaceEnd(b, i+1); b[i] != '}'; {
		end := valueEnd(b, i)
		name := b[i+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			var plain string
			if err := json.Unmarshal(b[i:end], &plain); err != nil {
				return err
			}
			name = []byte(plain)
		}
		i = spaceEnd(b, spaceEnd(b, end)+1) // behind the colon
		end = valueEnd(b, i)
		if err := each(name, b[i:end:end]); err != nil {
			return err
		}
		i = nextPart(b, end)
	}
	return nil
}

// walkList gives the elements of a list; ok is false for what is none.
func walkList(b []byte, each func(i int, value json.RawMessage) error) (ok bool, err error) {
	i := spaceEnd(b, 0)
	if i == len(b) || b[i] != '[' {
		return false, nil
	}
	n := 0
	for i = spaceEnd(b, i+1); b[i] != ']'; n++ {
		end := valueEnd(b, i)
		if err := each(n, b[i:end:end]); err != nil {
			return true, err
		}
		i = nextPart(b, end)
	}
	return true, nil
}

// nextPart is where the next part begins, or the list or object ends.
func nextPart(b []byte, i int) int {
	if i = spaceEnd(b, i); b[i] == ',' {
		i = spaceEnd(b, i+1)
	}
	return i
}

func spaceEnd(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// valueEnd is where the value ends that begins at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = textEnd(b, i)
		case '[', '{':
			depth++
			i++
			continue
		case ']', '}':
			depth--
			i++
		case ',', ':', ' ', '\n', '\r', '\t':
			i++
			continue
		default: // a number, true, false or null
			for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != ']' && b[i] != '}' {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// textEnd is where the text ends whose quotation mark is at i.
func textEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

// textOf is a text without quotation marks; what is no text is empty.
func textOf(value json.RawMessage) string {
	var s string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

func isNull(value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" }

// numbers reads coordinates.
type numbers struct {
	text string
	at   int
}

func (n *numbers) space() {
	for n.at < len(n.text) && (n.text[n.at] == ' ' || n.text[n.at] == '\n' || n.text[n.at] == '\r' || n.text[n.at] == '\t') {
		n.at++
	}
}

// list reads a list, each part of which is read by one. It is false when it is no
// list.
func (n *numbers) list(one func(i int) error) (ok bool, err error) {
	if n.space(); n.at == len(n.text) || n.text[n.at] != '[' {
		return false, nil
	}
	n.at++
	for i := 0; ; i++ {
		n.space()
		if n.text[n.at] == ',' {
			n.at++
			n.space()
		}
		if n.text[n.at] == ']' {
			n.at++
			return true, nil
		}
		if err := one(i); err != nil {
			return true, err
		}
	}
}

// number reads a number; false when there is something else. What is too large is
// infinite.
func (n *numbers) number() (v float64, ok bool) {
	n.space()
	from := n.at
	for n.at < len(n.text) && (n.text[n.at] >= '0' && n.text[n.at] <= '9' || n.text[n.at] == '-' || n.text[n.at] == '+' || n.text[n.at] == '.' || n.text[n.at]|0x20 == 'e') {
		n.at++
	}
	if n.at == from {
		return 0, false
	}
	v, _ = strconv.ParseFloat(n.text[from:n.at], 64) // the text is valid: only the range can be wrong
	return v, true
}
