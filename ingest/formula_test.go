package ingest_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

// formulaOver makes a layer of a formula over another one.
func formulaOver(t *testing.T, p *ingest.Parser, name string, input rasterbase.LayerID) *rasterbase.Layer {
	t.Helper()
	l := &rasterbase.Layer{Name: name, Formula: &rasterbase.LayerFormula{Text: "a*2", Inputs: []rasterbase.FormulaInput{{Name: "a", Layer: input}}}}
	ticket, err := p.Create(t.Context(), l, rasterbase.SourceFrom{})
	if err != nil || ticket != (rasterbase.Ticket{Layer: l.ID}) {
		t.Fatal(ticket, err)
	}
	return l
}

// refused checks the code and the field of an error, and that it says something.
func refused(t *testing.T, what string, err error, code rasterbase.Code, field, says string) {
	t.Helper()
	e, ok := errors.AsType[*rasterbase.Error](err)
	if rasterbase.CodeOf(err) != code || !ok || e.Field != field || !strings.Contains(err.Error()+" "+e.Hint, says) {
		t.Errorf("%s: the error is %v (%+v), not %s of %q with %q", what, err, e, code, field, says)
	}
}

// A layer with a formula is made, changed and deleted without a parse.
func TestFormulaLayers(t *testing.T) {
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, Visibility: rasterbase.Private})
	input, err := p.Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn"), Name: "input"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := formulaOver(t, p, "Twice", input.ID)
	if got := layerOf(t, st, l.ID); !reflect.DeepEqual(got, l) || got.Visibility != rasterbase.Private || got.Slug != "twice" {
		t.Errorf("the layer is %+v", got)
	}
	legend := &rasterbase.Legend{Title: "one"}
	update(t, st, func(tx store.Tx) error { return tx.Legends().Create(t.Context(), legend) })
	for name, fn := range map[string]func(*rasterbase.Layer){
		"texts":      func(l *rasterbase.Layer) { l.Name, l.Slug, l.Description = "another", "other", "a\nb" },
		"legend":     func(l *rasterbase.Layer) { l.Legend = legend.ID },
		"visibility": func(l *rasterbase.Layer) { l.Visibility = rasterbase.Public },
		"datatype":   func(l *rasterbase.Layer) { l.Settings.Datatype = rasterbase.Categorical },
		"formula":    func(l *rasterbase.Layer) { l.Formula.Text, l.Formula.Inputs[0].Name = "b*2", "b" },
	} {
		want := layerOf(t, st, l.ID)
		fn(want)
		got, ticket, err := p.Change(t.Context(), l.ID, nil, func(l *rasterbase.Layer) error { fn(l); return nil })
		if err != nil || ticket != (rasterbase.Ticket{Layer: l.ID}) {
			t.Fatal(name, ticket, err)
		}
		want.Updated = got.Updated
		if stored := layerOf(t, st, l.ID); !reflect.DeepEqual(stored, want) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the layer is %+v, not %+v", name, stored, want)
		}
		if err := p.Finish(t.Context(), ticket); err != nil {
			t.Error(name, err)
		}
	}
	if done, err := p.Run(t.Context(), rasterbase.Ticket{Layer: l.ID}, nil); err != nil || done.ID != l.ID {
		t.Error(done, err)
	}
	if err := errors.Join(p.Cancel(t.Context(), l.ID), p.Reconcile(t.Context())); err != nil {
		t.Error(err)
	}
	if err := p.Delete(t.Context(), l.ID); err != nil {
		t.Error(err)
	}
	if err := p.Delete(t.Context(), input.ID); err != nil {
		t.Error(err)
	}
}

// What a formula cannot have or do is refused with the way out.
func TestFormulaLayersRefuse(t *testing.T) {
	ctx, st := t.Context(), swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64})
	input, err := p.Import(ctx, ingest.Request{Source: fileNamed(t, "raster.syn"), Name: "input"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := formulaOver(t, p, "Twice", input.ID)
	_, err = p.Reparse(ctx, l.ID)
	refused(t, "a parse", err, rasterbase.Invalid, "", "is a formula, it is never parsed")
	refused(t, "a parse", err, rasterbase.Invalid, "", "parse 1")
	_, _, err = p.Change(ctx, l.ID, &rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "x", 1)}, nil)
	refused(t, "a source", err, rasterbase.Invalid, "source", "has no source")
	ready, err := p.Prepare(ctx, ingest.Request{Source: fileNamed(t, "raster.syn")})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = ready.Change(ctx, l.ID, nil)
	refused(t, "a prepared source", err, rasterbase.Invalid, "source", "has no source")
	ready.Discard(ctx)
	_, err = p.Create(ctx, &rasterbase.Layer{Name: "x", Formula: l.Formula}, rasterbase.SourceFrom{Path: "/x.tif"})
	refused(t, "a formula and a source", err, rasterbase.Invalid, "source", "not of both")
	_, err = p.Create(ctx, &rasterbase.Layer{Formula: l.Formula}, rasterbase.SourceFrom{})
	refused(t, "no name", err, rasterbase.Invalid, "name", "")
	_, _, err = p.Change(ctx, l.ID, nil, func(l *rasterbase.Layer) error { l.Formula = nil; return nil })
	refused(t, "no formula any more", err, rasterbase.Invalid, "formula", "cannot be without")
	_, _, err = p.Change(ctx, input.ID, nil, func(x *rasterbase.Layer) error { x.Formula = l.Formula; return nil })
	refused(t, "a formula by now", err, rasterbase.Invalid, "formula", "cannot become a formula")

	nodata := 7.0
	for field, s := range map[string]rasterbase.Settings{
		"srid": {SRID: 32633}, "nodata": {Nodata: &nodata}, "max-zoom": {MaxZoom: intPtr(4)}, "next-lower": {NextLower: true},
		"no-pyramid": {NoPyramid: true}, "resampling": {Resampling: rasterbase.Nearest}, "tilesize": {TileSize: 128}, "subdataset": {Subdataset: "x"},
		"type": {Datatype: "x"},
	} {
		_, _, err := p.Change(ctx, l.ID, nil, func(l *rasterbase.Layer) error { l.Settings = s; return nil })
		refused(t, "changed "+field, err, rasterbase.Invalid, field, "")
		_, err = p.Create(ctx, &rasterbase.Layer{Name: "x", Settings: s, Formula: l.Formula}, rasterbase.SourceFrom{})
		refused(t, "made with "+field, err, rasterbase.Invalid, field, "")
	}

	refused(t, "deleting what is read", p.Delete(ctx, input.ID), rasterbase.Conflict, "", "2 (Twice)")
	if got := layerOf(t, st, input.ID); got.Published != input.Published || !sourceIDs(t, st)[input.Source.ID] {
		t.Errorf("what could not be deleted is %+v", got)
	}
	for range 5 {
		formulaOver(t, p, "More", input.ID)
	}
	refused(t, "deleting what many read", p.Delete(ctx, input.ID), rasterbase.Conflict, "", "6 (More) and 1 more")

	// A layer that asks for other tiles is outdated, a formula never.
	_, _, err = p.Change(ctx, l.ID, nil, func(l *rasterbase.Layer) error { l.Settings.Datatype = rasterbase.Mask; return nil })
	if err != nil {
		t.Fatal(err)
	}
	update(t, st, func(tx store.Tx) error {
		old, err := store.Outdated(ctx, tx, 128)
		if len(old) != 1 || slices.ContainsFunc(old, func(o *rasterbase.Layer) bool { return o.Formula != nil }) {
			t.Errorf("outdated are %v", old)
		}
		return err
	})
}
