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

// Each address in docs/guides/tiles.md is answered, and with a tile of its own.
func TestTheGuideToTiles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "guides", "tiles.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, server.Config{Store: drawn(t), CompressMethod: "LZW"})
	seen := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)```http\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			method, address, _ := strings.Cut(strings.TrimSpace(line), " ")
			u, err := url.Parse(address)
			if err != nil || method != "GET" {
				t.Fatalf("%s: %v", line, err)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, &http.Request{Method: method, URL: u, Host: "example.com", Header: http.Header{}, RequestURI: address})
			if w.Code != 200 {
				t.Errorf("%s: %d %s", address, w.Code, w.Body)
			}
			route, _, _ := strings.Cut(address[1:], "/")
			shown := route + w.Body.String() + w.Header().Get("Aggregation")
			if other, ok := seen[shown]; ok {
				t.Errorf("%s and %s are the same", address, other)
			}
			seen[shown] = address
		}
	}
	if len(seen) < 28 {
		t.Errorf("the guide has %d examples", len(seen))
	}
	// Every parameter has a place in it.
	for _, name := range server.Parameters() {
		if !strings.Contains(string(text), "`"+name) {
			t.Errorf("the guide says nothing of %s", name)
		}
	}
}
