package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

func TestEveryDefaultIsAccepted(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := (&app{}).config()
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr != "127.0.0.1:8080" || c.TileSize != 256 || c.ParseMemory != 512<<20 || c.Visibility != rasterbase.Public || !slices.Equal(c.CORSOrigins, []string{"*"}) {
		t.Errorf("the defaults are %+v", c)
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, kv := range []string{
		"RASTER_ADDR=8080", "RASTER_ADDR=:http", "RASTER_ADDR=:70000",
		"RASTER_TILESIZE=63", "RASTER_TILESIZE=1026", "RASTER_TILESIZE=257", "RASTER_TILESIZE=big",
		"RASTER_WORKERS=0", "RASTER_BATCH_STEP_SIZE=-1", "RASTER_TILE_CACHE_TIMEOUT=-1",
		"RASTER_PARSE_MEMORY=100MiB", "RASTER_PARSE_MEMORY=lots", "RASTER_MAX_SOURCE_BYTES=0",
		"RASTER_DEFAULT_VISIBILITY=secret", "RASTER_PUBLIC_URL=example.org", "RASTER_PUBLIC_URL=ftp://example.org",
		"RASTER_CORS_ORIGINS=example.org", "RASTER_CORS_ORIGINS=https://a.org/path",
		"RASTER_ALLOWED_HOSTS=https://example.org", "RASTER_ALLOWED_HOSTS=a.org,*", "RASTER_FETCH_TIMEOUT=0", "RASTER_MIN_FREE_DISK=much",
		"RASTER_S3_ENDPOINT_URL=s3.example.org", "RASTER_S3_ENDPOINT_URL=https://key:secret@s3.example.org", "RASTER_S3_REQUESTER_PAYS=perhaps",
		"RASTER_LOG_LEVEL=loud", "RASTER_LOG_FORMAT=xml", "RASTER_DATA_FILE=/does/not/exist",
	} {
		_, err := (&app{environ: []string{kv}}).config()
		name, _, _ := strings.Cut(kv, "=")
		problems, ok := errors.AsType[configErrors](err)
		if !ok || len(problems) != 1 || !strings.Contains(problems[0].Error(), strings.TrimSuffix(name, "_FILE")) {
			t.Errorf("%s: %v", kv, err)
		}
	}
}

func TestEmptyVariablesAreAsIfUnset(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := (&app{environ: []string{"RASTER_TILESIZE=", "RASTER_USE_CELERY="}}).config()
	if err != nil || c.TileSize != 256 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestNamesOfLaterVersionsAreKnownAndNotSettings(t *testing.T) {
	for _, s := range settings {
		if _, ok := later[s.env()]; ok {
			t.Errorf("%s is a setting and said to be of a later version", s.env())
		}
		if _, ok := renamed[s.env()]; ok {
			t.Errorf("%s is a setting and said to be renamed", s.env())
		}
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "512MiB": 512 << 20, "2GB": 2e9, "1.5 gib": 3 << 29, "7b": 7, "4k": 4096,
	} {
		if got, err := parseBytes(s); err != nil || got != want {
			t.Errorf("parseBytes(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "x", "-1", "1XB", "nan", "inf", "9e30", "MiB"} {
		if got, err := parseBytes(s); err == nil {
			t.Errorf("parseBytes(%q) = %d", s, got)
		}
	}
}

func FuzzParseBytes(f *testing.F) {
	f.Add("512MiB")
	f.Add("1e400")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseBytes(s); err == nil && n < 0 {
			t.Errorf("parseBytes(%q) = %d", s, n)
		}
	})
}

func TestSuggestions(t *testing.T) {
	known := []string{"RASTER_TILESIZE", "RASTER_WORKERS", "RASTER_DATA"}
	for name, want := range map[string]string{
		"RASTER_TILE_SIZE": "RASTER_TILESIZE", "RASTER_WORKER": "RASTER_WORKERS", "RASTER_DATE": "RASTER_DATA", "SOMETHING": "",
	} {
		if got := closest(name, known); got != want {
			t.Errorf("closest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNegativeNumbersAreNotFlags(t *testing.T) {
	got := protectNegative([]string{"pixel", "1", "-113.04", "37", "-n", "--srid", "-1", "-.5", "-1x", "-inf"})
	want := []string{"pixel", "1", " -113.04", "37", "-n", "--srid", " -1", " -.5", "-1x", "-inf"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestJSONErrorIsTheOnlyThingOnStandardOutput(t *testing.T) {
	var stdout, stderr strings.Builder
	a := &app{stdout: &stdout, stderr: &stderr}
	err := rasterbase.Errorf(rasterbase.Invalid, "the number %d is wrong", 7).WithHint("give %d", 8).WithField("n")
	if code := a.report(err, true); code != exitFail {
		t.Errorf("exit code %d", code)
	}
	want := `{
  "error": {
    "code": "invalid",
    "message": "the number 7 is wrong",
    "hint": "give 8",
    "field": "n"
  }
}
`
	if stdout.String() != want {
		t.Errorf("%s", stdout.String())
	}
	if stderr.String() != "rasterbase: the number 7 is wrong\nhint: give 8\n" {
		t.Errorf("%s", stderr.String())
	}
}

func TestConfigurationFileThatIsNotAnObject(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, text := range []string{"[]", "{", `{"tilesize": {"x": 1}}`} {
		if err := os.WriteFile(defaultConfigFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (&app{}).config(); err == nil || !strings.Contains(err.Error(), defaultConfigFile) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
