package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/export"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

type exportCmd struct {
	Layers string `arg:"" help:"Id, slug or file name of a layer; or variables of a formula and their layers: a=1,b:2=dem, where a number after : is a band counted from 0."`
	Output string `short:"o" required:"" help:"File to write: .tif, .zip, .mbtiles or .pmtiles." placeholder:"FILE"`

	Formula  string   `help:"Compute this of the layers. Over one layer its variables are its bands, b1, b2 and so on." placeholder:"FORMULA"`
	Grid     string   `help:"The variable whose own pixels are those of the result, where the layers have different ones." placeholder:"NAME"`
	Zoom     *whole   `help:"Export the map's pixels of this zoom, not the source's own. Of .mbtiles and .pmtiles, the largest zoom." placeholder:"Z"`
	MinZoom  whole    `help:"Smallest zoom of .mbtiles and .pmtiles." default:"0" placeholder:"Z"`
	Bbox     string   `help:"Export the pixels of a box alone." placeholder:"W,S,E,N"`
	SRID     *whole   `name:"srid" help:"EPSG code of the coordinates of --bbox and --geom: 4326, longitude and latitude, unless given." placeholder:"N"`
	Geom     string   `help:"Export the pixels inside a polygon alone: WKT, or a file with WKT or GeoJSON." placeholder:"FILE|WKT"`
	Bands    string   `help:"Bands to export, counted from 1, in the order of the file: 3,2,1." placeholder:"LIST"`
	Compress string   `help:"How pixels are packed: none, PACKBITS, LZW, DEFLATE, ZSTD, JPEG, LZMA or, of one bit, CCITTFAX4; RASTER_COMPRESS_METHOD unless given." placeholder:"NAME"`
	Quality  whole    `help:"Of JPEG, 1 to 100." default:"85" placeholder:"N"`
	Legend   string   `help:"Colour it by this legend in place of the layer's: the colour table of a .tif of bytes, COLORMAP.txt of a .zip, the pictures of .mbtiles and .pmtiles." placeholder:"TITLE"`
	Format   string   `help:"What the file is: cog (a GeoTIFF with overviews), tif (without), zip, mbtiles or pmtiles; told from its name unless given, and cog for .tif." placeholder:"NAME"`
	Picture  string   `help:"The pictures of .mbtiles and .pmtiles: png, jpg or webp." default:"png" placeholder:"NAME"`
	Param    []string `help:"A parameter of the pictures of .mbtiles and .pmtiles, as in a tile's address: NAME=VALUE." sep:"none" placeholder:"NAME=VALUE"`
	JSON     bool     `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "export --help".
func (*exportCmd) Help() string {
	return `Writes the pixels of a layer or of a formula to a file: values as a GeoTIFF, or coloured map tiles as MBTiles or PMTiles. Without --zoom they are the source's own pixels, in its projection. docs/guides/export.md tells more.

The file appears when it is complete; one of that name is replaced.

Examples:

  rasterbase export dem -o dem.tif
  rasterbase export dem --bbox=-113.1,37.1,-112.8,37.5 -o zion.tif
  rasterbase export sentinel --formula "(b4-b3)/(b4+b3)" --zoom 12 -o ndvi.zip
  rasterbase export a=before,b=after --formula "b - a" --geom park.geojson -o change.tif
  rasterbase export landcover --zoom 12 -o landcover.pmtiles`
}

// exportDoc is what --json prints.
type exportDoc struct {
	File        string `json:"file"`
	Format      string `json:"format"`
	Bytes       int64  `json:"bytes"`
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
	Bands       int    `json:"bands,omitempty"`
	PixelType   string `json:"pixel_type,omitempty"`
	SRID        int    `json:"srid,omitempty"`
	Zoom        *int   `json:"zoom,omitempty"`
	Compression string `json:"compression,omitempty"`
	Tiles       int64  `json:"tiles,omitempty"`
}

// format tells what the file is to be.
func (c *exportCmd) format() (string, error) {
	byName := map[string]string{".tif": "cog", ".tiff": "cog", ".zip": "zip", ".mbtiles": "mbtiles", ".pmtiles": "pmtiles"}
	format := strings.ToLower(c.Format)
	if format == "" {
		format = byName[strings.ToLower(filepath.Ext(c.Output))]
	}
	if format == "" {
		return "", usageError{rasterbase.Errorf(rasterbase.Invalid, "%s: the name does not tell what the file is to be", c.Output).
			WithHint("end the name in .tif, .zip, .mbtiles or .pmtiles, or give --format").WithField("output")}
	}
	if !slices.Contains([]string{"tif", "cog", "zip", "mbtiles", "pmtiles"}, format) {
		return "", usageError{rasterbase.Errorf(rasterbase.Invalid, "there is no export format %.20q", c.Format).
			WithHint("one of cog, tif, zip, mbtiles and pmtiles").WithField("format")}
	}
	return format, nil
}

// Run writes the file.
func (c *exportCmd) Run(ctx context.Context, a *app) (err error) {
	format, err := c.format()
	if err != nil {
		return err
	}
	area, err := c.area()
	if err != nil {
		return err
	}
	bands, err := c.bands()
	if err != nil {
		return err
	}
	conf, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	source, err := c.open(ctx, st)
	if err != nil {
		return err
	}
	var doc exportDoc
	if format == "mbtiles" || format == "pmtiles" {
		doc, err = c.tiles(ctx, a, conf, st, source, area, format)
	} else {
		doc, err = c.pixels(ctx, a, conf, st, source, area, source.only(bands), format)
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted; there is no file")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	what := fmt.Sprintf("%d x %d pixels, %d %s of %s", doc.Width, doc.Height, doc.Bands, plural(doc.Bands, "band"), doc.PixelType)
	if doc.Tiles > 0 {
		what = fmt.Sprintf("%d %s", doc.Tiles, plural(int(doc.Tiles), "tile"))
	}
	fmt.Fprintf(a.stdout, "wrote %s: %s, %s\n", visible(c.Output), what, humanBytes(doc.Bytes))
	return nil
}

// bands reads the list of bands.
func (c *exportCmd) bands() (out []int, err error) {
	if c.Bands == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(c.Bands, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "%.40q is no band", text).
				WithHint("bands are counted from 1: --bands 3,2,1").WithField("bands")}
		}
		out = append(out, n-1)
	}
	return out, nil
}

// pixels writes the values.
func (c *exportCmd) pixels(ctx context.Context, a *app, conf *config, st store.Store, source *exportSource, area exportArea, bands []int, format string) (doc exportDoc, err error) {
	r := export.Request{
		Format: export.COG, Area: area.geometry, AreaCRS: rasterbase.CRS{SRID: area.srid}, Bands: bands,
		Transformer: transformer(), MaxPixels: int64(conf.ExportMaxPixels),
		Compression: string(conf.Compression), Quality: int(c.Quality),
	}
	if format == "tif" {
		r.Format = export.GeoTIFF
	}
	if c.Zoom != nil {
		r.Zoom = new(int(*c.Zoom))
	}
	if c.Compress != "" {
		r.Compression = c.Compress
	}
	var lines export.Legend
	if r.Colors, lines, err = c.colors(ctx, st, source, bands); err != nil {
		return doc, err
	}
	p, err := export.NewPlan(ctx, source.coverage, r)
	if err != nil {
		return doc, err
	}
	bar := newExportProgress(a, filepath.Base(c.Output), p.Pixels, "pixels")
	defer bar.end()
	o := export.Options{TempDir: filepath.Dir(c.Output), Progress: bar.show}
	if gdal.Available {
		o.Recompress = gdal.Recompress
	}
	var f *export.File
	if format == "zip" {
		f, err = export.Zip(ctx, p, source.contents(c, area, lines), o)
	} else {
		f, err = p.Make(ctx, o)
	}
	if err != nil {
		return doc, err
	}
	defer closeInto(&err, f)
	bar.end()
	if err := saveExport(ctx, c.Output, f); err != nil {
		return doc, err
	}
	doc = exportDoc{
		File: c.Output, Format: format, Bytes: f.Size(), Width: p.Rect.Width, Height: p.Rect.Height, Bands: len(p.Bands),
		PixelType: p.Type.String(), SRID: p.CRS.SRID, Zoom: r.Zoom, Compression: p.Compression,
	}
	return doc, nil
}

// saveExport writes a file beside its place and moves it there when it is complete.
func saveExport(ctx context.Context, name string, f *export.File) (err error) {
	w, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	defer func() {
		if err != nil {
			w.Close()
			os.Remove(w.Name())
		}
	}()
	if err := w.Chmod(0o644); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	if _, err := f.WriteTo(stoppable{ctx, w}); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return os.Rename(w.Name(), name)
}

// stoppable is a file that is written until its context ends.
type stoppable struct {
	ctx context.Context
	w   *os.File
}

func (s stoppable) Write(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}

// colors is how the pixels are coloured by the legend that is named, or else by the
// layer's: as a colormap for one band, and as lines.
func (c *exportCmd) colors(ctx context.Context, st store.Store, source *exportSource, bands []int) (m *rasterbase.Colormap, lines export.Legend, err error) {
	l, err := c.legend(ctx, st, source)
	if err != nil || l == nil {
		return nil, lines, err
	}
	band := source.coverage.Describe().Bands[0]
	if len(bands) > 0 && bands[0] < len(source.coverage.Describe().Bands) {
		band = source.coverage.Describe().Bands[bands[0]]
	}
	if f, ok := source.coverage.(*coverage.Formula); ok && l.Gradient != nil {
		if band, err = f.Sample(ctx); err != nil { // where its values begin and end
			return nil, lines, err
		}
	}
	l = legend.Fit(l, band.Min, band.Max)
	m, err = legend.Compile(l, band.PixelType)
	if err != nil {
		return nil, lines, err
	}
	return m, export.LegendOf(l, m), nil
}

// legend finds the legend; nil: there is none.
func (c *exportCmd) legend(ctx context.Context, st store.Store, source *exportSource) (l *rasterbase.Legend, err error) {
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		switch {
		case c.Legend != "":
			l, err = store.FindLegend(ctx, tx, c.Legend)
			return orListLegends(err)
		case source.layer != nil && source.layer.Legend != 0:
			l, err = tx.Legends().Get(ctx, source.layer.Legend)
			return err
		}
		return nil
	})
	return l, err
}

// exportProgress shows how far an export is: a bar on a terminal; otherwise a line
// every ten seconds.
type exportProgress struct {
	progress
	total int64
	unit  string
	last  time.Time
}

func newExportProgress(a *app, name string, total int64, unit string) *exportProgress {
	return &exportProgress{progress: progress{w: a.stderr, name: name, bar: isTerminal(a.stderr)}, total: total, unit: unit, last: time.Now()}
}

func (p *exportProgress) show(done int64) {
	now := time.Now()
	pause := progressPause
	if p.bar {
		pause = redrawPause
	}
	if now.Sub(p.last) < pause {
		return
	}
	p.last = now
	percent := 100 * float64(done) / float64(max(1, p.total))
	if p.bar {
		p.draw(fmt.Sprintf("%s [%s] %3.0f%%", visible(p.name), bar(percent), percent))
		return
	}
	fmt.Fprintf(p.w, "%s: %d of %d %s\n", visible(p.name), done, p.total, p.unit)
}
