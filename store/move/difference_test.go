package move_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/move"
)

// bent gives other things back than were stored.
type bent struct {
	store.Store
	tile func(store.Tile) (store.Tile, bool)
	page func(*store.SummaryPage)
	file func(string) string
}

func (s bent) Tiles() store.Tiles     { return bentTiles{s.Store.Tiles(), s} }
func (s bent) Sources() store.Sources { return bentSources{s.Store.Sources(), s} }

type bentTiles struct {
	store.Tiles
	s bent
}

func (b bentTiles) List(ctx context.Context, p store.ListParams) iter.Seq2[store.Tile, error] {
	return func(yield func(store.Tile, error) bool) {
		for tile, err := range b.Tiles.List(ctx, p) {
			keep := true
			if err == nil && b.s.tile != nil {
				tile, keep = b.s.tile(tile)
			}
			if keep && !yield(tile, err) {
				return
			}
		}
	}
}

type bentSources struct {
	store.Sources
	s bent
}

func (b bentSources) Put(ctx context.Context, id, name string, r io.Reader) (int64, error) {
	if b.s.file != nil {
		all, err := io.ReadAll(r)
		if err != nil {
			return 0, err
		}
		r = strings.NewReader(b.s.file(string(all)))
	}
	return b.Sources.Put(ctx, id, name, r)
}

func (s bent) Catalog() store.Catalog { return bentCatalog{s.Store.Catalog(), s} }

type bentCatalog struct {
	store.Catalog
	s bent
}

func (c bentCatalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.Catalog.Update(ctx, func(tx store.Tx) error { return fn(bentTx{tx, c.s}) })
}

type bentTx struct {
	store.Tx
	s bent
}

func (x bentTx) Revisions() store.Revisions { return bentRevisions{x.Tx.Revisions(), x.s} }

type bentRevisions struct {
	store.Revisions
	s bent
}

func (r bentRevisions) PutSummaries(ctx context.Context, id rasterbase.RevisionID, pages []store.SummaryPage) error {
	for i := range pages {
		if r.s.page != nil {
			r.s.page(&pages[i])
		}
	}
	return r.Revisions.PutSummaries(ctx, id, pages)
}

func TestEveryDifferenceIsFound(t *testing.T) {
	at := func(change func(*raster.Raster)) func(store.Tile) (store.Tile, bool) {
		return func(tile store.Tile) (store.Tile, bool) {
			if tile.Kind == rasterbase.Pyramid && tile.Z == 2 && tile.X == 1 && tile.Layer == 1 {
				change(tile.Raster)
			}
			return tile, true
		}
	}
	for name, b := range map[string]bent{
		"a bit of a pixel":  {tile: at(func(r *raster.Raster) { r.Bands[0].Pixels.Set(9, 77) })},
		"the origin":        {tile: at(func(r *raster.Raster) { r.OriginX++ })},
		"the srid":          {tile: at(func(r *raster.Raster) { r.SRID++ })},
		"the nodata value":  {tile: at(func(r *raster.Raster) { r.Bands[0].Nodata = 254 })},
		"validity":          {tile: at(func(r *raster.Raster) { r.Validity = make([]uint8, 64*64) })},
		"a tile is missing": {tile: func(tile store.Tile) (store.Tile, bool) { return tile, tile.Z != 3 || tile.X != 2 }},
		"the last tile is missing": {tile: func(tile store.Tile) (store.Tile, bool) {
			return tile, tile.Kind != rasterbase.Pyramid || tile.Z != 0
		}},
		"a tile is another's": {tile: func(tile store.Tile) (store.Tile, bool) {
			if tile.Z == 3 && tile.X == 2 {
				tile.X = 50
			}
			return tile, true
		}},
		"a summary":          {page: func(p *store.SummaryPage) { p.Cells[0].Bands[0].M2 += 1e-9 }},
		"a count":            {page: func(p *store.SummaryPage) { p.Cells[0].Bands[0].Counts[0].Count++ }},
		"a file":             {file: func(s string) string { return "X" + s[1:] }},
		"a file is too long": {file: func(s string) string { return s + "X" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := openSQLite(t)
			fillSmall(t, a)
			b.Store = openSQLite(t)
			_, err := move.Run(t.Context(), a, b, move.Options{})
			if !errors.Is(err, move.ErrDiffers) {
				t.Fatalf("the error is %v", err)
			}
			view(t, b, func(tx store.Tx) error {
				l, err := tx.Layers().Get(t.Context(), 1)
				if l.Published != 0 {
					t.Error("it was published")
				}
				return err
			})
			// The same with a store that is as it should be.
			_, err = move.Run(t.Context(), a, b.Store, move.Options{})
			must(t, err)
		})
	}
	// One tile more than the source has.
	a, b := openSQLite(t), openSQLite(t)
	fillSmall(t, a)
	fewer := bent{Store: a, tile: func(tile store.Tile) (store.Tile, bool) { return tile, tile.Kind == rasterbase.Base || tile.Z != 0 }}
	_, err := move.Run(t.Context(), a, b, move.Options{})
	must(t, err)
	_, err = move.Run(t.Context(), fewer, b, move.Options{})
	if !errors.Is(err, move.ErrDiffers) || !strings.Contains(err.Error(), "one more tile") {
		t.Errorf("the error is %v", err)
	}
	wantConflict(t, err, "it was moved before", "delete the layer at the destination")
}
