package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// Times of the HTTP server. Bodies are small in both directions.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	writeTimeout  = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 20 * time.Second

	// servingMemory is what answering requests takes beside parses: encoded
	// tiles, decoded ones on their way, the catalog's cache.
	servingMemory = 192 << 20
)

type serveCmd struct {
	Demo bool `help:"Import two small rasters if there are no layers yet, to have something to look at."`
}

// Help is the longer text of "serve --help".
func (*serveCmd) Help() string {
	return `The map is at the address that is printed; tiles are at /tiles/LAYER/Z/X/Y.png below it. Ctrl-C ends the server: it finishes what it answers and hands unfinished parses back, to be taken up at the next start.

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
	listener, err := listen(ctx, conf.Addr)
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
	handler, err := newHandler(conf, st, log)
	if err != nil {
		return err
	}
	base := conf.PublicURL
	if base == "" {
		base = "http://" + reachable(listener.Addr().String())
	}
	fmt.Fprintf(a.stdout, "rasterbase is at %s/\n", base)

	s := service{conf: conf, store: st, log: log, parser: parser}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { s.work(running); return nil })
	group.Go(func() error { parser.KeepReconciled(running); return nil })
	group.Go(func() error { return s.serve(running, listener, handler) })
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

// service is what runs in a server.
type service struct {
	conf   *config
	store  store.Store
	log    *slog.Logger
	parser *ingest.Parser
}

// work runs jobs until ctx is done and hands back what is not finished. When
// the store cannot be written to, the server goes on to serve what is there.
func (s *service) work(ctx context.Context) {
	runner := jobs.NewRunner(s.store, s.log)
	s.parser.Register(runner)
	runner.Keep(ctx, s.conf.Workers)
}

// serve answers requests until ctx is done, and finishes those under way.
func (s *service) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	s.log.Info("serving", "addr", l.Addr().String(), "store", s.conf.place(), "workers", s.conf.Workers)
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		s.log.Info("stopping: finishing requests and handing work back")
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		drained <- srv.Shutdown(wait)
	})
	err := srv.Serve(l)
	if stop() {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	if err := <-drained; err != nil {
		s.log.Warn("requests were cut off", "error", err)
		return srv.Close()
	}
	return nil
}

// newHandler makes the HTTP API.
func newHandler(conf *config, st store.Store, log *slog.Logger) (http.Handler, error) {
	timeout := time.Duration(conf.TileCacheTimeout) * time.Second
	if conf.TileCacheTimeout == 0 {
		timeout = -1
	}
	origins := conf.CORSOrigins
	if origins == nil {
		origins = []string{}
	}
	return server.New(server.Config{
		Store:        st,
		Transformer:  crs.Chain(crs.Closed{}, gdal.Transformer{}),
		Log:          log,
		CacheTimeout: timeout,
		PublicURL:    conf.PublicURL,
		CORSOrigins:  origins,
		Version:      version(),
	})
}

// listen takes the address to serve on.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, rasterbase.Errorf(rasterbase.Conflict, "%s is in use by another program", addr).
			WithHint("stop that program, perhaps another rasterbase, or serve elsewhere: rasterbase serve --addr 127.0.0.1:8081").WithField("addr")
	case errors.Is(err, syscall.EACCES):
		return nil, rasterbase.Errorf(rasterbase.Forbidden, "this user may not serve on %s", addr).
			WithHint("ports below 1024 belong to root; take another with --addr").WithField("addr")
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
