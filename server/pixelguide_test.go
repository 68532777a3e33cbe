package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

// Each command in docs/guides/pixels.md is answered, and as the guide says.
func TestTheGuideToPixels(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "guides", "pixels.md"))
	if err != nil {
		t.Fatal(err)
	}
	st := drawn(t)
	l := add(t, st, ramp("Other"))
	keepSource(t, st, l, "elevation.tif", "II*")
	s := newServer(t, server.Config{Store: st})
	command := regexp.MustCompile(`^curl (?:-OJ )?'http://127\.0\.0\.1:8080([^']+)'(?: -H '([^:']+): ([^']+)')?(?: (?:-d|--data-binary) (\$?)'([^']*)')?$`)
	version := regexp.MustCompile(`"version":"[^"]+"`)
	blocks := regexp.MustCompile("(?s)```(sh|json|csv)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	asked, shown, answer := 0, 0, ""
	for _, b := range blocks {
		if b[1] != "sh" {
			if got := version.ReplaceAllString(answer, `"version":"…"`); got != b[2] {
				t.Errorf("the guide has\n%s\nand the answer is\n%s", b[2], got)
			}
			shown++
			continue
		}
		for line := range strings.Lines(b[2]) {
			if strings.HasPrefix(line, "gdalinfo") {
				continue
			}
			m := command.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				t.Fatalf("%s is no command", line)
			}
			m[1] = strings.Replace(m[1], "layers/elevation/source", "layers/elevation.tif/source", 1)
			u, err := url.Parse(m[1])
			if err != nil {
				t.Fatal(err)
			}
			method, body := http.MethodGet, m[5]
			if body != "" {
				method = http.MethodPost
			}
			if m[4] != "" {
				body = strings.ReplaceAll(body, `\n`, "\n")
			}
			r := httptest.NewRequest(method, u.String(), strings.NewReader(body))
			if m[2] != "" {
				r.Header.Set(m[2], m[3])
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if wantStatus(t, w, 200); strings.Contains(w.Body.String(), `"value":null`) {
				t.Errorf("%s has no value: %s", line, w.Body)
			}
			asked, answer = asked+1, w.Body.String()
		}
	}
	if asked < 9 || shown < 3 {
		t.Errorf("the guide has %d commands and %d answers", asked, shown)
	}
}
