package storetest

import (
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func userPassword(t *testing.T, s store.Store) {
	ctx := t.Context()
	u := &rasterbase.User{Name: "ada", Role: rasterbase.Editor, Password: "without an id it is not the caller's"}
	update(t, s, func(tx store.Tx) error { return tx.Users().Create(ctx, u) })
	if u.Password != "" {
		t.Errorf("the new user has the password %q", u.Password)
	}
	update(t, s, func(tx store.Tx) error { return tx.Users().SetPassword(ctx, u.ID, "$argon2id$x") })
	// A change of the name or the role leaves the password.
	update(t, s, func(tx store.Tx) error {
		return tx.Users().Update(ctx, &rasterbase.User{ID: u.ID, Name: "Ada", Role: rasterbase.Viewer})
	})
	for _, want := range []string{"$argon2id$x", ""} {
		got, err := userNamed(t, s, "ada")
		must(t, err)
		wantEqual(t, "the password", got.Password, want)
		update(t, s, func(tx store.Tx) error { return tx.Users().SetPassword(ctx, u.ID, "") })
	}
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Users().SetPassword(ctx, 999999, "x") }))
	given := &rasterbase.User{ID: u.ID + 10, Name: "moved", Role: rasterbase.Viewer, Password: "$argon2id$y"}
	update(t, s, func(tx store.Tx) error { return tx.Users().Create(ctx, given) })
	got, err := user(t, s, given.ID)
	must(t, err)
	wantEqual(t, "the password of a user that was moved", got.Password, "$argon2id$y")
}

func session(t *testing.T, s store.Store, hash string) (*store.Session, error) {
	t.Helper()
	return tryGet(t, s, func(tx store.Tx) (*store.Session, error) { return tx.Sessions().Get(t.Context(), hash) })
}

func sessionRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := session(t, s, "a")
	wantNotExist(t, err)
	expires := time.Date(2099, 2, 28, 23, 59, 59, 987_654_000, time.FixedZone("", 3600))
	for _, data := range [][]byte{{0, 1, 255}, {7}} { // the second one takes the place of the first
		update(t, s, func(tx store.Tx) error {
			return tx.Sessions().Put(ctx, &store.Session{Hash: "a", Data: data, Expires: expires})
		})
		got, err := session(t, s, "a")
		must(t, err)
		wantDeepEqual(t, "the session", got, &store.Session{Hash: "a", Data: data, Expires: expires.UTC()})
		expires = expires.AddDate(0, 0, 1)
	}
	wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Sessions().Put(ctx, &store.Session{Data: []byte{1}, Expires: expires})
	}), rasterbase.Invalid)
	for range 2 {
		update(t, s, func(tx store.Tx) error { return tx.Sessions().Delete(ctx, "a") })
		_, err := session(t, s, "a")
		wantNotExist(t, err)
	}
}

func sessionsExpired(t *testing.T, s store.Store) {
	ctx, now := t.Context(), time.Now()
	for hash, after := range map[string]time.Duration{"old": -time.Hour, "older": -2 * time.Hour, "new": time.Hour} {
		update(t, s, func(tx store.Tx) error {
			return tx.Sessions().Put(ctx, &store.Session{Hash: hash, Data: []byte{}, Expires: now.Add(after)})
		})
	}
	n := 0
	update(t, s, func(tx store.Tx) (err error) {
		n, err = tx.Sessions().DeleteExpired(ctx, now)
		return err
	})
	wantEqual(t, "how many had expired", n, 2)
	_, err := session(t, s, "old")
	wantNotExist(t, err)
	_, err = session(t, s, "new")
	must(t, err)
}
