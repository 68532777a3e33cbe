package main

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
)

func TestExpiriesOfTokens(t *testing.T) {
	now := time.Date(2030, 2, 27, 12, 30, 15, 500, time.UTC)
	for s, want := range map[string]string{
		"never":                     "0001-01-01T00:00:00Z",
		"NEVER":                     "0001-01-01T00:00:00Z",
		"1d":                        "2030-02-28T12:30:15Z",
		"365d":                      "2031-02-27T12:30:15Z",
		"2030-02-28":                "2030-02-28T00:00:00Z",
		"2030-02-27T12:30:16Z":      "2030-02-27T12:30:16Z",
		"2030-03-01T00:00:00+02:00": "2030-02-28T22:00:00Z",
	} {
		got, err := parseExpiry(s, now)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s, %v; want %s", s, got.Format(time.RFC3339Nano), err, want)
		}
	}
	for _, s := range []string{"", "d", "-1d", "0d", "1.5d", "999999d", "90", "2030-02-27", "2030-02-30", "2001-01-01", "tomorrow"} {
		if got, err := parseExpiry(s, now); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%q: %s, %v", s, got, err)
		}
	}
}

// Every key can be set and taken back.
func TestKeysOfLayers(t *testing.T) {
	empty := rasterbase.Layer{Visibility: rasterbase.Public}
	for _, c := range []struct {
		key, value string
		want       func(rasterbase.Layer) bool
	}{
		{"name", "n", func(l rasterbase.Layer) bool { return l.Name == "n" }},
		{"slug", "größe-2", func(l rasterbase.Layer) bool { return l.Slug == "größe-2" }},
		{"description", "a\nb", func(l rasterbase.Layer) bool { return l.Description == "a\nb" }},
		{"attribution", "a = b", func(l rasterbase.Layer) bool { return l.Attribution == "a = b" }},
		{"license", "l", func(l rasterbase.Layer) bool { return l.License == "l" }},
		{"visibility", "private", func(l rasterbase.Layer) bool { return l.Visibility == rasterbase.Private }},
		{"type", "rank_ordered", func(l rasterbase.Layer) bool { return l.Settings.Datatype == rasterbase.RankOrdered }},
		{"srid", "3857", func(l rasterbase.Layer) bool { return l.Settings.SRID == 3857 }},
		{"nodata", "-1e3", func(l rasterbase.Layer) bool { return *l.Settings.Nodata == -1000 }},
		{"nodata", "nan", func(l rasterbase.Layer) bool { return math.IsNaN(*l.Settings.Nodata) }},
		{"MAX_ZOOM", "0", func(l rasterbase.Layer) bool { return *l.Settings.MaxZoom == 0 }},
		{"next-lower", "true", func(l rasterbase.Layer) bool { return l.Settings.NextLower }},
		{"no-pyramid", "1", func(l rasterbase.Layer) bool { return l.Settings.NoPyramid }},
		{"resampling", "cubic", func(l rasterbase.Layer) bool { return l.Settings.Resampling == rasterbase.Cubic }},
		{"tilesize", "100", func(l rasterbase.Layer) bool { return l.Settings.TileSize == 100 }},
		{"subdataset", "NETCDF:x:y", func(l rasterbase.Layer) bool { return l.Settings.Subdataset == "NETCDF:x:y" }},
	} {
		changes, err := readChanges([]string{c.key + "=" + c.value})
		if err != nil || len(changes) != 1 {
			t.Errorf("%s=%s: %v", c.key, c.value, err)
			continue
		}
		l := empty
		if err := changes[0].key.set(&l, changes[0].value); err != nil || !c.want(l) {
			t.Errorf("%s=%s: %+v, %v", c.key, c.value, l, err)
		}
		if changes[0].key.needed || changes[0].key.name == "visibility" {
			continue
		}
		if err := changes[0].key.set(&l, ""); err != nil || l != empty {
			t.Errorf("%s=: %+v, %v", c.key, l, err)
		}
	}
}

func TestChangesThatAreWrong(t *testing.T) {
	for arg, field := range map[string]string{
		"visibility=hidden":             "visibility",
		"slug=1":                        "slug",
		"slug=a--b":                     "slug",
		"srid=0":                        "srid",
		"nodata=none":                   "nodata",
		"max-zoom=-1":                   "max-zoom",
		"next-lower=maybe":              "next-lower",
		"resampling=none":               "resampling",
		"tilesize=1025":                 "tilesize",
		"attribution=a\nb":              "attribution",
		"name=a\u202eb":                 "name",
		"source=":                       "source",
		"description=\xff":              "description",
		"type=continuous,mask":          "type",
		"max-zoom=12345678901234567890": "max-zoom",
	} {
		_, err := readChanges([]string{arg})
		_, isUsage := errors.AsType[usageError](err)
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || !isUsage || e.Field != field {
			t.Errorf("%q: %v, field %q", arg, err, fieldOf(e))
		}
	}
	if _, err := readChanges([]string{"type=mask", "resampling=cubic"}); err == nil {
		t.Error("a mask that is blended is no error")
	}
}

func fieldOf(e *rasterbase.Error) string {
	if e == nil {
		return ""
	}
	return e.Field
}

func TestWordsForAShell(t *testing.T) {
	for s, want := range map[string]string{
		"anna": "anna", "a.b@c-d_e": "a.b@c-d_e", "Anna Müller": "'Anna Müller'", "O'Hara": `'O'\''Hara'`, "$(x)": "'$(x)'", "": "''",
	} {
		if got := shellWord(s); got != want {
			t.Errorf("%s is %s, want %s", s, got, want)
		}
	}
}
