package server_test

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

// Each command in docs/guides/counts.md is answered, and as the guide says.
func TestTheGuideToCounts(t *testing.T) {
	name := filepath.Join("..", "docs", "guides", "counts.md")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, server.Config{Store: countable(t)})
	command := regexp.MustCompile(`^curl 'http://127\.0\.0\.1:8080([^']+)'(?: -H '([^:']+): ([^']+)')?(?: -d '([^']*)')?$`)
	asked, shown, answer := 0, 0, ""
	for _, b := range regexp.MustCompile("(?s)```(sh|json|csv)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		switch {
		case b[1] == "sh":
			for line := range strings.Lines(b[2]) {
				m := command.FindStringSubmatch(strings.TrimSpace(line))
				if m == nil {
					t.Fatalf("%s is no command", line)
				}
				w := typed(t, s, m)
				if wantStatus(t, w, 200); strings.Contains(w.Body.String(), `"total":{"count":0`) {
					t.Errorf("%s counts nothing: %s", line, w.Body)
				}
				asked, answer = asked+1, w.Body.String()
			}
			continue
		case strings.HasPrefix(b[2], `{"layers": "a=`): // the body of a request
			continue
		case b[1] == "json" && !alike(parsed(t, answer), parsed(t, b[2])), b[1] == "csv" && answer != b[2]:
			t.Errorf("the guide has\n%s\nand the answer is\n%s", b[2], answer)
		}
		shown++
	}
	if asked < 15 || shown < 5 {
		t.Errorf("the guide has %d commands and %d answers", asked, shown)
	}
	for _, name := range server.CountParameters() {
		if !strings.Contains(string(text), "`"+name) {
			t.Errorf("the guide says nothing of %s", name)
		}
	}
}

// typed is the answer to a command.
func typed(t *testing.T, s *server.Server, m []string) *httptest.ResponseRecorder {
	t.Helper()
	u, err := url.Parse(m[1])
	if err != nil {
		t.Fatal(err)
	}
	method := http.MethodGet
	if m[4] != "" {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, u.String(), strings.NewReader(m[4]))
	if m[4] != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl says
	}
	if m[2] != "" {
		r.Header.Set(m[2], m[3])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func parsed(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%v in %s", err, text)
	}
	return v
}

// alike compares JSON, numbers but for what processors round differently.
func alike(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Abs(a-b) <= 1e-9*math.Abs(b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, alike)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, alike)
	}
	return a == b
}
