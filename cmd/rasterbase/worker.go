package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/rasterbase/rasterbase/gdal"
)

type workerCmd struct{}

// Help is the longer text of "worker --help".
func (*workerCmd) Help() string {
	return `It parses what is imported and does the other work that waits in the store, without serving anything: on further machines that have the same database, or beside a server on the same folder. Workers share large parses. RASTER_WORKERS says how many parses, or parts of large ones, it works on at once. Ctrl-C ends it: what is not finished is handed back.

Examples:

  RASTER_DATABASE_URL=postgres://user@db.example.org/gis rasterbase worker
  rasterbase worker --data /var/lib/rasterbase --workers 4`
}

// Run works until it is told to stop.
func (c *workerCmd) Run(ctx context.Context, a *app) (err error) {
	if !gdal.Available {
		return errNoGDAL
	}
	conf, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	log := a.logger(conf)
	parser, err := newParser(conf, st, log, coresPerParse(conf.Workers))
	if err != nil {
		return err
	}
	defer parser.Close()
	limitMemory(conf, conf.Workers, 0)
	s := newService(conf, st, parser, log)
	operations, err := s.listen(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "rasterbase works on the jobs of %s\n", conf.place())
	log.Info("working", "store", conf.place(), "workers", conf.Workers)
	group, running := errgroup.WithContext(ctx)
	s.start(running, group, operations)
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped")
	return nil
}
