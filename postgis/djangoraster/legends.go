package djangoraster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// place is an entry in a legend.
type place struct {
	entry entryRow
	code  string
}

// readLegends reads the legends with their entries, in the order in which
// django-raster lists them: by code, then by name. An entry that stood in several
// legends does so here.
func (im *importer) readLegends(ctx context.Context) error {
	legends, err := readRows[legendRow](ctx, im.db, "raster_legend")
	if err != nil {
		return err
	}
	semantics, err := im.readSemantics(ctx)
	if err != nil {
		return err
	}
	places, err := im.readPlaces(ctx)
	if err != nil {
		return err
	}
	titles := map[string]bool{}
	used := map[rasterbase.SemanticsID]bool{}
	for _, row := range legends {
		l := &rasterbase.Legend{ID: rasterbase.LegendID(row.ID), Title: cmp.Or(strings.TrimSpace(row.Title), fmt.Sprintf("legend %d", row.ID))}
		if titles[strings.ToLower(l.Title)] {
			l.Title = fmt.Sprintf("%s (%d)", l.Title, row.ID)
			im.warn("two legends have the title %q: legend %d is called %q", row.Title, row.ID, l.Title)
		}
		titles[strings.ToLower(l.Title)] = true
		list := places[row.ID]
		slices.SortStableFunc(list, func(a, b place) int {
			return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(semantics[a.entry.SemanticsID].Name, semantics[b.entry.SemanticsID].Name))
		})
		stands := map[rasterbase.EntryID]bool{}
		for _, p := range list {
			e, err := newEntry(p, semantics[p.entry.SemanticsID])
			if err != nil {
				im.warn("legend %q: the entry %q is left out: %v", l.Title, semantics[p.entry.SemanticsID].Name, err)
				continue
			}
			if stands[e.ID] {
				e.ID = 0 // an entry is in a legend once: this is one like it
			}
			stands[e.ID], used[e.Semantics.ID] = true, true
			l.Entries = append(l.Entries, e)
		}
		im.legends = append(im.legends, l)
	}
	for _, s := range semantics {
		if !used[s.ID] {
			used[s.ID] = true // rows that are alike are one
			im.unused = append(im.unused, s)
		}
	}
	slices.SortFunc(im.unused, func(a, b rasterbase.Semantics) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

func newEntry(p place, s rasterbase.Semantics) (e rasterbase.Entry, err error) {
	e = rasterbase.Entry{ID: rasterbase.EntryID(p.entry.ID), Semantics: s, Code: p.code}
	if e.Expression, err = Expression(p.entry.Expression); err != nil {
		return e, err
	}
	e.Color, err = rasterbase.ParseColor(p.entry.Color)
	return e, err
}

// readSemantics reads the semantics by their ids. Names are unique in
// rasterbase: those that are alike in all become one.
func (im *importer) readSemantics(ctx context.Context) (map[int64]rasterbase.Semantics, error) {
	rows, err := readRows[semanticsRow](ctx, im.db, "raster_legendsemantics")
	if err != nil {
		return nil, err
	}
	byID, byName := map[int64]rasterbase.Semantics{}, map[string]rasterbase.Semantics{}
	for _, r := range rows {
		s := rasterbase.Semantics{ID: rasterbase.SemanticsID(r.ID), Name: r.Name, Description: r.Description, Keyword: r.Keyword}
		first, taken := byName[r.Name]
		switch {
		case taken && first.Description == s.Description && first.Keyword == s.Keyword:
			s = first
		case taken:
			s.Name = fmt.Sprintf("%s (%d)", r.Name, r.ID)
			im.warn("two semantics have the name %q: %d is called %q", r.Name, r.ID, s.Name)
		default:
			byName[r.Name] = s
		}
		byID[r.ID] = s
	}
	return byID, nil
}

// readPlaces reads the entries of each legend. How they belong to legends
// changed twice: by a plain table of pairs, by one with codes, and by a foreign
// key.
func (im *importer) readPlaces(ctx context.Context) (map[int64][]place, error) {
	entries, err := readRows[entryRow](ctx, im.db, "raster_legendentry")
	if err != nil {
		return nil, err
	}
	places, byID := map[int64][]place{}, map[int64]entryRow{}
	for _, e := range entries {
		byID[e.ID] = e
		if e.LegendID != nil {
			places[*e.LegendID] = append(places[*e.LegendID], place{e, e.Code})
		}
	}
	if im.db.tables["raster_legendentry"]["legend_id"] {
		return places, nil
	}
	for _, table := range []string{"raster_legendentryorder", "raster_legend_entries"} {
		links, err := readRows[linkRow](ctx, im.db, table)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			places[l.LegendID] = append(places[l.LegendID], place{byID[l.EntryID], l.Code})
		}
		if len(links) > 0 {
			break
		}
	}
	return places, nil
}

// saveLegends stores the legends that are not there.
func (im *importer) saveLegends(ctx context.Context, tx store.Tx) error {
	known, err := tx.Legends().List(ctx)
	if err != nil {
		return err
	}
	there := map[rasterbase.LegendID]string{}
	entries := map[rasterbase.EntryID]string{}
	for _, l := range known {
		there[l.ID] = l.Title
		for _, e := range l.Entries {
			entries[e.ID] = e.Semantics.Name
		}
	}
	var missing []*rasterbase.Legend
	for _, l := range im.legends {
		title, ok := there[l.ID]
		switch {
		case !ok:
			missing = append(missing, l)
		case !strings.EqualFold(title, l.Title):
			return taken("legend", int64(l.ID), title, l.Title)
		default: // what is there is of an import before
			for _, e := range l.Entries {
				delete(entries, e.ID)
			}
		}
	}
	if err := checkFree(ctx, tx, missing, entries); err != nil {
		return err
	}
	for _, l := range missing {
		made := *l
		if err := tx.Legends().Create(ctx, &made); err != nil {
			return err
		}
	}
	return nil
}

// checkFree refuses to change what other legends of the store show.
func checkFree(ctx context.Context, tx store.Tx, legends []*rasterbase.Legend, entries map[rasterbase.EntryID]string) error {
	for _, l := range legends {
		for _, e := range l.Entries {
			if name, ok := entries[e.ID]; ok {
				return taken("entry", int64(e.ID), name, e.Semantics.Name)
			}
			s, err := tx.Semantics().Get(ctx, e.Semantics.ID)
			switch {
			case errors.Is(err, store.ErrNotExist):
			case err != nil:
				return err
			case s.Name != e.Semantics.Name:
				return taken("semantics", int64(s.ID), s.Name, e.Semantics.Name)
			}
		}
	}
	return nil
}

// saveUnused stores the semantics that no legend has, but for those without a
// name and those whose id or name the store has for another one, which are
// counted.
func (im *importer) saveUnused(ctx context.Context, tx store.Tx) (left int, err error) {
	for _, s := range im.unused {
		there, err := tx.Semantics().Get(ctx, s.ID)
		switch {
		case err == nil && there.Name == s.Name:
			continue
		case err == nil:
			left++
			continue
		case !errors.Is(err, store.ErrNotExist):
			return left, err
		}
		err = tx.Semantics().Create(ctx, &s)
		switch rasterbase.CodeOf(err) {
		case rasterbase.Conflict, rasterbase.Invalid:
			left++
		default:
			if err != nil {
				return left, err
			}
		}
	}
	return left, nil
}
