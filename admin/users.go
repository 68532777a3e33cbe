package admin

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rasterbase/rasterbase"
)

// userRow is a user as administrators see them.
type userRow struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Password bool      `json:"password"`
	Tokens   int       `json:"tokens"`
	Created  time.Time `json:"created"`
}

// userList is the page of users.
type userList struct {
	Items []userRow  `json:"items"`
	Form  url.Values `json:"-"` // what was sent to make one
}

// Roles are those that a user can have, the least first.
func (userList) Roles() []rasterbase.Role { return rasterbase.Roles }

func (a *Admin) users(w http.ResponseWriter, r *http.Request) error {
	return a.showUsers(w, r, url.Values{}, nil)
}

func (a *Admin) showUsers(w http.ResponseWriter, r *http.Request, form url.Values, problem *rasterbase.Error) error {
	p := userList{Form: form}
	if err := a.call(r, http.MethodGet, "/api/v1/users", nil, &p); err != nil {
		return err
	}
	return a.show(w, r, "users", frame{Title: "Users", Page: p, Problem: problem})
}

// addUser makes a user.
func (a *Admin) addUser(w http.ResponseWriter, r *http.Request) error {
	if err := formOf(w, r); err != nil {
		return err
	}
	form := r.PostForm
	body := map[string]any{"name": form.Get("name"), "role": form.Get("role")}
	if v := form.Get("password"); v != "" {
		body["password"] = v
	}
	return a.thenUsers(w, r, a.call(r, http.MethodPost, "/api/v1/users", body, nil), form)
}

// changeUser gives a user another role, and another password if one is typed.
func (a *Admin) changeUser(w http.ResponseWriter, r *http.Request) error {
	if err := formOf(w, r); err != nil {
		return err
	}
	body := map[string]any{"role": r.PostForm.Get("role")}
	if v := r.PostForm.Get("password"); v != "" {
		body["password"] = v
	}
	return a.thenUsers(w, r, a.call(r, http.MethodPatch, userPath(r), body, nil), url.Values{})
}

// deleteUserPage asks whether a user is to be deleted.
func (a *Admin) deleteUserPage(w http.ResponseWriter, r *http.Request) error {
	var all userList
	if err := a.call(r, http.MethodGet, "/api/v1/users", nil, &all); err != nil {
		return err
	}
	for _, u := range all.Items {
		if strconv.FormatInt(u.ID, 10) == r.PathValue("user") {
			return a.show(w, r, "deleteuser", frame{Title: "Delete " + u.Name, Page: u})
		}
	}
	return rasterbase.Errorf(rasterbase.NotFound, "there is no user %.40q", r.PathValue("user"))
}

func (a *Admin) deleteUser(w http.ResponseWriter, r *http.Request) error {
	return a.thenUsers(w, r, a.call(r, http.MethodDelete, userPath(r), nil, nil), url.Values{})
}

// thenUsers goes on to the page of users, or shows there what is wrong.
func (a *Admin) thenUsers(w http.ResponseWriter, r *http.Request, err error, form url.Values) error {
	if err == nil {
		goTo(w, r, "users")
		return nil
	}
	switch problem, _ := problemOf(err); rasterbase.CodeOf(err) {
	case rasterbase.Invalid, rasterbase.Conflict:
		return a.showUsers(w, r, form, problem)
	}
	return err
}

func userPath(r *http.Request) string { return "/api/v1/users/" + url.PathEscape(r.PathValue("user")) }

// tokenRow is a token as its user sees it.
type tokenRow struct {
	ID      int64      `json:"id"`
	User    string     `json:"user"`
	Name    string     `json:"name"`
	Scope   string     `json:"scope"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires"`
	Expired bool       `json:"expired"`
	Used    *time.Time `json:"used"`
	Secret  string     `json:"secret"`
}

// accountPage is what somebody manages of their own.
type accountPage struct {
	Tokens  []tokenRow `json:"items"`
	Made    *tokenRow  `json:"-"` // with its secret
	Changed bool       `json:"-"` // the password is another one
	Kept    bool       `json:"-"` // accounts are kept here
	Address string     `json:"-"` // of the API, for an example
	Form    url.Values `json:"-"`
}

// Roles are those that a token can have for a scope.
func (accountPage) Roles() []rasterbase.Role { return rasterbase.Roles }

func (a *Admin) account(w http.ResponseWriter, r *http.Request) error {
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	return a.showAccount(w, r, accountPage{Changed: r.URL.Query().Has("changed")}, nil)
}

func (a *Admin) showAccount(w http.ResponseWriter, r *http.Request, p accountPage, problem *rasterbase.Error) error {
	err := a.call(r, http.MethodGet, "/api/v1/tokens", nil, &p)
	p.Kept = rasterbase.CodeOf(err) != rasterbase.Unsupported
	if err != nil && p.Kept {
		return err
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	p.Address = scheme + r.Host + a.mounted(r) + "/api/v1/me"
	return a.show(w, r, "account", frame{Title: "Your account", Page: p, Problem: problem})
}

// makeToken makes a token of one's own, and shows its secret this once.
func (a *Admin) makeToken(w http.ResponseWriter, r *http.Request) error {
	if err := formOf(w, r); err != nil {
		return err
	}
	form := r.PostForm
	body := map[string]any{"name": form.Get("name")}
	if v := form.Get("scope"); v != "" {
		body["scope"] = v
	}
	var made tokenRow
	err := func() error {
		switch days := form.Get("days"); days {
		case "":
		case "never":
			body["expires"] = nil
		default:
			n, err := strconv.Atoi(days)
			if err != nil || n < 1 || n > 36500 {
				return rasterbase.Errorf(rasterbase.Invalid, "%.40q is no number of days", days).WithField("days")
			}
			body["expires"] = time.Now().AddDate(0, 0, n).UTC().Truncate(time.Second)
		}
		return a.call(r, http.MethodPost, "/api/v1/tokens", body, &made)
	}()
	if rasterbase.CodeOf(err) == rasterbase.Invalid {
		problem, _ := problemOf(err)
		return a.showAccount(w, r, accountPage{Form: form}, problem)
	}
	if err != nil {
		return err
	}
	return a.showAccount(w, r, accountPage{Made: &made}, nil)
}

func (a *Admin) deleteToken(w http.ResponseWriter, r *http.Request) error {
	if err := a.call(r, http.MethodDelete, "/api/v1/tokens/"+url.PathEscape(r.PathValue("token")), nil, nil); err != nil {
		return err
	}
	goTo(w, r, "account")
	return nil
}

// changePassword changes one's own password, and signs the browser in by it.
func (a *Admin) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := formOf(w, r); err != nil {
		return err
	}
	if err := a.mustSignIn(r); err != nil {
		return err
	}
	form := r.PostForm
	err := func() error {
		if form.Get("new") != form.Get("again") {
			return rasterbase.Errorf(rasterbase.Invalid, "the two passwords differ").WithHint("type the same one twice").WithField("again")
		}
		who, err := a.c.Auth.Principal(r)
		if err != nil {
			return err
		}
		body := map[string]string{"password": form.Get("password"), "new": form.Get("new")}
		if err := a.call(r, http.MethodPut, "/api/v1/me/password", body, nil); err != nil || a.c.Accounts == nil {
			return err
		}
		return a.c.Accounts.SignIn(w, r, who.Name, form.Get("new"))
	}()
	switch problem, _ := problemOf(err); rasterbase.CodeOf(err) {
	case rasterbase.Invalid, rasterbase.Forbidden, rasterbase.TooMany:
		return a.showAccount(w, r, accountPage{}, problem)
	}
	if err != nil {
		return err
	}
	goTo(w, r, "account?changed")
	return nil
}
