package move_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/move"
)

// Legends of fill: 2 and 4 share entry 3, 5 has a gradient; the semantics are 1
// without a name, 2 Earth, 3 Water and 4 Unused.

func editLegend(t *testing.T, s store.Store, id rasterbase.LegendID, change func(*rasterbase.Legend)) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		l, err := tx.Legends().Get(t.Context(), id)
		must(t, err)
		change(l)
		return tx.Legends().Update(t.Context(), l)
	})
}

func editSemantics(t *testing.T, s store.Store, id rasterbase.SemanticsID, change func(*rasterbase.Semantics)) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		m, err := tx.Semantics().Get(t.Context(), id)
		must(t, err)
		change(&m.Semantics)
		return tx.Semantics().Update(t.Context(), &m.Semantics)
	})
}

func putColormap(t *testing.T, s store.Store, owner, name, json string) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		return tx.Colormaps().Put(t.Context(), &rasterbase.UserColormap{Owner: owner, Name: name, JSON: []byte(json)})
	})
}

func dropColormap(t *testing.T, s store.Store, owner, name string) {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Colormaps().Delete(t.Context(), owner, name) })
}

func TestWhatChangesOfLegendsMeanwhileIsToldAndBroughtOver(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(t *testing.T, a store.Store)
		says string
		both bool // to either backend
	}{
		"a shared entry": {func(t *testing.T, a store.Store) {
			editLegend(t, a, 4, func(l *rasterbase.Legend) { l.Entries[0].Expression, l.Entries[0].Color.R = "8", 1 })
		}, "legend 2 (Größen) is new or another, legend 4 (Two) is new or another", true},
		"a code": {func(t *testing.T, a store.Store) {
			editLegend(t, a, 4, func(l *rasterbase.Legend) { l.Entries[0].Code = "new" })
		}, "legend 4 (Two) is new or another", false},
		"an entry for another one": {func(t *testing.T, a store.Store) {
			editLegend(t, a, 2, func(l *rasterbase.Legend) { l.Entries[1].ID = 0 })
		}, "legend 2 (Größen) is new or another", false},
		"an entry that goes to another legend": {func(t *testing.T, a store.Store) {
			var moved rasterbase.Entry
			editLegend(t, a, 2, func(l *rasterbase.Legend) { moved = l.Entries[0] })
			editLegend(t, a, 4, func(l *rasterbase.Legend) { l.Entries = append(l.Entries, moved) })
			editLegend(t, a, 2, func(l *rasterbase.Legend) { l.Entries = l.Entries[1:] })
		}, "legend 2 (Größen) is new or another", false},
		"a gradient": {func(t *testing.T, a store.Store) {
			editLegend(t, a, 5, func(l *rasterbase.Legend) { *l.Gradient.Min = 0 })
		}, "legend 5 (Gradient) is new or another", false},
		"a gradient instead of entries": {func(t *testing.T, a store.Store) {
			editLegend(t, a, 4, func(l *rasterbase.Legend) { l.Entries, l.Gradient = nil, &rasterbase.Gradient{Colormap: "viridis"} })
		}, "legend 4 (Two) is new or another", false},
		"names of semantics": {func(t *testing.T, a store.Store) {
			editSemantics(t, a, 2, func(m *rasterbase.Semantics) { m.Name = "Soil" })
			editSemantics(t, a, 3, func(m *rasterbase.Semantics) { m.Name = "Earth" })
			editSemantics(t, a, 4, func(m *rasterbase.Semantics) { m.Name = "Water" })
			editSemantics(t, a, 2, func(m *rasterbase.Semantics) { m.Name = "Unused" })
		}, "semantics 4 (Water) is new or another", true},
		"a semantics without a legend": {func(t *testing.T, a store.Store) {
			editSemantics(t, a, 4, func(m *rasterbase.Semantics) { m.Keyword = "v" })
		}, "semantics 4 (Unused) is new or another", false},
		"a new semantics": {func(t *testing.T, a store.Store) {
			update(t, a, func(tx store.Tx) error { return tx.Semantics().Create(t.Context(), &rasterbase.Semantics{Name: "New"}) })
		}, "semantics 5 (New) is new or another", false},
		"a colormap": {func(t *testing.T, a store.Store) { putColormap(t, a, "bob", "GRÖßE", "{}") },
			`the colormap "GRÖßE" of bob is new or another`, false},
		"a new colormap": {func(t *testing.T, a store.Store) { putColormap(t, a, "bob", "new", "{}") },
			`the colormap "new" of bob is new or another`, false},
		"a user's name": {func(t *testing.T, a store.Store) {
			update(t, a, func(tx store.Tx) error {
				return tx.Users().Update(t.Context(), &rasterbase.User{ID: 3, Name: "Robert", Role: rasterbase.Viewer})
			})
		}, `the colormap "Größe" of Robert is new or another`, true},
	} {
		for _, y := range backends {
			if y.name != "sqlite" && !c.both {
				continue
			}
			t.Run(name+", "+y.name, func(t *testing.T) {
				t.Parallel()
				a, b := openSQLite(t), y.open(t)
				fillSmall(t, a)
				time.Sleep(time.Millisecond) // what is changed has another time
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
			})
		}
	}
}

func TestADestinationWithOtherStylesIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(tx store.Tx) error
		says    string
	}{
		"a semantics of the same id": {func(tx store.Tx) error {
			return tx.Semantics().Create(t.Context(), &rasterbase.Semantics{ID: 3, Name: "Theirs"})
		}, "semantics 3 (Theirs), which is not as the source's"},
		"a semantics of the same name": {func(tx store.Tx) error {
			return tx.Semantics().Create(t.Context(), &rasterbase.Semantics{ID: 70, Name: "Water"})
		}, "semantics 70 (Water), which the source has not"},
		"a colormap more": {func(tx store.Tx) error {
			return tx.Colormaps().Put(t.Context(), &rasterbase.UserColormap{Owner: "bob", Name: "other"})
		}, `the colormap "other" of bob, which the source has not`},
		"a newer colormap": {func(tx store.Tx) error {
			return tx.Colormaps().Put(t.Context(), &rasterbase.UserColormap{Owner: "bob", Name: "Größe", Updated: time.Now().Add(time.Hour)})
		}, `the colormap "Größe" of bob, which was changed there`},
		"an entry of the same id": {func(tx store.Tx) error {
			return tx.Legends().Create(t.Context(), &rasterbase.Legend{ID: 2, Title: "Größen", Entries: []rasterbase.Entry{
				{ID: 3, Semantics: rasterbase.Semantics{ID: 3, Name: "Water", Description: "wet", Keyword: "h2o"}}}})
		}, "legend 2 (Größen), which is not as the source's"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := openSQLite(t), openSQLite(t)
			fillSmall(t, a)
			update(t, b, c.prepare)
			before := dump(t, b)
			_, err := move.Run(t.Context(), a, b, move.Options{})
			wantConflict(t, err, "the destination has", c.says)
			sameDump(t, "the destination", dump(t, b), before)
		})
	}
}

// What people keep at the destination stays there, whether it was moved once or
// made there since, and is told.
func TestColormapsThatTheDestinationAloneHasStay(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fillSmall(t, a)
	_, err := move.Run(t.Context(), a, b, move.Options{})
	must(t, err)
	dropColormap(t, a, "bob", "größe")
	putColormap(t, a, "bob", "from there", "{}")
	putColormap(t, b, "bob", "own", `{"1": "red"}`)
	before := colormapsOf(t, b)
	for range 2 {
		r, err := move.Run(t.Context(), a, b, move.Options{})
		must(t, err)
		want := []string{
			`the colormap "Größe" of bob was left at the destination: the source has it not`,
			`the colormap "own" of bob was left at the destination: the source has it not`,
		}
		if !slices.Equal(r.Warnings, want) || r.Colormaps != len(before)+1 {
			t.Errorf("the report is %+v", *r)
		}
		after := colormapsOf(t, b)
		for key, json := range before {
			if after[key] != json {
				t.Errorf("%s is %q, and was %q", key, after[key], json)
			}
		}
		if after["bob from there"] != "{}" {
			t.Errorf("%v", after)
		}
	}
}

// colormapsOf are the colormaps by owner and name.
func colormapsOf(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	view(t, s, func(tx store.Tx) error {
		all, err := tx.Colormaps().List(t.Context(), "")
		clear(out)
		for _, m := range all {
			out[m.Owner+" "+m.Name] = string(m.JSON)
		}
		return err
	})
	return out
}

// bentLegends stores something else than it is given.
type bentLegends struct {
	store.Legends
	bend func(*rasterbase.Legend)
}

func (l bentLegends) Create(ctx context.Context, n *rasterbase.Legend) error {
	l.bend(n)
	return l.Legends.Create(ctx, n)
}

// forEntry changes the last entry of a legend, if it has entries.
func forEntry(l *rasterbase.Legend, change func(*rasterbase.Entry)) {
	if n := len(l.Entries); n > 0 && l.ID != 0 {
		change(&l.Entries[n-1])
	}
}

// bentStyles is a store with such legends.
type bentStyles struct {
	store.Store
	bend func(*rasterbase.Legend)
}

func (s bentStyles) Catalog() store.Catalog { return bentStylesCatalog{s.Store.Catalog(), s.bend} }

type bentStylesCatalog struct {
	store.Catalog
	bend func(*rasterbase.Legend)
}

func (c bentStylesCatalog) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.Catalog.Update(ctx, func(tx store.Tx) error { return fn(bentStylesTx{tx, c.bend}) })
}

type bentStylesTx struct {
	store.Tx
	bend func(*rasterbase.Legend)
}

func (x bentStylesTx) Legends() store.Legends { return bentLegends{x.Tx.Legends(), x.bend} }

func TestDifferencesOfLegendsAreFound(t *testing.T) {
	for name, bend := range map[string]func(*rasterbase.Legend){
		"a code":        func(l *rasterbase.Legend) { forEntry(l, func(e *rasterbase.Entry) { e.Code += "x" }) },
		"a color":       func(l *rasterbase.Legend) { forEntry(l, func(e *rasterbase.Entry) { e.Color.A++ }) },
		"an entry's id": func(l *rasterbase.Legend) { forEntry(l, func(e *rasterbase.Entry) { e.ID += 10 }) },
		"a stop": func(l *rasterbase.Legend) {
			if l.Gradient != nil {
				g := *l.Gradient
				g.Stops = append(g.Stops[:1:1], rasterbase.Stop{At: 2})
				l.Gradient = &g
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := openSQLite(t), openSQLite(t)
			fillSmall(t, a)
			_, err := move.Run(t.Context(), a, bentStyles{b, bend}, move.Options{})
			wantConflict(t, err, "is new or another")
			if errors.Is(err, move.ErrDiffers) {
				t.Error("a tile differs")
			}
		})
	}
}
