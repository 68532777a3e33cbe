package coverage_test

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/xyz"
)

// index publishes a revision that has summaries and no tiles: enough to find
// tiles. stored tells which tiles of a level have a valid pixel.
func index(t testing.TB, st store.Store, rev rasterbase.Revision, stored map[coverage.Level][]coverage.TileAddress) *coverage.Layer {
	t.Helper()
	ctx := context.Background()
	l := &rasterbase.Layer{Name: "index"}
	if rev.Bands == nil {
		rev.Bands = []rasterbase.Band{{PixelType: rasterbase.Uint8}}
	}
	var pages []store.SummaryPage
	for level, at := range stored {
		pages = append(pages, pagesOf(level, at)...)
	}
	err := st.Catalog().Update(ctx, func(tx store.Tx) error {
		if err := tx.Layers().Create(ctx, l); err != nil {
			return err
		}
		rev.Layer = l.ID
		if err := tx.Revisions().Create(ctx, &rev); err != nil {
			return err
		}
		if err := tx.Revisions().PutSummaries(ctx, rev.ID, pages); err != nil {
			return err
		}
		_, err := tx.Revisions().Publish(ctx, rev.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := coverage.OpenLayer(ctx, st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pagesOf makes pages, and pages of pages up to the one that holds all, as a
// parse does.
func pagesOf(l coverage.Level, at []coverage.TileAddress) (all []store.SummaryPage) {
	for depth := 0; ; depth++ {
		pages := map[coverage.TileAddress]*store.SummaryPage{}
		var up []coverage.TileAddress
		for _, a := range sorted(at) {
			k := coverage.TileAddress{X: a.X / store.PageSize, Y: a.Y / store.PageSize}
			if pages[k] == nil {
				pages[k] = &store.SummaryPage{Kind: l.Kind, Z: l.Zoom, Depth: depth, X: k.X, Y: k.Y}
				up = append(up, k)
			}
			cell := store.SummaryCell{X: a.X, Y: a.Y, Summary: rasterbase.Summary{Bands: []rasterbase.BandSummary{{Valid: 1, Mean: 1, Min: 1, Max: 1}}}}
			pages[k].Cells = append(pages[k].Cells, cell)
		}
		for _, k := range up {
			all = append(all, *pages[k])
		}
		if len(up) == 0 || len(up) == 1 && up[0] == (coverage.TileAddress{}) {
			return all
		}
		at = up
	}
}

func sorted(at []coverage.TileAddress) []coverage.TileAddress {
	at = slices.Clone(at)
	slices.SortFunc(at, func(a, b coverage.TileAddress) int { return cmp.Or(a.Y-b.Y, a.X-b.X) })
	return at
}

// revision is a revision of one byte band over a grid.
func revision(g rasterbase.Grid, srid, tileSize int) rasterbase.Revision {
	return rasterbase.Revision{
		Datatype: rasterbase.Continuous, CRS: rasterbase.CRS{SRID: srid}, Grid: g, TileSize: tileSize,
		Bounds: rasterbase.Bounds{West: -180, South: -90, East: 180, North: 90}, BaseValidity: true, PyramidValidity: true,
	}
}

// every lists all tiles of a grid.
func every(g rasterbase.Grid, tileSize int) (out []coverage.TileAddress) {
	for y := range (g.Height + tileSize - 1) / tileSize {
		for x := range (g.Width + tileSize - 1) / tileSize {
			out = append(out, coverage.TileAddress{X: x, Y: y})
		}
	}
	return out
}

// everyZoom lists all tiles of a zoom.
func everyZoom(z int) (out []coverage.TileAddress) {
	for y := range xyz.Side(z) {
		for x := range xyz.Side(z) {
			out = append(out, coverage.TileAddress{X: x, Y: y})
		}
	}
	return out
}

func tiles(t rapidTB, c *coverage.Layer, q coverage.TileQuery) (out []coverage.TileAddress) {
	t.Helper()
	for at, err := range c.Tiles(context.Background(), q) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, at)
	}
	return out
}

// rapidTB is what *testing.T and *rapid.T share.
type rapidTB interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
