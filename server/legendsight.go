package server

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// legendSight is what somebody may see of legends. One that layers use is for those
// who may read one of these layers, or may edit: its title and its classes tell what
// is in them. One that no layer uses is for all.
type legendSight struct {
	users   map[rasterbase.LegendID][]layerReference // layers that use it and that they may read
	used    map[rasterbase.LegendID]bool             // by any layer
	open    map[rasterbase.LegendID]bool             // by a public layer that they may read
	edits   bool                                     // they see all
	private bool                                     // others may be told something else
}

// sightOf asks what somebody may see, of all layers. Auth is asked, so it must not be
// called in a transaction.
func (s *Server) sightOf(ctx context.Context, who rasterbase.Principal, layers []*rasterbase.Layer) (v legendSight, err error) {
	v = legendSight{
		users: map[rasterbase.LegendID][]layerReference{}, used: map[rasterbase.LegendID]bool{}, open: map[rasterbase.LegendID]bool{},
		private: who.Name != "",
	}
	var using []*rasterbase.Layer
	for _, l := range layers {
		if l.Legend != 0 {
			v.used[l.Legend] = true
			using = append(using, l)
		}
	}
	if using, err = s.visible(ctx, who, using); err != nil {
		return v, err
	}
	for _, l := range using {
		v.users[l.Legend] = append(v.users[l.Legend], layerReference{l.ID, l.Slug, l.Name})
		hidden, err := s.isPrivate(ctx, l)
		if err != nil {
			return v, err
		}
		if hidden {
			v.private = true
		} else {
			v.open[l.Legend] = true
		}
	}
	v.edits, err = s.mayEdit(ctx, who, nil)
	return v, err
}

// sees reports whether they may see a legend.
func (v legendSight) sees(id rasterbase.LegendID) bool {
	return v.edits || !v.used[id] || len(v.users[id]) > 0
}

// hidden reports whether a legend that they see does not exist for others.
func (v legendSight) hidden(id rasterbase.LegendID) bool { return v.used[id] && !v.open[id] }

// seesSemantics reports whether they may see a semantics: those who may not edit see
// it in legends alone.
func (v legendSight) seesSemantics(u *store.SemanticsUse) bool {
	for _, l := range u.Legends {
		if v.sees(l.ID) {
			return true
		}
	}
	return v.edits
}

// meantLegend is a legend that a name can mean, and the form that it asks for then.
type meantLegend struct {
	legend *rasterbase.Legend
	form   string
}

// seenLegend finds the legend that a name means to the sender, by id or title. One
// that they may not see is answered as if it did not exist, and takes no name from
// another one. With forms, an extension of those that is not part of the title is
// not looked for.
func (s *Server) seenLegend(ctx context.Context, who rasterbase.Principal, ref string, forms bool) (meantLegend, legendSight, error) {
	var all []meantLegend
	var layers []*rasterbase.Layer
	var missing error
	err := s.view(ctx, func(tx store.Tx) (err error) {
		if all, missing, err = legendsMeant(ctx, tx, ref, forms); err != nil {
			return err
		}
		layers, _, err = tx.Layers().Find(ctx, store.LayerFilter{})
		return err
	})
	if err != nil {
		return meantLegend{}, legendSight{}, blame(err, "legend")
	}
	v, err := s.sightOf(ctx, who, layers)
	if err != nil {
		return meantLegend{}, v, err
	}
	for _, m := range all {
		if v.sees(m.legend.ID) {
			return m, v, nil
		}
	}
	return meantLegend{}, v, blame(missing, "legend")
}

// mayName fails when a drawing names a legend that the sender may not see, as if it did
// not exist, and reports whether the legend is hidden from others. Tiles can be drawn by
// it; pictures of legends and files have the names of its classes too.
func (s *Server) mayName(ctx context.Context, who rasterbase.Principal, d *drawing) (hidden bool, err error) {
	if d.legend == "" || d.personal {
		return false, nil
	}
	ref := d.legend
	var l *rasterbase.Legend
	err = s.view(ctx, func(tx store.Tx) (err error) {
		l, err = store.FindLegend(ctx, tx, ref)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return false, noLegend(ref)
	}
	if err != nil {
		return false, err
	}
	v, err := s.lookAround(ctx, who)
	switch {
	case err != nil:
		return false, err
	case !v.sees(l.ID):
		return false, noLegend(ref)
	}
	return v.hidden(l.ID), nil
}

// legendsMeant are the legends that a name can mean, the one that it means to those
// who see all first, and the error when it means none.
func legendsMeant(ctx context.Context, tx store.Tx, ref string, forms bool) (all []meantLegend, missing, err error) {
	names := []meantLegend{{&rasterbase.Legend{Title: ref}, ""}}
	if ext := path.Ext(ref); forms && legendForms[strings.ToLower(ext)] != "" {
		names = append(names, meantLegend{&rasterbase.Legend{Title: strings.TrimSuffix(ref, ext)}, strings.ToLower(ext)})
	}
	for _, n := range names {
		missing = noLegend(n.legend.Title)
		// By the id, and by the title, which may be digits.
		for _, find := range []func() (*rasterbase.Legend, error){
			func() (*rasterbase.Legend, error) { return store.FindLegend(ctx, tx, n.legend.Title) },
			func() (*rasterbase.Legend, error) { return tx.Legends().FindTitle(ctx, n.legend.Title) },
		} {
			l, err := find()
			switch {
			case err == nil:
				all = append(all, meantLegend{l, n.form})
			case !errors.Is(err, store.ErrNotExist):
				return nil, nil, err
			}
		}
	}
	return all, missing, nil
}

// noLegend is the error for a legend that does not exist, or not for the sender.
func noLegend(ref string) error {
	return rasterbase.Errorf(rasterbase.NotFound, "there is no legend %.200q", ref).
		WithHint("name a legend by its id or its title").WithField("legend")
}
