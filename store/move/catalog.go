package move

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// lastIDs are the highest ids that a store has given, also to what was deleted.
type lastIDs struct {
	layer     rasterbase.LayerID
	revision  rasterbase.RevisionID
	parse     rasterbase.ParseID
	legend    rasterbase.LegendID
	entry     rasterbase.EntryID
	semantics rasterbase.SemanticsID
	user      rasterbase.UserID
	token     rasterbase.TokenID
	export    rasterbase.ExportID
}

// errUndo takes a transaction back that was made to see what it does.
var errUndo = errors.New("to be undone")

// readLastIDs finds them out by creating one of each in a transaction that is
// not kept.
func readLastIDs(ctx context.Context, st store.Store) (last lastIDs, err error) {
	err = st.Catalog().Update(ctx, func(tx store.Tx) error {
		l := rasterbase.Layer{Name: "ids"}
		if err := tx.Layers().Create(ctx, &l); err != nil {
			return err
		}
		r := rasterbase.Revision{Layer: l.ID}
		if err := tx.Revisions().Create(ctx, &r); err != nil {
			return err
		}
		p := rasterbase.Parse{Layer: l.ID, Status: rasterbase.Cancelled}
		if err := tx.Parses().Create(ctx, &p); err != nil {
			return err
		}
		leg := rasterbase.Legend{Title: rand.Text(), Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: rand.Text()}}}}
		if err := tx.Legends().Create(ctx, &leg); err != nil {
			return err
		}
		u := rasterbase.User{Name: rand.Text(), Role: rasterbase.Viewer}
		if err := tx.Users().Create(ctx, &u); err != nil {
			return err
		}
		k := rasterbase.Token{User: u.ID, Hash: rand.Text()}
		if err := tx.Tokens().Create(ctx, &k); err != nil {
			return err
		}
		x := rasterbase.Export{Status: rasterbase.Cancelled}
		if err := tx.Exports().Create(ctx, &x); err != nil {
			return err
		}
		e := leg.Entries[0]
		last = lastIDs{l.ID - 1, r.ID - 1, p.ID - 1, leg.ID - 1, e.ID - 1, e.Semantics.ID - 1, u.ID - 1, k.ID - 1, x.ID - 1}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		return last, fmt.Errorf("reading which ids the source has given: %w", err)
	}
	return last, nil
}

// reserveIDs keeps the destination from giving ids that the source has given:
// neither those that are moved nor those of what was deleted, which caches and
// foreign keys may still hold.
func (m *mover) reserveIDs(ctx context.Context) error {
	last, err := readLastIDs(ctx, m.from)
	if err != nil || last == m.last {
		return err
	}
	err = m.to.Catalog().Update(ctx, func(tx store.Tx) error { return last.reserve(ctx, tx) })
	if err != nil {
		return fmt.Errorf("reserving ids at the destination: %w", err)
	}
	m.last = last
	return nil
}

// reserve creates what has these ids and deletes it again, unless it is there.
func (last lastIDs) reserve(ctx context.Context, tx store.Tx) error {
	if err := last.reserveStyles(ctx, tx); err != nil {
		return err
	}
	if err := last.reserveAccounts(ctx, tx); err != nil {
		return err
	}
	if err := last.reserveExport(ctx, tx); err != nil {
		return err
	}
	return last.reserveLayer(ctx, tx)
}

// missing reports, from the error of getting it, that there is not what has an
// id; nothing has the id 0.
func missing(id int64, err error) (bool, error) {
	if errors.Is(err, store.ErrNotExist) {
		return id > 0, nil
	}
	return false, err
}

// reserveExport reserves the id of an export.
func (last lastIDs) reserveExport(ctx context.Context, tx store.Tx) error {
	_, err := tx.Exports().Get(ctx, last.export)
	if none, err := missing(int64(last.export), err); err != nil || !none {
		return err
	}
	if err := tx.Exports().Create(ctx, &rasterbase.Export{ID: last.export, Status: rasterbase.Cancelled}); err != nil {
		return err
	}
	return tx.Exports().Delete(ctx, last.export)
}

// reserveLayer reserves the ids of a layer, a revision and a parse.
func (last lastIDs) reserveLayer(ctx context.Context, tx store.Tx) error {
	_, err := tx.Layers().Get(ctx, last.layer)
	noLayer, err1 := missing(int64(last.layer), err)
	_, err = tx.Revisions().Get(ctx, last.revision)
	noRevision, err2 := missing(int64(last.revision), err)
	_, err = tx.Parses().Get(ctx, last.parse)
	noParse, err3 := missing(int64(last.parse), err)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if !noLayer && !noRevision && !noParse {
		return nil
	}
	l := rasterbase.Layer{Name: "ids"}
	if noLayer {
		l.ID = last.layer
	}
	if err := tx.Layers().Create(ctx, &l); err != nil {
		return err
	}
	if noRevision {
		if err := tx.Revisions().Create(ctx, &rasterbase.Revision{ID: last.revision, Layer: l.ID}); err != nil {
			return err
		}
	}
	if noParse {
		if err := tx.Parses().Create(ctx, &rasterbase.Parse{ID: last.parse, Layer: l.ID, Status: rasterbase.Cancelled}); err != nil {
			return err
		}
	}
	return tx.Layers().Delete(ctx, l.ID)
}

// layer moves one layer, as it was when the move began, with the revision that
// is published now.
func (m *mover) layer(ctx context.Context, l rasterbase.Layer) error {
	src := &l
	files, err := m.sourceFiles(ctx, src)
	if err != nil {
		return err
	}
	dst, err := m.putLayer(ctx, src)
	if err != nil {
		return err
	}
	if src.Source.ID != "" {
		if err := m.files(ctx, src, dst, files); err != nil {
			return fmt.Errorf("source file: %w", err)
		}
	}
	if l.Formula != nil {
		m.count(func(r *Report) { r.Formulas++ })
		return nil
	}
	if err := m.parses(ctx, l.ID); err != nil {
		return err
	}
	return m.published(ctx, l.ID)
}

// deletedMeanwhile says so of a layer that was there when the move began.
func deletedMeanwhile(err error) error {
	if !errors.Is(err, store.ErrNotExist) {
		return err
	}
	return rasterbase.Errorf(rasterbase.Conflict, "the source was changed while it was moved: %w", err).
		WithHint("delete the layer at the destination too, if it is there, and move again").WithField("from")
}

// putLayer stores the layer at the destination with a source of its own, or
// brings the one up to date that is there.
func (m *mover) putLayer(ctx context.Context, src *rasterbase.Layer) (dst *rasterbase.Layer, err error) {
	err = m.to.Catalog().View(ctx, func(tx store.Tx) error {
		dst, err = tx.Layers().Get(ctx, src.ID)
		return err
	})
	if err == nil && layerDifference(src, dst) == "" {
		return dst, nil
	}
	n := *src
	if errors.Is(err, store.ErrNotExist) {
		return &n, m.createLayer(ctx, src, &n)
	}
	if err != nil {
		return nil, err
	}
	n.Source.ID = dst.Source.ID
	err = m.to.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Update(ctx, &n) })
	return &n, err
}

// createLayer makes the layer n with a new and empty source.
func (m *mover) createLayer(ctx context.Context, src, n *rasterbase.Layer) (err error) {
	n.Source.ID, n.Published = "", 0
	if src.Source.ID != "" {
		if n.Source.ID, err = m.to.Sources().Create(ctx); err != nil {
			return err
		}
	}
	var made rasterbase.Layer
	err = m.to.Catalog().Update(ctx, func(tx store.Tx) error {
		made = *n
		if err := tx.Layers().Create(ctx, &made); err != nil {
			return err
		}
		if d := layerDifference(src, &made); d != "" {
			return fmt.Errorf("the layer's %s %w", d, ErrDiffers)
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, m.dropUnused(context.WithoutCancel(ctx), n))
	}
	return nil
}

// dropUnused deletes the source of a layer that could not be stored. When the
// answer of the destination was lost, the layer may be there all the same.
func (m *mover) dropUnused(ctx context.Context, l *rasterbase.Layer) error {
	if l.Source.ID == "" {
		return nil
	}
	err := m.to.Catalog().View(ctx, func(tx store.Tx) error {
		_, err := tx.Layers().Get(ctx, l.ID)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return m.to.Sources().Delete(ctx, l.Source.ID)
	}
	return err
}
