package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

func newCatalog(t testing.TB) store.Catalog {
	t.Helper()
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db.Catalog()
}

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func addUser(t testing.TB, c store.Catalog, name string, role rasterbase.Role) *rasterbase.User {
	t.Helper()
	u := &rasterbase.User{Name: name, Role: role}
	update(t, c, func(tx store.Tx) error { return tx.Users().Create(t.Context(), u) })
	return u
}

func addToken(t testing.TB, c store.Catalog, u *rasterbase.User, expires time.Time) (string, *rasterbase.Token) {
	t.Helper()
	secret, token := auth.NewToken(u.ID, "test", expires)
	update(t, c, func(tx store.Tx) error { return tx.Tokens().Create(t.Context(), &token) })
	return secret, &token
}

func update(t testing.TB, c store.Catalog, fn func(store.Tx) error) {
	t.Helper()
	if err := c.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func readToken(t testing.TB, c store.Catalog, id rasterbase.TokenID) (token *rasterbase.Token) {
	t.Helper()
	err := c.View(t.Context(), func(tx store.Tx) (err error) {
		token, err = tx.Tokens().Get(t.Context(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newAuth(t testing.TB, c store.Catalog, now func() time.Time) *auth.Auth {
	t.Helper()
	a := auth.New(c, auth.Options{Now: now})
	t.Cleanup(a.Close)
	return a
}

func request(header ...string) *http.Request {
	r := httptest.NewRequest("GET", "/tiles/1/0/0/0.png", nil)
	for _, h := range header {
		r.Header.Add("Authorization", h)
	}
	return r
}

func withPassword(name, password string) *http.Request {
	r := request()
	r.SetBasicAuth(name, password)
	return r
}

func TestTokensAreKnown(t *testing.T) {
	c, now := newCatalog(t), newClock()
	anna, bert := addUser(t, c, "Anna", rasterbase.Editor), addUser(t, c, "Bert", rasterbase.Viewer)
	annas, _ := addToken(t, c, anna, time.Time{})
	berts, _ := addToken(t, c, bert, now.Now().Add(time.Hour))
	a := newAuth(t, c, now.Now)
	for name, x := range map[string]struct {
		request *http.Request
		want    rasterbase.Principal
	}{
		"nobody":        {request(), rasterbase.Principal{}},
		"bearer":        {request("Bearer " + annas), rasterbase.Principal{Name: "Anna", Role: rasterbase.Editor}},
		"basic":         {withPassword("Anna", annas), rasterbase.Principal{Name: "Anna", Role: rasterbase.Editor}},
		"in any case":   {withPassword("ANNA", annas), rasterbase.Principal{Name: "Anna", Role: rasterbase.Editor}},
		"somebody else": {request("Bearer " + berts), rasterbase.Principal{Name: "Bert", Role: rasterbase.Viewer}},
	} {
		got, err := a.Principal(x.request)
		if err != nil || got != x.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, x.want)
		}
	}
}

// Whoever guesses does not learn how near they were.
func TestWrongCredentialsAreToldAlike(t *testing.T) {
	c, now := newCatalog(t), newClock()
	anna, bert, gone := addUser(t, c, "anna", rasterbase.Editor), addUser(t, c, "bert", rasterbase.Viewer), addUser(t, c, "gone", rasterbase.Viewer)
	annas, _ := addToken(t, c, anna, time.Time{})
	expired, _ := addToken(t, c, anna, now.Now())
	deleted, deletedToken := addToken(t, c, bert, time.Time{})
	gones, _ := addToken(t, c, gone, time.Time{})
	update(t, c, func(tx store.Tx) error {
		return errors.Join(tx.Tokens().Delete(t.Context(), deletedToken.ID), tx.Users().Delete(t.Context(), gone.ID))
	})
	unknown, _ := auth.NewToken(anna.ID, "", time.Time{})
	a := newAuth(t, c, now.Now)
	for name, r := range map[string]*http.Request{
		"unknown":             request("Bearer " + unknown),
		"of another shape":    request("Bearer secret"),
		"only the prefix":     request("Bearer rb_"),
		"very long":           request("Bearer rb_" + strings.Repeat("A", 1000)),
		"the hash":            request("Bearer rb_" + auth.Hash(annas)),
		"in lower case":       request("Bearer " + strings.ToLower(annas)),
		"expired":             request("Bearer " + expired),
		"expired, named":      withPassword("anna", expired),
		"deleted":             request("Bearer " + deleted),
		"of a user gone":      request("Bearer " + gones),
		"of somebody else":    withPassword("bert", annas),
		"of an unknown user":  withPassword("nobody", annas),
		"with a wrong secret": withPassword("anna", unknown),
	} {
		_, err := a.Principal(r)
		const want = "the credentials are not valid"
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Code != rasterbase.Unauthorized || e.Message != want || !strings.Contains(e.Hint, "Bearer") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Principal(request("Bearer " + annas)); err != nil {
		t.Errorf("the right credentials after them: %v", err)
	}
}

func TestTokensExpireToTheMoment(t *testing.T) {
	c, now := newCatalog(t), newClock()
	secret, token := addToken(t, c, addUser(t, c, "anna", rasterbase.Viewer), now.Now().Add(time.Hour))
	a := newAuth(t, c, now.Now)
	for _, step := range []struct {
		pass time.Duration
		want rasterbase.Code
	}{{0, ""}, {time.Hour - time.Second, ""}, {time.Second, rasterbase.Unauthorized}, {time.Hour, rasterbase.Unauthorized}} {
		now.pass(step.pass)
		_, err := a.Principal(request("Bearer " + secret))
		if got := rasterbase.CodeOf(err); got != step.want {
			t.Errorf("at %s: %v, want code %q", now.Now(), err, step.want)
		}
		if got, want := auth.Expired(*token, now.Now()), step.want != ""; got != want {
			t.Errorf("at %s: expired is %v", now.Now(), got)
		}
	}
}

// A token may do no more than its scope says, nor than its user may by now.
func TestScopesLimitTokens(t *testing.T) {
	c := newCatalog(t)
	a := newAuth(t, c, nil)
	for _, x := range []struct{ role, scope, want rasterbase.Role }{
		{rasterbase.Administrator, "", rasterbase.Administrator},
		{rasterbase.Administrator, rasterbase.Viewer, rasterbase.Viewer},
		{rasterbase.Administrator, rasterbase.Editor, rasterbase.Editor},
		{rasterbase.Administrator, rasterbase.Administrator, rasterbase.Administrator},
		{rasterbase.Editor, rasterbase.Administrator, rasterbase.Editor},
		{rasterbase.Viewer, rasterbase.Administrator, rasterbase.Viewer},
		{rasterbase.Viewer, rasterbase.Editor, rasterbase.Viewer},
		{rasterbase.Administrator, "captain", "captain"}, // of a later version: no right at all
	} {
		u := addUser(t, c, fmt.Sprintf("%s with %q", x.role, x.scope), x.role)
		secret, token := auth.NewToken(u.ID, "", time.Time{})
		token.Scope = x.scope
		update(t, c, func(tx store.Tx) error { return tx.Tokens().Create(t.Context(), &token) })
		got, err := a.Principal(request("Bearer " + secret))
		if want := (rasterbase.Principal{Name: u.Name, Role: x.want, Scope: x.scope}); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}

func TestSecrets(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		secret, token := auth.NewToken(7, "laptop", time.Time{})
		if !strings.HasPrefix(secret, "rb_") || len(secret) < 3+26 || seen[secret] {
			t.Fatalf("the secret is %q", secret)
		}
		if token.Hash != auth.Hash(secret) || len(token.Hash) != 64 || token.User != 7 || token.Name != "laptop" {
			t.Fatalf("the token is %+v", token)
		}
		if strings.Contains(fmt.Sprintf("%+v", token), secret[3:]) {
			t.Fatal("the token holds its secret")
		}
		seen[secret] = true
	}
	// echo -n rb_ABC | sha256sum
	if got := auth.Hash("rb_ABC"); got != "95e15ada8d4166587107662b00bf73fef2ef1ca85ce250efbe950e9c07ab9652" {
		t.Errorf("the hash is %s", got)
	}
}

func TestRolesMay(t *testing.T) {
	public, private := &rasterbase.Layer{Visibility: rasterbase.Public}, &rasterbase.Layer{Visibility: rasterbase.Private}
	who := []rasterbase.Principal{
		{},
		{Name: "v", Role: rasterbase.Viewer},
		{Name: "e", Role: rasterbase.Editor},
		{Name: "a", Role: rasterbase.Administrator},
		{Name: "x", Role: "captain"}, // of a host's
		{Role: rasterbase.Administrator},
	}
	const yes, no, low = rasterbase.Code(""), rasterbase.Unauthorized, rasterbase.Forbidden
	for _, c := range []struct {
		what  rasterbase.Action
		layer *rasterbase.Layer
		want  [6]rasterbase.Code
	}{
		{rasterbase.Read, nil, [6]rasterbase.Code{yes, yes, yes, yes, yes, yes}},
		{rasterbase.Read, public, [6]rasterbase.Code{yes, yes, yes, yes, yes, yes}},
		{rasterbase.Read, &rasterbase.Layer{}, [6]rasterbase.Code{yes, yes, yes, yes, yes, yes}},
		{rasterbase.Read, private, [6]rasterbase.Code{no, yes, yes, yes, low, no}},
		{rasterbase.Edit, nil, [6]rasterbase.Code{no, low, yes, yes, low, no}},
		{rasterbase.Edit, public, [6]rasterbase.Code{no, low, yes, yes, low, no}},
		{rasterbase.Edit, private, [6]rasterbase.Code{no, low, yes, yes, low, no}},
		{rasterbase.Manage, nil, [6]rasterbase.Code{no, low, low, yes, low, no}},
		{rasterbase.Manage, private, [6]rasterbase.Code{no, low, low, yes, low, no}},
		{"fly", nil, [6]rasterbase.Code{no, low, low, yes, low, no}},
	} {
		a := newAuth(t, newCatalog(t), nil)
		for i, p := range who {
			err := a.May(t.Context(), p, c.what, c.layer)
			if got := rasterbase.CodeOf(err); got != c.want[i] {
				t.Errorf("%+v, %s of %+v: %v, want code %q", p, c.what, c.layer, err, c.want[i])
			}
			e, ok := errors.AsType[*rasterbase.Error](err)
			if ok && e.Hint == "" {
				t.Errorf("no way out: %v", err)
			}
		}
	}
}

// brokenCatalog cannot read.
type brokenCatalog struct{ store.Catalog }

func (brokenCatalog) View(context.Context, func(store.Tx) error) error {
	return rasterbase.Errorf(rasterbase.Unauthorized, "the database wants a password")
}

func TestAFailureOfTheStorageIsNotOneOfTheSender(t *testing.T) {
	a := newAuth(t, brokenCatalog{newCatalog(t)}, nil)
	secret, _ := auth.NewToken(1, "", time.Time{})
	for range 100 {
		_, err := a.Principal(request("Bearer " + secret))
		if got := rasterbase.CodeOf(err); got != rasterbase.Internal {
			t.Fatalf("code %q: %v", got, err)
		}
	}
}

func TestUsesAreNoted(t *testing.T) {
	c, now := newCatalog(t), newClock()
	secret, token := addToken(t, c, addUser(t, c, "anna", rasterbase.Viewer), time.Time{})
	counted := &countingCatalog{Catalog: c}
	a := newAuth(t, counted, now.Now)
	use := func() time.Time {
		if _, err := a.Principal(request("Bearer " + secret)); err != nil {
			t.Fatal(err)
		}
		a.Close()
		return readToken(t, c, token.ID).Used
	}
	first := now.Now()
	if got := use(); !got.Equal(first) {
		t.Errorf("used %s, want %s", got, first)
	}
	now.pass(9 * time.Minute)
	if got := use(); !got.Equal(first) {
		t.Errorf("used %s, want as before, %s", got, first)
	}
	if counted.updates() != 1 {
		t.Errorf("%d writes, want 1", counted.updates())
	}
	now.pass(time.Minute)
	if got := use(); !got.Equal(now.Now()) {
		t.Errorf("used %s, want %s", got, now.Now())
	}
	if counted.updates() != 2 {
		t.Errorf("%d writes, want 2", counted.updates())
	}
	// Another process has noted it shortly before.
	b := newAuth(t, counted, now.Now)
	if _, err := b.Principal(request("Bearer " + secret)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if counted.updates() != 2 {
		t.Errorf("%d writes, want still 2", counted.updates())
	}
}

// countingCatalog counts what is written, and can be told to refuse it or to
// wait.
type countingCatalog struct {
	store.Catalog
	mu     sync.Mutex
	n      int
	refuse error
	wait   chan struct{}
}

func (c *countingCatalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	if c.wait != nil {
		<-c.wait
	}
	if c.refuse != nil {
		return c.refuse
	}
	return c.Catalog.Update(ctx, fn)
}

func (c *countingCatalog) updates() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestARequestDoesNotNeedToWrite(t *testing.T) {
	c, now := newCatalog(t), newClock()
	anna := addUser(t, c, "anna", rasterbase.Viewer)
	secret, _ := addToken(t, c, anna, time.Time{})
	other, _ := addToken(t, c, anna, time.Time{})
	for name, counted := range map[string]*countingCatalog{
		"read-only": {Catalog: c, refuse: errors.New("attempt to write a readonly database")},
		"busy":      {Catalog: c, wait: make(chan struct{})}, // requests are answered before the write ends
	} {
		a := newAuth(t, counted, now.Now)
		for range 50 {
			for _, s := range []string{secret, other} {
				if _, err := a.Principal(request("Bearer " + s)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if counted.wait != nil {
			close(counted.wait)
		}
		a.Close()
		if n := counted.updates(); n > 2 {
			t.Errorf("%s: %d attempts to write for two tokens", name, n)
		}
	}
}

func from(r *http.Request, address string) *http.Request {
	r.RemoteAddr = address
	return r
}

func wrongSecret() string {
	secret, _ := auth.NewToken(0, "", time.Time{})
	return secret
}

func TestWrongCredentialsAreLimited(t *testing.T) {
	c, now := newCatalog(t), newClock()
	anna := addUser(t, c, "anna", rasterbase.Viewer)
	working, _ := addToken(t, c, anna, time.Time{})
	fresh, _ := addToken(t, c, anna, time.Time{})
	a := newAuth(t, c, now.Now)
	const proxy, elsewhere = "192.0.2.1:999", "192.0.2.2:999"
	try := func(address, secret string, want rasterbase.Code) {
		t.Helper()
		_, err := a.Principal(from(request("Bearer "+secret), address))
		if got := rasterbase.CodeOf(err); got != want {
			t.Fatalf("from %s: %v, want code %q", address, err, want)
		}
	}
	try(proxy, working, "")
	repeated := wrongSecret()
	for range 200 { // a program that does not know better costs its neighbours one failure
		try(proxy, repeated, rasterbase.Unauthorized)
	}
	try(proxy, fresh, "")
	for range 19 {
		try(proxy, wrongSecret(), rasterbase.Unauthorized)
	}
	for range 10 {
		try(proxy, wrongSecret(), rasterbase.TooMany)
	}
	try(proxy, repeated, rasterbase.Unauthorized)
	try(proxy, working, "") // was right before
	try(elsewhere, wrongSecret(), rasterbase.Unauthorized)
	newest, _ := addToken(t, c, anna, time.Time{})
	try(elsewhere, newest, "")
	try(proxy, newest, "") // has shown elsewhere that it is right

	now.pass(3 * time.Second)
	try(proxy, wrongSecret(), rasterbase.Unauthorized)
	try(proxy, wrongSecret(), rasterbase.TooMany)
	another, _ := addToken(t, c, anna, time.Time{})
	try(proxy, another, rasterbase.TooMany)
	now.pass(3 * time.Second)
	try(proxy, another, "")
	now.pass(time.Hour)
	for range 20 {
		try(proxy, wrongSecret(), rasterbase.Unauthorized)
	}
	try(proxy, wrongSecret(), rasterbase.TooMany)
	try(proxy, working, rasterbase.TooMany) // was right too long ago
	if _, err := a.Principal(from(request(), proxy)); err != nil {
		t.Errorf("nobody in particular has to wait: %v", err)
	}
}

func TestTheLimitKnowsProxies(t *testing.T) {
	c := newCatalog(t)
	now := newClock()
	a := auth.New(c, auth.Options{Now: now.Now, Address: func(r *http.Request) string { return r.Header.Get("X-Forwarded-For") }})
	for i := range 200 {
		r := request("Bearer " + wrongSecret())
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i%20))
		if _, err := a.Principal(r); rasterbase.CodeOf(err) != rasterbase.Unauthorized {
			t.Fatal(err)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	c := newCatalog(t)
	anna := addUser(t, c, "anna", rasterbase.Viewer)
	secret, token := addToken(t, c, anna, time.Time{})
	a := newAuth(t, c, nil)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 50 {
				r := from(request("Bearer "+secret), fmt.Sprintf("192.0.2.%d:1", k%3))
				want := rasterbase.Code("")
				if i%2 == 1 {
					r.Header.Set("Authorization", "Bearer "+wrongSecret())
					want = rasterbase.Unauthorized
				}
				_, err := a.Principal(r)
				if got := rasterbase.CodeOf(err); got != want && (want == "" || got != rasterbase.TooMany) {
					t.Errorf("%v, want code %q", err, want)
				}
			}
		})
	}
	all.Wait()
	a.Close()
	if readToken(t, c, token.ID).Used.IsZero() {
		t.Error("no use was noted")
	}
}

func BenchmarkPrincipal(b *testing.B) {
	c := newCatalog(b)
	secret, _ := addToken(b, c, addUser(b, c, "anna", rasterbase.Viewer), time.Time{})
	a := newAuth(b, c, nil)
	r := request("Bearer " + secret)
	for b.Loop() {
		if _, err := a.Principal(r); err != nil {
			b.Fatal(err)
		}
	}
}
