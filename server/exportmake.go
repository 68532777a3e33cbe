package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/export"
	"github.com/rasterbase/rasterbase/export/tileset"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/internal/tempdir"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// exportPrefix begins the names of temporary folders of exports.
const exportPrefix = "rasterbase-export-"

// What a configuration that says nothing of exports means.
const (
	DefaultExportPixels    = 100_000_000 // at most, in any export
	DefaultExportTiles     = 100_000     // at most, in a tile set
	DefaultRequestPixels   = 25_000_000  // at most, in the request that asks for them
	DefaultExportExpiry    = 7 * 24 * time.Hour
	DefaultExportsPerOwner = 5
)

// Exporter makes the files of exports, for requests and as the job of kind
// [ExportKind]. It reads every layer: who may read which is asked before by whoever
// hands it a request, and it refuses layers beside those that were named then.
type Exporter struct{ s *Server }

// NewExporter makes an exporter of the store and the limits of a server's
// configuration, for a server or for a worker without one.
func NewExporter(c Config) (*Exporter, error) {
	c.Auth = readsAll{}
	c.Parser, c.Observer, c.Metrics, c.Facts = nil, nil, nil, nil
	// Tiles are drawn once each, and an empty one tells that it is.
	c.TileCache, c.EmptyTile204, c.NoRevalidate, c.MaxPerClient = -1, true, false, -1
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	return &Exporter{s}, nil
}

// readsAll lets everybody read everything.
type readsAll struct{}

func (readsAll) Principal(*http.Request) (rasterbase.Principal, error) {
	return rasterbase.Principal{}, nil
}

func (readsAll) May(_ context.Context, _ rasterbase.Principal, a rasterbase.Action, _ *rasterbase.Layer) error {
	if a == rasterbase.Read {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Forbidden, "exports read and change nothing")
}

// exportOrder is an export that may be made: for whom, and of which layers.
type exportOrder struct {
	*exportRequest
	owner  string
	layers []rasterbase.LayerID // that may be read
	url    string               // of the request, for README.txt; empty: not told
	hidden bool                 // the legend that is named is kept from others
}

// exportPlan is an export that can be made, known before the work.
type exportPlan struct {
	exportOrder
	coverage coverage.Coverage
	read     []*rasterbase.Layer // as they are
	legend   *rasterbase.Legend  // that explains the values; nil: none
	lines    export.Legend
	file     *export.Plan  // of values; nil: a tile set
	tiles    *tileset.Plan // nil: values
	counts   *countPlan    // nil: pixels
	pixels   int64         // to be made
	planned  int64         // of pixels or tiles
	bytes    int64         // of the disk, about
	name     string        // of the file
	etag     string
	private  bool
}

// planNow is plan, once more if a layer was parsed anew at that moment.
func (x *Exporter) planNow(ctx context.Context, o exportOrder) (*exportPlan, error) {
	p, err := x.plan(ctx, o)
	if errors.Is(err, store.ErrRevisionGone) {
		p, err = x.plan(ctx, o)
	}
	return p, err
}

// plan finds what an order makes. All that is wrong with it is told now.
func (x *Exporter) plan(ctx context.Context, o exportOrder) (*exportPlan, error) {
	p := &exportPlan{exportOrder: o}
	if err := x.open(ctx, p); err != nil {
		return nil, err
	}
	for _, l := range p.read {
		if !slices.Contains(o.layers, l.ID) {
			return nil, rasterbase.Errorf(rasterbase.Conflict, "the layers read others than they did when the export was asked for").
				WithHint("ask for it again")
		}
		p.private = p.private || l.Visibility == rasterbase.Private
	}
	p.private = p.private || o.hidden || o.params.Has("store")
	p.name = export.FileName(cmp.Or(o.filename, p.ownName()), o.ext)
	if o.count != nil {
		return p, x.planCounts(ctx, p)
	}
	if o.tiles {
		return p, x.planTiles(ctx, p)
	}
	return p, x.planValues(ctx, p)
}

// ownName is a name for a file that gets none.
func (p *exportPlan) ownName() string {
	switch {
	case p.single() && p.count != nil:
		return p.read[0].Slug + "-" + string(p.count.kind)
	case p.single():
		return p.read[0].Slug
	case p.count != nil:
		return string(p.count.kind)
	}
	return "algebra_export"
}

// open opens what is read.
func (x *Exporter) open(ctx context.Context, p *exportPlan) error {
	o, err := x.s.openExpression(ctx, rasterbase.Principal{Name: p.owner}, p.expression, true)
	if err != nil {
		return err
	}
	p.coverage, p.read = o.cov, o.layers
	return nil
}

// planValues plans a file of values.
func (x *Exporter) planValues(ctx context.Context, p *exportPlan) error {
	colors, err := x.explain(ctx, p)
	if err != nil {
		return err
	}
	if d := p.coverage.Describe().Datatype; d.Discrete() && strings.EqualFold(p.compress, "JPEG") {
		return rasterbase.Errorf(rasterbase.Invalid, "JPEG makes values that no class has, and the values are %s", d).
			WithHint("one that loses nothing, such as DEFLATE").WithField("compress")
	}
	r := export.Request{
		Zoom: p.zoom, Bands: p.bands, Transformer: x.s.c.Transformer, Colors: colors,
		MaxPixels:   cmp.Or(x.s.c.ExportMaxPixels, DefaultExportPixels),
		Compression: x.compression(p),
	}
	if p.format == "cog" {
		r.Format = export.COG
	}
	switch {
	case p.bbox != nil:
		r.Area, r.AreaCRS = footprint.BoxGeometry(*p.bbox), rasterbase.CRS{SRID: 4326}
	case p.area != nil:
		r.Area, r.AreaCRS = p.area, rasterbase.CRS{SRID: p.areaSRID}
	}
	if p.file, err = export.NewPlan(ctx, p.coverage, r); err != nil {
		return p.named(err)
	}
	p.pixels, p.planned, p.bytes = p.file.Pixels, p.file.Pixels, p.file.Bytes
	h := sha256.New()
	writeTexts(h, x.s.c.Version, "export", p.params.Encode(), r.Compression, p.coverage.Version())
	if p.legend != nil {
		hashLegend(h, p.legend)
	}
	p.etag = fmt.Sprintf(`W/"%s"`, base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18]))
	return nil
}

// named gives errors of package export the names of parameters that there are here.
func (p *exportPlan) named(err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	field := map[string]string{"bands": "bidx", "compress_method": "compress", "geometry": "geom"}[e.Field]
	switch {
	case e.Field == "geometry" && p.bbox != nil, e.Field == "bbox" && p.area == nil && p.bbox == nil, field == "":
		return err
	}
	return blame(err, field)
}

// compression is how the pixels are packed: as is asked for, or as the operator
// says, if that keeps the values and can be done here.
func (x *Exporter) compression(p *exportPlan) string {
	if p.compress != "" {
		return p.compress
	}
	switch own := strings.ToUpper(x.s.c.CompressMethod); {
	case own == "JPEG", strings.HasPrefix(own, "CCITT"), own == "LZMA" && x.s.c.Recompress == nil:
		return "DEFLATE"
	default:
		return own
	}
}

// explain finds the legend of the values, and the colour table for a file that has
// a place for one.
func (x *Exporter) explain(ctx context.Context, p *exportPlan) (*rasterbase.Colormap, error) {
	d, err := x.s.drawingOf(p.colors, tileRoute)
	if err != nil {
		return nil, err
	}
	lg, err := x.legendOf(ctx, p, d)
	if err != nil || lg == nil {
		return nil, err
	}
	desc := p.coverage.Describe()
	band := 0
	if len(p.bands) > 0 {
		band = p.bands[0]
	}
	if band >= len(desc.Bands) {
		return nil, nil // the plan tells
	}
	about := desc.Bands[band]
	if d.entries != "" {
		if lg, err = legend.Select(lg, d.entries); err != nil {
			return nil, blame(err, "entries")
		}
	}
	if g := lg.Gradient; g != nil && g.Relative {
		low, high := about.Min, about.Max
		switch {
		case d.rescale != nil:
			low, high = d.rescale[0][0], d.rescale[0][1]
		case about.Count == 0 || !(low < high):
			return nil, nil // of colours without values there is nothing to tell
		}
		lg = legend.Fit(lg, low, high)
	}
	m, err := legend.Compile(lg, about.PixelType)
	if err != nil {
		return nil, x.blameColors(err, p, d)
	}
	p.legend = lg
	p.lines = export.LegendOf(lg, m)
	if !desc.Datatype.Discrete() {
		return nil, nil
	}
	return m, nil
}

// legendOf is the legend that the request or the one layer has.
func (x *Exporter) legendOf(ctx context.Context, p *exportPlan, d *drawing) (*rasterbase.Legend, error) {
	r := p.requestFor(ctx)
	own, err := x.s.ownColormap(r, d)
	if err != nil {
		return nil, err
	}
	var named *rasterbase.Legend
	ref := d.legend
	if d.personal {
		ref = ""
	}
	layer := &rasterbase.Layer{}
	if p.single() {
		layer = p.read[0]
	}
	err = x.s.view(ctx, func(tx store.Tx) (err error) {
		named, err = findLegend(ctx, tx, layer, ref)
		return err
	})
	if err != nil {
		return nil, err
	}
	return inForce(named, own, d), nil
}

// blameColors tells whether the request or the layer's own legend is at fault.
func (x *Exporter) blameColors(err error, p *exportPlan, d *drawing) error {
	for _, name := range []string{"legend", "colormap_name", "colormap"} {
		if p.params.Has(name) {
			return blame(err, name)
		}
	}
	return fmt.Errorf("the legend of the layers %s: %w", p.params.Get("layers"), internal(err))
}

// requestFor is a request of the owner to the exporter's own server.
func (o *exportOrder) requestFor(ctx context.Context) *http.Request {
	ctx = context.WithValue(ctx, principalKey{}, rasterbase.Principal{Name: o.owner})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	if err != nil { // the method and the address are right
		panic(err)
	}
	return r
}

// exportFile is a file that was made.
type exportFile struct {
	size  int64
	read  func() io.ReadSeeker
	close func() error
}

// make makes the file. Progress is told how much of planned is done. Temporary files
// are in WorkDir, and gone after close or an error.
func (x *Exporter) make(ctx context.Context, p *exportPlan, workers int, progress func(done int64)) (*exportFile, error) {
	if err := x.s.room(p.bytes); err != nil {
		return nil, err
	}
	dir, err := tempdir.Make(x.s.c.WorkDir, exportPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder for an export: %w", err)
	}
	var f *exportFile
	switch {
	case p.counts != nil:
		f, err = x.makeCounts(ctx, p, dir.Path, x.countLimitsOf(p, workers, progress))
	case p.tiles != nil:
		f, err = x.makeTiles(ctx, p, dir.Path, workers, progress)
	default:
		f, err = x.makeValues(ctx, p, export.Options{TempDir: dir.Path, Workers: workers, Progress: progress, Recompress: x.s.c.Recompress})
	}
	if err != nil {
		return nil, errors.Join(err, dir.Remove())
	}
	inner := f.close
	f.close = func() error { return errors.Join(inner(), dir.Remove()) }
	return f, nil
}

func (x *Exporter) makeValues(ctx context.Context, p *exportPlan, o export.Options) (*exportFile, error) {
	var f *export.File
	var err error
	if p.format == "zip" {
		f, err = export.Zip(ctx, p.file, p.contents(), o)
	} else {
		f, err = p.file.Make(ctx, o)
	}
	if err != nil {
		return nil, p.named(err)
	}
	return &exportFile{f.Size(), func() io.ReadSeeker { return f.Reader() }, f.Close}, nil
}

// contents is what README.txt and COLORMAP.txt tell.
func (p *exportPlan) contents() export.Contents {
	c := export.Contents{
		Name: strings.TrimSuffix(p.name, p.ext), Description: p.description, Formula: p.params.Get("formula"),
		Area: cut(cmp.Or(p.params.Get("bbox"), p.params.Get("geom")), 500), Date: time.Now(), URL: p.url, Legend: p.lines,
	}
	for _, in := range p.expression.inputs {
		at := slices.IndexFunc(p.read, func(l *rasterbase.Layer) bool { return named(l, in.layer) })
		if at < 0 {
			continue // layers are named by their ids
		}
		l := p.read[at]
		one := export.Input{Variable: in.name, Layer: l.ID, Name: l.Name, Band: in.band, License: l.License, Attribution: l.Attribution}
		if p.single() && len(p.bands) != 1 {
			one.Band = -1
		}
		c.Inputs = append(c.Inputs, one)
	}
	return c
}

// openFile is a file of a folder as an export.
func openFile(dir, name string) (*exportFile, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("open an export: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	size := info.Size()
	return &exportFile{size, func() io.ReadSeeker { return io.NewSectionReader(f, 0, size) }, f.Close}, nil
}
