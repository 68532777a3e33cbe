package auth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/store"
)

func TestNamesOfUsers(t *testing.T) {
	for _, name := range []string{"anna", "Anna Müller", "anna@example.org", "a", "007b", "山田", strings.Repeat("ä", auth.MaxUserName)} {
		if err := auth.CheckUserName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "a:b", "42", " anna", "anna ", "an\nna", "an\u202ena", "a\u00a0b", "\xff", strings.Repeat("ä", auth.MaxUserName+1)} {
		if err := auth.CheckUserName(name); rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestUsersAreFound(t *testing.T) {
	c := newCatalog(t)
	anna := addUser(t, c, "Anna", rasterbase.Administrator)
	for _, ref := range []string{"anna", "ANNA", "1"} {
		err := c.View(t.Context(), func(tx store.Tx) error {
			u, err := auth.FindUser(t.Context(), tx, ref)
			if err == nil && u.ID != anna.ID {
				t.Errorf("%s is user %d", ref, u.ID)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, ref := range []string{"", "bert", "2", "0", "99999999999999999999", "-1"} {
		err := c.View(t.Context(), func(tx store.Tx) error {
			_, err := auth.FindUser(t.Context(), tx, ref)
			return err
		})
		if rasterbase.CodeOf(err) != rasterbase.NotFound || !errors.Is(err, store.ErrNotExist) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestTheLastAdministrator(t *testing.T) {
	c := newCatalog(t)
	role := func() (r rasterbase.Role) {
		err := c.View(t.Context(), func(tx store.Tx) (err error) {
			r, err = auth.DefaultRole(t.Context(), tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	last := func(u *rasterbase.User) (is bool) {
		err := c.View(t.Context(), func(tx store.Tx) (err error) {
			is, err = auth.LastAdministrator(t.Context(), tx, u.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if got := role(); got != rasterbase.Administrator {
		t.Errorf("the first user is %s", got)
	}
	anna, bert := addUser(t, c, "anna", rasterbase.Administrator), addUser(t, c, "bert", rasterbase.Viewer)
	if got := role(); got != rasterbase.Viewer {
		t.Errorf("another user is %s", got)
	}
	if !last(anna) || last(bert) {
		t.Error("anna is the last administrator, and bert is none")
	}
	clara := addUser(t, c, "clara", rasterbase.Administrator)
	if last(anna) || last(clara) {
		t.Error("there are two administrators")
	}
	update(t, c, func(tx store.Tx) error { return tx.Users().Delete(t.Context(), anna.ID) })
	if !last(clara) {
		t.Error("clara is the last administrator")
	}
}
