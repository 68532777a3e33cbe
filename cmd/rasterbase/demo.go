package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// demoPause is how often the catalog is asked how far the parses are.
const demoPause = 200 * time.Millisecond

// demoImport brings the demo rasters into a store that does not have them.
type demoImport struct {
	store   store.Store
	parser  *ingest.Parser
	out     io.Writer
	base    string // address of the server
	workDir string
}

// run imports what is missing, waits until it is parsed, and prints where it
// can be seen. Other workers of this process do the parsing.
func (d demoImport) run(ctx context.Context) error {
	var ids []rasterbase.LayerID
	for _, r := range demo.Rasters() {
		id, err := d.begin(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		ids = append(ids, id)
	}
	for i, r := range demo.Rasters() {
		l, err := d.wait(ctx, ids[i])
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		fmt.Fprintf(d.out, "%s\n  %s/layers/%s\n  %s/tiles/%s/%s.png\n", l.Name, d.base, l.Slug, d.base, l.Slug, r.Tile)
	}
	return nil
}

// begin finds the layer of a demo raster or adds it, and has it parsed unless
// it is or will be.
func (d demoImport) begin(ctx context.Context, r demo.Raster) (rasterbase.LayerID, error) {
	l, parse, err := d.find(ctx, r)
	switch {
	case err != nil:
		return 0, err
	case l != nil && (l.Published != 0 || parse != nil && !parse.Status.Ended()):
		return l.ID, nil
	case gdal.Version() == "":
		return 0, rasterbase.Errorf(rasterbase.Unsupported, "this program was built without GDAL and cannot read raster files").
			WithHint("install libgdal-dev and build it with cgo: make run")
	case l == nil:
		return d.add(ctx, r)
	}
	_, err = d.parser.Reparse(ctx, l.ID)
	return l.ID, err
}

// wait waits until a layer is published or its parse has failed.
func (d demoImport) wait(ctx context.Context, id rasterbase.LayerID) (l *rasterbase.Layer, err error) {
	for {
		var p *rasterbase.Parse
		err := d.store.Catalog().View(ctx, func(tx store.Tx) error {
			if l, err = tx.Layers().Get(ctx, id); err != nil || l.Published != 0 {
				return err
			}
			p, err = tx.Parses().Latest(ctx, id)
			return err
		})
		switch {
		case err != nil:
			return nil, err
		case l.Published != 0:
			return l, nil
		case p.Status.Ended():
			return nil, fmt.Errorf("its parse is %s: %s", p.Status, p.Error)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(demoPause):
		}
	}
}

// find looks for the layer of a demo raster, with its latest parse.
func (d demoImport) find(ctx context.Context, r demo.Raster) (l *rasterbase.Layer, p *rasterbase.Parse, err error) {
	err = d.store.Catalog().View(ctx, func(tx store.Tx) error {
		for _, f := range []store.LayerFilter{{Slug: r.Slug}, {FileName: r.File}} {
			found, _, err := tx.Layers().Find(ctx, f)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				continue
			}
			l = found[0]
			p, err = tx.Parses().Latest(ctx, l.ID)
			if errors.Is(err, store.ErrNotExist) {
				err = nil
			}
			return err
		}
		return nil
	})
	return l, p, err
}

// add queues the import of a demo raster.
func (d demoImport) add(ctx context.Context, r demo.Raster) (rasterbase.LayerID, error) {
	dir, err := os.MkdirTemp(d.workDir, "rasterbase-demo-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for the demo raster: %w", err)
	}
	defer os.RemoveAll(dir)
	b, err := r.Contents()
	if err != nil {
		return 0, fmt.Errorf("unpack the demo raster: %w", err)
	}
	fmt.Fprintf(d.out, "importing %s\n", r.Name)
	path := filepath.Join(dir, r.File)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return 0, fmt.Errorf("write the demo raster: %w", err)
	}
	req := ingest.Request{
		Source: path, Name: r.Name, Description: r.Description,
		Attribution: r.Attribution, License: r.License,
		Settings: rasterbase.Settings{Datatype: r.Datatype},
	}
	if req.Legend, err = d.legend(ctx, r); err != nil {
		return 0, err
	}
	t, err := d.parser.Add(ctx, req)
	return t.Layer, err
}

// legend is the demo raster's: the one of its title that is there, or one to
// be made.
func (d demoImport) legend(ctx context.Context, r demo.Raster) (l *rasterbase.Legend, err error) {
	err = d.store.Catalog().View(ctx, func(tx store.Tx) error {
		l, err = tx.Legends().FindTitle(ctx, r.LegendTitle)
		return err
	})
	if !errors.Is(err, store.ErrNotExist) {
		return l, err
	}
	b, err := r.Legend()
	if err != nil {
		return nil, fmt.Errorf("unpack the demo raster's legend: %w", err)
	}
	if l, err = legend.ParseJSON(r.LegendTitle, b); err != nil {
		return nil, fmt.Errorf("read the demo raster's legend: %w", err)
	}
	return l, nil
}
