package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// passed are the headers of a browser's request that the API looks at: who asks, and
// whether another site had it asked.
var passed = []string{"Authorization", "Cookie", "Origin", "Sec-Fetch-Site"}

// call asks the API as the browser that sent r, and reads the answer into out, unless
// that is nil. The error has the code, the text, the hint and the field of the problem
// that is answered.
func (a *Admin) call(r *http.Request, method, path string, body, out any) error {
	var sent io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("admin: %w", err)
		}
		sent = bytes.NewReader(b)
	}
	w, err := a.ask(r, method, path, sent, func(h http.Header) { h.Set("Content-Type", "application/json") })
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	return w.read(out)
}

// ask asks the API with any body.
func (a *Admin) ask(r *http.Request, method, path string, body io.Reader, more func(http.Header)) (*answer, error) {
	inner, err := http.NewRequestWithContext(r.Context(), method, path, body)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	inner.Host, inner.RemoteAddr, inner.TLS = r.Host, r.RemoteAddr, r.TLS
	inner.RequestURI = a.mounted(r) + inner.URL.RequestURI()
	for _, name := range passed {
		if v := r.Header.Values(name); len(v) > 0 {
			inner.Header[name] = v
		}
	}
	more(inner.Header)
	w := &answer{header: http.Header{}}
	a.c.API.ServeHTTP(w, inner)
	if w.status >= 400 {
		return nil, w.problem()
	}
	return w, nil
}

// mounted is the path below which browsers see the API, without a slash at its end; the
// API makes absolute addresses of it.
func (a *Admin) mounted(r *http.Request) string {
	asked, err := url.Parse(r.RequestURI)
	if err != nil {
		return ""
	}
	own, ok := strings.CutSuffix(asked.EscapedPath(), r.URL.EscapedPath())
	if !ok {
		return ""
	}
	at, err := (&url.URL{Path: own + "/"}).Parse(a.c.Server)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(at.EscapedPath(), "/")
}

// answer is what the API answers.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *answer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *answer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// read reads the answer's JSON.
func (w *answer) read(out any) error {
	if err := json.Unmarshal(w.body.Bytes(), out); err != nil {
		return fmt.Errorf("admin: an answer of the API: %w", err)
	}
	return nil
}

// problem is the error that a problem document tells of.
func (w *answer) problem() error {
	var told struct {
		Title, Detail, Hint, Parameter, ID string
		Choices                            []rasterbase.Choice
	}
	if err := json.Unmarshal(w.body.Bytes(), &told); err != nil || told.Detail == "" && told.Title == "" {
		return fmt.Errorf("admin: the API answers %d without a reason", w.status)
	}
	if told.Detail == "" {
		told.Detail = told.Title
	}
	code := rasterbase.Internal
	if w.status == http.StatusPreconditionFailed {
		code = rasterbase.Conflict
	}
	if w.status == http.StatusGone { // an upload that has expired
		code = rasterbase.NotFound
	}
	for c, status := range statuses {
		if status == w.status {
			code = c
		}
	}
	e := rasterbase.Errorf(code, "%s", told.Detail).WithField(told.Parameter)
	e.Choices = told.Choices
	if told.Hint != "" {
		e = e.WithHint("%s", told.Hint)
	}
	return e
}

// statuses are those of the pages; the API has the same ones.
var statuses = map[rasterbase.Code]int{
	rasterbase.Invalid: 400, rasterbase.Unauthorized: 401, rasterbase.Forbidden: 403, rasterbase.NotFound: 404,
	rasterbase.Conflict: 409, rasterbase.TooLarge: 413, rasterbase.TooMany: 429, rasterbase.Unsupported: 501,
	rasterbase.Internal: 500, rasterbase.Busy: 503,
}

// layerPath is the path of a layer in the API.
func layerPath(r *http.Request, more string) string {
	return "/api/v1/layers/" + url.PathEscape(r.PathValue("layer")) + more
}
