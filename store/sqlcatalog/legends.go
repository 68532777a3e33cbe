package sqlcatalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type legends struct{ *Tx }

func noLegend(id rasterbase.LegendID) error { return store.NotFound("there is no legend %d", id) }

func (x legends) Create(ctx context.Context, l *rasterbase.Legend) error {
	n := *l
	if err := x.checkID(ctx, "legends", "legend", int64(n.ID)); err != nil {
		return err
	}
	if err := x.checkTitle(ctx, n.Title, 0); err != nil {
		return err
	}
	n.Updated = givenTime(n.ID != 0, n.Updated, x.now())
	id, err := x.insert(ctx, "legends", `title, title_key, updated`, int64(n.ID), []any{n.Title, caseless(n.Title), n.Updated})
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing legend %q", n.Title), "title")
	}
	n.ID = rasterbase.LegendID(id)
	if err := x.putEntries(ctx, &n, true); err != nil {
		return err
	}
	set(x.Tx, l, n)
	return nil
}

// checkTitle looks whether a legend can have a title.
func (x legends) checkTitle(ctx context.Context, title string, own rasterbase.LegendID) error {
	if strings.TrimSpace(title) == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "a legend needs a title").WithField("title")
	}
	taken, err := x.exists(ctx, `SELECT 1 FROM @legends WHERE title_key = ? AND id <> ?`, caseless(title), own)
	if err != nil {
		return fmt.Errorf("looking for legend %q: %w", title, err)
	}
	if taken {
		return rasterbase.Errorf(rasterbase.Conflict, "there is a legend %q already", title).WithField("title")
	}
	return nil
}

// putEntries stores the entries and sets their semantics as they are now.
// Semantics whose id is not there are made when that is allowed.
func (x legends) putEntries(ctx context.Context, l *rasterbase.Legend, mayMake bool) error {
	entries := make([]rasterbase.Entry, len(l.Entries))
	copy(entries, l.Entries)
	for i := range entries {
		e := &entries[i]
		if err := x.putSemantics(ctx, &e.Semantics, mayMake); err != nil {
			return err
		}
		c := e.Color
		color := int64(c.R)<<24 | int64(c.G)<<16 | int64(c.B)<<8 | int64(c.A)
		if _, err := x.exec(ctx, `INSERT INTO @legend_entries (legend_id, position, semantics_id, expression, color, code)
			VALUES (?, ?, ?, ?, ?, ?)`, l.ID, i, e.Semantics.ID, e.Expression, color, e.Code); err != nil {
			return fmt.Errorf("storing entry %d of legend %q: %w", i+1, l.Title, err)
		}
	}
	if l.Entries != nil {
		l.Entries = entries
	}
	return nil
}

// putSemantics finds or makes a semantics. One with an id is stored as given;
// one without is found by its name, and what it leaves empty stays.
func (x legends) putSemantics(ctx context.Context, s *rasterbase.Semantics, mayMake bool) (err error) {
	if s.ID == 0 {
		err = x.row(ctx, `INSERT INTO @semantics AS s (name, description, keyword) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET
				description = coalesce(nullif(excluded.description, ''), s.description),
				keyword = coalesce(nullif(excluded.keyword, ''), s.keyword)
			RETURNING id, description, keyword`, s.Name, s.Description, s.Keyword).Scan(&s.ID, &s.Description, &s.Keyword)
	} else {
		err = x.storeSemantics(ctx, s, mayMake)
	}
	if err == nil || rasterbase.CodeOf(err) != rasterbase.Internal {
		return err
	}
	return x.conflict(err, fmt.Sprintf("storing semantics %q", s.Name), "name")
}

// storeSemantics stores one with an id as given.
func (x legends) storeSemantics(ctx context.Context, s *rasterbase.Semantics, mayMake bool) error {
	if s.ID < 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "%d cannot be the id of a semantics", s.ID).WithField("id")
	}
	taken, err := x.exists(ctx, `SELECT 1 FROM @semantics WHERE name = ? AND id <> ?`, s.Name, s.ID)
	if err != nil {
		return err
	}
	if taken {
		return rasterbase.Errorf(rasterbase.Conflict, "there is a semantics %q already", s.Name).WithField("name")
	}
	n, err := x.exec(ctx, `UPDATE @semantics SET name = ?, description = ?, keyword = ? WHERE id = ?`,
		s.Name, s.Description, s.Keyword, s.ID)
	switch {
	case err != nil || n > 0:
		return err
	case !mayMake:
		return store.NotFound("there is no semantics %d", s.ID)
	}
	_, err = x.insert(ctx, "semantics", `name, description, keyword`, int64(s.ID), []any{s.Name, s.Description, s.Keyword})
	return err
}

func (x legends) Get(ctx context.Context, id rasterbase.LegendID) (*rasterbase.Legend, error) {
	return x.one(ctx, noLegend(id), ` WHERE id = ?`, id)
}

func (x legends) FindTitle(ctx context.Context, title string) (*rasterbase.Legend, error) {
	return x.one(ctx, store.NotFound("there is no legend %q", title), ` WHERE title_key = ?`, caseless(title))
}

func (x legends) List(ctx context.Context) ([]*rasterbase.Legend, error) {
	return x.find(ctx, ` ORDER BY title_key, id`)
}

func (x legends) one(ctx context.Context, missing error, where string, arg any) (*rasterbase.Legend, error) {
	found, err := x.find(ctx, where, arg)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, missing
	}
	return found[0], nil
}

func (x legends) find(ctx context.Context, where string, args ...any) ([]*rasterbase.Legend, error) {
	found, err := collect(ctx, x.Tx, func(row Row) (*rasterbase.Legend, error) {
		var l rasterbase.Legend
		err := row.Scan(&l.ID, &l.Title, (*Time)(&l.Updated))
		return &l, err
	}, `SELECT id, title, updated FROM @legends`+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading legends: %w", err)
	}
	for _, l := range found {
		l.Entries, err = collect(ctx, x.Tx, scanEntry, `SELECT s.id, s.name, s.description, s.keyword, e.expression, e.color, e.code
			FROM @legend_entries e JOIN @semantics s ON s.id = e.semantics_id WHERE e.legend_id = ? ORDER BY e.position`, l.ID)
		if err != nil {
			return nil, fmt.Errorf("reading legend %q: %w", l.Title, err)
		}
	}
	return found, nil
}

func scanEntry(row Row) (rasterbase.Entry, error) {
	var e rasterbase.Entry
	var c int64
	err := row.Scan(&e.Semantics.ID, &e.Semantics.Name, &e.Semantics.Description, &e.Semantics.Keyword, &e.Expression, &c, &e.Code)
	e.Color = rasterbase.Color{R: uint8(c >> 24), G: uint8(c >> 16), B: uint8(c >> 8), A: uint8(c)}
	return e, err
}

func (x legends) Update(ctx context.Context, l *rasterbase.Legend) error {
	n := *l
	if err := x.checkTitle(ctx, n.Title, n.ID); err != nil {
		return err
	}
	n.Updated = x.now()
	found, err := x.exec(ctx, `UPDATE @legends SET title = ?, title_key = ?, updated = ? WHERE id = ?`,
		n.Title, caseless(n.Title), n.Updated, n.ID)
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing legend %q", n.Title), "title")
	}
	if found == 0 {
		return noLegend(n.ID)
	}
	if _, err := x.exec(ctx, `DELETE FROM @legend_entries WHERE legend_id = ?`, n.ID); err != nil {
		return fmt.Errorf("storing legend %q: %w", n.Title, err)
	}
	if err := x.putEntries(ctx, &n, false); err != nil {
		return err
	}
	set(x.Tx, l, n)
	return nil
}

func (x legends) Delete(ctx context.Context, id rasterbase.LegendID) error {
	n, err := x.exec(ctx, `DELETE FROM @legends WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("deleting legend %d: %w", id, err)
	}
	if n == 0 {
		return noLegend(id)
	}
	return nil
}
