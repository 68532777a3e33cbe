package move

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// difference names the first field of two structs that is not equal, leaving
// out those named; "" when all are.
func difference[T any](a, b *T, without ...string) string {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		name := x.Type().Field(i).Name
		if !slices.Contains(without, name) && !equal(x.Field(i), y.Field(i)) {
			return name
		}
	}
	return ""
}

// equal is reflect.DeepEqual for records as every catalog can keep them: NaN
// equals NaN, no elements are equal whether nil or not, times are equal when
// they are the same instant, and texts when they are but for what is no text.
func equal(x, y reflect.Value) bool {
	switch x.Kind() {
	case reflect.Pointer:
		if x.IsNil() || y.IsNil() {
			return x.IsNil() == y.IsNil()
		}
		return equal(x.Elem(), y.Elem())
	case reflect.Slice:
		if x.Len() != y.Len() {
			return false
		}
		for i := range x.Len() {
			if !equal(x.Index(i), y.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		if t, ok := x.Interface().(time.Time); ok {
			u, ok := y.Interface().(time.Time)
			return ok && t.Equal(u)
		}
		for i := range x.NumField() {
			if !equal(x.Field(i), y.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Float32, reflect.Float64:
		v, w := x.Float(), y.Float()
		return v == w || math.IsNaN(v) && math.IsNaN(w)
	case reflect.String:
		return x.String() == y.String() || plain(x.String()) == plain(y.String())
	}
	return reflect.DeepEqual(x.Interface(), y.Interface())
}

// plain leaves out what not every database can keep in a text: NUL, what is not
// UTF-8, and the sign that stands for them there.
func plain(s string) string {
	return strings.NewReplacer("\x00", "", "\ufffd", "").Replace(strings.ToValidUTF8(s, ""))
}
