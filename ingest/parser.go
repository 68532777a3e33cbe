// Package ingest parses rasters: it opens a source, plans what will be made of
// it, cuts base tiles, warps them once to the max zoom, reduces level by level
// to zoom 0, keeps summaries and statistics, and publishes all of it at once.
// The file is opened through an [Opener], so that this package knows no GDAL.
package ingest

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Config is what a [Parser] works with. Zero fields take the defaults.
type Config struct {
	Store store.Store
	// Opener opens sources. Nil is for builds that cannot: then parses are
	// left to other workers, and nothing can be added.
	Opener Opener
	// Fetcher opens sources that are named by an address, such as a URL. Nil:
	// none are.
	Fetcher Fetcher
	// FreeDisk tells how many bytes are free where the store keeps sources. Nil:
	// that is not on this machine.
	FreeDisk   func() (int64, error)
	Log        *slog.Logger
	TileSize   int                   // of layers that do not ask for one; 256
	Workers    int                   // cores that one parse uses, each with some 60 MiB; the machine's, 8 at most
	BatchSize  int                   // tiles written at once; 100
	WorkDir    string                // for unpacked files; the system's temporary folder. An Opener makes its own there too
	SingleTask bool                  // a parse is one job, however large
	Visibility rasterbase.Visibility // of new layers; public
	Limits     Limits
	// Compress is GDAL's name of the compression of temporary GeoTIFF files, such
	// as LZW. Empty: none.
	Compress string
	// SourceGrace is how long [Parser.Collect] leaves a source alone that nothing
	// refers to. It is longer than a download takes, and than a host waits between
	// [Parser.Prepare] and saving. Zero: 7 hours.
	SourceGrace time.Duration
	// AllowedPaths are the folders that [Parser.Create] and the like may take
	// files from. Empty: none.
	AllowedPaths []string
	// InRequest is for programs in which whoever queues a parse works on it too:
	// [Parser.Register] registers no parses then, only what is left to be done
	// after them.
	InRequest bool
	// Ended is called after each parse that has ended, once at least: again
	// after a pause when it returns an error, ten times at most, and not when
	// that is a [store.Permanent]. It may be called in any process that
	// registers this parser's jobs, and all that share a store need one then.
	// Nil: nobody is told.
	Ended func(ctx context.Context, e Ended) error
}

// Limits are what a source may ask for. Zero fields take the defaults.
type Limits struct {
	SourceBytes int64 // of the source, unpacked; 100 GiB
	FreeDisk    int64 // bytes that a source leaves free where it is kept; 256 MiB
	Pixels      int64 // width times height; 10^11
	Bands       int   // 512
	Tiles       int64 // base and pyramid tiles; 20 million
}

// Parser parses layers into a store.
type Parser struct {
	c Config

	mu   sync.Mutex
	open map[rasterbase.ParseID]*opened

	workDisk func(dir string) (free int64, err error) // for temporary files
}

// New makes a parser. It panics without a store.
func New(c Config) *Parser {
	if c.Store == nil {
		panic("ingest: a parser needs a store")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Visibility == "" {
		c.Visibility = rasterbase.Public
	}
	orDefault(&c.TileSize, 256)
	orDefault(&c.Workers, min(8, runtime.GOMAXPROCS(0)))
	orDefault(&c.BatchSize, 100)
	orDefault(&c.Limits.SourceBytes, 100<<30)
	orDefault(&c.Limits.FreeDisk, 256<<20)
	orDefault(&c.Limits.Pixels, 100_000_000_000)
	orDefault(&c.Limits.Bands, 512)
	orDefault(&c.Limits.Tiles, 20_000_000)
	if c.SourceGrace == 0 {
		c.SourceGrace = 7 * time.Hour
	}
	return &Parser{c: c, open: map[rasterbase.ParseID]*opened{}, workDisk: freeBytes}
}

func orDefault[T int | int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Request is a wish for a new layer.
type Request struct {
	// Source is the path of the raster, or of a zip file that holds it, or an
	// address that the parser's Fetcher opens.
	Source string
	// Downloading is called now and then while an address is downloaded, and
	// once at its end, with the bytes that are there and the size, -1 when it
	// is not known. Nil: nobody asks.
	Downloading func(done, size int64)
	// Origin is shown as where the raster came from, when Source is only a copy
	// of it; empty: Source. It has no password.
	Origin      string
	Name        string // empty: made from the file name
	Description string
	Attribution string
	License     string
	Settings    rasterbase.Settings
	// Legend colours the layer: an existing one by its ID, or, with ID 0 and
	// entries, one to be made. Nil: the one that the file brings, if any.
	Legend *rasterbase.Legend
}

// Progress is called now and then while a parse runs, and once when it ended.
type Progress func(p rasterbase.Parse)

// Import adds a layer and parses it in this process, for a program that wants
// to do it in one line.
func Import(ctx context.Context, st store.Store, o Opener, r Request) (*rasterbase.Layer, error) {
	return New(Config{Store: st, Opener: o}).Import(ctx, r, nil)
}
