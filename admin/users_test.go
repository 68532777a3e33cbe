package admin_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/browsertest"
)

// An administrator makes users, gives them roles and passwords, and deletes them.
func TestUsersByForms(t *testing.T) {
	s := newSite(t)
	s.addUser("root", rasterbase.Administrator)
	v := s.visit("root")
	v.post("users", url.Values{"name": {"<b>anna"}, "role": {"viewer"}, "password": {"short"}}).want(t, 400, "too short")
	v.post("users", url.Values{"name": {"anna"}, "role": {"viewer"}, "password": {password}}).want(t, 200, "anna", "with a password")
	v.post("users", url.Values{"name": {"Anna"}, "role": {"viewer"}}).want(t, 409, "already")
	s.visit("anna").get("legends/new").want(t, 403)
	v.post("users/2", url.Values{"role": {"editor"}}).want(t, 200)
	anna := s.visit("anna")
	anna.get("legends/new").want(t, 200)

	// Another password ends her session.
	v.post("users/2", url.Values{"role": {"editor"}, "password": {"some other words for her"}}).want(t, 200)
	anna.get("layers").want(t, 200, "Sign in")

	v.post("users/1", url.Values{"role": {"viewer"}}).want(t, 409, "root is the last administrator")
	v.get("users/2/delete").want(t, 200, "Delete anna", "have no tokens")
	v.get("users/9/delete").want(t, 404)
	p := v.post("users/2/delete", nil)
	p.want(t, 200, "Users")
	if regexp.MustCompile(`\banna\b`).MatchString(p.text()) {
		t.Errorf("she is still there: %s", p.text())
	}
}

var secretOnPage = regexp.MustCompile(`rb_[A-Z2-7]+`)

// Somebody makes a token of their own, uses it, and deletes it; and takes another password.
func TestOnesOwnAccountByForms(t *testing.T) {
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	v.get("account").want(t, 200, "ed editor", "Make a token")
	v.post("account/tokens", url.Values{"days": {"soon"}}).want(t, 400, "soon")
	p := v.post("account/tokens", url.Values{"name": {"<b>dashboard"}, "scope": {"viewer"}, "days": {"30"}})
	p.want(t, 200, "Copy it now", "<b>dashboard")
	secret := secretOnPage.FindString(p.html)
	if again := v.get("account"); secretOnPage.MatchString(again.html) {
		t.Error("the secret is shown again")
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.server+"api/v1/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	s.visit("").do(r).want(t, 200, `"role":"viewer"`)
	v.post("account/tokens/1/delete", nil).want(t, 200, "Make a token")
	s.visit("").do(r).want(t, 401)

	other := s.visit("ed")
	change := func(old, new, again string) page {
		return v.post("account/password", url.Values{"password": {old}, "new": {new}, "again": {again}})
	}
	change(password, "five words for ed alone", "five words for ed").want(t, 400, "differ")
	change("not this one", "five words for ed alone", "five words for ed alone").want(t, 403, "not the password that you have")
	change(password, "short", "short").want(t, 400, "too short")
	change(password, "five words for ed alone", "five words for ed alone").want(t, 200, "You have another password")
	v.get("layers").want(t, 200, "Layers")
	other.get("layers").want(t, 200, "Sign in") // in another browser
}

func TestAccountsInABrowser(t *testing.T) {
	s := newSite(t)
	s.addUser("root", rasterbase.Administrator)
	s.addUser("anna", rasterbase.Viewer)
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 900, "light")
	b.Go(s.root)
	wantAccessible(t, b)
	b.Shot("admin-sign-in")
	fill(b, map[string]string{"name": "root", "password": password})
	b.Until(`document.querySelector("#list") !== null`)
	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"", 1280, 900, "light"}, {"-phone", 390, 844, "dark"}} {
		b.Device(look.width, look.height, look.scheme)
		for _, page := range []string{"users", "account", "users/2/delete", "nowhere", "../docs"} {
			b.Go(s.root + page)
			b.Until(`document.readyState === "complete"`)
			if page == "account" {
				browsertest.Evaluate[bool](b, `document.querySelector("form[action$='account/tokens'] button").click(), true`)
				b.Until(`document.body?.textContent.includes("Copy it now") === true`)
			}
			wantFits(t, b, page+look.name)
			wantAccessible(t, b)
			b.Shot("admin-" + filepath.Base(page) + look.name)
		}
	}
	for _, says := range b.Complaints() {
		if !strings.Contains(says, "/nowhere") { // which is not there
			t.Errorf("the browser says %s", says)
		}
	}
}
