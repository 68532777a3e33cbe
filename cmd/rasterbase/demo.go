package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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

// demoImport brings the demo rasters into an empty store.
type demoImport struct {
	store   store.Store
	parser  *ingest.Parser
	out     io.Writer
	base    string // address of the server
	workDir string
}

// demoLayer is a layer that an earlier start made of a demo raster.
type demoLayer struct {
	*rasterbase.Layer
	parse *rasterbase.Parse // the latest; nil: none
}

// run imports the rasters into a store without layers, or finishes an import
// that was cut off, waits until they are parsed, and prints where those that
// are there can be seen. Other workers of this process do the parsing.
func (d demoImport) run(ctx context.Context) error {
	there, first, err := d.find(ctx)
	if err != nil {
		return err
	}
	switch {
	case !first && len(there) == 0:
		fmt.Fprintln(d.out, "the demo is not imported: there are other layers already")
		return nil
	case first && !gdal.Available:
		fmt.Fprintln(d.out, "the demo is not imported:", errNoGDAL.Message)
		return nil
	}
	for _, r := range demo.Rasters() {
		l, ok := there[r.Slug]
		if !ok && !first {
			continue // it was deleted
		}
		id, err := d.begin(ctx, r, l)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		there[r.Slug] = demoLayer{Layer: &rasterbase.Layer{ID: id}}
	}
	for _, r := range demo.Rasters() {
		l, ok := there[r.Slug]
		if !ok {
			continue
		}
		done, err := d.wait(ctx, l.ID)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		fmt.Fprintf(d.out, "%s\n  %s/layers/%s\n  %s/tiles/%s/%s.png\n", done.Name, d.base, done.Slug, d.base, done.Slug, r.Tile)
	}
	return nil
}

// begin has a demo raster parsed that is not and will not be otherwise, and
// gives its layer.
func (d demoImport) begin(ctx context.Context, r demo.Raster, l demoLayer) (rasterbase.LayerID, error) {
	switch {
	case l.Layer != nil && (l.Published != 0 || l.parse != nil && !l.parse.Status.Ended()):
		return l.ID, nil
	case !gdal.Available:
		return 0, errNoGDAL
	case l.Layer == nil:
		return d.add(ctx, r)
	}
	_, err := d.parser.Reparse(ctx, l.ID)
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
			return nil, fmt.Errorf("its parse ended %s: %s", p.Status, p.Error)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(demoPause):
		}
	}
}

// find gives the layers of the demo rasters by their slugs, and whether those
// that are missing belong there: the store has no layer but, perhaps, demo
// layers whose import did not come to its end.
func (d demoImport) find(ctx context.Context) (there map[string]demoLayer, first bool, err error) {
	there, first = map[string]demoLayer{}, true
	err = d.store.Catalog().View(ctx, func(tx store.Tx) error {
		all, _, err := tx.Layers().Find(ctx, store.LayerFilter{})
		if err != nil {
			return err
		}
		for _, l := range all {
			first = first && l.Published == 0 && slices.ContainsFunc(demo.Rasters(), func(r demo.Raster) bool { return isOf(l, r) })
		}
		for _, r := range demo.Rasters() {
			i := slices.IndexFunc(all, func(l *rasterbase.Layer) bool { return isOf(l, r) })
			if i < 0 {
				continue
			}
			p, err := tx.Parses().Latest(ctx, all[i].ID)
			if err != nil && !errors.Is(err, store.ErrNotExist) {
				return err
			}
			there[r.Slug] = demoLayer{all[i], p}
		}
		return nil
	})
	return there, first, err
}

// isOf tells whether a layer was made of a demo raster by this command: others
// who import its file call it otherwise.
func isOf(l *rasterbase.Layer, r demo.Raster) bool {
	return l.Name == r.Name && l.Source.Name == r.File
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
