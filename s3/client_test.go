package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/fetch"
	"github.com/rasterbase/rasterbase/internal/s3test"
	"github.com/rasterbase/rasterbase/s3"
)

// withoutCredentials leaves nothing of the person's own in force.
func withoutCredentials(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_CONFIG_FILE", none)
}

func withKeys(t *testing.T, access, secret string) {
	t.Helper()
	withoutCredentials(t)
	t.Setenv("AWS_ACCESS_KEY_ID", access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
}

func client(t *testing.T, o s3.Options) *s3.Client {
	t.Helper()
	c, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func read(c *s3.Client, address string) (name string, size int64, b []byte, err error) {
	name, size, body, err := c.Open(context.Background(), address)
	if err != nil {
		return "", 0, nil, err
	}
	b, err = io.ReadAll(body)
	return name, size, b, errors.Join(err, body.Close())
}

// TestStore reads from a real store, with each way to give credentials.
func TestStore(t *testing.T) {
	server := s3test.Start(t)
	server.Bucket(t, "scenes", false)
	server.Bucket(t, "open-data", true)
	want := make([]byte, 3<<20)
	for i := range want {
		want[i] = byte(rand.Uint32())
	}
	const key = "2020/a scene+with?odd#signs%20é.tif"
	server.Put(t, "scenes", key, want)
	server.Put(t, "open-data", "dem.tif", want[:1000])

	same := func(t *testing.T, address, wantName string, want []byte, o s3.Options) {
		t.Helper()
		o.Endpoint = server.URL
		name, size, b, err := read(client(t, o), address)
		if err != nil || size != int64(len(want)) || !bytes.Equal(b, want) || name != wantName {
			t.Errorf("%s: %q, %d bytes, %v", address, name, size, err)
		}
	}
	t.Run("environment", func(t *testing.T) {
		withKeys(t, s3test.AccessKey, s3test.SecretKey)
		same(t, "s3://scenes/"+key, "a scene+with_odd#signs%20é.tif", want, s3.Options{})
		same(t, "s3://scenes/"+key, "a scene+with_odd#signs%20é.tif", want, s3.Options{Region: "us-east-1", RequesterPays: true})
	})
	t.Run("shared file", func(t *testing.T) {
		withoutCredentials(t)
		file := filepath.Join(t.TempDir(), "credentials")
		text := fmt.Sprintf("[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n[work]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s3test.AccessKey, s3test.SecretKey)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
		t.Setenv("AWS_PROFILE", "work")
		same(t, "s3://scenes/"+key, "a scene+with_odd#signs%20é.tif", want, s3.Options{})
	})
	t.Run("anonymous", func(t *testing.T) {
		withoutCredentials(t)
		same(t, "S3://open-data/dem.tif", "dem.tif", want[:1000], s3.Options{})
	})
	t.Run("refused", func(t *testing.T) {
		for _, c := range []struct {
			access, secret, address string
			code                    rasterbase.Code
			part                    string
		}{
			{s3test.AccessKey, s3test.SecretKey, "s3://scenes/none.tif", rasterbase.NotFound, "there is no such key in bucket scenes"},
			{s3test.AccessKey, s3test.SecretKey, "s3://no-such-bucket/x.tif", rasterbase.NotFound, "there is no bucket no-such-bucket"},
			{s3test.AccessKey, "wrong", "s3://scenes/none.tif", rasterbase.Forbidden, "access denied: the secret key is wrong"},
			{"nobody", "wrong", "s3://scenes/none.tif", rasterbase.Forbidden, "access denied: the store does not know the access key"},
			{"", "", "s3://scenes/" + key, rasterbase.Forbidden, "access denied (no credentials were found"},
		} {
			withKeys(t, c.access, c.secret)
			_, _, _, err := read(client(t, s3.Options{Endpoint: server.URL}), c.address)
			if rasterbase.CodeOf(err) != c.code || !strings.HasPrefix(err.Error(), c.address+": "+c.part) {
				t.Errorf("%s as %s: %v", c.address, c.access, err)
			}
		}
	})
	t.Run("too large", func(t *testing.T) {
		withKeys(t, s3test.AccessKey, s3test.SecretKey)
		c := client(t, s3.Options{Endpoint: server.URL, Fetch: fetch.Options{Limits: fetch.Limits{Bytes: 1000}}})
		if _, _, _, err := read(c, "s3://scenes/"+key); rasterbase.CodeOf(err) != rasterbase.TooLarge {
			t.Errorf("%v", err)
		}
	})
}

func TestAddressesThatAreRefused(t *testing.T) {
	c := client(t, s3.Options{Endpoint: "http://127.0.0.1:1"})
	for address, part := range map[string]string{
		"s3://":                           "not the name of a bucket",
		"s3://bucket":                     "names no file",
		"s3://bucket/":                    "names no file",
		"s3://bucket/folder/":             "names no file",
		"s3:///key":                       "not the name of a bucket",
		"s3://127.0.0.1:80/key":           "not the name of a bucket",
		"s3://bu cket/key":                "not the name of a bucket",
		"s3://access:secret@bucket/key":   "has no user or password",
		"https://bucket.s3.amazonaws.com": "does not begin with s3://",
	} {
		_, _, _, err := read(c, address)
		if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, endpoint := range []string{"s3.example.org", "ftp://s3.example.org", "https://", "https://key:secret@s3.example.org", "https://s3.example.org/path", "https://s3.example.org?x", "http://%zz"} {
		if _, err := s3.New(s3.Options{Endpoint: endpoint}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// TestOnlyTheEndpointIsTrusted: it may be on this machine, but where it sends
// its clients may not.
func TestOnlyTheEndpointIsTrusted(t *testing.T) {
	withKeys(t, "a", "b")
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another server was reached") }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	if _, _, _, err := read(client(t, s3.Options{Endpoint: server.URL, Region: "here"}), "s3://bucket/key"); err == nil {
		t.Error("a redirect was taken for a file")
	}
}

// TestFaultsOfAStore plays a store that breaks off, changes, packs or refuses.
func TestFaultsOfAStore(t *testing.T) {
	withKeys(t, "access", "key")
	file := []byte(strings.Repeat("0123456789", 1000))
	problem := func(status int, code string) func(http.ResponseWriter, *http.Request, int32) {
		return func(w http.ResponseWriter, _ *http.Request, _ int32) {
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>because</Message></Error>", code)
		}
	}
	content := func(w http.ResponseWriter, r *http.Request, etag string) {
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(file))
	}
	for name, c := range map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request, n int32)
		code  rasterbase.Code // empty: the file comes whole
		part  string
	}{
		"breaks off once": {func(w http.ResponseWriter, r *http.Request, n int32) {
			if n == 1 {
				w = &breaking{w, 5000}
			}
			content(w, r, `"v1"`)
		}, "", ""},
		"changes": {func(w http.ResponseWriter, r *http.Request, n int32) {
			if n == 1 {
				w = &breaking{w, 5000}
			}
			content(w, r, fmt.Sprintf(`"v%d"`, n))
		}, rasterbase.Conflict, "changed while it was downloaded"},
		"has no ranges": {func(w http.ResponseWriter, r *http.Request, n int32) {
			if n == 1 {
				w = &breaking{w, 5000}
			}
			r.Header.Del("Range")
			content(w, r, `"v1"`)
		}, rasterbase.Invalid, "cannot go on from there"},
		"packed": {func(w http.ResponseWriter, r *http.Request, _ int32) {
			w.Header().Set("Content-Encoding", "gzip")
			content(w, r, `"v1"`)
		}, rasterbase.Invalid, `packed as "gzip"`},
		"carelessly uploaded": {func(w http.ResponseWriter, r *http.Request, _ int32) {
			w.Header().Set("Content-Encoding", "aws-chunked")
			content(w, r, `"v1"`)
		}, "", ""},
		"archived":       {problem(http.StatusForbidden, "InvalidObjectState"), rasterbase.Conflict, "the object is archived"},
		"denied":         {problem(http.StatusForbidden, "AccessDenied"), rasterbase.Forbidden, "access denied (the credentials may not read it"},
		"expired":        {problem(http.StatusBadRequest, "ExpiredToken"), rasterbase.Forbidden, "access denied: the session token"},
		"another region": {problem(http.StatusMovedPermanently, "PermanentRedirect"), rasterbase.Invalid, "in another region"},
		"odd":            {problem(http.StatusConflict, "SomethingElse"), rasterbase.Invalid, "the store answers SomethingElse: because"},
		"overloaded":     {problem(http.StatusServiceUnavailable, "SlowDown"), rasterbase.Busy, "the store answers SlowDown"},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/bucket/scene.tif" || r.Header.Get("X-Amz-Request-Payer") != "requester" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=access/") {
					t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
				}
				c.serve(w, r, requests.Add(1))
			}))
			defer server.Close()
			_, _, b, err := read(client(t, s3.Options{Endpoint: server.URL, Region: "here", RequesterPays: true}), "s3://bucket/scene.tif")
			if c.code == "" {
				if err != nil || !bytes.Equal(b, file) {
					t.Errorf("%d bytes, %v", len(b), err)
				}
				return
			}
			if rasterbase.CodeOf(err) != c.code || !strings.HasPrefix(err.Error(), "s3://bucket/scene.tif: "+c.part) && !strings.Contains(err.Error(), c.part) {
				t.Errorf("%v", err)
			}
		})
	}
}

// breaking breaks a connection after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) < b.left {
		b.left -= len(p)
		return b.ResponseWriter.Write(p)
	}
	_, _ = b.ResponseWriter.Write(p[:b.left])
	b.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}
