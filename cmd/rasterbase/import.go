package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

type importCmd struct {
	Files        []string `arg:"" name:"file" help:"Raster files, zip files that hold one each, or their addresses: http://, https:// or s3://bucket/key."`
	Name         string   `help:"Name of the layer; made from the file name otherwise." placeholder:"TEXT"`
	Description  string   `help:"What the layer shows." placeholder:"TEXT"`
	Attribution  string   `help:"Whom maps must name as the source." placeholder:"TEXT"`
	License      string   `help:"Licence of the data." placeholder:"TEXT"`
	Type         string   `help:"What the numbers mean: continuous, categorical, mask or rank-ordered; found out otherwise." placeholder:"DATATYPE"`
	Legend       string   `help:"Colour it by this legend: the title of one that exists, or a file (.json, .csv, .qml, .clr, .txt); otherwise the one beside the file or in it, if there is one." placeholder:"TITLE|FILE"`
	SRID         *whole   `name:"srid" help:"EPSG code of the coordinates, in place of the file's." placeholder:"N"`
	Nodata       *number  `help:"Value that means no data, in place of the file's." placeholder:"VALUE"`
	MaxZoom      *whole   `help:"Deepest zoom to make tiles for; from the resolution otherwise." placeholder:"Z"`
	NextLower    bool     `help:"Stop at the zoom below the source's resolution, not the one above it."`
	NoPyramid    bool     `help:"Keep the source's own pixels only, without map tiles."`
	Resampling   string   `help:"How the warp takes pixels: nearest, bilinear or cubic; by datatype otherwise." placeholder:"NAME"`
	Subdataset   string   `help:"Which raster of a file that holds several." placeholder:"NAME"`
	DjangoRaster bool     `name:"django-raster" help:"The source is a database of django-raster: take over its layers, legends and tiles."`
	Media        string   `help:"With --django-raster: the folder MEDIA_ROOT, to keep each layer's raster file." placeholder:"DIR"`
	DryRun       bool     `help:"Print what would be made, and import nothing."`
	JSON         bool     `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "import --help".
func (*importCmd) Help() string {
	return `Each file becomes a layer. The command ends when all are parsed, whether or not a server runs on the same data folder. --tilesize N gives the layers tiles of that size.

Examples:

  rasterbase import landcover.tif
  rasterbase import https://example.org/landcover.tif s3://bucket/scene.tif
  rasterbase import dem.tif --name "Elevation" --attribution "USGS" --srid 26912
  rasterbase import scan.tif --dry-run
  rasterbase import "postgis://me@localhost/gis?table=dem"
  rasterbase import postgres://me@localhost/django --django-raster --media /srv/media`
}

// imported is what --json prints.
type imported struct {
	Layers []layerDoc    `json:"layers,omitzero"`
	Plans  []plannedFile `json:"plans,omitzero"`
	Failed []failedFile  `json:"failed,omitempty"`
}

type plannedFile struct {
	File string  `json:"file"`
	Plan planDoc `json:"plan"`
}

type failedFile struct {
	File  string  `json:"file"`
	Error problem `json:"error"`
}

// Run imports the files, one after another.
func (c *importCmd) Run(ctx context.Context, a *app) (err error) {
	if c.DjangoRaster || c.Media != "" {
		return c.djangoRaster(ctx, a)
	}
	if c.Name != "" && len(c.Files) > 1 {
		return usageError{errors.New("--name is for a single file")}
	}
	if err := c.checkTexts(); err != nil {
		return err
	}
	settings, err := c.settings()
	if err != nil {
		return err
	}
	if !gdal.Available {
		return errNoGDAL
	}
	conf, st, err := a.makeStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	limitMemory(conf, 1, 0)
	parser, err := newParser(conf, st, a.commandLogger(conf), runtime.NumCPU())
	if err != nil {
		return err
	}
	defer parser.Close() // another worker may have ended the parse
	// A size asked for here belongs to the layer and stays with it.
	if conf.Origin["tilesize"].From == "flag --tilesize" {
		settings.TileSize = conf.TileSize
	}
	leg, exact, err := c.findLegend(ctx, st, settings.Datatype)
	if err != nil {
		return err
	}
	im := importer{
		app: a, store: st, parser: parser, json: c.JSON, dryRun: c.DryRun, legend: leg, exact: exact,
		publicURL: conf.PublicURL, workDir: conf.WorkDir,
	}
	if c.DryRun {
		im.done.Plans = []plannedFile{}
	} else {
		im.done.Layers = []layerDoc{}
	}
	for _, file := range c.Files {
		r := ingest.Request{
			Source: file, Name: c.Name, Description: c.Description, Attribution: c.Attribution,
			License: c.License, Settings: settings, Legend: im.legend,
		}
		if err := im.source(ctx, r); err != nil {
			file, p := shown(file), newProblem(err)
			im.done.Failed = append(im.done.Failed, failedFile{file, p})
			a.printProblem(file, p)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if c.JSON {
		if err := a.printJSON(im.done); err != nil {
			return err
		}
	}
	if len(im.done.Failed) > 0 {
		return errReported
	}
	return nil
}

// checkTexts refuses texts that cannot be shown. A description may have lines.
func (c *importCmd) checkTexts() error {
	return errors.Join(checkText("--name", c.Name), wrongUsage(rasterbase.CheckText("--description", c.Description)),
		checkText("--attribution", c.Attribution), checkText("--license", c.License))
}

// address matches what begins as a URL.
var address = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+://`)

// checkSource refuses paths that a person might try, with the way out.
func checkSource(file string) error {
	base := filepath.Base(file)
	switch {
	case address.MatchString(file): // the client that fetches it says what is wrong
	case strings.HasPrefix(base, ".") && base != "." && base != "..":
		return rasterbase.Errorf(rasterbase.Invalid, "names that begin with a dot are not imported").
			WithHint("rename the file, for instance to %s", "raster"+filepath.Ext(base))
	}
	return nil
}

// settings are the wishes for the parses, as far as flags name them.
func (c *importCmd) settings() (rasterbase.Settings, error) {
	s := rasterbase.Settings{NextLower: c.NextLower, NoPyramid: c.NoPyramid, Subdataset: c.Subdataset}
	var err error
	if c.Type != "" {
		if s.Datatype, err = rasterbase.ParseDatatype(c.Type); err != nil {
			return s, usageError{rasterbase.Errorf(rasterbase.Invalid, "unknown datatype %q", c.Type).
				WithHint("one of continuous, categorical, mask, rank-ordered").WithField("type")}
		}
	}
	if c.Resampling != "" {
		if s.Resampling, err = rasterbase.ParseResampling(c.Resampling); err != nil {
			return s, usageError{err}
		}
	}
	if c.MaxZoom != nil {
		z := int(*c.MaxZoom)
		if z < 0 || z > xyz.MaxZoom {
			return s, usageError{rasterbase.Errorf(rasterbase.Invalid, "max zoom %d does not exist", z).
				WithHint("--max-zoom is 0 to %d", xyz.MaxZoom).WithField("max-zoom")}
		}
		s.MaxZoom = &z
	}
	if c.SRID != nil {
		if *c.SRID <= 0 {
			return s, usageError{fmt.Errorf("--srid is an EPSG code, not %d", *c.SRID)}
		}
		s.SRID = int(*c.SRID)
	}
	if c.Nodata != nil {
		v := float64(*c.Nodata)
		s.Nodata = &v
	}
	return s, nil
}

// findLegend reads the legend's file, or finds the one of that title. Colours that
// do not say how they are meant are linear, and also read as exact, for a layer that
// turns out to have classes.
func (c *importCmd) findLegend(ctx context.Context, st store.Store, d rasterbase.Datatype) (l, exact *rasterbase.Legend, err error) {
	if c.Legend == "" {
		return nil, nil, nil
	}
	if b, err := os.ReadFile(c.Legend); err == nil {
		name := filepath.Base(c.Legend)
		if l, err = legend.ReadFile(name, b); err != nil {
			return nil, nil, err // it names the file
		}
		if linear := linearColors(name, b); linear != nil && (d == "" || !d.Discrete()) {
			l, exact = linear, l
		}
		return l, exact, checkTitle(l.Title)
	}
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		l, err = store.FindLegend(ctx, tx, c.Legend)
		return err
	})
	if rasterbase.CodeOf(err) == rasterbase.NotFound {
		return nil, nil, rasterbase.Errorf(rasterbase.NotFound, "there is no file and no legend %q", c.Legend).
			WithHint("`rasterbase legends` lists the legends").WithField("legend")
	}
	return l, nil, err
}

// errInterrupted ends an import after Ctrl-C.
var errInterrupted = errors.New("interrupted; nothing of it was kept")

// importer imports files and collects what came of them.
type importer struct {
	app    *app
	store  store.Store
	parser *ingest.Parser
	json   bool
	dryRun bool
	legend *rasterbase.Legend // of the layers; nil: the file's own
	// exact is what the legend is if the first layer has classes; nil: the same.
	exact *rasterbase.Legend
	// publicURL is the address that the server is known by; "": unknown.
	publicURL string
	workDir   string    // for files that are made of tables
	progress  *progress // of the latest download
	done      imported
}

// one imports one file, or prints what would be made of it.
func (im *importer) one(ctx context.Context, r ingest.Request) error {
	if im.dryRun {
		return im.plan(ctx, r)
	}
	start := time.Now()
	t, err := im.parser.Add(ctx, r)
	im.endDownload()
	if err != nil {
		return orInterrupted(ctx, err)
	}
	made, err := im.keepLegend(ctx, r, t.Layer)
	if err != nil {
		return err
	}
	l, err := im.app.follow(ctx, im.parser, t, baseOf(r.Source))
	switch {
	case err != nil && ctx.Err() != nil:
		return im.undo(ctx, t, made)
	case err != nil:
		return withLogHint(err, l, t.Layer)
	}
	if err := im.fitLegend(ctx, made, l); err != nil {
		return err
	}
	doc, err := readLayer(ctx, im.store, l.ID)
	if err != nil {
		return err
	}
	im.done.Layers = append(im.done.Layers, *doc)
	if !im.json {
		im.app.printImported(cmp.Or(r.Origin, r.Source), doc, time.Since(start))
		if doc.Legend != "" {
			fmt.Fprintf(im.app.stdout, "legend: %s\n", visible(doc.Legend))
		}
		im.printAddress(doc)
	}
	return im.app.warnUncoloured(ctx, im.store, l.ID)
}

// plan says what would be made of a file.
func (im *importer) plan(ctx context.Context, r ingest.Request) error {
	plan, err := im.parser.Plan(ctx, r)
	im.endDownload()
	if err != nil {
		return orInterrupted(ctx, err)
	}
	from := cmp.Or(r.Origin, r.Source)
	im.done.Plans = append(im.done.Plans, plannedFile{from, newPlanDoc(plan)})
	if !im.json {
		im.app.printPlan(from, plan)
	}
	return nil
}

// keepLegend remembers the legend that was made of a file with the first
// layer, so that the next layers share it, and gives its id.
func (im *importer) keepLegend(ctx context.Context, r ingest.Request, id rasterbase.LayerID) (rasterbase.LegendID, error) {
	if r.Legend == nil || r.Legend.ID != 0 {
		return 0, nil
	}
	err := im.store.Catalog().View(ctx, func(tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		im.legend, err = tx.Legends().Get(ctx, l.Legend)
		return err
	})
	if err != nil {
		return 0, err
	}
	return im.legend.ID, nil
}

// fitLegend makes the legend that was made for a layer one of single values, where
// its colours do not say how they are meant and the parse found the layer to have
// classes: as those of a side-car.
func (im *importer) fitLegend(ctx context.Context, made rasterbase.LegendID, layer *rasterbase.Layer) error {
	if made == 0 || im.exact == nil {
		return nil
	}
	return im.store.Catalog().Update(ctx, func(tx store.Tx) error {
		r, err := tx.Revisions().Get(ctx, layer.Published)
		if err != nil || !r.Datatype.Discrete() {
			return err
		}
		l := *im.exact
		l.ID, l.Title, l.Entries = made, im.legend.Title, slices.Clone(l.Entries)
		im.legend = &l
		return tx.Legends().Update(ctx, &l)
	})
}

// warnUncoloured says that a layer's legend colours none of its pixels.
func (a *app) warnUncoloured(ctx context.Context, st store.Store, id rasterbase.LayerID) error {
	return st.Catalog().View(ctx, func(tx store.Tx) error {
		layer, err := tx.Layers().Get(ctx, id)
		if err != nil || layer.Legend == 0 || layer.Published == 0 {
			return err
		}
		l, err := tx.Legends().Get(ctx, layer.Legend)
		if err != nil {
			return err
		}
		r, err := tx.Revisions().Get(ctx, layer.Published)
		if err != nil || len(r.Bands) == 0 {
			return err
		}
		report, err := legend.Check(l, r.Bands[0])
		if err != nil || report.Pixels == 0 || report.None.AtLeast < report.Pixels {
			return nil //nolint:nilerr // whoever draws by the legend is told what is wrong with it
		}
		fmt.Fprintf(a.stderr, "rasterbase: warning: legend %s colours no value of layer %d, %s, which are %s to %s: its tiles are empty\n",
			visible(l.Title), layer.ID, layer.Slug, formatValue(r.Bands[0].Min), formatValue(r.Bands[0].Max))
		return nil
	})
}

// follow works on a parse until it has ended and shows its progress.
func (a *app) follow(ctx context.Context, parser *ingest.Parser, t rasterbase.Ticket, name string) (*rasterbase.Layer, error) {
	p := &progress{w: a.stderr, name: name, bar: isTerminal(a.stderr)}
	defer p.end()
	return parser.Run(ctx, t, p.show)
}

// undo takes an interrupted import back with the legend that was made for it,
// so that nothing is left.
func (im *importer) undo(ctx context.Context, t rasterbase.Ticket, made rasterbase.LegendID) error {
	ctx, cancel := afterInterrupt(ctx)
	defer cancel()
	if err := im.parser.Delete(ctx, t.Layer); err != nil {
		return fmt.Errorf("interrupted; removing the unfinished layer %d failed: %w", t.Layer, err)
	}
	if made != 0 {
		err := im.store.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Delete(ctx, made) })
		if err != nil {
			return fmt.Errorf("interrupted; removing the legend %d failed: %w", made, err)
		}
	}
	return errInterrupted
}

// afterInterrupt gives the time to tidy up after Ctrl-C.
func afterInterrupt(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
}

// orInterrupted says so when an error came of Ctrl-C.
func orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// withLogHint names the log of a failed parse, unless the error has a better
// way out. The layer is nil when it could not be read.
func withLogHint(err error, l *rasterbase.Layer, id rasterbase.LayerID) error {
	if e, ok := errors.AsType[*rasterbase.Error](err); ok && e.Hint != "" {
		return err
	}
	e := rasterbase.Errorf(rasterbase.CodeOf(err), "%w", err)
	if l != nil && l.Published != 0 {
		return e.WithHint("the layer is served as before; `rasterbase layers log %d` has the log", id)
	}
	return e.WithHint("`rasterbase layers log %[1]d` says how far it came, `rasterbase layers delete %[1]d` removes the layer", id)
}

func (a *app) printImported(file string, l *layerDoc, took time.Duration) {
	tiles := l.Revision.BaseTiles + l.Revision.PyramidTiles
	fmt.Fprintf(a.stdout, "%s: layer %d, %s (%s), %s, %d %s in %s\n", visible(file), l.ID, l.Slug, l.Revision.Datatype,
		zooms(l.Revision), tiles, plural(int(tiles), "tile"), took.Round(10*time.Millisecond))
}

// printAddress says where a new layer can be looked at.
func (im *importer) printAddress(l *layerDoc) {
	switch {
	case l.Visibility != rasterbase.Public || !l.Revision.HasPyramid:
	case im.publicURL != "":
		fmt.Fprintf(im.app.stdout, "map: %s/\n", im.publicURL)
	default:
		fmt.Fprintf(im.app.stdout, "tiles: /tiles/%s/{z}/{x}/{y}.png, once a server runs\n", l.Slug)
	}
}

func (a *app) printPlan(file string, p *ingest.Plan) {
	t := newTable(a.stdout, "", "")
	t.row("file", file)
	t.row("format", p.Driver)
	t.row("size", fmt.Sprintf("%d x %d pixels, %d %s", p.Grid.Width, p.Grid.Height, len(p.Bands), plural(len(p.Bands), "band")))
	t.row("coordinates", crsName(p.CRS))
	datatype := string(p.Datatype)
	if datatype == "" {
		datatype = "decided by the pixels"
	}
	t.row("datatype", datatype+" ("+p.DatatypeReason+")")
	t.row("tiles", fmt.Sprintf("%d base tiles and %d pyramid tiles of %d pixels, at most", p.BaseTiles, p.PyramidTiles, p.TileSize))
	if p.HasPyramid {
		t.row("zooms", "0 to "+strconv.Itoa(p.MaxZoom))
	}
	t.row("uncompressed", humanBytes(p.Bytes))
	t.row("disk needed", "at most "+humanBytes(p.Disk))
	for _, w := range p.Warnings {
		t.row("warning", w)
	}
	t.flush()
}
