package admin

import (
	"net/http"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// signingIn is what the page to sign in shows.
type signingIn struct {
	Next, Name string
	NeedsSetup bool
}

func (a *Admin) signInPage(w http.ResponseWriter, r *http.Request) error {
	return a.showSignIn(w, r, signingIn{Next: r.URL.Query().Get("next")}, nil)
}

func (a *Admin) showSignIn(w http.ResponseWriter, r *http.Request, p signingIn, problem *rasterbase.Error) error {
	if a.c.Accounts == nil {
		return rasterbase.Errorf(rasterbase.NotFound, "people sign in elsewhere").WithHint("the program around this page does that")
	}
	code, err := a.c.Accounts.SetupCode(r.Context())
	if err != nil {
		return err
	}
	p.NeedsSetup = code != ""
	return a.show(w, r, "sign-in", frame{Title: "Sign in", Problem: problem, Page: p})
}

func (a *Admin) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := formOf(w, r); err != nil {
		return err
	}
	p := signingIn{Next: r.PostForm.Get("next"), Name: r.PostForm.Get("name")}
	if a.c.Accounts == nil {
		return a.showSignIn(w, r, p, nil)
	}
	if err := a.c.Accounts.SignIn(w, r, p.Name, r.PostForm.Get("password")); err != nil {
		problem, known := problemOf(err)
		if !known {
			return err
		}
		return a.showSignIn(w, r, p, problem)
	}
	goTo(w, r, within(p.Next))
	return nil
}

// within is an address below the admin's, whatever was asked for.
func within(next string) string {
	if next == "" || strings.ContainsAny(next, ":\\\r\n") || strings.HasPrefix(next, "/") || strings.Contains(next, "..") || strings.HasPrefix(next, "sign-") {
		return "layers"
	}
	return next
}

func (a *Admin) signOut(w http.ResponseWriter, r *http.Request) error {
	if a.c.Accounts != nil {
		if err := a.c.Accounts.SignOut(w, r); err != nil {
			return err
		}
	}
	goTo(w, r, "sign-in")
	return nil
}

// settingUp is what the page shows that makes the first administrator.
type settingUp struct{ Code, Name string }

func (a *Admin) setupPage(w http.ResponseWriter, r *http.Request) error {
	return a.showSetup(w, r, settingUp{Code: r.URL.Query().Get("code")}, nil)
}

func (a *Admin) showSetup(w http.ResponseWriter, r *http.Request, p settingUp, problem *rasterbase.Error) error {
	if a.c.Accounts == nil {
		return a.showSignIn(w, r, signingIn{}, nil)
	}
	code, err := a.c.Accounts.SetupCode(r.Context())
	if err != nil {
		return err
	}
	if code == "" { // there is an administrator
		goTo(w, r, "sign-in")
		return nil
	}
	return a.show(w, r, "setup", frame{Title: "Set up rasterbase", Problem: problem, Page: p})
}

func (a *Admin) setUp(w http.ResponseWriter, r *http.Request) error {
	if err := formOf(w, r); err != nil {
		return err
	}
	p := settingUp{r.PostForm.Get("code"), r.PostForm.Get("name")}
	if a.c.Accounts == nil {
		return a.showSetup(w, r, p, nil)
	}
	password := r.PostForm.Get("password")
	err := error(nil)
	if password != r.PostForm.Get("again") {
		err = rasterbase.Errorf(rasterbase.Invalid, "the two passwords differ").WithHint("type the same one twice").WithField("again")
	} else {
		err = a.c.Accounts.SetUp(w, r, p.Code, p.Name, password)
	}
	if err != nil {
		problem, known := problemOf(err)
		if !known {
			return err
		}
		return a.showSetup(w, r, p, problem)
	}
	goTo(w, r, "layers")
	return nil
}
