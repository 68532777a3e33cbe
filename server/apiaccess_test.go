package server_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// whoMay says of each route how it is asked, and what is answered to nobody, a
// viewer, an editor and an administrator. {layer} is a public layer; of a
// private one nobody learns without the right to read it.
var whoMay = map[string]struct {
	path, body string
	want       [4]int
}{
	"GET /{$}":                          {"/", "", [4]int{200, 200, 200, 200}},
	"GET /assets/{file}":                {"/assets/none.js", "", [4]int{404, 404, 404, 404}},
	"GET /favicon.ico":                  {"/favicon.ico", "", [4]int{200, 200, 200, 200}},
	"GET /tiles/{layer}/{z}/{x}/{file}": {"/tiles/{layer}/6/33/22.png", "", [4]int{200, 200, 200, 200}},
	"GET /algebra/{z}/{x}/{file}":       {"/algebra/6/33/22.png?layers=r={layer},g={layer},b={layer}", "", [4]int{200, 200, 200, 200}},
	"GET /layers":                       {"/layers", "", [4]int{200, 200, 200, 200}},
	"GET /layers/{layer}":               {"/layers/{layer}", "", [4]int{200, 200, 200, 200}},
	"GET /layers/{layer}/tilejson.json": {"/layers/{layer}/tilejson.json", "", [4]int{200, 200, 200, 200}},
	"GET /legend":                       {"/legend?layer={layer}", "", [4]int{200, 200, 200, 200}},
	"GET /legend/{legend}":              {"/legend/1", "", [4]int{200, 200, 200, 200}},
	"GET /legend.png":                   {"/legend.png?layer={layer}", "", [4]int{200, 200, 200, 200}},
	"GET /legend.svg":                   {"/legend.svg?layer={layer}", "", [4]int{200, 200, 200, 200}},
	"GET /colormaps":                    {"/colormaps", "", [4]int{200, 200, 200, 200}},
	"GET /colormaps/{name}":             {"/colormaps/viridis", "", [4]int{200, 200, 200, 200}},
	"GET /healthz":                      {"/healthz", "", [4]int{200, 200, 200, 200}},
	"GET /readyz":                       {"/readyz", "", [4]int{200, 200, 200, 200}},
	"GET /metrics":                      {"/metrics", "", [4]int{401, 403, 403, 200}},
	"GET /docs":                         {"/docs", "", [4]int{200, 200, 200, 200}},
	"GET /openapi.json":                 {"/openapi.json", "", [4]int{200, 200, 200, 200}},
	"GET /openapi.yaml":                 {"/openapi.yaml", "", [4]int{200, 200, 200, 200}},
	"/":                                 {"/none", "", [4]int{404, 404, 404, 404}},

	"GET /api/v1/layers":                  {"/api/v1/layers", "", [4]int{200, 200, 200, 200}},
	"POST /api/v1/layers":                 {"/api/v1/layers", `{"source":{"path":"/a.tif"}}`, [4]int{401, 403, 202, 202}},
	"GET /api/v1/layers/{layer}":          {"/api/v1/layers/{layer}", "", [4]int{200, 200, 200, 200}},
	"PATCH /api/v1/layers/{layer}":        {"/api/v1/layers/{layer}", `{"name":"Other"}`, [4]int{401, 403, 200, 200}},
	"DELETE /api/v1/layers/{layer}":       {"/api/v1/layers/{layer}", "", [4]int{401, 403, 204, 204}},
	"POST /api/v1/layers/{layer}/reparse": {"/api/v1/layers/{layer}/reparse", "", [4]int{401, 403, 202, 202}},
	"POST /api/v1/layers/{layer}/cancel":  {"/api/v1/layers/{layer}/cancel", "", [4]int{401, 403, 200, 200}},
	"POST /api/v1/layers/reparse":         {"/api/v1/layers/reparse", `{"layers":["{layer}"]}`, [4]int{401, 403, 202, 202}},
	"GET /api/v1/layers/{layer}/log":      {"/api/v1/layers/{layer}/log", "", [4]int{401, 403, 200, 200}},
	"GET /api/v1/layers/{layer}/levels":   {"/api/v1/layers/{layer}/levels", "", [4]int{200, 200, 200, 200}},
	"GET /api/v1/layers/{layer}/events":   {"/api/v1/layers/{layer}/events", "", [4]int{200, 200, 200, 200}},
	"POST /api/v1/preview":                {"/api/v1/preview", `{"source":{"path":"/a.tif"}}`, [4]int{401, 403, 200, 200}},
	"GET /api/v1/jobs":                    {"/api/v1/jobs", "", [4]int{401, 403, 403, 200}},
	"GET /api/v1/jobs/{id}":               {"/api/v1/jobs/1", "", [4]int{401, 403, 403, 200}},
	"POST /api/v1/jobs/{id}/cancel":       {"/api/v1/jobs/1/cancel", "", [4]int{401, 403, 403, 200}},
	"GET /api/v1/status":                  {"/api/v1/status", "", [4]int{401, 403, 403, 200}},
	"GET /api/v1/settings":                {"/api/v1/settings", "", [4]int{401, 403, 403, 200}},
	"GET /api/v1/me":                      {"/api/v1/me", "", [4]int{401, 200, 200, 200}},
	"PUT /api/v1/me/password":             {"/api/v1/me/password", `{"password":"x","new":"y"}`, [4]int{401, 403, 403, 403}}, // it is not x
	"GET /api/v1/users":                   {"/api/v1/users", "", [4]int{401, 403, 403, 200}},
	"POST /api/v1/users":                  {"/api/v1/users", `{"name":"user-{n}","role":"viewer"}`, [4]int{401, 403, 403, 201}},
	"PATCH /api/v1/users/{user}":          {"/api/v1/users/1", `{"name":"the viewer"}`, [4]int{401, 403, 403, 200}},
	"DELETE /api/v1/users/{user}":         {"/api/v1/users/999", "", [4]int{401, 403, 403, 404}},
	"GET /api/v1/tokens":                  {"/api/v1/tokens", "", [4]int{401, 200, 200, 200}},
	"POST /api/v1/tokens":                 {"/api/v1/tokens", `{"name":"mine"}`, [4]int{401, 201, 201, 201}},
	"DELETE /api/v1/tokens/{token}":       {"/api/v1/tokens/999", "", [4]int{401, 404, 404, 404}},

	"GET /api/v1/legends":                  {"/api/v1/legends", "", [4]int{200, 200, 200, 200}},
	"POST /api/v1/legends":                 {"/api/v1/legends", `{"title":"New {n}","entries":[]}`, [4]int{401, 403, 201, 201}},
	"GET /api/v1/legends/{legend}":         {"/api/v1/legends/cover", "", [4]int{200, 200, 200, 200}},
	"PUT /api/v1/legends/{legend}":         {"/api/v1/legends/1", `{"title":"Cover","entries":[]}`, [4]int{401, 403, 200, 200}},
	"PATCH /api/v1/legends/{legend}":       {"/api/v1/legends/1", `{"title":"cover"}`, [4]int{401, 403, 200, 200}},
	"DELETE /api/v1/legends/{legend}":      {"/api/v1/legends/spare-{n}", "", [4]int{401, 403, 200, 200}},
	"POST /api/v1/legends/check":           {"/api/v1/legends/check", `{"entries":[]}`, [4]int{401, 403, 200, 200}},
	"GET /api/v1/legends/{legend}/check":   {"/api/v1/legends/1/check?layer={layer}", "", [4]int{200, 200, 200, 200}},
	"POST /api/v1/legends/from-layer":      {"/api/v1/legends/from-layer", `{"layer":"{layer}","method":"distinct"}`, [4]int{401, 403, 200, 200}},
	"POST /api/v1/legends/import":          {"/api/v1/legends/import?name=file-{n}.clr", "1 2 3 4", [4]int{401, 403, 201, 201}},
	"GET /api/v1/semantics":                {"/api/v1/semantics", "", [4]int{200, 200, 200, 200}},
	"POST /api/v1/semantics":               {"/api/v1/semantics", `{"name":"New {n}"}`, [4]int{401, 403, 201, 201}},
	"GET /api/v1/semantics/{semantics}":    {"/api/v1/semantics/1", "", [4]int{200, 200, 200, 200}},
	"PATCH /api/v1/semantics/{semantics}":  {"/api/v1/semantics/1", `{"keyword":"trees"}`, [4]int{401, 403, 200, 200}},
	"DELETE /api/v1/semantics/{semantics}": {"/api/v1/semantics/99", "", [4]int{401, 403, 404, 404}},
	"GET /api/v1/me/colormaps":             {"/api/v1/me/colormaps", "", [4]int{401, 200, 200, 200}},
	"GET /api/v1/me/colormaps/{name}":      {"/api/v1/me/colormaps/none", "", [4]int{401, 404, 404, 404}},
	"PUT /api/v1/me/colormaps/{name}":      {"/api/v1/me/colormaps/mine", `{"1":"red"}`, [4]int{401, 201, 201, 201}},
	"DELETE /api/v1/me/colormaps/{name}":   {"/api/v1/me/colormaps/none", "", [4]int{401, 404, 404, 404}},

	"GET /algebra/tilejson.json":        {"/algebra/tilejson.json?layers=a={layer}&formula=a*2", "", [4]int{200, 200, 200, 200}},
	"GET /pixel/{x}/{y}":                {"/pixel/0/0?layers=a={layer}", "", [4]int{200, 200, 200, 200}},
	"POST /pixel":                       {"/pixel?layers=a={layer}", `{"type":"Point","coordinates":[0,0]}`, [4]int{200, 200, 200, 200}},
	"GET /profile":                      {"/profile?layers=a={layer}&points=2&line=LINESTRING(0+0,1+1)", "", [4]int{200, 200, 200, 200}},
	"POST /profile":                     {"/profile?layers=a={layer}&points=2", `{"type":"LineString","coordinates":[[0,0],[1,1]]}`, [4]int{200, 200, 200, 200}},
	"GET /layers/{layer}/source":        {"/layers/{layer}/source", "", [4]int{404, 404, 404, 404}}, // none is kept here
	"GET /layers/{layer}/source/{file}": {"/layers/{layer}/source/a.tif", "", [4]int{404, 404, 404, 404}},
	"GET /layers/{layer}/valuecount":    {"/layers/{layer}/valuecount", "", [4]int{200, 200, 200, 200}},
	"POST /layers/{layer}/valuecount":   {"/layers/{layer}/valuecount", `{"group":"value"}`, [4]int{200, 200, 200, 200}},
	"GET /valuecount":                   {"/valuecount?layers=a={layer}", "", [4]int{200, 200, 200, 200}},
	"POST /valuecount":                  {"/valuecount", `{"layers":"a={layer}"}`, [4]int{200, 200, 200, 200}},
	"GET /layers/{layer}/statistics":    {"/layers/{layer}/statistics", "", [4]int{200, 200, 200, 200}},
	"POST /layers/{layer}/statistics":   {"/layers/{layer}/statistics", `{"stats":"mean"}`, [4]int{200, 200, 200, 200}},
	"GET /statistics":                   {"/statistics?layers=a={layer}", "", [4]int{200, 200, 200, 200}},
	"POST /statistics":                  {"/statistics", `{"layers":"a={layer}"}`, [4]int{200, 200, 200, 200}},
	"GET /crosstab":                     {"/crosstab?layers=a={layer},b={layer}", "", [4]int{200, 200, 200, 200}},
	"POST /crosstab":                    {"/crosstab", `{"layers":"a={layer},b={layer}"}`, [4]int{200, 200, 200, 200}},
	"GET /export":                       {"/export?layers=a={layer}", "", [4]int{200, 200, 200, 200}},
	"POST /export":                      {"/export", `{"layers":"a={layer}","format":"tif"}`, [4]int{200, 200, 200, 200}},
	"GET /api/v1/exports":               {"/api/v1/exports", "", [4]int{401, 200, 200, 200}},
	"POST /api/v1/exports":              {"/api/v1/exports", `{"layers":"a={layer}"}`, [4]int{401, 202, 202, 202}},
	"GET /api/v1/exports/{id}":          {"/api/v1/exports/999", "", [4]int{401, 404, 404, 404}},
	"GET /api/v1/exports/{id}/file":     {"/api/v1/exports/999/file", "", [4]int{401, 404, 404, 404}},
	"DELETE /api/v1/exports/{id}":       {"/api/v1/exports/999", "", [4]int{401, 404, 404, 404}},

	"GET /api/v1/uploads":                   {"/api/v1/uploads", "", [4]int{401, 403, 200, 200}},
	"POST /api/v1/uploads":                  {"/api/v1/uploads", "", [4]int{401, 403, 400, 400}}, // without a length
	"GET /api/v1/uploads/{id}":              {"/api/v1/uploads/none", "", [4]int{401, 403, 404, 404}},
	"POST /api/v1/uploads/{id}":             {"/api/v1/uploads/none", "", [4]int{401, 403, 404, 404}}, // as DELETE
	"PATCH /api/v1/uploads/{id}":            {"/api/v1/uploads/none", "", [4]int{401, 403, 404, 404}},
	"DELETE /api/v1/uploads/{id}":           {"/api/v1/uploads/none", "", [4]int{401, 403, 404, 404}},
	"PUT /api/v1/uploads/{id}/files/{file}": {"/api/v1/uploads/none/files/a.tfw", "1", [4]int{401, 403, 404, 404}},
}

var roles = [4]string{"", "viewer", "editor", "administrator"}

func withMetrics() server.Config {
	return server.Config{Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "up 1") })}
}

// addUsers makes the users that roleAuth tells of.
func addUsers(t *testing.T, st store.Store) *auth.Auth {
	t.Helper()
	users := auth.New(st.Catalog(), auth.Options{})
	t.Cleanup(users.Close)
	for _, role := range rasterbase.Roles {
		if err := users.AddUser(t.Context(), &rasterbase.User{Name: "the " + string(role), Role: role}, "the one until now"); err != nil {
			t.Fatal(err)
		}
	}
	return users
}

// scoped says what is answered to an administrator's token whose scope is that of a
// viewer, where it is not what a viewer is answered.
var scoped = map[string]int{
	"PUT /api/v1/me/password": 403, "POST /api/v1/tokens": 403, "DELETE /api/v1/tokens/{token}": 403,
}

// asker is somebody who asks for every route: the column of the table, and the token.
type asker struct {
	name, secret string
	column       int
}

// askers are nobody, a user of each role, and an administrator's token whose scope is that
// of a viewer.
func askers(t *testing.T, users *auth.Auth) []asker {
	t.Helper()
	out := []asker{{name: "nobody"}}
	for i, role := range append(slices.Clone(rasterbase.Roles), "scoped") {
		who, scope := asker{name: "the " + string(role), column: i + 1}, rasterbase.Role("")
		if role == "scoped" {
			who.column, scope = 1, rasterbase.Viewer
			if err := users.AddUser(t.Context(), &rasterbase.User{Name: who.name, Role: rasterbase.Administrator}, ""); err != nil {
				t.Fatal(err)
			}
		}
		all, err := users.Users(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(u *rasterbase.User) bool { return u.Name == who.name })
		if who.secret, err = users.AddToken(t.Context(), &rasterbase.Token{User: all[i].ID, Scope: scope}); err != nil {
			t.Fatal(err)
		}
		out = append(out, who)
	}
	return out
}

func TestWhoMayDoWhat(t *testing.T) {
	st := newStore(t)
	legend := addLegend(t, st, "Cover", forest)
	users, c := addUsers(t, st), withMetrics()
	c.Store, c.Auth, c.Accounts, c.Parser = st, users, users, &recordParser{st: st}
	s := newServer(t, c)
	t.Cleanup(s.Close)
	all := askers(t, users)
	update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Enqueue(ctx, &store.Job{Kind: "test"}) })
	n := 0
	for _, pattern := range s.Patterns() {
		route, ok := whoMay[pattern]
		if !ok {
			t.Errorf("%s is a route that the table does not know: say who may", pattern)
			continue
		}
		method, _, ok := strings.Cut(pattern, " ")
		if !ok {
			method = "GET"
		}
		for _, who := range all {
			want := route.want[who.column]
			if other := scoped[pattern]; other != 0 && who.name == "the scoped" {
				want = other
			}
			spec := stripes("Public", legend)
			spec.Width, spec.Height = 256, 64 // one tile: pixels do not matter here
			public := add(t, st, spec)
			if strings.HasSuffix(pattern, "/events") || strings.HasSuffix(pattern, "/cancel") {
				addParse(t, st, public.ID, rasterbase.Finished)
			}
			in := strings.NewReplacer("{layer}", public.Slug, "{n}", strconv.Itoa(n))
			if n++; strings.HasPrefix(pattern, "DELETE /api/v1/legends") {
				addLegend(t, st, "Spare-"+strconv.Itoa(n-1), forest)
			}
			header := []string{"Tus-Resumable", "1.0.0"} // without it uploads are not spoken of
			switch pattern {
			case "POST /api/v1/uploads/{id}":
				header = append(header, "X-HTTP-Method-Override", "DELETE")
			case "POST /api/v1/legends/import":
				header = append(header, "Content-Type", "application/octet-stream")
			case "PATCH /api/v1/uploads/{id}":
				header = append(header, "Content-Type", "application/offset+octet-stream", "Upload-Offset", "0")
			}
			w := call(t, s, who.secret, method, in.Replace(route.path), in.Replace(route.body), header...)
			if w.Code != want {
				t.Errorf("%s as %s: status %d, want %d: %.200s", pattern, who.name, w.Code, want, w.Body)
			}
			if w.Code == 401 && len(w.Header().Values("WWW-Authenticate")) == 0 {
				t.Errorf("%s as %s: no WWW-Authenticate", pattern, who.name)
			}
		}
	}
	for pattern := range whoMay {
		if !strings.Contains("\n"+strings.Join(s.Patterns(), "\n")+"\n", "\n"+pattern+"\n") {
			t.Errorf("the table knows %s, which is no route", pattern)
		}
	}
}

// Whoever may not read a layer is answered as if it did not exist, whatever they
// want to do to it; nobody learns even that.
func TestPrivateLayersCannotBeChangedByOthers(t *testing.T) {
	st := newStore(t)
	l := secret(t, st)
	s := newServer(t, server.Config{Store: st, Auth: keyAuth{}, Parser: &recordParser{st: st}})
	for pattern, route := range whoMay {
		method, _, _ := strings.Cut(pattern, " ")
		if !strings.Contains(route.path+route.body, "{layer}") {
			continue
		}
		for ref, want := range map[string]int{l.Slug: 404, "none": 404} {
			in := strings.NewReplacer("{layer}", ref)
			if w := call(t, s, "", method, in.Replace(route.path), in.Replace(route.body), "Authorization", "guest"); w.Code != want {
				t.Errorf("%s of %s: status %d, want %d", pattern, ref, w.Code, want)
			}
			want = 404
			if route.want[0] == 401 {
				want = 401
			}
			if w := call(t, s, "", method, in.Replace(route.path), in.Replace(route.body)); w.Code != want {
				t.Errorf("%s of %s by nobody: status %d, want %d", pattern, ref, w.Code, want)
			}
		}
	}
}

// openAuth lets everybody do everything.
type openAuth struct{}

func (openAuth) Principal(*http.Request) (rasterbase.Principal, error) {
	return rasterbase.Principal{}, nil
}
func (openAuth) May(context.Context, rasterbase.Principal, rasterbase.Action, *rasterbase.Layer) error {
	return nil
}

func TestNobodyWritesWhateverAuthSays(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Public", nil))
	s := newServer(t, server.Config{Store: st, Auth: openAuth{}, Parser: &recordParser{st: st}})
	for pattern, route := range whoMay {
		method, _, _ := strings.Cut(pattern, " ")
		if !strings.Contains(pattern, "/api/v1/") || route.want[0] != 401 || strings.Contains(pattern, "uploads") {
			continue
		}
		in := strings.NewReplacer("{layer}", "public")
		wantProblem(t, call(t, s, "", method, in.Replace(route.path), in.Replace(route.body)), 401)
	}
}

func TestServersWithoutAParserSaySo(t *testing.T) {
	st := newStore(t)
	add(t, st, stripes("Public", nil))
	s := newAPI(t, st, nil, server.Config{})
	for _, c := range [][3]string{
		{"POST", "/api/v1/layers", `{"source":{"path":"/a"}}`}, {"PATCH", "/api/v1/layers/public", `{"name":"a"}`}, {"DELETE", "/api/v1/layers/public", ""},
		{"POST", "/api/v1/layers/public/reparse", ""}, {"POST", "/api/v1/layers/public/cancel", ""}, {"POST", "/api/v1/jobs/1/cancel", ""}, {"POST", "/api/v1/preview", `{"source":{"path":"/a"}}`},
		{"POST", "/api/v1/layers/reparse", `{"outdated":true}`},
	} {
		if p := wantProblem(t, call(t, s, "administrator", c[0], c[1], c[2]), 501); p.Hint == "" {
			t.Errorf("%v: %+v", c, p)
		}
	}
	wantStatus(t, call(t, s, "editor", "GET", "/api/v1/layers", ""), 200)
}

func TestPagesOfOtherOriginsCannotUseCookies(t *testing.T) {
	st := newStore(t)
	s := newAPI(t, st, &recordParser{}, server.Config{PublicURL: "https://maps.example.org/r", CORSOrigins: []string{"https://reader.example"}})
	body := `{"source":{"path":"/a.tif"}}`
	for _, c := range []struct {
		header []string
		want   int
	}{
		{[]string{"Cookie", "a=b", "Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Cookie", "a=b", "Origin", "https://evil.example"}, 403},
		{[]string{"Cookie", "a=b", "Origin", "https://maps.example.org"}, 202},
		{[]string{"Cookie", "a=b", "Sec-Fetch-Site", "same-origin"}, 202},
		{[]string{"Cookie", "a=b"}, 202},
		{[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example"}, 202}, // with its own token only
	} {
		wantStatus(t, call(t, s, "editor", "POST", "/api/v1/layers", body, c.header...), c.want)
	}
	basic := []string{"Authorization", "Basic ZWRpdG9yOmVkaXRvcg=="} // as a browser adds it
	for _, other := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, {"Origin", "https://reader.example"}} {
		for _, target := range []string{"/api/v1/layers", "/api/v1/layers/1/cancel", "/api/v1/uploads"} {
			wantStatus(t, call(t, s, "", "POST", target, body, append(basic, other...)...), 403)
		}
	}
	// A page can send a body that has no type without asking first.
	for _, media := range []string{"", ";", "text/plain", "text/plain; a=+json", "text/plain+json", "multipart/form-data; boundary=a"} {
		wantStatus(t, call(t, s, "editor", "POST", "/api/v1/layers", body, "Content-Type", media), 415)
	}
	wantStatus(t, call(t, s, "editor", "POST", "/api/v1/layers", body, "Content-Type", "application/json; charset=utf-8"), 202)
	wantStatus(t, call(t, s, "", "GET", "/api/v1/layers", "", "Cookie", "a=b", "Sec-Fetch-Site", "cross-site"), 200)
}

func TestPreflightsSayWhatIsAnswered(t *testing.T) {
	s := newAPI(t, newStore(t), &recordParser{}, server.Config{})
	for path, want := range map[string]string{
		"/api/v1/layers": "GET, HEAD, POST, OPTIONS", "/api/v1/layers/1": "GET, HEAD, PATCH, DELETE, OPTIONS",
		"/api/v1/preview": "POST, OPTIONS", "/layers": "GET, HEAD, OPTIONS",
	} {
		w := ask(t, s, "OPTIONS", path, "Origin", "https://app.example", "Access-Control-Request-Method", "PATCH")
		wantStatus(t, w, 204)
		if got := w.Header().Get("Access-Control-Allow-Methods"); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		for _, name := range []string{"Authorization", "Content-Type", "If-Match", "Last-Event-ID"} {
			if !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), name) {
				t.Errorf("%s: %s is not allowed", path, name)
			}
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Error("cookies of other origins are let in")
		}
	}
	w := ask(t, s, "PUT", "/api/v1/layers")
	if wantProblem(t, w, 405); w.Header().Get("Allow") != "GET, HEAD, POST, OPTIONS" {
		t.Errorf("Allow %q", w.Header().Get("Allow"))
	}
	wantProblem(t, ask(t, s, "GET", "/api/v1/preview"), 405)
}

func TestChallenges(t *testing.T) {
	st := newStore(t)
	s := newAPI(t, st, &recordParser{}, server.Config{})
	if got := call(t, s, "", "GET", "/api/v1/me", "").Header().Values("WWW-Authenticate"); len(got) != 2 || !strings.HasPrefix(got[0], "Bearer") || !strings.HasPrefix(got[1], "Basic") {
		t.Errorf("%q", got)
	}
	if got := call(t, s, "wrong", "GET", "/api/v1/me", "", "Sec-Fetch-Mode", "cors").Header().Values("WWW-Authenticate"); len(got) != 1 {
		t.Errorf("a page's script makes the browser ask for a password: %q", got)
	}
	own := newAPI(t, st, nil, server.Config{Challenge: `Host realm="x"`})
	if got := call(t, own, "", "GET", "/api/v1/me", "").Header().Values("WWW-Authenticate"); len(got) != 1 || got[0] != `Host realm="x"` {
		t.Errorf("%q", got)
	}
}
