package coverage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/store"
)

// formulaLayer stores a layer with a formula.
func formulaLayer(t testing.TB, st store.Store, name, text, grid string, inputs ...rasterbase.FormulaInput) *rasterbase.Layer {
	t.Helper()
	l := &rasterbase.Layer{Name: name, Formula: &rasterbase.LayerFormula{Text: text, Inputs: inputs, Grid: grid}}
	if err := st.Catalog().Update(context.Background(), func(tx store.Tx) error { return tx.Layers().Create(context.Background(), l) }); err != nil {
		t.Fatal(err)
	}
	return l
}

func reads(name string, id rasterbase.LayerID, band int) rasterbase.FormulaInput {
	return rasterbase.FormulaInput{Name: name, Layer: id, Band: band}
}

func TestOpenLayersOfFormulas(t *testing.T) {
	st := open(t)
	a := layer(t, st, waves(64, 2, raster.Rect{Width: 100, Height: 100}, rasterbase.Band{PixelType: rasterbase.Float32}, rasterbase.Band{PixelType: rasterbase.Float32}))
	b := layer(t, st, waves(64, 1, raster.Rect{Width: 90, Height: 90}, rasterbase.Band{PixelType: rasterbase.Uint8}))
	idA, idB := a.Layer().ID, b.Layer().ID
	ndvi := formulaLayer(t, st, "ndvi", "(n-r)/(n+r)", "", reads("n", idA, 1), reads("r", idA, 0))
	over := formulaLayer(t, st, "over", "x * b + y", "b", reads("x", ndvi.ID, 0), reads("b", idB, 0), reads("y", ndvi.ID, 0))

	c, err := coverage.Open(t.Context(), st, over.ID)
	if err != nil {
		t.Fatal(err)
	}
	f := c.(*coverage.Formula)
	if f.Layer().ID != over.ID || f.Describe().Name != "over" || f.Describe().Grid != b.Describe().Grid {
		t.Errorf("%+v", f.Describe())
	}
	var ids []rasterbase.LayerID
	for _, l := range coverage.Reads(c) {
		ids = append(ids, l.ID)
	}
	if !slices.Equal(ids, []rasterbase.LayerID{over.ID, ndvi.ID, idA, idB}) {
		t.Errorf("it reads %v", ids)
	}
	flat := formula(t, "(n-r)/(n+r) * b + (n-r)/(n+r)", coverage.FormulaOptions{Grid: "b"}, input("n", a, 1), input("r", a, 0), input("b", b, 0))
	for _, level := range []coverage.Level{coverage.BaseLevel, coverage.ZoomLevel(1), coverage.ZoomLevel(3)} {
		r := coverage.WindowRequest{Level: level, Width: 90, Height: 90}
		got, err := c.Window(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		want, err := flat.Window(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		samePixels(t, fmt.Sprint(level), got, want)
	}
	all, err := coverage.OpenAll(t.Context(), st, []rasterbase.LayerID{idA, over.ID, ndvi.ID, idA}, coverage.OpenOptions{})
	if err != nil || len(all) != 4 || all[0] != all[3] || all[1].(*coverage.Formula).Inputs()[0].Coverage != all[2] || all[1].Version() != c.Version() {
		t.Errorf("%v, %v", all, err)
	}

	// A new revision of an input is another version, and the old coverage tells when
	// what it reads is gone.
	old := a.Revision()
	if _, err := testlayer.Publish(t.Context(), st, idA, waves(64, 2, raster.Rect{Width: 64, Height: 64}, rasterbase.Band{PixelType: rasterbase.Int16}, rasterbase.Band{PixelType: rasterbase.Int16})); err != nil {
		t.Fatal(err)
	}
	next, err := coverage.Open(t.Context(), st, over.ID)
	if err != nil || next.Version() == c.Version() {
		t.Errorf("the version is %s still, %v", c.Version(), err)
	}
	if err := st.Tiles().Drop(t.Context(), store.RevisionKey{Layer: idA, Revision: old.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(2), Width: 64, Height: 64}); !errors.Is(err, store.ErrRevisionGone) {
		t.Errorf("a dropped revision: %v", err)
	}
	if _, err := next.Window(t.Context(), coverage.WindowRequest{Level: coverage.ZoomLevel(2), Width: 64, Height: 64}); err != nil {
		t.Errorf("its successor: %v", err)
	}
}

func TestLayersOfFormulasThatCannotBeOpened(t *testing.T) {
	st := open(t)
	a := layer(t, st, waves(64, 1, raster.Rect{Width: 50, Height: 50}, rasterbase.Band{PixelType: rasterbase.Uint8})).Layer().ID
	waiting := &rasterbase.Layer{Name: "waiting"}
	err := st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		if err := tx.Layers().Create(t.Context(), waiting); err != nil {
			return err
		}
		p := &rasterbase.Parse{Layer: waiting.ID, Status: rasterbase.Tiling}
		return tx.Parses().Create(t.Context(), p)
	})
	if err != nil {
		t.Fatal(err)
	}
	below := formulaLayer(t, st, "below", "w+1", "", reads("w", waiting.ID, 0)).ID
	for name, tt := range map[string]struct {
		id    rasterbase.LayerID
		code  rasterbase.Code
		field string
		says  []string
	}{
		"no such layer":       {999, rasterbase.NotFound, "", nil},
		"an unparsed input":   {below, rasterbase.NotFound, "", []string{"below", "as w", "waiting", "creating tiles"}},
		"one further down":    {formulaLayer(t, st, "top", "x", "", reads("x", below, 0)).ID, rasterbase.NotFound, "", []string{"top", "as x", "below", "waiting"}},
		"a missing band":      {formulaLayer(t, st, "bands", "x", "", reads("x", a, 3)).ID, rasterbase.Invalid, "layers", []string{"bands", "band 4", "which has 1"}},
		"no formula any more": {formulaLayer(t, st, "old", "x ++* 2", "", reads("x", a, 0)).ID, rasterbase.Invalid, "formula", []string{"old", "column 5"}},
		"an unbound variable": {formulaLayer(t, st, "unbound", "x + y", "", reads("x", a, 0)).ID, rasterbase.Invalid, "formula", []string{"unbound", "y"}},
		"no such grid":        {formulaLayer(t, st, "grid", "x", "y", reads("x", a, 0)).ID, rasterbase.Invalid, "grid", []string{"y"}},
	} {
		_, err := coverage.Open(t.Context(), st, tt.id)
		if rasterbase.CodeOf(err) != tt.code || blamed(err) != tt.field {
			t.Errorf("%s: %v (%s)", name, err, blamed(err))
		}
		for _, s := range tt.says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s: the error does not say %q: %v", name, s, err)
			}
		}
	}
}

// A formula over a formula, found by the stored layers that a spatial query lists:
// formulas are not among them.
func TestFormulasAreNotStoredLayers(t *testing.T) {
	st := open(t)
	a := layer(t, st, waves(64, 1, raster.Rect{Width: 50, Height: 50}, rasterbase.Band{PixelType: rasterbase.Uint8}))
	l := formulaLayer(t, st, "double", "x*2", "", reads("x", a.Layer().ID, 0))
	found, err := coverage.Layers(t.Context(), st, coverage.LayersQuery{})
	if err != nil || len(found) != 1 || found[0].Layer().ID != a.Layer().ID {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := coverage.OpenLayer(t.Context(), st, l.ID); rasterbase.CodeOf(err) != rasterbase.Unsupported || !strings.Contains(err.Error(), "formula") {
		t.Errorf("opened as a stored layer: %v", err)
	}
}
