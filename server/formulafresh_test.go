package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// formulaOf is a public layer that is made of others.
func formulaOf(name, text string, inputs ...rasterbase.FormulaInput) rasterbase.Layer {
	return rasterbase.Layer{Name: name, Visibility: rasterbase.Public, Formula: &rasterbase.LayerFormula{Text: text, Inputs: inputs}}
}

// called is an input of a formula.
func called(name string, l *rasterbase.Layer) rasterbase.FormulaInput {
	return rasterbase.FormulaInput{Name: name, Layer: l.ID}
}

// changing is a layer, a formula of it, and a formula of that, that are changed.
type changing struct {
	t                *testing.T
	st               store.Store
	legend           *rasterbase.Legend
	below, low, high *rasterbase.Layer
}

func newChanging(t *testing.T, st store.Store) *changing {
	t.Helper()
	c := &changing{t: t, st: st, legend: addLegend(t, st, "Wald.json", forest, water, town)}
	c.below = add(t, st, stripes("Land cover", nil))
	low := formulaOf("Low", "a", called("a", c.below))
	low.Legend = c.legend.ID
	c.low = create(t, st, low)
	high := formulaOf("High", "a", called("a", c.low))
	high.Legend = c.legend.ID
	c.high = create(t, st, high)
	return c
}

// parse publishes another revision of what is below, of one value.
func (c *changing) parse(value float64) {
	c.t.Helper()
	s := stripes("Land cover", nil)
	s.Value = testlayer.Constant(value)
	if _, err := testlayer.Publish(c.t.Context(), c.st, c.below.ID, s); err != nil {
		c.t.Fatal(err)
	}
}

// edit changes the row of a layer.
func (c *changing) edit(l *rasterbase.Layer, change func(*rasterbase.Layer)) {
	c.t.Helper()
	update(c.t, c.st, func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Layers().Get(ctx, l.ID)
		if err != nil {
			return err
		}
		change(now)
		return tx.Layers().Update(ctx, now)
	})
}

// formulaPaths are tiles of the formula layers, and of formulas in the request.
var formulaPaths = []string{
	"/tiles/low/6/33/22.png", "/tiles/high/6/33/22.png",
	"/algebra/6/33/22.png?layers=a=land-cover&formula=a&legend=Wald.json",
	"/algebra/6/33/22.png?layers=a=high&formula=a&legend=Wald.json",
	"/tiles/land-cover/6/33/22.png?formula=x&legend=Wald.json",
	"/tiles/high/6/33/22.png?formula=b1&legend=Wald.json",
}

// step is a change, and what each of formulaPaths shows after it.
type step struct {
	what   string
	change func()
	want   []string
}

// all is the same at each of formulaPaths.
func all(what any) []string {
	out := make([]string, len(formulaPaths))
	for i := range out {
		out[i] = fmt.Sprint(what)
	}
	return out
}

// steps are changes of all kinds, in the order in which they are made.
func (c *changing) steps() []step {
	f, w := fmt.Sprint(forest), fmt.Sprint(water)
	text := func(l *rasterbase.Layer, text string) func() {
		return func() { c.edit(l, func(l *rasterbase.Layer) { l.Formula.Text = text }) }
	}
	shown := func(l *rasterbase.Layer, v rasterbase.Visibility) func() {
		return func() { c.edit(l, func(l *rasterbase.Layer) { l.Visibility = v }) }
	}
	return []step{
		{"nothing", func() {}, all(f)},
		{"an input is parsed anew", func() { c.parse(2) }, all(w)},
		{"a formula", text(c.low, "a-1"), []string{f, f, w, f, w, f}},
		{"the formula above", text(c.high, "a+1"), []string{f, w, w, w, w, w}},
		{"the formula of before", text(c.low, "a"), []string{w, fmt.Sprint(town), w, fmt.Sprint(town), w, fmt.Sprint(town)}},
		{"and the one above", text(c.high, "a"), all(w)},
		{"a legend", func() {
			c.legend.Entries[1].Color = rasterbase.Color(town)
			update(c.t, c.st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Update(ctx, c.legend) })
		}, all(town)},
		{"another legend of the layer", func() {
			other := addLegend(c.t, c.st, "Other", town, forest)
			c.edit(c.low, func(l *rasterbase.Layer) { l.Legend = other.ID })
		}, append([]string{f}, all(town)[1:]...)},
		{"the legend of before", func() { c.edit(c.low, func(l *rasterbase.Layer) { l.Legend = c.legend.ID }) }, all(town)},
		{"an input becomes private", shown(c.below, rasterbase.Private), all(404)},
		{"it is shown again", shown(c.below, rasterbase.Public), all(town)},
		{"a formula below becomes private", shown(c.low, rasterbase.Private),
			[]string{"404", "404", fmt.Sprint(town), "404", fmt.Sprint(town), "404"}},
		{"that is shown again", shown(c.low, rasterbase.Public), all(town)},
	}
}

// show compares all tiles, and asks each once more with its tag.
func (s step) show(t *testing.T, h http.Handler, who string) {
	t.Helper()
	for i, path := range formulaPaths {
		if got := look(t, h, path); got != s.want[i] {
			t.Errorf("%s: %s of %s is %s, want %s", s.what, path, who, got, s.want[i])
		}
	}
}

// Tiles of formulas show a change in the very next request, with what is remembered
// and without; through another server on the same database from a second later on.
func TestFormulaShowsEveryChange(t *testing.T) {
	t.Parallel()
	for _, kind := range bothStores() {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			a, b := kind.open(t)
			c := newChanging(t, a)
			here, there := newServer(t, server.Config{Store: a}), newServer(t, server.Config{Store: b})
			bare := newServer(t, server.Config{Store: a, CacheTimeout: -1})
			for _, s := range c.steps() {
				knowing(t, a)
				knowing(t, b)
				for _, path := range formulaPaths { // so that it is remembered
					look(t, here, path)
					look(t, there, path)
				}
				s.change()
				s.show(t, here, "the next request")
				s.show(t, bare, "a server that remembers nothing")
				time.Sleep(time.Second)
				s.show(t, there, "another server a second later")
			}
		})
	}
}

// tagsOf are the tags of the tiles.
func tagsOf(t *testing.T, h http.Handler) []string {
	t.Helper()
	var out []string
	for _, path := range formulaPaths {
		w := get(t, h, path)
		wantStatus(t, w, 200)
		tag := w.Header().Get("ETag")
		wantStatus(t, get(t, h, path, "If-None-Match", tag), 304)
		out = append(out, tag)
	}
	return out
}

// The tag of a tile is the same as long as nothing changes that it is drawn from, in
// each server; and another one after a change.
func TestFormulaTags(t *testing.T) {
	st := newStore(t)
	c := newChanging(t, st)
	h := newServer(t, server.Config{Store: st})
	first := tagsOf(t, h)
	add(t, st, ramp("Beside")) // of which no formula knows
	for name, h := range map[string]http.Handler{
		"the same": h, "another": newServer(t, server.Config{Store: st}), "one without caches": newServer(t, server.Config{Store: st, CacheTimeout: -1}),
	} {
		if got := tagsOf(t, h); fmt.Sprint(got) != fmt.Sprint(first) {
			t.Errorf("the tags of %s server are %v, not %v", name, got, first)
		}
	}
	for what, change := range map[string]func(){
		"a parse": func() { c.parse(2) },
		"a legend": func() {
			c.legend.Entries[0].Color = rasterbase.Color(town)
			update(t, st, func(ctx context.Context, tx store.Tx) error { return tx.Legends().Update(ctx, c.legend) })
		},
	} {
		before := tagsOf(t, h)
		change()
		for i, tag := range tagsOf(t, h) {
			if tag == before[i] {
				t.Errorf("%s: the tag of %s is still %s", what, formulaPaths[i], tag)
			}
		}
	}
	before := tagsOf(t, h)
	c.edit(c.low, func(l *rasterbase.Layer) { l.Formula.Text = "a+0" })
	after := tagsOf(t, h)
	for i, changes := range []bool{true, true, false, true, false, true} {
		if (after[i] != before[i]) != changes {
			t.Errorf("another formula: the tag of %s changes: %v, want %v", formulaPaths[i], !changes, changes)
		}
	}
}

// A datatype that is given for a formula layer is that of its pictures: what is
// continuous has a range of colours, what is categorical has none.
func TestFormulaShowsItsDatatype(t *testing.T) {
	st := newStore(t)
	dem := add(t, st, ramp("dem"))
	l := create(t, st, formulaOf("Steps", "a", called("a", dem)))
	h := newServer(t, server.Config{Store: st})
	const path = "/tiles/steps/6/32/22.png"
	before := get(t, h, path)
	wantStatus(t, before, 200)
	for _, datatype := range []rasterbase.Datatype{rasterbase.Categorical, rasterbase.Continuous, rasterbase.Mask} {
		update(t, st, func(ctx context.Context, tx store.Tx) error {
			now, err := tx.Layers().Get(ctx, l.ID)
			if err != nil {
				return err
			}
			now.Settings.Datatype = datatype
			return tx.Layers().Update(ctx, now)
		})
		w := get(t, h, path)
		wantStatus(t, w, 200)
		if got := decode[struct{ Datatype rasterbase.Datatype }](t, get(t, h, "/layers/steps")).Datatype; got != datatype {
			t.Errorf("the layer is %s, not %s", got, datatype)
		}
		if w.Header().Get("ETag") == before.Header().Get("ETag") {
			t.Errorf("%s: the tag is that of before", datatype)
		}
		before = w
	}
}

// lossy is a store that drops the revision of a layer just before one of its tiles is
// read, once, when another has been published.
type lossy struct {
	frozen
	before func()
}

func (l *lossy) Tiles() store.Tiles { return lossyTiles{l.frozen.Tiles(), l} }

type lossyTiles struct {
	store.Tiles
	l *lossy
}

func (l lossyTiles) lose() {
	if before := l.l.before; before != nil {
		l.l.before = nil
		before()
	}
}

func (l lossyTiles) Get(ctx context.Context, key store.TileKey) (*raster.Raster, error) {
	l.lose()
	return l.Tiles.Get(ctx, key)
}

func (l lossyTiles) GetMany(ctx context.Context, keys []store.TileKey) ([]*raster.Raster, error) {
	l.lose()
	return l.Tiles.GetMany(ctx, keys)
}

// A revision that is dropped between opening a formula and reading it is opened again,
// though the catalog says that nothing changed.
func TestFormulaOfGoneTiles(t *testing.T) {
	for _, path := range formulaPaths {
		t.Run(path, func(t *testing.T) {
			st := newStore(t)
			c := newChanging(t, st)
			held := &lossy{frozen: frozen{st}}
			h := newServer(t, server.Config{Store: held})
			if got := look(t, h, path); got != fmt.Sprint(forest) {
				t.Fatalf("before: %s", got)
			}
			old := store.RevisionKey{Layer: c.below.ID, Revision: c.below.Published}
			held.before = func() {
				c.parse(2)
				if err := st.Tiles().Drop(t.Context(), old); err != nil {
					t.Error(err)
				}
			}
			for range 2 {
				if got := look(t, h, strings.Replace(path, "6/33/22", "6/34/22", 1)); got != fmt.Sprint(water) {
					t.Errorf("after the tiles were dropped: %s", got)
				}
			}
			if held.before != nil {
				t.Error("no tile was read")
			}
		})
	}
}
