package move

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// accounts are the users and tokens of a catalog, by id.
type accounts struct {
	users  []*rasterbase.User
	tokens []*rasterbase.Token
}

func readAccounts(ctx context.Context, tx store.Tx) (a accounts, err error) {
	if a.users, err = tx.Users().List(ctx); err != nil {
		return a, err
	}
	slices.SortFunc(a.users, func(x, y *rasterbase.User) int { return cmp.Compare(x.ID, y.ID) })
	a.tokens, err = tx.Tokens().List(ctx, 0)
	return a, err
}

func (a accounts) user(id rasterbase.UserID) *rasterbase.User {
	i, found := slices.BinarySearchFunc(a.users, id, func(u *rasterbase.User, id rasterbase.UserID) int { return cmp.Compare(u.ID, id) })
	if !found {
		return nil
	}
	return a.users[i]
}

func (a accounts) token(id rasterbase.TokenID) *rasterbase.Token {
	i, found := slices.BinarySearchFunc(a.tokens, id, func(t *rasterbase.Token, id rasterbase.TokenID) int { return cmp.Compare(t.ID, id) })
	if !found {
		return nil
	}
	return a.tokens[i]
}

func userName(u *rasterbase.User) string { return fmt.Sprintf("user %d (%s)", u.ID, u.Name) }

func tokenName(t *rasterbase.Token) string {
	return fmt.Sprintf("token %d (%s) of user %d", t.ID, t.Name, t.User)
}

// changeable are the fields that Update stores: a user or token whose other
// fields are equal is the same one.
var (
	userChangeable  = []string{"Name", "Role"}
	tokenChangeable = []string{"Name", "Expires", "Used"}
)

// foreign names the users and tokens of a destination that no move from the
// source has put there.
func (a accounts) foreign(dst accounts) (names []string) {
	for _, d := range dst.users {
		switch s := a.user(d.ID); {
		case s == nil:
			names = append(names, userName(d)+", which the source has not")
		case difference(s, d, userChangeable...) != "":
			names = append(names, userName(d)+", which is another user than the source's")
		}
	}
	for _, d := range dst.tokens {
		switch s := a.token(d.ID); {
		case s == nil:
			names = append(names, tokenName(d)+", which the source has not")
		case difference(s, d, tokenChangeable...) != "":
			names = append(names, tokenName(d)+", which is another token than the source's")
		}
	}
	return names
}

// renamed gives the name that somebody has now who is known by a name at a
// destination.
func (a accounts) renamed(dst accounts) func(name string) string {
	names := map[string]string{}
	for _, d := range dst.users {
		if s := a.user(d.ID); s != nil {
			names[d.Name] = s.Name
		}
	}
	return func(name string) string {
		if now, ok := names[name]; ok {
			return now
		}
		return name
	}
}

// changed names what is not the same at the destination. When a token was used
// for the last time does not count: a source that is served notes it all the
// time.
func (a accounts) changed(dst accounts) (names []string) {
	for _, s := range a.users {
		if d := dst.user(s.ID); d == nil || difference(s, d) != "" {
			names = append(names, userName(s)+" is new or another")
		}
	}
	for _, d := range dst.users {
		if a.user(d.ID) == nil {
			names = append(names, userName(d)+" was deleted")
		}
	}
	for _, s := range a.tokens {
		if d := dst.token(s.ID); d == nil || difference(s, d, "Used") != "" {
			names = append(names, tokenName(s)+" is new or another")
		}
	}
	for _, d := range dst.tokens {
		if a.token(d.ID) == nil {
			names = append(names, tokenName(d)+" was deleted")
		}
	}
	return names
}

// accounts copies all users and tokens, and brings those up to date that an
// earlier run had moved; checkDestination has seen that they may be.
func (m *mover) accounts(ctx context.Context, src accounts) error {
	return m.to.Catalog().Update(ctx, func(tx store.Tx) error {
		for _, u := range src.users {
			if err := putUser(ctx, tx, u); err != nil {
				return fmt.Errorf("moving %s: %w", userName(u), err)
			}
		}
		for _, t := range src.tokens {
			if err := putToken(ctx, tx, t); err != nil {
				return fmt.Errorf("moving %s: %w", tokenName(t), err)
			}
		}
		return nil
	})
}

func putUser(ctx context.Context, tx store.Tx, src *rasterbase.User) error {
	n := *src
	dst, err := tx.Users().Get(ctx, src.ID)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return tx.Users().Create(ctx, &n)
	case err != nil || difference(src, dst) == "":
		return err
	}
	return tx.Users().Update(ctx, &n)
}

func putToken(ctx context.Context, tx store.Tx, src *rasterbase.Token) error {
	n := *src
	dst, err := tx.Tokens().Get(ctx, src.ID)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return tx.Tokens().Create(ctx, &n)
	case err != nil || difference(src, dst) == "":
		return err
	}
	return tx.Tokens().Update(ctx, &n)
}

// reserveAccounts creates what has the last ids and deletes it again, unless it
// is there.
func (last lastIDs) reserveAccounts(ctx context.Context, tx store.Tx) error {
	_, err := tx.Users().Get(ctx, last.user)
	noUser, err1 := missing(int64(last.user), err)
	_, err = tx.Tokens().Get(ctx, last.token)
	noToken, err2 := missing(int64(last.token), err)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if noUser {
		if err := tx.Users().Create(ctx, &rasterbase.User{ID: last.user, Name: rand.Text(), Role: rasterbase.Viewer}); err != nil {
			return err
		}
	}
	if noToken {
		if err := tx.Tokens().Create(ctx, &rasterbase.Token{ID: last.token, User: last.user, Hash: rand.Text()}); err != nil {
			return err
		}
		if err := tx.Tokens().Delete(ctx, last.token); err != nil {
			return err
		}
	}
	if noUser {
		return tx.Users().Delete(ctx, last.user)
	}
	return nil
}

// warnOfUploads tells how many files were being sent to the source.
func (m *mover) warnOfUploads(n int) {
	switch n {
	case 0:
	case 1:
		m.warn("1 upload was left at the source: it has not become a layer")
	default:
		m.warn("%d uploads were left at the source: they have not become layers", n)
	}
}
