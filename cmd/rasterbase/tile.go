package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

type tileCmd struct {
	Layer  string `arg:"" help:"Id, slug or file name."`
	Tile   string `arg:"" name:"z/x/y" help:"Zoom, column and row of the tile."`
	Output string `short:"o" help:"File to write, .png or .jpg; - is standard output. Otherwise LAYER-Z-X-Y.png, or standard output when that is not a terminal." placeholder:"FILE"`
	Legend string `help:"Colour it by this legend in place of the layer's." placeholder:"TITLE"`
}

// Help is the longer text of "tile --help".
func (*tileCmd) Help() string {
	return `It is the tile that a server sends for the same address.

Example:

  rasterbase tile landcover 11/380/794 -o tile.png`
}

// Run writes one tile.
func (c *tileCmd) Run(ctx context.Context, a *app) (err error) {
	t, err := xyz.Parse(c.Tile)
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
	case ".png", ".jpg", ".jpeg":
	default:
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "%s: tiles are not written as %s", c.Output, ext).
			WithHint("end the name in .png or .jpg").WithField("output")}
	}
	conf, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	l, err := findLayer(ctx, st, c.Layer)
	if err != nil {
		return err
	}
	if err := hasPyramid(ctx, st, l); err != nil {
		return err
	}
	// The server makes the tile, so that both are the same. Whoever can read
	// the data folder may read every layer.
	srv, err := server.New(server.Config{
		Store: st, Auth: operator{}, Transformer: gdal.Transformer{}, Log: a.commandLogger(conf), TileCache: -1,
	})
	if err != nil {
		return err
	}
	address := fmt.Sprintf("/tiles/%d/%d/%d/%d%s", l.ID, t.Z, t.X, t.Y, ext)
	if c.Legend != "" {
		address += "?legend=" + url.QueryEscape(c.Legend)
	}
	b, err := get(ctx, srv, address)
	if err != nil {
		return err
	}
	output := c.Output
	if output == "" && isTerminal(a.stdout) {
		output = fmt.Sprintf("%s-%d-%d-%d%s", l.Slug, t.Z, t.X, t.Y, ext)
	}
	if err := a.writeOutput(output, b); err != nil {
		return fmt.Errorf("write the tile: %w", err)
	}
	if output != "" && output != "-" {
		fmt.Fprintf(a.stderr, "wrote %s, %d bytes\n", visible(output), len(b))
	}
	return nil
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
