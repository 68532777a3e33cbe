package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type revisions struct{ *tx }

const revisionColumns = `id, layer_id, state, datatype, created, published_at, document`

func scanRevision(row scanner) (*rasterbase.Revision, error) {
	var r rasterbase.Revision
	var created, published sql.NullInt64
	var document []byte
	if err := row.Scan(&r.ID, &r.Layer, &r.State, &r.Datatype, &created, &published, &document); err != nil {
		return nil, err
	}
	r.Created, r.PublishedAt = timeOf(created), timeOf(published)
	return &r, decodeRevision(document, &r)
}

// noRevision matches both ErrNotExist and ErrRevisionGone: whoever knows the
// id of a revision that is not there has seen it before it was deleted.
func noRevision(id rasterbase.RevisionID) error {
	return store.NotFound("revision %d: %w", id, store.ErrRevisionGone)
}

func (x revisions) Create(ctx context.Context, r *rasterbase.Revision) error {
	n := *r
	n.State, n.Created = rasterbase.Building, x.db.now()
	document, err := encodeRevision(&n)
	if err != nil {
		return err
	}
	if _, err := (layers{x.tx}).Get(ctx, n.Layer); err != nil {
		return err
	}
	id, err := x.insert(ctx, `INSERT INTO revisions (layer_id, state, datatype, created, published_at, document) VALUES (?, ?, ?, ?, ?, ?)`,
		n.Layer, string(n.State), string(n.Datatype), n.Created.UnixMicro(), micros(n.PublishedAt), document)
	if err != nil {
		return fmt.Errorf("storing a revision: %w", err)
	}
	n.ID = rasterbase.RevisionID(id)
	*r = n
	return nil
}

func (x revisions) Get(ctx context.Context, id rasterbase.RevisionID) (*rasterbase.Revision, error) {
	r, err := scanRevision(x.QueryRowContext(ctx, `SELECT `+revisionColumns+` FROM revisions WHERE id = ?`, id))
	if isNoRows(err) {
		return nil, noRevision(id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading revision %d: %w", id, err)
	}
	return r, nil
}

func (x revisions) List(ctx context.Context, layer rasterbase.LayerID) ([]*rasterbase.Revision, error) {
	out, err := collect(ctx, x.tx, scanRevision,
		`SELECT `+revisionColumns+` FROM revisions WHERE ?1 = 0 OR layer_id = ?1 ORDER BY id`, layer)
	if err != nil {
		return nil, fmt.Errorf("listing revisions: %w", err)
	}
	return out, nil
}

// building gives a revision's layer if the revision is being built.
func (x revisions) building(ctx context.Context, id rasterbase.RevisionID) (layer rasterbase.LayerID, err error) {
	var state rasterbase.RevisionState
	err = x.QueryRowContext(ctx, `SELECT layer_id, state FROM revisions WHERE id = ?`, id).Scan(&layer, &state)
	switch {
	case isNoRows(err):
		return 0, noRevision(id)
	case err != nil:
		return 0, fmt.Errorf("reading revision %d: %w", id, err)
	case state != rasterbase.Building:
		return 0, rasterbase.Errorf(rasterbase.Conflict, "revision %d is %s and not being built any more", id, state)
	}
	return layer, nil
}

func (x revisions) Update(ctx context.Context, r *rasterbase.Revision) error {
	if _, err := x.building(ctx, r.ID); err != nil {
		return err
	}
	document, err := encodeRevision(r)
	if err != nil {
		return err
	}
	if _, err := x.change(ctx, `UPDATE revisions SET datatype = ?, document = ? WHERE id = ?`,
		string(r.Datatype), document, r.ID); err != nil {
		return fmt.Errorf("storing revision %d: %w", r.ID, err)
	}
	return nil
}

func (x revisions) Publish(ctx context.Context, id rasterbase.RevisionID) (before rasterbase.RevisionID, err error) {
	layer, err := x.building(ctx, id)
	if err != nil {
		return 0, err
	}
	l, err := layers{x.tx}.Get(ctx, layer)
	if err != nil {
		return 0, err
	}
	if err := x.setState(ctx, rasterbase.Retired, l.Published, nil); err != nil {
		return 0, err
	}
	now := x.db.now().UnixMicro()
	if err := x.setState(ctx, rasterbase.Published, id, now); err != nil {
		return 0, err
	}
	if _, err := x.change(ctx, `UPDATE layers SET published = ? WHERE id = ?`, id, layer); err != nil {
		return 0, fmt.Errorf("publishing revision %d: %w", id, err)
	}
	return l.Published, nil
}

// setState sets a revision's state, and the time of publication if not nil.
func (x revisions) setState(ctx context.Context, s rasterbase.RevisionState, id rasterbase.RevisionID, at any) error {
	_, err := x.change(ctx, `UPDATE revisions SET state = ?, published_at = coalesce(?, published_at) WHERE id = ?`,
		string(s), at, id)
	if err != nil {
		return fmt.Errorf("marking revision %d as %s: %w", id, s, err)
	}
	return nil
}

func (x revisions) Retire(ctx context.Context, id rasterbase.RevisionID) error {
	if _, err := x.Get(ctx, id); err != nil {
		return err
	}
	if _, err := x.change(ctx, `UPDATE layers SET published = NULL WHERE published = ?`, id); err != nil {
		return fmt.Errorf("retiring revision %d: %w", id, err)
	}
	return x.setState(ctx, rasterbase.Retired, id, nil)
}

func (x revisions) Delete(ctx context.Context, id rasterbase.RevisionID) error {
	if _, err := x.change(ctx, `DELETE FROM revisions WHERE id = ?`, id); err != nil {
		return fmt.Errorf("deleting revision %d: %w", id, err)
	}
	return nil
}

func (x revisions) PutSummaries(ctx context.Context, id rasterbase.RevisionID, pages []store.SummaryPage) error {
	if _, err := x.building(ctx, id); err != nil {
		return err
	}
	for i := range pages {
		p := &pages[i]
		b, err := p.AppendCells(nil)
		if err != nil {
			return rasterbase.Errorf(rasterbase.Invalid, "storing summaries of revision %d: %w", id, err)
		}
		if _, err := x.change(ctx, `INSERT INTO summaries (revision_id, kind, z, depth, y, x, page) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET page = excluded.page`,
			id, int(p.Kind), p.Z, p.Depth, p.Y, p.X, b); err != nil {
			return fmt.Errorf("storing summaries of revision %d: %w", id, err)
		}
	}
	return nil
}

// summaryChunk is how many pages are read at a time, so that a caller may use
// the transaction between two of them.
const summaryChunk = 16

func (x revisions) Summaries(ctx context.Context, q store.SummaryQuery) iter.Seq2[store.SummaryPage, error] {
	return func(yield func(store.SummaryPage, error) bool) {
		var exists bool
		err := x.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM revisions WHERE id = ?)`, q.Revision).Scan(&exists)
		if err == nil && !exists {
			err = noRevision(q.Revision)
		}
		if err != nil {
			yield(store.SummaryPage{}, fmt.Errorf("reading summaries: %w", err))
			return
		}
		if q.Pages == nil {
			q.Pages = &store.PageBox{MinX: math.MinInt32, MinY: math.MinInt32, MaxX: math.MaxInt32, MaxY: math.MaxInt32}
		}
		lastY, lastX := q.Pages.MinY, math.MinInt
		for {
			pages, err := x.summaryChunk(ctx, q, lastY, lastX)
			if err != nil {
				yield(store.SummaryPage{}, fmt.Errorf("reading summaries of revision %d: %w", q.Revision, err))
				return
			}
			for _, p := range pages {
				if !yield(p, nil) {
					return
				}
			}
			if len(pages) < summaryChunk {
				return
			}
			lastY, lastX = pages[len(pages)-1].Y, pages[len(pages)-1].X
		}
	}
}

// summaryChunk reads the pages of the box, which is not nil, that follow a place.
func (x revisions) summaryChunk(ctx context.Context, q store.SummaryQuery, afterY, afterX int) ([]store.SummaryPage, error) {
	scan := func(row scanner) (store.SummaryPage, error) {
		p := store.SummaryPage{Kind: q.Kind, Z: q.Z, Depth: q.Depth}
		var b []byte
		if err := row.Scan(&p.Y, &p.X, &b); err != nil {
			return p, err
		}
		return p, p.ReadCells(b)
	}
	return collect(ctx, x.tx, scan, `SELECT y, x, page FROM summaries
		WHERE revision_id = ? AND kind = ? AND z = ? AND depth = ? AND (y, x) > (?, ?) AND y <= ? AND x BETWEEN ? AND ?
		ORDER BY y, x LIMIT ?`,
		q.Revision, int(q.Kind), q.Z, q.Depth, afterY, afterX, q.Pages.MaxY, q.Pages.MinX, q.Pages.MaxX, summaryChunk)
}

func (x revisions) CustomSRID(ctx context.Context, crs rasterbase.CRS) (int, error) {
	if crs.WKT == "" {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "a CRS without an EPSG code needs its WKT")
	}
	var srid int
	err := x.QueryRowContext(ctx, `SELECT srid FROM custom_crs WHERE wkt = ?`, crs.WKT).Scan(&srid)
	if err == nil {
		return srid, nil
	}
	if !isNoRows(err) {
		return 0, fmt.Errorf("looking for a CRS: %w", err)
	}
	err = x.QueryRowContext(ctx, `INSERT INTO custom_crs (srid, wkt, name)
		SELECT coalesce(max(srid) + 1, ?), ?, ? FROM custom_crs RETURNING srid`,
		rasterbase.FirstCustomSRID, crs.WKT, crs.Name).Scan(&srid)
	if err != nil {
		return 0, fmt.Errorf("storing a CRS: %w", err)
	}
	return srid, nil
}
