package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func putColormap(t *testing.T, s store.Store, owner, name, json string) *rasterbase.UserColormap {
	t.Helper()
	m := &rasterbase.UserColormap{Owner: owner, Name: name, JSON: []byte(json)}
	update(t, s, func(tx store.Tx) error { return tx.Colormaps().Put(t.Context(), m) })
	return m
}

func colormap(t *testing.T, s store.Store, owner, name string) (*rasterbase.UserColormap, error) {
	t.Helper()
	return tryGet(t, s, func(tx store.Tx) (*rasterbase.UserColormap, error) {
		return tx.Colormaps().Get(t.Context(), owner, name)
	})
}

// colormapList names what somebody keeps, and everybody when owner is empty.
func colormapList(t *testing.T, s store.Store, owner string) string {
	t.Helper()
	var out []string
	for _, m := range get(t, s, func(tx store.Tx) ([]*rasterbase.UserColormap, error) { return tx.Colormaps().List(t.Context(), owner) }) {
		out = append(out, fmt.Sprintf("%s/%s=%s", m.Owner, m.Name, m.JSON))
	}
	return strings.Join(out, " ")
}

func colormapRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	before := time.Now().Add(-time.Second)
	m := putColormap(t, s, "ada", "Größe", " {\"1\":\t\"#FF0000\", \"1\": null}\x00")
	if m.Updated.Before(before) || m.Updated.Location() != time.UTC {
		t.Errorf("updated at %v", m.Updated)
	}
	for _, name := range []string{"Größe", "GRÖSSE", "größe"} {
		got, err := colormap(t, s, "ada", name)
		if strings.Contains(name, "SS") {
			wantNotExist(t, err) // as titles of legends
			continue
		}
		must(t, err)
		wantDeepEqual(t, "the colormap", got, m)
	}
	time.Sleep(time.Millisecond)
	changed := putColormap(t, s, "ada", "GRößE", "{}")
	if !changed.Updated.After(m.Updated) {
		t.Errorf("updated at %v, after %v", changed.Updated, m.Updated)
	}
	wantEqual(t, "the colormaps", colormapList(t, s, "ada"), "ada/GRößE={}")
	at := time.Date(2019, 12, 31, 23, 59, 59, 123_456_000, time.UTC)
	given := &rasterbase.UserColormap{Owner: "ada", Name: "größe", JSON: nil, Updated: at}
	update(t, s, func(tx store.Tx) error { return tx.Colormaps().Put(ctx, given) })
	got, err := colormap(t, s, "ada", "größe")
	must(t, err)
	if !got.Updated.Equal(at) || len(got.JSON) != 0 || got.Name != "größe" {
		t.Errorf("the colormap is %+v", got)
	}
	update(t, s, func(tx store.Tx) error { return tx.Colormaps().Delete(ctx, "ada", "GRößE") })
	_, err = colormap(t, s, "ada", "größe")
	wantNotExist(t, err)
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Colormaps().Delete(ctx, "ada", "größe") }))
}

func colormapOwners(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, name := range []string{"zebra", "Ähre", "beta", "Alpha"} {
		putColormap(t, s, "bob", name, "1")
	}
	putColormap(t, s, "ada", "ALPHA", "2")
	putColormap(t, s, "Bob", "alpha", "3")
	for owner, want := range map[string]string{
		"bob": "bob/Alpha=1 bob/beta=1 bob/zebra=1 bob/Ähre=1", "Bob": "Bob/alpha=3", "ada": "ada/ALPHA=2", "nobody": "",
		"": "Bob/alpha=3 ada/ALPHA=2 bob/Alpha=1 bob/beta=1 bob/zebra=1 bob/Ähre=1",
	} {
		wantEqual(t, "what "+owner+" keeps", colormapList(t, s, owner), want)
	}
	_, err := colormap(t, s, "ada", "beta")
	wantNotExist(t, err)
	_, err = colormap(t, s, "", "beta")
	wantNotExist(t, err)
	for field, m := range map[string]rasterbase.UserColormap{
		"owner": {Name: "x"}, "name": {Owner: "x", Name: " \t"}, "no name": {Owner: "x"},
	} {
		err := s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Colormaps().Put(ctx, &m) })
		t.Log(field)
		wantCode(t, err, rasterbase.Invalid)
	}
	for name, write := range map[string]func(store.Tx) error{
		"put": func(tx store.Tx) error {
			return tx.Colormaps().Put(ctx, &rasterbase.UserColormap{Owner: "x", Name: "x"})
		},
		"delete": func(tx store.Tx) error { return tx.Colormaps().Delete(ctx, "ada", "alpha") },
	} {
		if err := s.Catalog().View(ctx, write); err == nil {
			t.Errorf("%s: a view can write", name)
		}
	}
}

// colormapsOfUsers: what a user keeps goes with the name, and is gone with the
// user, so that nobody gets it who has the name later.
func colormapsOfUsers(t *testing.T, s store.Store) {
	ctx := t.Context()
	ada, bob := addUser(t, s, "ada"), addUser(t, s, "bob")
	putColormap(t, s, "ada", "a", "1")
	putColormap(t, s, "ada", "b", "1")
	putColormap(t, s, "bob", "a", "2")
	putColormap(t, s, "Countess", "B", "3") // of somebody who is no user here
	putColormap(t, s, "Countess", "c", "3")
	ada.Name = "Countess"
	update(t, s, func(tx store.Tx) error { return tx.Users().Update(ctx, ada) })
	wantEqual(t, "what they keep", colormapList(t, s, ""), "Countess/a=1 Countess/b=1 Countess/c=3 bob/a=2")
	bob.Role = rasterbase.Viewer
	update(t, s, func(tx store.Tx) error { return tx.Users().Update(ctx, bob) })
	wantEqual(t, "what bob keeps", colormapList(t, s, "bob"), "bob/a=2")
	wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Users().Update(ctx, &rasterbase.User{ID: bob.ID, Name: "countess"})
	}), rasterbase.Conflict)
	update(t, s, func(tx store.Tx) error { return tx.Users().Delete(ctx, ada.ID) })
	wantEqual(t, "what is left", colormapList(t, s, ""), "bob/a=2")
}

// sameColormaps: those who store a colormap of one name at once leave one.
func sameColormaps(t *testing.T, s store.Store) {
	ctx := t.Context()
	together(t, s, func(s store.Store, n int) {
		for i := range 3 {
			err := s.Catalog().Update(ctx, func(tx store.Tx) error {
				m := &rasterbase.UserColormap{Owner: "ada", Name: []string{"same", "Same"}[n%2], JSON: fmt.Append(nil, n)}
				return errors.Join(tx.Colormaps().Put(ctx, m), tx.Colormaps().Put(ctx, &rasterbase.UserColormap{Owner: "ada", Name: fmt.Sprint(n, i)}))
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	list := get(t, s, func(tx store.Tx) ([]*rasterbase.UserColormap, error) { return tx.Colormaps().List(ctx, "ada") })
	wantEqual(t, "number of colormaps", len(list), 19)
}
