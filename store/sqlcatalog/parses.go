package sqlcatalog

import (
	"context"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type parses struct{ *Tx }

const parseColumns = `id, layer_id, revision_id, status, error, planned, done, fetch_from, created, started, ended`

func scanParse(row Row) (*rasterbase.Parse, error) {
	var p rasterbase.Parse
	err := row.Scan(&p.ID, &p.Layer, &p.Revision, &p.Status, &p.Error, &p.Planned, &p.Done,
		&p.Fetch, (*Time)(&p.Created), (*Time)(&p.Started), (*Time)(&p.Ended))
	return &p, err
}

func noParse(id rasterbase.ParseID) error { return store.NotFound("there is no parse %d", id) }

func (x parses) Create(ctx context.Context, p *rasterbase.Parse) error {
	n := *p
	if err := x.checkID(ctx, "parses", "parse", int64(n.ID)); err != nil {
		return err
	}
	if _, err := (layers{x.Tx}).Get(ctx, n.Layer); err != nil {
		return err
	}
	n.Created = givenTime(n.ID != 0, n.Created, x.now())
	id, err := x.insert(ctx, "parses", `layer_id, revision_id, status, error, planned, done, fetch_from, created, started, ended`, int64(n.ID),
		[]any{n.Layer, n.Revision, n.Status, n.Error, n.Planned, n.Done, n.Fetch, n.Created, n.Started, n.Ended})
	if err != nil {
		return fmt.Errorf("storing a parse: %w", err)
	}
	n.ID = rasterbase.ParseID(id)
	set(x.Tx, p, n)
	return nil
}

func (x parses) Get(ctx context.Context, id rasterbase.ParseID) (*rasterbase.Parse, error) {
	p, err := scanParse(x.row(ctx, `SELECT `+parseColumns+` FROM @parses WHERE id = ?`, id))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, noParse(id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading parse %d: %w", id, err)
	}
	return p, nil
}

func (x parses) Latest(ctx context.Context, layer rasterbase.LayerID) (*rasterbase.Parse, error) {
	p, err := scanParse(x.row(ctx, `SELECT `+parseColumns+` FROM @parses WHERE layer_id = ? ORDER BY id DESC LIMIT 1`, layer))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, store.NotFound("layer %d was never parsed", layer)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the newest parse of layer %d: %w", layer, err)
	}
	return p, nil
}

func (x parses) Update(ctx context.Context, p *rasterbase.Parse) error {
	n, err := x.exec(ctx, `UPDATE @parses SET revision_id = ?, status = ?, error = ?, planned = ?, done = ?, fetch_from = ?, started = ?,
		ended = ? WHERE id = ?`, p.Revision, p.Status, p.Error, p.Planned, p.Done, p.Fetch, p.Started, p.Ended, p.ID)
	if err != nil {
		return fmt.Errorf("storing parse %d: %w", p.ID, err)
	}
	if n == 0 {
		return noParse(p.ID)
	}
	return nil
}

func (x parses) Log(ctx context.Context, id rasterbase.ParseID, text string) error {
	return x.AddLines(ctx, id, []rasterbase.LogLine{{Text: text}})
}

func (x parses) AddLines(ctx context.Context, id rasterbase.ParseID, lines []rasterbase.LogLine) error {
	var last int64
	err := x.row(ctx, `SELECT (SELECT coalesce(max(l.seq), 0) FROM @parse_log l WHERE l.parse_id = p.id) FROM @parses p WHERE p.id = ?`,
		id).Scan(&last)
	if err != nil && x.c.d.IsNoRows(err) {
		return noParse(id)
	}
	now := x.now()
	for i := 0; i < len(lines) && err == nil; i++ {
		_, err = x.exec(ctx, `INSERT INTO @parse_log (parse_id, seq, time, text) VALUES (?, ?, ?, ?)`,
			id, last+int64(i)+1, givenTime(true, lines[i].Time, now), lines[i].Text)
	}
	if err != nil {
		return fmt.Errorf("writing the log of parse %d: %w", id, err)
	}
	return nil
}

func (x parses) Lines(ctx context.Context, id rasterbase.ParseID, after int64) ([]rasterbase.LogLine, error) {
	if _, err := x.Get(ctx, id); err != nil {
		return nil, err
	}
	scan := func(row Row) (rasterbase.LogLine, error) {
		var l rasterbase.LogLine
		err := row.Scan(&l.Seq, (*Time)(&l.Time), &l.Text)
		return l, err
	}
	out, err := collect(ctx, x.Tx, scan, `SELECT seq, time, text FROM @parse_log WHERE parse_id = ? AND seq > ? ORDER BY seq`, id, after)
	if err != nil {
		return nil, fmt.Errorf("reading the log of parse %d: %w", id, err)
	}
	return out, nil
}
