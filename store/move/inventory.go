package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// inventory is what a catalog has at one moment, without revisions.
type inventory struct {
	styles   styles
	layers   []*rasterbase.Layer // by id
	latest   map[rasterbase.LayerID]*rasterbase.Parse
	accounts accounts
	uploads  int
}

func readInventory(ctx context.Context, st store.Store) (in *inventory, err error) {
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		in = &inventory{latest: map[rasterbase.LayerID]*rasterbase.Parse{}}
		if in.styles, err = readStyles(ctx, tx); err != nil {
			return err
		}
		if in.accounts, err = readAccounts(ctx, tx); err != nil {
			return err
		}
		uploads, err := tx.Uploads().List(ctx)
		if err != nil {
			return err
		}
		in.uploads = len(uploads)
		if in.layers, _, err = tx.Layers().Find(ctx, store.LayerFilter{}); err != nil {
			return err
		}
		for _, l := range in.layers {
			p, err := tx.Parses().Latest(ctx, l.ID)
			switch {
			case err == nil:
				in.latest[l.ID] = p
			case !errors.Is(err, store.ErrNotExist):
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

func (in *inventory) layer(id rasterbase.LayerID) *rasterbase.Layer {
	i, found := slices.BinarySearchFunc(in.layers, id, func(l *rasterbase.Layer, id rasterbase.LayerID) int { return cmp.Compare(l.ID, id) })
	if !found {
		return nil
	}
	return in.layers[i]
}

// inputsFirst lists the layers by id, but for those that formulas read: these come
// before the formulas.
func (in *inventory) inputsFirst() []*rasterbase.Layer {
	out := make([]*rasterbase.Layer, 0, len(in.layers))
	listed := map[rasterbase.LayerID]bool{}
	var add func(l *rasterbase.Layer)
	add = func(l *rasterbase.Layer) {
		if l == nil || listed[l.ID] {
			return
		}
		listed[l.ID] = true
		if l.Formula != nil {
			for _, i := range l.Formula.Inputs {
				add(in.layer(i.Layer))
			}
		}
		out = append(out, l)
	}
	for _, l := range in.layers {
		add(l)
	}
	return out
}

// parsing lists the layers whose parse has not ended.
func (in *inventory) parsing() (names []string, one rasterbase.LayerID) {
	for _, l := range in.layers {
		if p := in.latest[l.ID]; p != nil && !p.Status.Ended() {
			names = append(names, fmt.Sprintf("%s is %s", layerName(l), p.Status))
			one = l.ID
		}
	}
	return names, one
}

func layerName(l *rasterbase.Layer) string { return fmt.Sprintf("layer %d (%s)", l.ID, l.Name) }

// checkParsed refuses a source in which a parse has not ended: what it will
// publish could not be moved.
func (in *inventory) checkParsed() error {
	names, one := in.parsing()
	if len(names) == 0 {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Conflict, "parses of the source have not ended: %s", some(names)).
		WithHint("wait until they have, or cancel them at the source, for instance with `rasterbase layers cancel %d`, and move again", one).WithField("from")
}

// some joins the first of many texts.
func some(texts []string) string {
	const most = 8
	if len(texts) > most {
		return strings.Join(texts[:most], ", ") + fmt.Sprintf(" and %d more", len(texts)-most)
	}
	return strings.Join(texts, ", ")
}

// Fields that a move does not keep: where a file is kept is its store's own
// affair, and what is published is moved by itself.
var (
	layerFields    = []string{"Source", "Published", "Updated"}
	legendFields   = []string{"Updated"}
	revisionFields = []string{"ID", "State", "Created", "PublishedAt"}
)

// layerDifference names a field in which a layer at the destination is not what
// the source has; "" when there is none.
func layerDifference(src, dst *rasterbase.Layer) string {
	if d := difference(src, dst, layerFields...); d != "" {
		return d
	}
	if d := difference(&src.Source, &dst.Source, "ID"); d != "" {
		return "Source." + d
	}
	return ""
}

// checkDestination refuses a destination that holds what no move from this
// source has put there. What was changed at the source since an earlier move is
// brought over: a layer is known by its id and the time of its creation, and
// when there is such a layer and nothing foreign, a legend and a semantics by
// their ids, and a colormap by its owner and name. A user and a token are known
// by what cannot be changed of them.
func checkDestination(src, dst *inventory) error {
	var foreign []string
	moved := false
	for _, d := range dst.layers {
		switch s := src.layer(d.ID); {
		case s == nil:
			foreign = append(foreign, layerName(d)+", which the source has not")
		case !s.Created.Equal(d.Created):
			foreign = append(foreign, layerName(d)+", which is another layer than the source's")
		case layerDifference(s, d) != "" && !d.Updated.Before(s.Updated):
			foreign = append(foreign, fmt.Sprintf("%s, whose %s was changed there", layerName(d), strings.ToLower(layerDifference(s, d))))
		default:
			moved = true
		}
	}
	foreign = append(foreign, src.styles.foreign(dst.styles, moved, src.accounts.renamed(dst.accounts))...)
	foreign = append(foreign, src.accounts.foreign(dst.accounts)...)
	if len(foreign) == 0 {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Conflict, "the destination has %s", some(foreign)).
		WithHint("name an empty store, or delete these at the destination; only what a move from the same source has put there may be there").
		WithField("to")
}

// checkEqual refuses when the source was changed while it was moved.
func (m *mover) checkEqual(src, dst *inventory) error {
	changed, _ := src.parsing()
	for _, s := range src.layers {
		d := dst.layer(s.ID)
		switch {
		case d == nil:
			changed = append(changed, layerName(s)+" is new")
		case layerDifference(s, d) != "":
			changed = append(changed, fmt.Sprintf("the %s of %s is another", strings.ToLower(layerDifference(s, d)), layerName(s)))
		case s.Published != m.moved[s.ID], (s.Published == 0) != (d.Published == 0):
			changed = append(changed, layerName(s)+" was parsed again")
		}
	}
	for _, d := range dst.layers {
		if src.layer(d.ID) == nil {
			changed = append(changed, layerName(d)+" was deleted")
		}
	}
	changed = append(changed, src.styles.changed(dst.styles)...)
	changed = append(changed, src.accounts.changed(dst.accounts)...)
	if len(changed) == 0 {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Conflict, "the source was changed while it was moved: %s", some(changed)).
		WithHint("run the move again: it goes on with what is missing; what was deleted at the source is to be deleted at the destination first").
		WithField("from")
}
