package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

type tileCmd struct {
	Layer  string `arg:"" help:"Id, slug or file name of a layer; or variables of a formula and their layers: a=1,b:2=dem, where a number after : is a band counted from 0."`
	Tile   string `arg:"" name:"z/x/y" help:"Zoom, column and row of the tile; @2x behind it doubles its size."`
	Output string `short:"o" help:"File to write, .png, .jpg, .webp or .tif; - is standard output. Otherwise LAYER-Z-X-Y.png, or standard output when that is not a terminal." placeholder:"FILE"`

	Formula      string   `help:"Draw this of the layers. Over one layer its variables are its bands, b1, b2 and so on." placeholder:"FORMULA"`
	Legend       string   `help:"Colour it by this legend in place of the layer's." placeholder:"TITLE"`
	Colormap     string   `help:"Colour it by this colormap, as JSON: {\"4\": \"#654321\"}." placeholder:"JSON"`
	ColormapName string   `help:"Colour it by a named colormap, such as viridis, or viridis_r for the reverse." placeholder:"NAME"`
	Rescale      []string `help:"Values that the colours begin and end at: MIN,MAX; one range for all bands, or once for each." sep:"none" placeholder:"MIN,MAX"`
	Bidx         string   `help:"Band to draw, counted from 1, or three for red, green and blue: 3,2,1." placeholder:"BANDS"`
	Entries      string   `help:"Show these entries of the legend alone: expressions or names, separated by commas." placeholder:"LIST"`
	Algorithm    string   `help:"Draw what heights make: hillshade, slope, terrainrgb or terrarium." placeholder:"NAME"`
	Resampling   string   `help:"How pixels are made where there are no stored ones: nearest, bilinear or cubic." placeholder:"NAME"`
	Unscale      bool     `help:"Apply the file's scale and offset to values."`
	Compress     string   `help:"How a .tif is compressed: none, PACKBITS, LZW, DEFLATE, ZSTD or JPEG." placeholder:"NAME"`
	Param        []string `help:"Any other parameter of a tile's address, as NAME=VALUE: enhance_contrast=1.5." sep:"none" placeholder:"NAME=VALUE"`
}

// Help is the longer text of "tile --help".
func (*tileCmd) Help() string {
	return `It is the tile that a server sends for the same address. docs/guides/tiles.md
tells what each parameter does. --tilesize N makes it of N pixels a side.

Examples:

  rasterbase tile landcover 11/380/794 -o tile.png
  rasterbase tile elevation 11/380/794 --colormap-name viridis --rescale 0,3000 -o tile.webp
  rasterbase tile landcover 11/380/794 -o values.tif
  rasterbase tile a=before,b=after 11/380/794 --formula "b - a" --colormap-name rdbu -o change.png`
}

// query is what the flags ask of the server.
func (c *tileCmd) query() (url.Values, error) {
	q := url.Values{}
	for name, value := range map[string]string{
		"legend": c.Legend, "colormap": c.Colormap, "colormap_name": c.ColormapName, "bidx": c.Bidx, "entries": c.Entries,
		"algorithm": c.Algorithm, "resampling": c.Resampling, "compress": c.Compress, "formula": c.Formula,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(c.Rescale) > 0 {
		q["rescale"] = c.Rescale
	}
	if c.Unscale {
		q.Set("unscale", "true")
	}
	for _, p := range c.Param {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "%q is not a parameter and its value", p).
				WithHint("write NAME=VALUE").WithField("param")}
		}
		q.Add(name, value)
	}
	return q, nil
}

// Run writes one tile.
func (c *tileCmd) Run(ctx context.Context, a *app) (err error) {
	// An address's @2x can stand here too.
	place, double := strings.CutSuffix(c.Tile, "@2x")
	t, err := xyz.Parse(place)
	if rasterbase.CodeOf(err) == rasterbase.Invalid {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	ext := strings.ToLower(filepath.Ext(c.Output))
	switch ext {
	case "":
		ext = ".png"
	case ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff":
	default:
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "%s: tiles are not written as %s", c.Output, ext).
			WithHint("end the name in .png, .jpg, .webp or .tif").WithField("output")}
	}
	query, err := c.query()
	if err != nil {
		return err
	}
	conf, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	// The flag is that of the setting, which is for tiles that are stored.
	if conf.Origin["tilesize"].From == "flag --tilesize" {
		query.Set("tilesize", strconv.Itoa(conf.TileSize))
	}
	route, name, err := c.route(ctx, st, query)
	if err != nil {
		return err
	}
	// The server makes the tile, so that both are the same. Whoever can read
	// the data folder may read every layer.
	srv, err := server.New(server.Config{
		Store: st, Auth: operator{}, Transformer: gdal.Transformer{}, Log: a.commandLogger(conf), TileCache: -1,
		CompressMethod: string(conf.Compression),
	})
	if err != nil {
		return err
	}
	scale := ""
	if double {
		scale = "@2x"
	}
	address := fmt.Sprintf("%s/%d/%d/%d%s%s", route, t.Z, t.X, t.Y, scale, ext)
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	b, err := get(ctx, srv, address)
	if err != nil {
		return err
	}
	output := c.Output
	if output == "" && isTerminal(a.stdout) {
		output = fmt.Sprintf("%s-%d-%d-%d%s%s", name, t.Z, t.X, t.Y, scale, ext)
	}
	if err := a.writeOutput(output, b); err != nil {
		return fmt.Errorf("write the tile: %w", err)
	}
	if output != "" && output != "-" {
		fmt.Fprintf(a.stderr, "wrote %s, %d bytes\n", visible(output), len(b))
	}
	return nil
}

// route is the address of the tiles, and a name for a file of one. Layers with
// variables go into the query.
func (c *tileCmd) route(ctx context.Context, st store.Store, query url.Values) (path, name string, err error) {
	if strings.Contains(c.Layer, "=") { // which no slug has
		query.Set("layers", c.Layer)
		return "/algebra", "formula", nil
	}
	l, err := findLayer(ctx, st, c.Layer)
	if err != nil {
		return "", "", err
	}
	return fmt.Sprintf("/tiles/%d", l.ID), l.Slug, hasPyramid(ctx, st, l)
}

// hasPyramid says what to do about a layer that was imported without map tiles.
func hasPyramid(ctx context.Context, st store.Store, l *rasterbase.Layer) error {
	if l.Published == 0 {
		return nil // the server says why
	}
	return st.Catalog().View(ctx, func(tx store.Tx) error {
		r, err := tx.Revisions().Get(ctx, l.Published)
		if err != nil || r.HasPyramid {
			return err
		}
		return rasterbase.Errorf(rasterbase.NotFound, "layer %d has no map tiles: it was imported without a pyramid", l.ID).
			WithHint("import it again without --no-pyramid")
	})
}

// operator is the Auth of whoever sits at the machine with the data: all is
// allowed.
type operator struct{}

func (operator) Principal(*http.Request) (rasterbase.Principal, error) {
	return rasterbase.Principal{Name: "operator"}, nil
}

func (operator) May(context.Context, rasterbase.Principal, rasterbase.Action, *rasterbase.Layer) error {
	return nil
}

// get asks a handler in this process and gives the body of its answer.
func get(ctx context.Context, h http.Handler, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r)
	if w.status >= 400 {
		return nil, w.problem()
	}
	return w.body.Bytes(), nil
}

// answer keeps what a handler answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(status int)      { w.status = status }
func (w *answer) Write(b []byte) (int, error) { return w.body.Write(b) }

// problem turns a problem document into an error.
func (w *answer) problem() error {
	var doc struct {
		Title, Detail, Hint, Parameter string
	}
	code := rasterbase.Invalid
	switch {
	case w.status == http.StatusNotFound:
		code = rasterbase.NotFound
	case w.status >= 500:
		code = rasterbase.Internal
	}
	if err := json.Unmarshal(w.body.Bytes(), &doc); err != nil || doc.Detail+doc.Title == "" {
		return rasterbase.Errorf(code, "%s", strings.TrimSpace(w.body.String()))
	}
	message := doc.Detail
	if message == "" {
		message = doc.Title
	}
	e := rasterbase.Errorf(code, "%s", message).WithField(doc.Parameter)
	e.Hint = doc.Hint
	return e
}
