package sqlcatalog

import (
	"context"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type uploads struct{ *Tx }

const uploadColumns = `id, owner, source_id, name, size, metadata, created, expires`

func scanUpload(row Row) (*rasterbase.Upload, error) {
	var u rasterbase.Upload
	err := row.Scan(&u.ID, &u.Owner, &u.Source, &u.Name, &u.Size, &u.Metadata, (*Time)(&u.Created), (*Time)(&u.Expires))
	return &u, err
}

// noUpload does not repeat the id, which lets whoever knows it send pieces.
func noUpload() error { return store.NotFound("there is no such upload") }

func (x uploads) Create(ctx context.Context, u *rasterbase.Upload) error {
	n := *u
	if n.ID == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "an upload needs an id").WithField("id")
	}
	taken, err := x.exists(ctx, `SELECT 1 FROM @uploads WHERE id = ?`, n.ID)
	if err != nil {
		return fmt.Errorf("looking for an upload: %w", err)
	}
	if taken {
		return rasterbase.Errorf(rasterbase.Conflict, "there is an upload with this id already").WithField("id")
	}
	n.Created, n.Expires = givenTime(true, n.Created, x.now()), stored(n.Expires)
	if _, err := x.exec(ctx, `INSERT INTO @uploads (`+uploadColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		n.ID, n.Owner, n.Source, n.Name, n.Size, n.Metadata, n.Created, n.Expires); err != nil {
		return x.conflict(err, "storing an upload", "id")
	}
	set(x.Tx, u, n)
	return nil
}

func (x uploads) Get(ctx context.Context, id string) (*rasterbase.Upload, error) {
	u, err := scanUpload(x.row(ctx, `SELECT `+uploadColumns+` FROM @uploads WHERE id = ?`, id))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, noUpload()
	}
	if err != nil {
		return nil, fmt.Errorf("reading an upload: %w", err)
	}
	return u, nil
}

func (x uploads) List(ctx context.Context) ([]*rasterbase.Upload, error) {
	out, err := collect(ctx, x.Tx, scanUpload, `SELECT `+uploadColumns+` FROM @uploads ORDER BY created, id`)
	if err != nil {
		return nil, fmt.Errorf("listing uploads: %w", err)
	}
	return out, nil
}

func (x uploads) Update(ctx context.Context, u *rasterbase.Upload) error {
	n, err := x.exec(ctx, `UPDATE @uploads SET name = ?, size = ?, metadata = ?, expires = ? WHERE id = ?`,
		u.Name, u.Size, u.Metadata, u.Expires, u.ID)
	if err != nil {
		return fmt.Errorf("storing an upload: %w", err)
	}
	if n == 0 {
		return noUpload()
	}
	return nil
}

func (x uploads) Delete(ctx context.Context, id string) error {
	if _, err := x.exec(ctx, `DELETE FROM @uploads WHERE id = ?`, id); err != nil {
		return fmt.Errorf("deleting an upload: %w", err)
	}
	return nil
}
