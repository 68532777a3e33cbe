// Command host is a program with a database, migrations, background jobs and
// users of its own, and with rasterbase inside it, in the same database: a field
// has a border and a raster layer. The two are saved in one transaction, a job
// of the program's own River reports what the layer holds inside the border, and
// the tiles are served under /raster/ to the field's owner alone.
//
// Run it on a database whose owner may create extensions:
//
//	cd examples
//	DATABASE_URL=postgres://user:password@localhost/mydb go run ./host ../demo/storm_lake_vegetation.tif
//
// This file puts the parts together, field.go saves fields and reports on them,
// auth.go tells who may see what.
package main

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/postgis"
	"github.com/rasterbase/rasterbase/server"
)

//go:embed migrations
var migrations embed.FS

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if len(os.Args) != 2 {
		log.Error("usage: host FILE")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, log, "127.0.0.1:8091", os.Getenv("DATABASE_URL"), os.Args[1]); err != nil {
		log.Error("host", "error", err)
		os.Exit(1)
	}
}

// host is the program. Its pool is rasterbase's too.
type host struct {
	pool    *pgxpool.Pool
	rasters *postgis.DB
	parser  *ingest.Parser
	river   *river.Client[pgx.Tx]
}

func run(ctx context.Context, out io.Writer, log *slog.Logger, addr, url, file string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate(ctx, pool); err != nil {
		return err
	}
	h, err := newHost(ctx, pool, log)
	if err != nil {
		return err
	}
	defer h.rasters.Close()

	token := rand.Text()
	if err := h.savePerson(ctx, "ada", token); err != nil {
		return err
	}
	id, err := h.addField(ctx, field{
		Name: "Lakeside", Owner: "ada",
		Border: "POLYGON((-113.27 46.05, -113.24 46.05, -113.24 46.07, -113.27 46.07, -113.27 46.05))",
	}, file)
	if err != nil {
		return err
	}

	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the report: http://ada:%s@%s/fields/%d\n", token, l.Addr(), id)
	fmt.Fprintf(out, "the map:    http://ada:%s@%s/raster/\n", token, l.Addr())
	return h.serve(ctx, l, log)
}

// migrate brings everybody's tables up to date: rasterbase's in their schema,
// then the program's, which refer to them, then River's.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if err := postgis.Migrate(ctx, pool, postgis.Options{}); err != nil {
		return err
	}
	own, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	steps, err := goose.NewProvider(goose.DialectPostgres, db, own)
	if err != nil {
		return err
	}
	if _, err := steps.Up(ctx); err != nil {
		return err
	}
	tables, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	_, err = tables.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

func newHost(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) (*host, error) {
	rasters, err := postgis.New(ctx, pool, postgis.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	h := &host{pool: pool, rasters: rasters}
	// gdal.Opener reads files in this process: right for files that are
	// trusted. gdalchild.Opener reads them in a process of their own.
	h.parser = ingest.New(ingest.Config{Store: rasters, Opener: gdal.Opener{}, Log: log, Visibility: rasterbase.Private})

	workers := river.NewWorkers()
	river.AddWorker(workers, &reporter{host: h})
	h.river, err = river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2}},
		Workers: workers,
		Logger:  log,
	})
	return h, err
}

// serve answers requests and works on jobs, the program's and rasterbase's,
// until ctx is done.
func (h *host) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	rasters, err := server.New(server.Config{Store: h.rasters, Auth: auth{}, Transformer: gdal.Transformer{}, Log: log})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/raster/", http.StripPrefix("/raster", rasters))
	mux.HandleFunc("GET /fields/{id}", h.report)
	srv := &http.Server{Handler: h.signIn(mux), ReadHeaderTimeout: 10 * time.Second}

	runner := jobs.NewRunner(h.rasters, log)
	h.parser.Register(runner)

	group, ctx := errgroup.WithContext(ctx)
	if err := h.river.Start(ctx); err != nil {
		return err
	}
	group.Go(func() error { <-h.river.Stopped(); return nil })
	group.Go(func() error { runner.Keep(ctx, 1); return nil })
	group.Go(func() error { h.parser.KeepReconciled(ctx); return nil })
	group.Go(func() error {
		context.AfterFunc(ctx, func() { srv.Close() })
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return group.Wait()
}
