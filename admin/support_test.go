package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/admin"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// password is that of all users of the tests.
const password = "four words for nobody"

// site is a server and its admin in a program of their own, below a path: every address
// of a page must be right there too.
type site struct {
	t      *testing.T
	st     store.Store
	pages  *admin.Admin
	users  *auth.Auth
	root   string // of the admin
	server string
	files  string // a folder whose files may be parsed
	data   string // that of the store

	cuts    atomic.Int32 // so many pieces of uploads are cut off
	resumed atomic.Int32 // how often a client asked how far an upload is
}

func newSite(t *testing.T) *site {
	t.Helper()
	data := t.TempDir()
	st, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, st: st, users: auth.New(st.Catalog(), auth.Options{}), files: t.TempDir(), data: data}
	parser := ingest.New(ingest.Config{Store: st, Opener: gdal.Opener{}, WorkDir: t.TempDir(), AllowedPaths: []string{s.files}})
	config := server.Config{
		Store: st, Auth: s.users, Accounts: s.users, Parser: parser, Transformer: gdal.Transformer{},
		Settings: func() []server.Setting {
			return []server.Setting{
				{Key: "addr", Env: "RASTER_ADDR", Value: ":8080", From: "flag --addr", Help: "Address to serve on."},
				{Key: "webhook_secret", Env: "RASTER_WEBHOOK_SECRET", Value: "xxxxx", From: "default"},
			}
		},
	}
	api, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := admin.New(admin.Config{API: api, Auth: s.users, Accounts: s.users})
	if err != nil {
		t.Fatal(err)
	}
	s.pages = pages
	api.Mount("/admin", pages)
	mux := http.NewServeMux()
	mux.Handle("/host/raster/", http.StripPrefix("/host/raster", s.cutting(api)))
	web := httptest.NewServer(mux)
	s.server = web.URL + "/host/raster/"
	s.root = s.server + "admin/"
	runner := jobs.NewRunner(st, nil)
	parser.Register(runner)
	exporter, err := server.NewExporter(config)
	if err != nil {
		t.Fatal(err)
	}
	jobs.Handle(runner, server.ExportKind, func(ctx context.Context, _ json.RawMessage, j *store.Job) error { return exporter.Handle(ctx, j) })
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx, 1) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		api.Close()
		web.Close()
		s.users.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// cutting loses the connection in the middle of a piece of an upload, when it is to.
func (s *site) cutting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			s.resumed.Add(1)
		}
		if r.Method != http.MethodPatch || s.cuts.Add(-1) < 0 {
			next.ServeHTTP(w, r)
			return
		}
		lost := iotest.ErrReader(errors.New("the connection is lost"))
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 5000), lost))
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// addUser makes a user with the password of all.
func (s *site) addUser(name string, role rasterbase.Role) {
	s.t.Helper()
	hash, err := auth.HashPassword(password)
	if err != nil {
		s.t.Fatal(err)
	}
	err = s.st.Catalog().Update(s.t.Context(), func(tx store.Tx) error {
		u := &rasterbase.User{Name: name, Role: role}
		if err := tx.Users().Create(s.t.Context(), u); err != nil {
			return err
		}
		return tx.Users().SetPassword(s.t.Context(), u.ID, hash)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// addToken makes a token of a user, and gives its secret.
func (s *site) addToken(name string, scope rasterbase.Role) string {
	s.t.Helper()
	all, err := s.users.Users(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, u := range all {
		if u.Name == name {
			secret, err := s.users.AddToken(s.t.Context(), &rasterbase.Token{User: u.ID, Scope: scope})
			if err != nil {
				s.t.Fatal(err)
			}
			return secret
		}
	}
	s.t.Fatalf("there is no user %s", name)
	return ""
}

// addLayer makes a layer without a source.
func (s *site) addLayer(l rasterbase.Layer) *rasterbase.Layer {
	s.t.Helper()
	err := s.st.Catalog().Update(s.t.Context(), func(tx store.Tx) error { return tx.Layers().Create(s.t.Context(), &l) })
	if err != nil {
		s.t.Fatal(err)
	}
	return &l
}

func (s *site) routes() []string { return s.pages.Routes() }

// visitor is a browser without JavaScript.
type visitor struct {
	s      *site
	client *http.Client
	token  string // shown with each request, unless it is empty
}

// visit begins a visit, signed in as somebody unless the name is empty.
func (s *site) visit(name string) *visitor {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	v := &visitor{s: s, client: &http.Client{Jar: jar}}
	if name != "" {
		if p := v.post("sign-in", url.Values{"name": {name}, "password": {password}}); p.status != 200 || !strings.HasSuffix(p.at, "admin/layers") {
			s.t.Fatalf("%s cannot sign in: %d at %s", name, p.status, p.at)
		}
	}
	return v
}

// page is what a visitor sees.
type page struct {
	status int
	at     string // its address, after redirects
	html   string
}

func (v *visitor) do(r *http.Request) page {
	v.s.t.Helper()
	resp, err := v.client.Do(r)
	if err != nil {
		v.s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.s.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Request.URL.String(), string(b)}
}

func (v *visitor) request(method, path string, body io.Reader, contentType string) *http.Request {
	v.s.t.Helper()
	r, err := http.NewRequestWithContext(v.s.t.Context(), method, v.s.root+path, body)
	if err != nil {
		v.s.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	return r
}

func (v *visitor) get(path string) page {
	v.s.t.Helper()
	return v.do(v.request("GET", path, nil, ""))
}

func (v *visitor) post(path string, form url.Values) page {
	v.s.t.Helper()
	return v.do(v.request("POST", path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded"))
}

// send posts a form with a file.
func (v *visitor) send(path, name string, content []byte, form url.Values) page {
	v.s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k := range form {
		if err := w.WriteField(k, form.Get(k)); err != nil {
			v.s.t.Fatal(err)
		}
	}
	f, err := w.CreateFormFile("file", name)
	if err != nil {
		v.s.t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		v.s.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		v.s.t.Fatal(err)
	}
	return v.do(v.request("POST", path, &b, w.FormDataContentType()))
}

var tag = regexp.MustCompile(`<[^>]*>|\s+`)

// text is what a page says, without its tags.
func (p page) text() string {
	return strings.TrimSpace(html.UnescapeString(tag.ReplaceAllString(p.html, " ")))
}

// want complains unless a page has a status and says some texts.
func (p page) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if p.status != status {
		t.Errorf("%s: status %d, want %d: %s", p.at, p.status, status, p.text())
	}
	squeezed := strings.Join(strings.Fields(p.text()), " ")
	for _, text := range texts {
		if !strings.Contains(squeezed, text) {
			t.Errorf("%s does not say %q but %s", p.at, text, squeezed)
		}
	}
}

// vegetation is a small raster.
func vegetation(t *testing.T) []byte {
	t.Helper()
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	content, err := demo.Rasters()[0].Contents()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// parsed waits until a layer's page says that it is finished.
func (v *visitor) parsed(path string) page {
	v.s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		p := v.get(path)
		if strings.Contains(p.html, `class="status good"`) {
			return p
		}
		if time.Now().After(deadline) {
			v.s.t.Fatalf("%s is not finished: %s", path, p.text())
		}
	}
}

// keep writes a file that the server may parse, and gives its path.
func (s *site) keep(name string, content []byte) string {
	s.t.Helper()
	path := filepath.Join(s.files, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}
