package move_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/store/move"
)

func TestIDsOfUsersAreNotGivenAgain(t *testing.T) {
	for _, x := range backends {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			a, b := x.open(t), x.open(t)
			addUsers(t, a)
			last := rasterbase.User{Name: "last"}
			var token rasterbase.Token
			update(t, a, func(tx store.Tx) error {
				must(t, tx.Users().Create(t.Context(), &last))
				token = rasterbase.Token{User: last.ID, Hash: "last"}
				must(t, tx.Tokens().Create(t.Context(), &token))
				return tx.Users().Delete(t.Context(), last.ID)
			})
			_, err := move.Run(t.Context(), a, b, move.Options{})
			must(t, err)
			// Of a user that is there, only the token was deleted.
			lone := rasterbase.Token{User: 2, Hash: "lone"}
			update(t, a, func(tx store.Tx) error {
				must(t, tx.Tokens().Create(t.Context(), &lone))
				return tx.Tokens().Delete(t.Context(), lone.ID)
			})
			_, err = move.Run(t.Context(), a, b, move.Options{})
			must(t, err)
			sameDump(t, "the destination", dump(t, b), dump(t, a))
			next := rasterbase.User{Name: "next"}
			update(t, b, func(tx store.Tx) error {
				must(t, tx.Users().Create(t.Context(), &next))
				again := rasterbase.Token{User: next.ID, Hash: "next"}
				must(t, tx.Tokens().Create(t.Context(), &again))
				if next.ID <= last.ID || again.ID <= token.ID || again.ID <= lone.ID {
					t.Errorf("new at the destination: user %d, token %d; the source had given %d, %d and %d", next.ID, again.ID, last.ID, token.ID, lone.ID)
				}
				return nil
			})
		})
	}
}

func TestADestinationWithOtherUsersIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		user  rasterbase.User
		token rasterbase.Token
		says  string
	}{
		"a user of the same id":   {user: rasterbase.User{ID: 2, Name: "admin"}, says: "user 2 (admin), which is another user than the source's"},
		"a user of the same name": {user: rasterbase.User{ID: 1, Name: "bob"}, says: "user 1 (bob), which the source has not"},
		"a token": {user: rasterbase.User{ID: 9, Name: "x"}, token: rasterbase.Token{ID: 2, Hash: "x", Name: "QGIS"},
			says: "token 2 (QGIS) of user 9, which is another token than the source's"},
		"a token more": {user: rasterbase.User{ID: 9, Name: "x"}, token: rasterbase.Token{ID: 77, Hash: "x", Name: "QGIS"},
			says: "token 77 (QGIS) of user 9, which the source has not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := openSQLite(t), openSQLite(t)
			addUsers(t, a)
			update(t, b, func(tx store.Tx) error {
				must(t, tx.Users().Create(t.Context(), &c.user))
				if c.token.ID == 0 {
					return nil
				}
				c.token.User = c.user.ID
				return tx.Tokens().Create(t.Context(), &c.token)
			})
			before := dump(t, b)
			_, err := move.Run(t.Context(), a, b, move.Options{})
			wantConflict(t, err, "the destination has", c.says, "name an empty store")
			sameDump(t, "the destination", dump(t, b), before)
		})
	}
}

// moveWhile moves a store in which something happens meanwhile, after the users
// were read.
func moveWhile(t *testing.T, a, b store.Store, act func()) error {
	t.Helper()
	acted := false
	_, err := move.Run(t.Context(), a, b, move.Options{Progress: func(move.Progress) {
		if !acted {
			acted = true
			act()
		}
	}})
	if !acted {
		t.Fatal("nothing happened meanwhile")
	}
	return err
}

func TestWhatChangesOfUsersMeanwhileIsToldAndBroughtOver(t *testing.T) {
	token := func(t *testing.T, a store.Store, change func(*rasterbase.Token)) {
		update(t, a, func(tx store.Tx) error {
			k, err := tx.Tokens().Get(t.Context(), 2)
			must(t, err)
			change(k)
			return tx.Tokens().Update(t.Context(), k)
		})
	}
	for name, c := range map[string]struct {
		act  func(t *testing.T, a store.Store)
		says string // nothing: it need not be told
	}{
		"a new user": {func(t *testing.T, a store.Store) {
			update(t, a, func(tx store.Tx) error { return tx.Users().Create(t.Context(), &rasterbase.User{Name: "eve"}) })
		}, "user 4 (eve) is new or another"},
		"a role": {func(t *testing.T, a store.Store) {
			update(t, a, func(tx store.Tx) error {
				return tx.Users().Update(t.Context(), &rasterbase.User{ID: 3, Name: "bob", Role: rasterbase.Editor})
			})
		}, "user 3 (bob) is new or another"},
		"a new token": {func(t *testing.T, a store.Store) {
			update(t, a, func(tx store.Tx) error {
				return tx.Tokens().Create(t.Context(), &rasterbase.Token{User: 3, Name: "n", Hash: "h"})
			})
		}, "token 5 (n) of user 3 is new or another"},
		"the end of a token": {func(t *testing.T, a store.Store) {
			token(t, a, func(k *rasterbase.Token) { k.Expires = time.Time{} })
		}, "token 2 (QGIS) of user 2 is new or another"},
		"a use": {func(t *testing.T, a store.Store) {
			token(t, a, func(k *rasterbase.Token) { k.Used = time.Now().UTC().Truncate(time.Microsecond) })
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := openSQLite(t), openSQLite(t)
			fillSmall(t, a)
			err := moveWhile(t, a, b, func() { c.act(t, a) })
			if c.says != "" {
				wantConflict(t, err, "the source was changed while it was moved", c.says, "run the move again")
			} else {
				must(t, err)
			}
			_, err = move.Run(t.Context(), a, b, move.Options{})
			must(t, err)
			sameDump(t, "the destination", dump(t, b), dump(t, a))
		})
	}
}

// A token that the source takes back does not live on at the destination
// without anybody knowing.
func TestATokenThatIsTakenBackMeanwhileIsToldOf(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fillSmall(t, a)
	err := moveWhile(t, a, b, func() {
		update(t, a, func(tx store.Tx) error { return tx.Tokens().Delete(t.Context(), 3) })
	})
	wantConflict(t, err, "token 3 () of user 3 was deleted", "is to be deleted at the destination first")
	_, err = move.Run(t.Context(), a, b, move.Options{})
	wantConflict(t, err, "token 3 () of user 3, which the source has not")
	update(t, b, func(tx store.Tx) error { return tx.Tokens().Delete(t.Context(), 3) })
	_, err = move.Run(t.Context(), a, b, move.Options{})
	must(t, err)

	// The same with a user.
	err = moveWhile(t, a, b, func() {
		update(t, a, func(tx store.Tx) error { return tx.Users().Delete(t.Context(), 2) })
	})
	wantConflict(t, err, "user 2 (Ada Größe) was deleted")
	update(t, b, func(tx store.Tx) error { return tx.Users().Delete(t.Context(), 2) })
	_, err = move.Run(t.Context(), a, b, move.Options{})
	must(t, err)
	sameDump(t, "the destination", dump(t, b), dump(t, a))
}

func TestUploadsAreLeftAndTold(t *testing.T) {
	a, b := openSQLite(t), openSQLite(t)
	fillSmall(t, a)
	for i, id := range []string{"one", "two"} {
		update(t, a, func(tx store.Tx) error { return tx.Uploads().Create(t.Context(), &rasterbase.Upload{ID: id}) })
		r, err := move.Run(t.Context(), a, b, move.Options{})
		must(t, err)
		if want := []string{"1 upload was left", "2 uploads were left"}[i]; len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], want) {
			t.Errorf("the warnings are %q", r.Warnings)
		}
	}
	view(t, b, func(tx store.Tx) error {
		list, err := tx.Uploads().List(t.Context())
		if len(list) != 0 {
			t.Errorf("%d uploads were moved", len(list))
		}
		return err
	})
	// What was begun at the destination is in nobody's way.
	update(t, b, func(tx store.Tx) error { return tx.Uploads().Create(t.Context(), &rasterbase.Upload{ID: "theirs"}) })
	_, err := move.Run(t.Context(), a, b, move.Options{})
	must(t, err)
}
