package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// named lets everybody be whom they say they are: alice and bob edit, root
// manages too, and others may only read.
type named struct{}

func (named) Principal(r *http.Request) (rasterbase.Principal, error) {
	name, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if name == "wrong" {
		return rasterbase.Principal{}, rasterbase.Errorf(rasterbase.Unauthorized, "the token is wrong")
	}
	return rasterbase.Principal{Name: name}, nil
}

func (named) May(_ context.Context, p rasterbase.Principal, a rasterbase.Action, _ *rasterbase.Layer) error {
	switch {
	case p.Name == "root", a == rasterbase.Read, a == rasterbase.Edit && (p.Name == "alice" || p.Name == "bob"):
		return nil
	case p.Name == "":
		return rasterbase.Errorf(rasterbase.Unauthorized, "sign in to %s", a)
	}
	return rasterbase.Errorf(rasterbase.Forbidden, "you may not %s", a)
}

// sender sends requests of the protocol to a server as somebody.
type sender struct {
	t   *testing.T
	web string // the server's root
	who string
}

// reply is what was answered.
type reply struct {
	status int
	http.Header
	body string
}

// newSender serves a store over HTTP.
func newSender(t *testing.T, c server.Config) sender {
	t.Helper()
	if c.Auth == nil {
		c.Auth = named{}
	}
	web := httptest.NewServer(newServer(t, c))
	t.Cleanup(web.Close)
	return sender{t, web.URL, "alice"}
}

func (s sender) as(who string) sender { s.who = who; return s }

// do sends a request; header is name and value pairs, of which an empty value
// takes a header away. A path that is an address already is left as it is.
func (s sender) do(method, path string, body io.Reader, header ...string) reply {
	s.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = s.web + path
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	if s.who != "" {
		r.Header.Set("Authorization", "Bearer "+s.who)
	}
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Body.Close()
	got, err := io.ReadAll(w.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{w.StatusCode, w.Header, string(got)}
}

// want checks a status.
func (r reply) want(t *testing.T, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %.300s", r.status, status, r.body)
	}
	if got := r.Get("Tus-Resumable"); got != "1.0.0" {
		t.Errorf("Tus-Resumable %q", got)
	}
	return r
}

// metadata is the header for a file's name.
func metadata(name string) string {
	return "filename " + base64.StdEncoding.EncodeToString([]byte(name))
}

// begin makes an upload and gives its address.
func (s sender) begin(name, size string) string {
	s.t.Helper()
	r := s.do(http.MethodPost, "/api/v1/uploads", nil, "Upload-Length", size, "Upload-Metadata", metadata(name)).want(s.t, http.StatusCreated)
	return s.resolve("/api/v1/uploads", r.Get("Location"))
}

// resolve finds the address that a reference at a path means.
func (s sender) resolve(path, ref string) string {
	s.t.Helper()
	base, err := url.Parse(s.web + path)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := base.Parse(ref)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.String()
}

// send adds a piece.
func (s sender) send(address, offset, data string, header ...string) reply {
	s.t.Helper()
	return s.do(http.MethodPatch, address, strings.NewReader(data), append([]string{"Upload-Offset", offset}, header...)...)
}

// offset asks how far an upload is.
func (s sender) offset(address string) string {
	s.t.Helper()
	return s.do(http.MethodHead, address, nil).want(s.t, http.StatusOK).Get("Upload-Offset")
}

// wantBytes checks the file of an upload in the store.
func wantBytes(t *testing.T, st store.Store, address string, want []byte) {
	t.Helper()
	id := address[strings.LastIndex(address, "/")+1:]
	var u *rasterbase.Upload
	err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
		u, err = tx.Uploads().Get(t.Context(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := st.Sources().Open(t.Context(), u.Source, u.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the file has %d bytes that are not the %d that were sent", len(got), len(want))
	}
}

// nothingUploaded checks that neither records nor files are left.
func nothingUploaded(t *testing.T, st store.Store) {
	t.Helper()
	var records []*rasterbase.Upload
	err := st.Catalog().View(t.Context(), func(tx store.Tx) (err error) {
		records, err = tx.Uploads().List(t.Context())
		return err
	})
	if err != nil || len(records) > 0 {
		t.Errorf("%d records are left, %v", len(records), err)
	}
	if sources, err := st.Sources().List(t.Context()); err != nil || len(sources) > 0 {
		t.Errorf("sources are left: %v, %v", sources, err)
	}
}
