package sqlcatalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// Time reads a time from a row: a time, microseconds since 1970 in UTC, or the
// zero time from NULL. It is a Scanner of database/sql, which pgx knows too.
type Time time.Time

// Scan takes an int64, a time.Time or nil.
func (t *Time) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*t = Time{}
	case int64:
		*t = Time(time.UnixMicro(v).UTC())
	case time.Time:
		*t = Time(v.UTC())
	default:
		return fmt.Errorf("a %T is not a time", v)
	}
	return nil
}

// stored is a time as it is stored: in UTC, to the microsecond.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// givenTime is the time that a caller gives together with an id, if it gives
// both, and now otherwise.
func givenTime(hasID bool, t, now time.Time) time.Time {
	if !hasID || t.IsZero() {
		return now
	}
	return stored(t)
}

// plain turns arguments into what every database takes, in place.
func (t *Tx) plain(args []any) []any {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = t.text(a)
		case time.Time:
			args[i] = t.c.d.Time(a)
		case nil, int64, float64, bool, []byte:
		default:
			switch v := reflect.ValueOf(a); v.Kind() { //nolint:exhaustive // of the others there are none in our queries
			case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
				args[i] = v.Int()
			case reflect.Uint8, reflect.Uint16, reflect.Uint32:
				args[i] = int64(v.Uint()) //nolint:gosec // of at most 32 bits
			case reflect.String:
				args[i] = t.text(v.String())
			}
		}
	}
	return args
}

// text is a text as the database can hold it.
func (t *Tx) text(s string) string {
	if !t.c.d.PlainText {
		return s
	}
	return strings.Map(func(r rune) rune { // which is U+FFFD where s is not UTF-8
		if r == 0 {
			return utf8.RuneError
		}
		return r
	}, s)
}

// document encodes a value as JSON that the database can hold.
func (t *Tx) document(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || !t.c.d.PlainText {
		return b, err
	}
	return withoutNUL(b), nil
}

// withoutNUL puts U+FFFD for each NUL in the strings of JSON.
func withoutNUL(b []byte) []byte {
	nul := []byte(`\u0000`)
	if !bytes.Contains(b, nul) {
		return b
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		switch {
		case bytes.HasPrefix(b, nul):
			out, b = append(out, `\ufffd`...), b[len(nul):]
		case b[0] == '\\' && len(b) > 1: // what is escaped is not the start of another escape
			out, b = append(out, b[:2]...), b[2:]
		default:
			out, b = append(out, b[0]), b[1:]
		}
	}
	return out
}

// list is a list that a query takes as one argument.
func (t *Tx) list(v any) (string, error) {
	b, err := t.document(v)
	if err != nil {
		return "", fmt.Errorf("encoding a list: %w", err)
	}
	return string(b), nil
}
