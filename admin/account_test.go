package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

// The first start makes an administrator, by the secret that the server prints.
func TestSetUp(t *testing.T) {
	s := newSite(t)
	v := s.visit("")
	v.get("").want(t, 200, "Sign in", "There is no administrator yet")
	code, err := s.users.SetupCode(t.Context())
	if err != nil || code == "" {
		t.Fatalf("%q, %v", code, err)
	}
	v.get("setup?code="+code).want(t, 200, "Make the administrator")
	form := url.Values{"code": {code}, "name": {"<b>root</b>"}, "password": {password}, "again": {"another"}}
	p := v.post("setup", form)
	if p.want(t, 400, "the two passwords differ"); !strings.Contains(p.html, "&lt;b&gt;root&lt;/b&gt;") || strings.Contains(p.html, password) {
		t.Errorf("the form is answered with %s", p.html)
	}
	form.Set("again", password)
	form.Set("code", "wrong")
	v.post("setup", form).want(t, 403, "this is not the address that the server printed")
	form.Set("code", code)
	if p := v.post("setup", form); p.at != s.root+"layers" {
		t.Errorf("setting up leads to %s: %s", p.at, p.text())
	} else {
		p.want(t, 200, "Layers", "administrator", "Add a raster", "There are no layers yet")
	}
	s.visit("").get("setup?code="+code).want(t, 200, "Sign in")
	s.visit("").post("setup", form).want(t, 200, "Sign in") // somebody was faster
}

// Who is not signed in is asked to, and comes back to the page that was asked for.
func TestSignInComesBack(t *testing.T) {
	s := newSite(t)
	s.addUser("anna", rasterbase.Viewer)
	l := s.addLayer(rasterbase.Layer{Name: "Hills", Visibility: rasterbase.Private})
	v := s.visit("")
	p := v.get("layers/hills?a=b")
	p.want(t, 200, "Sign in")
	at, err := url.Parse(p.at)
	if err != nil || at.Query().Get("next") != "layers/hills?a=b" {
		t.Fatalf("asked to sign in at %s", p.at)
	}
	form := url.Values{"name": {"anna"}, "password": {"wrong password"}, "next": {"layers/hills?a=b"}}
	v.post("sign-in", form).want(t, 401, "the name and the password do not belong together")
	form.Set("password", password)
	if p := v.post("sign-in", form); p.at != s.root+"layers/hills?a=b" {
		t.Errorf("signing in leads to %s", p.at)
	} else {
		p.want(t, 200, l.Name)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "../../x", "javascript:alert(1)", ""} {
		form.Set("next", next)
		if p := s.visit("").post("sign-in", form); p.at != s.root+"layers" {
			t.Errorf("next=%s leads to %s", next, p.at)
		}
	}
	v.post("sign-out", nil).want(t, 200, "Sign in")
	v.get("layers/hills").want(t, 200, "Sign in")
}

// A form that another site had sent changes nothing, whatever the browser is signed in as.
func TestForgedForms(t *testing.T) {
	s := newSite(t)
	s.addUser("root", rasterbase.Administrator)
	s.addLayer(rasterbase.Layer{Name: "Hills", Visibility: rasterbase.Public})
	v := s.visit("root")
	for path, form := range map[string]url.Values{
		"layers/1/reparse": {},
		"layers/1":         {"name": {"Forged"}, "visibility": {"public"}},
		"layers":           {"path": {"/etc/passwd"}},
		"layers/selection": {"layer": {"1"}, "action": {"delete"}, "sure": {"yes"}},
		"sign-out":         {},
	} {
		for _, header := range []string{"Sec-Fetch-Site", "Origin"} {
			r := v.request("POST", path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
			r.Header.Set(header, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}[header])
			v.do(r).want(t, 403)
		}
	}
	v.get("layers/1").want(t, 200, "Hills", "root")
}

// The pages load nothing from elsewhere, and are in no frame of another page.
func TestPagesArePrivate(t *testing.T) {
	s := newSite(t)
	s.addUser("anna", rasterbase.Viewer)
	v := s.visit("anna")
	resp, err := v.client.Do(v.request("GET", "layers", nil, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q has no %s", policy, want)
		}
	}
	if got := resp.Header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("Cache-Control: %s", got)
	}
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("Access-Control-Allow-Origin: %s", got)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}
