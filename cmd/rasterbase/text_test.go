package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestVisible(t *testing.T) {
	for s, want := range map[string]string{
		"Land cover, 2020":         "Land cover, 2020",
		"Gelände – Höhe":           "Gelände – Höhe",
		"\u0645\u06cc\u200c\u062e": "\u0645\u06cc\u200c\u062e", // with a joiner that the script needs
		"a\x1b[31mb":               `"a\x1b[31mb"`,
		"a\tb":                     `"a\tb"`,
		"a\u009bb":                 `"a\u009bb"`,
		"a\x7f":                    `"a\x7f"`,
		"gpj.\u202etif.exe":        `"gpj.\u202etif.exe"`,
		"a\xffb":                   `"a\xffb"`,
	} {
		if got := visible(s); got != want {
			t.Errorf("visible(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestNothingPrintedMisleads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.SampledFrom([]byte("ab \n\t\x1b[\x00\x7f\xc2\x9b\xe2\x80\xae\xff"))).Draw(t, "text"))
		for _, got := range []string{visible(s), strings.NewReplacer("\n", "", "\t", "").Replace(harmless(s))} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, misleads) {
				t.Errorf("%q is printed as %q", s, got)
			}
		}
		if want := strings.Count(s, "\n"); strings.Count(harmless(s), "\n") != want {
			t.Errorf("%q has not the lines of %q", harmless(s), s)
		}
	})
}

func TestAPathIsNamedOnce(t *testing.T) {
	for _, c := range []struct{ about, message, want string }{
		{"a.tif", "a.tif: there is no such file", "a.tif: there is no such file"},
		{"x/a.tif", "a.tif cannot be read as a raster: `a.tif' not recognized as such", "x/a.tif cannot be read as a raster: not recognized as such"},
		{"d", "d is a folder", "d is a folder"},
		{"d", "data is lost", "d: data is lost"},
		{"http://h/a.tif", "URLs are not read yet", "http://h/a.tif: URLs are not read yet"},
		{"a\x1b.tif", "a\x1b.tif is empty", `"a\x1b.tif" is empty`},
	} {
		if got := namedOnce(c.about, c.message); got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.message, c.about, got, c.want)
		}
	}
}

func TestCoresOfAParseAreBoundByItsMemory(t *testing.T) {
	for _, c := range []struct {
		cores  int
		memory int64
		want   int
	}{
		{32, 512 << 20, 8}, {2, 512 << 20, 2}, {32, 256 << 20, 4}, {32, 64 << 30, 32}, {4, 1 << 20, 1}, {1, 1 << 40, 1},
	} {
		if got := coresOfParse(c.cores, c.memory); got != c.want {
			t.Errorf("%d cores with %d MiB: %d, want %d", c.cores, c.memory>>20, got, c.want)
		}
	}
}

func TestTheLogHasDurationsAsText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		13_312 * time.Millisecond: `"took":"13.3s"`, 1234567 * time.Nanosecond: `"took":"1ms"`, 345 * time.Microsecond: `"took":"345µs"`,
	} {
		var out strings.Builder
		log := (&app{stderr: &out}).logger(&config{LogFormat: "json"})
		log.Info("done", slog.Duration("took", d))
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", d, out.String())
		}
	}
}
