package server

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
)

func TestParseMetadata(t *testing.T) {
	for header, want := range map[string]map[string]string{
		"":                                  {},
		" \t":                               {},
		"filename YS50aWY=":                 {"filename": "a.tif"},
		"filename YS50aWY=,is_confidential": {"filename": "a.tif", "is_confidential": ""},
		"filename YS50aWY=, type  ":         {"filename": "a.tif", "type": ""},
		"a ,b Yg==":                         {"a": "", "b": "b"},
	} {
		got, err := parseMetadata(header)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q is %q, %v", header, got, err)
		}
	}
	for _, header := range []string{",", "a,", ",a", "a,,b", "filename a.tif", "filename YS50aWY", "filename YS5 0aWY=", "a,a", "ä YQ==", "a\x00b",
		"filename YS50aWY\n=", "\u00a0", strings.Repeat("a", maxMetadata+1)} {
		if got, err := parseMetadata(header); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%q is %q, %v", header, got, err)
		}
	}
}

// formatMetadata writes the header.
func formatMetadata(all map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, key+" "+base64.StdEncoding.EncodeToString([]byte(all[key])))
	}
	return strings.Join(pairs, ",")
}

func TestMetadataRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`[!-+\--~]{1,20}`), rapid.String()).Draw(t, "metadata")
		header := formatMetadata(want)
		got, err := parseMetadata(header)
		if len(header) > maxMetadata {
			t.Skip("too long")
		}
		if err != nil || !maps.Equal(got, want) {
			t.Fatalf("%q is %q, not %q, %v", header, got, want, err)
		}
	})
}

func FuzzParseMetadata(f *testing.F) {
	f.Add("filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential")
	f.Add("a ,b Yg==, c")
	f.Add("a,a")
	f.Fuzz(func(t *testing.T, header string) {
		got, err := parseMetadata(header)
		if err != nil {
			if rasterbase.CodeOf(err) != rasterbase.Invalid {
				t.Fatalf("code of %v", err)
			}
			return
		}
		again, err := parseMetadata(formatMetadata(got))
		if err != nil || !maps.Equal(again, got) {
			t.Fatalf("%q is %q, and written again %q, %v", header, got, again, err)
		}
		if name, err := fileName(got); err == nil && (name == "" || strings.ContainsAny(name, "/\\\x00")) {
			t.Fatalf("the file is named %q", name)
		}
	})
}

func FuzzParseChecksum(f *testing.F) {
	f.Add("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=")
	f.Add("crc32 AAAAAA==")
	f.Add("md5 ")
	f.Fuzz(func(t *testing.T, header string) {
		h, sum, err := parseChecksum(header)
		switch {
		case err != nil && rasterbase.CodeOf(err) != rasterbase.Invalid:
			t.Fatalf("code of %v", err)
		case err == nil && len(sum) != h.Size():
			t.Fatalf("%q gives %d bytes for %d", header, len(sum), h.Size())
		}
	})
}
