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
	gradient, err := x.gradient(&n)
	if err != nil {
		return err
	}
	n.Updated = givenTime(n.ID != 0, n.Updated, x.now())
	id, err := x.insert(ctx, "legends", `title, title_key, updated, gradient`, int64(n.ID), []any{n.Title, caseless(n.Title), n.Updated, gradient})
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing legend %q", n.Title), "title")
	}
	n.ID = rasterbase.LegendID(id)
	if err := x.putEntries(ctx, &n, nil, true); err != nil {
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

// find reads legends, and their entries at once.
func (x legends) find(ctx context.Context, where string, args ...any) ([]*rasterbase.Legend, error) {
	found, err := collect(ctx, x.Tx, scanLegend, `SELECT id, title, updated, gradient FROM @legends`+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading legends: %w", err)
	}
	byID := make(map[rasterbase.LegendID]*rasterbase.Legend, len(found))
	for _, l := range found {
		byID[l.ID] = l
	}
	const query = `SELECT p.legend_id, e.id, s.id, s.name, s.description, s.keyword, e.expression, e.color, p.code
		FROM @legend_entries p JOIN @entries e ON e.id = p.entry_id JOIN @semantics s ON s.id = e.semantics_id`
	add := func(row Row) (none struct{}, err error) {
		id, e, err := scanPlace(row)
		if l := byID[id]; l != nil && err == nil {
			l.Entries = append(l.Entries, e)
		}
		return none, err
	}
	switch len(found) {
	case 0:
	case 1:
		_, err = collect(ctx, x.Tx, add, query+` WHERE p.legend_id = ? ORDER BY p.position`, found[0].ID)
	default:
		_, err = collect(ctx, x.Tx, add, query+` ORDER BY p.legend_id, p.position`)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the entries of legends: %w", err)
	}
	return found, nil
}

func scanLegend(row Row) (*rasterbase.Legend, error) {
	var l rasterbase.Legend
	var gradient []byte
	if err := row.Scan(&l.ID, &l.Title, (*Time)(&l.Updated), &gradient); err != nil || gradient == nil {
		return &l, err
	}
	var err error
	if l.Gradient, err = decodeGradient(gradient); err != nil {
		return nil, fmt.Errorf("legend %q: %w", l.Title, err)
	}
	return &l, nil
}

// gradient is a legend's gradient as it is stored.
func (x legends) gradient(l *rasterbase.Legend) (any, error) {
	if l.Gradient == nil {
		return nil, nil
	}
	if len(l.Entries) > 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a legend has entries or a gradient, and not both").WithField("entries")
	}
	b, err := x.document(gradientDocumentOf(l.Gradient))
	if err != nil {
		return nil, fmt.Errorf("encoding the gradient of legend %q: %w", l.Title, err)
	}
	return b, nil
}

func (x legends) Update(ctx context.Context, l *rasterbase.Legend) error {
	n := *l
	if err := x.checkTitle(ctx, n.Title, n.ID); err != nil {
		return err
	}
	gradient, err := x.gradient(&n)
	if err != nil {
		return err
	}
	n.Updated = x.now()
	found, err := x.exec(ctx, `UPDATE @legends SET title = ?, title_key = ?, updated = ?, gradient = ? WHERE id = ?`,
		n.Title, caseless(n.Title), n.Updated, gradient, n.ID)
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing legend %q", n.Title), "title")
	}
	if found == 0 {
		return noLegend(n.ID)
	}
	before, err := x.places(ctx, n.ID)
	if err != nil {
		return err
	}
	if err := x.putEntries(ctx, &n, before, false); err != nil {
		return err
	}
	set(x.Tx, l, n)
	return nil
}

func (x legends) Delete(ctx context.Context, id rasterbase.LegendID) error {
	before, err := x.places(ctx, id)
	if err != nil {
		return err
	}
	n, err := x.exec(ctx, `DELETE FROM @legends WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("deleting legend %d: %w", id, err)
	}
	if n == 0 {
		return noLegend(id)
	}
	return x.dropUnused(ctx, before)
}
