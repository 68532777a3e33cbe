package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// over is a layer made of others: the sum of a, b, c and so on.
func over(name string, inputs ...rasterbase.LayerID) *rasterbase.Layer {
	f := &rasterbase.LayerFormula{}
	var names []string
	for i, id := range inputs {
		names = append(names, string(rune('a'+i)))
		f.Inputs = append(f.Inputs, rasterbase.FormulaInput{Name: names[i], Layer: id, Band: i})
	}
	f.Text = strings.Join(names, " + ")
	return &rasterbase.Layer{Name: name, Formula: f}
}

// flatFormula is a formula without pointers; "none": there is none.
func flatFormula(f *rasterbase.LayerFormula) string {
	if f == nil {
		return "none"
	}
	return fmt.Sprintf("%+v", *f)
}

func flatLayers(list []*rasterbase.Layer) (out []any) {
	for _, l := range list {
		out = append(out, flatLayer(l))
	}
	return out
}

func addFormula(t *testing.T, s store.Store, name string, inputs ...rasterbase.LayerID) *rasterbase.Layer {
	t.Helper()
	l := over(name, inputs...)
	update(t, s, func(tx store.Tx) error { return tx.Layers().Create(t.Context(), l) })
	return l
}

// wantFormula checks that an update is refused for its formula.
func wantFormula(t *testing.T, err error) {
	t.Helper()
	wantCode(t, err, rasterbase.Invalid)
	if e, ok := errors.AsType[*rasterbase.Error](err); !ok || e.Field != "formula" {
		t.Errorf("the error is not of the field formula: %v", err)
	}
}

func formulaRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	red, dem := addLayer(t, s, "red"), addLayer(t, s, "dem")
	l := &rasterbase.Layer{Name: "NDVI", Visibility: rasterbase.Private, Settings: rasterbase.Settings{Datatype: rasterbase.Mask},
		Formula: &rasterbase.LayerFormula{Text: "größer > 'x' &\n~b2", Grid: "größer", Inputs: []rasterbase.FormulaInput{
			{Name: "größer", Layer: dem.ID, Band: 3}, {Name: "b2", Layer: red.ID}, {Name: "b1", Layer: dem.ID}}}}
	update(t, s, func(tx store.Tx) error { return tx.Layers().Create(ctx, l) })
	wantDeepEqual(t, "the layer", flatLayer(layer(t, s, l.ID)), flatLayer(l))
	// Without inputs and text it is a formula too, as whoever stores it has checked.
	bare := &rasterbase.Layer{Name: "bare", Formula: &rasterbase.LayerFormula{}}
	update(t, s, func(tx store.Tx) error { return tx.Layers().Create(ctx, bare) })
	wantDeepEqual(t, "the bare formula", flatFormula(layer(t, s, bare.ID).Formula), flatFormula(bare.Formula))
	if f := layer(t, s, red.ID).Formula; f != nil {
		t.Errorf("a layer without a formula has %+v", f)
	}

	for _, f := range []rasterbase.LayerFormula{
		{Text: "b1", Inputs: []rasterbase.FormulaInput{{Name: "b1", Layer: dem.ID}}},
		{Text: "x/y", Grid: "y", Inputs: []rasterbase.FormulaInput{{Name: "y", Layer: dem.ID, Band: 1}, {Name: "x", Layer: red.ID, Band: 2}}},
		{Text: "x/y", Grid: "y", Inputs: []rasterbase.FormulaInput{{Name: "x", Layer: red.ID, Band: 2}, {Name: "y", Layer: dem.ID, Band: 1}}},
	} {
		l.Formula, l.Description = &f, f.Text
		update(t, s, func(tx store.Tx) error { return tx.Layers().Update(ctx, l) })
		wantDeepEqual(t, "the changed layer", flatLayer(layer(t, s, l.ID)), flatLayer(l))
	}
	l.Name = "only the name"
	update(t, s, func(tx store.Tx) error { return tx.Layers().Update(ctx, l) })
	wantDeepEqual(t, "the renamed layer", flatLayer(layer(t, s, l.ID)), flatLayer(l))
}

func formulaRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	stored := addLayer(t, s, "stored")
	one := addFormula(t, s, "one", stored.ID)
	two := addFormula(t, s, "two", stored.ID, one.ID)
	three := addFormula(t, s, "three", two.ID)
	for name, l := range map[string]*rasterbase.Layer{"none": over("x", 999999), "zero": over("x", 0), "negative": over("x", -1), "one of two": over("x", stored.ID, 999999)} {
		t.Log(name)
		wantFormula(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Create(ctx, l) }))
	}
	change := func(l *rasterbase.Layer, f *rasterbase.LayerFormula) error {
		n := *layer(t, s, l.ID)
		n.Formula = f
		return s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Update(ctx, &n) })
	}
	for name, err := range map[string]error{
		"itself":                change(one, over("", one.ID).Formula),
		"itself beside another": change(one, over("", stored.ID, one.ID).Formula),
		"two read each other":   change(one, over("", two.ID).Formula),
		"three in a ring":       change(one, over("", stored.ID, three.ID).Formula),
		"an unknown layer":      change(one, over("", 999999).Formula),
		"no formula any more":   change(one, nil),
		"a formula by now":      change(stored, over("", one.ID).Formula),
	} {
		t.Log(name)
		wantFormula(t, err)
	}
	// A given id that the layer itself would have.
	self := over("self", 700)
	self.ID = 700
	wantFormula(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Create(ctx, self) }))
	for _, l := range []*rasterbase.Layer{stored, one, two, three} {
		wantDeepEqual(t, "the layer", flatLayer(layer(t, s, l.ID)), flatLayer(l))
	}
	// What is refused changes nothing, though the transaction goes on.
	update(t, s, func(tx store.Tx) error {
		wantFormula(t, tx.Layers().Create(ctx, over("x", 999999)))
		n := *one
		n.Name, n.Formula = "another", over("", three.ID).Formula
		wantFormula(t, tx.Layers().Update(ctx, &n))
		wantCode(t, tx.Layers().Delete(ctx, one.ID), rasterbase.Conflict)
		return nil
	})
	wantDeepEqual(t, "the layer", flatLayer(layer(t, s, one.ID)), flatLayer(one))
	wantEqual(t, "the number of layers", get(t, s, func(tx store.Tx) (int, error) {
		_, n, err := tx.Layers().Find(ctx, store.LayerFilter{})
		return n, err
	}), 4)
}

// formulaDepth stacks formulas as high as they may stand, and one higher.
func formulaDepth(t *testing.T, s store.Store) {
	ctx := t.Context()
	stored := addLayer(t, s, "stored")
	tower := []*rasterbase.Layer{addFormula(t, s, "1", stored.ID)}
	for i := 2; i <= store.MaxFormulaDepth; i++ {
		top := tower[len(tower)-1].ID
		tower = append(tower, addFormula(t, s, fmt.Sprint(i), stored.ID, top, top, tower[0].ID))
	}
	wantFormula(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Layers().Create(ctx, over("too high", stored.ID, tower[len(tower)-1].ID))
	}))
	// What is put below counts as what is put on top does.
	other := addFormula(t, s, "other", stored.ID)
	set := func(l *rasterbase.Layer, inputs ...rasterbase.LayerID) error {
		n := *l
		n.Formula = over("", inputs...).Formula
		return s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Update(ctx, &n) })
	}
	wantFormula(t, set(tower[0], other.ID))
	wantFormula(t, set(tower[3], stored.ID, tower[2].ID, addFormula(t, s, "higher", tower[2].ID).ID))
	must(t, set(tower[3], stored.ID, other.ID))
	must(t, set(tower[0], other.ID))
}

func formulaReadBy(t *testing.T, s store.Store) {
	ctx := t.Context()
	a, b := addLayer(t, s, "a"), addLayer(t, s, "b")
	one := addFormula(t, s, "one", a.ID, a.ID)
	two := addFormula(t, s, "two", one.ID, b.ID)
	three := addFormula(t, s, "three", two.ID, a.ID, one.ID)
	for _, c := range []struct {
		of   *rasterbase.Layer
		want []*rasterbase.Layer
	}{{a, []*rasterbase.Layer{one, two, three}}, {b, []*rasterbase.Layer{two, three}}, {one, []*rasterbase.Layer{two, three}},
		{two, []*rasterbase.Layer{three}}, {three, nil}} {
		got := get(t, s, func(tx store.Tx) ([]*rasterbase.Layer, error) { return tx.Layers().ReadBy(ctx, c.of.ID) })
		wantDeepEqual(t, "what reads "+c.of.Name, flatLayers(got), flatLayers(c.want))
	}
	_, err := tryGet(t, s, func(tx store.Tx) ([]*rasterbase.Layer, error) { return tx.Layers().ReadBy(ctx, 999999) })
	wantNotExist(t, err)
}

func formulaDelete(t *testing.T, s store.Store) {
	ctx := t.Context()
	a, b := addLayer(t, s, "a"), addLayer(t, s, "b")
	one := addFormula(t, s, "one of them", a.ID, b.ID)
	two := addFormula(t, s, "two of them", one.ID)
	remove := func(l *rasterbase.Layer) error {
		return s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Layers().Delete(ctx, l.ID) })
	}
	for _, l := range []*rasterbase.Layer{a, b, one} {
		wantCode(t, remove(l), rasterbase.Conflict)
		wantEqual(t, "the name of what stays", layer(t, s, l.ID).Name, l.Name)
	}
	if err := remove(a); err == nil || !strings.Contains(err.Error(), "one of them") || strings.Contains(err.Error(), "two of them") {
		t.Errorf("the error does not name what reads the layer: %v", err)
	}
	// An input that is read no more can go.
	one.Formula = over("", a.ID).Formula
	update(t, s, func(tx store.Tx) error { return tx.Layers().Update(ctx, one) })
	must(t, remove(b))
	wantNotExist(t, remove(b))
	// From the top down, all can.
	update(t, s, func(tx store.Tx) error {
		for _, l := range []*rasterbase.Layer{two, one, a} {
			if err := tx.Layers().Delete(ctx, l.ID); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx store.Tx) error {
		_, n, err := tx.Layers().Find(ctx, store.LayerFilter{})
		wantEqual(t, "the number of layers", n, 0)
		return err
	})
}

func formulaFind(t *testing.T, s store.Store) {
	ctx := t.Context()
	stored := addLayer(t, s, "stored")
	mask, none := over("mask", stored.ID), over("none", stored.ID)
	mask.Settings.Datatype = rasterbase.Mask
	asked := &rasterbase.Layer{Name: "asked", Settings: rasterbase.Settings{Datatype: rasterbase.Mask}} // not parsed yet
	parsed := &rasterbase.Layer{Name: "parsed"}
	update(t, s, func(tx store.Tx) error {
		for _, l := range []*rasterbase.Layer{mask, none, asked, parsed} {
			if err := tx.Layers().Create(ctx, l); err != nil {
				return err
			}
		}
		r := &rasterbase.Revision{Layer: parsed.ID, Datatype: rasterbase.Mask}
		if err := tx.Revisions().Create(ctx, r); err != nil {
			return err
		}
		_, err := tx.Revisions().Publish(ctx, r.ID)
		return err
	})
	find := func(f store.LayerFilter) string {
		t.Helper()
		return get(t, s, func(tx store.Tx) (string, error) {
			found, n, err := tx.Layers().Find(ctx, f)
			var names []string
			for _, l := range found {
				names = append(names, l.Name)
				if (l.Formula != nil) != (l.Name == "mask" || l.Name == "none") || l.Formula != nil && len(l.Formula.Inputs) != 1 {
					t.Errorf("%s has the formula %+v", l.Name, l.Formula)
				}
			}
			return fmt.Sprint(n, names), err
		})
	}
	wantEqual(t, "all", find(store.LayerFilter{}), "5 [stored mask none asked parsed]")
	wantEqual(t, "the masks", find(store.LayerFilter{Datatype: rasterbase.Mask}), "2 [mask parsed]")
	wantEqual(t, "the masks by name", find(store.LayerFilter{Datatype: rasterbase.Mask, Search: "AS"}), "1 [mask]")
	none.Settings.Datatype = rasterbase.Categorical
	update(t, s, func(tx store.Tx) error { return tx.Layers().Update(ctx, none) })
	wantEqual(t, "a changed one", find(store.LayerFilter{Datatype: rasterbase.Categorical}), "1 [none]")
}

// formulaTogether: of a layer that is deleted and a formula that begins to read it
// at the same time, and of two formulas that begin to read each other, one fails.
func formulaTogether(t *testing.T, s store.Store) {
	ctx := t.Context()
	both := func(one, two func(store.Tx) error) (kept int) {
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, fn := range []func(store.Tx) error{one, two} {
			wg.Go(func() { errs[i] = s.Catalog().Update(ctx, fn) })
		}
		wg.Wait()
		for _, err := range errs {
			switch {
			case err == nil:
				kept++
			case rasterbase.CodeOf(err) != rasterbase.Invalid && rasterbase.CodeOf(err) != rasterbase.Conflict:
				t.Errorf("the error is %v", err)
			}
		}
		return kept
	}
	for range 10 {
		input := addLayer(t, s, "input")
		kept := both(
			func(tx store.Tx) error { return tx.Layers().Create(ctx, over("reader", input.ID)) },
			func(tx store.Tx) error { return tx.Layers().Delete(ctx, input.ID) })
		wantEqual(t, "how many of a formula and a deletion were kept", kept, 1)

		stored := addLayer(t, s, "stored")
		one, two := addFormula(t, s, "one", stored.ID), addFormula(t, s, "two", stored.ID)
		read := func(l, other *rasterbase.Layer) func(store.Tx) error {
			return func(tx store.Tx) error {
				n := *l
				n.Formula = over("", other.ID).Formula
				return tx.Layers().Update(ctx, &n)
			}
		}
		wantEqual(t, "how many of two formulas that read each other were kept", both(read(one, two), read(two, one)), 1)
	}
}
