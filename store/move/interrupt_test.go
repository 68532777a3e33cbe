package move_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/move"
)

var errKilled = errors.New("killed")

// mortal is a store whose writer dies at the n-th write: before it is made, or
// after it was but before it is told. Nothing is written from then on.
type mortal struct {
	store.Store
	left  atomic.Int64
	after bool
	dead  atomic.Bool
	puts  atomic.Int64 // of tiles, that were made
}

func kill(s store.Store, n int64, after bool) *mortal {
	m := &mortal{Store: s, after: after}
	m.left.Store(n)
	return m
}

func (m *mortal) write(do func() error) error {
	last := m.left.Add(-1) == 0
	if m.dead.Load() {
		return errKilled
	}
	if last {
		m.dead.Store(true)
		if !m.after {
			return errKilled
		}
	}
	err := do()
	if last {
		return errKilled
	}
	return err
}

func (m *mortal) Catalog() store.Catalog { return mortalCatalog{m.Store.Catalog(), m} }
func (m *mortal) Tiles() store.Tiles     { return mortalTiles{m.Store.Tiles(), m} }
func (m *mortal) Sources() store.Sources { return mortalSources{m.Store.Sources(), m} }

type mortalCatalog struct {
	store.Catalog
	m *mortal
}

func (c mortalCatalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.m.write(func() error { return c.Catalog.Update(ctx, fn) })
}

type mortalTiles struct {
	store.Tiles
	m *mortal
}

func (t mortalTiles) Create(ctx context.Context, r *rasterbase.Revision) error {
	return t.m.write(func() error { return t.Tiles.Create(ctx, r) })
}

func (t mortalTiles) Put(ctx context.Context, tiles []store.Tile) error {
	return t.m.write(func() error { t.m.puts.Add(1); return t.Tiles.Put(ctx, tiles) })
}

func (t mortalTiles) Seal(ctx context.Context, k store.RevisionKey) error {
	return t.m.write(func() error { return t.Tiles.Seal(ctx, k) })
}

func (t mortalTiles) Drop(ctx context.Context, k store.RevisionKey) error {
	return t.m.write(func() error { return t.Tiles.Drop(ctx, k) })
}

type mortalSources struct {
	store.Sources
	m *mortal
}

func (s mortalSources) Create(ctx context.Context) (id string, err error) {
	err = s.m.write(func() error { id, err = s.Sources.Create(ctx); return err })
	return id, err
}

func (s mortalSources) Put(ctx context.Context, id, name string, r io.Reader) (n int64, err error) {
	err = s.m.write(func() error { n, err = s.Sources.Put(ctx, id, name, r); return err })
	return n, err
}

// fillSmall puts two layers, one with files and a legend, into a store.
func fillSmall(t *testing.T, s store.Store) {
	t.Helper()
	addUsers(t, s)
	spec := land("Land cover")
	spec.Layer.Legend, spec.Layer.Source = addLegends(t, s), addSource(t, s, "a.tif", "a.tif", "a.tif.aux.xml")
	l := add(t, s, spec)
	addParse(t, s, l.ID, rasterbase.Finished, l.Published, "one", "two")
	gone := add(t, s, land("gone"))
	update(t, s, func(tx store.Tx) error { return tx.Layers().Delete(t.Context(), gone.ID) })
	add(t, s, testlayer.Spec{Layer: rasterbase.Layer{Name: "Small"}, Datatype: rasterbase.Continuous,
		Bands: bands(1, rasterbase.Int16, rasterbase.FloatPtr(-1)), TileSize: 64, MaxZoom: 1, Width: 10, Height: 10, Value: waves})
}

// TestAMoveGoesOnWhereverItWasKilled kills a move at each of its writes, or at
// some where new stores take long to make.
func TestAMoveGoesOnWhereverItWasKilled(t *testing.T) {
	for _, x := range backends {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, told %v", x.name, !after), func(t *testing.T) {
				t.Parallel()
				a := openSQLite(t)
				fillSmall(t, a)
				want := dump(t, a)
				o := move.Options{Batch: 10, Workers: 1}
				step := x.step
				if after {
					step *= 3
				}
				for n := int64(1); ; n += step {
					b := x.open(t)
					first := kill(b, n, after)
					_, err := move.Run(t.Context(), a, first, o)
					if err == nil {
						if n < 20 {
							t.Errorf("a move makes only %d writes", n)
						}
						return
					}
					if !errors.Is(err, errKilled) {
						t.Fatalf("killed at write %d: %v", n, err)
					}
					_, err = move.Run(t.Context(), a, b, o)
					if err != nil {
						t.Fatalf("after it was killed at write %d: %v", n, err)
					}
					sameDump(t, fmt.Sprintf("killed at write %d", n), dump(t, b), want)
					nothingLeft(t, b)
				}
			})
		}
	}
}

// nothingLeft tells whether a store has revisions or tiles that are not those
// of a published layer, and sources with files that belong to none.
func nothingLeft(t *testing.T, s store.Store) {
	t.Helper()
	published, sources := map[rasterbase.RevisionID]bool{}, map[string]bool{}
	view(t, s, func(tx store.Tx) error {
		layers, _, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		must(t, err)
		for _, l := range layers {
			published[l.Published], sources[l.Source.ID] = true, true
		}
		revisions, err := tx.Revisions().List(t.Context(), 0)
		must(t, err)
		for _, r := range revisions {
			if !published[r.ID] {
				t.Errorf("revision %d was left", r.ID)
			}
		}
		return nil
	})
	tiles, err := s.Tiles().Revisions(t.Context())
	must(t, err)
	for _, k := range tiles {
		if !published[k.Revision] {
			t.Errorf("the tiles of revision %d were left", k.Revision)
		}
	}
	list, err := s.Sources().List(t.Context())
	must(t, err)
	for _, l := range list {
		files, err := s.Sources().Files(t.Context(), l.ID)
		must(t, err)
		if !sources[l.ID] && len(files) > 0 {
			t.Errorf("source %s was left with %q", l.ID, files)
		}
	}
}

func TestWhatWasMovedIsNotMovedAgain(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fill(t, a)
	want := dump(t, a)
	whole := kill(openSQLite(t), math.MaxInt64, false)
	_, err := move.Run(t.Context(), a, whole, move.Options{Batch: 5})
	must(t, err)

	// The first layer arrives, the next ones do not.
	_, err = move.Run(t.Context(), a, failingTiles{b, 2}, move.Options{Batch: 5})
	if !errors.Is(err, errKilled) {
		t.Fatalf("the error is %v", err)
	}
	rest := kill(b, math.MaxInt64, false)
	r, err := move.Run(t.Context(), a, rest, move.Options{Batch: 5})
	must(t, err)
	sameDump(t, "the destination", dump(t, b), want)
	if r.AlreadyThere != 1 || rest.puts.Load() == 0 || rest.puts.Load() >= whole.puts.Load() {
		t.Errorf("%d layers were there, %d batches of %d were written again", r.AlreadyThere, rest.puts.Load(), whole.puts.Load())
	}
	checkReport(t, &move.Report{Users: r.Users, Tokens: r.Tokens, Legends: r.Legends, Semantics: r.Semantics, Colormaps: r.Colormaps, Layers: r.Layers, Formulas: r.Formulas, Unpublished: r.Unpublished, Parses: r.Parses, Files: r.Files,
		FileBytes: r.FileBytes, SummaryPages: r.SummaryPages, Tiles: r.Tiles, TileBytes: r.TileBytes}, want)
	nothingLeft(t, b)
}

// failingTiles fails to store tiles of layers from an id on.
type failingTiles struct {
	store.Store
	from rasterbase.LayerID
}

func (s failingTiles) Tiles() store.Tiles { return failingPut{s.Store.Tiles(), s.from} }

type failingPut struct {
	store.Tiles
	from rasterbase.LayerID
}

func (f failingPut) Put(ctx context.Context, tiles []store.Tile) error {
	if tiles[0].Layer >= f.from {
		return errKilled
	}
	return f.Tiles.Put(ctx, tiles)
}

func TestACancelledMoveEndsAndGoesOn(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fill(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := move.Run(ctx, a, b, move.Options{Batch: 1, Progress: func(p move.Progress) {
		if p.Number == 2 && p.Stage == move.Tiles {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
	_, err = move.Run(t.Context(), a, b, move.Options{})
	must(t, err)
	sameDump(t, "the destination", dump(t, b), dump(t, a))
	nothingLeft(t, b)
}

// busy is a source in which something happens when the n-th tile is read.
type busy struct {
	store.Store
	at  int64
	n   atomic.Int64
	act func()
}

func (s *busy) Tiles() store.Tiles { return busyTiles{s.Store.Tiles(), s} }

type busyTiles struct {
	store.Tiles
	s *busy
}

func (b busyTiles) List(ctx context.Context, p store.ListParams) iter.Seq2[store.Tile, error] {
	return func(yield func(store.Tile, error) bool) {
		for tile, err := range b.Tiles.List(ctx, p) {
			if b.s.n.Add(1) == b.s.at {
				b.s.act()
			}
			if !yield(tile, err) {
				return
			}
		}
		// What was dropped meanwhile is told at the latest in the end.
		if _, err := b.Bytes(ctx, p.RevisionKey); err != nil {
			yield(store.Tile{}, err)
		}
	}
}

func TestALayerThatIsParsedAnewMeanwhileIsMovedInItsNewRevision(t *testing.T) {
	for _, at := range []int64{1, 15, 30} { // while copied and while compared
		t.Run(fmt.Sprintf("tile %d", at), func(t *testing.T) {
			t.Parallel()
			a, b := openSQLite(t), openSQLite(t)
			fillSmall(t, a)
			source := &busy{Store: a, at: at, act: func() { republish(t, a, 1) }}
			r, err := move.Run(t.Context(), source, b, move.Options{Batch: 3})
			must(t, err)
			sameDump(t, "the destination", dump(t, b), dump(t, a))
			nothingLeft(t, b)
			if source.n.Load() < at || len(r.Warnings) != 0 {
				t.Errorf("%d tiles were read; the report is %+v", source.n.Load(), *r)
			}
		})
	}
}

// republish parses a layer again and drops what was there.
func republish(t *testing.T, s store.Store, id rasterbase.LayerID) {
	var old rasterbase.RevisionID
	view(t, s, func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), id)
		old = l.Published
		return err
	})
	spec := land("")
	spec.Value = func(_, x, y int) (float64, bool) { return float64(x % 5), y%4 > 0 }
	_, err := testlayer.Publish(t.Context(), s, id, spec)
	must(t, err)
	must(t, s.Tiles().Drop(t.Context(), store.RevisionKey{Layer: id, Revision: old}))
	update(t, s, func(tx store.Tx) error { return tx.Revisions().Delete(t.Context(), old) })
}

func TestWhatChangesAtTheSourceMeanwhileIsToldAndBroughtOver(t *testing.T) {
	edit := func(t *testing.T, a store.Store, id rasterbase.LayerID, change func(*rasterbase.Layer)) {
		update(t, a, func(tx store.Tx) error {
			l, err := tx.Layers().Get(t.Context(), id)
			must(t, err)
			change(l)
			return tx.Layers().Update(t.Context(), l)
		})
	}
	for name, c := range map[string]struct {
		act  func(t *testing.T, a store.Store)
		says string
	}{
		"a new layer": {func(t *testing.T, a store.Store) { add(t, a, land("New")) }, "layer 4 (New) is new"},
		"a layer's description": {func(t *testing.T, a store.Store) {
			edit(t, a, 1, func(l *rasterbase.Layer) { l.Description = "new" })
		}, "the description of layer 1 (Land cover) is another"},
		"a layer's legend": {func(t *testing.T, a store.Store) {
			edit(t, a, 1, func(l *rasterbase.Layer) { l.Legend = 3 })
		}, "the legend of layer 1 (Land cover) is another"},
		"a layer's legend, which is new": {func(t *testing.T, a store.Store) {
			l := rasterbase.Legend{Title: "New"}
			update(t, a, func(tx store.Tx) error { return tx.Legends().Create(t.Context(), &l) })
			edit(t, a, 3, func(to *rasterbase.Layer) { to.Legend = l.ID })
		}, "the legend of layer 3 (Small) is another"},
		"a legend": {func(t *testing.T, a store.Store) {
			update(t, a, func(tx store.Tx) error {
				l, err := tx.Legends().Get(t.Context(), 2)
				must(t, err)
				l.Entries = append(l.Entries, rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "New"}, Expression: "9"})
				return tx.Legends().Update(t.Context(), l)
			})
		}, "legend 2 (Größen) is new or another"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := openSQLite(t), openSQLite(t)
			fillSmall(t, a)
			acted := false
			_, err := move.Run(t.Context(), a, b, move.Options{Progress: func(p move.Progress) {
				if p.Stage == move.Tiles && !acted {
					acted = true
					c.act(t, a)
				}
			}})
			wantConflict(t, err, "the source was changed while it was moved", c.says, "run the move again")
			_, err = move.Run(t.Context(), a, b, move.Options{})
			must(t, err)
			sameDump(t, "the destination", withoutTimes(dump(t, b)), withoutTimes(dump(t, a)))
			nothingLeft(t, b)
		})
	}
}

func TestALayerThatIsParsedAnewAfterItWasMovedIsBroughtOver(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fillSmall(t, a)
	acted := false
	_, err := move.Run(t.Context(), a, b, move.Options{Progress: func(p move.Progress) {
		if p.Number == 2 && !acted {
			acted = true
			republish(t, a, 1)
		}
	}})
	wantConflict(t, err, "layer 1 (Land cover) was parsed again", "run the move again")
	_, err = move.Run(t.Context(), a, b, move.Options{})
	must(t, err)
	sameDump(t, "the destination", dump(t, b), dump(t, a))
	nothingLeft(t, b)

	// A parse that has begun is told of as well.
	acted = false
	_, err = move.Run(t.Context(), a, b, move.Options{Progress: func(move.Progress) {
		if !acted {
			acted = true
			addParse(t, a, 1, rasterbase.Tiling, 0)
		}
	}})
	wantConflict(t, err, "layer 1 (Land cover) is creating tiles")
}

func TestALayerThatIsDeletedMeanwhileIsToldOf(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fillSmall(t, a)
	acted := false
	_, err := move.Run(t.Context(), a, b, move.Options{Progress: func(p move.Progress) {
		if p.Number == 2 && !acted {
			acted = true
			update(t, a, func(tx store.Tx) error { return tx.Layers().Delete(t.Context(), p.Layer.ID) })
		}
	}})
	wantConflict(t, err, "the source was changed while it was moved", "layer 3", "delete the layer at the destination too")
	_, err = move.Run(t.Context(), a, b, move.Options{})
	wantConflict(t, err, "layer 3 (Small), which the source has not")
	update(t, b, func(tx store.Tx) error { return tx.Layers().Delete(t.Context(), 3) })
	_, err = move.Run(t.Context(), a, b, move.Options{})
	must(t, err)
}

// withoutTimes leaves out when a layer or legend was changed last, which is
// the time of the second move for one that it changed.
func withoutTimes(dump string) string {
	var out strings.Builder
	for line := range strings.Lines(dump) {
		before, _, _ := strings.Cut(line, "Updated:")
		out.WriteString(strings.TrimSuffix(before, "\n") + "\n")
	}
	return out.String()
}

// A server at the destination takes unfinished revisions away.
func TestARevisionThatTheDestinationDropsIsToldAndMovedUnderANewID(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fillSmall(t, a)
	var taken store.RevisionKey
	_, err := move.Run(t.Context(), a, b, move.Options{Progress: func(p move.Progress) {
		if p.Stage != move.Tiles || p.Done == 0 || taken.Layer != 0 {
			return
		}
		list, err := b.Tiles().Revisions(t.Context())
		must(t, err)
		taken = list[0]
		update(t, b, func(tx store.Tx) error { return tx.Revisions().Retire(t.Context(), taken.Revision) })
		must(t, b.Tiles().Drop(t.Context(), taken))
		update(t, b, func(tx store.Tx) error { return tx.Revisions().Delete(t.Context(), taken.Revision) })
	}})
	wantConflict(t, err, "the destination dropped revision 1", "stop the servers and workers")
	for i := range 2 {
		r, err := move.Run(t.Context(), a, b, move.Options{})
		must(t, err)
		if len(r.Warnings) != 1-i || r.AlreadyThere != 2*i {
			t.Errorf("the report of run %d is %+v", i, *r)
		}
	}
	nothingLeft(t, b)
	view(t, b, func(tx store.Tx) error {
		l, err := tx.Layers().Get(t.Context(), taken.Layer)
		if l.Published <= 3 {
			t.Errorf("revision %d of the destination is one of the source's", l.Published)
		}
		return err
	})
}
