package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/admin"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/server"
)

// servingMemory is what answering requests takes beside parses: encoded tiles,
// decoded ones on their way, the catalog's cache.
const servingMemory = 192 << 20

type serveCmd struct {
	Demo bool `help:"Import two small rasters if there are no layers yet, to have something to look at."`
}

// Help is the longer text of "serve --help".
func (*serveCmd) Help() string {
	return `The map is at the address that is printed; tiles are at /tiles/LAYER/Z/X/Y.png below it, and /api/v1 adds, changes and deletes layers for those who show a token ("rasterbase tokens"). Ctrl-C ends the server: it finishes what it answers and hands unfinished parses back, to be taken up at the next start.

Examples:

  rasterbase serve --demo
  rasterbase serve --addr :8080 --data /var/lib/rasterbase`
}

// Run serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context, a *app) (err error) {
	conf, err := a.config()
	if err != nil {
		return err
	}
	log := a.logger(conf)
	listener, err := listen(ctx, conf.Addr, "addr")
	if err != nil {
		return err
	}
	defer listener.Close()
	_, st, err := a.makeStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	parser, err := newParser(conf, st, log, coresPerParse(conf.Workers))
	if err != nil {
		return err
	}
	defer parser.Close()
	limitMemory(conf, conf.Workers, servingMemory)
	s := newService(conf, st, parser, log)
	users := auth.New(st.Catalog(), auth.Options{Log: log, Origin: originOf(conf.PublicURL), Secure: func(r *http.Request) bool {
		return strings.HasPrefix(conf.PublicURL, "https:") || server.Secure(r)
	}})
	defer users.Close()
	handler, err := s.handler(users)
	if err != nil {
		return err
	}
	if conf.Admin {
		pages, err := admin.New(admin.Config{API: handler, Auth: users, Accounts: users, Basemap: conf.Basemap, Log: log})
		if err != nil {
			return err
		}
		handler.Mount("/admin", pages)
	}
	operations, err := s.listen(ctx)
	if err != nil {
		return err
	}
	base := conf.PublicURL
	if base == "" {
		base = "http://" + reachable(listener.Addr().String())
	}
	fmt.Fprintf(a.stdout, "rasterbase is at %s/\n", base)
	if conf.Admin {
		if err := sayAdmin(ctx, a.stdout, users, base); err != nil {
			return err
		}
	}

	log.Info("serving", "addr", listener.Addr().String(), "store", conf.place(), "workers", conf.Workers)
	group, running := errgroup.WithContext(ctx)
	s.start(running, group, operations)
	group.Go(func() error { return s.serve(running, listener, handler, handler.Close) })
	if c.Demo {
		group.Go(func() error {
			d := demoImport{store: st, parser: parser, out: a.stdout, base: base, workDir: conf.WorkDir}
			if err := d.run(running); err != nil && !errors.Is(err, context.Canceled) {
				log.Error("the demo layers are not there", "error", err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped")
	return nil
}

// sayAdmin prints where the admin is, and by which address it is set up.
func sayAdmin(ctx context.Context, to io.Writer, users *auth.Auth, base string) error {
	code, err := users.SetupCode(ctx)
	if err != nil {
		return err
	}
	if code == "" {
		_, err = fmt.Fprintf(to, "the admin is at %s/admin/\n", base)
		return err
	}
	_, err = fmt.Fprintf(to, "make the first administrator at %s/admin/setup?code=%s\n", base, code)
	return err
}

// originOf is the scheme and host of the public URL; empty without one.
func originOf(public string) string {
	u, err := url.Parse(public)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// listen takes the address to serve on.
func listen(ctx context.Context, addr, field string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, rasterbase.Errorf(rasterbase.Conflict, "%s is in use by another program", addr).
			WithHint("stop that program, perhaps another rasterbase, or serve elsewhere: rasterbase serve --%s 127.0.0.1:8081", field).WithField(field)
	case errors.Is(err, syscall.EACCES):
		return nil, rasterbase.Errorf(rasterbase.Forbidden, "this user may not serve on %s", addr).
			WithHint("ports below 1024 belong to root; take another with --%s", field).WithField(field)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l, nil
}

// reachable turns the address of a listener on every interface into one that a
// browser on this machine can open.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(strings.TrimSpace(host), port)
}
