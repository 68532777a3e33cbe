package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func addExport(t *testing.T, s store.Store, e *rasterbase.Export) *rasterbase.Export {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Exports().Create(t.Context(), e) })
	return e
}

func export(t *testing.T, s store.Store, id rasterbase.ExportID) (*rasterbase.Export, error) {
	t.Helper()
	return tryGet(t, s, func(tx store.Tx) (*rasterbase.Export, error) { return tx.Exports().Get(t.Context(), id) })
}

func exportRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	before := time.Now().Add(-time.Second)
	at := time.Date(2031, 2, 28, 23, 59, 59, 987_654_000, time.FixedZone("", 3600))
	e := addExport(t, s, &rasterbase.Export{Owner: "ada", Request: json.RawMessage(`{"layers": ["a=1"],  "formula":["größe"]}`),
		Layers: []rasterbase.LayerID{999999, 3}, Status: rasterbase.Queued, Planned: 1 << 40, Expires: at})
	if e.ID == 0 || e.Created.Before(before) || e.Created.Location() != time.UTC || !e.Expires.Equal(at) {
		t.Errorf("the new export is %+v", e)
	}
	got, err := export(t, s, e.ID)
	must(t, err)
	wantDeepEqual(t, "the export", got, e)
	bare := addExport(t, s, &rasterbase.Export{})
	got, err = export(t, s, bare.ID)
	must(t, err)
	wantDeepEqual(t, "the bare export", got, bare)

	changed := *e
	changed.Owner, changed.Request, changed.Layers, changed.Created = "eve", json.RawMessage(`{}`), nil, at
	changed.Status, changed.Error, changed.Planned, changed.Done = rasterbase.Finished, "no\nroom", 9, 8
	changed.FileName, changed.Size, changed.Source = "größe.tif", 1<<41, "s1"
	changed.Started, changed.Ended, changed.Expires = at.Add(-time.Hour), at, at.Add(time.Hour)
	update(t, s, func(tx store.Tx) error { return tx.Exports().Update(ctx, &changed) })
	e.Status, e.Error, e.Planned, e.Done = rasterbase.Finished, "no\nroom", 9, 8
	e.FileName, e.Size, e.Source = "größe.tif", 1<<41, "s1"
	e.Started, e.Ended, e.Expires = at.Add(-time.Hour).UTC(), at.UTC(), at.Add(time.Hour).UTC()
	got, err = export(t, s, e.ID)
	must(t, err)
	wantDeepEqual(t, "the changed export", got, e)
}

func exportList(t *testing.T, s store.Store) {
	ctx := t.Context()
	one := addExport(t, s, &rasterbase.Export{Owner: "ada", FileName: "1"})
	addExport(t, s, &rasterbase.Export{Owner: "Ada", FileName: "2"})
	addExport(t, s, &rasterbase.Export{Owner: "ada", FileName: "3"})
	want := func(owner, files string) {
		t.Helper()
		var got []string
		for _, e := range get(t, s, func(tx store.Tx) ([]*rasterbase.Export, error) { return tx.Exports().List(ctx, owner) }) {
			got = append(got, e.FileName)
		}
		wantEqual(t, "the exports of "+owner, strings.Join(got, " "), files)
	}
	want("", "3 2 1")
	want("ada", "3 1")
	want("Ada", "2")
	want("eve", "")
	for range 2 { // deleting it again is not an error
		update(t, s, func(tx store.Tx) error { return tx.Exports().Delete(ctx, one.ID) })
		want("ada", "3")
	}
	// Ids are not given again, and given ones are kept.
	last := addExport(t, s, &rasterbase.Export{Owner: "ada", FileName: "4"})
	update(t, s, func(tx store.Tx) error { return tx.Exports().Delete(ctx, last.ID) })
	if next := addExport(t, s, &rasterbase.Export{}); next.ID <= last.ID {
		t.Errorf("the id %d is given again", next.ID)
	}
	at := time.Date(2019, 12, 31, 23, 59, 59, 123_456_000, time.UTC)
	given := addExport(t, s, &rasterbase.Export{ID: 500, Owner: "ada", FileName: "5", Created: at})
	got, err := export(t, s, 500)
	must(t, err)
	wantDeepEqual(t, "the export with a given id", got, given)
	wantDeepEqual(t, "its time", got.Created, at)
	if next := addExport(t, s, &rasterbase.Export{Created: at}); next.ID <= 500 || next.Created.Equal(at) {
		t.Errorf("export %d follows, of %v", next.ID, next.Created)
	}
}

func exportsMissing(t *testing.T, s store.Store) {
	ctx := t.Context()
	e := addExport(t, s, &rasterbase.Export{Owner: "ada"})
	for sign, want := range map[int64]rasterbase.Code{1: rasterbase.Conflict, -1: rasterbase.Invalid} {
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Exports().Create(ctx, &rasterbase.Export{ID: e.ID * rasterbase.ExportID(sign)})
		}), want)
	}
	for _, id := range []rasterbase.ExportID{0, -1, e.ID + 1} {
		_, err := export(t, s, id)
		wantNotExist(t, err)
		wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Exports().Update(ctx, &rasterbase.Export{ID: id}) }))
	}
	// What a transaction that was not kept set is as it was before.
	lost := &rasterbase.Export{Owner: "ada"}
	wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
		if err := tx.Exports().Create(ctx, lost); err != nil {
			return err
		}
		return rasterbase.Errorf(rasterbase.Busy, "no")
	}), rasterbase.Busy)
	wantEqual(t, "the lost export", fmt.Sprint(*lost), fmt.Sprint(rasterbase.Export{Owner: "ada"}))
}
