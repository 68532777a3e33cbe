package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// keyAuth lets those read private layers who send the key; it knows no other
// credentials.
type keyAuth struct{}

func (keyAuth) Principal(r *http.Request) (rasterbase.Principal, error) {
	switch name := r.Header.Get("Authorization"); name {
	case "", "key", "guest":
		return rasterbase.Principal{Name: name}, nil
	}
	return rasterbase.Principal{}, rasterbase.Errorf(rasterbase.Unauthorized, "the credentials are wrong")
}

func (keyAuth) May(_ context.Context, p rasterbase.Principal, a rasterbase.Action, l *rasterbase.Layer) error {
	if l == nil || l.Visibility == rasterbase.Public || p.Name == "key" {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Forbidden, "layer %d is private", l.ID)
}

// secret is a private layer with slug, from secret.tif.
func secret(t *testing.T, st store.Store) *rasterbase.Layer {
	spec := stripes("Secret", nil)
	spec.Layer.Visibility = rasterbase.Private
	spec.Layer.Source.Name = "secret.tif"
	return add(t, st, spec)
}

// routesTo are the addresses below which a layer is read.
func routesTo(ref string) []string {
	return []string{"/tiles/" + ref + "/6/33/22.png", "/tiles/" + ref + "/6/33/22.png?legend=none", "/layers/" + ref, "/layers/" + ref + "/tilejson.json", "/legend?layer=" + ref}
}

// Whoever may not read a layer is answered as if it did not exist.
func TestPrivateLayersDoNotExistForOthers(t *testing.T) {
	full, empty := newStore(t), newStore(t)
	secret(t, full)
	secret(t, full) // their file name is shared
	for name, c := range map[string]struct {
		auth   rasterbase.Auth
		header []string
	}{
		"read public":       {nil, nil},
		"nobody signed in":  {keyAuth{}, nil},
		"without the right": {keyAuth{}, []string{"Authorization", "guest"}},
	} {
		t.Run(name, func(t *testing.T) {
			with, without := newServer(t, server.Config{Store: full, Auth: c.auth}), newServer(t, server.Config{Store: empty, Auth: c.auth})
			if c.auth != nil { // what a server remembers of one sender must not help another
				wantStatus(t, get(t, with, "/layers/secret", "Authorization", "key"), 200)
				wantStatus(t, get(t, with, "/layers/1", "Authorization", "key"), 200)
			}
			paths := []string{"/layers", "/layers?search=secret"}
			for _, ref := range []string{"1", "secret", "secret-2", "secret.tif", "secret.tif.zip"} {
				paths = append(paths, routesTo(ref)...)
			}
			for _, path := range paths {
				got, want := get(t, with, path, c.header...), get(t, without, path, c.header...)
				if !strings.HasPrefix(path, "/layers?") && path != "/layers" {
					wantProblem(t, got, 404)
				}
				if g, w := answered(got), answered(want); g != w {
					t.Errorf("%s: a private layer is answered\n%s\nand none\n%s", path, g, w)
				}
			}
			if body := get(t, with, "/", c.header...).Body.String(); strings.Contains(body, "Secret") {
				t.Error("a private layer is on the page")
			}
		})
	}
}

var problemID = regexp.MustCompile(`"id":"[0-9a-f]{16}"`)

// answered is all that a client sees of an answer, but for the failure's id.
func answered(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	if err := w.Header().Write(&b); err != nil {
		return err.Error()
	}
	return http.StatusText(w.Code) + "\n" + b.String() + problemID.ReplaceAllString(w.Body.String(), "")
}

// A private layer takes nothing from a public one that shares a name with it.
func TestAPrivateTwinHidesNothing(t *testing.T) {
	st := newStore(t)
	secret(t, st) // slug "secret"
	spec := stripes("Open", addLegend(t, st, "Cover", forest))
	spec.Layer.Source.Name = "secret.tif"
	add(t, st, spec)
	spec.Layer.Name, spec.Layer.Source.Name = "Also open", "secret.zip" // is called "secret", too
	add(t, st, spec)
	s := newServer(t, server.Config{Store: st, Auth: keyAuth{}})
	for ref, want := range map[string]string{"secret.tif": "Open", "secret": "Also open"} {
		for range 2 {
			got := decode[struct{ Name string }](t, get(t, s, "/layers/"+ref))
			if got.Name != want {
				t.Errorf("%s is %s, want %s", ref, got.Name, want)
			}
			wantStatus(t, get(t, s, "/tiles/"+ref+"/6/33/22.png"), 200)
		}
	}
	p := wantProblem(t, get(t, s, "/layers/secret.tif", "Authorization", "key"), 409)
	if !strings.Contains(p.Detail, "Secret") || !strings.Contains(p.Detail, "Open") {
		t.Errorf("who may read both is not told of both: %s", p.Detail)
	}
	if got := decode[struct{ Name string }](t, get(t, s, "/layers/secret", "Authorization", "key")); got.Name != "Secret" {
		t.Errorf("who may read it gets %s by its slug", got.Name)
	}
}

func TestPrivateLayersAreReadByThoseWhoMay(t *testing.T) {
	st := newStore(t)
	secret(t, st)
	s := newServer(t, server.Config{Store: st, Auth: keyAuth{}})
	for _, path := range []string{"/tiles/1/6/33/22.png", "/layers/1", "/layers/1/tilejson.json", "/layers", "/"} {
		w := get(t, s, path, "Authorization", "key")
		wantStatus(t, w, 200)
		if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		if got := strings.Join(w.Header().Values("Vary"), ","); !strings.Contains(got, "Authorization, Cookie") {
			t.Errorf("%s: Vary %q", path, got)
		}
	}
}

func TestWrongCredentialsAreToldEverywhere(t *testing.T) {
	st := newStore(t)
	secret(t, st)
	s := newServer(t, server.Config{Store: st, Auth: keyAuth{}})
	for _, path := range append(append(routesTo("1"), routesTo("77")...), "/layers", "/", "/legend/1") {
		w := get(t, s, path, "Authorization", "no such key")
		if wantProblem(t, w, 401); w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s does not say how to sign in", path)
		}
	}
}

// failingAuth cannot tell who may do what.
type failingAuth struct{ keyAuth }

func (failingAuth) May(context.Context, rasterbase.Principal, rasterbase.Action, *rasterbase.Layer) error {
	return context.DeadlineExceeded
}

func TestAnAuthThatFailsIsNotAnAnswer(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Land cover", nil))
	s := newServer(t, server.Config{Store: st, Auth: failingAuth{}})
	for _, path := range append(routesTo("1"), "/layers", "/") {
		wantProblem(t, get(t, s, path), 500)
	}
}
