package sqlcatalog

import (
	"context"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type revisions struct{ *Tx }

const revisionColumns = `id, layer_id, state, datatype, created, published_at, document`

func scanRevision(row Row) (*rasterbase.Revision, error) {
	var r rasterbase.Revision
	var document []byte
	if err := row.Scan(&r.ID, &r.Layer, &r.State, &r.Datatype, (*Time)(&r.Created), (*Time)(&r.PublishedAt), &document); err != nil {
		return nil, err
	}
	return &r, decodeRevision(document, &r)
}

// noRevision matches both ErrNotExist and ErrRevisionGone: whoever knows the
// id of a revision that is not there has seen it before it was deleted.
func noRevision(id rasterbase.RevisionID) error {
	return store.NotFound("revision %d: %w", id, store.ErrRevisionGone)
}

func (x revisions) encode(r *rasterbase.Revision) ([]byte, error) {
	b, err := x.document(documentOf(r))
	if err != nil {
		return nil, fmt.Errorf("encoding a revision: %w", err)
	}
	return b, nil
}

func (x revisions) Create(ctx context.Context, r *rasterbase.Revision) error {
	n := *r
	if err := x.checkID(ctx, "revisions", "revision", int64(n.ID)); err != nil {
		return err
	}
	n.State = rasterbase.Building
	n.Created = givenTime(n.ID != 0, n.Created, x.now())
	n.PublishedAt = givenTime(n.ID != 0, n.PublishedAt, time.Time{})
	document, err := x.encode(&n)
	if err != nil {
		return err
	}
	if _, err := (layers{x.Tx}).Get(ctx, n.Layer); err != nil {
		return err
	}
	id, err := x.insert(ctx, "revisions", `layer_id, state, datatype, created, published_at, document`, int64(n.ID),
		[]any{n.Layer, n.State, n.Datatype, n.Created, n.PublishedAt, document})
	if err != nil {
		return fmt.Errorf("storing a revision: %w", err)
	}
	n.ID = rasterbase.RevisionID(id)
	set(x.Tx, r, n)
	return nil
}

func (x revisions) Get(ctx context.Context, id rasterbase.RevisionID) (*rasterbase.Revision, error) {
	r, err := scanRevision(x.row(ctx, `SELECT `+revisionColumns+` FROM @revisions WHERE id = ?`, id))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, noRevision(id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading revision %d: %w", id, err)
	}
	return r, nil
}

func (x revisions) List(ctx context.Context, layer rasterbase.LayerID) ([]*rasterbase.Revision, error) {
	where, args := ``, []any(nil)
	if layer != 0 {
		where, args = ` WHERE layer_id = ?`, []any{layer}
	}
	out, err := collect(ctx, x.Tx, scanRevision, `SELECT `+revisionColumns+` FROM @revisions`+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("listing revisions: %w", err)
	}
	return out, nil
}

// building gives a revision's layer if the revision is being built, and the
// time of publication that it was made with.
func (x revisions) building(ctx context.Context, id rasterbase.RevisionID) (layer rasterbase.LayerID, published time.Time, err error) {
	var state rasterbase.RevisionState
	err = x.row(ctx, `SELECT layer_id, state, published_at FROM @revisions WHERE id = ?`, id).Scan(&layer, &state, (*Time)(&published))
	switch {
	case err != nil && x.c.d.IsNoRows(err):
		return 0, published, noRevision(id)
	case err != nil:
		return 0, published, fmt.Errorf("reading revision %d: %w", id, err)
	case state != rasterbase.Building:
		return 0, published, rasterbase.Errorf(rasterbase.Conflict, "revision %d is %s and not being built any more", id, state)
	}
	return layer, published, nil
}

func (x revisions) Update(ctx context.Context, r *rasterbase.Revision) error {
	if _, _, err := x.building(ctx, r.ID); err != nil {
		return err
	}
	document, err := x.encode(r)
	if err != nil {
		return err
	}
	if _, err := x.exec(ctx, `UPDATE @revisions SET datatype = ?, document = ? WHERE id = ?`, r.Datatype, document, r.ID); err != nil {
		return fmt.Errorf("storing revision %d: %w", r.ID, err)
	}
	return nil
}

func (x revisions) Publish(ctx context.Context, id rasterbase.RevisionID) (before rasterbase.RevisionID, err error) {
	layer, at, err := x.building(ctx, id)
	if err != nil {
		return 0, err
	}
	l, err := layers{x.Tx}.Get(ctx, layer)
	if err != nil {
		return 0, err
	}
	if err := x.retire(ctx, l.Published); err != nil {
		return 0, err
	}
	if at.IsZero() {
		at = x.now()
	}
	if _, err := x.exec(ctx, `UPDATE @revisions SET state = ?, published_at = ? WHERE id = ?`, rasterbase.Published, at, id); err != nil {
		return 0, fmt.Errorf("publishing revision %d: %w", id, err)
	}
	if _, err := x.exec(ctx, `UPDATE @layers SET published = ? WHERE id = ?`, id, layer); err != nil {
		return 0, fmt.Errorf("publishing revision %d: %w", id, err)
	}
	return l.Published, nil
}

// retire sets a revision's state; that of none is not an error.
func (x revisions) retire(ctx context.Context, id rasterbase.RevisionID) error {
	if _, err := x.exec(ctx, `UPDATE @revisions SET state = ? WHERE id = ?`, rasterbase.Retired, id); err != nil {
		return fmt.Errorf("retiring revision %d: %w", id, err)
	}
	return nil
}

func (x revisions) Retire(ctx context.Context, id rasterbase.RevisionID) error {
	if _, err := x.Get(ctx, id); err != nil {
		return err
	}
	if _, err := x.exec(ctx, `UPDATE @layers SET published = NULL WHERE published = ?`, id); err != nil {
		return fmt.Errorf("retiring revision %d: %w", id, err)
	}
	return x.retire(ctx, id)
}

func (x revisions) Delete(ctx context.Context, id rasterbase.RevisionID) error {
	if _, err := x.exec(ctx, `DELETE FROM @revisions WHERE id = ?`, id); err != nil {
		return fmt.Errorf("deleting revision %d: %w", id, err)
	}
	return nil
}

func (x revisions) CustomSRID(ctx context.Context, crs rasterbase.CRS) (int, error) {
	if crs.WKT == "" {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "a CRS without an EPSG code needs its WKT")
	}
	var srid int
	err := x.row(ctx, `SELECT srid FROM @custom_crs WHERE wkt = ?`, crs.WKT).Scan(&srid)
	if err == nil {
		return srid, nil
	}
	if !x.c.d.IsNoRows(err) {
		return 0, fmt.Errorf("looking for a CRS: %w", err)
	}
	if crs.SRID, err = x.freeSRID(ctx, crs); err != nil {
		return 0, fmt.Errorf("looking for a free srid: %w", err)
	}
	if _, err := x.exec(ctx, `INSERT INTO @custom_crs (srid, wkt, name) VALUES (?, ?, ?)`, crs.SRID, crs.WKT, crs.Name); err != nil {
		return 0, fmt.Errorf("storing a CRS: %w", err)
	}
	if err := x.c.d.CRSAdded(ctx, x.conn, crs); err != nil {
		return 0, fmt.Errorf("storing a CRS: %w", err)
	}
	return crs.SRID, nil
}

// lastSRID is the greatest srid that PostGIS leaves to its users. Nothing that
// is kept here comes near to it, and what is moved there fits.
const lastSRID = 998999

// freeSRID gives the CRS's own srid if it is one of ours and free, and
// otherwise the first after all that were given.
func (x revisions) freeSRID(ctx context.Context, crs rasterbase.CRS) (int, error) {
	if crs.SRID >= rasterbase.FirstCustomSRID && crs.SRID <= lastSRID {
		taken, err := x.exists(ctx, `SELECT 1 FROM @custom_crs WHERE srid = ?`, crs.SRID)
		if err == nil && !taken {
			taken, err = x.c.d.SRIDTaken(ctx, x.conn, crs.SRID, crs.WKT)
		}
		if err != nil || !taken {
			return crs.SRID, err
		}
	}
	var last *int64
	if err := x.row(ctx, `SELECT max(srid) FROM @custom_crs`).Scan(&last); err != nil {
		return 0, err
	}
	srid := rasterbase.FirstCustomSRID
	if last != nil {
		srid = int(*last) + 1
	}
	for ; ; srid++ {
		if taken, err := x.c.d.SRIDTaken(ctx, x.conn, srid, crs.WKT); err != nil || !taken {
			return srid, err
		}
	}
}
