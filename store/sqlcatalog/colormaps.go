package sqlcatalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type colormaps struct{ *Tx }

const colormapColumns = `owner, name, json, updated`

func scanColormap(row Row) (*rasterbase.UserColormap, error) {
	var m rasterbase.UserColormap
	err := row.Scan(&m.Owner, &m.Name, &m.JSON, (*Time)(&m.Updated))
	return &m, err
}

func noColormap(owner, name string) error {
	return store.NotFound("%s keeps no colormap %q", owner, name)
}

func (x colormaps) Get(ctx context.Context, owner, name string) (*rasterbase.UserColormap, error) {
	m, err := scanColormap(x.row(ctx, `SELECT `+colormapColumns+` FROM @colormaps WHERE owner = ? AND name_key = ?`, owner, caseless(name)))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, noColormap(owner, name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading colormap %q of %s: %w", name, owner, err)
	}
	return m, nil
}

func (x colormaps) List(ctx context.Context, owner string) (list []*rasterbase.UserColormap, err error) {
	const query = `SELECT ` + colormapColumns + ` FROM @colormaps`
	if owner == "" {
		list, err = collect(ctx, x.Tx, scanColormap, query+` ORDER BY owner, name_key`)
	} else {
		list, err = collect(ctx, x.Tx, scanColormap, query+` WHERE owner = ? ORDER BY name_key`, owner)
	}
	if err != nil {
		return nil, fmt.Errorf("listing colormaps: %w", err)
	}
	return list, nil
}

func (x colormaps) Put(ctx context.Context, m *rasterbase.UserColormap) error {
	switch {
	case m.Owner == "":
		return rasterbase.Errorf(rasterbase.Invalid, "a colormap needs somebody who keeps it").WithField("owner")
	case strings.TrimSpace(m.Name) == "":
		return rasterbase.Errorf(rasterbase.Invalid, "a colormap needs a name").WithField("name")
	}
	updated := givenTime(true, m.Updated, x.now())
	_, err := x.exec(ctx, `INSERT INTO @colormaps (owner, name, name_key, json, updated) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (owner, name_key) DO UPDATE SET name = excluded.name, json = excluded.json, updated = excluded.updated`,
		m.Owner, m.Name, caseless(m.Name), append([]byte{}, m.JSON...), updated)
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing colormap %q of %s", m.Name, m.Owner), "name")
	}
	set(x.Tx, &m.Updated, updated)
	return nil
}

func (x colormaps) Delete(ctx context.Context, owner, name string) error {
	n, err := x.exec(ctx, `DELETE FROM @colormaps WHERE owner = ? AND name_key = ?`, owner, caseless(name))
	if err != nil {
		return fmt.Errorf("deleting colormap %q of %s: %w", name, owner, err)
	}
	if n == 0 {
		return noColormap(owner, name)
	}
	return nil
}

// keeps reports whether somebody keeps a colormap.
func (x colormaps) keeps(ctx context.Context, owner string) (bool, error) {
	return x.exists(ctx, `SELECT 1 FROM @colormaps WHERE owner = ?`, owner)
}

// give makes somebody's colormaps another one's, instead of those of the same
// names that that one has.
func (x colormaps) give(ctx context.Context, owner, to string) error {
	if has, err := x.keeps(ctx, owner); err != nil || !has || owner == to {
		return err
	}
	_, err := x.exec(ctx, `DELETE FROM @colormaps WHERE owner = ? AND name_key IN (SELECT name_key FROM @colormaps WHERE owner = ?)`, to, owner)
	if err != nil {
		return err
	}
	_, err = x.exec(ctx, `UPDATE @colormaps SET owner = ? WHERE owner = ?`, to, owner)
	return err
}

// drop deletes all colormaps that somebody keeps.
func (x colormaps) drop(ctx context.Context, owner string) error {
	if has, err := x.keeps(ctx, owner); err != nil || !has {
		return err
	}
	_, err := x.exec(ctx, `DELETE FROM @colormaps WHERE owner = ?`, owner)
	return err
}
