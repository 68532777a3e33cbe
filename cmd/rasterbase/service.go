package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/metrics"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// Times of the HTTP server. What takes longer, such as an upload, moves its own
// deadline.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	writeTimeout  = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 20 * time.Second
)

// service is what runs in a server, and without its HTTP API in a worker.
type service struct {
	conf    *config
	store   store.Store
	log     *slog.Logger
	parser  *ingest.Parser
	metrics *metrics.Metrics
}

func newService(conf *config, st store.Store, parser *ingest.Parser, log *slog.Logger) *service {
	for _, dir := range conf.AllowedPaths {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			log.Warn("a folder of RASTER_ALLOWED_PATHS is not there now", "folder", dir)
		}
	}
	m := metrics.New(metrics.Options{Store: st, Version: version(), Log: log, Facts: facts})
	return &service{conf: conf, store: st, log: log, parser: parser, metrics: m}
}

// facts are what /readyz tells of a process.
func facts() map[string]string {
	all := map[string]string{"version": version(), "gdal": "none"}
	if gdal.Available {
		all["gdal"] = gdal.Version()
		all["sandbox"] = strings.Join(gdalchild.Sandbox(), "; ")
	}
	return all
}

// start begins what a server and a worker do beside answering: jobs, putting in
// order what others left, and the address for operators, if there is one.
func (s *service) start(ctx context.Context, group *errgroup.Group, operations net.Listener) {
	group.Go(func() error { s.work(ctx); return nil })
	group.Go(func() error { s.parser.KeepReconciled(ctx); return nil })
	if operations != nil {
		s.log.Info("metrics", "addr", operations.Addr().String())
		group.Go(func() error { return s.serve(ctx, operations, s.metrics.Mux(nil), nil) })
	}
}

// work runs jobs until ctx is done and hands back what is not finished. When
// the store cannot be written to, the server goes on to serve what is there.
func (s *service) work(ctx context.Context) {
	runner := jobs.NewRunner(s.store, s.log)
	runner.Observe(s.metrics.Job)
	s.parser.Register(runner)
	exporter, err := server.NewExporter(s.serverConfig(nil))
	if err != nil {
		s.log.Error("exports are not made here", "error", err)
	} else {
		jobs.Handle(runner, server.ExportKind, func(ctx context.Context, _ json.RawMessage, j *store.Job) error { return exporter.Handle(ctx, j) })
	}
	runner.Keep(ctx, s.conf.Workers)
}

// listen takes the address for operators; it is nil when none is set.
func (s *service) listen(ctx context.Context) (net.Listener, error) {
	if s.conf.MetricsAddr == "" {
		return nil, nil
	}
	return listen(ctx, s.conf.MetricsAddr, "metrics-addr")
}

// serve answers requests until ctx is done, and finishes those under way. stop,
// if any, ends those that would go on by themselves.
func (s *service) serve(ctx context.Context, l net.Listener, h http.Handler, stop func()) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	if stop != nil {
		srv.RegisterOnShutdown(stop)
	}
	drained := make(chan error, 1)
	stopping := context.AfterFunc(ctx, func() {
		s.log.Info("stopping: finishing requests and handing work back")
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		drained <- srv.Shutdown(wait)
	})
	err := srv.Serve(l)
	if stopping() {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	if err := <-drained; err != nil {
		s.log.Warn("requests were cut off", "error", err)
		return srv.Close()
	}
	return nil
}

// handler makes the HTTP API.
func (s *service) handler(users *auth.Auth) (*server.Server, error) {
	c := s.serverConfig(users)
	c.Accounts = users
	return server.New(c)
}

// serverConfig is what the HTTP API works with, and the jobs that draw as it does.
func (s *service) serverConfig(who rasterbase.Auth) server.Config {
	conf := s.conf
	timeout := time.Duration(conf.TileCacheTimeout) * time.Second
	if conf.TileCacheTimeout == 0 {
		timeout = -1
	}
	origins := conf.CORSOrigins
	if origins == nil {
		origins = []string{}
	}
	return server.Config{
		Store:             s.store,
		Auth:              who,
		Basemap:           conf.Basemap,
		Transformer:       crs.Chain(crs.Closed{}, gdal.Transformer{}),
		Log:               s.log,
		CacheTimeout:      timeout,
		NoRevalidate:      !conf.TileCacheRevalidate,
		EmptyTile204:      conf.EmptyTile204,
		CompressMethod:    string(conf.Compression),
		PublicURL:         conf.PublicURL,
		TrustedProxies:    conf.TrustedProxies,
		CORSOrigins:       origins,
		Version:           version(),
		Parser:            s.parser,
		ParseInRequest:    !conf.UseQueue,
		DefaultVisibility: conf.Visibility,
		TileSize:          conf.TileSize,
		MaxUploadBytes:    conf.MaxSourceBytes,
		UploadExpiry:      time.Duration(conf.UploadExpiry) * time.Second,
		FreeDisk:          freeDisk(conf),
		MinFreeDisk:       conf.MinFreeDisk,
		WorkDir:           conf.WorkDir,
		Observer:          s.metrics,
		Metrics:           s.metrics.Handler(),
		Facts:             facts,
		Settings:          conf.inForce,

		Formula:             algebra.Options{MaxNodes: conf.FormulaNodes, MaxVariables: conf.FormulaVariables},
		MaxFormulaLayers:    conf.FormulaLayers,
		MaxPoints:           conf.MaxPoints,
		MaxPerClient:        conf.MaxPerClient,
		ExportMaxPixels:     int64(conf.ExportMaxPixels),
		ExportMaxTiles:      int64(conf.ExportMaxTiles),
		ExportRequestPixels: int64(conf.ExportRequestPixels),
		ExportExpiry:        time.Duration(conf.ExportExpiry) * time.Second,
		ExportsPerOwner:     conf.ExportsPerOwner,
		CountMaxPixels:      int64(conf.CountMaxPixels),
		CountMaxVertices:    conf.CountMaxVertices,
		CountMaxZones:       conf.CountMaxZones,
		Recompress:          gdal.Recompress,
	}
}
