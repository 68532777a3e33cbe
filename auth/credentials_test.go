package auth

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

func basic(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

func TestHeadersAreRead(t *testing.T) {
	for _, c := range []struct {
		header string
		want   credentials
	}{
		{"Bearer rb_x", credentials{secret: "rb_x"}},
		{"bearer rb_x", credentials{secret: "rb_x"}},
		{"BEARER   rb_x ", credentials{secret: "rb_x"}},
		{"\tBearer a-._~+/=", credentials{secret: "a-._~+/="}},
		{basic("anna:rb_x"), credentials{named: true, name: "anna", secret: "rb_x"}},
		{"bASIC " + base64.StdEncoding.EncodeToString([]byte("anna:rb_x")), credentials{named: true, name: "anna", secret: "rb_x"}},
		{basic("Ánna Müller:a:b"), credentials{named: true, name: "Ánna Müller", secret: "a:b"}},
	} {
		got, err := parseHeader([]string{c.header})
		if err != nil || got != c.want {
			t.Errorf("%q is read as %+v, %v; want %+v", c.header, got, err, c.want)
		}
	}
	if c, err := parseHeader(nil); err != nil || c != (credentials{}) {
		t.Errorf("no header is read as %+v, %v", c, err)
	}
}

func TestMalformedHeadersAreUnauthorized(t *testing.T) {
	for name, headers := range map[string][]string{
		"empty":                 {""},
		"spaces":                {"  "},
		"two":                   {"Bearer rb_x", "Bearer rb_x"},
		"too long":              {"Bearer " + strings.Repeat("x", maxHeader)},
		"another scheme":        {"Digest username=anna"},
		"a secret alone":        {"rb_x"},
		"no token":              {"Bearer"},
		"no token but space":    {"Bearer  "},
		"a token with a space":  {"Bearer rb_x rb_y"},
		"a token with a comma":  {"Bearer rb_x,rb_y"},
		"a token with an ä":     {"Bearer rb_ä"},
		"no base64":             {"Basic anna:rb_x"},
		"base64 with more":      {basic("anna:rb_x") + "!"},
		"base64 with loose end": {"Basic YTpiYR=="},
		"no colon":              {basic("anna")},
		"no name":               {basic(":rb_x")},
		"no password":           {basic("anna:")},
		"a control character":   {basic("an\nna:rb_x")},
		"no UTF-8":              {basic("ann\xff:rb_x")},
	} {
		_, err := parseHeader(headers)
		if code := rasterbase.CodeOf(err); code != rasterbase.Unauthorized {
			t.Errorf("%s: code %q, error %v", name, code, err)
			continue
		}
		for _, h := range headers {
			if h != "" && strings.Contains(err.Error(), strings.TrimPrefix(h, "Bearer ")) && strings.Contains(h, "rb_") {
				t.Errorf("%s: the error repeats a secret: %v", name, err)
			}
		}
	}
}

// FuzzHeader compares with what net/http reads, which is laxer.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"", "Bearer rb_x", "Basic ", basic("anna:rb_x"), basic(":"), "Basic YTpiYR==", "Bearer\trb_x", "bAsIc YTpi"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseHeader([]string{header})
		if err != nil {
			if code := rasterbase.CodeOf(err); code != rasterbase.Unauthorized || c != (credentials{}) {
				t.Fatalf("code %q with %+v", code, c)
			}
			return
		}
		if c.secret == "" || c.named == (c.name == "") {
			t.Fatalf("%q is read as %+v", header, c)
		}
		r := http.Request{Header: http.Header{"Authorization": {strings.Trim(header, " \t")}}}
		if name, secret, ok := r.BasicAuth(); ok && (!c.named || name != c.name || secret != c.secret) {
			t.Fatalf("%q is read as %+v, by net/http as %q and %q", header, c, name, secret)
		}
		if !c.named && !strings.HasSuffix(strings.Trim(header, " \t"), " "+c.secret) {
			t.Fatalf("%q is read as %+v", header, c)
		}
	})
}

func TestKeysOfCredentialsDiffer(t *testing.T) {
	all := []credentials{
		{secret: "rb_x"}, {secret: "rb_y"},
		{named: true, name: "a", secret: "rb_x"}, {named: true, name: "b", secret: "rb_x"}, {named: true, name: "ab", secret: "rb_"},
	}
	seen := map[[32]byte]credentials{}
	for _, c := range all {
		if other, ok := seen[c.key()]; ok {
			t.Errorf("%+v and %+v have the same key", c, other)
		}
		seen[c.key()] = c
	}
}
