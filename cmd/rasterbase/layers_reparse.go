package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/store"
)

type layersReparseCmd struct {
	Layers   []string `arg:"" optional:"" name:"layer" help:"Ids, slugs or file names."`
	Outdated bool     `help:"All layers whose tiles were made with other settings, or from another file, than are in force now."`
	JSON     bool     `name:"json" help:"Print one JSON document."`
}

// Help is the longer text of "layers reparse --help".
func (*layersReparseCmd) Help() string {
	return `The layer is served as it was until its new tiles are complete, and stays as it was when the parse fails.

--outdated chooses the layers whose tile size is not the one in force (the layer's own, or else that of --tilesize), and those that were changed and not parsed since. Layers without a source file cannot be parsed again and are left as they are.

Examples:

  rasterbase layers reparse landcover
  rasterbase layers reparse --outdated --tilesize 512`
}

// Run parses the layers again, one after another, and waits for it.
func (c *layersReparseCmd) Run(ctx context.Context, a *app) error {
	if c.Outdated == (len(c.Layers) > 0) {
		return usageError{errors.New("name the layers to be parsed again, or give --outdated")}
	}
	if !gdal.Available {
		return errNoGDAL
	}
	return a.withParser(ctx, runtime.NumCPU(), func(p *parsing) error { return c.run(ctx, p) })
}

func (c *layersReparseCmd) run(ctx context.Context, p *parsing) error {
	refs := c.Layers
	if c.Outdated {
		var err error
		if refs, err = p.outdated(ctx); err != nil {
			return err
		}
		if len(refs) == 0 && !c.JSON {
			fmt.Fprintln(p.app.stderr, "no layer is outdated")
		}
	}
	out := imported{Layers: []layerDoc{}}
	for _, ref := range refs {
		doc, err := p.reparse(ctx, ref)
		if err != nil {
			problem := newProblem(err)
			out.Failed = append(out.Failed, failedFile{ref, problem})
			p.app.printProblem(ref, problem)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		out.Layers = append(out.Layers, *doc)
		if !c.JSON {
			p.app.printParsed(doc)
		}
	}
	if c.JSON {
		if err := p.app.printJSON(out); err != nil {
			return err
		}
	}
	if len(out.Failed) > 0 {
		return errReported
	}
	return nil
}

func (p *parsing) reparse(ctx context.Context, ref string) (*layerDoc, error) {
	l, err := findLayer(ctx, p.store, ref)
	if err != nil {
		return nil, err
	}
	t, err := p.parser.Reparse(ctx, l.ID)
	if err != nil {
		return nil, err
	}
	return p.finish(ctx, l, t)
}

// outdated lists the ids of the layers that a parse would change.
func (p *parsing) outdated(ctx context.Context) (ids []string, err error) {
	err = p.store.Catalog().View(ctx, func(tx store.Tx) error {
		ids = nil
		layers, err := store.Outdated(ctx, tx, p.conf.TileSize)
		for _, l := range layers {
			ids = append(ids, strconv.FormatInt(int64(l.ID), 10))
		}
		return err
	})
	return ids, err
}
