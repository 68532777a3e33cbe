package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type parses struct{ *tx }

const parseColumns = `id, layer_id, revision_id, status, error, planned, done, created, started, ended`

func scanParse(row scanner) (*rasterbase.Parse, error) {
	var p rasterbase.Parse
	var created, started, ended sql.NullInt64
	err := row.Scan(&p.ID, &p.Layer, &p.Revision, &p.Status, &p.Error, &p.Planned, &p.Done, &created, &started, &ended)
	p.Created, p.Started, p.Ended = timeOf(created), timeOf(started), timeOf(ended)
	return &p, err
}

func noParse(id rasterbase.ParseID) error { return store.NotFound("there is no parse %d", id) }

func (x parses) Create(ctx context.Context, p *rasterbase.Parse) error {
	if _, err := (layers{x.tx}).Get(ctx, p.Layer); err != nil {
		return err
	}
	created := x.db.now()
	id, err := x.insert(ctx, `INSERT INTO parses (layer_id, revision_id, status, error, planned, done, created, started, ended)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, p.Layer, p.Revision, string(p.Status), p.Error, p.Planned, p.Done,
		created.UnixMicro(), micros(p.Started), micros(p.Ended))
	if err != nil {
		return fmt.Errorf("storing a parse: %w", err)
	}
	p.ID, p.Created = rasterbase.ParseID(id), created
	return nil
}

func (x parses) Get(ctx context.Context, id rasterbase.ParseID) (*rasterbase.Parse, error) {
	p, err := scanParse(x.QueryRowContext(ctx, `SELECT `+parseColumns+` FROM parses WHERE id = ?`, id))
	if isNoRows(err) {
		return nil, noParse(id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading parse %d: %w", id, err)
	}
	return p, nil
}

func (x parses) Latest(ctx context.Context, layer rasterbase.LayerID) (*rasterbase.Parse, error) {
	p, err := scanParse(x.QueryRowContext(ctx,
		`SELECT `+parseColumns+` FROM parses WHERE layer_id = ? ORDER BY id DESC LIMIT 1`, layer))
	if isNoRows(err) {
		return nil, store.NotFound("layer %d was never parsed", layer)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the newest parse of layer %d: %w", layer, err)
	}
	return p, nil
}

func (x parses) Update(ctx context.Context, p *rasterbase.Parse) error {
	n, err := x.change(ctx, `UPDATE parses SET revision_id = ?, status = ?, error = ?, planned = ?, done = ?, started = ?, ended = ?
		WHERE id = ?`, p.Revision, string(p.Status), p.Error, p.Planned, p.Done, micros(p.Started), micros(p.Ended), p.ID)
	if err != nil {
		return fmt.Errorf("storing parse %d: %w", p.ID, err)
	}
	if n == 0 {
		return noParse(p.ID)
	}
	return nil
}

func (x parses) Log(ctx context.Context, id rasterbase.ParseID, text string) error {
	n, err := x.change(ctx, `INSERT INTO parse_log (parse_id, seq, time, text)
		SELECT id, (SELECT coalesce(max(seq), 0) + 1 FROM parse_log WHERE parse_id = ?1), ?2, ?3 FROM parses WHERE id = ?1`,
		id, x.db.now().UnixMicro(), text)
	if err != nil {
		return fmt.Errorf("writing the log of parse %d: %w", id, err)
	}
	if n == 0 {
		return noParse(id)
	}
	return nil
}

func (x parses) Lines(ctx context.Context, id rasterbase.ParseID, after int64) ([]rasterbase.LogLine, error) {
	if _, err := x.Get(ctx, id); err != nil {
		return nil, err
	}
	scan := func(row scanner) (rasterbase.LogLine, error) {
		var l rasterbase.LogLine
		var at sql.NullInt64
		err := row.Scan(&l.Seq, &at, &l.Text)
		l.Time = timeOf(at)
		return l, err
	}
	out, err := collect(ctx, x.tx, scan, `SELECT seq, time, text FROM parse_log WHERE parse_id = ? AND seq > ? ORDER BY seq`, id, after)
	if err != nil {
		return nil, fmt.Errorf("reading the log of parse %d: %w", id, err)
	}
	return out, nil
}
