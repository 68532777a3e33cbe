package sqlcatalog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type exports struct{ *Tx }

const (
	exportNames   = `owner, request, layers, status, error, planned, done, file_name, size, source_id, started, ended, expires, created`
	exportColumns = `id, ` + exportNames
)

func scanExport(row Row) (*rasterbase.Export, error) {
	var e rasterbase.Export
	var request []byte
	var layers string
	err := row.Scan(&e.ID, &e.Owner, &request, &layers, &e.Status, &e.Error, &e.Planned, &e.Done, &e.FileName, &e.Size, &e.Source,
		(*Time)(&e.Started), (*Time)(&e.Ended), (*Time)(&e.Expires), (*Time)(&e.Created))
	if err != nil {
		return nil, err
	}
	if len(request) > 0 {
		e.Request = request
	}
	if err := json.Unmarshal([]byte(layers), &e.Layers); err != nil {
		return nil, fmt.Errorf("decoding the layers of an export: %w", err)
	}
	return &e, nil
}

func noExport(id rasterbase.ExportID) error { return store.NotFound("there is no export %d", id) }

func (x exports) Create(ctx context.Context, e *rasterbase.Export) error {
	n := *e
	if err := x.checkID(ctx, "exports", "export", int64(n.ID)); err != nil {
		return err
	}
	n.Created = givenTime(n.ID != 0, n.Created, x.now())
	n.Started, n.Ended, n.Expires = stored(n.Started), stored(n.Ended), stored(n.Expires)
	layers, err := x.list(n.Layers)
	if err != nil {
		return err
	}
	id, err := x.insert(ctx, "exports", exportNames, int64(n.ID), []any{n.Owner, append([]byte{}, n.Request...), layers, n.Status, n.Error,
		n.Planned, n.Done, n.FileName, n.Size, n.Source, n.Started, n.Ended, n.Expires, n.Created})
	if err != nil {
		return x.conflict(err, "storing an export", "id")
	}
	n.ID = rasterbase.ExportID(id)
	set(x.Tx, e, n)
	return nil
}

func (x exports) Get(ctx context.Context, id rasterbase.ExportID) (*rasterbase.Export, error) {
	e, err := scanExport(x.row(ctx, `SELECT `+exportColumns+` FROM @exports WHERE id = ?`, id))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, noExport(id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading export %d: %w", id, err)
	}
	return e, nil
}

func (x exports) List(ctx context.Context, owner string) (list []*rasterbase.Export, err error) {
	const query = `SELECT ` + exportColumns + ` FROM @exports`
	if owner == "" {
		list, err = collect(ctx, x.Tx, scanExport, query+` ORDER BY id DESC`)
	} else {
		list, err = collect(ctx, x.Tx, scanExport, query+` WHERE owner = ? ORDER BY id DESC`, owner)
	}
	if err != nil {
		return nil, fmt.Errorf("listing exports: %w", err)
	}
	return list, nil
}

func (x exports) Update(ctx context.Context, e *rasterbase.Export) error {
	n, err := x.exec(ctx, `UPDATE @exports SET status = ?, error = ?, planned = ?, done = ?, file_name = ?, size = ?, source_id = ?,
		started = ?, ended = ?, expires = ? WHERE id = ?`,
		e.Status, e.Error, e.Planned, e.Done, e.FileName, e.Size, e.Source, stored(e.Started), stored(e.Ended), stored(e.Expires), e.ID)
	if err != nil {
		return fmt.Errorf("storing export %d: %w", e.ID, err)
	}
	if n == 0 {
		return noExport(e.ID)
	}
	return nil
}

func (x exports) Delete(ctx context.Context, id rasterbase.ExportID) error {
	if _, err := x.exec(ctx, `DELETE FROM @exports WHERE id = ?`, id); err != nil {
		return fmt.Errorf("deleting export %d: %w", id, err)
	}
	return nil
}
