package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func addUpload(t *testing.T, s store.Store, id string) *rasterbase.Upload {
	t.Helper()
	u := &rasterbase.Upload{ID: id}
	update(t, s, func(tx store.Tx) error { return tx.Uploads().Create(t.Context(), u) })
	return u
}

func upload(t *testing.T, s store.Store, id string) (*rasterbase.Upload, error) {
	t.Helper()
	return tryGet(t, s, func(tx store.Tx) (*rasterbase.Upload, error) { return tx.Uploads().Get(t.Context(), id) })
}

func uploadRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	before := time.Now().Add(-time.Second)
	at := time.Date(2031, 2, 28, 23, 59, 59, 987_654_000, time.FixedZone("", 3600))
	u := &rasterbase.Upload{ID: "q1-Z_x", Owner: "ada", Source: "s1", Name: "größe.tif", Size: 1 << 41,
		Metadata: "filename Z3LDtsOfZS50aWY=,empty", Expires: at}
	update(t, s, func(tx store.Tx) error { return tx.Uploads().Create(ctx, u) })
	if u.Created.Before(before) || u.Created.Location() != time.UTC || !u.Expires.Equal(at) {
		t.Errorf("the new upload is %+v", u)
	}
	got, err := upload(t, s, u.ID)
	must(t, err)
	wantDeepEqual(t, "the upload", got, u)

	changed := *u
	changed.Owner, changed.Source, changed.Created = "eve", "s2", at
	changed.Name, changed.Size, changed.Metadata, changed.Expires = "x.tif", 7, "", at.Add(time.Hour)
	update(t, s, func(tx store.Tx) error { return tx.Uploads().Update(ctx, &changed) })
	u.Name, u.Size, u.Metadata, u.Expires = "x.tif", 7, "", at.Add(time.Hour).UTC()
	got, err = upload(t, s, u.ID)
	must(t, err)
	wantDeepEqual(t, "the changed upload", got, u)
}

func uploadList(t *testing.T, s store.Store) {
	ctx := t.Context()
	at := time.Date(2019, 12, 31, 23, 59, 59, 123_456_000, time.UTC)
	for i, id := range []string{"c", "B", "a"} { // the last is the oldest
		u := &rasterbase.Upload{ID: id, Created: at.Add(-time.Duration(i) * time.Hour)}
		update(t, s, func(tx store.Tx) error { return tx.Uploads().Create(ctx, u) })
		got, err := upload(t, s, id)
		must(t, err)
		wantDeepEqual(t, "the time of creation", got.Created, at.Add(-time.Duration(i)*time.Hour))
	}
	addUpload(t, s, "0") // now
	want := func(ids string) {
		t.Helper()
		var got []string
		for _, u := range get(t, s, func(tx store.Tx) ([]*rasterbase.Upload, error) { return tx.Uploads().List(ctx) }) {
			got = append(got, u.ID)
		}
		wantEqual(t, "the uploads", strings.Join(got, " "), ids)
	}
	want("a B c 0")
	update(t, s, func(tx store.Tx) error { return tx.Uploads().Delete(ctx, "c") })
	want("a B 0")
}

func uploadsMissing(t *testing.T, s store.Store) {
	ctx := t.Context()
	u := addUpload(t, s, "here")
	create := func(id string) error {
		return s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Uploads().Create(ctx, &rasterbase.Upload{ID: id, Name: "another"})
		})
	}
	wantCode(t, create("here"), rasterbase.Conflict)
	wantCode(t, create(""), rasterbase.Invalid)
	must(t, create("HERE")) // ids have a case
	for _, id := range []string{"", "her", "here ", "Here"} {
		_, err := upload(t, s, id)
		wantNotExist(t, err)
		wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Uploads().Update(ctx, &rasterbase.Upload{ID: id}) }))
	}
	got, err := upload(t, s, "here")
	must(t, err)
	wantDeepEqual(t, "the upload", got, u)
	for range 2 { // deleting it again is not an error
		update(t, s, func(tx store.Tx) error { return tx.Uploads().Delete(ctx, "here") })
		_, err := upload(t, s, "here")
		wantNotExist(t, err)
	}
	must(t, create("here"))
}
