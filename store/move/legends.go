package move

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// styles are what a catalog draws layers by: legends and semantics by id, and
// what people keep for themselves by owner and name.
type styles struct {
	legends   []*rasterbase.Legend
	semantics []rasterbase.Semantics
	colormaps []*rasterbase.UserColormap
}

func readStyles(ctx context.Context, tx store.Tx) (s styles, err error) {
	if s.legends, err = tx.Legends().List(ctx); err != nil {
		return s, err
	}
	slices.SortFunc(s.legends, func(a, b *rasterbase.Legend) int { return cmp.Compare(a.ID, b.ID) })
	uses, err := tx.Semantics().List(ctx)
	if err != nil {
		return s, err
	}
	for _, u := range uses {
		s.semantics = append(s.semantics, u.Semantics)
	}
	slices.SortFunc(s.semantics, func(a, b rasterbase.Semantics) int { return cmp.Compare(a.ID, b.ID) })
	s.colormaps, err = tx.Colormaps().List(ctx, "")
	return s, err
}

func (s styles) legend(id rasterbase.LegendID) *rasterbase.Legend {
	i, found := slices.BinarySearchFunc(s.legends, id, func(l *rasterbase.Legend, id rasterbase.LegendID) int { return cmp.Compare(l.ID, id) })
	if !found {
		return nil
	}
	return s.legends[i]
}

// meaning is the semantics with an id.
func (s styles) meaning(id rasterbase.SemanticsID) *rasterbase.Semantics {
	i, found := slices.BinarySearchFunc(s.semantics, id, func(s rasterbase.Semantics, id rasterbase.SemanticsID) int { return cmp.Compare(s.ID, id) })
	if !found {
		return nil
	}
	return &s.semantics[i]
}

// byKey are the colormaps by what is unique of them.
func (s styles) byKey() map[string]*rasterbase.UserColormap {
	all := make(map[string]*rasterbase.UserColormap, len(s.colormaps))
	for _, m := range s.colormaps {
		all[colormapKey(m.Owner, m.Name)] = m
	}
	return all
}

// colormapKey is the same for the same colormap in every catalog, whatever texts
// it can keep.
func colormapKey(owner, name string) string {
	return strings.ReplaceAll(string([]rune(owner)), "\x00", "\ufffd") + "\x00" + strings.ToLower(strings.ToUpper(string([]rune(name))))
}

func legendName(l *rasterbase.Legend) string { return fmt.Sprintf("legend %d (%s)", l.ID, l.Title) }

func semanticsName(s *rasterbase.Semantics) string {
	return fmt.Sprintf("semantics %d (%s)", s.ID, s.Name)
}

func colormapName(m *rasterbase.UserColormap) string {
	return fmt.Sprintf("the colormap %q of %s", m.Name, m.Owner)
}

// foreign names what a destination has that no move from the source has put
// there. Where something was moved before, what is older than at the source is
// brought up to date.
func (s styles) foreign(dst styles, moved bool, owner func(string) string) (names []string) {
	for _, d := range dst.legends {
		switch l := s.legend(d.ID); {
		case l == nil:
			names = append(names, legendName(d)+", which the source has not")
		case difference(l, d, legendFields...) != "" && !(moved && d.Updated.Before(l.Updated)):
			names = append(names, legendName(d)+", which is not as the source's")
		}
	}
	for i := range dst.semantics {
		d := &dst.semantics[i]
		switch m := s.meaning(d.ID); {
		case m == nil:
			names = append(names, semanticsName(d)+", which the source has not")
		case difference(m, d) != "" && !moved:
			names = append(names, semanticsName(d)+", which is not as the source's")
		}
	}
	kept := s.byKey()
	for _, d := range dst.colormaps {
		switch m := kept[colormapKey(owner(d.Owner), d.Name)]; {
		case m == nil && !moved:
			names = append(names, colormapName(d)+", which the source has not")
		case m != nil && difference(m, d, "Owner", "Updated") != "" && !d.Updated.Before(m.Updated):
			names = append(names, colormapName(d)+", which was changed there")
		}
	}
	return names
}

// changed names what is not the same at the destination.
func (s styles) changed(dst styles) (names []string) {
	for _, l := range s.legends {
		if d := dst.legend(l.ID); d == nil || difference(l, d, legendFields...) != "" {
			names = append(names, legendName(l)+" is new or another")
		}
	}
	for _, d := range dst.legends {
		if s.legend(d.ID) == nil {
			names = append(names, legendName(d)+" was deleted")
		}
	}
	for i := range s.semantics {
		m := &s.semantics[i]
		if d := dst.meaning(m.ID); d == nil || difference(m, d) != "" {
			names = append(names, semanticsName(m)+" is new or another")
		}
	}
	for i := range dst.semantics {
		if s.meaning(dst.semantics[i].ID) == nil {
			names = append(names, semanticsName(&dst.semantics[i])+" was deleted")
		}
	}
	there := dst.byKey()
	for _, m := range s.colormaps {
		if d := there[colormapKey(m.Owner, m.Name)]; d == nil || difference(m, d) != "" {
			names = append(names, colormapName(m)+" is new or another")
		}
	}
	return names
}

// alone names the colormaps that the destination alone has. Somebody may have kept
// them there, so they stay, whatever was deleted at the source.
func (s styles) alone(dst styles) (names []string) {
	src := s.byKey()
	for _, d := range dst.colormaps {
		if src[colormapKey(d.Owner, d.Name)] == nil {
			names = append(names, colormapName(d))
		}
	}
	return names
}

// styles copies all semantics, legends and colormaps, and brings those up to date
// that an earlier run had moved; checkDestination has seen that they may be.
func (m *mover) styles(ctx context.Context, src styles) error {
	return m.to.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		dst, err := readStyles(ctx, tx)
		if err != nil {
			return err
		}
		if err := putSemantics(ctx, tx, src, dst); err != nil {
			return fmt.Errorf("moving semantics: %w", err)
		}
		for _, l := range src.legends {
			if err := putLegend(ctx, tx, l); err != nil {
				return fmt.Errorf("moving %s: %w", legendName(l), err)
			}
		}
		return putColormaps(ctx, tx, src, dst)
	})
}

// putSemantics copies all semantics at once: a legend makes those that have an id
// already, and lets them change their names with each other.
func putSemantics(ctx context.Context, tx store.Tx, src, dst styles) error {
	carrier := rasterbase.Legend{Title: rand.Text()}
	for i := range src.semantics {
		s := &src.semantics[i]
		if d := dst.meaning(s.ID); d == nil || difference(s, d) != "" {
			carrier.Entries = append(carrier.Entries, rasterbase.Entry{Semantics: *s})
		}
	}
	if len(carrier.Entries) == 0 {
		return nil
	}
	if err := tx.Legends().Create(ctx, &carrier); err != nil {
		return err
	}
	return tx.Legends().Delete(ctx, carrier.ID)
}

func putLegend(ctx context.Context, tx store.Tx, src *rasterbase.Legend) error {
	n := *src
	n.Entries = slices.Clone(src.Entries)
	dst, err := tx.Legends().Get(ctx, src.ID)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return tx.Legends().Create(ctx, &n)
	case err != nil:
		return err
	case difference(src, dst, legendFields...) == "":
		return nil
	}
	// An update makes no entries that have an id already; a new legend does. They
	// are there as long as a legend has them.
	carrier := rasterbase.Legend{Title: rand.Text(), Entries: slices.Clone(src.Entries)}
	if err := tx.Legends().Create(ctx, &carrier); err != nil {
		return err
	}
	if err := tx.Legends().Update(ctx, &n); err != nil {
		return err
	}
	return tx.Legends().Delete(ctx, carrier.ID)
}

// putColormaps copies what people keep.
func putColormaps(ctx context.Context, tx store.Tx, src, dst styles) error {
	there := dst.byKey()
	for _, s := range src.colormaps {
		if d := there[colormapKey(s.Owner, s.Name)]; d != nil && difference(s, d) == "" {
			continue
		}
		n := *s
		if err := tx.Colormaps().Put(ctx, &n); err != nil {
			return fmt.Errorf("moving %s: %w", colormapName(s), err)
		}
	}
	return nil
}

// reserveStyles creates what has the last ids and deletes it again, unless it is
// there.
func (last lastIDs) reserveStyles(ctx context.Context, tx store.Tx) error {
	legends, err := tx.Legends().List(ctx)
	if err != nil {
		return err
	}
	l, needed := rasterbase.Legend{Title: rand.Text()}, false
	if last.legend > 0 && !slices.ContainsFunc(legends, func(l *rasterbase.Legend) bool { return l.ID == last.legend }) {
		l.ID, needed = last.legend, true
	}
	use, err := tx.Semantics().Get(ctx, last.semantics)
	noSemantics, err := missing(int64(last.semantics), err)
	if err != nil {
		return err
	}
	s := rasterbase.Semantics{ID: last.semantics, Name: rand.Text()}
	if noSemantics {
		if err := tx.Semantics().Create(ctx, &s); err != nil {
			return err
		}
	} else if use != nil {
		s = use.Semantics
	}
	if last.entry > 0 && !hasEntry(legends, last.entry) {
		l.Entries, needed = []rasterbase.Entry{{ID: last.entry, Semantics: s}}, true
	}
	if needed {
		if err := tx.Legends().Create(ctx, &l); err != nil {
			return err
		}
		if err := tx.Legends().Delete(ctx, l.ID); err != nil {
			return err
		}
	}
	if noSemantics {
		return tx.Semantics().Delete(ctx, s.ID)
	}
	return nil
}

func hasEntry(legends []*rasterbase.Legend, id rasterbase.EntryID) bool {
	return slices.ContainsFunc(legends, func(l *rasterbase.Legend) bool {
		return slices.ContainsFunc(l.Entries, func(e rasterbase.Entry) bool { return e.ID == id })
	})
}
