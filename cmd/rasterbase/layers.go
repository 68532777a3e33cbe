package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type layersCmd struct {
	List    layersListCmd    `cmd:"" default:"withargs" help:"List the layers."`
	Show    layersShowCmd    `cmd:"" help:"Print all that is known of a layer."`
	Make    layersMakeCmd    `cmd:"" help:"Make a layer of a formula over others."`
	Set     layersSetCmd     `cmd:"" help:"Change a layer's texts, settings, legend, file or formula."`
	Delete  layersDeleteCmd  `cmd:"" help:"Delete layers with their tiles and source files."`
	Log     layersLogCmd     `cmd:"" help:"Print the log of a layer's latest parse."`
	Cancel  layersCancelCmd  `cmd:"" help:"Stop a parse that runs or waits."`
	Reparse layersReparseCmd `cmd:"" help:"Parse layers again from their source files."`
	View    layersViewCmd    `cmd:"" help:"Make database views of a layer, for SQL, GDAL and QGIS."`
}

// Help is the longer text of "layers --help".
func (*layersCmd) Help() string {
	return `A layer is named by its id, its slug, or the name of its source file.

Examples:

  rasterbase layers
  rasterbase layers list --at 8.54,47.38
  rasterbase layers show landcover
  rasterbase layers set landcover name="Land cover" legend=NLCD
  rasterbase layers make NDVI --formula "(b-a)/(b+a)" --layers a:3=scene,b:7=scene
  rasterbase layers delete 3 4`
}

type layersListCmd struct {
	Search string  `help:"Only layers whose name or file name has this in it." placeholder:"TEXT"`
	At     numbers `xor:"place" help:"Only layers with tiles at this place, in degrees." placeholder:"LON,LAT"`
	BBox   numbers `name:"bbox" xor:"place" help:"Only layers with tiles in this box, in degrees; west is greater than east over the antimeridian." placeholder:"W,S,E,N"`
	JSON   bool    `name:"json" help:"Print one JSON document."`
}

// Run lists the layers.
func (c *layersListCmd) Run(ctx context.Context, a *app) (err error) {
	place, err := c.place()
	if err != nil {
		return err
	}
	conf, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	there, err := layersAt(ctx, st, place)
	if err != nil {
		return err
	}
	docs := []*layerDoc{}
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		docs = docs[:0]
		found, _, err := tx.Layers().Find(ctx, store.LayerFilter{Search: c.Search})
		if err != nil {
			return err
		}
		for _, l := range found {
			if place != nil && !there[l.ID] {
				continue
			}
			d, err := newLayerDoc(ctx, tx, l)
			if err != nil {
				return err
			}
			docs = append(docs, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(map[string]any{"layers": docs})
	}
	if len(docs) == 0 && place != nil {
		fmt.Fprintln(a.stderr, "no layer has tiles there")
		return nil
	}
	if len(docs) == 0 {
		fmt.Fprintln(a.stderr, "no layers yet; `rasterbase import FILE` adds one")
		return nil
	}
	a.printLayers(docs, conf.TileSize)
	return nil
}

// printLayers prints a line for each layer. Who may read them is said only
// when it is not everybody.
func (a *app) printLayers(docs []*layerDoc, tileSize int) {
	headings := []string{"ID", "SLUG", "DATATYPE", "MAX ZOOM", "TILES", "STATUS", "FILE"}
	private := slices.ContainsFunc(docs, func(d *layerDoc) bool { return d.Visibility != rasterbase.Public })
	if private {
		headings = slices.Insert(headings, 6, "VISIBILITY")
	}
	t := newTable(a.stdout, headings...)
	for _, d := range docs {
		datatype, zoom, tiles := "-", "-", "-"
		file := d.File
		if d.Formula != nil {
			datatype, file = string(d.Datatype), "formula: "+d.Formula.Text
		}
		status := d.statusText()
		if r := d.Revision; r != nil {
			datatype, tiles = string(r.Datatype), strconv.FormatInt(r.BaseTiles+r.PyramidTiles, 10)
			if r.HasPyramid {
				zoom = strconv.Itoa(r.MaxZoom)
			}
			if r.NoBase {
				status += ", no base tiles"
			}
			if r.TileSize != tileSize {
				status = fmt.Sprintf("%s, tile size %d", status, r.TileSize)
			}
		}
		if d.NoSource {
			status += ", no source"
		}
		row := []string{strconv.FormatInt(int64(d.ID), 10), d.Slug, datatype, zoom, tiles, status, file}
		if private {
			row = slices.Insert(row, 6, string(d.Visibility))
		}
		t.row(row...)
	}
	t.flush()
}

type layersShowCmd struct {
	Layer string `arg:"" help:"Id, slug or file name."`
	JSON  bool   `name:"json" help:"Print one JSON document."`
}

// Run prints a layer.
func (c *layersShowCmd) Run(ctx context.Context, a *app) error {
	var doc *layerDoc
	err := a.view(ctx, func(tx store.Tx) error {
		l, err := store.FindLayer(ctx, tx, c.Layer)
		if err != nil {
			return err
		}
		doc, err = newLayerDoc(ctx, tx, l)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	a.printLayer(doc)
	return nil
}

type layersDeleteCmd struct {
	Layers []string `arg:"" name:"layer" help:"Ids, slugs or file names."`
	Yes    bool     `short:"y" help:"Do not ask."`
	JSON   bool     `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "layers delete --help".
func (*layersDeleteCmd) Help() string {
	return `The tiles and the kept copy of the source file go too; the file that it was imported from stays. A layer that formulas of others read cannot be deleted before these.

Example:

  rasterbase layers delete landcover`
}

// Run deletes the layers.
func (c *layersDeleteCmd) Run(ctx context.Context, a *app) error {
	return a.withParser(ctx, 1, func(p *parsing) error {
		deleted := []string{}
		for _, ref := range c.Layers {
			l, err := findLayer(ctx, p.store, ref)
			if err != nil {
				return err
			}
			what := fmt.Sprintf("layer %d, %s", l.ID, visible(l.Name))
			if !c.Yes {
				ok, err := a.confirm("delete " + what + "?")
				if err != nil {
					return err
				}
				if !ok {
					fmt.Fprintf(a.stderr, "kept %s\n", what)
					continue
				}
			}
			if err := p.parser.Delete(ctx, l.ID); err != nil {
				return err
			}
			deleted = append(deleted, l.Slug)
			if !c.JSON {
				fmt.Fprintf(a.stdout, "deleted %s\n", what)
			}
		}
		if c.JSON {
			return a.printJSON(map[string]any{"deleted": deleted})
		}
		return nil
	})
}

// confirm asks the person at the terminal.
func (a *app) confirm(question string) (bool, error) {
	if !isTerminal(a.stdin) {
		return false, usageError{errors.New("nobody can be asked here; give --yes to do it without being asked")}
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

type layersCancelCmd struct {
	Layer string `arg:"" help:"Id, slug or file name."`
	JSON  bool   `name:"json" help:"Print one JSON document."`
}

// Run cancels the parse of a layer.
func (c *layersCancelCmd) Run(ctx context.Context, a *app) error {
	return a.withParser(ctx, 1, func(p *parsing) error {
		l, err := findLayer(ctx, p.store, c.Layer)
		if err != nil {
			return err
		}
		// A parse whose worker died for the last time does not run.
		if err := p.parser.Reconcile(ctx); err != nil {
			return err
		}
		if err := p.store.Catalog().View(ctx, func(tx store.Tx) error { return isParsing(ctx, tx, l.ID) }); err != nil {
			return err
		}
		if err := p.parser.Cancel(ctx, l.ID); err != nil {
			return err
		}
		if c.JSON {
			return a.printJSON(map[string]any{"cancelled": l.Slug})
		}
		fmt.Fprintf(a.stdout, "cancelled the parse of layer %d, %s\n", l.ID, visible(l.Name))
		return nil
	})
}

// isParsing is an error when there is nothing to cancel.
func isParsing(ctx context.Context, tx store.Tx, id rasterbase.LayerID) error {
	p, err := tx.Parses().Latest(ctx, id)
	if errors.Is(err, store.ErrNotExist) || err == nil && p.Status.Ended() {
		return rasterbase.Errorf(rasterbase.Conflict, "layer %d has no parse that waits or runs", id)
	}
	return err
}
