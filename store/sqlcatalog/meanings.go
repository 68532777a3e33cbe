package sqlcatalog

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/rasterbase/rasterbase"
)

// meaning is a semantics as it is stored and as it is to be.
type meaning struct {
	was, now rasterbase.Semantics
	there    bool // was is stored
}

// meanings are the semantics of the entries that are being stored, and those that
// have their names. Texts are as the database holds them.
type meanings struct {
	*Tx
	mayMake bool // those with an id that is not there
	byID    map[rasterbase.SemanticsID]*meaning
	byName  map[string][]*meaning // several until the last entry was looked at
	all     []*meaning
}

// putSemantics finds, makes or changes the semantics of entries, and sets them
// there as they are then. It gives those that were changed.
func (x legends) putSemantics(ctx context.Context, entries []rasterbase.Entry, mayMake bool) (changed []rasterbase.SemanticsID, err error) {
	m := &meanings{Tx: x.Tx, mayMake: mayMake, byID: map[rasterbase.SemanticsID]*meaning{}, byName: map[string][]*meaning{}}
	if err := m.read(ctx, entries); err != nil {
		return nil, fmt.Errorf("reading semantics: %w", err)
	}
	of := make([]*meaning, len(entries))
	for i, e := range entries {
		if of[i], err = m.want(e.Semantics); err != nil {
			return nil, err
		}
	}
	if changed, err = m.write(ctx); err != nil {
		return nil, err
	}
	for i := range entries {
		entries[i].Semantics = of[i].now
	}
	return changed, nil
}

// read reads what is stored under the ids and names of the entries' semantics.
func (m *meanings) read(ctx context.Context, entries []rasterbase.Entry) error {
	var ids []rasterbase.SemanticsID
	var names []string
	for _, e := range entries {
		if e.Semantics.ID != 0 {
			ids = append(ids, e.Semantics.ID)
		}
		names = append(names, m.text(e.Semantics.Name))
	}
	const query = `SELECT ` + semanticsColumns + ` FROM @semantics WHERE`
	byID, err := findRows(ctx, m.Tx, distinct(ids), scanSemantics, query, `id`)
	if err != nil {
		return err
	}
	byName, err := findRows(ctx, m.Tx, distinct(names), scanSemantics, query, `name`)
	if err != nil {
		return err
	}
	for _, s := range append(byID, byName...) {
		if m.byID[s.ID] == nil {
			m.add(&meaning{was: s, now: s, there: true})
		}
	}
	return nil
}

// distinct are the values of a list, once each.
func distinct[T int64 | string | rasterbase.SemanticsID | rasterbase.EntryID](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}

func (m *meanings) add(one *meaning) {
	m.all = append(m.all, one)
	m.byName[one.now.Name] = append(m.byName[one.now.Name], one)
	if one.now.ID != 0 {
		m.byID[one.now.ID] = one
	}
}

// want gives what an entry's semantics becomes. One with an id is as given; one
// without is found by its name, and what it leaves empty stays.
func (m *meanings) want(s rasterbase.Semantics) (*meaning, error) {
	s.Name, s.Description, s.Keyword = m.text(s.Name), m.text(s.Description), m.text(s.Keyword)
	if s.ID < 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%d cannot be the id of a semantics", s.ID).WithField("id")
	}
	if s.ID != 0 {
		one := m.byID[s.ID]
		switch {
		case one != nil:
			was := one.now.Name
			m.byName[was] = slices.DeleteFunc(m.byName[was], func(other *meaning) bool { return other == one })
			one.now = s
			m.byName[s.Name] = append(m.byName[s.Name], one)
		case !m.mayMake:
			return nil, noSemantics(s.ID)
		default:
			one = &meaning{now: s}
			m.add(one)
		}
		return one, nil
	}
	if len(m.byName[s.Name]) == 0 {
		one := &meaning{now: s}
		m.add(one)
		return one, nil
	}
	one := m.byName[s.Name][0]
	if s.Description != "" {
		one.now.Description = s.Description
	}
	if s.Keyword != "" {
		one.now.Keyword = s.Keyword
	}
	return one, nil
}

// write stores what is new or another one.
func (m *meanings) write(ctx context.Context) (changed []rasterbase.SemanticsID, err error) {
	var renamed []rasterbase.SemanticsID
	var store, create []*meaning // with an id, and without
	last := int64(0)
	for _, one := range m.all {
		if len(m.byName[one.now.Name]) > 1 {
			return nil, semanticsTaken(one.now.Name)
		}
		switch {
		case one.now.ID == 0:
			create = append(create, one)
		case !one.there:
			store, last = append(store, one), max(last, int64(one.now.ID))
		case one.was != one.now:
			store, changed = append(store, one), append(changed, one.now.ID)
			if one.was.Name != one.now.Name {
				renamed = append(renamed, one.now.ID)
			}
		}
	}
	if err := m.clearNames(ctx, renamed, len(store)+len(create)); err != nil {
		return nil, m.conflict(err, "renaming semantics", "name")
	}
	err = putRows(ctx, m.Tx, store, func(one *meaning) []any {
		return []any{one.now.ID, one.now.Name, one.now.Description, one.now.Keyword}
	}, `INSERT INTO @semantics (id, name, description, keyword) VALUES`,
		` ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, keyword = excluded.keyword`)
	if err == nil && last > 0 {
		err = m.c.d.IDGiven(ctx, m.conn, "semantics", last)
	}
	if err == nil {
		err = m.create(ctx, create)
	}
	if err != nil {
		return nil, m.conflict(err, "storing semantics", "name")
	}
	return changed, nil
}

// clearNames gives those that are renamed names which nobody has, so that others
// can have theirs. One that is renamed alone is in nobody's way.
func (m *meanings) clearNames(ctx context.Context, renamed []rasterbase.SemanticsID, stored int) error {
	if len(renamed) == 0 || stored == 1 {
		return nil
	}
	ids, err := m.list(renamed)
	if err != nil {
		return err
	}
	_, err = m.exec(ctx, `UPDATE @semantics SET name = CAST(? AS text) || id WHERE `+m.c.d.InIDs("id"), rand.Text()+" ", ids)
	return err
}

// create makes those without an id.
func (m *meanings) create(ctx context.Context, list []*meaning) error {
	made, err := makeRows(ctx, m.Tx, list, func(one *meaning) []any {
		return []any{one.now.Name, one.now.Description, one.now.Keyword}
	}, func(row Row) (s rasterbase.Semantics, err error) {
		err = row.Scan(&s.ID, &s.Name)
		return s, err
	}, `INSERT INTO @semantics (name, description, keyword) VALUES`, ` RETURNING id, name`)
	if err != nil {
		return err
	}
	for _, s := range made {
		if len(m.byName[s.Name]) != 1 {
			return fmt.Errorf("semantics %d was stored under another name", s.ID)
		}
		m.byName[s.Name][0].now.ID = s.ID
	}
	return nil
}
