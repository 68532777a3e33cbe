package move_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/move"
)

func TestMoveAndBack(t *testing.T) {
	for _, x := range backends {
		for _, y := range backends {
			t.Run(x.name+" to "+y.name, func(t *testing.T) {
				t.Parallel()
				a, b, c := x.open(t), y.open(t), x.open(t)
				fill(t, a)
				want := dump(t, a)
				there, err := move.Run(t.Context(), a, b, move.Options{})
				must(t, err)
				sameDump(t, "there", dump(t, b), want)
				back, err := move.Run(t.Context(), b, c, move.Options{Batch: 3, Workers: 2})
				must(t, err)
				sameDump(t, "back", dump(t, c), want)
				sameDump(t, "the source", dump(t, a), want)
				there.Took, back.Took = 0, 0
				if fmt.Sprint(*there) != fmt.Sprint(*back) {
					t.Errorf("the reports are\n%+v\n%+v", *there, *back)
				}
				checkReport(t, there, want)
			})
		}
	}
}

// checkReport compares a report with what was written down of the store.
func checkReport(t *testing.T, r *move.Report, dumped string) {
	t.Helper()
	lines := func(what string) int { return strings.Count("\n"+dumped, "\n"+what) }
	for what, n := range map[string]int{
		"user: ": r.Users, "token: ": r.Tokens, "legend: ": r.Legends, "semantics: ": r.Semantics, "colormap: ": r.Colormaps, "layer: ": r.Layers, "formula: ": r.Formulas, "revision: ": r.Layers - r.Formulas - r.Unpublished, "parse: ": r.Parses, "file ": r.Files,
		"tile: ": int(r.Tiles), "summaries: ": int(r.SummaryPages),
	} {
		if n != lines(what) || n == 0 {
			t.Errorf("the report counts %d %q, there are %d", n, what, lines(what))
		}
	}
	if r.TileBytes == 0 || r.FileBytes == 0 || r.Unpublished != 1 || r.AlreadyThere != 0 || len(r.Warnings) != 0 {
		t.Errorf("the report is %+v", *r)
	}
}

func TestIDsAreNotGivenAgain(t *testing.T) {
	for _, x := range backends {
		t.Run(x.name, func(t *testing.T) {
			a, b := x.open(t), x.open(t)
			fill(t, a)
			// The last of everything is deleted again.
			last := add(t, a, land("last"))
			addParse(t, a, last.ID, rasterbase.Finished, last.Published)
			leg := rasterbase.Legend{Title: "last", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "last"}}}}
			var parse rasterbase.ParseID
			update(t, a, func(tx store.Tx) error {
				p, err := tx.Parses().Latest(t.Context(), last.ID)
				must(t, err)
				parse = p.ID
				must(t, tx.Legends().Create(t.Context(), &leg))
				must(t, tx.Legends().Delete(t.Context(), leg.ID))
				must(t, tx.Semantics().Delete(t.Context(), leg.Entries[0].Semantics.ID))
				return tx.Layers().Delete(t.Context(), last.ID)
			})
			_, err := move.Run(t.Context(), a, b, move.Options{})
			must(t, err)
			next := add(t, b, land("next"))
			addParse(t, b, next.ID, rasterbase.Finished, next.Published)
			again := rasterbase.Legend{Title: "next", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "next"}}}}
			update(t, b, func(tx store.Tx) error {
				p, err := tx.Parses().Latest(t.Context(), next.ID)
				must(t, err)
				must(t, tx.Legends().Create(t.Context(), &again))
				if next.ID <= last.ID || next.Published <= last.Published || p.ID <= parse || again.ID <= leg.ID {
					t.Errorf("new at the destination: layer %d, revision %d, parse %d, legend %d; the source had given %d, %d, %d, %d",
						next.ID, next.Published, p.ID, again.ID, last.ID, last.Published, parse, leg.ID)
				}
				if got, given := again.Entries[0], leg.Entries[0]; got.ID <= given.ID || got.Semantics.ID <= given.Semantics.ID {
					t.Errorf("new at the destination: entry %d, semantics %d; the source had given %d, %d", got.ID, got.Semantics.ID, given.ID, given.Semantics.ID)
				}
				return nil
			})
		})
	}
}

func TestAnEmptyStoreIsMoved(t *testing.T) {
	b := openSQLite(t)
	r, err := move.Run(t.Context(), openSQLite(t), b, move.Options{})
	must(t, err)
	if r.Layers != 0 || r.Legends != 0 || r.Tiles != 0 {
		t.Errorf("the report is %+v", *r)
	}
	if l := add(t, b, land("first")); l.ID != 1 {
		t.Errorf("the first layer is %d", l.ID)
	}
}

func TestASourceThatIsBeingParsedIsRefused(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fill(t, a)
	l := add(t, a, land("Waits"))
	addParse(t, a, l.ID, rasterbase.Queued, 0)
	_, err := move.Run(t.Context(), a, b, move.Options{})
	wantConflict(t, err, fmt.Sprintf("layer %d (Waits) is queued", l.ID), fmt.Sprintf("layers cancel %d", l.ID))
	if got := dump(t, b); got != "" {
		t.Errorf("the destination has\n%s", got)
	}
}

func wantConflict(t *testing.T, err error, parts ...string) {
	t.Helper()
	if rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Fatalf("the error is %v", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error does not say %q: %v", p, err)
		}
	}
}

func TestADestinationWithOtherThingsIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, b store.Store)
		says    string
	}{
		"a layer of its own": {func(t *testing.T, b store.Store) { add(t, b, land("Theirs")) }, "layer 1 (Theirs), which is another layer"},
		"a layer more": {func(t *testing.T, b store.Store) {
			for range 40 {
				update(t, b, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), &rasterbase.Layer{Name: "x"}) })
			}
		}, "and 32 more"},
		"a legend of the same id": {func(t *testing.T, b store.Store) {
			update(t, b, func(tx store.Tx) error {
				return tx.Legends().Create(t.Context(), &rasterbase.Legend{ID: 2, Title: "Theirs"})
			})
		}, "legend 2 (Theirs), which is not as the source's"},
		"a legend of another id": {func(t *testing.T, b store.Store) {
			update(t, b, func(tx store.Tx) error {
				return tx.Legends().Create(t.Context(), &rasterbase.Legend{ID: 77, Title: "Theirs"})
			})
		}, "legend 77 (Theirs), which the source has not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := openSQLite(t), openSQLite(t)
			fill(t, a)
			c.prepare(t, b)
			before := dump(t, b)
			_, err := move.Run(t.Context(), a, b, move.Options{})
			wantConflict(t, err, "the destination has", c.says, "name an empty store")
			sameDump(t, "the destination", dump(t, b), before)
		})
	}
}

func TestAMovedStoreThatWasChangedThereIsRefused(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fill(t, a)
	_, err := move.Run(t.Context(), a, b, move.Options{})
	must(t, err)
	spec := land("")
	spec.Value = testlayer.Constant(3)
	_, err = testlayer.Publish(t.Context(), b, 1, spec)
	must(t, err)
	_, err = move.Run(t.Context(), a, b, move.Options{})
	wantConflict(t, err, "layer 1 (Land cover)", "the destination has parsed the layer since it was moved")

	update(t, b, func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), 1)
		must(t, err)
		l.Description = "theirs"
		return tx.Layers().Update(t.Context(), l)
	})
	_, err = move.Run(t.Context(), a, b, move.Options{})
	wantConflict(t, err, "layer 1 (Land cover), whose description was changed there")
}

func TestASourceWithoutItsFileIsMoved(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fill(t, a)
	var source string
	view(t, a, func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), 1)
		source = l.Source.ID
		return err
	})
	must(t, a.Sources().Delete(t.Context(), source))
	for range 2 {
		r, err := move.Run(t.Context(), a, b, move.Options{})
		must(t, err)
		if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "layer 1 (Land cover)") || r.Files != 1 {
			t.Errorf("the report is %+v", *r)
		}
	}
}

func TestProgressCountsEveryTileOfEveryLayer(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fill(t, a)
	done := map[move.Stage]int64{}
	var last move.Progress
	r, err := move.Run(t.Context(), a, b, move.Options{Batch: 2, Progress: func(p move.Progress) {
		if p.Stage == last.Stage && p.Number == last.Number && p.Done < last.Done || p.Number < last.Number || p.Number > p.Of || p.Done > p.Planned {
			t.Errorf("%+v came after %+v", p, last)
		}
		if p.Stage == last.Stage && p.Number == last.Number {
			done[p.Stage] -= last.Done
		}
		done[p.Stage] += p.Done
		last = p
	}})
	must(t, err)
	if done[move.Tiles] != r.Tiles || done[move.Comparing] != r.Tiles || done[move.Files] != r.FileBytes {
		t.Errorf("progress told %v, the report is %+v", done, *r)
	}
}

// A slug that was made unique by a number is kept, however long it is.
func TestALongSlugIsKept(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	long := strings.Repeat("a", 90)
	first, second := rasterbase.Layer{Name: long}, rasterbase.Layer{Name: long}
	update(t, a, func(tx store.Tx) error {
		return errors.Join(tx.Layers().Create(t.Context(), &first), tx.Layers().Create(t.Context(), &second),
			tx.Layers().Delete(t.Context(), first.ID))
	})
	for range 2 {
		r, err := move.Run(t.Context(), a, b, move.Options{})
		must(t, err)
		if len(r.Warnings) != 0 || r.Layers != 1 {
			t.Errorf("the report is %+v", *r)
		}
	}
	must(t, b.Catalog().View(t.Context(), func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), second.ID)
		if err == nil && l.Slug != second.Slug {
			t.Errorf("the slug is %q, not %q", l.Slug, second.Slug)
		}
		return err
	}))
}

// sized notes the batches that are put.
type sized struct {
	store.Store
	mu            sync.Mutex
	tiles, pixels int // of the largest batch
}

func (s *sized) Tiles() store.Tiles { return sizedTiles{s.Store.Tiles(), s} }

type sizedTiles struct {
	store.Tiles
	s *sized
}

func (p sizedTiles) Put(ctx context.Context, tiles []store.Tile) error {
	n := 0
	for _, t := range tiles {
		n += t.Raster.Width * t.Raster.Height * len(t.Raster.Bands)
	}
	p.s.mu.Lock()
	p.s.tiles, p.s.pixels = max(p.s.tiles, len(tiles)), max(p.s.pixels, n)
	p.s.mu.Unlock()
	return p.Tiles.Put(ctx, tiles)
}

func TestBatchesAreBounded(t *testing.T) {
	a := openSQLite(t)
	add(t, a, testlayer.Spec{Layer: rasterbase.Layer{Name: "Large tiles"}, Datatype: rasterbase.Continuous, NoPyramid: true,
		Bands: bands(4, rasterbase.Float64, rasterbase.FloatPtr(-1)), TileSize: 512, MaxZoom: 1, Width: 1024, Height: 600, Value: testlayer.Constant(2)})
	add(t, a, land("Small tiles"))
	for _, batch := range []int{1, 100} {
		b := &sized{Store: openSQLite(t)}
		_, err := move.Run(t.Context(), a, b, move.Options{Batch: batch})
		must(t, err)
		// A tile of the first layer has 8 MiB, and a batch ends with 16 MiB.
		if most := min(batch, 9); b.tiles != most || b.pixels > 3<<20 {
			t.Errorf("batches of %d are of %d tiles and %d pixels", batch, b.tiles, b.pixels)
		}
	}
}
