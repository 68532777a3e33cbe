package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/store"
)

const password = "four words for nobody"

// setPassword gives a user a password.
func setPassword(t testing.TB, c store.Catalog, u *rasterbase.User, password string) {
	t.Helper()
	hash, err := auth.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	update(t, c, func(tx store.Tx) error { return tx.Users().SetPassword(t.Context(), u.ID, hash) })
}

// form is a request as a page of our own sends it.
func form() *http.Request {
	r := httptest.NewRequest("POST", "https://maps.example/admin/sign-in", nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// signIn signs in and gives the cookie.
func signIn(t testing.TB, a *auth.Auth, name, password string) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := a.SignIn(w, form(), name, password); err != nil {
		t.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("the cookies are %v", cookies)
	}
	return cookies[0]
}

func with(method string, cookie *http.Cookie, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "https://maps.example/api/v1/layers", nil)
	r.AddCookie(cookie)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func wantNobody(t testing.TB, a *auth.Auth, r *http.Request) {
	t.Helper()
	if who, err := a.Principal(r); err != nil || who != (rasterbase.Principal{}) {
		t.Errorf("the request is from %v, %v", who, err)
	}
}

func TestSignIn(t *testing.T) {
	c, clock := newCatalog(t), &clock{now: time.Now()}
	a := auth.New(c, auth.Options{Now: clock.Now})
	defer a.Close()
	u := addUser(t, c, "Anna", rasterbase.Editor)
	setPassword(t, c, u, password)
	cookie := signIn(t, a, "anna", password)
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || len(cookie.Value) < 26 {
		t.Errorf("the cookie is %v", cookie)
	}
	who, err := a.Principal(with("GET", cookie))
	if err != nil || who != (rasterbase.Principal{Name: "Anna", Role: rasterbase.Editor}) {
		t.Errorf("signed in as %v, %v", who, err)
	}
	// The role is that of now.
	update(t, c, func(tx store.Tx) error {
		return tx.Users().Update(t.Context(), &rasterbase.User{ID: u.ID, Name: "Anna", Role: rasterbase.Viewer})
	})
	if who, err := a.Principal(with("GET", cookie)); err != nil || who.Role != rasterbase.Viewer {
		t.Errorf("signed in as %v, %v", who, err)
	}
	clock.pass(6 * 24 * time.Hour)
	if who, err := a.Principal(with("GET", cookie)); err != nil || who.Name == "" {
		t.Errorf("after six days: %v, %v", who, err)
	}
	wantNobody(t, a, with("GET", &http.Cookie{Name: auth.CookieName, Value: "made-up"}))
}

// What another site has a browser send changes nothing.
func TestAnotherSitesRequests(t *testing.T) {
	c := newCatalog(t)
	a := auth.New(c, auth.Options{})
	defer a.Close()
	setPassword(t, c, addUser(t, c, "anna", rasterbase.Administrator), password)
	cookie := signIn(t, a, "anna", password)
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			who, err := a.Principal(with(method, cookie, headers...))
			if rasterbase.CodeOf(err) != rasterbase.Forbidden || who.Name != "" {
				t.Errorf("%s with %v is from %v, %v", method, headers, who, err)
			}
		}
		if who, err := a.Principal(with("GET", cookie, headers...)); err != nil || who.Name != "anna" {
			t.Errorf("GET with %v is from %v, %v", headers, who, err)
		}
		r := form()
		r.Header = http.Header{headers[0]: {headers[1]}}
		for what, err := range map[string]error{
			"sign in":  a.SignIn(httptest.NewRecorder(), r, "anna", password),
			"sign out": a.SignOut(httptest.NewRecorder(), r),
			"set up":   a.SetUp(httptest.NewRecorder(), r, "x", "eve", password),
		} {
			if rasterbase.CodeOf(err) != rasterbase.Forbidden {
				t.Errorf("%s with %v: %v", what, headers, err)
			}
		}
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://maps.example"}, nil} {
		if who, err := a.Principal(with("DELETE", cookie, headers...)); err != nil || who.Name != "anna" {
			t.Errorf("DELETE with %v is from %v, %v", headers, who, err)
		}
	}
}

// A session ends when it is signed out of, when the password is another one, when the
// user is gone, and after a week.
func TestSessionsEnd(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *auth.Auth, store.Catalog, *rasterbase.User, *http.Cookie, *clock){
		"signed out": func(t *testing.T, a *auth.Auth, _ store.Catalog, _ *rasterbase.User, cookie *http.Cookie, _ *clock) {
			r, w := form(), httptest.NewRecorder()
			r.AddCookie(cookie)
			if err := a.SignOut(w, r); err != nil {
				t.Fatal(err)
			}
			if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
				t.Errorf("the cookie is %v", c)
			}
		},
		"another password": func(t *testing.T, _ *auth.Auth, c store.Catalog, u *rasterbase.User, _ *http.Cookie, _ *clock) {
			setPassword(t, c, u, "another one now")
		},
		"deleted": func(t *testing.T, _ *auth.Auth, c store.Catalog, u *rasterbase.User, _ *http.Cookie, _ *clock) {
			update(t, c, func(tx store.Tx) error { return tx.Users().Delete(t.Context(), u.ID) })
		},
		"a week": func(_ *testing.T, _ *auth.Auth, _ store.Catalog, _ *rasterbase.User, _ *http.Cookie, k *clock) {
			k.pass(8 * 24 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, k := newCatalog(t), &clock{now: time.Now()}
			a := auth.New(c, auth.Options{Now: k.Now})
			defer a.Close()
			u := addUser(t, c, "anna", rasterbase.Editor)
			setPassword(t, c, u, password)
			cookie := signIn(t, a, "anna", password)
			if who, err := a.Principal(with("GET", cookie)); err != nil || who.Name != "anna" {
				t.Fatalf("%v, %v", who, err)
			}
			end(t, a, c, u, cookie, k)
			wantNobody(t, a, with("GET", cookie))
		})
	}
}

// Wrong names and wrong passwords are answered alike, and not without end.
func TestWrongPasswords(t *testing.T) {
	c, k := newCatalog(t), newClock()
	a := auth.New(c, auth.Options{Now: k.Now})
	defer a.Close()
	setPassword(t, c, addUser(t, c, "anna", rasterbase.Editor), password)
	addUser(t, c, "tokens-only", rasterbase.Editor)
	said := map[string]bool{}
	for _, name := range []string{"anna", "nobody", "tokens-only", ""} {
		w := httptest.NewRecorder()
		err := a.SignIn(w, form(), name, "not the password")
		if rasterbase.CodeOf(err) != rasterbase.Unauthorized || len(w.Result().Cookies()) != 0 {
			t.Errorf("%q: %v", name, err)
		}
		said[err.Error()] = true
	}
	if len(said) != 1 {
		t.Errorf("the answers differ: %v", said)
	}
	code := rasterbase.Code("")
	for i := 0; i < 40 && code != rasterbase.TooMany; i++ {
		code = rasterbase.CodeOf(a.SignIn(httptest.NewRecorder(), form(), "anna", strings.Repeat("x", i)))
	}
	if code != rasterbase.TooMany {
		t.Errorf("after many wrong passwords: %v", code)
	}
	k.pass(time.Hour)
	signIn(t, a, "anna", password)
}

func TestSetUp(t *testing.T) {
	c := newCatalog(t)
	a := auth.New(c, auth.Options{})
	defer a.Close()
	addUser(t, c, "reader", rasterbase.Viewer)
	code, err := a.SetupCode(t.Context())
	if err != nil || len(code) < 26 {
		t.Fatalf("%q, %v", code, err)
	}
	for _, x := range []struct {
		code, name, password string
		want                 rasterbase.Code
	}{
		{"", "root", password, rasterbase.Forbidden},
		{code + "x", "root", password, rasterbase.Forbidden},
		{code, "1:2", password, rasterbase.Invalid},
		{code, "root", "brief", rasterbase.Invalid},
		{code, "a-long-user-name", "A-long-user-name", rasterbase.Invalid},
		{code, "root", "zzzzzzzzzzzz", rasterbase.Invalid},
		{code, "READER", password, rasterbase.Conflict},
	} {
		err := a.SetUp(httptest.NewRecorder(), form(), x.code, x.name, x.password)
		if rasterbase.CodeOf(err) != x.want || strings.Contains(err.Error(), x.password) && x.password != "" {
			t.Errorf("%v: %v", x, err)
		}
	}
	// Of two who set it up at once, one does.
	var wg sync.WaitGroup
	results := make([]error, 2)
	recorders := []*httptest.ResponseRecorder{httptest.NewRecorder(), httptest.NewRecorder()}
	for i := range results {
		wg.Go(func() { results[i] = a.SetUp(recorders[i], form(), code, []string{"root", "boss"}[i], password) })
	}
	wg.Wait()
	made := 0
	for i, err := range results {
		if err != nil {
			if rasterbase.CodeOf(err) != rasterbase.Conflict {
				t.Error(err)
			}
			continue
		}
		made++
		who, err := a.Principal(with("GET", recorders[i].Result().Cookies()[0]))
		if err != nil || who.Role != rasterbase.Administrator {
			t.Errorf("set up as %v, %v", who, err)
		}
	}
	if made != 1 {
		t.Errorf("%d administrators were made", made)
	}
	if code, err := a.SetupCode(t.Context()); code != "" || err != nil {
		t.Errorf("afterwards the code is %q, %v", code, err)
	}
}
