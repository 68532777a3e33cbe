// Package server answers HTTP: the map page, tiles, legends and metadata of the
// layers in a store. A [Server] is an http.Handler whose paths are relative to
// wherever it is mounted:
//
//	s, err := server.New(server.Config{Store: st})
//	mux.Handle("/raster/", http.StripPrefix("/raster", s))
//
// It reads pixels through package coverage and everything else through the
// store's contracts, so it works on any backend, and it opens no raster file.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/store"
)

// DefaultCacheTimeout is how long a browser may keep a tile whose address holds
// the tile's version.
const DefaultCacheTimeout = 86400 * time.Second

// DefaultTileCache is the memory for encoded tiles, in bytes.
const DefaultTileCache = 64 << 20

// Config is what a [Server] works with. Only Store is needed.
type Config struct {
	Store store.Store
	// Auth decides who may read what; nil: [rasterbase.ReadPublic].
	Auth rasterbase.Auth
	// Transformer converts coordinates between CRSs; nil: the closed forms of
	// package crs.
	Transformer crs.Transformer
	// Log takes requests and failures; nil discards them.
	Log *slog.Logger
	// CacheTimeout is the max-age of tiles at addresses with a current v=;
	// 0: [DefaultCacheTimeout], negative: browsers ask every time, and the server
	// keeps neither encoded tiles nor what it read of the catalog.
	CacheTimeout time.Duration
	// TileCache bounds the encoded tiles kept in memory, in bytes; 0:
	// [DefaultTileCache], negative: none are kept.
	TileCache int64
	// NoRevalidate lets browsers keep tiles at addresses without a current v= for
	// CacheTimeout, as django-raster does, in place of asking each time.
	NoRevalidate bool
	// EmptyTile204 answers tiles without a valid pixel with 204 and no body, in
	// place of a transparent picture.
	EmptyTile204 bool
	// CompressMethod is how tiles that are GeoTIFFs are compressed, by the names of
	// [render.TIFFOptions]; empty: they are not.
	CompressMethod string
	// Formula bounds the formulas of requests and of layers; its Names and Reductions
	// do not count.
	Formula algebra.Options
	// MaxFormulaLayers is how many bands of layers a request may give names to; 0: 32.
	MaxFormulaLayers int
	// MaxDrawing is how many tiles are drawn at the same time; the others wait.
	// 0: twice GOMAXPROCS.
	MaxDrawing int
	// PublicURL is where clients see the server, mount point included; it makes
	// every absolute URL. Empty: from each request's Host header, or what a trusted
	// proxy says of it.
	PublicURL string
	// TrustedProxies are the addresses of proxies whose Forwarded and X-Forwarded
	// headers are believed: who the client is, and where it sees the server. From
	// others they count for nothing.
	TrustedProxies []netip.Prefix
	// CORSOrigins are the origins whose pages may read; nil: all ("*"), empty
	// but not nil: none. It never applies to cookies.
	CORSOrigins []string
	// Basemap lies below the layers on the map page; browsers load it from its host.
	Basemap rasterbase.Basemap
	// Version of the program, shown on the page and part of every ETag.
	Version string

	// Parser makes, changes and deletes layers; nil: this server only reads, and
	// what would change a layer is answered 501.
	Parser Parser
	// Accounts are the users and tokens of Auth, which administrators manage over
	// HTTP; nil: Auth keeps them elsewhere, and this server answers 501.
	Accounts Accounts
	// ParseInRequest works on a new parse in the request that asks for it, which
	// is answered when it has ended, for programs without workers.
	ParseInRequest bool
	// DefaultVisibility is that of new layers whose maker does not say; empty:
	// the Parser's.
	DefaultVisibility rasterbase.Visibility
	// TileSize is what new parses take where a layer asks for none, to tell
	// which layers are outdated; 0: 256.
	TileSize int
	// Challenge is the WWW-Authenticate of answers to those who are not signed
	// in; empty: [DefaultChallenge].
	Challenge string

	// MaxUploadBytes is the longest file that can be uploaded; 0: any.
	MaxUploadBytes int64
	// UploadExpiry is how long an upload stays after its last piece; 0:
	// [DefaultUploadExpiry].
	UploadExpiry time.Duration
	// UploadIdle is how long a client that sends a piece may send nothing before
	// it is cut off; 0: 30 seconds.
	UploadIdle time.Duration
	// FreeDisk tells how many bytes are free where sources are kept; nil: it is
	// not looked at.
	FreeDisk func() (int64, error)
	// MinFreeDisk is how much of that an upload must leave, in bytes.
	MinFreeDisk int64
	// WorkDir is where pieces with a checksum are kept while they arrive; empty:
	// the system's temporary folder.
	WorkDir string

	// ExportMaxPixels is how many pixels an export has at most, width times height;
	// 0: [DefaultExportPixels].
	ExportMaxPixels int64
	// ExportMaxTiles is how many tiles a tile set has at most; 0:
	// [DefaultExportTiles].
	ExportMaxTiles int64
	// ExportRequestPixels is how many pixels are made in the request that asks for
	// them; larger exports are made in the background. 0:
	// [DefaultRequestPixels].
	ExportRequestPixels int64
	// ExportExpiry is how long an export that was made in the background can be
	// fetched; 0: [DefaultExportExpiry].
	ExportExpiry time.Duration
	// ExportsPerOwner is how many exports somebody may have waiting or running in
	// the background; 0: [DefaultExportsPerOwner].
	ExportsPerOwner int
	// Recompress packs the GeoTIFF at from anew into the file to, with a
	// compression that GDAL alone has; nil: such exports are refused.
	Recompress func(ctx context.Context, from, to, compression string) error

	// MaxPerClient is how many requests that compute are worked on at once for one
	// client; others wait a moment, and are refused then. 0: [DefaultPerClient],
	// negative: any number.
	MaxPerClient int
	// MaxPoints is how many points can be looked up in one request; 0:
	// [DefaultMaxPoints].
	MaxPoints int

	// CountMaxPixels is how many pixels may be read for counts and statistics in a
	// request, and a hundred times as many in the background; 0:
	// [DefaultCountMaxPixels]. Pixels that summaries know are not read.
	CountMaxPixels int64
	// CountMaxVertices is how many vertices a geometry may have in which pixels are
	// counted; 0: [DefaultCountMaxVertices].
	CountMaxVertices int
	// CountMaxZones is how many zones are counted in a request; more are counted in
	// the background. 0: [DefaultCountMaxZones].
	CountMaxZones int

	// Observer is told what the server does, for metrics; nil: nobody.
	Observer Observer
	// Metrics answers GET /metrics to those who may manage the server; nil:
	// there is no such route.
	Metrics http.Handler
	// Facts are shown by /readyz, one in each line after the first, such as the
	// limits of the processes that open raster files.
	Facts func() map[string]string
	// Settings are told to administrators; nil: there are none to tell.
	Settings func() []Setting
}

// DefaultChallenge is the WWW-Authenticate of a server whose configuration has
// none.
const DefaultChallenge = `Bearer realm="rasterbase"`

// Observer is told what a server does. It is called by many goroutines.
type Observer interface {
	// Request is told of each request that was answered: the pattern of its
	// route ("" or "/" when none matched), the method, the status, the bytes of
	// the body and how long it took.
	Request(pattern, method string, status int, bytes int64, took time.Duration)
	// Tile is told of each tile that was answered where it came from: "drawn"
	// (in this request), "cache" (of encoded tiles), "shared" (drawn by another
	// request at the same time), "client" (which has it already), "empty"
	// (nothing is stored there).
	Tile(from string)
}

// Server answers HTTP. Any number of goroutines may use it.
type Server struct {
	c       Config
	base    *url.URL // of PublicURL; nil when empty
	mux     *http.ServeMux
	handler http.Handler

	memory   *memory
	refs     *lru[string, rasterbase.LayerID]
	subjects *lru[string, *keptSubject]
	inputs   *lru[rasterbase.LayerID, *keptInputs]
	samples  flights[rasterbase.Band]
	tiles    *lru[string, picture] // by ETag
	origins  tileOrigins           // of the tiles answered
	started  time.Time
	flights  flights[picture]

	// What follows from the text of a query, a legend or a colormap alone is
	// remembered whatever is cached: it is never stale.
	plain        *drawing // of a query that asks for nothing
	drawings     *lru[string, *drawing]
	colormaps    *lru[string, *rasterbase.Legend]
	styles       *lru[string, *style]
	styleRefs    *lru[styleRef, string]
	cacheControl string // of what browsers may keep

	uploading uploading
	drawing   chan struct{} // holds one for each tile that is being drawn
	counting  chan struct{} // holds one for each count that is worked on
	admission *admission
	bodies    *bodyMemory // of POST /pixel, and of counts
	previews  atOnce      // that are being made
	exporting atOnce      // exports that are made in requests
	sending   atOnce      // their files
	exports   func() (*Exporter, error)
	parsing   atOnce // requests that work on parses
	page      *page

	patterns    []string // of all routes
	crossOrigin *http.CrossOriginProtection
	watches     *watches
	running     context.Context // ends with Close
	stop        context.CancelFunc
}

// New makes a server. The error tells what is wrong with the configuration.
func New(c Config) (*Server, error) {
	if c.Store == nil {
		return nil, errors.New("server: the configuration has no store")
	}
	if c.Auth == nil {
		c.Auth = rasterbase.ReadPublic{}
	}
	if c.Transformer == nil {
		c.Transformer = crs.Closed{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.CacheTimeout == 0 {
		c.CacheTimeout = DefaultCacheTimeout
	}
	if c.CacheTimeout < 0 {
		c.TileCache = -1
	}
	if c.TileCache == 0 {
		c.TileCache = DefaultTileCache
	}
	if c.MaxDrawing <= 0 {
		c.MaxDrawing = 2 * runtime.GOMAXPROCS(0)
	}
	if c.Challenge == "" {
		c.Challenge = DefaultChallenge
	}
	if c.TileSize == 0 {
		c.TileSize = 256
	}
	if c.MaxFormulaLayers <= 0 {
		c.MaxFormulaLayers = 32
	}
	if c.MaxPoints <= 0 {
		c.MaxPoints = DefaultMaxPoints
	}
	if c.CountMaxPixels <= 0 {
		c.CountMaxPixels = DefaultCountMaxPixels
	}
	if c.CountMaxVertices <= 0 {
		c.CountMaxVertices = DefaultCountMaxVertices
	}
	if c.CountMaxZones <= 0 {
		c.CountMaxZones = DefaultCountMaxZones
	}
	if c.CORSOrigins == nil {
		c.CORSOrigins = []string{"*"}
	}
	s := &Server{
		c:         c,
		started:   time.Now(),
		refs:      newLRU[string, rasterbase.LayerID](4096, nil),
		subjects:  newLRU[string](subjectMemory, subjectCost),
		inputs:    newLRU[rasterbase.LayerID, *keptInputs](1024, nil),
		tiles:     newLRU[string](c.TileCache, pictureCost),
		plain:     &drawing{},
		drawings:  newLRU[string](drawingMemory, drawingCost),
		colormaps: newLRU[string](drawingMemory, colormapCost),
		styles:    newLRU[string](styleMemory, styleCost),
		styleRefs: newLRU[styleRef](styleRefMemory, styleRefCost),
		drawing:   make(chan struct{}, c.MaxDrawing),
		counting:  make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
		admission: newAdmission(c.MaxPerClient),
		bodies:    newBodyMemory(),
		previews:  make(atOnce, maxPreviews),
		parsing:   make(atOnce, maxParsing),
		exporting: make(atOnce, maxExporting),
		sending:   make(atOnce, maxSending),

		crossOrigin: http.NewCrossOriginProtection(),
	}
	s.exports = sync.OnceValues(func() (*Exporter, error) { return NewExporter(c) })
	s.cacheControl = fmt.Sprintf("public, max-age=%d", int(c.CacheTimeout.Seconds()))
	s.running, s.stop = context.WithCancel(context.Background())
	s.memory = newMemory(c.Store.Catalog(), c.CacheTimeout < 0)
	s.watches = newWatches(s.running, c.Store.Catalog(), c.Log)
	if c.PublicURL != "" {
		u, err := url.Parse(strings.TrimSuffix(c.PublicURL, "/"))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("server: the public URL %q is not an http or https address", c.PublicURL)
		}
		s.base = u
		if err := s.crossOrigin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("server: the public URL %q: %w", c.PublicURL, err)
		}
	}
	if err := c.Basemap.Check(); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	var err error
	if s.page, err = newPage(); err != nil {
		return nil, fmt.Errorf("server: prepare the map page: %w", err)
	}
	s.mux = s.routes()
	s.handler = s.mux
	for _, wrap := range slices.Backward(s.middleware()) {
		s.handler = wrap(s.handler)
	}
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close ends the streams of events and the parses that requests wait for, which
// are left to be taken up again. A program that shuts its HTTP server down calls
// it first, or hands it to [http.Server.RegisterOnShutdown], since Shutdown waits
// for these. Other requests are answered as before.
func (s *Server) Close() {
	s.stop()
	s.uploading.stop()
}

// view runs fn in one reading transaction of the catalog.
func (s *Server) view(ctx context.Context, fn func(store.Tx) error) error {
	return s.c.Store.Catalog().View(ctx, fn)
}
