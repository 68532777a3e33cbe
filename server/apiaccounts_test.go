package server_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/server"
)

// accountDoc is a user or a token as the API answers it.
type accountDoc struct {
	ID                      int64
	Name, User, Role, Scope string
	Password                bool
	Tokens                  int
	Secret                  string
	Expires, Used           *time.Time
}

type accountList struct{ Items []accountDoc }

// signedServer is a server with the users of addUsers and real tokens: one for each role
// without a scope, and one of the administrator for each scope, as "administrator viewer".
func signedServer(t *testing.T) (*server.Server, map[string]string) {
	t.Helper()
	st := newStore(t)
	users := addUsers(t, st)
	all, err := users.Users(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for _, u := range all {
		scopes := []rasterbase.Role{""}
		if u.Role == rasterbase.Administrator {
			scopes = append(scopes, rasterbase.Roles...)
		}
		for _, scope := range scopes {
			secret, err := users.AddToken(t.Context(), &rasterbase.Token{User: u.ID, Scope: scope})
			if err != nil {
				t.Fatal(err)
			}
			name := string(u.Role)
			if scope != "" {
				name += " " + string(scope)
			}
			secrets[name] = secret
		}
	}
	s := newServer(t, server.Config{Store: st, Auth: users, Accounts: users, Parser: &recordParser{st: st}})
	t.Cleanup(s.Close)
	return s, secrets
}

func TestUsersOverHTTP(t *testing.T) {
	s, secrets := signedServer(t)
	as := func(who, method, path, body string) *accountAnswer {
		return askAccount(t, s, secrets[who], method, path, body)
	}
	anna := as("administrator", "POST", "/api/v1/users", `{"name":"anna","role":"viewer","password":"four words for nobody"}`).want(201)
	if anna.Role != "viewer" || !anna.Password || anna.Tokens != 0 {
		t.Errorf("made is %+v", anna)
	}
	path := fmt.Sprintf("/api/v1/users/%d", anna.ID)
	as("administrator", "POST", "/api/v1/users", `{"name":"ANNA","role":"viewer"}`).want(409)
	as("administrator", "POST", "/api/v1/users", `{"name":"a:b","role":"viewer"}`).want(400)
	as("administrator", "POST", "/api/v1/users", `{"name":"bert","role":"viewer","password":"short"}`).want(400)
	as("administrator", "POST", "/api/v1/users", `{"name":"bert","role":"king"}`).want(400)
	if u := as("administrator", "PATCH", path, `{"role":"editor","password":null}`).want(200); u.Role != "editor" || u.Password {
		t.Errorf("changed is %+v", u)
	}
	// A change is made as a whole.
	as("administrator", "PATCH", path, `{"role":"viewer","password":"short"}`).want(400)
	as("administrator", "PATCH", path, `{"role":"viewer","name":"the editor"}`).want(409)
	as("administrator", "PATCH", path, `{"name":"a rather long name","password":"a rather long name"}`).want(400)
	as("administrator", "DELETE", "/api/v1/users/99", "").want(404)
	all := read[accountList](t, as("administrator", "GET", "/api/v1/users", "").w, 200)
	if len(all.Items) != 4 || all.Items[0].Name != "anna" || all.Items[0].Role != "editor" || all.Items[1].Tokens != 4 {
		t.Errorf("the users are %+v", all)
	}
	as("administrator", "DELETE", path, "").want(204)
	as("administrator", "GET", "/api/v1/users", "").want(200)

	// Somebody administrates in any case, and a scope is a limit here too.
	admin := fmt.Sprintf("/api/v1/users/%d", all.Items[1].ID)
	as("administrator", "PATCH", admin, `{"role":"editor"}`).want(409)
	as("administrator", "DELETE", admin, "").want(409)
	as("administrator editor", "GET", "/api/v1/users", "").want(403)
	as("administrator administrator", "GET", "/api/v1/users", "").want(200)
}

func TestTokensOverHTTP(t *testing.T) {
	s, secrets := signedServer(t)
	as := func(who, method, path, body string) *accountAnswer {
		return askAccount(t, s, secrets[who], method, path, body)
	}
	made := as("editor", "POST", "/api/v1/tokens", `{"name":"dashboard","scope":"viewer"}`).want(201)
	if made.User != "the editor" || made.Scope != "viewer" || made.Expires == nil || time.Until(*made.Expires) < 360*24*time.Hour {
		t.Errorf("made is %+v", made)
	}
	secrets["dashboard"] = made.Secret
	if me := as("dashboard", "GET", "/api/v1/me", "").want(200); me.Role != "viewer" || me.Name != "the editor" {
		t.Errorf("the token is %+v", me)
	}
	as("dashboard", "POST", "/api/v1/legends", `{"title":"New","entries":[]}`).want(403)
	as("editor", "POST", "/api/v1/legends", `{"title":"New","entries":[]}`).want(201)

	// What has less than its user's rights makes nothing that has more.
	as("dashboard", "POST", "/api/v1/tokens", `{"scope":"viewer"}`).want(403)
	as("dashboard", "DELETE", fmt.Sprintf("/api/v1/tokens/%d", made.ID), "").want(403)
	as("administrator editor", "PUT", "/api/v1/me/password", `{"password":"the one until now","new":"another one for me"}`).want(403)

	// Nor where its user may no more by now: they may come to.
	small := as("viewer", "POST", "/api/v1/tokens", `{"scope":"viewer"}`).want(201)
	secrets["no more yet"] = small.Secret
	if me := as("no more yet", "GET", "/api/v1/me", "").want(200); me.Role != "viewer" || me.Scope != "viewer" {
		t.Errorf("the token is %+v", me)
	}
	as("no more yet", "POST", "/api/v1/tokens", `{}`).want(403)
	as("no more yet", "POST", "/api/v1/tokens", `{"scope":"administrator"}`).want(403)
	as("no more yet", "PUT", "/api/v1/me/password", `{"password":"the one until now","new":"another one for me"}`).want(403)
	as("viewer", "DELETE", fmt.Sprintf("/api/v1/tokens/%d", small.ID), "").want(204)

	mine := read[accountList](t, as("dashboard", "GET", "/api/v1/tokens", "").w, 200)
	if len(mine.Items) != 2 || mine.Items[1].Secret != "" || mine.Items[1].Name != "dashboard" {
		t.Errorf("the editor's are %+v", mine)
	}
	as("editor", "GET", "/api/v1/tokens?all=true", "").want(403)
	if all := read[accountList](t, as("administrator", "GET", "/api/v1/tokens?all=true", "").w, 200); len(all.Items) != 7 {
		t.Errorf("all are %+v", all)
	}
	if never := as("viewer", "POST", "/api/v1/tokens", `{"expires":null}`).want(201); never.Expires != nil {
		t.Errorf("made is %+v", never)
	}
	as("viewer", "POST", "/api/v1/tokens", `{"expires":"2020-01-01T00:00:00Z"}`).want(400)
	as("viewer", "POST", "/api/v1/tokens", `{"scope":"king"}`).want(400)
	as("viewer", "DELETE", fmt.Sprintf("/api/v1/tokens/%d", made.ID), "").want(404) // another's
	as("administrator", "DELETE", fmt.Sprintf("/api/v1/tokens/%d", made.ID), "").want(204)
	as("dashboard", "GET", "/api/v1/me", "").want(401)
}

// Administrators make tokens of others, and nobody else does.
func TestTokensOfOthersOverHTTP(t *testing.T) {
	s, secrets := signedServer(t)
	as := func(who, body string) *accountAnswer {
		return askAccount(t, s, secrets[who], "POST", "/api/v1/tokens", body)
	}
	for _, who := range []string{"administrator", "administrator administrator"} {
		made := as(who, `{"user":"the viewer","name":"dashboard"}`).want(201)
		if made.User != "the viewer" {
			t.Errorf("made is %+v", made)
		}
		if me := askAccount(t, s, made.Secret, "GET", "/api/v1/me", "").want(200); me.Name != "the viewer" || me.Role != "viewer" {
			t.Errorf("the token is %+v", me)
		}
	}
	as("administrator", `{"user":"nobody"}`).want(404)
	as("administrator viewer", `{"user":"the viewer"}`).want(403)
	as("administrator editor", `{"user":"the viewer"}`).want(403)
	for _, who := range []string{"viewer", "editor"} {
		as(who, `{"user":"the administrator"}`).want(403)
		as(who, `{"user":"nobody"}`).want(403)
		as(who, fmt.Sprintf(`{"user":"the %s"}`, who)).want(201)
	}
}

func TestOnesOwnPasswordOverHTTP(t *testing.T) {
	s, secrets := signedServer(t)
	change := func(old, other string) *accountAnswer {
		return askAccount(t, s, secrets["editor"], "PUT", "/api/v1/me/password", fmt.Sprintf(`{"password":%q,"new":%q}`, old, other))
	}
	change("not this one", "another one for me").want(403)
	change("the one until now", "short").want(400)
	change("the one until now", "").want(400)
	change("the one until now", "another one for me").want(204)
	change("the one until now", "another one for me").want(403)
	change("another one for me", "the one until now").want(204)
}

func TestServersWithoutUsersSaySo(t *testing.T) {
	st := newStore(t)
	s := newServer(t, server.Config{Store: st, Auth: roleAuth{auth.New(st.Catalog(), auth.Options{})}})
	for _, c := range [][3]string{
		{"GET", "/api/v1/users", ""}, {"POST", "/api/v1/users", `{"name":"a","role":"viewer"}`}, {"PATCH", "/api/v1/users/1", `{}`}, {"DELETE", "/api/v1/users/1", ""},
		{"GET", "/api/v1/tokens", ""}, {"POST", "/api/v1/tokens", `{}`}, {"DELETE", "/api/v1/tokens/1", ""}, {"PUT", "/api/v1/me/password", `{"password":"a","new":"b"}`},
	} {
		wantProblem(t, call(t, s, "administrator", c[0], c[1], c[2]), 501)
	}
}

// accountAnswer is an answer about an account.
type accountAnswer struct {
	t *testing.T
	w *httptest.ResponseRecorder
}

// askAccount asks with a token.
func askAccount(t *testing.T, s *server.Server, secret, method, path, body string) *accountAnswer {
	t.Helper()
	return &accountAnswer{t, call(t, s, secret, method, path, body)}
}

// want gives what the answer tells, which has to have a status.
func (a *accountAnswer) want(status int) (doc accountDoc) {
	a.t.Helper()
	wantStatus(a.t, a.w, status)
	if status < 300 && a.w.Body.Len() > 0 {
		if err := json.Unmarshal(a.w.Body.Bytes(), &doc); err != nil {
			a.t.Fatalf("%v in %.300s", err, a.w.Body)
		}
	}
	return doc
}
