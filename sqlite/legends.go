package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type legends struct{ *tx }

func noLegend(id rasterbase.LegendID) error { return store.NotFound("there is no legend %d", id) }

func (x legends) Create(ctx context.Context, l *rasterbase.Legend) error {
	n := *l
	if err := checkTitle(n.Title); err != nil {
		return err
	}
	n.Updated = x.db.now()
	id, err := x.insert(ctx, `INSERT INTO legends (title, title_key, updated) VALUES (?, ?, ?)`,
		n.Title, caseless(n.Title), n.Updated.UnixMicro())
	if err != nil {
		return titleError(err, n.Title)
	}
	n.ID = rasterbase.LegendID(id)
	if err := x.putEntries(ctx, &n); err != nil {
		return err
	}
	*l = n
	return nil
}

func checkTitle(title string) error {
	if strings.TrimSpace(title) == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "a legend needs a title").WithField("title")
	}
	return nil
}

func titleError(err error, title string) error {
	if isUnique(err) {
		return rasterbase.Errorf(rasterbase.Conflict, "there is a legend %q already", title).WithField("title")
	}
	return fmt.Errorf("storing legend %q: %w", title, err)
}

// putEntries stores the entries and sets their semantics as they are now.
func (x legends) putEntries(ctx context.Context, l *rasterbase.Legend) error {
	entries := make([]rasterbase.Entry, len(l.Entries))
	copy(entries, l.Entries)
	for i := range entries {
		e := &entries[i]
		if err := x.putSemantics(ctx, &e.Semantics); err != nil {
			return err
		}
		c := e.Color
		color := int64(c.R)<<24 | int64(c.G)<<16 | int64(c.B)<<8 | int64(c.A)
		if _, err := x.change(ctx, `INSERT INTO legend_entries (legend_id, position, semantics_id, expression, color, code)
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
func (x legends) putSemantics(ctx context.Context, s *rasterbase.Semantics) error {
	var err error
	if s.ID != 0 {
		var n int64
		n, err = x.change(ctx, `UPDATE semantics SET name = ?, description = ?, keyword = ? WHERE id = ?`,
			s.Name, s.Description, s.Keyword, s.ID)
		if err == nil && n == 0 {
			return store.NotFound("there is no semantics %d", s.ID)
		}
	} else {
		err = x.QueryRowContext(ctx, `INSERT INTO semantics (name, description, keyword) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET
				description = coalesce(nullif(excluded.description, ''), description),
				keyword = coalesce(nullif(excluded.keyword, ''), keyword)
			RETURNING id, description, keyword`, s.Name, s.Description, s.Keyword).Scan(&s.ID, &s.Description, &s.Keyword)
	}
	if isUnique(err) {
		return rasterbase.Errorf(rasterbase.Conflict, "there is a semantics %q already", s.Name).WithField("name")
	}
	if err != nil {
		return fmt.Errorf("storing semantics %q: %w", s.Name, err)
	}
	return nil
}

func (x legends) Get(ctx context.Context, id rasterbase.LegendID) (*rasterbase.Legend, error) {
	return x.one(ctx, noLegend(id), `id = ?`, id)
}

func (x legends) FindTitle(ctx context.Context, title string) (*rasterbase.Legend, error) {
	return x.one(ctx, store.NotFound("there is no legend %q", title), `title_key = ?`, caseless(title))
}

func (x legends) List(ctx context.Context) ([]*rasterbase.Legend, error) {
	return x.query(ctx, `1 ORDER BY title_key, id`)
}

func (x legends) one(ctx context.Context, missing error, where string, arg any) (*rasterbase.Legend, error) {
	found, err := x.query(ctx, where, arg)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, missing
	}
	return found[0], nil
}

func (x legends) query(ctx context.Context, where string, args ...any) ([]*rasterbase.Legend, error) {
	found, err := collect(ctx, x.tx, func(row scanner) (*rasterbase.Legend, error) {
		var l rasterbase.Legend
		var updated sql.NullInt64
		err := row.Scan(&l.ID, &l.Title, &updated)
		l.Updated = timeOf(updated)
		return &l, err
	}, `SELECT id, title, updated FROM legends WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading legends: %w", err)
	}
	for _, l := range found {
		l.Entries, err = collect(ctx, x.tx, scanEntry, `SELECT s.id, s.name, s.description, s.keyword, e.expression, e.color, e.code
			FROM legend_entries e JOIN semantics s ON s.id = e.semantics_id WHERE e.legend_id = ? ORDER BY e.position`, l.ID)
		if err != nil {
			return nil, fmt.Errorf("reading legend %q: %w", l.Title, err)
		}
	}
	return found, nil
}

func scanEntry(row scanner) (rasterbase.Entry, error) {
	var e rasterbase.Entry
	var c uint32
	err := row.Scan(&e.Semantics.ID, &e.Semantics.Name, &e.Semantics.Description, &e.Semantics.Keyword, &e.Expression, &c, &e.Code)
	e.Color = rasterbase.Color{R: uint8(c >> 24), G: uint8(c >> 16), B: uint8(c >> 8), A: uint8(c)}
	return e, err
}

func (x legends) Update(ctx context.Context, l *rasterbase.Legend) error {
	n := *l
	if err := checkTitle(n.Title); err != nil {
		return err
	}
	n.Updated = x.db.now()
	found, err := x.change(ctx, `UPDATE legends SET title = ?, title_key = ?, updated = ? WHERE id = ?`,
		n.Title, caseless(n.Title), n.Updated.UnixMicro(), n.ID)
	if err != nil {
		return titleError(err, n.Title)
	}
	if found == 0 {
		return noLegend(n.ID)
	}
	if _, err := x.change(ctx, `DELETE FROM legend_entries WHERE legend_id = ?`, n.ID); err != nil {
		return fmt.Errorf("storing legend %q: %w", n.Title, err)
	}
	if err := x.putEntries(ctx, &n); err != nil {
		return err
	}
	*l = n
	return nil
}

func (x legends) Delete(ctx context.Context, id rasterbase.LegendID) error {
	n, err := x.change(ctx, `DELETE FROM legends WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("deleting legend %d: %w", id, err)
	}
	if n == 0 {
		return noLegend(id)
	}
	return nil
}
