package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func putLegend(t *testing.T, s store.Store, l *rasterbase.Legend) {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Legends().Update(t.Context(), l) })
}

func tryPutLegend(t *testing.T, s store.Store, l *rasterbase.Legend) error {
	t.Helper()
	return s.Catalog().Update(t.Context(), func(tx store.Tx) error { return tx.Legends().Update(t.Context(), l) })
}

// entry is an entry with a semantics of the same name.
func entry(name, expression string) rasterbase.Entry {
	return rasterbase.Entry{Semantics: rasterbase.Semantics{Name: name}, Expression: expression, Color: rasterbase.Color{R: 1, G: 2, B: 3, A: 4}}
}

// wantStored compares what a legend reads as with what was stored.
func wantStored(t *testing.T, s store.Store, l *rasterbase.Legend) {
	t.Helper()
	got := legend(t, s, l.ID)
	wantDeepEqual(t, "the entries of "+l.Title, got.Entries, l.Entries)
	wantDeepEqual(t, "the gradient of "+l.Title, pointee(got.Gradient), pointee(l.Gradient))
	byTitle := get(t, s, func(tx store.Tx) (*rasterbase.Legend, error) { return tx.Legends().FindTitle(t.Context(), l.Title) })
	wantDeepEqual(t, l.Title+" by its title", byTitle.Entries, l.Entries)
	list := get(t, s, func(tx store.Tx) ([]*rasterbase.Legend, error) { return tx.Legends().List(t.Context()) })
	i := slices.IndexFunc(list, func(in *rasterbase.Legend) bool { return in.ID == l.ID })
	if i < 0 {
		t.Fatalf("%s is not among the legends", l.Title)
	}
	wantDeepEqual(t, "the entries of "+l.Title+" among all", list[i].Entries, l.Entries)
	wantDeepEqual(t, "the gradient of "+l.Title+" among all", pointee(list[i].Gradient), pointee(l.Gradient))
}

// pointee prints a gradient with what its pointers show.
func pointee(g *rasterbase.Gradient) string {
	if g == nil {
		return "none"
	}
	n := *g
	n.Min, n.Max = nil, nil
	text := fmt.Sprintf("%#v", n)
	for _, p := range []*float64{g.Min, g.Max} {
		if p == nil {
			text += " none"
		} else {
			text += fmt.Sprintf(" %v", *p)
		}
	}
	return text
}

// sharedEntries: an entry stands in several legends, with a code and a place in
// each; what is changed of it in one shows in all.
func sharedEntries(t *testing.T, s store.Store) {
	a := addLegend(t, s, "a", entry("water", "1"), entry("ice", "2"), entry("water", "3"))
	for i, e := range a.Entries {
		if e.ID == 0 || i > 0 && e.ID <= a.Entries[i-1].ID {
			t.Errorf("entry %d has the id %d", i, e.ID)
		}
	}
	ice, last := a.Entries[1], a.Entries[2]
	ice.Code, last.Code = "7", "x"
	b := addLegend(t, s, "b", last, entry("rock", "4"), ice)
	wantStored(t, s, a)
	wantStored(t, s, b)
	wantEqual(t, "the shared entry's id", b.Entries[2].ID, a.Entries[1].ID)

	// A change of the entry, but for its code, shows in both.
	b.Entries[2].Expression, b.Entries[2].Color, b.Entries[2].Code = "x > 2", rasterbase.Color{G: 9}, "8"
	b.Entries[2].Semantics = rasterbase.Semantics{Name: "glacier", Keyword: "k"}
	putLegend(t, s, b)
	changed := b.Entries[2]
	changed.Code = ""
	a.Entries[1] = changed
	wantStored(t, s, b)
	wantStored(t, s, a)

	// In another order, with other codes, and one less.
	a.Entries = []rasterbase.Entry{a.Entries[2], a.Entries[1]}
	a.Entries[0].Code, a.Entries[1].Code = "2", "1"
	putLegend(t, s, a)
	wantStored(t, s, a)
	wantStored(t, s, b)
	// Codes alone.
	a.Entries[1].Code = "größe"
	putLegend(t, s, a)
	wantStored(t, s, a)
	wantStored(t, s, b)
}

// entriesGone: an entry is there as long as a legend has it, and its id is not
// given to another one.
func entriesGone(t *testing.T, s store.Store) {
	a := addLegend(t, s, "a", entry("one", "1"), entry("two", "2"))
	one, two := a.Entries[0], a.Entries[1]
	b := addLegend(t, s, "b", one)
	a.Entries = []rasterbase.Entry{entry("three", "3")}
	putLegend(t, s, a) // one stays in b
	wantStored(t, s, b)
	wantNotExist(t, tryPutLegend(t, s, &rasterbase.Legend{ID: a.ID, Title: "a", Entries: []rasterbase.Entry{two}}))
	wantStored(t, s, a)
	update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(t.Context(), a.ID) })
	wantStored(t, s, b)
	c := addLegend(t, s, "c", one)
	update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(t.Context(), b.ID) })
	wantStored(t, s, c) // which has it still
	c.Entries[0].Code = "5"
	putLegend(t, s, c)
	update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(t.Context(), c.ID) })
	d := addLegend(t, s, "d")
	wantNotExist(t, tryPutLegend(t, s, &rasterbase.Legend{ID: d.ID, Title: "d", Entries: []rasterbase.Entry{one}}))
	d.Entries = []rasterbase.Entry{entry("four", "4")}
	putLegend(t, s, d)
	if id := d.Entries[0].ID; id <= two.ID {
		t.Errorf("the id %d is given again", id)
	}
	// Semantics stay.
	list := get(t, s, func(tx store.Tx) ([]*store.SemanticsUse, error) { return tx.Semantics().List(t.Context()) })
	wantEqual(t, "number of semantics", len(list), 4)
}

// givenEntries stores entries with the ids that they had elsewhere.
func givenEntries(t *testing.T, s store.Store) {
	ctx := t.Context()
	e := entry("one", "1")
	e.ID, e.Semantics.ID = 50, 60
	l := addLegend(t, s, "a", e, entry("two", "2"))
	wantEqual(t, "the given id", l.Entries[0].ID, 50)
	wantStored(t, s, l)
	low := entry("three", "3")
	low.ID = 3
	b := addLegend(t, s, "b", low, l.Entries[0], entry("four", "4"))
	wantStored(t, s, b)
	if id := b.Entries[2].ID; id <= l.Entries[1].ID {
		t.Errorf("the id %d follows %d", id, l.Entries[1].ID)
	}
	if id := b.Entries[2].Semantics.ID; id <= 60 {
		t.Errorf("the semantics' id %d follows 60", id)
	}
	for name, entries := range map[string][]rasterbase.Entry{
		"negative": {{ID: -1, Semantics: rasterbase.Semantics{Name: "x"}}},
		"twice":    {b.Entries[0], entry("x", "x"), b.Entries[0]},
		"semantic": {{Semantics: rasterbase.Semantics{ID: -1, Name: "x"}}},
	} {
		t.Log(name)
		wantCode(t, tryPutLegend(t, s, &rasterbase.Legend{ID: b.ID, Title: "b", Entries: entries}), rasterbase.Invalid)
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Legends().Create(ctx, &rasterbase.Legend{Title: "c", Entries: entries})
		}), rasterbase.Invalid)
	}
	wantNotExist(t, tryPutLegend(t, s, &rasterbase.Legend{ID: b.ID, Title: "b", Entries: []rasterbase.Entry{{ID: 999999}}}))
	wantStored(t, s, b)
}

// alikeEntries: entries that are the same in all but their ids are several.
func alikeEntries(t *testing.T, s store.Store) {
	l := addLegend(t, s, "a", entry("x", "1"), entry("x", "1"), entry("y", "2"), entry("x", "1"))
	l.Entries[0].Code, l.Entries[1].Code = "first", "second"
	putLegend(t, s, l)
	wantStored(t, s, l)
	ids := map[rasterbase.EntryID]bool{}
	for _, e := range l.Entries {
		ids[e.ID] = true
	}
	wantEqual(t, "number of entries", len(ids), 4)
	l.Entries[1].Expression = "5"
	putLegend(t, s, l)
	wantStored(t, s, l)
}

// legendTimes: a legend is updated when what it shows is another one, and not
// otherwise.
func legendTimes(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := addLegend(t, s, "a", entry("water", "1"), entry("ice", "2"))
	b := addLegend(t, s, "b", a.Entries[0])
	c := addLegend(t, s, "c", entry("ice", "3"), entry("rock", "4"))
	times := func() (at [3]time.Time) {
		for i, l := range []*rasterbase.Legend{a, b, c} {
			at[i] = legend(t, s, l.ID).Updated
		}
		return at
	}
	before := times()
	check := func(what string, want ...bool) {
		t.Helper()
		now := times()
		for i := range now {
			if now[i].After(before[i]) != want[i] {
				t.Errorf("%s: legend %d was updated at %v, and before at %v", what, i, now[i], before[i])
			}
		}
		before = now
		time.Sleep(time.Millisecond) // times are kept to the microsecond
	}
	time.Sleep(time.Millisecond)
	check("nothing", false, false, false)
	a.Entries[0].Expression = "5"
	putLegend(t, s, a)
	check("a shared entry", true, true, false)
	a.Entries[1].Expression = "6"
	putLegend(t, s, a)
	check("an entry", true, false, false)
	a.Entries[0].Code = "code"
	putLegend(t, s, a)
	check("a code", true, false, false)
	c.Entries[0].Semantics.Description = "cold"
	putLegend(t, s, c)
	check("a semantics", true, false, true)
	c.Entries[1].Semantics = rasterbase.Semantics{Name: "water", Keyword: "k"}
	putLegend(t, s, c)
	check("a semantics by its name", true, true, true)
	added := addLegend(t, s, "d", legend(t, s, b.ID).Entries[0])
	check("a legend with a shared entry", false, false, false)
	update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(ctx, added.ID) })
	check("its end", false, false, false)
	water := get(t, s, func(tx store.Tx) (*store.SemanticsUse, error) {
		return tx.Semantics().Get(ctx, c.Entries[1].Semantics.ID)
	}).Semantics
	putSemantics(t, s, &water)
	check("a semantics as it was", false, false, false)
	water.Name = "lake"
	putSemantics(t, s, &water)
	check("a semantics by itself", true, true, true)
	// One that is moved here has the time that it had, and the others theirs.
	old := time.Date(2001, 2, 3, 4, 5, 6, 7000, time.UTC)
	moved := &rasterbase.Legend{ID: 99, Title: "moved", Updated: old, Entries: legend(t, s, a.ID).Entries}
	update(t, s, func(tx store.Tx) error { return tx.Legends().Create(ctx, moved) })
	wantDeepEqual(t, "the moved legend's time", legend(t, s, 99).Updated, old)
	check("a legend that was moved", false, false, false)
}

// gradients come back as they were.
func gradients(t *testing.T, s store.Store) {
	low, high := -1.0/3, 1e300
	first := rasterbase.Color{R: 1, G: 2, B: 3, A: 4}
	for i, g := range []rasterbase.Gradient{
		{Colormap: "viridis_r", Min: &low, Max: &high},
		{Colormap: "magma", Interpolation: rasterbase.Discrete, Max: &high},
		{Stops: []rasterbase.Stop{{At: low, Color: first, Name: "größe \"x\"\\u0000"}, {At: 0}, {At: math.Inf(1), Color: first}}, Interpolation: rasterbase.Exact},
		{Stops: []rasterbase.Stop{{At: 0, Color: first}, {At: 0.1 + 0.2, Color: first}, {At: 1}}, Interpolation: rasterbase.Linear, Relative: true, Min: &low},
		{},
	} {
		l := &rasterbase.Legend{Title: fmt.Sprint("gradient ", i), Gradient: &g}
		update(t, s, func(tx store.Tx) error { return tx.Legends().Create(t.Context(), l) })
		wantStored(t, s, l)
		l.Gradient, l.Entries = nil, []rasterbase.Entry{entry("x", "1")}
		putLegend(t, s, l)
		wantStored(t, s, l)
		g.Stops = append(g.Stops, rasterbase.Stop{At: 5})
		l.Gradient = &g
		wantCode(t, tryPutLegend(t, s, l), rasterbase.Invalid)
		wantCode(t, s.Catalog().Update(t.Context(), func(tx store.Tx) error {
			return tx.Legends().Create(t.Context(), &rasterbase.Legend{Title: "both", Gradient: &g, Entries: l.Entries})
		}), rasterbase.Invalid)
		l.Entries = nil
		putLegend(t, s, l)
		wantStored(t, s, l)
	}
}

// manyEntries: a legend has as many entries as a band of 16 bits has values.
func manyEntries(t *testing.T, s store.Store) {
	start := time.Now()
	took := func(what string) {
		t.Logf("%s: %v", what, time.Since(start).Round(time.Millisecond))
		start = time.Now()
	}
	l := addLegend(t, s, "many", classEntries(1<<16)...)
	took("created")
	got := legend(t, s, l.ID)
	took("read")
	if !slices.Equal(got.Entries, l.Entries) || len(l.Entries) != 1<<16 {
		t.Error("the entries are read as others")
	}
	l.Title = "as many"
	start = time.Now()
	putLegend(t, s, l)
	took("stored as it was")
}

// classEntries are entries of which some share a semantics.
func classEntries(n int) []rasterbase.Entry {
	entries := make([]rasterbase.Entry, n)
	for i := range entries {
		entries[i] = entry(fmt.Sprint("class ", i%5000), fmt.Sprint(i))
		entries[i].Color, entries[i].Code = rasterbase.Color{R: uint8(i >> 8), G: uint8(i), A: 255}, fmt.Sprint(i)
	}
	return entries
}

// manyChanges: all entries of a large legend are changed, shared and deleted.
func manyChanges(t *testing.T, s store.Store) {
	l := addLegend(t, s, "many", classEntries(5500)...)
	slices.Reverse(l.Entries)
	for i := range l.Entries {
		l.Entries[i].Color.B, l.Entries[i].Semantics.Description = 7, "d"
	}
	putLegend(t, s, l)
	copied := addLegend(t, s, "copied", l.Entries...)
	for i := range copied.Entries {
		copied.Entries[i].Code = ""
	}
	putLegend(t, s, copied)
	if !slices.Equal(legend(t, s, l.ID).Entries, l.Entries) || !slices.Equal(legend(t, s, copied.ID).Entries, copied.Entries) {
		t.Error("the changed entries are read as others")
	}
	update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(t.Context(), copied.ID) })
	if !slices.Equal(legend(t, s, l.ID).Entries, l.Entries) {
		t.Error("without the copy, the entries are read as others")
	}
	update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(t.Context(), l.ID) })
	list := get(t, s, func(tx store.Tx) ([]*store.SemanticsUse, error) { return tx.Semantics().List(t.Context()) })
	wantEqual(t, "number of semantics", len(list), 5000)
}

// entriesTakenBack: what a transaction that was not kept did is undone, in the
// store and in the caller's values.
func entriesTakenBack(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := addLegend(t, s, "a", entry("one", "1"), entry("two", "2"))
	failed := errors.New("no")
	given := []rasterbase.Entry{a.Entries[0], entry("new", "3")}
	given[0].Expression, given[0].Semantics.Name = "9", "other"
	fresh := rasterbase.Legend{Title: "b", Entries: given}
	changed := rasterbase.Legend{ID: a.ID, Title: "c", Entries: slices.Clone(given)}
	sem := rasterbase.Semantics{Name: "three"}
	m := rasterbase.UserColormap{Owner: "ada", Name: "x", JSON: []byte("{}")}
	wantIs(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Legends().Create(ctx, &fresh), tx.Legends().Update(ctx, &changed), tx.Semantics().Create(ctx, &sem),
			tx.Colormaps().Put(ctx, &m), tx.Legends().Delete(ctx, a.ID), failed)
	}), failed)
	if fresh.ID != 0 || fresh.Entries[1].ID != 0 || fresh.Entries[1].Semantics.ID != 0 || changed.Entries[1].ID != 0 || !changed.Updated.IsZero() ||
		sem.ID != 0 || !m.Updated.IsZero() {
		t.Errorf("after a failure there are %+v, %+v, %+v and %+v", fresh, changed, sem, m)
	}
	wantStored(t, s, a)
	view(t, s, func(tx store.Tx) error {
		list, err := tx.Semantics().List(ctx)
		must(t, err)
		maps, err := tx.Colormaps().List(ctx, "")
		must(t, err)
		wantEqual(t, "what outlived its transaction", len(list)-2+len(maps), 0)
		return nil
	})
}

// entriesTogether: legends that share an entry are stored, changed and deleted at
// once, and the entry is there as long as one of them has it.
func entriesTogether(t *testing.T, s store.Store) {
	ctx := t.Context()
	keeper := addLegend(t, s, "keeper", entry("shared", "0"))
	var made, refused atomic.Int32
	for round := range 5 {
		shared := addLegend(t, s, fmt.Sprint("first ", round), entry("passed on", "1"))
		together(t, s, func(s store.Store, n int) {
			own := &rasterbase.Legend{Title: fmt.Sprintf("own %d %d", round, n), Entries: slices.Clone(keeper.Entries)}
			own.Entries[0].Expression = fmt.Sprint(n)
			target := &rasterbase.Legend{Title: fmt.Sprintf("target %d %d", round, n)}
			err := s.Catalog().Update(ctx, func(tx store.Tx) error {
				return errors.Join(tx.Legends().Create(ctx, own), tx.Legends().Create(ctx, target))
			})
			if n == 0 {
				err = errors.Join(err, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Delete(ctx, shared.ID) }))
			} else { // the entry may be gone with the first legend
				target.Entries = slices.Clone(shared.Entries)
				putErr := s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Update(ctx, target) })
				if errors.Is(putErr, store.ErrNotExist) {
					refused.Add(1)
				} else {
					made.Add(1)
					err = errors.Join(err, putErr)
				}
			}
			err = errors.Join(err, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Legends().Delete(ctx, own.ID) }))
			if err != nil {
				t.Error(err)
			}
		})
	}
	t.Logf("the entry was passed on %d times, and gone %d times", made.Load(), refused.Load())
	for _, l := range get(t, s, func(tx store.Tx) ([]*rasterbase.Legend, error) { return tx.Legends().List(ctx) }) {
		for _, e := range l.Entries {
			if e.Semantics.Name == "" || e.ID == 0 {
				t.Errorf("%s has %+v", l.Title, e)
			}
		}
	}
	got := legend(t, s, keeper.ID)
	wantEqual(t, "the keeper's entry", got.Entries[0].ID, keeper.Entries[0].ID)
}

// legendsSeen: whoever reads legends meanwhile sees one state of them.
func legendsSeen(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := addLegend(t, s, "a", entry("x", "0"), entry("y", "0"))
	b := addLegend(t, s, "b", a.Entries[1], a.Entries[0])
	id := b.ID // b is set anew meanwhile
	var readers sync.WaitGroup
	ended := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				err := s.Catalog().View(ctx, func(tx store.Tx) error {
					list, err := tx.Legends().List(ctx)
					if err != nil {
						return err
					}
					one, err := tx.Legends().Get(ctx, id)
					if err != nil {
						return err
					}
					for _, l := range append(list, one) {
						if len(l.Entries) != 2 || l.Entries[0].Expression != list[0].Entries[0].Expression || l.Entries[1].Expression != l.Entries[0].Expression {
							t.Errorf("there is %+v beside %+v", l, list[0])
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 20 {
		l := []*rasterbase.Legend{a, b}[i%2]
		for j := range l.Entries {
			l.Entries[j].Expression = fmt.Sprint(i + 1)
		}
		putLegend(t, s, l)
	}
	close(ended)
	readers.Wait()
}
