package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/store"
)

// askAs asks for a page with an Authorization header, which may be empty.
func askAs(t *testing.T, address, authorization string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// secretOf makes a token and gives what stands on standard output, as a shell
// takes it.
func secretOf(t *testing.T, dir, user string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "rasterbase", "tokens", "add", user)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// A server knows a user and a token as soon as the commands have made them, and
// no more as soon as they are deleted.
func TestTokensOpenPrivateLayersOfARunningServer(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		out, err := output(dir, args...)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return out
	}
	elevation := demo.Rasters()[0]
	if err := unpack(elevation, dir); err != nil {
		t.Fatal(err)
	}
	run("import", elevation.File)
	run("layers", "set", "1", "visibility=private")
	p := start(t, dir, "serve", "--addr", "127.0.0.1:0")
	layer := strings.TrimSuffix(p.until(t, "rasterbase is at "), "/") + "/layers/1"
	want := func(authorization string, status int) {
		t.Helper()
		if got := askAs(t, layer, authorization); got.StatusCode != status {
			t.Errorf("status %d, want %d", got.StatusCode, status)
		}
	}
	want("", 404)
	want("Bearer rb_wrong", 401)
	run("users", "add", "anna", "--role", "viewer")
	secret := secretOf(t, dir, "anna")
	want("Bearer "+secret, 200)
	want("", 404)
	for used := false; !used; { // it is noted beside the request
		if used = !strings.Contains(run("tokens"), "never"); !used {
			pause(t.Context(), 20*time.Millisecond)
		}
	}
	run("tokens", "delete", "1", "--yes")
	want("Bearer "+secret, 401)
	secret = secretOf(t, dir, "anna")
	want("Bearer "+secret, 200)
	run("users", "delete", "anna", "--yes")
	want("Bearer "+secret, 401)
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.stderr)
	}
}

// Whoever becomes the last administrator while a command asks stays one.
func TestBecomingTheLastAdministrator(t *testing.T) {
	ctx := t.Context()
	for _, yes := range []bool{false, true} {
		var stderr strings.Builder
		a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, environ: []string{"RASTER_DATA=" + t.TempDir()}}
		err := a.update(ctx, func(tx store.Tx) error {
			return errors.Join(tx.Users().Create(ctx, &rasterbase.User{Name: "anna", Role: rasterbase.Administrator}),
				tx.Users().Create(ctx, &rasterbase.User{Name: "bert", Role: rasterbase.Administrator}))
		})
		if err != nil {
			t.Fatal(err)
		}
		_, ok, err := a.changeUser(ctx, "bert", userChange{
			demotes: true, yes: yes,
			question: func(d userDoc, last bool) string {
				if last {
					t.Error("bert is the last one before")
				}
				gone := a.updateThere(ctx, func(tx store.Tx) error { return tx.Users().Delete(ctx, 1) })
				if gone != nil {
					t.Error(gone)
				}
				return ""
			},
			apply: func(tx store.Tx, u *rasterbase.User) error {
				u.Role = rasterbase.Viewer
				return tx.Users().Update(ctx, u)
			},
		})
		doc, last, readErr := a.readUser(ctx, "bert")
		if readErr != nil {
			t.Fatal(readErr)
		}
		if ok != yes || last == yes || (rasterbase.CodeOf(err) == rasterbase.Conflict) == yes {
			t.Errorf("yes is %t: changed %t, %v; then %s", yes, ok, err, doc)
		}
		if got := strings.Contains(stderr.String(), "nobody is an administrator now"); got != yes {
			t.Errorf("yes is %t: %s", yes, stderr.String())
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
