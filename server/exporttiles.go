package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/export/mbtiles"
	"github.com/rasterbase/rasterbase/export/pmtiles"
	"github.com/rasterbase/rasterbase/export/tileset"
	"github.com/rasterbase/rasterbase/legend"
)

// bytesPerTilePixel is about what a drawn pixel takes of a file: a quarter byte.
const bytesPerTilePixel = 0.25

// planTiles plans a tile set. Its tiles are those that the routes of tiles answer
// with the same parameters.
func (x *Exporter) planTiles(ctx context.Context, p *exportPlan) error {
	about, err := x.describeTiles(ctx, p)
	if err != nil {
		return err
	}
	d := x.drawer(p)
	first, err := d.draw(ctx, 0, 0, 0) // tells what is wrong with the parameters
	if err != nil {
		return err
	}
	d.tag = first.tag
	size := about.TileSize
	if text := p.colors.Get("tilesize"); text != "" {
		if n, err := strconv.Atoi(text); err == nil { // the first tile tells if not
			size = n
		}
	}
	set := tileset.Set{
		MaxZoom: about.MaxZoom, Bounds: about.Bounds, Draw: d.tile, Format: string(p.picture), TileSize: size,
		Name: cmp.Or(p.filename, about.Name, p.ownName()), Description: p.description, Attribution: attribution(p.read), Version: "1",
	}
	if p.minZoom != nil {
		set.MinZoom = *p.minZoom
	}
	if p.maxZoom != nil {
		set.MaxZoom = *p.maxZoom
	}
	if p.bbox != nil {
		set.Bounds = *p.bbox
	}
	if set.Legend, err = x.tileLegend(ctx, p); err != nil {
		return err
	}
	if p.tiles, err = tileset.NewPlan(set, cmp.Or(x.s.c.ExportMaxTiles, DefaultExportTiles)); err != nil {
		return p.tooManyTiles(err)
	}
	p.planned = p.tiles.Tiles
	p.pixels = p.tiles.Tiles * int64(size) * int64(size)
	p.bytes = int64(float64(p.pixels) * bytesPerTilePixel)
	h := sha256.New()
	writeTexts(h, "tile set", p.params.Encode(), d.tag, string(set.Legend), set.Attribution)
	p.etag = fmt.Sprintf(`W/"%s"`, base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18]))
	return nil
}

// describeTiles describes what is drawn: of three layers, all that they cover.
func (x *Exporter) describeTiles(ctx context.Context, p *exportPlan) (coverage.Description, error) {
	d := p.coverage.Describe()
	if p.expression.formula != nil {
		return d, nil
	}
	for _, in := range p.expression.inputs[1:] {
		o, err := x.s.openExpression(ctx, rasterbase.Principal{Name: p.owner}, &expression{inputs: []input{in}}, true)
		if err != nil {
			return d, err
		}
		other := o.cov.Describe()
		d.MaxZoom, d.TileSize = max(d.MaxZoom, other.MaxZoom), max(d.TileSize, other.TileSize)
		a, b := &d.Bounds, other.Bounds
		a.South, a.North = min(a.South, b.South), max(a.North, b.North)
		if *a != b && (a.West > a.East || b.West > b.East) { // across the antimeridian
			a.West, a.East = -180, 180
			continue
		}
		a.West, a.East = min(a.West, b.West), max(a.East, b.East)
	}
	return d, nil
}

// tooManyTiles names the setting that refuses a tile set, and the parameter.
func (p *exportPlan) tooManyTiles(err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	named := *e
	if e.Field == "zoom" {
		named.Field = "maxzoom"
	}
	if e.Code == rasterbase.TooLarge {
		named.Hint = strings.TrimPrefix(e.Hint+"; RASTER_EXPORT_MAX_TILES is the limit", "; ")
	}
	return &named
}

// attribution is that of all layers that are read, each once.
func attribution(read []*rasterbase.Layer) string {
	var out []string
	known := map[string]bool{"": true}
	for _, l := range read {
		if !known[l.Attribution] {
			known[l.Attribution] = true
			out = append(out, l.Attribution)
		}
	}
	return strings.Join(out, ", ")
}

// tileLegend is the legend that colours the tiles, as JSON; nil: none.
func (x *Exporter) tileLegend(ctx context.Context, p *exportPlan) ([]byte, error) {
	d, err := x.s.legendDrawing(p.colors)
	if err != nil {
		return nil, err
	}
	lg, err := x.legendOf(ctx, p, d)
	if err != nil || lg == nil {
		return nil, err
	}
	if d.entries != "" {
		if lg, err = legend.Select(lg, d.entries); err != nil {
			return nil, blame(err, "entries")
		}
	}
	return legend.MarshalJSON(lg)
}

// legendDrawing is what the parameters of colours say of the legend alone.
func (s *Server) legendDrawing(colors url.Values) (*drawing, error) {
	known := url.Values{}
	for _, name := range legendNames {
		if colors.Has(name) {
			known[name] = colors[name]
		}
	}
	return s.drawingOf(known, tileRoute)
}

// tileDrawer draws the tiles of one set by the routes of the exporter's server.
type tileDrawer struct {
	x     *Exporter
	p     *exportPlan
	query string
	tag   string // that all tiles have which show the same state; empty: not known yet
}

func (x *Exporter) drawer(p *exportPlan) *tileDrawer {
	q := maps.Clone(p.colors)
	if !p.single() {
		for _, name := range []string{"layers", "formula", "grid"} {
			if p.params.Has(name) {
				q[name] = p.params[name]
			}
		}
	}
	return &tileDrawer{x: x, p: p, query: q.Encode()}
}

// drawnTile is an answer of a tile's route.
type drawnTile struct {
	body  []byte
	empty bool
	tag   string
}

// tile draws a tile of the set. A layer or a legend that was changed meanwhile is an
// error, so that no set shows two states.
func (d *tileDrawer) tile(ctx context.Context, z, x, y int) ([]byte, bool, error) {
	t, err := d.draw(ctx, z, x, y)
	if err != nil {
		return nil, false, err
	}
	if t.tag != d.tag {
		return nil, false, errExportChanged
	}
	return t.body, t.empty, nil
}

// errExportChanged is the error of an export whose layers or legend were changed
// while it was made. Making it again helps.
var errExportChanged = rasterbase.Errorf(rasterbase.Busy, "a layer or its colours were changed while the export was made").WithHint("ask for it again")

func (d *tileDrawer) draw(ctx context.Context, z, x, y int) (drawnTile, error) {
	r := d.p.requestFor(ctx)
	r.URL = &url.URL{Path: "/", RawQuery: d.query}
	r.SetPathValue("z", strconv.Itoa(z))
	r.SetPathValue("x", strconv.Itoa(x))
	r.SetPathValue("file", fmt.Sprintf("%d.%s", y, d.p.picture))
	answer := d.x.s.algebraTile
	if d.p.single() {
		answer = d.x.s.tile
		r.SetPathValue("layer", d.p.expression.inputs[0].layer)
	}
	w := &tileAnswer{header: http.Header{}}
	if err := answer(w, r); err != nil {
		return drawnTile{}, err
	}
	etag := w.header.Get("ETag")
	at := strings.LastIndex(etag, fmt.Sprintf("-%d-%d-%d-", z, x, y))
	if at < 0 {
		return drawnTile{}, fmt.Errorf("tile %d/%d/%d has the tag %q", z, x, y, etag)
	}
	return drawnTile{w.body.Bytes(), w.status == http.StatusNoContent, etag[:at]}, nil
}

// tileAnswer keeps the answer of a tile's route.
type tileAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *tileAnswer) Header() http.Header         { return a.header }
func (a *tileAnswer) WriteHeader(status int)      { a.status = status }
func (a *tileAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

// makeTiles draws the tiles and writes them into a file.
func (x *Exporter) makeTiles(ctx context.Context, p *exportPlan, dir string, workers int, progress func(done int64)) (*exportFile, error) {
	o := tileset.Options{Workers: workers, TempDir: dir, Progress: func(done, _ int64) {
		if progress != nil {
			progress(done)
		}
	}}
	write := mbtiles.Write
	if p.format == "pmtiles" {
		write = pmtiles.Write
	}
	const name = "tiles"
	if err := write(ctx, filepath.Join(dir, name), p.tiles, o); err != nil {
		return nil, err
	}
	return openFile(dir, name)
}
