package move

import (
	"context"
	"errors"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// errSuperseded says that the source dropped the revision that was being read.
var errSuperseded = errors.New("the source has dropped the revision")

// published moves the published revision of a layer, and the next one when the
// source publishes that meanwhile and drops the first.
func (m *mover) published(ctx context.Context, id rasterbase.LayerID) error {
	for dropped := rasterbase.RevisionID(0); ; {
		rev, err := m.readPublished(ctx, id)
		switch {
		case err != nil:
			return err
		case rev == nil:
			return m.unpublished(ctx, id)
		case rev.ID == dropped:
			return fmt.Errorf("the tiles of the published revision %d: %w", rev.ID, store.ErrRevisionGone)
		}
		err = m.revision(ctx, rev)
		if !errors.Is(err, errSuperseded) {
			m.moved[id] = rev.ID
			return err
		}
		dropped = rev.ID
	}
}

// readPublished reads the revision that readers of the source see; nil: none.
func (m *mover) readPublished(ctx context.Context, id rasterbase.LayerID) (rev *rasterbase.Revision, err error) {
	err = m.from.Catalog().View(ctx, func(tx store.Tx) error {
		rev = nil
		l, err := tx.Layers().Get(ctx, id)
		if err != nil || l.Published == 0 {
			return err
		}
		rev, err = tx.Revisions().Get(ctx, l.Published)
		return err
	})
	return rev, deletedMeanwhile(err)
}

// unpublished clears what an earlier run had begun to move of a layer that has
// no published revision.
func (m *mover) unpublished(ctx context.Context, id rasterbase.LayerID) error {
	there, err := m.revisionsAtDestination(ctx, id)
	if err != nil {
		return err
	}
	for _, r := range there {
		if err := m.discard(ctx, r); err != nil {
			return err
		}
	}
	m.count(func(r *Report) { r.Unpublished++ })
	return nil
}

func (m *mover) revisionsAtDestination(ctx context.Context, id rasterbase.LayerID) (list []*rasterbase.Revision, err error) {
	err = m.to.Catalog().View(ctx, func(tx store.Tx) error {
		list, err = tx.Revisions().List(ctx, id)
		return err
	})
	return list, err
}

// revision moves a revision, goes on with what an earlier run began, or only
// compares when that run had published it.
func (m *mover) revision(ctx context.Context, src *rasterbase.Revision) error {
	there, err := m.revisionsAtDestination(ctx, src.Layer)
	if err != nil {
		return err
	}
	var begun *rasterbase.Revision
	for _, r := range there {
		same := difference(src, r, revisionFields...) == ""
		switch {
		case r.State == rasterbase.Published && same:
			if err := m.compare(ctx, src, r); err != nil {
				return differsThere(err)
			}
			m.count(func(r *Report) { r.AlreadyThere++ })
			return nil
		case r.State == rasterbase.Published && !r.PublishedAt.Before(src.PublishedAt):
			return rasterbase.Errorf(rasterbase.Conflict, "the destination has parsed the layer since it was moved: its revision %d is newer than the source's", r.ID).
				WithHint("delete the layer at the destination and move again, if the source's is to be there").WithField("to")
		case r.State == rasterbase.Published:
			// The source has a newer one, which will replace it.
		case r.State == rasterbase.Building && same && begun == nil:
			begun = r
		default:
			if err := m.discard(ctx, r); err != nil {
				return err
			}
		}
	}
	return m.write(ctx, src, begun)
}

// differsThere says what to do about a layer that an earlier run had moved.
func differsThere(err error) error {
	if !errors.Is(err, ErrDiffers) {
		return err
	}
	return rasterbase.Errorf(rasterbase.Conflict, "it was moved before, but %w", err).
		WithHint("delete the layer at the destination and move again").WithField("to")
}

// write fills a revision at the destination, compares it, and publishes it:
// what is published there was compared.
func (m *mover) write(ctx context.Context, src, dst *rasterbase.Revision) (err error) {
	if dst, err = m.begin(ctx, src, dst); err != nil {
		return err
	}
	if err = m.copyTiles(ctx, src, dst); err == nil {
		err = m.to.Tiles().Seal(ctx, keyOf(dst))
	}
	if err == nil {
		err = m.copySummaries(ctx, src, dst)
	}
	if err == nil {
		err = m.compare(ctx, src, dst)
	}
	switch {
	case errors.Is(err, errSuperseded), errors.Is(err, ErrDiffers):
		return errors.Join(err, m.discard(ctx, dst))
	case errors.Is(err, store.ErrRevisionGone):
		return rasterbase.Errorf(rasterbase.Conflict, "the destination dropped revision %d while it was being filled: %w", dst.ID, err).
			WithHint("stop the servers and workers of the destination until the move has ended, and run it again").WithField("to")
	case err != nil:
		return err
	}
	return m.publish(ctx, dst)
}

func keyOf(r *rasterbase.Revision) store.RevisionKey {
	return store.RevisionKey{Layer: r.Layer, Revision: r.ID}
}

// begin makes a revision at the destination with the id that it has at the
// source. When the destination has dropped the tiles of such a revision before,
// they cannot be made again under that id, and it gets a new one, which is
// greater than any id of the source. A revision that was begun is gone on with.
func (m *mover) begin(ctx context.Context, src, begun *rasterbase.Revision) (*rasterbase.Revision, error) {
	if begun != nil {
		err := m.to.Tiles().Create(ctx, begun)
		if !errors.Is(err, store.ErrRevisionGone) {
			return begun, err
		}
		if err := m.discard(ctx, begun); err != nil {
			return nil, err
		}
	}
	for _, id := range []rasterbase.RevisionID{src.ID, 0} {
		dst := *src
		dst.ID = id
		err := m.to.Catalog().Update(ctx, func(tx store.Tx) error { return createRevision(ctx, tx, &dst) })
		if id != 0 && errors.Is(err, errTaken) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = m.to.Tiles().Create(ctx, &dst)
		switch {
		case err == nil && id == 0:
			m.warn("revision %d of layer %d is revision %d at the destination, which had dropped the one of that id", src.ID, src.Layer, dst.ID)
			return &dst, nil
		case err == nil:
			return &dst, nil
		case id == 0 || !errors.Is(err, store.ErrRevisionGone):
			return nil, err
		}
		if err := m.discard(ctx, &dst); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("revision %d: %w", src.ID, errTaken)
}

// errTaken says that the destination has another revision of the id.
var errTaken = errors.New("the id is taken at the destination")

func createRevision(ctx context.Context, tx store.Tx, dst *rasterbase.Revision) error {
	if dst.ID != 0 {
		_, err := tx.Revisions().Get(ctx, dst.ID)
		if err == nil {
			return errTaken
		}
		if !errors.Is(err, store.ErrNotExist) {
			return err
		}
	}
	if dst.CRS.SRID >= rasterbase.FirstCustomSRID {
		srid, err := tx.Revisions().CustomSRID(ctx, dst.CRS)
		if err != nil {
			return err
		}
		if srid != dst.CRS.SRID {
			return rasterbase.Errorf(rasterbase.Conflict, "the destination has the CRS of srid %d (%s) under srid %d, and tiles carry their srid", dst.CRS.SRID, dst.CRS.Name, srid).
				WithHint("name a destination that was empty").WithField("to")
		}
	}
	return tx.Revisions().Create(ctx, dst)
}

// publish lets readers of the destination see a revision, and drops the one
// that they saw before.
func (m *mover) publish(ctx context.Context, dst *rasterbase.Revision) error {
	var before rasterbase.RevisionID
	err := m.to.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		before, err = tx.Revisions().Publish(ctx, dst.ID)
		return err
	})
	if err != nil || before == 0 {
		return err
	}
	return m.drop(ctx, store.RevisionKey{Layer: dst.Layer, Revision: before})
}

// discard takes a revision away from the destination.
func (m *mover) discard(ctx context.Context, dst *rasterbase.Revision) error {
	ctx = context.WithoutCancel(ctx)
	err := m.to.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Revisions().Retire(ctx, dst.ID) })
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("giving up revision %d: %w", dst.ID, err)
	}
	return m.drop(ctx, keyOf(dst))
}

func (m *mover) drop(ctx context.Context, k store.RevisionKey) error {
	if err := m.to.Tiles().Drop(ctx, k); err != nil {
		return fmt.Errorf("dropping the tiles of revision %d: %w", k.Revision, err)
	}
	err := m.to.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Revisions().Delete(ctx, k.Revision) })
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("deleting revision %d: %w", k.Revision, err)
	}
	return nil
}
