package sqlcatalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func noEntry(id rasterbase.EntryID) error { return store.NotFound("there is no entry %d", id) }

// place is where an entry stands in a legend.
type place struct {
	entry rasterbase.EntryID
	code  string
}

// places are the entries of a legend in their order.
func (x legends) places(ctx context.Context, id rasterbase.LegendID) ([]place, error) {
	list, err := collect(ctx, x.Tx, func(row Row) (p place, err error) {
		err = row.Scan(&p.entry, &p.code)
		return p, err
	}, `SELECT entry_id, code FROM @legend_entries WHERE legend_id = ? ORDER BY position`, id)
	if err != nil {
		return nil, fmt.Errorf("reading the entries of legend %d: %w", id, err)
	}
	return list, nil
}

// content is what is stored of an entry for all legends that it stands in.
type content struct {
	semantics  rasterbase.SemanticsID
	expression string
	color      int64 // red, green, blue, alpha from the high byte down
}

// storedEntry is an entry as it is stored.
type storedEntry struct {
	id rasterbase.EntryID
	content
}

func (x legends) contentOf(e rasterbase.Entry) content {
	c := e.Color
	return content{e.Semantics.ID, x.text(e.Expression), int64(c.R)<<24 | int64(c.G)<<16 | int64(c.B)<<8 | int64(c.A)}
}

func (c content) values() []any { return []any{c.semantics, c.expression, c.color} }

const entryColumns = `id, semantics_id, expression, color`

func scanEntry(row Row) (e storedEntry, err error) {
	err = row.Scan(&e.id, &e.semantics, &e.expression, &e.color)
	return e, err
}

// scanPlace reads an entry and the legend that it stands in.
func scanPlace(row Row) (id rasterbase.LegendID, e rasterbase.Entry, err error) {
	var c int64
	err = row.Scan(&id, &e.ID, &e.Semantics.ID, &e.Semantics.Name, &e.Semantics.Description, &e.Semantics.Keyword, &e.Expression, &c, &e.Code)
	e.Color = rasterbase.Color{R: uint8(c >> 24), G: uint8(c >> 16), B: uint8(c >> 8), A: uint8(c)}
	return id, e, err
}

// putEntries stores the entries of a legend that had others before, and sets
// their ids and their semantics as they are now. Entries and semantics whose id
// is not there are made when that is allowed.
func (x legends) putEntries(ctx context.Context, l *rasterbase.Legend, before []place, mayMake bool) error {
	entries := slices.Clone(l.Entries)
	if err := checkEntries(entries); err != nil {
		return err
	}
	meant, err := x.putSemantics(ctx, entries, mayMake)
	if err != nil {
		return err
	}
	changed, err := x.storeEntries(ctx, entries, mayMake)
	if err != nil {
		return err
	}
	if err := x.putPlaces(ctx, l, entries, before); err != nil {
		return fmt.Errorf("storing the entries of legend %q: %w", l.Title, err)
	}
	if err := x.touch(ctx, meant, changed, l.ID); err != nil {
		return err
	}
	if l.Entries != nil {
		l.Entries = entries
	}
	return nil
}

// checkEntries refuses ids that cannot be, and an entry that stands in a legend
// twice.
func checkEntries(entries []rasterbase.Entry) error {
	seen := map[rasterbase.EntryID]bool{}
	for _, e := range entries {
		switch {
		case e.ID < 0:
			return rasterbase.Errorf(rasterbase.Invalid, "%d cannot be the id of an entry", e.ID).WithField("entries")
		case e.ID != 0 && seen[e.ID]:
			return rasterbase.Errorf(rasterbase.Invalid, "entry %d is there twice", e.ID).
				WithHint("leave out the id of one of them: it becomes an entry of its own").WithField("entries")
		}
		seen[e.ID] = true
	}
	return nil
}

// storeEntries stores entries for all legends, sets the ids of new ones, and
// gives those that were changed.
func (x legends) storeEntries(ctx context.Context, entries []rasterbase.Entry, mayMake bool) (changed []rasterbase.EntryID, err error) {
	there, err := x.storedEntries(ctx, entries)
	if err != nil {
		return nil, err
	}
	var put []storedEntry
	last := int64(0)
	for _, e := range entries {
		if e.ID == 0 {
			continue
		}
		now := storedEntry{e.ID, x.contentOf(e)}
		switch was, ok := there[e.ID]; {
		case ok && was == now.content:
			continue
		case ok:
			changed = append(changed, e.ID)
		case !mayMake:
			return nil, noEntry(e.ID)
		default:
			last = max(last, int64(e.ID))
		}
		put = append(put, now)
	}
	err = putRows(ctx, x.Tx, put, func(e storedEntry) []any { return append([]any{e.id}, e.values()...) },
		`INSERT INTO @entries (`+entryColumns+`) VALUES`,
		` ON CONFLICT (id) DO UPDATE SET semantics_id = excluded.semantics_id, expression = excluded.expression, color = excluded.color`)
	if err == nil && last > 0 {
		err = x.c.d.IDGiven(ctx, x.conn, "entries", last)
	}
	if err == nil {
		err = x.makeEntries(ctx, entries)
	}
	if err != nil {
		return nil, fmt.Errorf("storing entries: %w", err)
	}
	return changed, nil
}

// storedEntries reads those that have an id.
func (x legends) storedEntries(ctx context.Context, entries []rasterbase.Entry) (map[rasterbase.EntryID]content, error) {
	var ids []rasterbase.EntryID
	for _, e := range entries {
		if e.ID != 0 {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	among, err := x.list(ids)
	if err != nil {
		return nil, err
	}
	rows, err := collect(ctx, x.Tx, scanEntry, `SELECT `+entryColumns+` FROM @entries WHERE `+x.c.d.InIDs("id"), among)
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	there := make(map[rasterbase.EntryID]content, len(rows))
	for _, r := range rows {
		there[r.id] = r.content
	}
	return there, nil
}

// makeEntries makes the entries without an id. No database promises to give the
// new ids in the order of the rows, so they are known by what is stored of them.
func (x legends) makeEntries(ctx context.Context, entries []rasterbase.Entry) error {
	var contents []content
	for _, e := range entries {
		if e.ID == 0 {
			contents = append(contents, x.contentOf(e))
		}
	}
	made, err := makeRows(ctx, x.Tx, contents, content.values, scanEntry,
		`INSERT INTO @entries (semantics_id, expression, color) VALUES`, ` RETURNING `+entryColumns)
	if err != nil {
		return err
	}
	slices.SortFunc(made, func(a, b storedEntry) int { return cmp.Compare(a.id, b.id) })
	ids := map[content][]rasterbase.EntryID{}
	for _, e := range made {
		ids[e.content] = append(ids[e.content], e.id)
	}
	for i := range entries {
		if entries[i].ID == 0 {
			c := x.contentOf(entries[i])
			if len(ids[c]) == 0 {
				return fmt.Errorf("entry %d was stored as another one", i+1)
			}
			entries[i].ID, ids[c] = ids[c][0], ids[c][1:]
		}
	}
	return nil
}

// putPlaces stores which entries a legend has, and deletes those that it had
// before and that no legend has any more.
func (x legends) putPlaces(ctx context.Context, l *rasterbase.Legend, entries []rasterbase.Entry, before []place) error {
	places, stay := make([]place, len(entries)), make(map[rasterbase.EntryID]bool, len(entries))
	for i, e := range entries {
		places[i], stay[e.ID] = place{e.ID, x.text(e.Code)}, true
	}
	if slices.Equal(places, before) {
		return nil
	}
	if len(before) > 0 {
		if _, err := x.exec(ctx, `DELETE FROM @legend_entries WHERE legend_id = ?`, l.ID); err != nil {
			return err
		}
	}
	position := 0
	err := putRows(ctx, x.Tx, places, func(p place) []any {
		position++
		return []any{l.ID, position - 1, p.entry, p.code}
	}, `INSERT INTO @legend_entries (legend_id, position, entry_id, code) VALUES`, ``)
	if err != nil {
		return err
	}
	return x.dropUnused(ctx, slices.DeleteFunc(before, func(p place) bool { return stay[p.entry] }))
}

// dropUnused deletes those of some entries that stand in no legend any more.
func (x legends) dropUnused(ctx context.Context, places []place) error {
	if len(places) == 0 {
		return nil
	}
	ids := make([]rasterbase.EntryID, len(places))
	for i, p := range places {
		ids[i] = p.entry
	}
	among, err := x.list(ids)
	if err != nil {
		return err
	}
	_, err = x.exec(ctx, `DELETE FROM @entries AS e WHERE `+x.c.d.InIDs("e.id")+
		` AND NOT EXISTS (SELECT 1 FROM @legend_entries p WHERE p.entry_id = e.id)`, among)
	if err != nil {
		return fmt.Errorf("deleting entries: %w", err)
	}
	return nil
}

// touch notes that the legends were changed which show these semantics and
// entries, but for one.
func (x legends) touch(ctx context.Context, meant []rasterbase.SemanticsID, changed []rasterbase.EntryID, but rasterbase.LegendID) error {
	now := x.now()
	touch := func(which string, ids any) error {
		among, err := x.list(ids)
		if err != nil {
			return err
		}
		_, err = x.exec(ctx, `UPDATE @legends SET updated = ? WHERE id <> ? AND id IN (`+which+`)`, now, but, among)
		if err != nil {
			return fmt.Errorf("noting which legends were changed: %w", err)
		}
		return nil
	}
	if len(changed) > 0 {
		if err := touch(`SELECT legend_id FROM @legend_entries WHERE `+x.c.d.InIDs("entry_id"), changed); err != nil {
			return err
		}
	}
	if len(meant) == 0 {
		return nil
	}
	return touch(`SELECT p.legend_id FROM @legend_entries p JOIN @entries e ON e.id = p.entry_id WHERE `+x.c.d.InIDs("e.semantics_id"), meant)
}
