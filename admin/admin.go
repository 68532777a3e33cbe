package admin

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// Accounts signs people in. [github.com/rasterbase/rasterbase/auth.Auth] does.
type Accounts interface {
	// SignIn lets the browser in that sent a request. Errors are those of the form.
	SignIn(w http.ResponseWriter, r *http.Request, name, password string) error
	// SignOut ends that.
	SignOut(w http.ResponseWriter, r *http.Request) error
	// SetupCode is the secret with which the first administrator is made; empty:
	// there is one.
	SetupCode(ctx context.Context) (string, error)
	// SetUp makes the first administrator and lets the browser in.
	SetUp(w http.ResponseWriter, r *http.Request, code, name, password string) error
}

// Config is what the admin works with.
type Config struct {
	API  http.Handler    // that of package server, without any prefix
	Auth rasterbase.Auth // the one of API
	// Accounts signs people in. Nil: the program around does, and whoever is not signed
	// in is told so.
	Accounts Accounts
	// Server is the address of API as seen from that of the admin. Empty: "../".
	Server string
	Log    *slog.Logger // nil: none
	// Basemap lies below the layers on maps; browsers load it from its host.
	Basemap rasterbase.Basemap
	// MaxForm is the most bytes of a form, and of a file that a browser without
	// JavaScript sends in one. 0: 8 GiB.
	MaxForm int64
}

// Admin is the web admin. It may be mounted below any path that is stripped off.
type Admin struct {
	c         Config
	mux       *http.ServeMux
	patterns  []string
	templates map[string]*template.Template
	assets    assets
}

// New makes the admin.
func New(c Config) (*Admin, error) {
	if c.API == nil || c.Auth == nil {
		return nil, errors.New("admin: the configuration has no API, or no Auth")
	}
	if err := c.Basemap.Check(); err != nil {
		return nil, err
	}
	if c.Server == "" {
		c.Server = "../"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxForm <= 0 {
		c.MaxForm = 8 << 30
	}
	a := &Admin{c: c}
	var err error
	if a.templates, err = parseTemplates(); err != nil {
		return nil, err
	}
	if a.assets, err = readAssets(); err != nil {
		return nil, err
	}
	a.mux = a.routes()
	return a, nil
}

// page answers a request, or says why it cannot.
type page func(w http.ResponseWriter, r *http.Request) error

func (a *Admin) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, p := range map[string]page{
		"GET /{$}":                     a.home,
		"GET /sign-in":                 a.signInPage,
		"POST /sign-in":                a.signIn,
		"POST /sign-out":               a.signOut,
		"GET /setup":                   a.setupPage,
		"POST /setup":                  a.setUp,
		"GET /layers":                  a.layers,
		"POST /layers":                 a.addLayer,
		"GET /layers/preview":          a.previewUpload,
		"POST /layers/preview":         a.preview,
		"POST /layers/selection":       a.changeSelection,
		"GET /layers/{layer}":          a.layer,
		"POST /layers/{layer}":         a.changeLayer,
		"GET /layers/{layer}/delete":   a.deletePage,
		"POST /layers/{layer}/reparse": a.actOnLayer("reparse"),
		"POST /layers/{layer}/cancel":  a.actOnLayer("cancel"),
		"GET /ask":                     a.askPage,
		"POST /ask":                    a.askForm,
		"GET /assets/{file}":           a.asset,

		"GET /legends":                        a.legends,
		"POST /legends":                       a.makeLegend,
		"GET /legends/new":                    a.newLegend,
		"POST /legends/new":                   a.saveLegend,
		"GET /legends/{legend}":               a.legend,
		"POST /legends/{legend}":              a.saveLegend,
		"POST /legends/{legend}/use":          a.useLegend,
		"GET /legends/{legend}/delete":        a.deleteLegendPage,
		"POST /legends/{legend}/delete":       a.deleteLegend,
		"GET /account":                        a.account,
		"POST /account/password":              a.changePassword,
		"POST /account/tokens":                a.makeToken,
		"POST /account/tokens/{token}/delete": a.deleteToken,
		"GET /users":                          a.users,
		"POST /users":                         a.addUser,
		"POST /users/{user}":                  a.changeUser,
		"GET /users/{user}/delete":            a.deleteUserPage,
		"POST /users/{user}/delete":           a.deleteUser,

		"GET /health":             a.health,
		"GET /settings":           a.settings,
		"GET /jobs":               a.jobs,
		"POST /jobs/{job}/cancel": a.cancelJob,

		"GET /semantics":              a.semantics,
		"POST /semantics":             a.changeSemantics,
		"POST /semantics/{semantics}": a.changeSemantics,

		"/": a.unknown,
	} {
		a.patterns = append(a.patterns, pattern)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := p(w, r); err != nil {
				a.fail(w, r, err)
			}
		})
	}
	slices.Sort(a.patterns)
	return mux
}

// ServeHTTP answers one request.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src "+
		strings.TrimSpace("'self' data: "+a.c.Basemap.Origin())+"; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	// Pages of other origins have nothing to read here, whatever is allowed to them
	// of the API.
	h.Del("Access-Control-Allow-Origin")
	if !strings.HasPrefix(r.URL.Path, "/assets/") {
		h.Set("Cache-Control", "private, no-store")
		h.Set("Vary", "Authorization, Cookie")
	}
	a.mux.ServeHTTP(w, r)
}

func (a *Admin) home(w http.ResponseWriter, r *http.Request) error {
	goTo(w, r, "layers")
	return nil
}

func (a *Admin) unknown(_ http.ResponseWriter, r *http.Request) error {
	return rasterbase.Errorf(rasterbase.NotFound, "there is no page %.80q", r.URL.Path)
}

// root is the admin's own address as seen from that of a request, so that it does not
// matter where the admin is mounted.
func root(r *http.Request) string {
	if n := strings.Count(r.URL.Path, "/") - 1; n > 0 {
		return strings.Repeat("../", n)
	}
	return "./"
}

// goTo sends the browser to another page of the admin. The address is relative, since
// only the browser knows below which path all of this is.
func goTo(w http.ResponseWriter, r *http.Request, page string) {
	w.Header().Set("Location", root(r)+page)
	w.WriteHeader(http.StatusSeeOther)
}
