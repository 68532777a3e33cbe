package sqlcatalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type semantics struct{ *Tx }

const semanticsColumns = `id, name, description, keyword`

func scanSemantics(row Row) (s rasterbase.Semantics, err error) {
	err = row.Scan(&s.ID, &s.Name, &s.Description, &s.Keyword)
	return s, err
}

func noSemantics(id rasterbase.SemanticsID) error {
	return store.NotFound("there is no semantics %d", id)
}

func semanticsTaken(name string) error {
	return rasterbase.Errorf(rasterbase.Conflict, "there is a semantics %q already", name).WithField("name")
}

func (x semantics) Create(ctx context.Context, s *rasterbase.Semantics) error {
	n := *s
	if err := x.checkID(ctx, "semantics", "semantics", int64(n.ID)); err != nil {
		return err
	}
	if err := x.checkName(ctx, n.Name, 0); err != nil {
		return err
	}
	id, err := x.insert(ctx, "semantics", `name, description, keyword`, int64(n.ID), []any{n.Name, n.Description, n.Keyword})
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing semantics %q", n.Name), "name")
	}
	n.ID = rasterbase.SemanticsID(id)
	set(x.Tx, s, n)
	return nil
}

// checkName looks whether a semantics can have a name.
func (x semantics) checkName(ctx context.Context, name string, own rasterbase.SemanticsID) error {
	if strings.TrimSpace(name) == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "a semantics needs a name").WithField("name")
	}
	taken, err := x.exists(ctx, `SELECT 1 FROM @semantics WHERE name = ? AND id <> ?`, name, own)
	if err != nil {
		return fmt.Errorf("looking for semantics %q: %w", name, err)
	}
	if taken {
		return semanticsTaken(name)
	}
	return nil
}

func (x semantics) Get(ctx context.Context, id rasterbase.SemanticsID) (*store.SemanticsUse, error) {
	s, err := x.read(ctx, id)
	if err != nil {
		return nil, err
	}
	uses, err := x.uses(ctx, ` WHERE e.semantics_id = ?`, id)
	if err != nil {
		return nil, err
	}
	return &store.SemanticsUse{Semantics: s, Legends: uses[id]}, nil
}

func (x semantics) read(ctx context.Context, id rasterbase.SemanticsID) (rasterbase.Semantics, error) {
	s, err := scanSemantics(x.row(ctx, `SELECT `+semanticsColumns+` FROM @semantics WHERE id = ?`, id))
	if err != nil && x.c.d.IsNoRows(err) {
		return s, noSemantics(id)
	}
	if err != nil {
		return s, fmt.Errorf("reading semantics %d: %w", id, err)
	}
	return s, nil
}

func (x semantics) List(ctx context.Context) ([]*store.SemanticsUse, error) {
	list, err := collect(ctx, x.Tx, func(row Row) (*store.SemanticsUse, error) {
		s, err := scanSemantics(row)
		return &store.SemanticsUse{Semantics: s}, err
	}, `SELECT `+semanticsColumns+` FROM @semantics ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing semantics: %w", err)
	}
	uses, err := x.uses(ctx, ``)
	if err != nil {
		return nil, err
	}
	keys := make(map[rasterbase.SemanticsID]string, len(list)) // no database folds case as we do
	for _, s := range list {
		s.Legends, keys[s.ID] = uses[s.ID], caseless(s.Name)
	}
	slices.SortStableFunc(list, func(a, b *store.SemanticsUse) int { return strings.Compare(keys[a.ID], keys[b.ID]) })
	return list, nil
}

// uses tells in which legends semantics are.
func (x semantics) uses(ctx context.Context, where string, args ...any) (map[rasterbase.SemanticsID][]rasterbase.Legend, error) {
	uses := map[rasterbase.SemanticsID][]rasterbase.Legend{}
	_, err := collect(ctx, x.Tx, func(row Row) (none struct{}, err error) {
		var s rasterbase.SemanticsID
		var l rasterbase.Legend
		if err := row.Scan(&s, &l.ID, &l.Title); err != nil {
			return none, err
		}
		uses[s] = append(uses[s], l)
		return none, nil
	}, `SELECT u.semantics_id, l.id, l.title FROM
		(SELECT DISTINCT e.semantics_id, p.legend_id FROM @entries e JOIN @legend_entries p ON p.entry_id = e.id`+where+`) u
		JOIN @legends l ON l.id = u.legend_id ORDER BY l.title_key, l.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("looking for the legends of semantics: %w", err)
	}
	return uses, nil
}

func (x semantics) Update(ctx context.Context, s *rasterbase.Semantics) error {
	was, err := x.read(ctx, s.ID)
	if err != nil {
		return err
	}
	if err := x.checkName(ctx, s.Name, s.ID); err != nil {
		return err
	}
	if x.sameSemantics(was, *s) {
		return nil
	}
	_, err = x.exec(ctx, `UPDATE @semantics SET name = ?, description = ?, keyword = ? WHERE id = ?`, s.Name, s.Description, s.Keyword, s.ID)
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing semantics %q", s.Name), "name")
	}
	return legends{x.Tx}.touch(ctx, []rasterbase.SemanticsID{s.ID}, nil, 0)
}

// sameSemantics reports whether a semantics would be stored as it is.
func (t *Tx) sameSemantics(was, s rasterbase.Semantics) bool {
	return was.Name == t.text(s.Name) && was.Description == t.text(s.Description) && was.Keyword == t.text(s.Keyword)
}

// namedLegends is how many legends an error names.
const namedLegends = 3

func (x semantics) Delete(ctx context.Context, id rasterbase.SemanticsID) error {
	s, err := x.Get(ctx, id)
	if err != nil {
		return err
	}
	if n := len(s.Legends); n > 0 {
		var titles []string
		for _, l := range s.Legends[:min(n, namedLegends)] {
			titles = append(titles, fmt.Sprintf("%q", l.Title))
		}
		if n > namedLegends {
			titles = append(titles, fmt.Sprintf("%d more", n-namedLegends))
		}
		return rasterbase.Errorf(rasterbase.Conflict, "entries have the semantics %q, in legends: %s", s.Name, strings.Join(titles, ", ")).
			WithHint("give these entries another semantics first")
	}
	if _, err := x.exec(ctx, `DELETE FROM @semantics WHERE id = ?`, id); err != nil {
		return fmt.Errorf("deleting semantics %d: %w", id, err)
	}
	return nil
}
