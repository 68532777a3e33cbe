package server_test

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

var (
	outside = regexp.MustCompile(`(?:src|href)="(?:[a-z]+:)?//[^"]*"`)
	links   = regexp.MustCompile(`href="#([^"]+)"`)
)

// The page of the API has all that its document has, and loads nothing from elsewhere.
func TestThePageOfTheAPI(t *testing.T) {
	s := newAPI(t, newStore(t), &recordParser{}, server.Config{PublicURL: "https://maps.example.org/r"})
	w := get(t, s, "/docs")
	wantStatus(t, w, 200)
	page := w.Body.String()
	doc := decode[openAPI](t, get(t, s, "/openapi.json"))
	n := 0
	for path, operations := range doc.Paths {
		for _, o := range operations {
			n++
			if !strings.Contains(page, `<article id="`+o.OperationID+`">`) || !strings.Contains(page, html.EscapeString(o.Summary)) || !strings.Contains(page, html.EscapeString(path)) {
				t.Errorf("%s is not on the page", o.OperationID)
			}
			for _, p := range o.Parameters {
				if !strings.Contains(page, "<code>"+p.Name+"</code>") {
					t.Errorf("%s: the parameter %s is not on the page", o.OperationID, p.Name)
				}
			}
		}
	}
	if got := strings.Count(page, "curl"); got < n {
		t.Errorf("%d operations have %d examples", n, got)
	}
	for name, schema := range doc.Components.Schemas {
		if !strings.Contains(page, `id="schema-`+name+`"`) {
			t.Errorf("the schema %s is not on the page: %v", name, schema)
		}
	}
	var ids []string
	for _, found := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if slices.Contains(ids, found[1]) {
			t.Errorf("two things are called %s", found[1])
		}
		ids = append(ids, found[1])
	}
	for _, found := range links.FindAllStringSubmatch(page, -1) {
		if !slices.Contains(ids, found[1]) {
			t.Errorf("a link to %s leads nowhere", found[1])
		}
	}
	if found := outside.FindAllString(page, -1); found != nil {
		t.Errorf("the page asks other hosts: %s", found)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	if !strings.Contains(page, "export RASTERBASE=https://maps.example.org/r\n") {
		t.Error("the page does not say where the server is")
	}
	if !strings.Contains(page, "0 to 2147483647") || strings.Contains(page, "e+09") {
		t.Error("large numbers are not written out")
	}
	// What is to be typed is one word to a shell, whatever is in it.
	if !strings.Contains(html.UnescapeString(page), `-d '{"title":"Relief","entries":[{"name":"Water"`) {
		t.Error("the body of an example is not on the page")
	}
}
