package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func addSemantics(t *testing.T, s store.Store, name string) *rasterbase.Semantics {
	t.Helper()
	m := &rasterbase.Semantics{Name: name}
	update(t, s, func(tx store.Tx) error { return tx.Semantics().Create(t.Context(), m) })
	return m
}

func putSemantics(t *testing.T, s store.Store, m *rasterbase.Semantics) {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Semantics().Update(t.Context(), m) })
}

func semantics(t *testing.T, s store.Store, id rasterbase.SemanticsID) *store.SemanticsUse {
	t.Helper()
	return get(t, s, func(tx store.Tx) (*store.SemanticsUse, error) { return tx.Semantics().Get(t.Context(), id) })
}

// titles are the legends of a semantics.
func titles(u *store.SemanticsUse) string {
	var out []string
	for _, l := range u.Legends {
		out = append(out, fmt.Sprintf("%d %s", l.ID, l.Title))
	}
	return strings.Join(out, ", ")
}

func semanticsRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	m := &rasterbase.Semantics{Name: "Größe 水", Description: "d\ne", Keyword: "k"}
	update(t, s, func(tx store.Tx) error { return tx.Semantics().Create(ctx, m) })
	if m.ID == 0 {
		t.Error("it has no id")
	}
	wantEqual(t, "the semantics", semantics(t, s, m.ID).Semantics, *m)
	wantEqual(t, "number of its legends", len(semantics(t, s, m.ID).Legends), 0)
	// A legend finds it by its name.
	l := addLegend(t, s, "l", entry("Größe 水", "1"))
	wantEqual(t, "the legend's", l.Entries[0].Semantics, *m)
	m.Name, m.Description, m.Keyword = "groß", "", "other"
	putSemantics(t, s, m)
	wantEqual(t, "the changed semantics", semantics(t, s, m.ID).Semantics, *m)
	wantEqual(t, "what the legend shows", legend(t, s, l.ID).Entries[0].Semantics, *m)
	wantEqual(t, "its legend", titles(semantics(t, s, m.ID)), fmt.Sprint(l.ID, " l"))

	moved := &rasterbase.Semantics{ID: 70, Name: "moved"}
	update(t, s, func(tx store.Tx) error { return tx.Semantics().Create(ctx, moved) })
	wantEqual(t, "the moved semantics", semantics(t, s, 70).Semantics, rasterbase.Semantics{ID: 70, Name: "moved"})
	if later := addSemantics(t, s, "later"); later.ID <= 70 {
		t.Errorf("%d follows 70", later.ID)
	}
	for sign, want := range map[rasterbase.SemanticsID]rasterbase.Code{1: rasterbase.Conflict, -1: rasterbase.Invalid} {
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Semantics().Create(ctx, &rasterbase.Semantics{ID: 70 * sign, Name: "x"})
		}), want)
	}
}

func semanticsNames(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := addSemantics(t, s, "earth")
	addSemantics(t, s, "Earth") // names that differ in case are two
	addSemantics(t, s, "ärmel")
	addSemantics(t, s, "Ähre")
	addSemantics(t, s, "Zoo")
	for name, want := range map[string]rasterbase.Code{"Earth": rasterbase.Conflict, "": rasterbase.Invalid, " \t": rasterbase.Invalid} {
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Semantics().Create(ctx, &rasterbase.Semantics{Name: name})
		}), want)
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Semantics().Update(ctx, &rasterbase.Semantics{ID: a.ID, Name: name})
		}), want)
	}
	for _, fn := range []func(store.Tx) error{
		func(tx store.Tx) error {
			return tx.Semantics().Update(ctx, &rasterbase.Semantics{ID: 999999, Name: "x"})
		},
		func(tx store.Tx) error { return tx.Semantics().Delete(ctx, 999999) },
		func(tx store.Tx) error { _, err := tx.Semantics().Get(ctx, 999999); return err },
	} {
		wantNotExist(t, s.Catalog().Update(ctx, fn))
	}
	var names []string
	for _, m := range get(t, s, func(tx store.Tx) ([]*store.SemanticsUse, error) { return tx.Semantics().List(ctx) }) {
		names = append(names, m.Name)
	}
	wantEqual(t, "the semantics", strings.Join(names, ", "), "earth, Earth, Zoo, Ähre, ärmel")
	for name, write := range map[string]func(store.Tx) error{
		"create": func(tx store.Tx) error { return tx.Semantics().Create(ctx, &rasterbase.Semantics{Name: "x"}) },
		"update": func(tx store.Tx) error {
			return tx.Semantics().Update(ctx, &rasterbase.Semantics{ID: a.ID, Name: "x"})
		},
		"delete": func(tx store.Tx) error { return tx.Semantics().Delete(ctx, a.ID) },
	} {
		if err := s.Catalog().View(ctx, write); err == nil {
			t.Errorf("%s: a view can write", name)
		}
	}
}

// semanticsInUse: the legends that have a semantics are known, and it cannot be
// deleted while there are some.
func semanticsInUse(t *testing.T, s store.Store) {
	ctx := t.Context()
	remove := func(id rasterbase.SemanticsID) error {
		return s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Semantics().Delete(ctx, id) })
	}
	var ids []rasterbase.LegendID
	var water rasterbase.SemanticsID
	for _, title := range []string{"zebra", "Ä", "beta", "Alpha", "gamma"} {
		l := addLegend(t, s, title, entry("water", "1"), entry("water", "2"), entry("of "+title, "3"))
		ids, water = append(ids, l.ID), l.Entries[0].Semantics.ID
	}
	want := fmt.Sprintf("%d Alpha, %d beta, %d gamma, %d zebra, %d Ä", ids[3], ids[2], ids[4], ids[0], ids[1])
	wantEqual(t, "the legends", titles(semantics(t, s, water)), want)
	list := get(t, s, func(tx store.Tx) ([]*store.SemanticsUse, error) { return tx.Semantics().List(ctx) })
	wantEqual(t, "number of semantics", len(list), 6)
	for _, m := range list {
		if m.ID == water {
			wantEqual(t, "the legends in the list", titles(m), want)
		} else {
			wantEqual(t, "the legend of another one", len(m.Legends), 1)
		}
	}
	err := remove(water)
	wantCode(t, err, rasterbase.Conflict)
	if !strings.Contains(fmt.Sprint(err), `"Alpha", "beta", "gamma", 2 more`) {
		t.Errorf("the error is %v", err)
	}
	for _, id := range ids[:4] {
		update(t, s, func(tx store.Tx) error { return tx.Legends().Delete(ctx, id) })
		wantCode(t, remove(water), rasterbase.Conflict)
	}
	last := legend(t, s, ids[4])
	last.Entries = last.Entries[2:]
	putLegend(t, s, last)
	wantEqual(t, "number of its legends", len(semantics(t, s, water).Legends), 0)
	must(t, remove(water))
	wantNotExist(t, remove(water))
	if again := addSemantics(t, s, "water"); again.ID <= water {
		t.Errorf("the id %d is given again", again.ID)
	}
}

// semanticsOfOneLegend: what the entries of one legend say of their semantics is
// taken together.
func semanticsOfOneLegend(t *testing.T, s store.Store) {
	l := addLegend(t, s, "l", entry("a", "1"), entry("b", "2"), entry("c", "3"))
	a, b, c := l.Entries[0].Semantics.ID, l.Entries[1].Semantics.ID, l.Entries[2].Semantics.ID
	named := func(id rasterbase.SemanticsID, name string) { wantEqual(t, "the name", semantics(t, s, id).Name, name) }

	// Two change their names with each other, and a third takes a new one.
	l.Entries[0].Semantics.Name, l.Entries[1].Semantics.Name, l.Entries[2].Semantics.Name = "b", "a", "d"
	putLegend(t, s, l)
	named(a, "b")
	named(b, "a")
	named(c, "d")
	// One takes a name that another one gives up, which an entry without an id
	// finds where it is now.
	l.Entries[1].Semantics.Name, l.Entries[2].Semantics.Name = "e", "a"
	l.Entries = append(l.Entries, rasterbase.Entry{Semantics: rasterbase.Semantics{Name: "a", Keyword: "k"}})
	putLegend(t, s, l)
	named(b, "e")
	wantEqual(t, "what the name finds", l.Entries[3].Semantics, rasterbase.Semantics{ID: c, Name: "a", Keyword: "k"})
	wantStored(t, s, l)
	// A name of one that is in no entry here.
	addSemantics(t, s, "taken")
	for _, name := range []string{"taken", "b"} {
		l.Entries[1].Semantics.Name = name
		wantCode(t, tryPutLegend(t, s, l), rasterbase.Conflict)
	}
	l.Entries[1].Semantics.Name = "e"
	wantStored(t, s, l)
	// Entries without a name share a semantics, too.
	unnamed := addLegend(t, s, "unnamed", entry("", "1"), entry("", "2"))
	wantEqual(t, "the semantics", unnamed.Entries[0].Semantics, unnamed.Entries[1].Semantics)
	wantStored(t, s, unnamed)
}

// semanticsTogether: a name is one semantics, and an entry never lacks its
// semantics.
func semanticsTogether(t *testing.T, s store.Store) {
	ctx := t.Context()
	var made atomic.Int32
	doomed := addSemantics(t, s, "doomed")
	together(t, s, func(s store.Store, n int) {
		err := s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Semantics().Create(ctx, &rasterbase.Semantics{Name: "same"})
		})
		if err == nil {
			made.Add(1)
		} else {
			wantCode(t, err, rasterbase.Conflict)
		}
		if n%2 == 0 {
			err = s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Semantics().Delete(ctx, doomed.ID) })
			if err != nil && !errors.Is(err, store.ErrNotExist) {
				wantCode(t, err, rasterbase.Conflict)
			}
			return
		}
		err = s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Legends().Create(ctx, &rasterbase.Legend{Title: fmt.Sprint(n), Entries: []rasterbase.Entry{entry("doomed", "1"), entry("same", "2")}})
		})
		if err != nil {
			t.Error(err)
		}
	})
	wantEqual(t, "semantics with the same name", made.Load(), 1)
	legends := get(t, s, func(tx store.Tx) ([]*rasterbase.Legend, error) { return tx.Legends().List(ctx) })
	wantEqual(t, "number of legends", len(legends), 3)
	for _, l := range legends {
		if len(l.Entries) != 2 || l.Entries[0].Semantics != legends[0].Entries[0].Semantics {
			t.Errorf("there is %+v", l)
		}
	}
}

// strangeLegends stores what some databases cannot hold.
func strangeLegends(t *testing.T, s store.Store) {
	for i, strange := range []string{"a\nb\x00c", "\xff\xfe", "\x00", `\u0000 \\u0000`, "größe \xc3"} {
		valid := string([]rune(strange))
		held := strings.ReplaceAll(valid, "\x00", "\uFFFD")
		check := func(what, got string) {
			t.Helper()
			if got != strange && got != held {
				t.Errorf("%s is %q, neither %q nor %q", what, got, strange, held)
			}
		}
		l := addLegend(t, s, fmt.Sprint(i), rasterbase.Entry{Expression: strange, Code: strange,
			Semantics: rasterbase.Semantics{Name: strange, Description: strange, Keyword: strange}}, entry("plain", "1"))
		again := addLegend(t, s, fmt.Sprint("again ", i), entry(strange, strange), entry(strange, strange))
		wantEqual(t, "the semantics", again.Entries[0].Semantics.ID, l.Entries[0].Semantics.ID)
		wantEqual(t, "the semantics", again.Entries[1].Semantics.ID, l.Entries[0].Semantics.ID)
		putLegend(t, s, l)
		e := legend(t, s, l.ID).Entries[0]
		check("the expression", e.Expression)
		check("the code", e.Code)
		check("the name", e.Semantics.Name)
		check("the description", semantics(t, s, e.Semantics.ID).Description)
		check("the keyword", e.Semantics.Keyword)
		before := legend(t, s, again.ID).Updated
		putLegend(t, s, l)
		wantEqual(t, "the time of a legend of which nothing was changed", legend(t, s, again.ID).Updated, before)

		g := &rasterbase.Legend{Title: fmt.Sprint("gradient ", i), Gradient: &rasterbase.Gradient{Colormap: strange, Stops: []rasterbase.Stop{{Name: strange}}}}
		update(t, s, func(tx store.Tx) error { return tx.Legends().Create(t.Context(), g) })
		got := legend(t, s, g.ID).Gradient // JSON is UTF-8 in any case
		for _, text := range []string{got.Colormap, got.Stops[0].Name} {
			if text != held && text != valid {
				t.Errorf("the gradient has %q", text)
			}
		}
		update(t, s, func(tx store.Tx) error {
			return tx.Colormaps().Put(t.Context(), &rasterbase.UserColormap{Owner: "o" + strange, Name: "n" + strange, JSON: []byte(strange)})
		})
		m := get(t, s, func(tx store.Tx) (*rasterbase.UserColormap, error) {
			return tx.Colormaps().Get(t.Context(), "o"+strange, "N"+strange)
		})
		check("the owner", strings.TrimPrefix(m.Owner, "o"))
		check("the colormap's name", strings.TrimPrefix(m.Name, "n"))
		wantEqual(t, "the colormap", string(m.JSON), strange)
	}
}
