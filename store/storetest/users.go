package storetest

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func addUser(t *testing.T, s store.Store, name string) *rasterbase.User {
	t.Helper()
	u := &rasterbase.User{Name: name, Role: rasterbase.Editor}
	update(t, s, func(tx store.Tx) error { return tx.Users().Create(t.Context(), u) })
	return u
}

func user(t *testing.T, s store.Store, id rasterbase.UserID) (*rasterbase.User, error) {
	t.Helper()
	return tryGet(t, s, func(tx store.Tx) (*rasterbase.User, error) { return tx.Users().Get(t.Context(), id) })
}

func userNamed(t *testing.T, s store.Store, name string) (*rasterbase.User, error) {
	t.Helper()
	return tryGet(t, s, func(tx store.Tx) (*rasterbase.User, error) { return tx.Users().FindName(t.Context(), name) })
}

func userRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	before := time.Now().Add(-time.Second)
	u := &rasterbase.User{Name: "Björn 水", Role: rasterbase.Administrator, Created: before.AddDate(-1, 0, 0)}
	update(t, s, func(tx store.Tx) error { return tx.Users().Create(ctx, u) })
	if u.ID == 0 || u.Created.Before(before) || u.Created.Location() != time.UTC {
		t.Errorf("the new user is %+v", u)
	}
	for _, read := range []func() (*rasterbase.User, error){
		func() (*rasterbase.User, error) { return user(t, s, u.ID) },
		func() (*rasterbase.User, error) { return userNamed(t, s, "BJÖRN 水") },
	} {
		got, err := read()
		must(t, err)
		wantDeepEqual(t, "the user", got, u)
	}
	changed := &rasterbase.User{ID: u.ID, Name: "björn", Role: rasterbase.Viewer, Created: before.AddDate(-2, 0, 0)}
	update(t, s, func(tx store.Tx) error { return tx.Users().Update(ctx, changed) })
	u.Name, u.Role = "björn", rasterbase.Viewer
	got, err := user(t, s, u.ID)
	must(t, err)
	wantDeepEqual(t, "the changed user", got, u)
	_, err = userNamed(t, s, "Björn 水")
	wantNotExist(t, err)
}

func usersMissing(t *testing.T, s store.Store) {
	ctx := t.Context()
	u := addUser(t, s, "ada")
	_, err := user(t, s, 999999)
	wantNotExist(t, err)
	for _, name := range []string{"", "ad", "ada ", "ada\x00"} {
		_, err := userNamed(t, s, name)
		wantNotExist(t, err)
	}
	for _, fn := range []func(store.Tx) error{
		func(tx store.Tx) error { return tx.Users().Update(ctx, &rasterbase.User{ID: 999999, Name: "x"}) },
		func(tx store.Tx) error { return tx.Users().Delete(ctx, 999999) },
		func(tx store.Tx) error {
			return errors.Join(tx.Users().Delete(ctx, u.ID), tx.Users().Delete(ctx, u.ID))
		},
	} {
		wantNotExist(t, s.Catalog().Update(ctx, fn))
	}
	_, err = user(t, s, u.ID)
	must(t, err)
	update(t, s, func(tx store.Tx) error { return tx.Users().Delete(ctx, u.ID) })
	_, err = user(t, s, u.ID)
	wantNotExist(t, err)
	if again := addUser(t, s, "Ada"); again.ID <= u.ID {
		t.Errorf("the id %d is given again", again.ID)
	}
}

func userNames(t *testing.T, s store.Store) {
	ctx := t.Context()
	addUser(t, s, "größe ΣΑΣ")
	a := addUser(t, s, "Ada")
	for _, name := range []string{"GRößE σασ", "größe σας", "ada", "ADA", "", " \t"} {
		err := s.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Users().Create(ctx, &rasterbase.User{Name: name}) })
		want := rasterbase.Conflict
		if strings.TrimSpace(name) == "" {
			want = rasterbase.Invalid
		}
		wantCode(t, err, want)
		if want == rasterbase.Conflict {
			_, err := userNamed(t, s, name)
			must(t, err)
		}
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Users().Update(ctx, &rasterbase.User{ID: 999999, Name: name}) // nobody's own
		}), want)
	}
	update(t, s, func(tx store.Tx) error { return tx.Users().Update(ctx, &rasterbase.User{ID: a.ID, Name: "ADA"}) })
	z := addUser(t, s, "Ärmel")
	list := get(t, s, func(tx store.Tx) ([]*rasterbase.User, error) { return tx.Users().List(ctx) })
	var names []string
	for _, u := range list {
		names = append(names, u.Name)
	}
	wantEqual(t, "the users", strings.Join(names, ", "), "ADA, größe ΣΑΣ, Ärmel")
	wantEqual(t, "the last one's id", list[2].ID, z.ID)
}

// sameUsers: of those who take a name or a hash at once one gets it.
func sameUsers(t *testing.T, s store.Store) {
	ctx := t.Context()
	owner := addUser(t, s, "owner")
	var made [3]atomic.Int32
	together(t, s, func(s store.Store, _ int) {
		for i, fn := range []func(store.Tx) error{
			func(tx store.Tx) error { return tx.Users().Create(ctx, &rasterbase.User{Name: "same"}) },
			func(tx store.Tx) error {
				return tx.Tokens().Create(ctx, &rasterbase.Token{User: owner.ID, Hash: "same"})
			},
			func(tx store.Tx) error { return tx.Uploads().Create(ctx, &rasterbase.Upload{ID: "same"}) },
		} {
			err := s.Catalog().Update(ctx, fn)
			if err == nil {
				made[i].Add(1)
			} else {
				wantCode(t, err, rasterbase.Conflict)
			}
		}
	})
	for i, what := range []string{"users", "tokens", "uploads"} {
		wantEqual(t, "number of "+what+" that are the same", made[i].Load(), 1)
	}
}

// givenAccounts stores users and tokens with the ids and times that they had
// elsewhere.
func givenAccounts(t *testing.T, s store.Store) {
	ctx := t.Context()
	at := time.Date(2019, 12, 31, 23, 59, 59, 123_456_000, time.UTC)
	u := &rasterbase.User{ID: 50, Name: "ada", Role: rasterbase.Viewer, Created: at}
	k := &rasterbase.Token{ID: 80, User: 50, Name: "n", Hash: "h", Scope: rasterbase.Editor, Created: at.Add(time.Second), Expires: at.AddDate(9, 0, 0), Used: at.Add(time.Hour)}
	wantUser, wantToken := *u, *k
	update(t, s, func(tx store.Tx) error { return errors.Join(tx.Users().Create(ctx, u), tx.Tokens().Create(ctx, k)) })
	wantDeepEqual(t, "the user that was given", *u, wantUser)
	wantDeepEqual(t, "the token that was given", *k, wantToken)
	gotUser, err := user(t, s, 50)
	must(t, err)
	wantDeepEqual(t, "the user", *gotUser, wantUser)
	gotToken, err := token(t, s, 80)
	must(t, err)
	wantDeepEqual(t, "the token", *gotToken, wantToken)

	// A time that is not given is made, but for the last use.
	before := time.Now().Add(-time.Second)
	later, laterToken := &rasterbase.User{ID: 3, Name: "low"}, &rasterbase.Token{ID: 4, User: 3, Hash: "low"}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Users().Create(ctx, later), tx.Tokens().Create(ctx, laterToken))
	})
	if later.Created.Before(before) || laterToken.Created.Before(before) || !laterToken.Used.IsZero() || !laterToken.Expires.IsZero() {
		t.Errorf("without times they are %+v and %+v", later, laterToken)
	}
	// What is made later has other ids.
	next := addUser(t, s, "next")
	if nextToken := addToken(t, s, next.ID, "next"); next.ID <= 50 || nextToken.ID <= 80 {
		t.Errorf("later there are user %d and token %d", next.ID, nextToken.ID)
	}
	for sign, want := range map[int64]rasterbase.Code{1: rasterbase.Conflict, -1: rasterbase.Invalid} {
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Users().Create(ctx, &rasterbase.User{ID: rasterbase.UserID(50 * sign), Name: "x"})
		}), want)
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Tokens().Create(ctx, &rasterbase.Token{ID: rasterbase.TokenID(80 * sign), User: 50, Hash: "x"})
		}), want)
	}
}

// accountsTakenBack: what a transaction that was not kept set is as before.
func accountsTakenBack(t *testing.T, s store.Store) {
	ctx := t.Context()
	failed := errors.New("no")
	u, k, f := rasterbase.User{Name: "ada"}, rasterbase.Token{Hash: "h"}, rasterbase.Upload{ID: "f"}
	wantIs(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
		if err := tx.Users().Create(ctx, &u); err != nil {
			return err
		}
		k.User = u.ID
		return errors.Join(tx.Tokens().Create(ctx, &k), tx.Uploads().Create(ctx, &f), failed)
	}), failed)
	if u.ID != 0 || !u.Created.IsZero() || k.ID != 0 || !k.Created.IsZero() || !f.Created.IsZero() {
		t.Errorf("after a failure there are %+v, %+v and %+v", u, k, f)
	}
	view(t, s, func(tx store.Tx) error {
		users, err := tx.Users().List(ctx)
		must(t, err)
		tokens, err := tx.Tokens().List(ctx, 0)
		must(t, err)
		uploads, err := tx.Uploads().List(ctx)
		must(t, err)
		wantEqual(t, "what outlived its transaction", len(users)+len(tokens)+len(uploads), 0)
		return nil
	})
}

// accountsViewed: a view cannot write them.
func accountsViewed(t *testing.T, s store.Store) {
	ctx := t.Context()
	u := addUser(t, s, "ada")
	k, f := addToken(t, s, u.ID, "h"), addUpload(t, s, "f")
	for name, write := range map[string]func(store.Tx) error{
		"create a user":    func(tx store.Tx) error { return tx.Users().Create(ctx, &rasterbase.User{Name: "x"}) },
		"update a user":    func(tx store.Tx) error { return tx.Users().Update(ctx, u) },
		"delete a user":    func(tx store.Tx) error { return tx.Users().Delete(ctx, u.ID) },
		"create a token":   func(tx store.Tx) error { return tx.Tokens().Create(ctx, &rasterbase.Token{User: u.ID, Hash: "x"}) },
		"update a token":   func(tx store.Tx) error { return tx.Tokens().Update(ctx, k) },
		"delete a token":   func(tx store.Tx) error { return tx.Tokens().Delete(ctx, k.ID) },
		"create an upload": func(tx store.Tx) error { return tx.Uploads().Create(ctx, &rasterbase.Upload{ID: "x"}) },
		"update an upload": func(tx store.Tx) error { return tx.Uploads().Update(ctx, f) },
		"delete an upload": func(tx store.Tx) error { return tx.Uploads().Delete(ctx, f.ID) },
	} {
		if err := s.Catalog().View(ctx, write); err == nil {
			t.Errorf("%s: a view can write", name)
		}
	}
	got, err := user(t, s, u.ID)
	must(t, err)
	wantDeepEqual(t, "the user", got, u)
}

// strangeNames stores what some databases cannot hold.
func strangeNames(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, strange := range []string{"a\nb\x00c", "\xff\xfe", `\u0000 \\u0000`, "größe \xc3"} {
		held := strings.ReplaceAll(string([]rune(strange)), "\x00", "\uFFFD")
		check := func(what, got string) {
			t.Helper()
			if got != strange && got != held {
				t.Errorf("%s is %q, neither %q nor %q", what, got, strange, held)
			}
		}
		u := &rasterbase.User{Name: strange}
		f := &rasterbase.Upload{ID: "f" + strange, Owner: strange, Name: strange, Metadata: strange}
		update(t, s, func(tx store.Tx) error {
			if err := errors.Join(tx.Users().Create(ctx, u), tx.Uploads().Create(ctx, f)); err != nil {
				return err
			}
			return tx.Tokens().Create(ctx, &rasterbase.Token{User: u.ID, Name: strange, Hash: "h" + strange})
		})
		view(t, s, func(tx store.Tx) error {
			got, err := tx.Users().FindName(ctx, strange)
			must(t, err)
			check("the name", got.Name)
			k, err := tx.Tokens().FindHash(ctx, "h"+strange)
			must(t, err)
			check("the token's name", k.Name)
			up, err := tx.Uploads().Get(ctx, "f"+strange)
			must(t, err)
			check("the owner", up.Owner)
			check("the file name", up.Name)
			check("the metadata", up.Metadata)
			return nil
		})
		wantCode(t, s.Catalog().Update(ctx, func(tx store.Tx) error {
			return tx.Users().Create(ctx, &rasterbase.User{Name: strange})
		}), rasterbase.Conflict)
	}
}
