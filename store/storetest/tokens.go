package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func addToken(t *testing.T, s store.Store, owner rasterbase.UserID, hash string) *rasterbase.Token {
	t.Helper()
	k := &rasterbase.Token{User: owner, Name: "of " + hash, Hash: hash}
	update(t, s, func(tx store.Tx) error { return tx.Tokens().Create(t.Context(), k) })
	return k
}

func token(t *testing.T, s store.Store, id rasterbase.TokenID) (*rasterbase.Token, error) {
	t.Helper()
	return tryGet(t, s, func(tx store.Tx) (*rasterbase.Token, error) { return tx.Tokens().Get(t.Context(), id) })
}

func tokenRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	u := addUser(t, s, "ada")
	hash := strings.Repeat("0123456789abcdef", 4)
	before := time.Now().Add(-time.Second)
	expires := time.Date(2099, 2, 28, 23, 59, 59, 987_654_000, time.FixedZone("", 3600))
	// Without an id the times of creation and use are not the caller's.
	k := &rasterbase.Token{User: u.ID, Name: "für QGIS", Hash: hash, Scope: rasterbase.Editor, Expires: expires, Created: before.AddDate(-1, 0, 0), Used: before}
	update(t, s, func(tx store.Tx) error { return tx.Tokens().Create(ctx, k) })
	if k.ID == 0 || k.Created.Before(before) || !k.Used.IsZero() || !k.Expires.Equal(expires) {
		t.Errorf("the new token is %+v", k)
	}
	byHash := func() (*rasterbase.Token, error) {
		return tryGet(t, s, func(tx store.Tx) (*rasterbase.Token, error) { return tx.Tokens().FindHash(ctx, hash) })
	}
	byID := func() (*rasterbase.Token, error) { return token(t, s, k.ID) }
	for _, read := range []func() (*rasterbase.Token, error){byID, byHash} {
		got, err := read()
		must(t, err)
		wantDeepEqual(t, "the token", got, k)
	}
	// Only the name and two times can be changed.
	used := time.Date(2025, 1, 2, 3, 4, 5, 6_000, time.FixedZone("", -7200))
	update(t, s, func(tx store.Tx) error {
		return tx.Tokens().Update(ctx, &rasterbase.Token{ID: k.ID, User: u.ID + 1, Name: "new", Hash: "another", Scope: rasterbase.Viewer, Created: before.AddDate(-1, 0, 0), Used: used})
	})
	k.Name, k.Expires, k.Used = "new", time.Time{}, used.UTC()
	got, err := byHash()
	must(t, err)
	wantDeepEqual(t, "the changed token", got, k)
	// What expires at a time may come to expire never, and the other way round.
	k.Expires = used.UTC().AddDate(1, 0, 0)
	update(t, s, func(tx store.Tx) error { return tx.Tokens().Update(ctx, k) })
	got, err = byID()
	must(t, err)
	wantDeepEqual(t, "the token that expires again", got, k)
}

func tokensMissing(t *testing.T, s store.Store) {
	ctx := t.Context()
	u := addUser(t, s, "ada")
	k := addToken(t, s, u.ID, "abc")
	for _, c := range []struct {
		token rasterbase.Token
		code  rasterbase.Code
	}{
		{rasterbase.Token{User: u.ID, Hash: "abc"}, rasterbase.Conflict},
		{rasterbase.Token{User: addUser(t, s, "bob").ID, Hash: "abc"}, rasterbase.Conflict},
		{rasterbase.Token{User: u.ID}, rasterbase.Invalid},
		{rasterbase.Token{User: 999999, Hash: "x"}, rasterbase.NotFound},
		{rasterbase.Token{Hash: "x"}, rasterbase.NotFound},
	} {
		err := s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Tokens().Create(ctx, &c.token) })
		wantCode(t, err, c.code)
		if c.code == rasterbase.NotFound {
			wantNotExist(t, err)
		}
	}
	for _, hash := range []string{"", "ab", "ABC", "abcd"} {
		_, err := tryGet(t, s, func(tx store.Tx) (*rasterbase.Token, error) { return tx.Tokens().FindHash(ctx, hash) })
		wantNotExist(t, err)
	}
	_, err := token(t, s, 999999)
	wantNotExist(t, err)
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Tokens().Update(ctx, &rasterbase.Token{ID: 999999}) }))
	wantNotExist(t, s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Tokens().Delete(ctx, 999999) }))
	update(t, s, func(tx store.Tx) error { return tx.Tokens().Delete(ctx, k.ID) })
	_, err = token(t, s, k.ID)
	wantNotExist(t, err)
	if again := addToken(t, s, u.ID, "abc"); again.ID <= k.ID {
		t.Errorf("the id %d is given again", again.ID)
	}
}

// tokensOfUsers lists them by user, and deletes them with their user.
func tokensOfUsers(t *testing.T, s store.Store) {
	ctx := t.Context()
	a, b, c := addUser(t, s, "a"), addUser(t, s, "b"), addUser(t, s, "c")
	for i := range 3 {
		addToken(t, s, a.ID, fmt.Sprint("a", i))
		addToken(t, s, b.ID, fmt.Sprint("b", i))
	}
	want := func(owner rasterbase.UserID, hashes string) {
		t.Helper()
		list := get(t, s, func(tx store.Tx) ([]*rasterbase.Token, error) { return tx.Tokens().List(ctx, owner) })
		var got []string
		for i, k := range list {
			got = append(got, k.Hash)
			if i > 0 && k.ID <= list[i-1].ID {
				t.Errorf("token %d follows token %d", k.ID, list[i-1].ID)
			}
		}
		wantEqual(t, fmt.Sprintf("the tokens of user %d", owner), strings.Join(got, " "), hashes)
	}
	want(0, "a0 b0 a1 b1 a2 b2")
	want(a.ID, "a0 a1 a2")
	want(b.ID, "b0 b1 b2")
	want(c.ID, "")
	want(999999, "")
	update(t, s, func(tx store.Tx) error { return tx.Users().Delete(ctx, a.ID) })
	want(0, "b0 b1 b2")
	_, err := tryGet(t, s, func(tx store.Tx) (*rasterbase.Token, error) { return tx.Tokens().FindHash(ctx, "a1") })
	wantNotExist(t, err)
	addToken(t, s, c.ID, "a1") // which is free again
	want(0, "b0 b1 b2 a1")
}
