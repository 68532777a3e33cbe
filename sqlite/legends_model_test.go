package sqlite

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// standing is an entry in a legend.
type standing struct {
	id   rasterbase.EntryID
	code string
}

// legendModel is what the catalog should hold, as plain as it can be said.
type legendModel struct {
	legends   map[rasterbase.LegendID][]standing
	entries   map[rasterbase.EntryID]rasterbase.Entry // without a code; of the semantics the id alone
	semantics map[rasterbase.SemanticsID]rasterbase.Semantics
}

func (m legendModel) clone() legendModel {
	return legendModel{maps.Clone(m.legends), maps.Clone(m.entries), maps.Clone(m.semantics)}
}

// named finds a semantics by its name, and tells how many have it.
func (m legendModel) named(name string) (id rasterbase.SemanticsID, n int) {
	for _, s := range m.semantics {
		if s.Name == name {
			id, n = s.ID, n+1
		}
	}
	return id, n
}

// read is a legend's entries.
func (m legendModel) read(id rasterbase.LegendID) (out []rasterbase.Entry) {
	for _, at := range m.legends[id] {
		e := m.entries[at.id]
		e.ID, e.Code, e.Semantics = at.id, at.code, m.semantics[e.Semantics.ID]
		out = append(out, e)
	}
	return out
}

// tidy forgets entries that stand nowhere.
func (m legendModel) tidy() {
	used := map[rasterbase.EntryID]bool{}
	for _, list := range m.legends {
		for _, at := range list {
			used[at.id] = true
		}
	}
	maps.DeleteFunc(m.entries, func(id rasterbase.EntryID, _ rasterbase.Entry) bool { return !used[id] })
}

// put stores a legend of the id as it was given: stored is what the catalog made
// of it, from which new ids are taken.
func (m legendModel) put(id rasterbase.LegendID, given, stored []rasterbase.Entry) error {
	m.legends[id] = nil
	for i, e := range given {
		s := e.Semantics
		if s.ID == 0 {
			if s.ID, _ = m.named(s.Name); s.ID == 0 {
				if s.ID = stored[i].Semantics.ID; m.semantics[s.ID].ID != 0 {
					return fmt.Errorf("the id of semantics %+v is that of %+v", stored[i].Semantics, m.semantics[s.ID])
				}
			}
			s.Description = cmp.Or(s.Description, m.semantics[s.ID].Description)
			s.Keyword = cmp.Or(s.Keyword, m.semantics[s.ID].Keyword)
		}
		m.semantics[s.ID] = s
		if e.ID == 0 {
			if e.ID = stored[i].ID; m.entries[e.ID].ID != 0 {
				return fmt.Errorf("the id of entry %+v is that of %+v", stored[i], m.entries[e.ID])
			}
		}
		at := standing{e.ID, e.Code}
		e.Semantics, e.Code = rasterbase.Semantics{ID: s.ID}, ""
		m.entries[e.ID] = e
		m.legends[id] = append(m.legends[id], at)
	}
	m.tidy()
	return nil
}

// taken reports whether two semantics would have one name, and whether names
// cannot be followed, since two have one meanwhile that an entry is found by.
func (m legendModel) taken(given []rasterbase.Entry) (conflict, unclear bool) {
	c := m.clone()
	next := rasterbase.SemanticsID(1 << 40)
	for _, e := range given {
		s := e.Semantics
		if s.ID == 0 {
			id, n := c.named(s.Name)
			if n > 1 {
				return false, true
			}
			if next++; n == 0 {
				id = next
			}
			s.ID = id
		}
		c.semantics[s.ID] = s
	}
	for _, s := range c.semantics {
		if _, n := c.named(s.Name); n > 1 {
			return true, false
		}
	}
	return false, false
}

// legendRun does random things to a catalog and to its model.
type legendRun struct {
	db    *DB
	model legendModel
	count int
}

func (r *legendRun) update(t *rapid.T, fn func(store.Tx) error) error {
	return r.db.Catalog().Update(t.Context(), fn)
}

// draw makes entries, of which some stand in legends already.
func (r *legendRun) draw(t *rapid.T) []rasterbase.Entry {
	known := slices.Sorted(maps.Keys(r.model.entries))
	meanings := slices.Sorted(maps.Keys(r.model.semantics))
	name := rapid.SampledFrom([]string{"", "a", "b", "c", "d"})
	var out []rasterbase.Entry
	for range rapid.IntRange(0, 6).Draw(t, "number of entries") {
		e := rasterbase.Entry{Expression: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "expression"),
			Color: rasterbase.Color{A: rapid.Uint8Range(0, 1).Draw(t, "alpha")}, Code: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "code"),
			Semantics: rasterbase.Semantics{Name: name.Draw(t, "name"), Description: rapid.SampledFrom([]string{"", "", "d", "e"}).Draw(t, "description")}}
		if len(meanings) > 0 && rapid.Bool().Draw(t, "known semantics") {
			s := r.model.semantics[rapid.SampledFrom(meanings).Draw(t, "semantics")]
			e.Semantics.ID = s.ID
			if rapid.IntRange(0, 3).Draw(t, "rename") > 0 {
				e.Semantics.Name = s.Name
			}
		}
		if len(known) > 0 && rapid.Bool().Draw(t, "known entry") {
			i := rapid.IntRange(0, len(known)-1).Draw(t, "entry")
			e.ID = known[i]
			known = slices.Delete(known, i, i+1)
		}
		out = append(out, e)
	}
	return out
}

// store stores a legend and says whether the catalog should have kept it.
func (r *legendRun) store(t *rapid.T, l *rasterbase.Legend, fn func(store.Tx) error) {
	given := slices.Clone(l.Entries)
	conflict, unclear := r.model.taken(given)
	if unclear {
		return
	}
	switch err := r.update(t, fn); {
	case conflict:
		if rasterbase.CodeOf(err) != rasterbase.Conflict {
			t.Fatalf("two semantics have one name, and the error is %v", err)
		}
	case err != nil:
		t.Fatal(err)
	default:
		if err := r.model.put(l.ID, given, l.Entries); err != nil {
			t.Fatal(err)
		}
		r.same(t, "what was set", l.Entries, r.model.read(l.ID))
	}
}

func (r *legendRun) create(t *rapid.T) {
	r.count++
	l := &rasterbase.Legend{Title: fmt.Sprint("legend ", r.count), Entries: r.draw(t)}
	r.store(t, l, func(tx store.Tx) error { return tx.Legends().Create(t.Context(), l) })
}

// one draws a legend, if there is one.
func (r *legendRun) one(t *rapid.T) rasterbase.LegendID {
	if len(r.model.legends) == 0 {
		t.Skip("there is no legend")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(r.model.legends))).Draw(t, "legend")
}

func (r *legendRun) replace(t *rapid.T) {
	r.count++
	l := &rasterbase.Legend{ID: r.one(t), Title: fmt.Sprint("legend ", r.count), Entries: r.draw(t)}
	r.store(t, l, func(tx store.Tx) error { return tx.Legends().Update(t.Context(), l) })
}

func (r *legendRun) remove(t *rapid.T) {
	id := r.one(t)
	if err := r.update(t, func(tx store.Tx) error { return tx.Legends().Delete(t.Context(), id) }); err != nil {
		t.Fatal(err)
	}
	delete(r.model.legends, id)
	r.model.tidy()
}

func (r *legendRun) same(t *rapid.T, what string, got, want any) {
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("%s:\n%s\nnot\n%s", what, g, w)
	}
}

func (r *legendRun) check(t *rapid.T) {
	err := r.db.Catalog().View(t.Context(), func(tx store.Tx) error {
		legends, err := tx.Legends().List(t.Context())
		if err != nil {
			return err
		}
		r.same(t, "number of legends", len(legends), len(r.model.legends))
		for _, l := range legends {
			r.same(t, l.Title, l.Entries, r.model.read(l.ID))
		}
		list, err := tx.Semantics().List(t.Context())
		if err != nil {
			return err
		}
		r.same(t, "number of semantics", len(list), len(r.model.semantics))
		for _, s := range list {
			r.same(t, "a semantics", s.Semantics, r.model.semantics[s.ID])
			for id := range r.model.legends {
				has := slices.ContainsFunc(r.model.read(id), func(e rasterbase.Entry) bool { return e.Semantics.ID == s.ID })
				r.same(t, fmt.Sprintf("legend %d has semantics %d", id, s.ID),
					slices.ContainsFunc(s.Legends, func(l rasterbase.Legend) bool { return l.ID == id }), has)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := r.db.writer.QueryRowContext(t.Context(), `SELECT count(*) FROM entries`).Scan(&n); err != nil || n != len(r.model.entries) {
		t.Fatalf("there are %d entries, not %d (%v)", n, len(r.model.entries), err)
	}
}

// Whatever is stored, changed and deleted, each legend reads as what it was given
// last, with entries and semantics as they were stored last in any legend.
func TestLegendsAgainstAModel(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	rapid.Check(t, func(t *rapid.T) {
		r := &legendRun{db: db, model: legendModel{map[rasterbase.LegendID][]standing{}, map[rasterbase.EntryID]rasterbase.Entry{},
			map[rasterbase.SemanticsID]rasterbase.Semantics{}}}
		if _, err := db.writer.ExecContext(t.Context(), `DELETE FROM legends; DELETE FROM entries; DELETE FROM semantics`); err != nil {
			t.Fatal(err)
		}
		t.Repeat(map[string]func(*rapid.T){"create": r.create, "replace": r.replace, "delete": r.remove, "": r.check})
	})
}
