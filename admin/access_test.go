package admin_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

// statuses are what a route answers to nobody, a viewer, an editor, an administrator, and
// an administrator's token whose scope is that of a viewer. Nobody is led to the page to
// sign in by what is only looked at.
type statuses [5]int

var (
	everybody = statuses{200, 200, 200, 200, 200}
	editors   = statuses{200, 403, 200, 200, 403}
	managers  = statuses{200, 403, 403, 200, 403}
)

// changing is what a route that changes something answers.
func changing(viewer, editor, administrator int) statuses {
	return statuses{401, viewer, editor, administrator, viewer}
}

var whoMay = map[string]statuses{
	"GET /{$}": everybody, "GET /assets/{file}": everybody, "/": {404, 404, 404, 404, 404},
	"GET /sign-in": everybody, "POST /sign-in": {401, 401, 401, 401, 401}, "POST /sign-out": everybody,
	"GET /setup": everybody, "POST /setup": everybody, // there is an administrator

	"GET /layers/preview": {200, 403, 400, 400, 403}, "POST /layers/preview": changing(403, 400, 400), // of nothing
	"GET /layers": everybody, "POST /layers": changing(403, 400, 400), "POST /layers/selection": changing(403, 200, 200),
	"GET /layers/{layer}": everybody, "POST /layers/{layer}": changing(403, 200, 200), "GET /layers/{layer}/delete": editors,
	"POST /layers/{layer}/reparse": changing(403, 409, 409), "POST /layers/{layer}/cancel": changing(403, 200, 200),

	"GET /legends": everybody, "POST /legends": changing(403, 400, 400), "GET /legends/new": editors, "POST /legends/new": changing(403, 400, 400),
	"GET /legends/{legend}": everybody, "POST /legends/{legend}": changing(403, 400, 400), "POST /legends/{legend}/use": changing(403, 200, 200),
	"GET /legends/{legend}/delete": editors, "POST /legends/{legend}/delete": changing(403, 200, 200),
	"GET /semantics": everybody, "POST /semantics": changing(403, 200, 200), "POST /semantics/{semantics}": changing(403, 200, 200),

	"GET /ask": everybody, "POST /ask": {401, 404, 404, 404, 404}, // the layer is not parsed

	"GET /account": everybody, "POST /account/password": {401, 400, 400, 400, 400}, "POST /account/tokens": {401, 200, 200, 200, 403},
	"POST /account/tokens/{token}/delete": {401, 404, 404, 404, 403},
	"GET /health":                         managers, "GET /settings": managers, "GET /jobs": managers, "POST /jobs/{job}/cancel": changing(403, 403, 404),
	"GET /users": managers, "POST /users": changing(403, 403, 400), "POST /users/{user}": changing(403, 403, 400),
	"GET /users/{user}/delete": managers, "POST /users/{user}/delete": changing(403, 403, 200),
}

// Every route, as each who may come by. A route that is not in the table fails the test.
func TestWhoMayDoWhat(t *testing.T) {
	s := newSite(t)
	visitors := [5]string{"", "anna", "ed", "root", "token"}
	for i, role := range rasterbase.Roles {
		s.addUser(visitors[i+1], role)
	}
	token := s.addToken("root", rasterbase.Viewer)
	for route := range whoMay {
		if !slices.Contains(s.routes(), route) {
			t.Errorf("there is no route %s", route)
		}
	}
	for _, route := range s.routes() {
		want, ok := whoMay[route]
		if !ok {
			t.Errorf("%s is not in the table", route)
			continue
		}
		for i, who := range visitors {
			if p := s.walk(route, who, token); p.status != want[i] {
				t.Errorf("%s as %q: status %d, want %d: %.500s", route, who, p.status, want[i], p.text())
			} else if who == "" && strings.Contains(p.text(), "Secret hills") {
				t.Errorf("%s tells anybody of a private layer", route)
			}
		}
	}
}

// walk asks for a route, about things that were made for this.
func (s *site) walk(route, who, token string) page {
	s.t.Helper()
	l := s.addLayer(rasterbase.Layer{Name: "Secret hills", Visibility: rasterbase.Private})
	lg := s.addLegend(route + who)
	u := rasterbase.User{Name: "spare " + strings.ReplaceAll(route, ":", "") + who, Role: rasterbase.Viewer}
	if err := s.users.AddUser(s.t.Context(), &u, ""); err != nil {
		s.t.Fatal(err)
	}
	var v *visitor
	if who == "token" {
		v = s.visit("")
		v.token = token
	} else {
		v = s.visit(who)
	}
	method, path, _ := strings.Cut(route, " /")
	if route == "/" {
		method, path = "GET", "nowhere"
	}
	path = strings.NewReplacer("{layer}", fmt.Sprint(l.ID), "{file}", "admin.css", "{$}", "", "{legend}", fmt.Sprint(lg.ID),
		"{semantics}", fmt.Sprint(lg.Entries[0].Semantics.ID), "{user}", fmt.Sprint(u.ID), "{token}", "99", "{job}", "99").Replace(path)
	if method == "GET" {
		return v.get(path)
	}
	return v.post(path, url.Values{
		"layer": {fmt.Sprint(l.ID)}, "action": {"delete"}, "name": {"Changed " + route + who}, "code": {"x"},
		"password": {"not this one"}, "again": {"not this one"},
	})
}
