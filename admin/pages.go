package admin

import (
	"bytes"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// The pages, and the scripts that `make assets` builds. On a fresh clone their folder
// holds a placeholder only.
//
//go:embed web/templates web/admin.css web/dist
var web embed.FS

func parseTemplates() (map[string]*template.Template, error) {
	names, err := fs.Glob(web, "web/templates/*.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, name := range names {
		if path.Base(name) == "frame.html" {
			continue
		}
		t, err := template.New("frame.html").Funcs(functions).ParseFS(web, "web/templates/frame.html", name)
		if err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
		out[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return out, nil
}

// frame is what every page shows around its own content.
type frame struct {
	Title     string
	Root      string // the admin's address as seen from the page
	Server    string // the server's
	Version   string // of the assets
	Built     bool   // the scripts are there
	Who       rasterbase.Principal
	Accounts  bool // people sign in and out here
	MayEdit   bool
	MayManage bool
	Here      string // the part of the admin that the page is in
	Basemap   rasterbase.Basemap
	Problem   *rasterbase.Error // of the form that was sent
	Refresh   int               // seconds, for browsers without JavaScript; 0: it does not change
	Page      any
}

// show answers a page.
func (a *Admin) show(w http.ResponseWriter, r *http.Request, name string, f frame) error {
	f.Root = root(r)
	f.Server = f.Root + a.c.Server
	f.Basemap = a.c.Basemap
	f.Version, f.Built, f.Accounts = a.assets.version, a.assets.built, a.c.Accounts != nil
	if f.Who.Name == "" {
		f.Who, _ = a.c.Auth.Principal(r) // whoever cannot be told is nobody
	}
	f.MayEdit = f.Who.Name != "" && a.c.Auth.May(r.Context(), f.Who, rasterbase.Edit, nil) == nil
	f.MayManage = f.Who.Name != "" && a.c.Auth.May(r.Context(), f.Who, rasterbase.Manage, nil) == nil
	f.Here, _, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var b bytes.Buffer
	if err := a.templates[name].Execute(&b, f); err != nil {
		return fmt.Errorf("admin: the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if f.Problem != nil {
		w.WriteHeader(statuses[f.Problem.Code])
	}
	_, err := b.WriteTo(w)
	return err
}

// problemOf is what a page tells of an error, and whether it is one that people can do
// something about.
func problemOf(err error) (*rasterbase.Error, bool) {
	e, ok := errors.AsType[*rasterbase.Error](err)
	return e, ok && e.Code != rasterbase.Internal && statuses[e.Code] != 0
}

// fail answers an error: those who are not signed in are asked to.
func (a *Admin) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, known := problemOf(err)
	if !known {
		a.c.Log.ErrorContext(r.Context(), "a page failed", "path", r.URL.Path, "error", err)
		e = rasterbase.Errorf(rasterbase.Internal, "something went wrong here").WithHint("the server's log says what")
	}
	if e.Code == rasterbase.Unauthorized && a.c.Accounts != nil && r.Method == http.MethodGet {
		next := strings.TrimPrefix(r.URL.RequestURI(), "/")
		goTo(w, r, "sign-in?next="+url.QueryEscape(next))
		return
	}
	if err := a.show(w, r, "problem", frame{Title: http.StatusText(statuses[e.Code]), Problem: e}); err != nil {
		a.c.Log.ErrorContext(r.Context(), "a page failed", "path", r.URL.Path, "error", err)
	}
}

// formOf reads a form of moderate size.
func formOf(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "the form cannot be read: %w", err)
	}
	return nil
}

// assets are the files that pages load.
type assets struct {
	files   map[string][]byte
	version string
	built   bool
}

var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".txt": "text/plain; charset=utf-8",
}

func readAssets() (assets, error) {
	out := assets{files: map[string][]byte{}}
	sum := fnv.New64a()
	err := fs.WalkDir(web, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || mediaTypes[path.Ext(name)] == "" {
			return err
		}
		body, err := web.ReadFile(name)
		fmt.Fprintf(sum, "%s %d ", name, len(body))
		sum.Write(body)
		out.files[path.Base(name)] = body
		return err
	})
	out.version = hex.EncodeToString(sum.Sum(nil))
	_, out.built = out.files["admin.js"]
	return out, err
}

func (a *Admin) asset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	body, ok := a.assets.files[name]
	if !ok {
		return rasterbase.Errorf(rasterbase.NotFound, "there is no asset %.80q", name).WithHint("make assets builds the scripts")
	}
	w.Header().Set("Content-Type", mediaTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.RawQuery == a.assets.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, err := w.Write(body)
	return err
}
