package djangoraster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

// Options adjusts an import.
type Options struct {
	// Parser writes revisions, into the store of the import.
	Parser *ingest.Parser
	// Schema is where the tables are; empty: the first of the search path that
	// has them.
	Schema string
	// Media is the folder MEDIA_ROOT of the Django application, from which each
	// layer's raster file is kept as its source; empty: no layer has a source.
	Media      string
	Visibility rasterbase.Visibility // of the layers; empty: public
	DryRun     bool                  // tell what would be imported
	// Progress, when set, is told which layer is being taken over.
	Progress func(done, of int, layer string)
}

// Report says what was imported, or with DryRun would be.
type Report struct {
	Legends  int          `json:"legends"`
	Layers   []LayerState `json:"layers"`
	Warnings []string     `json:"warnings"`
}

// LayerState says what became of a layer.
type LayerState struct {
	ID     rasterbase.LayerID `json:"id"`
	Name   string             `json:"name"`
	There  bool               `json:"there"` // its tiles were imported before
	Tiles  int64              `json:"tiles"` // of this import, or in the database
	NoBase bool               `json:"no_base"`
	Source bool               `json:"source"` // its file is kept
	// Problem is why the layer has no tiles.
	Problem string `json:"problem,omitempty"`
}

// Import takes over the legends, semantics, layers and tiles of a database that
// django-raster made. The store must not have other layers or legends with
// their ids. An import that was interrupted goes on when it is run again.
//
// A layer whose tiles cannot be taken over is there without them, and the
// report says why. The error has code not found when the database is not one of
// django-raster, and conflict when an id is taken. No server may run on the
// store meanwhile.
func Import(ctx context.Context, pool *pgxpool.Pool, st store.Store, o Options) (*Report, error) {
	db, err := openDatabase(ctx, pool, o.Schema)
	if err != nil {
		return nil, err
	}
	defer db.close(ctx)
	im := &importer{db: db, pool: pool, st: st, o: o, report: &Report{Layers: []LayerState{}, Warnings: []string{}}}
	if err := im.read(ctx); err != nil {
		return nil, err
	}
	im.report.Legends = len(im.legends)
	if !o.DryRun {
		if err := im.save(ctx); err != nil {
			return nil, err
		}
	}
	for i, row := range im.layers {
		if o.Progress != nil {
			o.Progress(i, len(im.layers), row.name())
		}
		if err := im.layer(ctx, row); err != nil {
			return im.report, fmt.Errorf("layer %d (%s): %w", row.ID, row.name(), err)
		}
	}
	return im.report, nil
}

type importer struct {
	db     *database
	pool   *pgxpool.Pool
	st     store.Store
	o      Options
	report *Report

	legends  []*rasterbase.Legend
	unused   []rasterbase.Semantics // that no legend has
	layers   []layerRow
	metadata map[int64]metadataRow
	statuses map[int64]statusRow
	there    map[rasterbase.LayerID]*rasterbase.Layer // in the store
}

func (im *importer) warn(format string, args ...any) {
	im.report.Warnings = append(im.report.Warnings, fmt.Sprintf(format, args...))
}

// read reads everything but tiles.
func (im *importer) read(ctx context.Context) (err error) {
	if err := im.readLegends(ctx); err != nil {
		return err
	}
	if im.layers, err = readRows[layerRow](ctx, im.db, "raster_rasterlayer"); err != nil {
		return err
	}
	metadata, err := readRows[metadataRow](ctx, im.db, "raster_rasterlayermetadata")
	if err != nil {
		return err
	}
	im.metadata = map[int64]metadataRow{}
	for _, m := range metadata {
		im.metadata[m.LayerID] = m
	}
	statuses, err := readRows[statusRow](ctx, im.db, "raster_rasterlayerparsestatus")
	if err != nil {
		return err
	}
	im.statuses = map[int64]statusRow{}
	for _, s := range statuses {
		im.statuses[s.LayerID] = s
	}
	return nil
}

// name is what the layer is called.
func (l layerRow) name() string {
	file := path.Base(cmp.Or(l.RasterFile, l.SourceURL))
	stem := strings.TrimSuffix(file, path.Ext(file))
	if stem == "." {
		stem = ""
	}
	return cmp.Or(strings.TrimSpace(l.Name), stem, fmt.Sprintf("layer %d", l.ID))
}

// origin tells where a layer's raster came from, and that it came this way.
func (l layerRow) origin() string {
	return strings.TrimSpace("django-raster: " + cmp.Or(l.SourceURL, l.RasterFile))
}

// newLayer is a layer with the settings that it had.
func (im *importer) newLayer(row layerRow) *rasterbase.Layer {
	l := &rasterbase.Layer{
		ID: rasterbase.LayerID(row.ID), Name: row.name(), Description: row.Description,
		Source:     rasterbase.Source{Name: path.Base(cmp.Or(row.RasterFile, row.SourceURL)), Origin: row.origin()},
		Visibility: cmp.Or(im.o.Visibility, rasterbase.Public),
		Settings:   rasterbase.Settings{Datatype: datatype(row.Datatype), MaxZoom: row.MaxZoom},
	}
	if l.Source.Name == "." {
		l.Source.Name = ""
	}
	if row.LegendID != nil {
		l.Legend = rasterbase.LegendID(*row.LegendID)
	}
	l.Settings.NextLower = row.NextHigher != nil && !*row.NextHigher
	if n, err := strconv.Atoi(strings.TrimSpace(string(row.SRID))); err == nil && n > 0 {
		l.Settings.SRID = n
	}
	if text := strings.TrimSpace(string(row.Nodata)); text != "" {
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			l.Settings.Nodata = &v
		} else {
			im.warn("layer %d: its nodata value %q is no number", row.ID, text)
		}
	}
	return l
}

// save stores the legends and layers that are not there, all or nothing.
func (im *importer) save(ctx context.Context) error {
	left := 0
	err := im.st.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		im.there = map[rasterbase.LayerID]*rasterbase.Layer{}
		if err := im.saveLegends(ctx, tx); err != nil {
			return err
		}
		if left, err = im.saveUnused(ctx, tx); err != nil {
			return err
		}
		for _, row := range im.layers {
			if err := im.saveLayer(ctx, tx, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("saving the legends and layers: %w", err)
	}
	if left > 0 {
		im.warn("%d semantics that no legend uses are left out: they have no name, or the store has another semantics with their id or name", left)
	}
	return nil
}

func (im *importer) saveLayer(ctx context.Context, tx store.Tx, row layerRow) error {
	l := im.newLayer(row)
	there, err := tx.Layers().Get(ctx, l.ID)
	switch {
	case errors.Is(err, store.ErrNotExist):
		if err := tx.Layers().Create(ctx, l); err != nil {
			return err
		}
		im.there[l.ID] = l
		return nil
	case err != nil:
		return err
	case there.Source.Origin != l.Source.Origin:
		return taken("layer", row.ID, there.Name, l.Name)
	}
	im.there[l.ID] = there
	return nil
}

func taken(what string, id int64, there, wanted string) error {
	return rasterbase.Errorf(rasterbase.Conflict, "%s %d of the store is %q, and would be %q", what, id, there, wanted).
		WithHint("ids are kept, so import into a store that is empty")
}

// layer takes a layer's source and tiles over.
func (im *importer) layer(ctx context.Context, row layerRow) error {
	state := LayerState{ID: rasterbase.LayerID(row.ID), Name: row.name()}
	defer func() { im.report.Layers = append(im.report.Layers, state) }()
	if !im.o.DryRun {
		l := im.there[state.ID]
		state.There = l.Published != 0
		if err := im.keepSource(ctx, row, l); err != nil {
			return err
		}
		state.Source = l.Source.ID != ""
	} else {
		_, ok := im.mediaFile(row)
		state.Source = ok
	}
	if state.There {
		return nil
	}
	t := &layerTiles{importer: im, row: row}
	err := t.describe(ctx)
	defer t.close()
	if err == nil {
		state.NoBase = t.base == nil
		state.Tiles = t.count
		if !im.o.DryRun {
			var rev *rasterbase.Revision
			if rev, err = im.o.Parser.Adopt(ctx, t.ready()); err == nil {
				state.Tiles = rev.BaseTiles + rev.PyramidTiles
			}
		}
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	switch rasterbase.CodeOf(err) {
	case rasterbase.Invalid, rasterbase.NotFound, rasterbase.Unsupported, rasterbase.TooLarge:
		state.Problem, state.Tiles = err.Error(), 0
		return nil
	}
	return err
}

// mediaFile is the layer's raster file, if it is there.
func (im *importer) mediaFile(row layerRow) (string, bool) {
	if im.o.Media == "" || row.RasterFile == "" {
		return "", false
	}
	if !filepath.IsLocal(filepath.FromSlash(row.RasterFile)) {
		im.warn("layer %d: its file %q is not below the folder", row.ID, row.RasterFile)
		return "", false
	}
	file := filepath.Join(im.o.Media, filepath.FromSlash(row.RasterFile))
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		im.warn("layer %d: there is no file %s", row.ID, file)
		return "", false
	}
	return file, true
}

// keepSource copies the layer's raster file into the store.
func (im *importer) keepSource(ctx context.Context, row layerRow, l *rasterbase.Layer) error {
	if l.Source.ID != "" {
		return nil
	}
	file, ok := im.mediaFile(row)
	if !ok {
		return nil
	}
	src, err := im.o.Parser.KeepSource(ctx, file)
	if err != nil {
		return err
	}
	src.Origin = row.origin()
	return im.st.Catalog().Update(ctx, func(tx store.Tx) error {
		now, err := tx.Layers().Get(ctx, l.ID)
		if err != nil {
			return err
		}
		now.Source = src
		if err := tx.Layers().Update(ctx, now); err != nil {
			return err
		}
		l.Source = src
		return nil
	})
}
