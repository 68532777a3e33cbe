package server

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// decoded reads a value by walking through it.
func decoded(t testing.TB, raw []byte) any {
	switch raw[0] {
	case '{':
		out := map[string]any{}
		for key, value := range membersOf(raw) {
			name, ok := textOf(key)
			if !ok || utf8.Valid(key) && !keyIs(key, name) {
				t.Fatalf("%q is a name of %q", key, name)
			}
			out[name] = decoded(t, value)
		}
		return out
	case '[':
		out := []any{}
		for one := range elementsOf(raw) {
			out = append(out, decoded(t, one))
		}
		return out
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil || int(dec.InputOffset()) != len(raw) {
		t.Fatalf("%q is no value: %v", raw, err)
	}
	return v
}

// wantWalked compares what walking finds with what encoding/json reads.
func wantWalked(t testing.TB, raw []byte) {
	var want any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if got := decoded(t, bytes.TrimSpace(raw)); !reflect.DeepEqual(got, want) {
		t.Fatalf("%s is %v, want %v", raw, got, want)
	}
}

func TestWalking(t *testing.T) {
	value := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(v float64) any { return v }),
		rapid.Map(rapid.StringMatching(`[a-z"\\\[\]{},: é]{0,6}`), func(v string) any { return v }),
	)
	for range 3 {
		inner := value
		value = rapid.OneOf(inner,
			rapid.Map(rapid.SliceOfN(inner, 0, 4), func(v []any) any { return v }),
			rapid.Map(rapid.MapOfN(rapid.StringMatching(`[a-z"\\{}\[\],:é]{0,3}`), inner, 0, 4), func(v map[string]any) any { return v }))
	}
	rapid.Check(t, func(rt *rapid.T) {
		b, err := json.Marshal(value.Draw(rt, "value"))
		if err == nil && rapid.Bool().Draw(rt, "spaces") {
			var out bytes.Buffer
			err = json.Indent(&out, b, " ", "\t")
			b = out.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		wantWalked(t, b)
	})
}

func FuzzWalking(f *testing.F) {
	for _, seed := range []string{`{}`, `[]`, ` [1, -2.5e3 ,null,"a\"]"] `, `{"a":{"b":[{}]},"\u0061":1}`, `{"a" : [ ] , "b":"\\"}`, `"\ud800"`, "{\"\xff\":\"\xff\"}", `7`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		deep := tooDeep(raw) // whatever it is
		if json.Valid(raw) && !deep {
			wantWalked(t, raw)
		}
	})
}

func TestTooDeep(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{strings.Repeat("[", maxDepth), false},
		{strings.Repeat("[", maxDepth+1), true},
		{strings.Repeat(`{"a":`, maxDepth+1), true},
		{strings.Repeat("[]", 5*maxDepth), false},
		{`"` + strings.Repeat("[", 5*maxDepth), false},
		{`"\"` + strings.Repeat("[", 5*maxDepth) + `"`, false},
		{`"\\"` + strings.Repeat("[", 5*maxDepth), true},
	} {
		if got := tooDeep([]byte(c.text)); got != c.want {
			t.Errorf("%.20s…: %v", c.text, got)
		}
	}
}

func TestUniqueMembers(t *testing.T) {
	for text, says := range map[string]string{
		`{"a":1,"b":[2],"":3}`: "",
		`{"a":1,"b":2,"a":3}`:  "twice",
		`{"a":1,"\u0061":2}`:   "twice",
		`[]`:                   "an object",
		`7`:                    "an object",
		`{"a":{"b":1,"b":2}}`:  "",
	} {
		all, err := uniqueMembers([]byte(text), nil)
		if says == "" && (err != nil || string(find(all, "b")) == "1" || find(all, "c") != nil) {
			t.Errorf("%s: %v, %v", text, all, err)
		}
		if says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}
