package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/term"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// logger makes the program's log, on standard error.
func (a *app) logger(c *config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: durationAsText}
	if c.LogFormat == "json" || c.LogFormat == "auto" && !isTerminal(a.stderr) {
		return slog.New(slog.NewJSONHandler(a.stderr, o))
	}
	return slog.New(slog.NewTextHandler(a.stderr, o))
}

// durationAsText writes durations as people read them: 13.3s, not nanoseconds.
func durationAsText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	d := a.Value.Duration()
	switch {
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		d = d.Round(time.Millisecond)
	}
	return slog.String(a.Key, d.String())
}

// commandLogger is the log of commands that tell a person how they ended:
// nothing below an error, unless more was asked for.
func (a *app) commandLogger(c *config) *slog.Logger {
	quiet := *c
	if c.Origin["log_level"].From == fromDefault {
		quiet.LogLevel = slog.LevelError
	}
	return a.logger(&quiet)
}

// openStore opens the store that the settings name and that must be there; the
// caller closes it.
func (a *app) openStore(ctx context.Context) (*config, store.Store, error) {
	c, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(c.Data); c.DatabaseURL == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil, rasterbase.Errorf(rasterbase.NotFound, "there is no data folder %s", c.Data).
			WithHint("`rasterbase import FILE` makes it; --data names another one").WithField("data")
	}
	return a.makeStore(ctx)
}

// makeStore opens the store that the settings name; a folder is made if it is
// not there. The caller closes it.
func (a *app) makeStore(ctx context.Context) (*config, store.Store, error) {
	c, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	var st store.Store
	if c.DatabaseURL != "" {
		var d database
		if d, err = newDatabase(c.DatabaseURL, c.Schema); err == nil {
			st, err = d.open(ctx, a, c)
		}
	} else {
		st, err = a.openFolder(ctx, c, c.Data)
	}
	if err != nil {
		return nil, nil, err
	}
	return c, st, nil
}

// openFolder opens the store in a folder, or makes it.
func (a *app) openFolder(ctx context.Context, c *config, dir string) (store.Store, error) {
	st, err := sqlite.Open(ctx, dir, sqlite.Options{Logger: a.commandLogger(c)})
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", dir, err)
	}
	return st, nil
}

// view opens the store and runs a reading function in a transaction.
func (a *app) view(ctx context.Context, fn func(tx store.Tx) error) (err error) {
	_, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	return st.Catalog().View(ctx, fn)
}

// update opens the store, or makes it, and runs a writing function in a
// transaction.
func (a *app) update(ctx context.Context, fn func(tx store.Tx) error) (err error) {
	_, st, err := a.makeStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	return st.Catalog().Update(ctx, fn)
}

// errNoGDAL is what a program says that was built without GDAL.
var errNoGDAL = rasterbase.Errorf(rasterbase.Unsupported, "this program was built without GDAL and cannot read raster files").
	WithHint("install libgdal-dev and a C compiler and build it with cgo: make build")

// newParser makes a parser that opens files in a child process. A parse uses
// the cores given, as far as its memory allows. Without GDAL it opens none, so
// that a server leaves parses to workers that can.
func newParser(c *config, st store.Store, log *slog.Logger, cores int) (*ingest.Parser, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	if err := makeWorkDir(c.WorkDir); err != nil {
		return nil, err
	}
	var opener ingest.Opener
	if gdal.Available {
		opener = &gdalchild.Opener{
			Binary:      binary,
			MemoryLimit: childMemory(c.ParseMemory),
			TempDir:     c.WorkDir,
			Logger:      log,
		}
	}
	fetcher, err := newFetcher(c)
	if err != nil {
		return nil, err
	}
	return ingest.New(ingest.Config{
		Store:        st,
		Opener:       opener,
		Fetcher:      fetcher,
		FreeDisk:     freeDisk(c),
		Log:          log,
		TileSize:     c.TileSize,
		Workers:      coresOfParse(cores, c.ParseMemory),
		BatchSize:    c.BatchSize,
		WorkDir:      c.WorkDir,
		SingleTask:   c.SingleTask,
		Visibility:   c.Visibility,
		Limits:       ingest.Limits{SourceBytes: c.MaxSourceBytes, FreeDisk: max(1, c.MinFreeDisk)},
		Compress:     string(c.Compression),
		SourceGrace:  c.fetchTimeout() + time.Hour,
		AllowedPaths: c.AllowedPaths,
		InRequest:    !c.UseQueue,
		Ended:        tellEnded(c),
	}), nil
}

// makeWorkDir makes the folder for temporary files, if one is set and is not
// there: otherwise each parse would fail for the lack of it.
func makeWorkDir(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "the folder for temporary files cannot be used: %w", err).
			WithHint("set RASTER_WORKDIR to a folder that this user may write to").WithField("workdir")
	}
	return nil
}

// childMemory is the part of a parse's memory that its GDAL process gets; the
// rest is for the windows and tiles on this side of the pipe.
func childMemory(parse int64) int64 { return parse / 8 * 5 }

// limitMemory makes the collector keep this process's part of the memory of so
// many parses at once, beside what it needs for other things. A limit set from
// outside, with GOMEMLIMIT, stays.
func limitMemory(c *config, parses int, other int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(parses)*(c.ParseMemory-childMemory(c.ParseMemory)) + other)
	}
}

// memoryPerCore is what one more core of a parse takes: the window it reads,
// the tiles it makes of it, and what waits to be written.
const memoryPerCore = 64 << 20

// coresOfParse is how many of the cores a parse uses with so much memory.
func coresOfParse(cores int, memory int64) int {
	return int(max(1, min(int64(cores), memory/memoryPerCore)))
}

// coresPerParse shares the machine among the parses of a server.
func coresPerParse(workers int) int { return max(1, runtime.NumCPU()/workers) }

// findLayer finds a layer by id, slug or file name.
func findLayer(ctx context.Context, st store.Store, ref string) (l *rasterbase.Layer, err error) {
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		l, err = store.FindLayer(ctx, tx, ref)
		return err
	})
	return l, err
}

// isTerminal tells whether a person sees what is written.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// closeInto closes c and keeps its error if there is none yet.
func closeInto(err *error, c io.Closer) {
	if e := c.Close(); e != nil && *err == nil {
		*err = e
	}
}
